/// The mixture of the least weighted loss between floors and caps, with a proof of how good it is.
///
///     min over r of F(r) = Σ_i w_i L_i(r) + λ·KL(r ‖ prior),   floor ≤ r ≤ cap,  Σ r = 1
///     F(r) − min F ≤ gap = g · (r − s)
///
/// - L_i, w_i: convex models of losses and their weights.
/// - g: the gradient of F at r.
/// - s: the mixture with the least g · s: the cheapest domains filled up to their caps.
///
/// F lies above its tangent, so that ``gap`` bounds what any other mixture could gain; whoever
/// doubts the solver checks the gap.
///
/// Accelerated projected gradient steps come near; Newton steps on the domains that are neither at
/// floor nor at cap take the last digits. Where several mixtures are equally good, the start (the
/// mixture nearest to uniform) and steps of least norm decide: the result is the same every time,
/// and domains with equal effects get equal shares.
///
/// Source: Beck and Teboulle 2009, *A fast iterative shrinkage-thresholding algorithm*, equations
/// 4.1 to 4.3, with the restarts of O'Donoghue and Candès 2015, section 3.2; the gap is that of
/// Frank and Wolfe 1956. Ye et al. 2024 (arXiv:2403.16952) and olmix (arXiv:2602.12237) minimize
/// the same F.
///
/// Departures from the source: the extrapolated point is projected, too, because laws may have
/// poles outside the simplex; the Newton steps.
public struct ConvexOptimum: Sendable, Equatable {
  /// r `[domain]`.
  public let shares: [Double]
  /// F(r), with the divergence from the prior.
  public let objective: Double
  /// Σ w_i L_i(r) alone.
  public let loss: Double
  /// The most that any other mixture could have below ``objective``; ≥ 0, and 0 up to rounding at
  /// the optimum.
  public let gap: Double
  /// Whether every model is convex, without which ``gap`` proves nothing.
  public let isCertified: Bool

  /// Finds the mixture.
  ///
  /// - Parameters:
  ///   - losses: the models and weights, at least one, all of `constraints.domainCount` domains.
  ///   - constraints: floors, caps and prior.
  ///   - start: where to begin `[domain]`; nil for the mixture nearest to uniform.
  /// - Throws: what ``MixtureConstraints/validate()`` throws;
  ///   ``FittingError/settingCount(setting:expected:found:)`` or
  ///   ``FittingError/settingOutOfRange(setting:index:value:)`` for a model of other domains or a
  ///   weight below 0.
  public init(
    minimizing losses: [WeightedLoss], under constraints: MixtureConstraints,
    from start: [Double]? = nil
  ) throws(FittingError) {
    try constraints.validate()
    let count = constraints.domainCount
    for (index, term) in losses.enumerated() {
      guard term.model.domainCount == count else {
        throw .settingCount(
          setting: "domains of a model", expected: count, found: term.model.domainCount)
      }
      guard term.weight >= 0, term.weight.isFinite else {
        throw .settingOutOfRange(setting: "weights of the losses", index: index, value: term.weight)
      }
    }
    let region = CappedSimplex(lower: constraints.floors, upper: constraints.effectiveCaps)
    let objective = MixtureObjective(
      losses: losses, prior: constraints.prior, priorStrength: constraints.priorStrength)
    let uniform = [Double](repeating: 1 / Double(count), count: count)
    let first = region.projection(of: start ?? constraints.usedPrior ?? uniform)
    let rough = ProjectedGradient(objective: objective, region: region).descend(from: first)
    let shares = ActiveSetNewton(objective: objective, region: region).descend(from: rough)
    self.shares = shares
    self.objective = objective.value(at: shares)
    loss = objective.loss(at: shares)
    gap = Self.gap(objective.gradient(at: shares), shares, in: region)
    isCertified = losses.allSatisfy { $0.model.isConvex }
  }

  static func gap(_ gradient: [Double], _ shares: [Double], in region: CappedSimplex) -> Double {
    let vertex = region.vertex(minimizing: gradient)
    return max(
      0, shares.indices.reduce(0) { $0 + gradient[$1] * (shares[$1] - vertex[$1]) })
  }
}

extension MixtureConstraints {
  /// The prior, if it counts: where it is positive, the slope of F has a pole at a share of 0.
  fileprivate var usedPrior: [Double]? { priorStrength > 0 ? prior : nil }
}
