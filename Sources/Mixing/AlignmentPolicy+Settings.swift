extension AlignmentPolicy {
  /// What can be chosen of an ``AlignmentPolicy``.
  public struct Settings: Sendable, Equatable {
    /// What the soft form averages over the steps.
    public enum Memory: String, Sendable, CaseIterable {
      /// The gradients: the trainer keeps them, one vector per domain.
      case gradients
      /// Their inner products: the policy keeps them, K² numbers.
      case gram
    }

    /// Which rule it is.
    public let form: Form
    /// η, > 0: soft, per unit of W/s; doge, per unit of score.
    public let rate: Double
    /// u, the part of the mixture that is spread evenly, in [0, 1].
    public let uniformShare: Double
    /// β, the smoothing of gradients or Gram matrices, in [0, 1); not read by doge.
    public let smoothing: Double
    /// What the soft form averages.
    public let memory: Memory
    /// Which self term alignments count; with smoothed gradients it is the unbiased one.
    public let selfTerm: SelfTerm
    /// μ, the weight of the Bregman divergence from the last mixture, > 0; read by doge only.
    public let bregmanWeight: Double
    /// The least and the largest score; read by doge only.
    public let scoreRange: ClosedRange<Double>
    /// The steps with the initial mixture, ≥ 0.
    public let warmUpStepCount: Int
    /// p, the mixture before anything is observed, and where all alignments are alike.
    public let initial: StaticMixture

    /// Chooses the soft form.
    ///
    /// - Parameters:
    ///   - rate: η, > 0.
    ///   - uniformShare: u, in [0, 1].
    ///   - smoothing: β, in [0, 1).
    ///   - memory: what is averaged over the steps.
    ///   - selfTerm: which self term alignments count.
    ///   - warmUpStepCount: the steps with the initial mixture.
    ///   - initial: p.
    /// - Precondition: the numbers are in their ranges, and the self term is `cross` with smoothed
    ///   gradients, whose alignments are reported with it.
    public init(
      rate: Double = 4, uniformShare: Double = 0.25, smoothing: Double = 0.9,
      memory: Memory = .gradients, selfTerm: SelfTerm = .cross, warmUpStepCount: Int = 0,
      initial: StaticMixture = .uniform
    ) {
      precondition((0..<1).contains(smoothing), "a smoothing of \(smoothing) is not in [0, 1)")
      precondition(
        memory == .gram || selfTerm == .cross,
        "alignments of smoothed gradients have the unbiased self term")
      self.init(
        .soft, rate: rate, uniformShare: uniformShare, smoothing: smoothing, memory: memory,
        selfTerm: selfTerm, bregmanWeight: 1, scoreRange: 0...1,
        warmUpStepCount: warmUpStepCount, initial: initial)
    }

    /// Returns the exponentiated step; the defaults are DoGE's.
    ///
    /// - Parameters:
    ///   - rate: η, > 0.
    ///   - bregmanWeight: μ, > 0.
    ///   - scoreRange: the least and the largest score; 0 as the least drops all conflict.
    ///   - uniformShare: u, in [0, 1].
    ///   - selfTerm: which self term alignments count.
    ///   - warmUpStepCount: the steps with the initial mixture.
    ///   - initial: the first mixture.
    /// - Returns: the settings.
    /// - Precondition: the numbers are in their ranges.
    public static func doge(
      rate: Double = 5e-4, bregmanWeight: Double = 0.01,
      scoreRange: ClosedRange<Double> = 0...5, uniformShare: Double = 0,
      selfTerm: SelfTerm = .included, warmUpStepCount: Int = 0, initial: StaticMixture = .uniform
    ) -> Settings {
      Settings(
        .doge, rate: rate, uniformShare: uniformShare, smoothing: 0, memory: .gram,
        selfTerm: selfTerm, bregmanWeight: bregmanWeight, scoreRange: scoreRange,
        warmUpStepCount: warmUpStepCount, initial: initial)
    }

    private init(
      _ form: Form, rate: Double, uniformShare: Double, smoothing: Double, memory: Memory,
      selfTerm: SelfTerm, bregmanWeight: Double, scoreRange: ClosedRange<Double>,
      warmUpStepCount: Int, initial: StaticMixture
    ) {
      precondition(rate > 0 && rate.isFinite, "a rate of \(rate) is not > 0")
      precondition((0...1).contains(uniformShare), "a share of \(uniformShare) is not in [0, 1]")
      precondition(
        bregmanWeight > 0 && bregmanWeight.isFinite && (rate / bregmanWeight).isFinite,
        "μ = \(bregmanWeight) is not > 0, or η / μ is no number")
      precondition(
        scoreRange.lowerBound.isFinite && scoreRange.upperBound.isFinite, "\(scoreRange)")
      precondition(warmUpStepCount >= 0, "warm-up of \(warmUpStepCount) steps")
      self.form = form
      self.rate = rate
      self.uniformShare = uniformShare
      self.smoothing = smoothing
      self.memory = memory
      self.selfTerm = selfTerm
      self.bregmanWeight = bregmanWeight
      self.scoreRange = scoreRange
      self.warmUpStepCount = warmUpStepCount
      self.initial = initial
    }
  }

  /// What the registry knows.
  static let entry = PolicyRegistry.Entry(
    name: name, summary: "Gradient alignment without learning: soft, or DoGE's step.",
    options: StaticMixture.optionMeanings.merging([
      "form": "soft (default): a softmax of scale-free alignments; doge: the exponentiated step",
      "rate": "η (default 4; with form=doge 0.0005)",
      "uniform-share": "u, the part that is spread evenly (default 0.25; with form=doge 0)",
      "memory": "what form=soft averages: gradients (default; the trainer keeps them) or gram",
      "smoothing": "β of that average, in [0, 1) (default 0.9)",
      "self":
        "the self term: cross (default, unbiased), in (default of form=doge) or out; in and out need "
        + "memory=gram or form=doge",
      "bregman-weight": "μ of form=doge (default 0.01)",
      "score-low": "the least score of form=doge (default 0)",
      "score-high": "the largest score of form=doge (default 5)",
      "warm-up": "the steps with the initial mixture (default 0)",
      "mixture": "the initial mixture: natural, uniform (default), temperature, weights or regmix",
    ]) { $1 }
  ) { values throws(MixingError) in .alignment(try Settings(values)) }
}

extension AlignmentPolicy.Settings {
  /// The options by which the same is asked for by name.
  package var options: [String: String] {
    var options = initial.options
    options["form"] = form.rawValue
    options["rate"] = "\(rate)"
    options["uniform-share"] = "\(uniformShare)"
    options["self"] = selfTerm.rawValue
    options["warm-up"] = "\(warmUpStepCount)"
    if form == .soft {
      options["memory"] = memory.rawValue
      options["smoothing"] = "\(smoothing)"
    } else {
      options["bregman-weight"] = "\(bregmanWeight)"
      options["score-low"] = "\(scoreRange.lowerBound)"
      options["score-high"] = "\(scoreRange.upperBound)"
    }
    return options
  }

  /// Reads option values.
  init(_ values: [String: String]) throws(MixingError) {
    let options = PolicyOptions(values, ofPolicy: AlignmentPolicy.name)
    let form = try options.choice("form", default: AlignmentPolicy.Form.soft)
    let isSoft = form == .soft
    let unread =
      isSoft ? ["bregman-weight", "score-low", "score-high"] : ["memory", "smoothing"]
    for option in unread { try options.refuse(option, with: "form=\(form.rawValue)") }
    let memory = try options.choice("memory", default: Memory.gradients)
    let selfTerm = try options.choice("self", default: isSoft ? SelfTerm.cross : .included)
    guard !isSoft || memory == .gram || selfTerm == .cross else {
      throw options.malformed("self", expected: "cross, or memory=gram, or form=doge")
    }
    let low = try options.number("score-low", default: 0, in: -1e6...1e6)
    let high = try options.number("score-high", default: 5, in: -1e6...1e6)
    guard low <= high else {
      throw options.malformed("score-high", expected: "a number of at least score-low")
    }
    self.init(
      form, rate: try options.number("rate", default: isSoft ? 4 : 5e-4, in: 1e-9...1e3),
      uniformShare: try options.number("uniform-share", default: isSoft ? 0.25 : 0, in: 0...1),
      smoothing: isSoft ? try options.number("smoothing", default: 0.9, in: 0...0.999_999) : 0,
      memory: isSoft ? memory : .gram, selfTerm: selfTerm,
      bregmanWeight: try options.number(
        "bregman-weight", default: isSoft ? 1 : 0.01, in: 1e-9...1e6),
      scoreRange: isSoft ? 0...1 : low...high,
      warmUpStepCount: try options.integer("warm-up", default: 0, in: 0...Int.max - 1),
      initial: try options.initialMixture(default: .uniform))
  }
}

extension PolicyRecipe {
  /// Returns the recipe of gradient alignment.
  ///
  /// - Parameter settings: what can be chosen.
  /// - Returns: a recipe for an ``AlignmentPolicy``.
  public static func alignment(_ settings: AlignmentPolicy.Settings = .init()) -> PolicyRecipe {
    PolicyRecipe(name: AlignmentPolicy.name, options: settings.options) {
      context throws(MixingError) in
      try AlignmentPolicy(settings, in: context)
    }
  }
}
