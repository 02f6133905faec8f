extension ActorCriticConfiguration {
  /// The options of the preset `repaired`, and what each means.
  static let optionMeanings = [
    "state":
      "what the networks see: full (default), gram (no smoothed gradients) or paper (losses, "
      + "counts, norms)",
    "reward": "what a step's gradients are worth: lagged (default), cross, in or out (self term)",
    "control": "none (default), frozen-random, no-critic or no-actor",
    "gamma": "the discount of what later steps bring, 0 by default",
    "tau": "with gamma: how fast the target network follows",
    "entropy": "lambda, what a nat of entropy is worth in units of reward",
    "move-cost": "kappa, what a nat of distance from the last action costs, 0 by default",
    "uniform-share": "rho, the part of the mixture that is spread evenly",
    "warm-up": "the observed steps before the actor decides",
    "mixture":
      "before the actor decides: uniform (default), natural, temperature, weights or regmix",
    "exponent": "with mixture=temperature: 0 is uniform, 1 natural",
    "weights": "with mixture=weights: domain=weight,domain=weight,… summing to 1",
    "file": "with mixture=regmix: the path of a mixture.json",
    "learning-rate": "of both networks",
    "decay": "of both networks' parameters, decoupled",
    "updates": "updates of both networks per step",
    "transitions": "past steps that an update learns from",
    "units": "of the hidden layers",
    "capacity": "the steps that are remembered",
    "smoothing": "beta of the smoothed gradients",
    "half-weight":
      "the variance at which the critic gives a domain's rewards half the weight (0.15 "
      + "with state=gram, else none)",
    "seed": "of initial parameters and of what is replayed",
    "freeze": "true: learn nothing, for a policy that was saved",
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
    try readObjective(options)
    try readLearning(options)
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
    return options
  }
}
