/// How the presets `paper` and `released` of `ac-odm` are set; see ``PublishedActorCriticPolicy``.
public struct PublishedConfiguration: Sendable {
  /// `paper` or `released`.
  public var form = ActorCriticPreset.released
  /// Units of each hidden layer; 1024 in the source.
  public var width = 1024
  /// Hidden layers; 5 in the source.
  public var layerCount = 5
  /// Transitions that are remembered; 10,000 in the source.
  public var capacity = 10_000
  /// Transitions per update; 32 in the source.
  public var transitionsPerUpdate = 32
  /// γ; .95 in the source.
  public var discount = 0.95
  /// τ; .001 in the source.
  public var softUpdateRate = 0.001
  /// The largest learning rate; .01 in the source's schedule.
  public var learningRateMaximum = 0.01
  /// The last learning rate; .001 in the source's schedule.
  public var learningRateMinimum = 0.001
  /// Decoupled weight decay; .1 in the source.
  public var decay = 0.1
  /// Steps before the actor decides; nil for 2 % of the planned ones, as in the source.
  public var warmUpStepCount: Int?
  /// ξ, how much of the paper's reward is kept per step; the source's value is not known.
  public var rewardSmoothing = 0.9
  /// The seed of initial parameters, noise and what is replayed.
  public var seed: UInt64 = 0
  /// Whether nothing is learned; for a policy that was saved.
  public var isFrozen = false

  /// Creates the configuration of the source.
  public init() {}

  /// What has to be measured; of so many layers, once networks are made for them.
  func feedbackNeeds(watchedCount: Int?) -> FeedbackNeeds {
    FeedbackNeeds(losses: true, gram: !isFrozen, norms: true, layerCount: watchedCount)
  }

  /// The shape of the actor for so many domains and watched layers.
  func actorShape(domainCount: Int, watchedCount: Int) -> DenseNetwork.Shape {
    DenseNetwork.Shape(
      inputCount: Self.stateWidth(domainCount: domainCount, watchedCount: watchedCount),
      width: width, layerCount: layerCount, outputCount: domainCount)
  }

  /// The shape of the critic: one value for each domain in the code, one in the paper.
  func criticShape(domainCount: Int, watchedCount: Int) -> DenseNetwork.Shape {
    var shape = actorShape(domainCount: domainCount, watchedCount: watchedCount)
    shape.inputCount += domainCount
    shape.outputCount = form == .paper ? 1 : domainCount
    return shape
  }

  /// 3K + 2L + 1, the numbers of the policy state.
  static func stateWidth(domainCount: Int, watchedCount: Int) -> Int {
    3 * domainCount + 2 * watchedCount + 1
  }
}

extension PublishedConfiguration {
  /// The options of the two presets, and what each means.
  static let optionMeanings = [
    "width": "paper, released: units of each hidden layer (default 1024)",
    "layers": "paper, released: hidden layers (default 5)",
    "learning-rate-minimum": "paper, released: the last learning rate (default 0.001)",
    "reward-smoothing": "paper: xi, how much of the reward is kept per step (default 0.9)",
  ]

  /// The options of the preset `repaired` that these have too.
  static let sharedOptions: Set = [
    "preset", "from", "freeze", "seed", "gamma", "tau", "learning-rate", "decay", "capacity",
    "transitions", "warm-up",
  ]

  /// Reads the configuration from option values.
  ///
  /// - Throws: ``MixingError/malformedOption(policy:option:value:expected:)``.
  init(_ form: ActorCriticPreset, _ options: PolicyOptions) throws(MixingError) {
    self.init()
    self.form = form
    width = try options.integer("width", default: width, in: 1...16_384)
    layerCount = try options.integer("layers", default: layerCount, in: 1...64)
    capacity = try options.integer("capacity", default: capacity, in: 2...10_000_000)
    transitionsPerUpdate = try options.integer(
      "transitions", default: transitionsPerUpdate, in: 1...10_000)
    discount = try options.number("gamma", default: discount, in: 0...0.9999)
    softUpdateRate = try options.number("tau", default: softUpdateRate, in: 1e-9...1)
    learningRateMaximum = try options.number(
      "learning-rate", default: learningRateMaximum, in: 1e-9...1)
    learningRateMinimum = try options.number(
      "learning-rate-minimum", default: min(learningRateMinimum, learningRateMaximum), in: 0...1)
    guard learningRateMinimum <= learningRateMaximum else {
      throw options.malformed(
        "learning-rate-minimum", expected: "at most the learning rate, \(learningRateMaximum)")
    }
    decay = try options.number("decay", default: decay, in: 0...1)
    if options.values["warm-up"] != nil {
      warmUpStepCount = try options.integer("warm-up", default: 0, in: 0...1_000_000_000)
    }
    rewardSmoothing = try options.number(
      "reward-smoothing", default: rewardSmoothing, in: 0...0.9999)
    seed = UInt64(try options.integer("seed", default: 0, in: 0...Int.max))
    isFrozen = try options.flag("freeze", default: isFrozen)
    if form == .released { try options.refuse("reward-smoothing", with: "preset=released") }
    if options.values["from"] != nil { try options.refuse("warm-up", with: "from") }
    guard isFrozen else { return }
    for option in Self.learningOptions { try options.refuse(option, with: "freeze=true") }
  }

  /// The options that are read while something is learned only.
  private static let learningOptions = [
    "capacity", "transitions", "gamma", "tau", "learning-rate", "learning-rate-minimum", "decay",
    "reward-smoothing", "seed",
  ]

  /// The options by which the same is asked for by name, but for the saved policy.
  var options: [String: String] {
    var options = [
      "preset": form.rawValue, "width": "\(width)", "layers": "\(layerCount)",
      "capacity": "\(capacity)", "transitions": "\(transitionsPerUpdate)", "gamma": "\(discount)",
      "tau": "\(softUpdateRate)", "learning-rate": "\(learningRateMaximum)",
      "learning-rate-minimum": "\(learningRateMinimum)", "decay": "\(decay)",
      "reward-smoothing": "\(rewardSmoothing)", "seed": "\(seed)", "freeze": "\(isFrozen)",
    ]
    options["warm-up"] = warmUpStepCount.map { "\($0)" }
    return options
  }
}
