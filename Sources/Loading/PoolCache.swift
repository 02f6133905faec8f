internal import Corpora

/// The decoded pools of all domains, in one byte budget, and the threads that decode ahead.
///
/// A cache in the strict sense: what is in it changes how long ``pool(_:of:)`` takes, never what it
/// gives. The loader's thread asks for the pool that a domain reads now; decode threads fill that
/// pool and, when there is room, the one after it, in the order in which the domains run dry under
/// the current weights. A unit that nobody has begun is decoded by whoever needs it, so that no
/// threads are needed and none is waited for without need.
///
/// When the budget is short, the pool that the current weights need last makes room.
///
/// A domain whose shards are streams has one unit decoded at once, in the order of its units; the
/// pool after the current one is begun when the current one is whole.
final class PoolCache: @unchecked Sendable {
  // Sound: every `var` below is only touched with `monitor` locked; the rest is immutable.
  let geometry: PoolGeometry
  let orders: [DomainOrder]

  /// The streams of the domains that are read so, `[domain]`.
  private let streams: [SequenceStream?]
  private let store: ShardStore
  private let timeoutInMilliseconds: Int
  /// Whether a row counts as decoded as soon as its own frames are, whatever else its unit holds.
  private let toleratesOtherFrames: Bool
  /// What the last row that could not be read met; only the loader's thread touches it.
  private var lastFailure: (domain: Int, shard: Int, error: CorpusError)?
  private let monitor = Monitor()

  /// What one domain reads.
  fileprivate struct DomainPools {
    /// The pool that is read now.
    var current: PoolSlot?
    /// The pool after it.
    var next: PoolSlot?
    /// Rows of ``current`` that are still to be read.
    var rowsLeft = 0
    /// The domain's part of the current effective mixture, of 2^48.
    var share: Int64 = 0
    /// Whether the batch that is being made reads ``current``; no thread may take it away
    /// meanwhile.
    var isPinned = false
    /// Whether a unit is being decoded, where only one may be at once.
    var isStreaming = false
    /// Where pools begin that may still be asked for, in the order of positions; of text only.
    var marks: [TextMark] = []
  }

  /// By domain; a buffer, since every access to an array of a class would be checked for
  /// exclusivity.
  private let domains: UnsafeMutableBufferPointer<DomainPools>
  private var freeSlots: [PoolSlot] = []
  /// Every slot.
  private let slots: [PoolSlot]
  private var idleThreadCount = 0
  private var isCallerWaiting = false
  private var isStopped = false

  init(
    orders: [DomainOrder], streams: [SequenceStream?], store: ShardStore, geometry: PoolGeometry,
    poolLimit: Int, threadCount: Int, timeoutInMilliseconds: Int, toleratesOtherFrames: Bool
  ) throws(LoadingError) {
    self.orders = orders
    self.streams = streams
    self.store = store
    self.geometry = geometry
    self.timeoutInMilliseconds = timeoutInMilliseconds
    self.toleratesOtherFrames = toleratesOtherFrames
    guard
      let arena = PoolArena(slotCount: poolLimit, slotByteCount: geometry.tokenByteCount)
    else { throw .cannotReserve(byteCount: poolLimit * geometry.tokenByteCount) }
    domains = .allocate(capacity: orders.count)
    domains.initialize(repeating: DomainPools())
    for (index, order) in orders.enumerated() where order.layout.access == .openEnded {
      domains[index].marks = [TextMark(position: 0, epoch: 0)]
    }
    // All slots now, so that no batch allocates one; their memory takes no room until it is
    // written.
    slots = (0..<poolLimit).map { PoolSlot(geometry: geometry, arena: arena, index: $0) }
    freeSlots = slots.reversed()
    for _ in 0..<threadCount {
      // Where the system starts no thread, the caller decodes for itself.
      _ = startThread { [self] in self.decodeAhead() }
    }
  }

  deinit {
    domains.deinitialize()
    domains.deallocate()
  }

  /// Lets the threads end; a thread that is in the middle of a read ends when that comes back.
  func stop() {
    monitor.lock()
    isStopped = true
    monitor.broadcast()
    monitor.unlock()
  }

  // MARK: The loader's thread

  /// Tells the threads which domains the next batch reads and how fast each is read, and unseats
  /// those whose pool was taken away.
  func beginBatch(
    shares: UnsafeBufferPointer<Int64>, rowCounts: UnsafeBufferPointer<Int>,
    seats: UnsafeMutableBufferPointer<PoolSeat>
  ) {
    monitor.lock()
    var isNew = false
    for domain in 0..<domains.count {
      isNew = isNew || domains[domain].share != shares[domain]
      domains[domain].share = shares[domain]
      domains[domain].isPinned = rowCounts[domain] > 0
      if let slot = seats[domain].slot?.takeUnretainedValue(), domains[domain].current === slot {
        domains[domain].rowsLeft = seats[domain].rowCount - seats[domain].nextRow
      } else {
        seats[domain].slot = nil
        domains[domain].rowsLeft = 0
        leavePool(domain, for: seats[domain].position)
      }
    }
    // Under the same weights there is new work only when a domain takes another pool.
    if isNew { wakeThreads() }
    monitor.unlock()
  }

  /// Returns the place of `pool` of `domain`, which the domain reads from now; its units may still
  /// have to be decoded.
  ///
  /// - Returns: The slot, and the domain that lost its current pool to it, if one did.
  func pool(_ pool: DomainOrder.Pool, of domain: Int) throws(LoadingError)
    -> (slot: PoolSlot, evicted: Int?)
  {
    monitor.lock()
    defer {
      wakeThreads()
      monitor.unlock()
    }
    if let current = domains[domain].current {
      if current.pool == pool { return (current, nil) }
      domains[domain].current = nil
      release(current)
    }
    if let next = domains[domain].next {
      domains[domain].next = nil
      if next.pool == pool {
        domains[domain].current = next
        return (next, nil)
      }
      release(next)
    }
    let (slot, evicted) = try slotForCaller()
    slot.assign(domain: domain, pool: pool, order: orders[domain])
    domains[domain].current = slot
    return (slot, evicted)
  }

  /// Returns what the last row that could not be read met, once.
  func takeFailure() -> (domain: Int, shard: Int, error: CorpusError)? {
    defer { lastFailure = nil }
    return lastFailure
  }

  /// Returns when the unit in which `row` of `slot` lies is decoded; decodes it itself if no thread
  /// has begun.
  ///
  /// - Returns: Whether all units of the slot are decoded.
  func waitForRow(_ row: Int, of slot: PoolSlot, using decoder: UnitDecoder)
    throws(LoadingError) -> Bool
  {
    try waitForUnit(slot.rank(ofRow: row), row: row, of: slot, using: decoder)
  }

  /// Returns when the unit at `rank` of `slot` is decoded, for the sake of `row` if it is given.
  ///
  /// - Returns: Whether all units of the slot are decoded.
  func waitForUnit(_ rank: Int, row: Int?, of slot: PoolSlot, using decoder: UnitDecoder)
    throws(LoadingError) -> Bool
  {
    lastFailure = nil
    var triedRank: Int?
    var watched: (rank: Int, watch: DecodeWatch)?
    monitor.lock()
    while true {
      let wanted = streams[slot.domain] == nil ? rank : min(rank, slot.firstRankNotReady)
      switch slot.states[wanted] {
      case .ready:
        let isComplete = slot.isComplete
        monitor.unlock()
        return isComplete
      case .failed where toleratesOtherFrames && failure(ofRow: row, rank: wanted, of: slot) == nil:
        monitor.unlock()
        return false
      case .failed(let error)
      where triedRank == wanted || watched?.rank == wanted && error.stall != nil:
        // What took too long while it was waited for here is not waited for twice.
        let met = failure(ofRow: row, rank: wanted, of: slot)
        monitor.unlock()
        lastFailure = met.map { (slot.domain, $0.shard, $0.error) }
        throw LoadingError(met?.error ?? error)
      case .failed, .empty:
        guard !domains[slot.domain].isStreaming else { fallthrough }
        // What failed in a thread, or in an earlier call, may have passed or been mended since.
        triedRank = wanted
        decodeUnlocked(rank: wanted, of: slot, using: decoder)
      case .decoding:
        var watch = watched?.rank == wanted ? watched?.watch : nil
        if let record = waitForThreads(&watch, activity(ofRank: wanted, of: slot)),
          isBusy(wanted, of: slot)
        {
          monitor.unlock()
          throw timeout(record)
        }
        watched = watch.map { (wanted, $0) }
      }
    }
  }

  // MARK: With the lock held

  /// Gives up the current pool of a domain that has gone past it without a row of this rank, so
  /// that no thread decodes it; the pool that was decoded ahead takes its place if `position` lies
  /// there.
  private func leavePool(_ domain: Int, for position: Int) {
    guard let current = domains[domain].current else { return }
    let pool = knownPlace(of: position, domain: domain).pool
    guard current.pool != pool else { return }
    domains[domain].current = nil
    release(current)
    guard let next = domains[domain].next else { return }
    domains[domain].next = nil
    // A domain that has gone past this one too reads nothing of it.
    guard next.pool == pool else { return release(next) }
    domains[domain].current = next
    domains[domain].rowsLeft = next.rowCount
  }

  /// Decodes the unit at `rank` of `slot`; the lock is open meanwhile.
  private func decodeUnlocked(rank: Int, of slot: PoolSlot, using decoder: UnitDecoder) {
    slot.states[rank] = .decoding
    slot.decodingCount += 1
    slot.activities[rank] = streams[slot.domain]?.activity ?? decoder.activity
    let mark = markOfPool(slot)
    domains[slot.domain].isStreaming = streams[slot.domain] != nil
    monitor.unlock()
    var failure: CorpusError?
    var outcome: SequenceStream.Outcome?
    do throws(CorpusError) {
      outcome = try decode(rank: rank, of: slot, from: mark, using: decoder)
    } catch {
      failure = error
    }
    monitor.lock()
    domains[slot.domain].isStreaming = false
    slot.decodingCount -= 1
    slot.activities[rank] = nil
    if let failure {
      slot.failures[rank] =
        streams[slot.domain].map { [(shard: $0.shardIndex, error: failure)] } ?? decoder.failures
      slot.states[rank] = .failed(failure)
    } else {
      slot.states[rank] = .ready
      slot.readyCount += 1
    }
    if let outcome { finish(rank: rank, of: slot, outcome) }
    // A stream's next unit, or its next pool, can be begun only now.
    if streams[slot.domain] != nil { wakeThreads() }
    if isCallerWaiting { monitor.broadcast() }
  }

  /// Decodes a unit in the way of its domain; without the lock.
  private func decode(
    rank: Int, of slot: PoolSlot, from mark: TextMark?, using decoder: UnitDecoder
  ) throws(CorpusError) -> SequenceStream.Outcome? {
    let domain = slot.domain
    let memory = slot.memory(ofRank: rank)
    if let stream = streams[domain] {
      if let mark { return try stream.decode(mark, rank: rank, into: memory) }
      try stream.decode(slot.pool, rank: rank, into: memory)
    } else {
      try decoder.decode(
        unit: slot.units[rank], of: domain, layout: orders[domain].layout, into: memory)
    }
    return nil
  }

  /// Takes in what decoding a unit of text found out; the pool's rows are known when it ends.
  private func finish(rank: Int, of slot: PoolSlot, _ outcome: SequenceStream.Outcome) {
    guard let next = outcome.nextPool else { return }
    for empty in rank + 1..<slot.unitCount {
      slot.states[empty] = .ready
      slot.readyCount += 1
    }
    let order = orders[slot.domain]
    slot.setRows(count: rank * order.layout.sequencesPerUnit + outcome.rowCount, order: order)
    let last = domains[slot.domain].marks.last
    if last?.place == slot.pool { domains[slot.domain].marks.append(next) }
  }

  /// What keeps `row` from being read; where it is not given, any row of the unit.
  private func failure(ofRow row: Int?, rank: Int, of slot: PoolSlot) -> (
    shard: Int, error: CorpusError
  )? {
    slot.failure(ofRow: row, rank: rank, layout: orders[slot.domain].layout)
  }

  /// Whether the unit is being decoded, or waits for the one of its stream that is.
  private func isBusy(_ rank: Int, of slot: PoolSlot) -> Bool {
    if case .decoding = slot.states[rank] { return true }
    return domains[slot.domain].isStreaming && !slot.isReady(rank)
  }

  private func wakeThreads() {
    if idleThreadCount > 0 { monitor.broadcast() }
  }

  /// Waits until a thread has decoded something, or nobody gets on.
  ///
  /// - Returns: What the thread behind `activity` is stuck in; nil if it gets on.
  private func waitForThreads(
    _ watch: inout DecodeWatch?, _ activity: @autoclosure () -> ReadActivity?
  )
    -> ReadActivity.Record?
  {
    var now = watch ?? DecodeWatch(timeoutInMilliseconds: timeoutInMilliseconds)
    defer { watch = now }
    isCallerWaiting = true
    defer { isCallerWaiting = false }
    return monitor.wait(until: now.deadline) ? nil : now.stuck(activity())
  }

  /// What the thread is doing that a unit waits for: the one that decodes it, or of a stream the
  /// one that decodes another of its units.
  private func activity(ofRank rank: Int, of slot: PoolSlot) -> ReadActivity? {
    slot.activities[rank] ?? streams[slot.domain]?.activity
  }

  /// Names what a thread does not get on with.
  private func timeout(_ record: ReadActivity.Record) -> LoadingError {
    .timedOut(store.stall(record, timeoutInMilliseconds: timeoutInMilliseconds))
  }

  /// Gives a slot back.
  ///
  /// One that a thread still writes into is given back by that thread.
  private func release(_ slot: PoolSlot) {
    if slot.decodingCount == 0 { freeSlots.append(slot) }
  }

  /// Whether `slot` is anybody's current or next pool.
  private func isInUse(_ slot: PoolSlot) -> Bool {
    let pools = domains[slot.domain]
    return pools.current === slot || pools.next === slot
  }

  /// Returns a slot for the pool that the caller needs now, taking the one that is needed last if
  /// it must.
  private func slotForCaller() throws(LoadingError) -> (slot: PoolSlot, evicted: Int?) {
    var watch: DecodeWatch?
    while true {
      if let slot = freeSlots.popLast() { return (slot, nil) }
      if let victim = latest(neededAfter: -1, sparesPinned: false) {
        return (evict(victim), victim.isNext ? nil : victim.domain)
      }
      // Every slot is being written to; the threads need nothing of ours to finish. Whichever gets
      // on makes room, so it is the one that got on last that is waited for.
      if let record = waitForThreads(&watch, latestActivity) { throw timeout(record) }
    }
  }

  /// What the thread is doing that got on last of those that decode.
  private var latestActivity: ReadActivity? {
    slots.flatMap { $0.activities.compactMap(\.self) }
      .max { $0.current.moment < $1.current.moment }
  }

  /// A pool that may make room for another.
  private struct Victim {
    var domain: Int
    var slot: PoolSlot
    /// Whether the domain does not read it yet.
    var isNext: Bool
  }

  /// Returns the pool that the current weights need last, if that is later than `moment`.
  ///
  /// A pool that is being written to cannot make room, and a current pool only after the one that
  /// follows it.
  private func latest(neededAfter moment: Double, sparesPinned: Bool) -> Victim? {
    var latest = moment
    var victim: Victim?
    for index in 0..<domains.count {
      if let next = domains[index].next {
        let need = domains[index].momentOfNext
        if next.decodingCount == 0, need > latest {
          (latest, victim) = (need, Victim(domain: index, slot: next, isNext: true))
        }
      } else if let current = domains[index].current, !(sparesPinned && domains[index].isPinned) {
        let need = domains[index].momentOfCurrent
        if current.decodingCount == 0, need > latest {
          (latest, victim) = (need, Victim(domain: index, slot: current, isNext: false))
        }
      }
    }
    return victim
  }

  private func evict(_ victim: Victim) -> PoolSlot {
    if victim.isNext {
      domains[victim.domain].next = nil
    } else {
      domains[victim.domain].current = nil
    }
    return victim.slot
  }

  // MARK: Text

  /// Returns the pool that holds a position of a domain, and the place in it.
  func place(of position: Int, domain: Int) -> (pool: DomainOrder.Pool, row: Int) {
    monitor.lock()
    defer { monitor.unlock() }
    return knownPlace(of: position, domain: domain)
  }

  /// Returns the last known beginning of a pool of text that is not after `position`.
  func mark(before position: Int, domain: Int) -> TextMark {
    monitor.lock()
    defer { monitor.unlock() }
    return knownMark(before: position, domain: domain)
  }

  /// ``place(of:domain:)`` with the lock held.
  private func knownPlace(of position: Int, domain: Int) -> (pool: DomainOrder.Pool, row: Int) {
    guard orders[domain].layout.access == .openEnded else {
      return orders[domain].place(of: position)
    }
    let mark = knownMark(before: position, domain: domain)
    return (mark.place, position - mark.position)
  }

  /// ``mark(before:domain:)`` with the lock held.
  private func knownMark(before position: Int, domain: Int) -> TextMark {
    guard let mark = domains[domain].marks.last(where: { $0.position <= position }) else {
      preconditionFailure("no pool of domain \(domain) begins before position \(position)")
    }
    return mark
  }

  /// Forgets the beginnings of pools of text that lie before `position`, which no batch goes back
  /// behind.
  func forgetMarks(before position: Int, domain: Int) {
    monitor.lock()
    defer { monitor.unlock() }
    guard let first = domains[domain].marks.lastIndex(where: { $0.position <= position }) else {
      return
    }
    domains[domain].marks.removeFirst(first)
  }

  /// Goes on from the beginning of a pool of text.
  func restore(_ mark: TextMark, domain: Int) {
    monitor.lock()
    defer { monitor.unlock() }
    domains[domain].marks = [mark]
  }

  /// The beginning of a slot's pool; nil if its domain is not text.
  private func markOfPool(_ slot: PoolSlot) -> TextMark? {
    domains[slot.domain].marks.last { $0.place == slot.pool }
  }

  /// The pool that is read after that of a slot; nil if it is not known yet.
  private func poolAfter(_ slot: PoolSlot) -> DomainOrder.Pool? {
    let order = orders[slot.domain]
    if order.layout.access != .openEnded { return order.pool(after: slot.pool) }
    let marks = domains[slot.domain].marks
    guard let index = marks.lastIndex(where: { $0.place == slot.pool }), index + 1 < marks.count
    else { return nil }
    return marks[index + 1].place
  }

  // MARK: The decode threads

  /// Decodes what is needed next, again and again, until the cache stops.
  private func decodeAhead() {
    let decoder: UnitDecoder
    do throws(CorpusError) {
      decoder = try UnitDecoder(store: store, tokenWidth: geometry.tokenWidth)
    } catch {
      // Without memory for a context this thread is of no use; the caller decodes for itself.
      return
    }
    monitor.lock()
    defer { monitor.unlock() }
    while !isStopped {
      if let (slot, rank) = mostUrgentUnit() {
        decodeUnlocked(rank: rank, of: slot, using: decoder)
        if slot.decodingCount == 0, !isInUse(slot) { release(slot) }
      } else {
        idleThreadCount += 1
        monitor.wait()
        idleThreadCount -= 1
      }
    }
  }

  /// Returns a unit that nobody has begun, of the pool that is needed first; makes room for a next
  /// pool if none is there.
  private func mostUrgentUnit() -> (PoolSlot, rank: Int)? {
    var first: (moment: Double, slot: PoolSlot, rank: Int)?
    var missing: (moment: Double, domain: Int)?
    for (index, pools) in domains.enumerated() where pools.share > 0 && !pools.isStreaming {
      guard let current = pools.current else { continue }
      // What failed in a stream is tried again by the caller, who must be told.
      if streams[index] != nil, current.hasFailed || pools.next?.hasFailed == true { continue }
      if let rank = current.firstEmptyRank {
        if pools.momentOfCurrent < first?.moment ?? .infinity {
          first = (pools.momentOfCurrent, current, rank)
        }
      } else if let next = pools.next {
        if let rank = next.firstEmptyRank, pools.momentOfNext < first?.moment ?? .infinity {
          first = (pools.momentOfNext, next, rank)
        }
      } else if pools.momentOfNext < missing?.moment ?? .infinity {
        missing = (pools.momentOfNext, index)
      }
    }
    if let missing, missing.moment < first?.moment ?? .infinity,
      let current = domains[missing.domain].current,
      let pool = poolAfter(current),
      let slot = freeSlots.popLast()
        ?? latest(neededAfter: missing.moment, sparesPinned: true).map(evict)
    {
      slot.assign(domain: missing.domain, pool: pool, order: orders[missing.domain])
      domains[missing.domain].next = slot
      return (slot, 0)
    }
    return first.map { ($0.slot, $0.rank) }
  }
}

extension PoolCache.DomainPools {
  /// When the current pool is needed again, in rows of the batch stream from now on average.
  fileprivate var momentOfCurrent: Double { share > 0 ? 0x1p48 / Double(share) : .infinity }

  /// When the pool after the current one is needed.
  fileprivate var momentOfNext: Double {
    share > 0 ? Double(rowsLeft + 1) * 0x1p48 / Double(share) : .infinity
  }
}

extension PoolSlot {
  /// The first unit that is not decoded; the number of units if all are.
  fileprivate var firstRankNotReady: Int { (0..<unitCount).first { !isReady($0) } ?? unitCount }

  fileprivate func isReady(_ rank: Int) -> Bool {
    if case .ready = states[rank] { true } else { false }
  }

  fileprivate var hasFailed: Bool {
    (0..<unitCount).contains { if case .failed = states[$0] { true } else { false } }
  }

  /// The first unit that nobody has begun to decode.
  fileprivate var firstEmptyRank: Int? {
    guard readyCount + decodingCount < unitCount else { return nil }
    for rank in 0..<unitCount {
      if case .empty = states[rank] { return rank }
    }
    return nil
  }
}
