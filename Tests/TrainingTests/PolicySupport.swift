import Loading
import Mixing
import Training

/// A policy for tests: a floored softmax of what it reads of the feedback, with a little memory.
struct TestLearner: MixturePolicy {
  struct Checkpoint: Codable, Sendable, Equatable {
    var scores: PackedArray<Double>
    var rewards: [Double]?
    var observed = 0
  }

  /// What it reads.
  enum Reading: String, CaseIterable {
    case losses, gradients, norms, halfway, nothing
  }

  static let name = "test-learner"

  let reading: Reading
  let domainNames: [String]
  /// Whether it learns no more.
  let isFrozen: Bool
  private var state: Checkpoint

  init(reading: Reading, context: PolicyContext, from saved: Checkpoint?, isFrozen: Bool) {
    self.reading = reading
    self.isFrozen = isFrozen
    domainNames = context.domainNames
    let zeros = [Double](repeating: 0, count: context.domainCount)
    state = saved ?? Checkpoint(scores: PackedArray(zeros))
  }

  static let entry = PolicyRegistry.Entry(
    name: name, summary: "A policy for tests.",
    options: ["reads": "what it reads", "from": "a saved policy", "freeze": "learn no more"]
  ) { options in
    let reading = options["reads"].flatMap(Reading.init) ?? .losses
    return PolicyRecipe(name: name, options: options) { context throws(MixingError) in
      var saved: Checkpoint?
      if let path = options["from"] {
        saved = try SavedPolicy(at: path).contents(as: Checkpoint.self, ofPolicy: name)
      }
      return TestLearner(
        reading: reading, context: context, from: saved, isFrozen: options["freeze"] == "true")
    }
  }

  var isSavable: Bool { reading != .nothing }

  func savedPolicy() throws(MixingError) -> SavedPolicy? {
    guard isSavable else { return nil }
    return try SavedPolicy(policy: Self.name, domainNames: domainNames, contents: state)
  }

  var mixture: Mixture {
    let count = Double(state.scores.values.count)
    // Scores in parts of their mean size, through a softmax's likeness without an exponential.
    let size = state.scores.values.reduce(0) { $0 + $1.magnitude } / count
    let powers = state.scores.values.map { score in
      let distance = max(0, 2 - (size > 0 ? score / size : 0))
      return 1 / (1 + distance * distance)
    }
    let sum = powers.reduce(0, +)
    let weights = powers.map { 0.7 * $0 / sum + 0.3 / count }
    return (try? Mixture(normalizing: weights)) ?? .uniform(domainCount: powers.count)
  }

  var reason: String { "test \(reading.rawValue) after \(state.observed)" }

  var feedbackNeeds: FeedbackNeeds {
    guard !isFrozen else { return .nothing }
    return switch reading {
    case .losses: FeedbackNeeds(losses: true)
    case .gradients: FeedbackNeeds(losses: true, gram: true, smoothing: 0.8, lagged: true)
    case .norms: FeedbackNeeds(norms: true)
    // Needs that change while the run goes on.
    case .halfway:
      state.observed < 6 ? FeedbackNeeds(losses: true) : FeedbackNeeds(smoothing: 0.5)
    case .nothing: .nothing
    }
  }

  var rewards: [Double]? { state.rewards }
  var checkpoint: Checkpoint { state }

  mutating func observe(_ feedback: Feedback) {
    state.observed += 1
    let rewards: [Double]
    switch reading {
    case .gradients:
      let lagged = feedback.gradients?.laggedAlignments ?? []
      rewards = zip(feedback.gradients?.alignments ?? [], lagged).map { 1e3 * $0 + 1e2 * $1 }
    case .halfway where feedback.gradients != nil:
      rewards = (feedback.gradients?.alignments ?? []).map { 1e3 * $0 }
    case .norms:
      let size = (feedback.updateNorms ?? []).reduce(0, +)
      rewards = state.scores.values.indices.map { Double($0) * size }
    default: rewards = feedback.losses.map { $0 ?? 0 }
    }
    state.rewards = rewards
    for (domain, reward) in rewards.enumerated() {
      state.scores.values[domain] = 0.5 * state.scores.values[domain] + 0.5 * reward
    }
  }

  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) { state = checkpoint }
}

/// Asks for what a recorded run asked for, step by step.
struct RecordedMixtures: MixturePolicy {
  struct Checkpoint: Codable, Sendable, Equatable {}

  static let name = "recorded"

  let mixtures: [Mixture]
  private(set) var mixture: Mixture
  let reason = "recorded"
  let feedbackNeeds = FeedbackNeeds.nothing
  let followsSteps = true
  let checkpoint = Checkpoint()

  static let entry = PolicyRegistry.Entry(
    name: name, summary: "A recorded trajectory.", options: ["ledger": "the ledger"]
  ) { options throws(MixingError) in
    guard let path = options["ledger"] else {
      throw .missingOption(policy: name, option: "ledger")
    }
    return PolicyRecipe(name: name, options: options) { _ throws(MixingError) in
      guard let ledger = try? Ledger(at: path) else {
        throw .fileUnreadable(path: path, errorNumber: 0)
      }
      var mixtures: [Mixture] = []
      for line in ledger.lines { mixtures.append(try Mixture(integerShares: line.asked)) }
      return RecordedMixtures(mixtures: mixtures, mixture: mixtures[0])
    }
  }

  mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {
    guard mixtures.indices.contains(upcoming.step - 1) else {
      throw .trajectoryStepMissing(
        source: "a test", step: upcoming.step, first: 1, last: mixtures.count)
    }
    mixture = mixtures[upcoming.step - 1]
  }

  mutating func observe(_ feedback: Feedback) {}
  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {}
}

/// The policies of this package and those of these tests.
let testRegistry: PolicyRegistry = {
  var registry = PolicyRegistry.builtIn
  try? registry.register(TestLearner.entry)
  try? registry.register(RecordedMixtures.entry)
  return registry
}()

extension RunScratch {
  /// A run of ``TestLearner`` on grouped rows.
  func learnerConfiguration(_ reading: TestLearner.Reading) -> RunConfiguration {
    var configuration = configuration()
    configuration.rows = 12
    configuration.policy = TestLearner.name
    configuration.policyOptions = ["reads": reading.rawValue]
    configuration.loader.grouping = .init(microBatchRows: 2, everyDomain: true)
    return configuration
  }

  func learnerRun(_ name: String, _ configuration: RunConfiguration) -> TrainingRun {
    TrainingRun(
      configuration, folder: RunFolder("\(path)/\(name)"), toolVersion: "test",
      registry: testRegistry)
  }
}
