internal import Corpora

/// Where a domain reads: a row of a pool.
///
/// Only the loader's thread touches seats.
struct PoolSeat {
  /// The pool's slot, which the cache keeps alive while the seat's domain has it as its current
  /// pool; nil if the domain must be seated again.
  var slot: Unmanaged<PoolSlot>?
  /// The slot's tokens.
  var memory: UnsafeRawPointer?
  /// Where rows begin, in tokens.
  var rowOffsets: UnsafePointer<UInt32>?
  /// The position of the row that is read next, in the domain's order.
  var position = 0
  /// The same row, counted in the pool.
  var nextRow = 0
  /// The rows in the pool.
  var rowCount = 0
  /// The epoch to which the pool belongs, counted from 0.
  var epoch = 0
  /// Whether every unit of the pool is decoded.
  var isComplete = false
  /// Whether quarantine takes positions out of the domain.
  var skipsPositions = false

  /// Moves to another position: within the pool if it lies there, else the domain must be seated
  /// again.
  mutating func move(to wanted: Int) {
    nextRow += wanted - position
    position = wanted
    // The end of the pool is where a seat waits for its domain's next row.
    if !(0...rowCount).contains(nextRow) { slot = nil }
  }
}

/// Copies rows out of pools into batches.
///
/// This is what remains of loading beside libzstd: one widening copy per row, with the domain's
/// next row prefetched meanwhile.
final class PoolReader {
  private let cache: PoolCache
  private let decoder: UnitDecoder
  /// The domains that are text.
  private let textDomains: [Int]
  // Allocated with this object, freed with it.
  private let seats: UnsafeMutableBufferPointer<PoolSeat>
  /// The position of the first row that each domain gives to this rank.
  private let firstPositions: UnsafeMutableBufferPointer<Int>
  /// What quarantine takes out of each domain; nil for nothing.
  private var bad: [BadPositions?]

  init(cache: PoolCache, decoder: UnitDecoder) {
    self.cache = cache
    self.decoder = decoder
    textDomains = cache.orders.indices.filter {
      cache.orders[$0].layout.access == .openEnded
    }
    seats = .allocate(capacity: cache.orders.count)
    seats.initialize(repeating: PoolSeat())
    bad = Array(repeating: nil, count: cache.orders.count)
    firstPositions = .allocate(capacity: cache.orders.count)
    firstPositions.initialize(repeating: 0)
  }

  deinit {
    seats.deinitialize()
    seats.deallocate()
    firstPositions.deallocate()
  }

  /// Forgets where every domain reads; the next batch finds it again from positions.
  func unseatAll() {
    for domain in seats.indices { seats[domain].slot = nil }
  }

  /// Returns where the text that is read at `positions` is found again, by domain name; nil if no
  /// domain is text.
  func marks(before positions: UnsafeBufferPointer<Int>) -> [String: TextMark]? {
    guard !textDomains.isEmpty else { return nil }
    return textDomains.reduce(into: [:]) {
      $0[cache.orders[$1].name] = cache.mark(before: positions[$1], domain: $1)
    }
  }

  /// Goes on with text where a checkpoint left off.
  ///
  /// - Throws: ``LoadingError/checkpointDamaged(path:_:)`` if a domain of text has no mark that
  ///   fits its position.
  func restore(_ marks: [String: TextMark], positions: [Int]) throws(LoadingError) {
    for domain in textDomains {
      let mark = marks[cache.orders[domain].name] ?? TextMark(position: 0, epoch: 0)
      guard mark.isSound, mark.position <= positions[domain],
        positions[domain] - mark.position <= cache.orders[domain].sequencesPerPool,
        mark.shardRank <= cache.orders[domain].layout.shardCount
      else {
        throw .checkpointDamaged(
          path: "checkpoint",
          .content(section: LoaderCheckpoint.sectionName, reason: "text has no place to go on at"))
      }
      cache.restore(mark, domain: domain)
    }
  }

  /// Sets what quarantine takes out of each domain.
  func setBadPositions(_ bad: [BadPositions?]) {
    self.bad = bad
    for domain in seats.indices { seats[domain].skipsPositions = bad[domain] != nil }
  }

  /// What a batch is made of.
  struct Request {
    /// The domain of each row over all ranks.
    var domainOfRow: UnsafeBufferPointer<Int32>
    /// The rows that are copied; those before them are passed by.
    var rows: Range<Int>
    /// The copied rows of each domain.
    var rowCounts: UnsafeBufferPointer<Int>
    /// The position of each domain before the batch.
    var positions: UnsafeBufferPointer<Int>
    /// The effective mixture, of 2^48.
    var shares: UnsafeBufferPointer<Int64>
    /// Where the epoch of each copied row goes.
    var epochOfRow: UnsafeMutableBufferPointer<Int>
    /// Where the position of each row in its domain's order goes.
    var positionOfRow: UnsafeMutableBufferPointer<Int>
    /// Where the tokens go, [row, T + 1].
    var tokens: UnsafeMutableRawPointer
    /// The element type of ``tokens``.
    var tokenType: TokenType
  }

  /// Copies this rank's rows of a batch.
  ///
  /// The other ranks' rows cost an addition each: what lies in pools that this rank reads nothing
  /// of is never decoded.
  ///
  /// - Throws: The first failure in the order of the rows. Every domain must be seated again then,
  ///   since some have moved.
  func gather(_ request: Request) throws(LoadingError) {
    for domain in textDomains {
      cache.forgetMarks(before: request.positions[domain], domain: domain)
    }
    for domain in seats.indices { firstPositions[domain] = request.positions[domain] }
    for row in 0..<request.rows.lowerBound {
      let domain = Int(request.domainOfRow[row])
      let position = firstPositions[domain]
      firstPositions[domain] = (bad[domain]?.firstGood(from: position) ?? position) + 1
    }
    for domain in seats.indices { seats[domain].move(to: firstPositions[domain]) }
    cache.beginBatch(shares: request.shares, rowCounts: request.rowCounts, seats: seats)
    do throws(LoadingError) {
      try gatherRows(request)
    } catch {
      unseatAll()
      throw error
    }
  }

  private func gatherRows(_ request: Request) throws(LoadingError) {
    let sequenceTokenCount = cache.geometry.sequenceLength + 1
    let rowByteCount = sequenceTokenCount * request.tokenType.byteCount
    let copy = RowCopy(from: cache.geometry.tokenWidth, to: request.tokenType)
    var destination = request.tokens
    for row in request.rows {
      let domain = Int(request.domainOfRow[row])
      if seats[domain].skipsPositions, let bad = bad[domain] {
        seats[domain].move(to: bad.firstGood(from: seats[domain].position))
      }
      if seats[domain].slot == nil || seats[domain].nextRow == seats[domain].rowCount {
        try seat(domain)
      }
      if !seats[domain].isComplete { try waitForRow(of: domain) }
      let seat = seats[domain]
      guard let memory = seat.memory, let rowOffsets = seat.rowOffsets else {
        preconditionFailure("domain \(domain) reads row \(seat.nextRow) of no pool")
      }
      // Past the pool's end the row itself is named again, which costs nothing.
      let upcoming = min(seat.nextRow + 1, seat.rowCount - 1)
      copy(
        memory, at: Int(rowOffsets[seat.nextRow]), upcoming: Int(rowOffsets[upcoming]),
        into: destination, count: sequenceTokenCount)
      request.epochOfRow[row - request.rows.lowerBound] = seat.epoch
      request.positionOfRow[row - request.rows.lowerBound] = seat.position
      seats[domain].nextRow = seat.nextRow + 1
      seats[domain].position = seat.position + 1
      destination += rowByteCount
    }
  }

  /// Gives a domain the pool in which its position lies.
  private func seat(_ domain: Int) throws(LoadingError) {
    let (pool, row) = cache.place(of: seats[domain].position, domain: domain)
    let (slot, evicted) = try cache.pool(pool, of: domain)
    if let evicted { seats[evicted].slot = nil }
    let order = cache.orders[domain]
    if order.layout.access == .openEnded {
      // How many rows there are is known when all of them are there.
      _ = try cache.waitForUnit(order.unitsPerPool - 1, row: nil, of: slot, using: decoder)
      guard row < slot.rowCount else {
        throw .textDiffers(domain: order.name, row: row, rowCount: slot.rowCount)
      }
    }
    seats[domain].slot = Unmanaged.passUnretained(slot)
    seats[domain].memory = UnsafeRawPointer(slot.memory.baseAddress)
    seats[domain].rowOffsets = UnsafePointer(slot.rowOffsets)
    seats[domain].nextRow = row
    seats[domain].rowCount = slot.rowCount
    seats[domain].epoch = pool.epoch
    seats[domain].isComplete = false
  }

  /// Returns when the row that a domain reads next is decoded.
  private func waitForRow(of domain: Int) throws(LoadingError) {
    guard let slot = seats[domain].slot?.takeUnretainedValue() else { return }
    seats[domain].isComplete = try cache.waitForRow(
      seats[domain].nextRow, of: slot, using: decoder)
  }
}
