/// The positions of one domain's order that quarantined frames take out.
///
/// What is bad is kept as ranges, never sequence by sequence. An epoch lays its units, or its
/// shards where they are streams, end to end in the order in which it reads them: a bad frame is a
/// range of that row, and a pool another. How many rows of a pool are bad is counted from the
/// ranges; which ones they are says the inverse of the pool's permutation, and is kept of the last
/// pools only.
///
/// So the memory is that of the quarantined frames, and of some pools' rows. A domain without a
/// quarantined frame has no such object and pays nothing.
///
/// Belongs to the loader's thread.
package final class BadPositions {
  private let order: DomainOrder
  /// The bad sequences, counted as ``DomainLayout/sequences(ofFrame:shard:)`` does.
  private let bad: SequenceRanges
  /// The bad sequences of the epochs that were asked for last, counted in the order in which each
  /// reads its units.
  private var epochs: [(epoch: Int, bad: SequenceRanges)] = []
  /// The bad rows, sorted, of the pools that were asked for last.
  private var pools: [(pool: DomainOrder.Pool, rows: [Int])] = []

  /// How many epochs are kept: that of the position, the next one, and that of a cap.
  private static let epochLimit = 3
  /// How many pools are kept: some that a batch reads, and that of a cap.
  private static let poolLimit = 4

  /// Finds what is left of a domain; nil if nothing is taken out.
  ///
  /// - Parameters:
  ///   - order: The domain's order.
  ///   - frames: The quarantined frames; nil for a whole shard.
  package init?(order: DomainOrder, frames: [(shard: Int, frame: Int?)]) {
    bad = order.layout.sequences(ofFrames: frames)
    guard bad.count > 0 else { return nil }
    self.order = order
  }

  /// The good sequences of an epoch.
  package var goodPerEpoch: Int { order.layout.sequenceCount - bad.count }

  /// Returns the first good position at or behind `position`.
  ///
  /// - Precondition: ``goodPerEpoch`` is at least 1.
  package func firstGood(from position: Int) -> Int {
    var (pool, row) = order.place(of: position)
    while true {
      let count = order.sequenceCount(of: pool)
      let badCount = badCount(of: pool)
      if badCount == 0 { return beginning(of: pool) + row }
      if badCount < count {
        let rows = badRows(of: pool)
        var index = Self.lowerBound(of: row, in: rows)
        while index < rows.count, rows[index] == row { (index, row) = (index + 1, row + 1) }
        if row < count { return beginning(of: pool) + row }
      }
      (pool, row) = (order.pool(after: pool), 0)
    }
  }

  /// The good positions in `begin..<end`.
  package func goodCount(from begin: Int, to end: Int) -> Int {
    begin < end ? goodCount(below: end) - goodCount(below: begin) : 0
  }

  private func goodCount(below position: Int) -> Int {
    let (epoch, place) = position.quotientAndRemainder(dividingBy: order.layout.sequenceCount)
    guard place > 0 else { return epoch * goodPerEpoch }
    let (pool, row) = order.place(of: position)
    var badBelow = badSequences(ofEpoch: epoch).count(below: pool.index * order.sequencesPerPool)
    if row > 0, badCount(of: pool) > 0 {
      badBelow += Self.lowerBound(of: row, in: badRows(of: pool))
    }
    return epoch * goodPerEpoch + place - badBelow
  }

  // MARK: Pools

  /// The position of a pool's first row.
  private func beginning(of pool: DomainOrder.Pool) -> Int {
    pool.epoch * order.layout.sequenceCount + pool.index * order.sequencesPerPool
  }

  /// The sequences of a pool, counted in the order in which its epoch reads its units.
  private func sequences(of pool: DomainOrder.Pool) -> Range<Int> {
    let begin = pool.index * order.sequencesPerPool
    return begin..<begin + order.sequenceCount(of: pool)
  }

  private func badCount(of pool: DomainOrder.Pool) -> Int {
    badSequences(ofEpoch: pool.epoch).count(in: sequences(of: pool))
  }

  private func badRows(of pool: DomainOrder.Pool) -> [Int] {
    if let known = pools.last(where: { $0.pool == pool }) { return known.rows }
    let sequences = sequences(of: pool)
    let permutation = order.sequences(of: pool)
    var rows: [Int] = []
    for range in badSequences(ofEpoch: pool.epoch).ranges(in: sequences) {
      rows += range.map { permutation.position(of: $0 - sequences.lowerBound) }
    }
    rows.sort()
    if pools.count == Self.poolLimit { pools.removeFirst() }
    pools.append((pool, rows))
    return rows
  }

  // MARK: Epochs

  /// The bad sequences of an epoch, counted in the order in which it reads its units.
  private func badSequences(ofEpoch epoch: Int) -> SequenceRanges {
    if let known = epochs.last(where: { $0.epoch == epoch }) { return known.bad }
    let found = SequenceRanges(
      order.layout.access == .stream ? rangesOfShards(epoch) : rangesOfUnits(epoch))
    if epochs.count == Self.epochLimit { epochs.removeFirst() }
    epochs.append((epoch, found))
    return found
  }

  private func rangesOfShards(_ epoch: Int) -> [Range<Int>] {
    var begin = 0
    return order.shards(ofEpoch: epoch).compactMap { shard in
      let sequences = order.layout.sequences(ofFrame: 0, shard: shard)
      defer { begin += sequences.count }
      return bad.count(in: sequences) > 0 ? begin..<begin + sequences.count : nil
    }
  }

  private func rangesOfUnits(_ epoch: Int) -> [Range<Int>] {
    let units = order.units(ofEpoch: epoch)
    let perUnit = order.layout.sequencesPerUnit
    return bad.ranges.flatMap { range in
      (range.lowerBound / perUnit...(range.upperBound - 1) / perUnit).map { unit in
        let part = range.clamped(to: unit * perUnit..<(unit + 1) * perUnit)
        let rank = unit < order.layout.wholeUnitCount ? units?.position(of: unit) ?? unit : unit
        let shift = (rank - unit) * perUnit
        return part.lowerBound + shift..<part.upperBound + shift
      }
    }
  }

  /// The number of values below `value`.
  private static func lowerBound(of value: Int, in sorted: [Int]) -> Int {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
