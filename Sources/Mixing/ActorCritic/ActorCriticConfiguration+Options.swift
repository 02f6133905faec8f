extension ActorCriticConfiguration {
  /// The options of the preset `repaired`, and what each means.
  static let optionMeanings = [
    "state":
      "what the networks see: full (default), gram (no smoothed gradients) or paper (losses, "
      + "counts, norms)",
    "reward": "what a step's gradients are worth: lagged (default), cross, in or out (self term)",
    "control": "none (default), frozen-random, no-critic or no-actor",
    "gamma": "the discount of what later steps bring (default 0; paper, released: 0.95)",
    "tau": "with gamma: how fast the target network follows (default 0.01; paper, released: 0.001)",
    "entropy": "lambda, what a nat of entropy is worth in units of reward (default 0.25)",
    "move-cost": "kappa, what a nat of distance from the last action costs (default 0)",
    "uniform-share": "rho, the part of the mixture that is spread evenly (default 0.25)",
    "warm-up":
      "the observed steps before the actor decides (default 20; paper, released: 2 % of the run)",
    "mixture":
      "before the actor decides: uniform (default), natural, temperature, weights or regmix",
    "exponent": "with mixture=temperature: 0 is uniform, 1 natural",
    "weights": "with mixture=weights: domain=weight,domain=weight,… summing to 1",
    "file": "with mixture=regmix: the path of a mixture.json",
    "learning-rate": "of both networks (default 0.01; paper, released: the largest)",
    "decay": "of both networks' parameters, decoupled (default 0.5; paper, released: 0.1)",
    "updates": "updates of both networks per step (default 2)",
    "transitions": "past steps that an update learns from (default 16; paper, released: 32)",
    "units": "of the hidden layers (default 16)",
    "capacity": "the steps that are remembered (default 4096; paper, released: 10000)",
    "smoothing": "beta of the smoothed gradients (default 0.9)",
    "half-weight":
      "the variance at which the critic gives a domain's rewards half the weight (0.15 "
      + "with state=gram, else none)",
    "seed": "of initial parameters and of what is replayed (default 0)",
    "freeze":
      "true: learn nothing and have no gradients measured, for a policy that was saved; it needs "
      + "state=paper, or measured",
    "measured":
      "with freeze: true has the gradients measured that state=full and state=gram read",
  ]

  /// Reads the configuration from option values.
  ///
  /// - Throws: ``MixingError/malformedOption(policy:option:value:expected:)``.
  init(_ options: PolicyOptions) throws(MixingError) {
    self.init()
    state = try options.choice("state", default: state)
    if options.values["reward"] != nil {
      reward = try options.choice("reward", default: .lagged)
    }
    control = try options.choice("control", default: control)
    initial = try options.initialMixture(default: initial)
    isFrozen = try options.flag("freeze", default: isFrozen)
    isMeasuredWhenFrozen = try options.flag("measured", default: isMeasuredWhenFrozen)
    try readObjective(options)
    try readLearning(options)
    for (unread, reason) in unreadOptions(options) {
      for option in unread { try options.refuse(option, with: reason) }
    }
    try checkStart(fromSaved: options.values["from"] != nil)
  }

  /// The options that are read while something is learned only.
  private static let learningOptions = [
    "reward", "gamma", "tau", "move-cost", "warm-up", "learning-rate", "decay", "updates",
    "transitions", "capacity", "half-weight",
  ]

  /// The options that others leave without meaning, with those.
  private func unreadOptions(_ options: PolicyOptions) -> [([String], with: String)] {
    let name = "control=\(control.rawValue)"
    var unread: [([String], with: String)] = []
    if isFrozen {
      unread.append((Self.learningOptions + ["seed"], "freeze=true"))
      if control != .noActor { unread.append((["entropy", "control"], "freeze=true")) }
    }
    if options.values["from"] != nil {
      unread.append((["warm-up"], "from"))
      if !isFrozen { unread.append((["measured"], "freeze=false")) }
    }
    switch control {
    case .none: break
    case .frozenRandom: unread.append((Self.learningOptions + ["entropy", "from"], name))
    case .noCritic: unread.append((["gamma", "tau", "half-weight"], name))
    case .noActor: unread.append((["move-cost"], name))
    }
    if discount == 0 { unread.append((["tau"], "gamma=0")) }
    if feedbackNeeds.smoothing == nil {
      unread.append((["smoothing"], isFrozen ? "freeze=true" : "state=\(state.rawValue)"))
    }
    return unread
  }

  private mutating func readObjective(_ options: PolicyOptions) throws(MixingError) {
    discount = try options.number("gamma", default: discount, in: 0...0.9999)
    softUpdateRate = try options.number("tau", default: softUpdateRate, in: 1e-9...1)
    entropyWorth = try options.number("entropy", default: entropyWorth, in: 1e-6...1e6)
    moveCost = try options.number("move-cost", default: moveCost, in: 0...1e6)
    uniformShare = try options.number("uniform-share", default: uniformShare, in: 0...1)
    warmUpStepCount = try options.integer(
      "warm-up", default: warmUpStepCount, in: 0...1_000_000_000)
  }

  private mutating func readLearning(_ options: PolicyOptions) throws(MixingError) {
    learningRate = try options.number("learning-rate", default: learningRate, in: 1e-9...1)
    decay = try options.number("decay", default: decay, in: 0...1)
    updatesPerStep = try options.integer("updates", default: updatesPerStep, in: 0...1000)
    transitionsPerUpdate = try options.integer(
      "transitions", default: transitionsPerUpdate, in: 1...10_000)
    unitCount = try options.integer("units", default: unitCount, in: 1...4096)
    capacity = try options.integer("capacity", default: capacity, in: 2...10_000_000)
    if options.values["half-weight"] != nil {
      halfWeightVariance = try options.number("half-weight", default: 1, in: 1e-6...1e6)
    }
    smoothing = try options.number("smoothing", default: smoothing, in: 0...0.9999)
    seed = UInt64(try options.integer("seed", default: 0, in: 0...Int.max))
  }

  /// The options by which the same is asked for by name, but for the saved policy.
  var options: [String: String] {
    var options = initial.options
    options["preset"] = ActorCriticPolicy.preset
    options["state"] = state.rawValue
    options["reward"] = rewardForm.rawValue
    options["control"] = control.rawValue
    options["gamma"] = "\(discount)"
    options["tau"] = "\(softUpdateRate)"
    options["entropy"] = "\(entropyWorth)"
    options["move-cost"] = "\(moveCost)"
    options["uniform-share"] = "\(uniformShare)"
    options["warm-up"] = "\(warmUpStepCount)"
    options["learning-rate"] = "\(learningRate)"
    options["decay"] = "\(decay)"
    options["updates"] = "\(updatesPerStep)"
    options["transitions"] = "\(transitionsPerUpdate)"
    options["units"] = "\(unitCount)"
    options["capacity"] = "\(capacity)"
    options["half-weight"] = noiseVariance.isFinite ? "\(noiseVariance)" : nil
    options["smoothing"] = "\(smoothing)"
    options["seed"] = "\(seed)"
    options["freeze"] = "\(isFrozen)"
    options["measured"] = isMeasuredWhenFrozen ? "true" : nil
    return options
  }
}
