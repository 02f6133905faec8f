internal import Corpora
internal import Kernels
public import Loading
public import Mixing

/// One run: a corpus streams through a loader into a trainer, and a folder keeps all that came of
/// it.
///
///     let run = TrainingRun(configuration, folder: RunFolder("runs/a"), toolVersion: "1.0")
///     let outcome = try run.start(observer: display)
///
/// What it promises:
///
/// 1. A run that is killed at any moment and resumed has the same ledger, metrics (but for fields
///    named `time_in_seconds`) and parameters as one that never was.
/// 2. The numbers of threads, the byte budget and the checkpoint settings change none of them.
/// 3. A checkpoint speaks of nothing that is not durable: ledger and metrics are synchronized, then
///    the checkpoint becomes whole, then old ones are deleted.
public struct TrainingRun: Sendable {
  /// What the run is made from.
  public let configuration: RunConfiguration
  /// Where everything is kept.
  public let folder: RunFolder
  /// The version that configuration and record name.
  public let toolVersion: String
  /// The policies that the configuration may name.
  public let registry: PolicyRegistry
  /// Where to write what the policy learned, when the run ends or is stopped; nil for the run
  /// folder alone.
  ///
  /// A policy that learns nothing, and a place that cannot be written, are refused at the
  /// beginning.
  public var savedPolicyPath: String?
  /// What happens when the corpus is not the one that the run was begun with.
  public var corpusChange = CorpusChangeRule.refuse

  /// How a call of ``start(resuming:observer:isStopping:)`` ended.
  public enum Outcome: Sendable {
    /// The run has ended; its record is in the folder.
    case finished(RunRecord)
    /// The run had ended before; nothing was done.
    case alreadyFinished(RunRecord)
    /// The run was asked to stop, and can go on after `step`; nil if there was no step to keep.
    case stopped(step: Int, checkpoint: String?)
  }

  /// Describes a run; nothing is read or written yet.
  ///
  /// - Parameters:
  ///   - configuration: what the run is made from.
  ///   - folder: where everything is kept.
  ///   - toolVersion: the version that configuration and record name.
  ///   - registry: the policies that the configuration may name.
  public init(
    _ configuration: RunConfiguration, folder: RunFolder, toolVersion: String,
    registry: PolicyRegistry = .complete
  ) {
    self.configuration = configuration
    self.folder = folder
    self.toolVersion = toolVersion
    self.registry = registry
  }

  /// Reads the configuration that the run in `folder` was begun with, for resuming it.
  ///
  /// - Parameter folder: a run folder.
  /// - Returns: the configuration.
  /// - Throws: ``RunError/fileDamaged(path:reason:)`` or ``RunError/corpus(_:)``.
  public static func configuration(of folder: RunFolder) throws(RunError) -> RunConfiguration {
    let resolved: ResolvedRun = try RunFolder.decode(folder.configurationPath)
    return resolved.configuration
  }

  /// Trains the in-process language model.
  ///
  /// - Parameters:
  ///   - resuming: whether to go on with the run that the folder holds; where it holds none, the
  ///     run begins.
  ///   - observer: what is told how the run goes.
  ///   - isStopping: asked before every step; when it says true, a checkpoint is written and the
  ///     call returns.
  /// - Returns: how the call ended.
  /// - Throws: ``RunError``. The last checkpoint stands then.
  public func start(
    resuming: Bool = false, observer: any RunObserver = SilentRunObserver(),
    isStopping: () -> Bool = { false }
  ) throws(RunError) -> Outcome {
    let configuration = configuration
    return try start(resuming: resuming, observer: observer, isStopping: isStopping) {
      () throws(RunError) in
      do throws(TrainingError) {
        return LanguageModelTrainer(
          model: try LanguageModel(
            configuration: configuration.model, seed: configuration.seed,
            threads: configuration.threadCount),
          schedule: configuration.schedule, optimizer: configuration.optimizer,
          gradients: configuration.gradients ?? GradientSettings(), seed: configuration.seed)
      } catch {
        throw .training(error)
      }
    }
  }

  /// Trains with a trainer of one's own.
  ///
  /// - Parameters:
  ///   - resuming: whether to go on with the run that the folder holds; where it holds none, the
  ///     run begins.
  ///   - observer: what is told how the run goes.
  ///   - isStopping: asked before every step; when it says true, a checkpoint is written and the
  ///     call returns.
  ///   - makeTrainer: makes the trainer at step 0, from the run's seed.
  /// - Returns: how the call ended.
  /// - Throws: ``RunError``. The last checkpoint stands then.
  public func start<Learner: Trainer>(
    resuming: Bool, observer: any RunObserver, isStopping: () -> Bool,
    makeTrainer: () throws(RunError) -> Learner
  ) throws(RunError) -> Outcome {
    do throws(TrainingError) { try configuration.validate() } catch { throw .training(error) }
    try checkSavedPolicyPath()
    var lock = folder.exists ? try RunLock(folder: folder.path) : nil
    defer { withExtendedLifetime(lock) {} }
    let isBegun = folder.hasRun
    if isBegun && !resuming { throw .folderHasRun(path: folder.path) }
    if !isBegun { try checkIsFree(resuming: resuming) }
    let corpus = try openCorpus()
    var recipe = try recipe(options: configuration.policyOptions(keptIn: isBegun ? folder : nil))
    var configuration = configuration
    if isBegun, corpusChange == .carryOver, let list = configuration.loader.quarantine?.list {
      // What was damaged of a domain that was packed again or is gone is not damaged any more.
      configuration.loader.quarantine?.list = list.entries(about: corpus)
    }
    var trainer = try makeTrainer()
    let resolved = ResolvedRun(
      configuration: configuration, corpus: corpus, toolVersion: toolVersion,
      instructionSet: trainer.instructionSetName)
    if isBegun {
      let hasChanged = try resolved.requireSame(
        asRecordedAt: folder, rule: corpusChange, observer: observer)
      if folder.hasRecord {
        let record = try RunRecord.read(from: folder.recordPath)
        try copySavedPolicy()
        return .alreadyFinished(record)
      }
      if hasChanged { try resolved.write(to: folder) }
    } else {
      if resuming { observer.training(notice: .nothingToResume(folder: folder.path)) }
      try checkBeginning(
        corpus, recipe: recipe, configuration: configuration, trainer: &trainer,
        observer: observer)
      try folder.create()
      if lock == nil { lock = try RunLock(folder: folder.path) }
      try folder.keepPolicyFiles(of: configuration)
      recipe = try self.recipe(options: configuration.policyOptions(keptIn: folder))
      try resolved.write(to: folder)
    }
    var session = try RunSession(
      resolved: resolved, folder: folder, corpus: corpus, recipe: recipe, trainer: trainer,
      corpusChange: corpusChange, observer: observer)
    try checkSavesPolicy(session.loader)
    let outcome = try session.run(isStopping: isStopping)
    if case .stopped = outcome, !folder.hasSavedPolicy { return outcome }
    try copySavedPolicy()
    return outcome
  }

  /// Refuses what the loader, the trainer or the policy cannot do, before the folder is made.
  private func checkBeginning<Learner: Trainer>(
    _ corpus: Corpus, recipe: PolicyRecipe, configuration: RunConfiguration,
    trainer: inout Learner, observer: any RunObserver
  ) throws(RunError) {
    let loader = try RunSession<Learner>.openLoader(
      corpus, recipe: recipe, options: configuration.loaderOptions(ledgerPath: nil),
      configuration: configuration, checkpoint: nil, notices: LoaderNotices(), observer: observer)
    defer { loader.close() }
    do throws(LoadingError) { try loader.checkLedgerLines(at: folder.ledgerPath) } catch {
      throw .loading(error)
    }
    try RunSession.tell(&trainer, of: loader, configuration: configuration)
    try checkSavesPolicy(loader)
  }

  /// Refuses a place for the saved policy that cannot be written.
  private func checkSavedPolicyPath() throws(RunError) {
    // What goes into the run folder itself has its place once that is made.
    guard let savedPolicyPath,
      folder.exists || DurableFile.parent(of: savedPolicyPath) != folder.path
    else { return }
    do throws(CorpusError) { try DurableFile.checkCanWrite(to: savedPolicyPath) } catch {
      throw .corpus(error)
    }
  }

  /// Refuses to save what a policy does not learn, before a step is made.
  private func checkSavesPolicy(_ loader: Loader) throws(RunError) {
    guard savedPolicyPath != nil, !loader.savesPolicy else { return }
    throw .policyLearnsNothing(policy: configuration.policy)
  }

  /// Writes the run's saved policy where it was asked for.
  private func copySavedPolicy() throws(RunError) {
    guard let savedPolicyPath else { return }
    guard folder.hasSavedPolicy else {
      throw .policyLearnsNothing(policy: configuration.policy)
    }
    do throws(CorpusError) {
      let bytes = try FileReader.contents(of: folder.savedPolicyPath, limit: 1 << 32)
      try DurableFile.write(bytes, to: savedPolicyPath)
    } catch {
      throw .corpus(error)
    }
  }

  private func recipe(options: [String: String]) throws(RunError) -> PolicyRecipe {
    do throws(MixingError) {
      return try registry.recipe(named: configuration.policy, options: options)
    } catch {
      throw .mixing(error)
    }
  }

  /// Refuses a folder that is something else.
  private func checkIsFree(resuming: Bool) throws(RunError) {
    if try folder.isEmpty() { return }
    if let entry = try folder.foreignEntry() {
      throw .folderIsNoRun(path: folder.path, entry: entry)
    }
    guard try folder.checkpointSteps().isEmpty, !folder.hasRecord else {
      throw .fileDamaged(
        path: folder.configurationPath, reason: "it is missing, although the run has checkpoints")
    }
    // What is left is the beginning of a run that was killed before it had a configuration.
    if !resuming { throw .folderHasRun(path: folder.path) }
  }

  private func openCorpus() throws(RunError) -> Corpus {
    let corpus: Corpus
    do throws(CorpusError) {
      corpus = try Corpus(at: configuration.corpusPath)
    } catch {
      throw .corpus(error)
    }
    guard configuration.model.vocabularySize >= corpus.tokenizer.vocabularySize else {
      throw .vocabularyTooSmall(
        model: configuration.model.vocabularySize, corpus: corpus.tokenizer.vocabularySize)
    }
    return corpus
  }
}
