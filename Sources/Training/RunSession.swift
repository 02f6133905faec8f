internal import Corpora
internal import Loading
internal import Logging
internal import Mixing

/// What a run remembers beside its loader and its trainer; the section `run` of a checkpoint.
struct RunState: Sendable, Equatable, Codable {
  /// The last step that was made.
  var step = 0
  /// The target tokens so far.
  var tokenTotal = 0
  /// The length of the metrics, in bytes.
  var metricsByteCount = 0
  /// The seconds so far.
  var timeInSeconds = 0.0
  /// The lowest held-out loss of each domain.
  var bestLosses: [Double?]

  /// Keeps the losses of the domains whose data is the same; the others begin anew.
  mutating func carryOver(
    from old: [LoaderIdentity.Domain], to new: [LoaderIdentity.Domain]
  ) {
    let losses = zip(old, bestLosses).map { ($0, $1) }
    bestLosses = new.map { domain in
      losses.first { $0.0.name == domain.name && $0.0.fingerprint == domain.fingerprint }?.1
    }
  }
}

/// A run in progress: the loop, and what it holds.
struct RunSession<Learner: Trainer> {
  let resolved: ResolvedRun
  let folder: RunFolder
  let corpus: Corpus
  let loader: Loader
  var trainer: Learner
  let metrics: MetricsWriter
  let observer: any RunObserver
  var state: RunState
  /// What the trainer was told to measure.
  private var needs = FeedbackNeeds.nothing
  private var lastCheckpointPath: String?
  private let evaluator: Evaluator
  private let notices = LoaderNotices()
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private let timeBefore: Double

  private var configuration: RunConfiguration { resolved.configuration }
  private var timeInSeconds: Double { timeBefore + (clock.now - start) / .seconds(1) }

  /// Opens everything at the newest checkpoint that reads whole, or at the beginning.
  init(
    resolved: ResolvedRun, folder: RunFolder, corpus: Corpus, recipe: PolicyRecipe,
    trainer: Learner, corpusChange: CorpusChangeRule, observer: any RunObserver
  ) throws(RunError) {
    self.resolved = resolved
    self.folder = folder
    self.corpus = corpus
    self.observer = observer
    self.trainer = trainer
    evaluator = Evaluator(corpus: corpus, configuration: resolved.configuration)
    let saved = try SavedRun.newest(in: folder, observer: observer)
    if saved == nil, try folder.removeBeginnings() {
      observer.training(notice: .beginsAgain(folder: folder.path))
    }
    var options = resolved.configuration.loaderOptions(ledgerPath: folder.ledgerPath)
    options.corpusChange = corpusChange
    loader = try Self.openLoader(
      corpus, recipe: recipe, options: options, configuration: resolved.configuration,
      checkpoint: saved?.loader, notices: notices, observer: observer)
    if let saved {
      try folder.removeCheckpoints(after: saved.state.step)
      state = saved.state
      state.carryOver(from: saved.loader.identity.domains, to: loader.identity.domains)
      lastCheckpointPath = saved.path
      do { try self.trainer.restore(saved.trainer) } catch {
        throw .fileDamaged(path: saved.path, reason: "\(error)")
      }
      var cutByteCount = 0
      metrics = try MetricsWriter(
        resuming: folder.metricsPath, byteCount: saved.state.metricsByteCount,
        cutByteCount: &cutByteCount)
      if cutByteCount > 0 { observer.training(notice: .metricsCut(byteCount: cutByteCount)) }
      if saved.loader.identity.domains.map(\.name) != corpus.domainNames {
        try metrics.append(domains: corpus.domainNames)
      }
    } else {
      state = RunState(bestLosses: corpus.domains.map { _ in nil })
      metrics = try MetricsWriter(newAt: folder.metricsPath, domains: corpus.domainNames)
    }
    timeBefore = state.timeInSeconds
    start = clock.now
    try measure()
    if let saved {
      // A policy that begins anew is shown gradients that are smoothed anew.
      if saved.loader.identity.domains.map(\.name) == corpus.domainNames {
        do { try self.trainer.restoreFeedback(saved.feedback) } catch {
          throw .fileDamaged(path: saved.path, reason: "\(error)")
        }
      }
      observer.training(notice: .resumed(step: state.step, checkpoint: saved.path))
    }
  }

  static func openLoader(
    _ corpus: Corpus, recipe: PolicyRecipe, options: LoaderOptions,
    configuration: RunConfiguration, checkpoint: LoaderCheckpoint?, notices: LoaderNotices,
    observer: any RunObserver
  ) throws(RunError) -> Loader {
    defer { notices.tell(observer) }
    do throws(LoadingError) {
      return try Loader(
        corpus, policy: recipe, batch: configuration.batch, seed: configuration.seed,
        options: options, resumingFrom: checkpoint,
        logger: Logger(label: "headrace") { _ in notices.handler })
    } catch {
      throw .loading(error)
    }
  }

  // MARK: The loop

  /// Makes the steps that are left, or those until `isStopping` says true.
  mutating func run(isStopping: () -> Bool) throws(RunError) -> TrainingRun.Outcome {
    observer.training(
      beginsAfter: state.step, of: configuration.stepCount, domains: corpus.domainNames)
    var end = RunRecord.End.allSteps
    if state.step == 0 { try evaluate() }
    while state.step < configuration.stepCount {
      if isStopping() {
        let path: String? = state.step == 0 ? nil : try saveUnlessSaved()
        try savePolicy()
        loader.close()
        return .stopped(step: state.step, checkpoint: path)
      }
      guard let batch = try nextBatchOrSave() else {
        observer.training(notice: .domainsExhausted(step: state.step))
        end = .domainsExhausted
        // An evaluation after the last step belongs to every run.
        if state.step % configuration.evaluation.stepInterval != 0 { try evaluate() }
        if state.step > 0 { _ = try saveUnlessSaved() }
        break
      }
      try makeStep(batch)
      let isLast = state.step == configuration.stepCount
      if isLast || state.step % configuration.evaluation.stepInterval == 0 { try evaluate() }
      if isLast || state.step % configuration.checkpoints.stepInterval == 0 { try save() }
    }
    let record = try writeRecord(end)
    loader.close()
    return .finished(record)
  }

  /// Returns the next batch; where the policy has no mixture for it, the steps that were made are
  /// kept before the error is thrown, for no resumed run would come any further.
  private mutating func nextBatchOrSave() throws(RunError) -> Batch? {
    do throws(RunError) { return try nextBatch() } catch {
      if case .loading(.mixing) = error, state.step > 0 {
        _ = try saveUnlessSaved()
        try savePolicy()
      }
      throw error
    }
  }

  private func nextBatch() throws(RunError) -> Batch? {
    defer { notices.tell(observer) }
    do throws(LoadingError) { return try loader.next() } catch { throw .loading(error) }
  }

  private func observe(_ feedback: Feedback) throws(RunError) {
    defer { notices.tell(observer) }
    do throws(LoadingError) { try loader.observe(feedback) } catch { throw .loading(error) }
  }

  /// Tells the trainer what the policy reads, if that has changed.
  private mutating func measure() throws(RunError) {
    guard loader.feedbackNeeds != needs else { return }
    try Self.tell(&trainer, of: loader, configuration: configuration)
    needs = loader.feedbackNeeds
  }

  /// Tells a trainer what a loader's policy reads.
  static func tell(
    _ trainer: inout Learner, of loader: Loader, configuration: RunConfiguration
  ) throws(RunError) {
    do {
      try trainer.measure(
        loader.feedbackNeeds, of: configuration.batch, domainCount: loader.identity.domains.count)
    } catch {
      let origin = configuration.policyOptions(keptIn: nil)["from"].map { " from \($0)" } ?? ""
      throw .feedbackRefused(policy: configuration.policy + origin, underlying: error)
    }
  }

  private mutating func makeStep(_ batch: Batch) throws(RunError) {
    try measure()
    let report: StepReport
    do { report = try trainer.step(batch) } catch {
      throw .stepFailed(step: batch.step, checkpoint: lastCheckpointPath, underlying: error)
    }
    guard report.loss.isFinite, report.gradientNorm.isFinite, report.learningRate.isFinite,
      report.lossByDomain.count == corpus.domains.count,
      report.tokenCountByDomain.count == corpus.domains.count
    else {
      throw .stepFailed(
        step: batch.step, checkpoint: lastCheckpointPath,
        underlying: TrainingError.lossNotFinite(step: batch.step, loss: report.loss))
    }
    try observe(report.feedback)
    state.step = batch.step
    state.tokenTotal += report.tokenCountByDomain.reduce(0, +)
    let domains = corpus.domains.indices
    let line = StepMetrics(
      step: report.step, loss: report.loss,
      losses: report.lossByDomain.map { $0.flatMap { $0.isFinite ? $0 : nil } },
      learningRate: report.learningRate, gradientNorm: report.gradientNorm,
      tokenCounts: report.tokenCountByDomain, tokenTotal: state.tokenTotal,
      realizedShares: domains.map {
        Double(batch.facts.rowCount(ofDomain: $0)) / Double(batch.rowCount)
      },
      askedShares: batch.facts.asked.integerShares.map { Double($0) / Double(Mixture.one) },
      effectiveShares: batch.facts.effectiveShares.map { Double($0) / Double(Mixture.one) },
      rewards: loader.lastObservedStep == batch.step
        ? loader.rewards.flatMap { $0.allSatisfy(\.isFinite) ? $0 : nil } : nil,
      timeInSeconds: timeInSeconds)
    try metrics.append(.step(line))
    observer.training(step: line)
  }

  private mutating func evaluate() throws(RunError) {
    let losses = try evaluator.losses(trainer: &trainer, step: state.step)
    for (domain, loss) in losses.enumerated() {
      guard let loss else { continue }
      state.bestLosses[domain] = min(loss, state.bestLosses[domain] ?? loss)
    }
    let line = EvaluationMetrics(
      step: state.step, tokenTotal: state.tokenTotal, losses: losses,
      heldOutTokenCounts: resolved.domains.map(\.heldOutTokenCount), timeInSeconds: timeInSeconds)
    try metrics.append(.evaluation(line))
    observer.training(evaluation: line)
  }

  // MARK: Checkpoints and the record

  private mutating func saveUnlessSaved() throws(RunError) -> String {
    let path = folder.checkpointPath(step: state.step)
    if lastCheckpointPath != path { try save() }
    return path
  }

  /// Writes a checkpoint: first all that it speaks of becomes durable, then itself, then old ones
  /// go.
  private mutating func save() throws(RunError) {
    let path = folder.checkpointPath(step: state.step)
    // What the trainer remembers is to be what the policy will read when the run goes on.
    try measure()
    try metrics.synchronize()
    state.metricsByteCount = metrics.byteCount
    state.timeInSeconds = timeInSeconds
    var sections: [(name: String, bytes: [UInt8])] = [
      ("trainer", trainer.checkpointBytes()), ("run", RunJSON.encode(state)),
    ]
    let feedback = trainer.feedbackBytes()
    if !feedback.isEmpty { sections.append((SavedRun.feedbackSection, feedback)) }
    do throws(LoadingError) { try loader.saveCheckpoint(to: path, with: sections) } catch {
      throw .loading(error)
    }
    lastCheckpointPath = path
    try folder.prune(keepCount: configuration.checkpoints.keepCount)
    observer.training(checkpoint: path, step: state.step)
  }

  /// Makes the record from the metrics, so that it is the same however often the run was stopped.
  private func writeRecord(_ end: RunRecord.End) throws(RunError) -> RunRecord {
    do throws(LoadingError) { try loader.synchronizeLedger() } catch { throw .loading(error) }
    try metrics.synchronize()
    let lines = try RunMetrics(at: folder.metricsPath)
    let final = lines.evaluations.last
    let domains = corpus.domains.indices.map { index in
      let tokenCount = lines.steps.reduce(0) { $0 + $1.tokenCounts[index] }
      let askedSum = lines.steps.reduce(0) { $0 + $1.askedShares[index] }
      let epochTokens =
        loader.identity.domains[index].sequenceCount * configuration.sequenceLength
      return RunRecord.Domain(
        name: corpus.domains[index].name, fingerprint: corpus.domains[index].fingerprint,
        askedShare: askedSum / Double(max(1, lines.steps.count)),
        realizedShare: Double(tokenCount) / Double(max(1, state.tokenTotal)),
        tokenCount: tokenCount,
        epochs: epochTokens > 0 ? Double(tokenCount) / Double(epochTokens) : nil,
        loss: final?.losses[index], bestLoss: state.bestLosses[index])
    }
    let record = RunRecord(
      toolVersion: resolved.toolVersion, instructionSet: trainer.instructionSetName,
      corpus: resolved.corpus, configuration: configuration,
      parameterCount: trainer.parameterCount,
      trainerChecksum: XXHash.text(XXHash.hash64(trainer.checkpointBytes())), end: end,
      stepCount: state.step, tokenTotal: state.tokenTotal, timeInSeconds: timeInSeconds,
      domains: domains, evaluations: lines.evaluations)
    try savePolicy()
    try writeMeanMixture(of: record)
    try record.write(to: folder.recordPath)
    return record
  }

  /// Writes the mean of the mixtures that were asked for.
  private func writeMeanMixture(of record: RunRecord) throws(RunError) {
    // Of domains that have left the run nothing remains, so that the rest is made to sum to 1.
    guard let mixture = try? Mixture(normalizing: record.domains.map(\.askedShare)) else { return }
    let bytes: [UInt8]
    do throws(MixingError) {
      bytes = try MixtureFile.bytes(of: mixture, domainNames: record.domains.map(\.name))
    } catch {
      throw .mixing(error)
    }
    do throws(CorpusError) { try DurableFile.write(bytes, to: folder.meanMixturePath) } catch {
      throw .corpus(error)
    }
  }

  /// Writes what the policy has learned, where it learns.
  private func savePolicy() throws(RunError) {
    let saved: SavedPolicy?
    do throws(LoadingError) { saved = try loader.savedPolicy() } catch { throw .loading(error) }
    guard let saved else { return }
    let bytes: [UInt8]
    do throws(MixingError) { bytes = try saved.bytes() } catch { throw .mixing(error) }
    do throws(CorpusError) { try DurableFile.write(bytes, to: folder.savedPolicyPath) } catch {
      throw .corpus(error)
    }
  }
}

/// A checkpoint that was read.
struct SavedRun {
  let path: String
  let loader: LoaderCheckpoint
  let trainer: [UInt8]
  /// What the trainer remembers for the feedback; empty for nothing.
  let feedback: [UInt8]
  let state: RunState

  static let feedbackSection = "feedback"

  /// Reads the newest checkpoint that is whole; nil if there is none at all.
  static func newest(in folder: RunFolder, observer: any RunObserver) throws(RunError) -> SavedRun?
  {
    var newest: (path: String, reason: String)?
    for step in try folder.checkpointSteps() {
      let path = folder.checkpointPath(step: step)
      do {
        let saved = try SavedRun(path)
        if let newest {
          observer.training(notice: .checkpointDamaged(path: newest.path, reason: newest.reason))
        }
        return saved
      } catch {
        if newest == nil { newest = (path, "\(error)") }
      }
    }
    guard let newest else { return nil }
    throw .noWholeCheckpoint(
      folder: folder.checkpointsPath, newest: newest.path, reason: newest.reason)
  }

  private init(_ path: String) throws {
    let sections = try CheckpointFile.read(path)
    func section(_ name: String) throws(LoadingError) -> [UInt8] {
      guard let bytes = sections[name] else {
        throw .checkpointDamaged(path: path, .section(name: name))
      }
      return bytes
    }
    self.path = path
    loader = try LoaderCheckpoint(bytes: try section(LoaderCheckpoint.sectionName), path: path)
    trainer = try section("trainer")
    feedback = sections[Self.feedbackSection] ?? []
    do {
      state = try RunJSON.decode(RunState.self, from: try section("run"))
    } catch {
      throw LoadingError.checkpointDamaged(
        path: path, .content(section: "run", reason: RunJSON.reason(error)))
    }
    guard state.step == loader.step, state.bestLosses.count == loader.positions.count else {
      throw LoadingError.checkpointDamaged(
        path: path, .content(section: "run", reason: "it does not belong to section loader"))
    }
  }
}
