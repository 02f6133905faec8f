public import Corpora
public import Logging
public import Mixing
internal import Synchronization

/// Streams batches from a corpus, mixed by a policy whose weights may change at every step.
///
///     let corpus = try Corpus(at: "corpora/demo")
///     let loader = try Loader(
///       corpus, policy: .static(.natural), batch: .init(rows: 32, sequenceLength: 512), seed: 17)
///     while let batch = try loader.next() {
///       let report = try trainer.step(batch)
///       try loader.observe(report.feedback)
///     }
///
/// What it promises:
///
/// 1. The rows of a step depend on corpus, configuration, seed and the mixtures of the steps so
///   far, and on nothing else: not on threads, memory, time, or how often the run was stopped.
/// 2. A change of weights moves no position: every domain is read as a prefix of its own order.
/// 3. `next()` uses every observation that was made before it is called, however much has been read
///   ahead.
/// 4. A frame is verified before any of its rows is handed out.
/// 5. After warm-up a batch allocates nothing.
///
/// A loader belongs to one thread. For `for try await`, see ``batches``.
public final class Loader {
  /// The version of the order that this program reads in.
  public static var orderVersion: Int { Int(Philox.orderVersion) }

  /// The corpus that is read.
  public let corpus: Corpus
  /// What a checkpoint must have been made under in order to be resumed here.
  public let identity: LoaderIdentity

  /// r, which part of every batch is served.
  public let rank: Int
  /// W, the loaders that serve the batches together.
  public let worldSize: Int

  private let tokenType: TokenType
  private let sources: RowSources
  let invalidFeedback: InvalidFeedbackRule
  let quarantineRule: QuarantineRule
  private let byteBudget: Int
  private let leastByteCountBesideBatch: Int
  private let logger: Logger
  private let store: ShardStore
  private let cache: PoolCache
  private let reader: PoolReader
  private let draw: BatchDraw
  private var ledger: LedgerWriter?
  private var policy: any MixturePolicy
  /// What ``policy`` says now; made anew when the policy changes, so that a batch only refers to
  /// it.
  private var moment: PolicyMoment
  /// The batches' memory.
  ///
  /// One that only this list refers to is free.
  private var storages: [BatchStorage] = []
  /// What the checkpoints hand on.
  private var past = RunPast()
  /// The feedback that was observed since the last batch, for the ledger.
  private var observed: [Feedback] = []
  /// The shares that the last batch was drawn by, in parts of 2^48; empty where the policy reads no
  /// feedback, and before the first batch.
  private var effectiveBefore: [Int64] = []
  private var isClosed = false

  /// B, the rows of the next batch over all ranks; may be changed at any step.
  public private(set) var batchRows: Int
  /// The rows of the next batch that this rank serves.
  public private(set) var rows: Range<Int>
  /// The step of the last batch that was handed out; 0 before the first.
  public private(set) var step = 0
  /// The step of the last feedback that the policy observed; 0 if none.
  public private(set) var lastObservedStep = 0
  /// The damaged frames that are skipped; it only grows.
  public private(set) var quarantine = Quarantine()
  /// How often invalid feedback was refused.
  public private(set) var refusedFeedbackCount = 0

  /// Opens a loader at the beginning of a run, or where a checkpoint left off.
  ///
  /// - Parameters:
  ///   - corpus: The corpus to read.
  ///   - policy: What sets the mixture.
  ///   - batch: The shape of the batches.
  ///   - seed: The run's seed, from which every order and draw follows.
  ///   - options: Settings that have defaults.
  ///   - checkpoint: Where to go on; nil for the beginning.
  ///   - logger: Where notes go, such as that a torn ledger line was cut off.
  /// - Throws: ``LoadingError`` if a setting, the corpus, the policy or the checkpoint does not
  ///   fit.
  public init(
    _ corpus: Corpus, policy: PolicyRecipe, batch: BatchConfiguration, seed: UInt64,
    options: LoaderOptions = LoaderOptions(), resumingFrom checkpoint: LoaderCheckpoint? = nil,
    logger: Logger = Logger(label: "headrace") { _ in SwiftLogNoOpLogHandler() }
  ) throws(LoadingError) {
    let plan = try LoaderPlan(corpus: corpus, batch: batch, seed: seed, options: options)
    self.corpus = corpus
    self.logger = logger
    identity = plan.identity
    tokenType = batch.tokenType
    sources = RowSources(corpus: corpus, split: options.split, orders: plan.orders)
    batchRows = batch.rows
    rows = plan.rows
    rank = options.rank
    worldSize = options.worldSize
    invalidFeedback = options.invalidFeedback
    byteBudget = options.byteBudget
    leastByteCountBesideBatch = plan.leastByteCountBesideBatch
    do throws(MixingError) {
      self.policy = try policy.makePolicy(in: plan.policyContext)
    } catch {
      throw .mixing(error)
    }
    moment = PolicyMoment(self.policy)
    draw = BatchDraw(identity: plan.identity)
    let timeout = options.readTimeoutInMilliseconds ?? options.readTimeoutInSeconds * 1000
    let source = corpus.waiting(milliseconds: timeout)
    store = ShardStore(corpus: source, split: options.split)
    quarantineRule = options.quarantine
    let decoder: UnitDecoder
    do throws(CorpusError) {
      decoder = try UnitDecoder(store: store, tokenWidth: corpus.tokenWidth)
    } catch {
      throw .corpus(error)
    }
    cache = try PoolCache(
      orders: plan.orders,
      streams: SequenceStream.all(
        of: source, split: options.split, orders: plan.orders, store: store,
        heldTextByteLimit: plan.heldTextByteLimit),
      store: store, geometry: plan.geometry, poolLimit: plan.poolLimit,
      threadCount: options.threadCount, timeoutInMilliseconds: timeout,
      toleratesOtherFrames: options.quarantine == .collect)
    reader = PoolReader(cache: cache, decoder: decoder)
    quarantine = options.quarantined
    let change = try checkpoint.flatMap { (checkpoint) throws(LoadingError) in
      try restore(checkpoint, rule: options.corpusChange)
    }
    try apply(quarantine)
    // A list that was made for all splits: what is of this one is what a checkpoint hands on.
    quarantine.filter { $0.split == options.split }
    if let path = options.ledgerPath {
      try checkLedgerLines(at: path)
      ledger = try openLedger(at: path, resumingFrom: checkpoint, change: change)
    }
    past.ledgerHeaderByteOffset = ledger?.headerByteOffset ?? 0
  }

  deinit {
    cache.stop()
  }

  // MARK: Batches

  /// Returns the next batch, or nil when the domains that are left do not fill one.
  ///
  /// - Returns: The batch, whose memory is used again when the last copy of it is gone.
  /// - Throws: ``LoadingError``. The loader stays where it was: the next call tries the same batch
  ///   again.
  public func next() throws(LoadingError) -> Batch? {
    let storage = freeStorage()
    storage.reserve(rows, of: batchRows, withTokens: true)
    guard try fill(storage, tokens: storage.tokens) else { return nil }
    return Batch(storage: storage)
  }

  /// Writes the tokens of the next batch into `buffer` and returns what is known of it.
  ///
  /// - Parameter buffer: `[row, T + 1]` elements of the configured type, row-major, for the
  ///   rows of this rank.
  /// - Returns: The facts, or nil when the domains that are left do not fill a batch; the buffer is
  ///   unchanged then.
  /// - Throws: ``LoadingError``, of which ``LoadingError/bufferSize(elementCount:required:)`` is
  ///   this method's own.
  /// - Precondition: `Element` is the configured token type.
  public func next<Element: TokenElement>(into buffer: UnsafeMutableBufferPointer<Element>)
    throws(LoadingError) -> BatchFacts?
  {
    precondition(
      Element.tokenType == tokenType,
      "the loader makes \(tokenType.rawValue) tokens, not \(Element.tokenType.rawValue)")
    let required = rows.count * (identity.sequenceLength + 1)
    guard buffer.count == required, let tokens = buffer.baseAddress else {
      throw .bufferSize(elementCount: buffer.count, required: required)
    }
    let storage = freeStorage()
    storage.reserve(rows, of: batchRows, withTokens: false)
    guard try fill(storage, tokens: UnsafeMutableRawPointer(tokens)) else { return nil }
    return BatchFacts(storage: storage)
  }

  /// Plans a batch, copies its tokens, records it, and moves on; or does none of it.
  ///
  /// Where damage is collected and a row meets some, the batch is taken back and planned again
  /// without the frame.
  private func fill(_ storage: BatchStorage, tokens: UnsafeMutableRawPointer)
    throws(LoadingError) -> Bool
  {
    precondition(!isClosed, "the loader was closed")
    try preparePolicy()
    storage.moment = moment
    while true {
      guard try draw.plan(asked: moment.mixture, rows: batchRows, into: storage) else {
        return false
      }
      storage.countLocalRows()
      do throws(LoadingError) {
        try gather(storage, tokens: tokens)
        try record(storage)
        return true
      } catch {
        draw.takeBack(storage)
        reader.unseatAll()
        guard try collectDamage() else { throw error }
      }
    }
  }

  /// Lets a policy that follows the steps come to the next one.
  private func preparePolicy() throws(LoadingError) {
    guard policy.followsSteps else { return }
    do throws(MixingError) {
      try policy.prepare(
        for: UpcomingStep(
          step: step + 1, tokenTotal: draw.rowTotal * identity.sequenceLength))
    } catch {
      throw .mixing(error)
    }
    // A policy that learns may note what the step is drawn by, which the batch's checkpoint needs.
    guard
      policy.readsFeedback || policy.mixture != moment.mixture || policy.reason != moment.reason
    else { return }
    moment = PolicyMoment(policy)
  }

  private func gather(_ storage: BatchStorage, tokens: UnsafeMutableRawPointer)
    throws(LoadingError)
  {
    try reader.gather(
      PoolReader.Request(
        domainOfRow: UnsafeBufferPointer(storage.domainOfRow), rows: rows,
        rowCounts: UnsafeBufferPointer(storage.localRowCounts),
        positions: UnsafeBufferPointer(storage.positionsBefore),
        shares: UnsafeBufferPointer(draw.effective), epochOfRow: storage.epochOfRow,
        positionOfRow: storage.positionOfRow, tokens: tokens, tokenType: tokenType))
  }

  // MARK: Quarantine

  /// Puts what the last row met on the list; false if that is no damage, or is not collected.
  private func collectDamage() throws(LoadingError) -> Bool {
    guard quarantineRule == .collect, let met = cache.takeFailure(),
      let entry = Quarantine.Entry(
        met.error, domain: corpus.domains[met.domain], split: identity.split,
        shardIndex: met.shard)
    else { return false }
    var grown = quarantine
    guard grown.insert(entry) else { return false }
    // What cannot be read by the longer list leaves the shorter one as it was.
    try apply(grown)
    quarantine = grown
    let frame = entry.frame.map { "frame \($0)" } ?? "all frames"
    logger.warning(
      """
      \(frame) of \(entry.shard) in domain \(entry.domain) joined the quarantine list in step \
      \(step + 1): \(entry.reason)
      """)
    return true
  }

  /// Lets a list decide what is read from now on.
  private func apply(_ quarantine: Quarantine) throws(LoadingError) {
    let orders = cache.orders
    let frames = try QuarantinedFrames(
      quarantine, corpus: corpus, split: identity.split, layouts: orders.map(\.layout))
    let bad = try frames.badPositions(in: orders, names: corpus.domainNames)
    store.setQuarantined(frames)
    draw.setBadPositions(bad)
    reader.setBadPositions(bad)
  }

  private func record(_ storage: BatchStorage) throws(LoadingError) {
    storage.step = step + 1
    storage.lastObservedStep = lastObservedStep
    storage.marksAfter = reader.marks(before: UnsafeBufferPointer(storage.positionsAfter))
    storage.quarantine = quarantine
    storage.refusedFeedbackCount = refusedFeedbackCount
    if let ledger {
      try ledger.append(
        storage, creditsBefore: draw.creditsBefore, drawCount: draw.drawCountBefore,
        feedback: observed)
      storage.ledgerByteCount = ledger.byteCount
    }
    observed.removeAll(keepingCapacity: true)
    if policy.readsFeedback { effectiveBefore = Array(storage.effectiveShares) }
    step += 1
  }

  /// Returns memory for a batch that nobody else refers to.
  private func freeStorage() -> BatchStorage {
    for index in storages.indices where isKnownUniquelyReferenced(&storages[index]) {
      // What the thread that let go of the batch did with it happens before what is written now.
      atomicMemoryFence(ordering: .acquiring)
      return storages[index]
    }
    let storage = BatchStorage(
      identity: identity, tokenType: tokenType, moment: moment, past: past)
    storage.sources = sources
    storages.append(storage)
    return storage
  }

  /// Sets the rows of the batches from the next one on.
  ///
  /// - Parameter rows: B, over all ranks.
  /// - Throws: ``LoadingError/setting(name:value:allowed:)``,
  ///   ``LoadingError/byteBudget(byteCount:least:)``,
  ///   ``LoadingError/microBatches(rows:microBatchRows:leastRows:)`` or
  ///   ``LoadingError/worldSize(_:rows:microBatchRows:)``.
  public func setBatchRows(_ rows: Int) throws(LoadingError) {
    try LoaderPlan.checkRows(rows, grouping: identity.grouping, domainCount: identity.domains.count)
    let local = try RowSlice.rows(
      rank: rank, worldSize: worldSize,
      of: BatchConfiguration(
        rows: rows, sequenceLength: identity.sequenceLength, grouping: identity.grouping))
    let byteCount = local.count * (identity.sequenceLength + 1) * tokenType.byteCount
    let least = leastByteCountBesideBatch + byteCount
    guard byteBudget >= least else { throw .byteBudget(byteCount: byteBudget, least: least) }
    batchRows = rows
    self.rows = local
  }

  // MARK: The policy

  /// Takes in what training reported of a step; the next batch is drawn by the mixture that follows
  /// from it.
  ///
  /// Steps may be left out, but not repeated, and a step must have been handed out. Feedback on the
  /// last batch need not say by which shares that was drawn.
  ///
  /// - Parameter feedback: The report of one step.
  /// - Throws: ``LoadingError/mixing(_:)`` for a step out of order, and for feedback without what
  ///   ``feedbackNeeds`` names; for NaN, infinite or misshapen feedback as
  ///   ``LoaderOptions/invalidFeedback`` says. The policy has not seen it then.
  public func observe(_ feedback: Feedback) throws(LoadingError) {
    var feedback = feedback
    if feedback.shares == nil, feedback.step == step, !effectiveBefore.isEmpty {
      feedback.shares = effectiveBefore.map { Double($0) / Double(Mixture.one) }
    }
    do throws(MixingError) {
      try feedback.validateStep(lastHandedOut: step, lastObserved: lastObservedStep)
      do throws(MixingError) {
        try feedback.validate(domainCount: identity.domains.count)
      } catch {
        refusedFeedbackCount += 1
        logger.warning("feedback of step \(feedback.step) was refused: \(error)")
        guard invalidFeedback == .keepMixture else { throw error }
        return
      }
      try feedback.validate(needs: policy.feedbackNeeds)
    } catch {
      throw .mixing(error)
    }
    if policy.readsFeedback {
      policy.observe(feedback)
      moment = PolicyMoment(policy)
    }
    lastObservedStep = feedback.step
    observed.append(feedback)
  }

  /// Sets the mixture from the next batch on; for a run whose policy is `manual`.
  ///
  /// - Parameters:
  ///   - mixture: The new mixture.
  ///   - reason: Why, in a few words, for the ledger.
  /// - Throws: ``LoadingError/policyIsNotManual(policy:)`` under another policy, or
  ///   ``LoadingError/mixing(_:)`` for a mixture of another number of domains.
  public func setMixture(_ mixture: Mixture, reason: String) throws(LoadingError) {
    guard var manual = policy as? any SettablePolicy else {
      throw .policyIsNotManual(policy: type(of: policy).name)
    }
    do throws(MixingError) {
      try manual.setMixture(mixture, reason: reason)
    } catch {
      throw .mixing(error)
    }
    policy = manual
    moment = PolicyMoment(policy)
  }

  /// The mixture that the next batch is drawn by.
  public var mixture: Mixture { moment.mixture }

  /// Whether the policy learns from feedback; if not, nothing has to be measured for it.
  public var readsFeedback: Bool { policy.readsFeedback }

  /// What the policy reads of the feedback; only that has to be measured.
  public var feedbackNeeds: FeedbackNeeds { policy.feedbackNeeds }

  /// What the policy took each domain to be worth at the last step that it observed, `[domain]`, in
  /// the policy's own unit; nil if it knows no such thing, or not yet.
  public var rewards: [Double]? { moment.rewards }

  /// Whether the policy learns what another run could use.
  public var savesPolicy: Bool { policy.isSavable }

  /// Returns what the policy has learned so far, for other runs to start from.
  ///
  /// - Returns: nil if it learns nothing that another run could use, or has learned nothing yet.
  /// - Throws: ``LoadingError/mixing(_:)`` if that does not encode.
  public func savedPolicy() throws(LoadingError) -> SavedPolicy? {
    do throws(MixingError) { return try policy.savedPolicy() } catch { throw .mixing(error) }
  }

  // MARK: Checkpoints

  /// Returns the state now: after the last batch, with what was observed and set since.
  ///
  /// A run that is resumed from it goes on as one that was never stopped, ledger included. There is
  /// one before the first batch, too. ``Batch/checkpoint()`` is the state after an earlier batch,
  /// for a program that holds batches back.
  ///
  /// - Returns: A value for ``LoaderCheckpoint/encoded()`` or ``saveCheckpoint(to:with:)``.
  /// - Throws: ``LoadingError/mixing(_:)`` if a policy of the program's own does not encode.
  public func checkpoint() throws(LoadingError) -> LoaderCheckpoint {
    let erased: PolicyCheckpoint
    do throws(MixingError) {
      erased = try policy.erasedCheckpoint()
    } catch {
      throw .mixing(error)
    }
    return LoaderCheckpoint(
      identity: identity, step: step, rowTotal: draw.rowTotal, drawCount: draw.drawCount,
      positions: Array(draw.positions), rowCounts: Array(draw.rowCounts), credits: draw.credits,
      departed: past.departed, quarantine: quarantine, lastObservedStep: lastObservedStep,
      observed: observed, effective: effectiveBefore,
      refusedFeedbackCount: refusedFeedbackCount, ledgerByteCount: ledger?.byteCount ?? 0,
      ledgerHeaderByteOffset: past.ledgerHeaderByteOffset, policy: erased,
      textMarks: reader.marks(before: UnsafeBufferPointer(draw.positions)))
  }

  /// Makes the ledger durable, then writes the state now to a ``CheckpointFile``.
  ///
  /// - Parameters:
  ///   - path: The file; what stood there is replaced when the new one is whole.
  ///   - sections: What else belongs to the moment, such as a trainer's state. The loader's own
  ///     section is named ``LoaderCheckpoint/sectionName``.
  /// - Throws: ``LoadingError`` if the disk fails.
  public func saveCheckpoint(
    to path: String, with sections: [(name: String, bytes: [UInt8])] = []
  ) throws(LoadingError) {
    let own = (name: LoaderCheckpoint.sectionName, bytes: try checkpoint().encoded())
    try synchronizeLedger()
    try CheckpointFile.write([own] + sections, to: path)
  }

  // MARK: The end

  /// Makes the ledger durable up to the last batch; to be called before a checkpoint is saved.
  ///
  /// - Throws: ``LoadingError/corpus(_:)`` if the disk fails.
  public func synchronizeLedger() throws(LoadingError) {
    try ledger?.synchronize()
  }

  /// Ends the decode threads and closes the ledger.
  ///
  /// Never waits for a read; batches that were
  /// handed out stay valid, ``next()`` may not be called any more.
  public func close() {
    isClosed = true
    cache.stop()
    ledger = nil
  }

  // MARK: Opening

  /// Takes over a checkpoint.
  ///
  /// - Returns: How the corpus has changed since; nil if it has not.
  private func restore(_ checkpoint: LoaderCheckpoint, rule: CorpusChangeRule)
    throws(LoadingError) -> CorpusChange?
  {
    var change = try checkpoint.identity.change(to: identity)
    guard change.isEmpty || rule == .carryOver else { throw .corpusChanged(change) }
    do throws(MixingError) {
      if !change.changesNames { try policy.restore(from: checkpoint.policy) }
      moment = PolicyMoment(policy)
    } catch {
      throw .mixing(error)
    }
    let state =
      change.isEmpty
      ? checkpoint : try checkpoint.carriedOver(to: identity.domains, asked: moment.mixture)
    do throws(MixingError) { try draw.restore(state) } catch { throw .mixing(error) }
    try reader.restore(
      state.textMarks ?? [:], positions: state.positions)
    past.departed = state.departed
    quarantine.formUnion(state.quarantine)
    step = state.step
    lastObservedStep = state.lastObservedStep
    refusedFeedbackCount = state.refusedFeedbackCount
    observed = state.observed
    effectiveBefore = state.effective ?? []
    guard !change.isEmpty else { return nil }
    change.lastFeedback = checkpoint.observed
    logger.notice(
      """
      carried over to a changed corpus after step \(step); \(change). \
      \(change.changesNames ? "The policy begins anew." : "The policy goes on.")
      """)
    return change
  }

  /// Refuses a ledger at `path` whose lines no reader would take, as far as that is known.
  package func checkLedgerLines(at path: String) throws(LoadingError) {
    try Ledger.checkLineLength(
      ofLedgerAt: path, needs: policy.feedbackNeeds, domainCount: identity.domains.count)
  }

  private func openLedger(
    at path: String, resumingFrom checkpoint: LoaderCheckpoint?, change: CorpusChange?
  ) throws(LoadingError) -> LedgerWriter {
    let header = LedgerHeader(
      identity: identity, resumedAfterStep: step, corpusChange: change)
    let begins = (checkpoint?.ledgerByteCount ?? 0) == 0
    guard rank == 0 else {
      let ledger = LedgerWriter(countingFrom: checkpoint, path: path)
      if begins || change != nil { try ledger.append(header) }
      return ledger
    }
    guard let checkpoint, !begins else { return try LedgerWriter(newAt: path, header: header) }
    var cut = (byteCount: 0, isTorn: false)
    let ledger = try LedgerWriter(resuming: path, from: checkpoint, cut: &cut)
    if cut.byteCount > 0 {
      logger.notice(
        """
        cut \(cut.byteCount) bytes behind step \(checkpoint.step) off the ledger\
        \(cut.isTorn ? ", a torn last line among them" : ""); those steps are done again
        """)
    }
    if change != nil { try ledger.append(header) }
    return ledger
  }
}
