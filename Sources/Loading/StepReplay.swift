public import Corpora
internal import Mixing

/// One batch of a recorded run, made again from one line of its ledger and nothing else.
///
///     let replay = try StepReplay(ofStep: 4711, inLedgerAt: "runs/a/ledger.jsonl")
///     let batch = try replay.batch(from: corpus)
///
/// The line holds where every domain stood, what it was owed and what the policy asked for, so that
/// neither the lines before it nor the policy are needed. What the line also records, and a replay
/// finds out by itself, is compared: the rows that each domain gave and the effective mixture.
///
/// Only the units that hold the batch's rows are decoded, each once, in the memory of one unit.
public struct StepReplay: Sendable {
  /// The ledger, for errors.
  public let path: String
  /// What the line is to be read with.
  public let header: LedgerHeader
  /// The line.
  public let line: LedgerLine

  private let mixture: Mixture

  /// More positions or draws than these are taken for damage; sums stay within Int64.
  private static let countLimit = 1 << 60

  /// Finds a step in a ledger.
  ///
  /// Lines of other steps are not decoded. Where a ledger has several headers, the last one before
  /// the step's line holds for it.
  ///
  /// - Parameters:
  ///   - step: The step, counted from 1.
  ///   - path: The ledger.
  /// - Throws: ``LoadingError/ledgerStepMissing(path:step:last:)``,
  ///   ``LoadingError/ledgerDamaged(path:line:reason:)``, or ``LoadingError/corpus(_:)`` if the
  ///   file cannot be read. A torn last line, without its line feed, is no line.
  /// - Complexity: O(bytes before the step) reads; two lines are decoded.
  public init(ofStep step: Int, inLedgerAt path: String) throws(LoadingError) {
    let found = try LedgerSearch.find(step: step, inLedgerAt: path)
    try self.init(header: found.header, line: found.line, path: path, lineNumber: found.number)
  }

  /// Takes a line and its header that were read already.
  ///
  /// - Parameters:
  ///   - header: The last header before the line.
  ///   - line: The line.
  ///   - path: The ledger, for errors.
  ///   - lineNumber: The line's number in it, for errors.
  /// - Throws: ``LoadingError/ledgerDamaged(path:line:reason:)`` if the line contradicts itself or
  ///   the header.
  public init(header: LedgerHeader, line: LedgerLine, path: String, lineNumber: Int)
    throws(LoadingError)
  {
    self.path = path
    self.header = header
    self.line = line
    do {
      try line.check(domainCount: header.identity.domains.count)
      mixture = try Mixture(integerShares: line.asked)
      _ = try Apportionment(credits: line.credits)
    } catch {
      throw .ledgerDamaged(path: path, line: lineNumber, reason: "\(error)")
    }
    let isSound =
      line.drawCount <= Self.countLimit
      && line.positions.reduce(Int128(0)) { $0 + Int128($1) } <= Int128(Self.countLimit)
      && header.identity.domains.allSatisfy {
        (1...Self.countLimit).contains($0.positionLimit ?? 1)
      }
    guard isSound else {
      throw .ledgerDamaged(path: path, line: lineNumber, reason: "its numbers are too large")
    }
  }

  /// Makes the batch.
  ///
  /// The batch's checkpoint holds the policy `manual` with the recorded mixture: what the run's own
  /// policy knew is not in the line.
  ///
  /// - Parameters:
  ///   - corpus: The corpus that the run read.
  ///   - tokenType: The element type of the tokens, which may be another than the run's.
  ///   - byteBudget: The most bytes that the batch's tokens may take.
  /// - Returns: The batch that the run was given at that step, all its rows.
  /// - Throws: ``LoadingError/replayDiffers(path:field:recorded:found:)`` for another corpus or
  ///   order version; ``LoadingError/replayContradicts(path:step:field:recorded:found:)`` if the
  ///   line does not make what it records; else ``LoadingError`` as a loader does.
  public func batch(
    from corpus: Corpus, tokenType: TokenType = .int64, byteBudget: Int = 4 << 30
  ) throws(LoadingError) -> Batch {
    let plan = try plan(for: corpus, tokenType: tokenType)
    // Caps are recorded in sequences, which is what a draw reads.
    var identity = plan.identity
    for index in identity.domains.indices {
      identity.domains[index].positionLimit = header.identity.domains[index].positionLimit
    }
    guard plan.batchByteCount <= byteBudget else {
      throw .byteBudget(byteCount: byteBudget, least: plan.batchByteCount)
    }
    let moment = PolicyMoment(ManualPolicy(initial: mixture, reason: line.reason))
    let storage = BatchStorage(identity: identity, tokenType: tokenType, moment: moment)
    storage.reserve(0..<line.rows, of: line.rows, withTokens: true)
    storage.sources = RowSources(corpus: corpus, split: plan.identity.split, orders: plan.orders)
    storage.step = line.step
    storage.lastObservedStep = line.lastObservedStep
    storage.refusedFeedbackCount = line.refusedFeedbackCount
    let quarantined = try QuarantinedFrames(
      line.quarantine ?? Quarantine(), corpus: corpus, split: identity.split,
      layouts: plan.orders.map(\.layout))
    let bad = try quarantined.badPositions(in: plan.orders, names: corpus.domainNames)
    let store = ShardStore(corpus: corpus, split: identity.split)
    store.setQuarantined(quarantined)
    try draw(into: storage, identity: identity, bad: bad)
    try gather(into: storage, plan: plan, bad: bad, corpus: corpus, store: store)
    return Batch(storage: storage)
  }

  // MARK: The run's settings

  /// Returns what a loader of the run would read by, once it is what the header records.
  private func plan(for corpus: Corpus, tokenType: TokenType) throws(LoadingError) -> LoaderPlan {
    let recorded = header.identity
    try require("order version", recorded.orderVersion, Loader.orderVersion)
    try requireDomains(of: corpus)
    var options = LoaderOptions()
    options.split = recorded.split
    options.unitsPerPool = recorded.unitsPerPool
    options.draw = recorded.draw
    // The run has accepted its T, and has seen to its own memory.
    options.allowsUnusedTails = true
    options.byteBudget = .max
    let plan = try LoaderPlan(
      corpus: corpus,
      batch: BatchConfiguration(
        rows: line.rows, sequenceLength: recorded.sequenceLength, tokenType: tokenType,
        grouping: recorded.grouping),
      seed: recorded.seed, options: options)
    for (order, domain) in zip(plan.orders, corpus.domains)
    where order.layout.access == .openEnded {
      throw .needsPacking(domain: domain.name, feature: "the replay of one step")
    }
    for (recorded, found) in zip(recorded.domains, plan.identity.domains) {
      try require(
        "an epoch of domain \(recorded.name), in sequences,", recorded.sequenceCount,
        found.sequenceCount)
    }
    return plan
  }

  private func requireDomains(of corpus: Corpus) throws(LoadingError) {
    let recorded = header.identity.domains
    try require(
      "domains", recorded.map(\.name).joined(separator: ", "),
      corpus.domainNames.joined(separator: ", "))
    for (recorded, domain) in zip(recorded, corpus.domains) {
      try require(
        "fingerprint of domain \(recorded.name)", recorded.fingerprint, domain.fingerprint)
    }
  }

  private func require<Value: Equatable>(_ field: String, _ recorded: Value, _ found: Value)
    throws(LoadingError)
  {
    guard recorded == found else {
      throw .replayDiffers(
        path: path, field: field, recorded: "\(recorded)", found: "\(found)")
    }
  }

  // MARK: The batch

  /// Draws the rows' domains and compares what comes out with what is recorded.
  private func draw(
    into storage: BatchStorage, identity: LoaderIdentity, bad: [BadPositions?]
  ) throws(LoadingError) {
    let draw = BatchDraw(identity: identity)
    draw.setBadPositions(bad)
    do throws(MixingError) {
      try draw.restore(
        positions: line.positions, credits: line.credits, drawCount: line.drawCount,
        rowTotal: line.positions.reduce(0, +))
    } catch {
      throw .mixing(error)
    }
    guard try draw.plan(asked: mixture, rows: line.rows, into: storage) else {
      throw .replayContradicts(
        path: path, step: line.step, field: "rows", recorded: line.rows, found: 0)
    }
    for (index, domain) in identity.domains.enumerated() {
      for (field, recorded, found) in [
        ("rows of domain \(domain.name)", line.drawn[index], storage.rowCounts[index]),
        (
          "effective share of domain \(domain.name), in parts of 2^48,",
          Int(line.effective[index]), Int(storage.effectiveShares[index])
        ),
      ] where recorded != found {
        throw .replayContradicts(
          path: path, step: line.step, field: field, recorded: recorded, found: found)
      }
    }
  }

  /// A row of the batch and where its sequence lies.
  private struct Source {
    var row: Int
    var domain: Int
    var pool: DomainOrder.Pool
    /// The unit's place in the pool.
    var rank: Int
    var unit: Int
    var sequence: Int

    func isSameUnit(as other: Source) -> Bool {
      (domain, unit, pool.epoch) == (other.domain, other.unit, other.pool.epoch)
    }
  }

  /// Copies the rows, unit by unit.
  private func gather(
    into storage: BatchStorage, plan: LoaderPlan, bad: [BadPositions?], corpus: Corpus,
    store: ShardStore
  ) throws(LoadingError) {
    let sources = place(storage, orders: plan.orders, bad: bad)
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: plan.orders.reduce(0) { max($0, $1.layout.unitTokenCapacity) }
        * corpus.tokenWidth.byteCount,
      alignment: 64)
    defer { memory.deallocate() }
    guard let tokens = memory.baseAddress else { return }
    let streams = SequenceStream.all(
      of: corpus, split: plan.identity.split, orders: plan.orders, store: store)
    let copy = RowCopy(from: corpus.tokenWidth, to: storage.tokenType)
    let count = storage.sequenceLength + 1
    do throws(CorpusError) {
      let decoder = try UnitDecoder(store: store, tokenWidth: corpus.tokenWidth)
      var last: Source?
      for source in sources {
        let layout = plan.orders[source.domain].layout
        if last?.isSameUnit(as: source) != true {
          if let stream = streams[source.domain] {
            try stream.decode(source.pool, rank: source.rank, into: memory)
          } else {
            decoder.attempt(unit: source.unit, of: source.domain, layout: layout, into: memory)
          }
          last = source
        }
        // The run was given the row, so that damage beside it in its unit did not matter then.
        if streams[source.domain] == nil,
          let met = layout.failure(
            ofSequence: source.sequence, inUnit: source.unit, among: decoder.failures)
        {
          throw met.error
        }
        let position = source.sequence * layout.rowSpacing(ofUnit: source.unit)
        copy(
          UnsafeRawPointer(tokens), at: position, upcoming: position,
          into: storage.tokens + source.row * count * storage.tokenType.byteCount, count: count)
      }
    } catch {
      throw LoadingError(error)
    }
  }

  /// Notes position and epoch of every row, and returns the rows in the order of their units.
  private func place(
    _ storage: BatchStorage, orders: [DomainOrder], bad: [BadPositions?]
  ) -> [Source] {
    var positions = line.positions
    var sources: [Source] = []
    sources.reserveCapacity(line.rows)
    for row in 0..<line.rows {
      let domain = Int(storage.domainOfRow[row])
      let position = bad[domain]?.firstGood(from: positions[domain]) ?? positions[domain]
      positions[domain] = position + 1
      let (pool, rank, sequence) = orders[domain].rank(at: position)
      storage.positionOfRow[row] = position
      storage.epochOfRow[row] = pool.epoch
      sources.append(
        Source(
          row: row, domain: domain, pool: pool, rank: rank,
          unit: orders[domain].unit(atRank: rank, of: pool), sequence: sequence))
    }
    sources.sort {
      ($0.domain, $0.pool.epoch, $0.unit, $0.row) < ($1.domain, $1.pool.epoch, $1.unit, $1.row)
    }
    return sources
  }
}
