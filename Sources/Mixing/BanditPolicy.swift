#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// ODM: a bandit whose arms are the domains and whose rewards are their training losses.
///
/// Three forms, for domains i = 1 … K and the mixture π_t of step t. Of the domains that were seen
/// in the step before:
///
///     code     R_i ← a R_i + (1 − a) exp(L_i)
///              π_t(i) = (1 − K ε_t) R_i / Σ_j R_j + ε_t
///     paper    R_i ← a R_i + (1 − a) L_i / π_{t−1}(i)
///              π_t(i) = (1 − K ε_t) exp(ε_{t−1} R_i) / Σ_j exp(ε_{t−1} R_j) + ε_t
///     exp3     R_i ← R_i + b_i r_i / π_{t−1}(i),   r_i = min(max(L_i / M, 0), 1)
///              π_t as in paper
///     all      ε_t = min(1/K, sqrt(ln K / (K t)))
///
/// - R: the estimates `[domain]`, 0 at first; in units of a perplexity (code), nats per token over
///   a share (paper), or rewards (exp3). Domains that were not seen keep theirs.
/// - L: ``Feedback/losses`` `[domain]`, nats per token.
/// - π_{t−1}(i): ``Feedback/shares``, what the step was drawn by, or else what was asked for last.
/// - b_i: the share of the step's tokens that were domain i's, so that b_i / π(i) has expectation 1
///   and r_i b_i / π(i) is an unbiased estimate of r_i for batches of any size.
/// - a: ``Settings/smoothing``, in [0, 1). M: ``Settings/lossScale``, nats per token, > 0.
/// - t: the step that the mixture is for, 1 more than the last one observed.
/// - ε_t: ``explorationRate(atStep:domainCount:)``. Up to t = K ln K it is 1/K, and the mixture is
///   uniform whatever R is.
///
/// Which form to take. *code* is the default because it is what the published results were run
/// with. It draws in proportion to smoothed perplexity: while losses stand still it is
/// (1 − K ε) softmax(L) + ε, exactly. So it favors a domain that cannot be learned, for as long as
/// its loss is high. *paper* tends to the uniform mixture as t grows: R is bounded and ε falls.
/// Neither has a regret bound. *exp3* has: against the best single domain its regret falls per step
/// as sqrt(K ln K / t). With M = 10 and losses up to 10 it is the repository's Exp3, whose rewards
/// are divided by 10; a smaller M learns faster.
///
/// Source: Albalak, Pan, Raffel and Wang 2023, *Efficient Online Data Mixing For Language Model
/// Pre-Training* (arXiv:2312.02406): the update and mixture equations of its algorithm, and the
/// authors' repository online-data-mixing, `megatron/data/data_sampling_utils.py`, lines 392 (ε),
/// 455–528 (code) and 354–453 (exp3). Exp3: Auer, Cesa-Bianchi, Freund and Schapire 2002, *The
/// Nonstochastic Multiarmed Bandit Problem* (SIAM J. Comput. 32), figure 1.
///
/// Departures from the source:
///
/// 1. Perplexities are kept as logarithms (code): exp(L) overflows at L = 710, ln R does not.
/// 2. Estimates are collected in warm-up steps too; in the repository the first mixture behind
///    warm-up gives domains that the first batch happened to lack only ε.
/// 3. Warm-up is 0 steps unless asked for; the source's is 2 % of the run, at the corpus's own
///    shares. Before anything is observed the initial mixture holds.
/// 4. paper: ε_{t−1} belongs to the step before, also right behind warm-up, where the repository
///    has 1/K once. L_i / π(i) is limited to ±1e300.
/// 5. exp3: several domains are seen in a step, and each counts by the share of tokens that it
///    gave; losses outside [0, M] count as 0 or 1.
/// 6. A domain that was drawn by a share of 0 keeps its estimate (paper, exp3).
public struct BanditPolicy: MixturePolicy {
  /// Which bandit it is.
  public enum Form: String, Sendable, CaseIterable {
    /// The repository's: proportional to smoothed perplexity.
    case code
    /// The paper's: importance-weighted average losses, Gibbs.
    case paper
    /// Exp3: importance-weighted cumulative rewards, Gibbs.
    case exp3
  }

  /// What can be chosen.
  public struct Settings: Sendable, Equatable {
    /// Which bandit it is.
    public let form: Form
    /// a, the part of an estimate that one observation leaves, in [0, 1); not read by exp3.
    public let smoothing: Double
    /// M, the loss in nats per token that is the reward 1, > 0; read by exp3 only.
    public let lossScale: Double
    /// The steps with the initial mixture, ≥ 0.
    public let warmUpStepCount: Int
    /// The mixture before anything is observed, and in warm-up.
    public let initial: StaticMixture

    /// Chooses.
    ///
    /// - Parameters:
    ///   - form: which bandit it is.
    ///   - smoothing: a, in [0, 1); 0.5 is what the published runs had.
    ///   - lossScale: M, > 0.
    ///   - warmUpStepCount: the steps with the initial mixture.
    ///   - initial: the mixture before anything is observed.
    /// - Precondition: the numbers are in their ranges.
    public init(
      form: Form = .code, smoothing: Double = 0.5, lossScale: Double = 10,
      warmUpStepCount: Int = 0, initial: StaticMixture = .natural
    ) {
      precondition((0..<1).contains(smoothing), "a smoothing of \(smoothing) is not in [0, 1)")
      precondition(lossScale > 0 && lossScale.isFinite, "a loss scale of \(lossScale) is not > 0")
      precondition(warmUpStepCount >= 0, "warm-up of \(warmUpStepCount) steps")
      self.form = form
      self.smoothing = smoothing
      self.lossScale = lossScale
      self.warmUpStepCount = warmUpStepCount
      self.initial = initial
    }
  }

  /// The estimates and the step up to which they are.
  public struct Checkpoint: Codable, Sendable, Equatable {
    /// The options that the policy was made with.
    public let settings: [String: String]
    /// The last step that was observed, 0 if none.
    public let lastStep: Int
    /// ln R (code) or R `[domain]`; −∞ is the logarithm of 0.
    public let estimates: PackedArray<Double>
    /// The mixture that was asked for last.
    public let mixture: Mixture

    private enum CodingKeys: String, CodingKey {
      case settings, estimates, mixture
      case lastStep = "last_step"
    }
  }

  /// The name on the command line, `odm`.
  public static let name = "odm"

  /// A larger importance-weighted loss, in magnitude, counts as this, so that sums stay finite.
  private static let weightedLossLimit = 1e300

  /// What was chosen.
  public let settings: Settings
  /// π of the next step.
  public private(set) var mixture: Mixture
  private let initial: Mixture
  private var lastStep = 0
  /// ln R (code) or R (paper, exp3), `[domain]`.
  private var estimates: [Double]

  /// Creates a policy for a corpus.
  ///
  /// - Parameters:
  ///   - settings: what can be chosen.
  ///   - context: the domains of the corpus.
  /// - Throws: what ``StaticMixture/mixture(in:)`` throws for the initial mixture.
  public init(_ settings: Settings = Settings(), in context: PolicyContext) throws(MixingError) {
    self.settings = settings
    initial = try settings.initial.mixture(in: context)
    mixture = initial
    estimates = [Double](
      repeating: settings.form == .code ? -.infinity : 0, count: initial.domainCount)
  }

  /// Returns ε_t, the least share of a domain at a step, in [0, 1/K].
  ///
  /// - Parameters:
  ///   - step: t, counted from 1.
  ///   - domainCount: K.
  /// - Returns: min(1/K, sqrt(ln K / (K t))), so that K·ε_t ≤ 1; 0 for one domain.
  /// - Precondition: both are at least 1.
  public static func explorationRate(atStep step: Int, domainCount: Int) -> Double {
    precondition(step >= 1 && domainCount >= 1, "step \(step) of \(domainCount) domains")
    let count = Double(domainCount)
    return min(1 / count, (log(count) / (count * Double(step))).squareRoot())
  }

  /// Returns (1 − K·floor)·softmax(logits) + floor.
  ///
  /// - Parameters:
  ///   - logits: `[domain]`, below +∞.
  ///   - floor: ε, in [0, 1/K].
  /// - Returns: the weights.
  package static func explored(_ logits: [Double], floor: Double) -> [Double] {
    Simplex.mixedWithUniform(
      Simplex.softmax(logits), share: min(1, floor * Double(logits.count)))
  }

  // MARK: Learning

  /// Losses, and nothing else.
  public var feedbackNeeds: FeedbackNeeds { FeedbackNeeds(losses: true) }

  /// The form, and whether it is warming up.
  public var reason: String {
    lastStep < settings.warmUpStepCount || lastStep == 0
      ? "odm \(settings.form.rawValue), initial \(settings.initial.summary)"
      : "odm \(settings.form.rawValue)"
  }

  /// R_i / Σ_j R_j (code: the share of smoothed perplexity, in [0, 1]) or R_i (paper, exp3); nil
  /// before anything was observed.
  public var rewards: [Double]? {
    guard lastStep > 0 else { return nil }
    return settings.form == .code ? Simplex.softmax(estimates) : estimates
  }

  /// Updates the estimates of the domains that were seen, and the mixture.
  ///
  /// - Parameter feedback: validated; without any loss it changes nothing.
  public mutating func observe(_ feedback: Feedback) {
    guard feedback.losses.contains(where: { $0 != nil }) else { return }
    let shares = feedback.shares ?? mixture.weights
    switch settings.form {
    case .code: averagePerplexities(feedback.losses)
    case .paper: averageLosses(feedback.losses, shares: shares)
    case .exp3: addRewards(feedback, shares: shares)
    }
    lastStep = feedback.step
    guard lastStep >= settings.warmUpStepCount else { return }
    mixture = Mixture(learned: weights(atStep: lastStep + 1))
  }

  /// code, on logarithms: ln R ← ln(exp(ln a + ln R) + exp(ln(1 − a) + L)).
  private mutating func averagePerplexities(_ losses: [Double?]) {
    let (kept, added) = (log(settings.smoothing), log(1 - settings.smoothing))
    for (domain, loss) in losses.enumerated() {
      guard let loss else { continue }
      estimates[domain] = Simplex.logAdd(kept + estimates[domain], added + loss)
    }
  }

  /// paper.
  private mutating func averageLosses(_ losses: [Double?], shares: [Double]) {
    let (smoothing, limit) = (settings.smoothing, Self.weightedLossLimit)
    for (domain, loss) in losses.enumerated() {
      guard let loss, shares[domain] > 0 else { continue }
      let weighted = min(max(loss / shares[domain], -limit), limit)
      estimates[domain] = smoothing * estimates[domain] + (1 - smoothing) * weighted
    }
  }

  /// exp3.
  private mutating func addRewards(_ feedback: Feedback, shares: [Double]) {
    let tokenCounts = feedback.tokenCounts.map(Double.init)
    let tokenTotal = tokenCounts.reduce(0, +)
    let seenCount = Double(feedback.losses.count { $0 != nil })
    for (domain, loss) in feedback.losses.enumerated() {
      guard let loss, shares[domain] > 0 else { continue }
      let given = tokenTotal > 0 ? tokenCounts[domain] / tokenTotal : 1 / seenCount
      let reward = min(max(loss / settings.lossScale, 0), 1)
      estimates[domain] += given * reward / shares[domain]
    }
  }

  /// π_t.
  private func weights(atStep step: Int) -> [Double] {
    let count = estimates.count
    let floor = Self.explorationRate(atStep: step, domainCount: count)
    guard settings.form != .code else { return Self.explored(estimates, floor: floor) }
    let inner = Self.explorationRate(atStep: max(1, step - 1), domainCount: count)
    return Self.explored(estimates.map { inner * $0 }, floor: floor)
  }

  // MARK: Checkpoint

  /// The estimates, the step and the mixture.
  public var checkpoint: Checkpoint {
    Checkpoint(
      settings: settings.options, lastStep: lastStep, estimates: PackedArray(estimates),
      mixture: mixture)
  }

  /// Goes on with the estimates that were saved.
  ///
  /// - Parameter checkpoint: a checkpoint of a bandit with the same settings.
  /// - Throws: ``MixingError/checkpointOfOtherSetting(policy:option:saved:configured:)``,
  ///   ``MixingError/mixtureDomainCount(expected:found:)``, or
  ///   ``MixingError/checkpointMalformed(policy:underlying:)`` for estimates that no run has.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    try PolicySettings.requireSame(
      saved: checkpoint.settings, configured: settings.options, policy: Self.name)
    for count in [checkpoint.mixture.domainCount, checkpoint.estimates.values.count] {
      guard count == mixture.domainCount else {
        throw .mixtureDomainCount(expected: mixture.domainCount, found: count)
      }
    }
    let isSound = checkpoint.estimates.values.allSatisfy {
      $0.isFinite || (settings.form == .code && $0 == -.infinity)
    }
    guard isSound, checkpoint.lastStep >= 0 else {
      throw .checkpointMalformed(policy: Self.name, underlying: PolicySettings.Fault.number)
    }
    lastStep = checkpoint.lastStep
    estimates = checkpoint.estimates.values
    mixture = checkpoint.mixture
  }
}

// MARK: By name

extension BanditPolicy.Settings {
  /// The options by which the same is asked for by name.
  package var options: [String: String] {
    var options = initial.options
    options["form"] = form.rawValue
    options["warm-up"] = "\(warmUpStepCount)"
    if form == .exp3 {
      options["loss-scale"] = "\(lossScale)"
    } else {
      options["smoothing"] = "\(smoothing)"
    }
    return options
  }

  /// Reads option values.
  init(_ values: [String: String]) throws(MixingError) {
    let options = PolicyOptions(values, ofPolicy: BanditPolicy.name)
    let form = try options.choice("form", default: BanditPolicy.Form.code)
    try options.refuse(form == .exp3 ? "smoothing" : "loss-scale", with: "form=\(form.rawValue)")
    self.init(
      form: form,
      smoothing: try options.number("smoothing", default: 0.5, in: 0...0.999_999),
      lossScale: try options.number("loss-scale", default: 10, in: 1e-6...1e6),
      warmUpStepCount: try options.integer("warm-up", default: 0, in: 0...Int.max - 1),
      initial: try options.initialMixture(default: .natural))
  }
}

extension BanditPolicy {
  /// What the registry knows.
  static let entry = PolicyRegistry.Entry(
    name: name, summary: "A bandit on the losses (ODM), or Exp3.",
    options: StaticMixture.optionMeanings.merging([
      "form": "code (default): shares of smoothed perplexity; paper: importance-weighted losses; "
        + "exp3: cumulative rewards",
      "smoothing": "a, what one observation leaves of an estimate, in [0, 1) (default 0.5)",
      "loss-scale": "with form=exp3: the loss that counts as the reward 1 (default 10)",
      "warm-up": "the steps with the initial mixture (default 0)",
    ]) { $1 }
  ) { values throws(MixingError) in .odm(try Settings(values)) }
}

extension PolicyRecipe {
  /// Returns the recipe of the bandit on the losses.
  ///
  /// - Parameter settings: what can be chosen.
  /// - Returns: a recipe for a ``BanditPolicy``.
  public static func odm(_ settings: BanditPolicy.Settings = .init()) -> PolicyRecipe {
    PolicyRecipe(name: BanditPolicy.name, options: settings.options) {
      context throws(MixingError) in
      try BanditPolicy(settings, in: context)
    }
  }
}
