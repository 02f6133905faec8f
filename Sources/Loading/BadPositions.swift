/// The positions of one domain's order that quarantined frames take out.
///
/// The sequences of a frame lie at other positions in every epoch. They are found by the inverse of
/// the order's permutations, once for each epoch, and kept sorted; a domain without a quarantined
/// frame has no such object and pays nothing.
///
/// Belongs to the loader's thread.
final class BadPositions {
  private let order: DomainOrder
  /// The bad sequences, each as unit · S + its place in the unit, sorted; empty where shards are
  /// streams.
  private let sequences: [Int]
  /// The bad shards, where shards are streams, and how many sequences they hold.
  private let shards: Set<Int>
  private let badPerEpoch: Int
  /// The places in the epoch, sorted, of the epochs that were asked for last.
  private var epochs: [(epoch: Int, places: [Int])] = []

  /// How many epochs are kept: that of the position, the next one, and that of a cap.
  private static let epochLimit = 3

  /// Finds what is left of a domain; nil if nothing is taken out.
  ///
  /// - Parameters:
  ///   - order: The domain's order.
  ///   - frames: The quarantined frames; nil for a whole shard.
  init?(order: DomainOrder, frames: [(shard: Int, frame: Int?)]) {
    var sequences: Set<Int> = []
    let isStreamed = order.layout.access == .stream
    shards = isStreamed ? Set(frames.map(\.shard)) : []
    for (shard, frame) in isStreamed ? [] : frames {
      let damaged = frame.map { $0...$0 } ?? 0...order.layout.lastFrame(ofShard: shard)
      for frame in damaged {
        sequences.formUnion(order.layout.sequences(ofFrame: frame, shard: shard))
      }
    }
    badPerEpoch =
      isStreamed
      ? shards.reduce(0) { $0 + order.layout.streamedSequenceCount(ofShard: $1) } : sequences.count
    guard badPerEpoch > 0 else { return nil }
    self.order = order
    self.sequences = sequences.sorted()
  }

  /// The good sequences of an epoch.
  var goodPerEpoch: Int { order.layout.sequenceCount - badPerEpoch }

  /// Returns the first good position at or behind `position`.
  ///
  /// - Precondition: ``goodPerEpoch`` is at least 1.
  func firstGood(from position: Int) -> Int {
    let count = order.layout.sequenceCount
    var (epoch, place) = position.quotientAndRemainder(dividingBy: count)
    while true {
      let bad = places(ofEpoch: epoch)
      var index = Self.lowerBound(of: place, in: bad)
      while index < bad.count, bad[index] == place {
        (index, place) = (index + 1, place + 1)
      }
      if place < count { return epoch * count + place }
      (epoch, place) = (epoch + 1, 0)
    }
  }

  /// The good positions in `begin..<end`.
  func goodCount(from begin: Int, to end: Int) -> Int {
    begin < end ? goodCount(below: end) - goodCount(below: begin) : 0
  }

  private func goodCount(below position: Int) -> Int {
    let (epoch, place) = position.quotientAndRemainder(dividingBy: order.layout.sequenceCount)
    guard place > 0 else { return epoch * goodPerEpoch }
    return epoch * goodPerEpoch + place
      - Self.lowerBound(of: place, in: places(ofEpoch: epoch))
  }

  /// The bad places of an epoch, sorted.
  private func places(ofEpoch epoch: Int) -> [Int] {
    if let known = epochs.last(where: { $0.epoch == epoch }) { return known.places }
    let places = (shards.isEmpty ? placesOfUnits(epoch) : placesOfShards(epoch)).sorted()
    if epochs.count == Self.epochLimit { epochs.removeFirst() }
    epochs.append((epoch, places))
    return places
  }

  /// The places of the bad shards' sequences, where shards are streams.
  private func placesOfShards(_ epoch: Int) -> [Int] {
    var places: [Int] = []
    var begin = 0
    for shard in order.shards(ofEpoch: epoch) {
      let end = begin + order.layout.streamedSequenceCount(ofShard: shard)
      defer { begin = end }
      guard shards.contains(shard) else { continue }
      for sequence in begin..<end {
        let (index, inPool) = sequence.quotientAndRemainder(dividingBy: order.sequencesPerPool)
        let pool = DomainOrder.Pool(epoch: epoch, index: index)
        places.append(
          index * order.sequencesPerPool + order.sequences(of: pool).position(of: inPool))
      }
    }
    return places
  }

  private func placesOfUnits(_ epoch: Int) -> [Int] {
    let units = order.units(ofEpoch: epoch)
    let perUnit = order.layout.sequencesPerUnit
    var places: [Int] = []
    places.reserveCapacity(sequences.count)
    // Bad sequences come by whole units: the unit's rank and its pool's permutation are found once.
    var current: (unit: Int, rank: Int, pool: DomainOrder.Pool, permutation: KeyedPermutation)?
    for sequence in sequences {
      let (unit, inUnit) = sequence.quotientAndRemainder(dividingBy: perUnit)
      if current?.unit != unit {
        let rank =
          unit < order.layout.wholeUnitCount ? units?.position(of: unit) ?? unit : unit
        let pool = DomainOrder.Pool(epoch: epoch, index: rank / order.unitsPerPool)
        current = (unit, rank, pool, order.sequences(of: pool))
      }
      guard let (_, rank, pool, permutation) = current else { continue }
      let inPool = rank % order.unitsPerPool * perUnit + inUnit
      places.append(pool.index * order.sequencesPerPool + permutation.position(of: inPool))
    }
    return places
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
