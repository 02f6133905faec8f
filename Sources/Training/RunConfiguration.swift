public import Loading
public import Mixing

/// Everything that a training run is made from; what `configuration.json` of a run folder records.
///
/// Fully resolved: no field says "default". ``validate()`` checks what no other type checks.
public struct RunConfiguration: Sendable, Equatable, Codable {
  /// The folder of the corpus.
  public var corpusPath: String
  /// The name of the mixture policy.
  public var policy: String
  /// The policy's options by name.
  public var policyOptions: [String: String]
  /// B, the sequences in a batch.
  public var rows: Int
  /// T, the targets of a sequence.
  public var sequenceLength: Int
  /// The loader's settings.
  public var loader: LoaderSettings
  /// The model's shape.
  public var model: LanguageModelConfiguration
  /// How gradients by domain are measured, where the policy reads them; nil for the defaults.
  public var gradients: GradientSettings?
  /// The optimizer's settings.
  public var optimizer: AdamWConfiguration
  /// The learning rate by step.
  public var schedule: LearningRateSchedule
  /// The steps of the run.
  public var stepCount: Int
  /// When and on how much the held-out loss is measured.
  public var evaluation: EvaluationSettings
  /// When checkpoints are written and how many are kept.
  public var checkpoints: CheckpointSettings
  /// The seed that orders, draws and initial parameters follow from.
  public var seed: UInt64
  /// The threads that compute; never changes a result.
  public var threadCount: Int

  /// The loader's settings that a run records.
  public struct LoaderSettings: Sendable, Equatable, Codable {
    /// P, the units that are shuffled together.
    public var unitsPerPool: Int
    /// How a mixture becomes the domains of rows.
    public var draw: DrawRule
    /// The most epochs that a domain is read, by name.
    public var epochCaps: [String: Double]
    /// How rows are grouped; nil for rows in the order of the draw.
    public var grouping: BatchConfiguration.Grouping?
    /// Whether a sequence length that leaves the frames' tails unused is accepted.
    public var allowsUnusedTails: Bool
    /// What happens on invalid feedback.
    public var invalidFeedback: InvalidFeedbackRule
    /// What happens on damage; nil for a run that it ends.
    public var quarantine: QuarantineSettings?
    /// The bytes that decoded pools and one batch may take; never changes a result.
    public var byteBudget: Int
    /// The threads that decode ahead; never changes a result.
    public var decodeThreadCount: Int

    /// Takes over what `options` say.
    public init(
      _ options: LoaderOptions = LoaderOptions(), grouping: BatchConfiguration.Grouping? = nil
    ) {
      unitsPerPool = options.unitsPerPool
      draw = options.draw
      epochCaps = options.epochCaps
      self.grouping = grouping
      allowsUnusedTails = options.allowsUnusedTails
      invalidFeedback = options.invalidFeedback
      let quarantine = QuarantineSettings(rule: options.quarantine, list: options.quarantined)
      self.quarantine = quarantine == QuarantineSettings() ? nil : quarantine
      byteBudget = options.byteBudget
      decodeThreadCount = options.threadCount
    }
  }

  /// When and on how much the held-out loss is measured.
  public struct EvaluationSettings: Sendable, Equatable, Codable {
    /// The steps between two evaluations; there is also one before the first step and one after
    /// the last.
    public var stepInterval: Int
    /// The most target tokens of each domain's held-out split; always the same ones.
    public var tokenLimit: Int

    /// Creates settings.
    public init(stepInterval: Int, tokenLimit: Int = 1 << 15) {
      self.stepInterval = stepInterval
      self.tokenLimit = tokenLimit
    }
  }

  /// When checkpoints are written and how many are kept.
  public struct CheckpointSettings: Sendable, Equatable, Codable {
    /// The steps between two checkpoints; there is also one after the last step, and one where a
    /// run is stopped.
    public var stepInterval: Int
    /// How many are kept, at least 1; with 2 a damaged newest one costs no more than an interval.
    public var keepCount: Int

    /// Creates settings.
    public init(stepInterval: Int, keepCount: Int = 2) {
      self.stepInterval = stepInterval
      self.keepCount = keepCount
    }
  }

  /// Creates a configuration whose schedule warms up over a fiftieth of the steps (at most 200) and
  /// ends at a tenth of `learningRate`.
  ///
  /// - Parameters:
  ///   - corpusPath: the folder of the corpus.
  ///   - policy: the name of the mixture policy.
  ///   - policyOptions: the policy's options by name.
  ///   - rows: B, the sequences in a batch.
  ///   - model: the model's shape, which also fixes T.
  ///   - stepCount: the steps of the run.
  ///   - learningRate: the largest learning rate.
  ///   - seed: what orders, draws and initial parameters follow from.
  public init(
    corpusPath: String, policy: String = StaticPolicy.name, policyOptions: [String: String] = [:],
    rows: Int, model: LanguageModelConfiguration, stepCount: Int, learningRate: Double = 1e-3,
    seed: UInt64 = 0
  ) {
    self.corpusPath = corpusPath
    self.policy = policy
    self.policyOptions = policyOptions
    self.rows = rows
    sequenceLength = model.sequenceLength
    loader = LoaderSettings()
    self.model = model
    optimizer = AdamWConfiguration()
    let steps = max(1, stepCount)
    let learningRateMaximum = learningRate.isFinite ? max(0, learningRate) : 0
    schedule = LearningRateSchedule(
      learningRateMaximum: learningRateMaximum, learningRateMinimum: learningRateMaximum / 10,
      warmUpStepCount: min(200, steps / 50), stepCount: steps)
    self.stepCount = stepCount
    evaluation = EvaluationSettings(stepInterval: max(1, stepCount / 20))
    checkpoints = CheckpointSettings(stepInterval: max(1, stepCount / 10))
    self.seed = seed
    threadCount = 1
  }

  /// Checks every number that a file or a user may have made wrong.
  ///
  /// - Throws: ``TrainingError/settingOutOfRange(name:value:allowed:)`` or
  ///   ``TrainingError/numberOutOfRange(name:value:)`` for the first one, and what
  ///   ``LanguageModelConfiguration/validate()`` throws. The loader checks its own settings.
  public func validate() throws(TrainingError) {
    try model.validate()
    try gradients?.validate(for: model)
    let fields: [(String, Int, ClosedRange<Int>)] = [
      ("sequence_length", sequenceLength, model.sequenceLength...model.sequenceLength),
      ("steps", stepCount, 1...(1 << 40)),
      ("evaluation step_interval", evaluation.stepInterval, 1...(1 << 40)),
      ("evaluation token_limit", evaluation.tokenLimit, sequenceLength...(1 << 40)),
      ("checkpoint step_interval", checkpoints.stepInterval, 1...(1 << 40)),
      ("checkpoint keep_count", checkpoints.keepCount, 1...(1 << 20)),
      ("threads", threadCount, 1...1024),
      ("warm_up_step_count", schedule.warmUpStepCount, 0...max(0, schedule.stepCount)),
    ]
    for (name, value, allowed) in fields where !allowed.contains(value) {
      throw .settingOutOfRange(name: name, value: value, allowed: allowed)
    }
    try check(
      "learning_rate_maximum", schedule.learningRateMaximum,
      schedule.learningRateMaximum > 0 && schedule.learningRateMaximum.isFinite)
    try check(
      "learning_rate_minimum", schedule.learningRateMinimum,
      (0...schedule.learningRateMaximum).contains(schedule.learningRateMinimum))
    try check("beta1", Double(optimizer.beta1), (0..<1).contains(optimizer.beta1))
    try check("beta2", Double(optimizer.beta2), (0..<1).contains(optimizer.beta2))
    try check(
      "epsilon", Double(optimizer.epsilon), optimizer.epsilon > 0 && optimizer.epsilon.isFinite)
    try check(
      "weight_decay", Double(optimizer.weightDecay),
      optimizer.weightDecay >= 0 && optimizer.weightDecay.isFinite)
    if let maximum = optimizer.gradientNormMaximum {
      try check("gradient_norm_maximum", maximum, maximum > 0)
    }
  }

  private func check(_ name: String, _ value: Double, _ holds: Bool) throws(TrainingError) {
    guard holds else { throw .numberOutOfRange(name: name, value: value) }
  }

  /// The policy's options, with the files that they name where `folder` keeps them; for no folder,
  /// where they lie.
  ///
  /// - Parameter folder: the folder of a run that has begun; nil for none.
  /// - Returns: the options, in which a run folder stands for its ledger or its saved policy.
  public func policyOptions(keptIn folder: RunFolder?) -> [String: String] {
    RunFolder.withPolicyFiles(policyOptions, keptIn: folder)
  }

  /// The shape of the batches.
  var batch: BatchConfiguration {
    BatchConfiguration(
      rows: rows, sequenceLength: sequenceLength, tokenType: .int32, grouping: loader.grouping)
  }

  /// The loader's options, with the ledger at `ledgerPath`, or none.
  func loaderOptions(ledgerPath: String?) -> LoaderOptions {
    var options = LoaderOptions()
    options.unitsPerPool = loader.unitsPerPool
    options.draw = loader.draw
    options.epochCaps = loader.epochCaps
    options.allowsUnusedTails = loader.allowsUnusedTails
    options.invalidFeedback = loader.invalidFeedback
    let quarantine = loader.quarantine ?? QuarantineSettings()
    (options.quarantine, options.quarantined) = (quarantine.rule, quarantine.list)
    options.byteBudget = loader.byteBudget
    options.threadCount = loader.decodeThreadCount
    options.ledgerPath = ledgerPath
    options.stepCount = stepCount
    return options
  }
}
