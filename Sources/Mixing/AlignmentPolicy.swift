#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// More weight for domains whose gradients help all domains; without anything that is learned.
///
/// Two forms. With W_i the alignment of domain i with the sum of all domains:
///
///     soft     s ← .9 s + .1 mean_j |W_j|                  (the first mean at first)
///              π = softmax_i( ln p_i + η · clip(W_i / s, −3, 3) )
///     doge     x_i = clip(W_i / (mean_j ‖g_j‖ + 1e-6), low, high)
///              π_i ∝ α_i exp(η x_i / μ)
///     both     α ← (1 − u) π + u/K
///
/// - W: alignments `[domain]`, ⟨g_i, Σ_j g_j⟩. *soft* takes those of smoothed gradients
///   (``Settings/Memory/gradients``, ``GradientReport/alignments``) or the row sums of an average
///   of the steps' Gram matrices (``Settings/Memory/gram``, ``GramAverage``); *doge* takes those of
///   the step. Which self term they count is ``Settings/selfTerm``; where the step does not measure
///   the unbiased one, because a domain had one micro-batch, *doge* takes the average of those
///   before, with β = .9, and the square before there is any.
/// - ‖g_j‖: the norms of the step's domain gradients; the mean is over the domains that were seen.
/// - s: the scale of W, so that ratios between domains count and neither the model's size nor the
///   progress of training does. W = 0 throughout gives π = p.
/// - p: the initial mixture; α: the mixture. u: ``Settings/uniformShare``, the part that is spread
///   evenly, so that no α is below u/K.
/// - η: ``Settings/rate``. μ: ``Settings/bregmanWeight``. low, high: ``Settings/scoreRange``.
///
/// The soft form has no memory but that of W, so that a domain that has been learned loses its
/// weight at once; the exponentiated step integrates W and overshoots. Vectors are better averaged
/// than products are: the noise of a product of two averages is far below that of an average of
/// noisy products, so ``Settings/Memory/gradients`` is the default. It is the policy that a learned
/// one has to beat.
///
/// Why the clip at ±3: W_i / s can reach K where one domain is all there is; with η = 4 a
/// difference of 6 is already a ratio of e^24, and a larger one would only slow the way back.
///
/// Source: Fan, Pagliardini and Jaggi 2024, *DoGE: Domain Reweighting with Generalization
/// Estimation* (arXiv:2310.15393), the mirror ascent of the domain weights, and its repository,
/// `src/trainer.py` lines 628–638 and 750–760, for *doge*. *soft* is Headrace's own; β = .9, η = 4
/// and u = .25 (.05 each of five domains) are from simulations on linear regression.
///
/// Departures from the source: of *doge*, for the other form has none,
///
/// 1. The mixture is used in the same run, at the next step. In the source batches are uniform, the
///    gradients are weighted, and the mean mixture of a proxy run is what a second run uses; that
///    of any run of `headrace train` is its `mixture.json`, for `--policy static`.
/// 2. None in the self term, the measured square (`in`). The unbiased one (`cross`) is not better:
///    by `headrace bench policies` 1.70 ± .20, 1.74 ± .10 and 4.4 ± .5 of the uniform mixture's
///    excess loss in gaussian unequal, transfer and noisy (20 seeds), where `in` has .96 ± .11,
///    .96 ± .05 and 5.5 ± .4.
/// 3. η is fixed: the source's is the learning rate of the step.
/// 4. A domain that was not seen has x_i = 0 and no part in the mean norm; the source goes on with
///    its last gradient.
/// 5. Gradients are not clipped by domain here; a trainer may do so before it reports.
/// 6. No α counts as less than 2^-48, the least share of a mixture. A domain that was driven out
///    comes back once its score is the best for long enough, if it is still seen: at least one
///    micro-batch of every domain has to be asked for, or u > 0.
public struct AlignmentPolicy: MixturePolicy {
  /// Which rule it is.
  public enum Form: String, Sendable, CaseIterable {
    /// Floored softmax of scale-free alignments.
    case soft
    /// DoGE's exponentiated step.
    case doge
  }

  /// What was remembered.
  public struct Checkpoint: Codable, Sendable, Equatable {
    /// The options that the policy was made with.
    public let settings: [String: String]
    /// The last step that was observed, 0 if none.
    public let lastStep: Int
    /// s; nil before the first observation, and for doge.
    public let scale: Double?
    /// α in Double, before it became integers, `[domain]`.
    public let weights: PackedArray<Double>
    /// W of the last observation `[domain]`; empty if there was none.
    public let alignments: PackedArray<Double>
    /// ``GramAverage/sums`` `[domain, domain]`; empty without it.
    public let gramSums: PackedArray<Double>
    /// ``GramAverage/sumWeights`` `[domain, domain]`; empty without it.
    public let gramWeights: PackedArray<Double>

    private enum CodingKeys: String, CodingKey {
      case settings, scale, weights, alignments
      case lastStep = "last_step"
      case gramSums = "gram_sums"
      case gramWeights = "gram_weights"
    }
  }

  /// The name on the command line, `alignment`.
  public static let name = "alignment"

  /// The part of the scale that an observation leaves.
  private static let scaleSmoothing = 0.9
  /// The largest |W_i / s| that counts.
  private static let scoreLimit = 3.0
  /// β of the self terms that doge falls back to.
  private static let selfTermSmoothing = 0.9
  /// 2^-48, the least share that a mixture can hold.
  private static let leastWeight = 0x1p-48
  /// What is added to the mean norm: the source's.
  private static let normOffset = 1e-6

  /// What was chosen.
  public let settings: Settings
  /// α of the next step.
  public private(set) var mixture: Mixture
  /// p.
  private let initial: Mixture
  private var lastStep = 0
  private var scale: Double?
  private var weights: [Double]
  private var alignments: [Double] = []
  private var average: GramAverage?

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
    weights = initial.weights
    let smoothing: Double? =
      switch settings.form {
      case .soft: settings.memory == .gram ? settings.smoothing : nil
      case .doge: settings.selfTerm == .cross ? Self.selfTermSmoothing : nil
      }
    average = smoothing.map {
      GramAverage(
        domainCount: initial.domainCount, smoothing: $0, selfTerm: settings.selfTerm)
    }
  }

  /// Alignments of smoothed gradients, or the Gram matrix.
  public var feedbackNeeds: FeedbackNeeds {
    settings.form == .soft && settings.memory == .gradients
      ? FeedbackNeeds(smoothing: settings.smoothing) : FeedbackNeeds(gram: true)
  }

  /// The form, and whether it is warming up.
  public var reason: String {
    lastStep == 0 || lastStep < settings.warmUpStepCount
      ? "alignment \(settings.form.rawValue), initial \(settings.initial.summary)"
      : "alignment \(settings.form.rawValue)"
  }

  /// W_i / s (soft) or x_i (doge); nil before anything was observed.
  public var rewards: [Double]? { alignments.isEmpty ? nil : alignments }

  // MARK: Learning

  /// Updates what is remembered of the gradients, and the mixture.
  ///
  /// - Parameter feedback: validated, with what ``feedbackNeeds`` names.
  public mutating func observe(_ feedback: Feedback) {
    lastStep = feedback.step
    guard let scores = scores(feedback.gradients) else { return }
    alignments = scores
    guard lastStep >= settings.warmUpStepCount else { return }
    let rate = settings.form == .soft ? settings.rate : settings.rate / settings.bregmanWeight
    let logits = zip(start, scores).map { log($0.0) + DomainGram.bounded(rate * $0.1) }
    weights = Simplex.mixedWithUniform(Simplex.softmax(logits), share: settings.uniformShare)
    mixture = Mixture(learned: weights)
  }

  /// What the exponentials are multiplied by: p, or α.
  private var start: [Double] {
    guard settings.form == .doge else { return initial.weights }
    return zip(weights, initial.integerShares).map { weight, share in
      share > 0 ? max(weight, Self.leastWeight) : 0
    }
  }

  /// What the exponent is proportional to, `[domain]`; nil if the report does not say.
  private mutating func scores(_ report: GradientReport?) -> [Double]? {
    guard settings.form == .soft else { return exponentiatedScores(report) }
    guard let sums = smoothedSums(report) else { return nil }
    // Each part is divided before it is added, so that the mean cannot overflow.
    let mean = sums.reduce(0) { $0 + abs($1) / Double(sums.count) }
    let scale = scale.map { Self.scaleSmoothing * $0 + (1 - Self.scaleSmoothing) * mean } ?? mean
    self.scale = scale
    return sums.map { sum in
      scale > 0 ? min(max(sum / scale, -Self.scoreLimit), Self.scoreLimit) : 0
    }
  }

  /// W of the soft form.
  private mutating func smoothedSums(_ report: GradientReport?) -> [Double]? {
    guard average != nil else { return report?.alignments?.map(DomainGram.bounded) }
    guard let gram = DomainGram(report, domainCount: mixture.domainCount) else { return nil }
    average?.add(gram)
    return average?.rowSums
  }

  /// x of the exponentiated step.
  private mutating func exponentiatedScores(_ report: GradientReport?) -> [Double]? {
    guard let gram = DomainGram(report, domainCount: mixture.domainCount) else { return nil }
    average?.add(gram)
    let norm = gram.meanNorm + Self.normOffset
    let range = settings.scoreRange
    let sums = gram.rowSums(settings.selfTerm, fallback: average?.selfTerms)
    return sums.enumerated().map { domain, sum in
      gram.isSeen(domain) ? min(max(sum / norm, range.lowerBound), range.upperBound) : 0
    }
  }

  // MARK: Checkpoint

  /// What is remembered of the gradients, and the mixture.
  public var checkpoint: Checkpoint {
    Checkpoint(
      settings: settings.options, lastStep: lastStep, scale: scale,
      weights: PackedArray(weights), alignments: PackedArray(alignments),
      gramSums: PackedArray(average?.sums ?? []),
      gramWeights: PackedArray(average?.sumWeights ?? []))
  }

  /// Goes on with what was saved.
  ///
  /// - Parameter checkpoint: a checkpoint of an alignment policy with the same settings.
  /// - Throws: ``MixingError/checkpointOfOtherSetting(policy:option:saved:configured:)``,
  ///   ``MixingError/mixtureDomainCount(expected:found:)``, or
  ///   ``MixingError/checkpointMalformed(policy:underlying:)`` for numbers that no run has.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    try PolicySettings.requireSame(
      saved: checkpoint.settings, configured: settings.options, policy: Self.name)
    let (count, saved) = (initial.domainCount, checkpoint.weights.values)
    guard saved.count == count else {
      throw .mixtureDomainCount(expected: count, found: saved.count)
    }
    let (sums, sumWeights) = (checkpoint.gramSums.values, checkpoint.gramWeights.values)
    let isSound =
      checkpoint.lastStep >= 0 && [0, count].contains(checkpoint.alignments.values.count)
      && (checkpoint.alignments.values + sums + sumWeights).allSatisfy(\.isFinite)
      && checkpoint.scale.map { $0.isFinite && $0 >= 0 } ?? true
    guard isSound, let mixture = try? Mixture(normalizing: saved) else {
      throw .checkpointMalformed(policy: Self.name, underlying: PolicySettings.Fault.number)
    }
    guard average?.restore(sums: sums, sumWeights: sumWeights) ?? (sums.isEmpty) else {
      throw .checkpointMalformed(policy: Self.name, underlying: PolicySettings.Fault.number)
    }
    lastStep = checkpoint.lastStep
    scale = checkpoint.scale
    weights = saved
    alignments = checkpoint.alignments.values
    self.mixture = mixture
  }
}
