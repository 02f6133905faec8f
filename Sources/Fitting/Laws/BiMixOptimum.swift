#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The best mixture where every domain's loss depends on its own share alone.
///
///     min Σ_i w_i G_i r_i^−α_i   gives   r_i = (w_i α_i G_i / λ)^(1 / (1 + α_i))
///
/// - G_i: the level of domain i at the length that is planned, ``BiMixLaw/level(after:)``.
/// - λ: the price of share, for which the shares sum to 1; found by bisection of its logarithm.
///
/// Floors and caps clamp each r_i(λ), which stays monotone in λ. For equal α the shares are in
/// proportion to (w_i G_i)^(1 / (1 + α)).
///
/// Source: Ge et al. 2024, *BiMix* (arXiv:2405.14908), section on mixture optimization, which
/// solves the Lagrangian numerically.
///
/// Departures from the source: the stationary point in closed form; weights, floors and caps.
public struct BiMixOptimum: Sendable, Equatable {
  /// r `[domain]`.
  public let shares: [Double]
  /// Σ w_i L_i at the optimum.
  public let loss: Double

  /// Finds the mixture.
  ///
  /// - Parameters:
  ///   - laws: one per domain, in the domains' order.
  ///   - weights: w ≥ 0 `[domain]`.
  ///   - length: s, the steps or tokens that are planned, > 0.
  ///   - constraints: floors and caps; a prior has no closed form and is refused.
  /// - Throws: what ``MixtureConstraints/validate()`` throws, and
  ///   ``FittingError/settingCount(setting:expected:found:)`` or
  ///   ``FittingError/settingOutOfRange(setting:index:value:)``.
  public init(
    of laws: [BiMixLaw], weights: [Double], after length: Double,
    under constraints: MixtureConstraints
  ) throws(FittingError) {
    try constraints.validate()
    guard laws.count == constraints.domainCount else {
      throw .settingCount(setting: "laws", expected: constraints.domainCount, found: laws.count)
    }
    try MixtureConstraints.check(weights, "weights of the losses", count: laws.count)
    guard constraints.priorStrength == 0 else {
      throw .settingOutOfRange(
        setting: "strength of the prior", index: 0, value: constraints.priorStrength)
    }
    let (floors, caps) = (constraints.floors, constraints.effectiveCaps)
    /// ln of w α G, −∞ for a domain whose share does not matter.
    let worths = laws.indices.map {
      log(weights[$0] * laws[$0].shareExponent * laws[$0].level(after: length))
    }
    func shares(atPrice logPrice: Double) -> [Double] {
      laws.indices.map { domain in
        let free = exp((worths[domain] - logPrice) / (1 + laws[domain].shareExponent))
        return min(max(free, floors[domain]), caps[domain])
      }
    }
    var (low, high) = (-800.0, 800.0)
    while true {
      let middle = low + (high - low) / 2
      guard middle > low, middle < high else { break }
      if shares(atPrice: middle).reduce(0, +) > 1 { low = middle } else { high = middle }
    }
    var found = shares(atPrice: high)
    // What the domains that matter cannot take goes to the others, as evenly as their caps allow.
    if found.reduce(0, +) < 1 - 1e-12 {
      found = CappedSimplex(lower: found, upper: caps).projection(of: found)
    }
    self.shares = found
    loss = laws.indices.reduce(0) { sum, domain in
      weights[domain] == 0
        ? sum : sum + weights[domain] * laws[domain].loss(share: found[domain], after: length)
    }
  }
}
