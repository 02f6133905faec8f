#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What one more token of each domain is worth, by the laws' gradient in counts.
///
///     L_i as a function of counts n, with r = n/s and s = Σ n:
///     ∂L_i/∂n_j = ∂L_i/∂s + (T_ij − T_i · r)·(L_i − c_i)/s
///     u_j = −Σ_i w_i·∂L_i/∂n_j
///
/// Source: our own derivative of the law of Ye et al. 2024 (arXiv:2403.16952).
///
/// Departures from the source: none.
public enum MarginalUtility {
  /// Returns u.
  ///
  /// - Parameters:
  ///   - laws: c and T of each loss.
  ///   - weights: w ≥ 0 `[law]`.
  ///   - lengthSlopes: ∂L_i/∂s `[law]`, how the losses fall with the length of the run at a
  ///     constant
  ///     mixture, per token; nil for 0. It adds the same to every domain.
  ///   - counts: n `[domain]`, ≥ 0, not all 0; tokens, or any unit.
  /// - Returns: u `[domain]`, nats per token of that unit.
  public static func utilities(
    laws: [MixingLaw], weights: [Double], lengthSlopes: [Double]? = nil, counts: [Double]
  ) -> [Double] {
    let sum = counts.reduce(0, +)
    precondition(sum > 0, "the counts \(counts) have no mixture")
    let shares = counts.map { $0 / sum }
    var utilities = [Double](repeating: 0, count: counts.count)
    for (index, law) in laws.enumerated() {
      let mean = zip(law.exponents, shares).reduce(0) { $0 + $1.0 * $1.1 }
      let reducible = law.reducibleLoss(of: shares)
      for domain in utilities.indices {
        let slope =
          (lengthSlopes?[index] ?? 0) + (law.exponents[domain] - mean) * reducible / sum
        utilities[domain] -= weights[index] * slope
      }
    }
    return utilities
  }
}

extension PlannedSchedule {
  /// Creates the schedule of small moves along the laws' gradient, S2.
  ///
  ///     q^{k+1}_j ∝ q^k_j·exp(η·u_j / max |u|)
  ///
  /// - q¹: the mixture that is started from.
  /// - u: ``MarginalUtility`` at the counts so far.
  /// - η: `rate`, the most that a weight's logarithm moves by from stage to stage.
  ///
  /// Then the nearest mixture between floors and what is left of each domain is taken. Bounded
  /// moves and a floor (such as 0.01) are essential: what a gradient alone prefers is a vertex.
  /// Assumption: at every boundary the law holds for what was drawn so far, and lowering the loss
  /// there soonest is what is wanted.
  ///
  /// Source: the update is that of Chen et al. 2024, *Aioli* (arXiv:2411.05735), Algorithm 1.
  ///
  /// Departures from the source: the gradient is a fitted law's and not measured by probes; ∂L/∂s,
  /// which is the same for all domains, is left out; floors and caps.
  ///
  /// - Parameters:
  ///   - laws: c and T of each loss.
  ///   - weights: w ≥ 0 `[law]`.
  ///   - ends: b, increasing, the last one 1.
  ///   - start: q¹ `[domain]`, all positive.
  ///   - rate: η ≥ 0.
  ///   - constraints: the floors of each stage, and the caps of the whole run; the prior is not
  ///     used.
  /// - Throws: what ``MixtureConstraints/validate()`` throws, and
  ///   ``FittingError/settingCount(setting:expected:found:)`` or
  ///   ``FittingError/settingOutOfRange(setting:index:value:)``.
  public init(
    climbing laws: [MixingLaw], weights: [Double], ends: [Double], start: [Double], rate: Double,
    under constraints: MixtureConstraints
  ) throws(FittingError) {
    try constraints.validate()
    try Self.check(ends: ends)
    try MixtureConstraints.check(weights, "weights of the losses", count: laws.count)
    try MixtureConstraints.check(start, "start", count: constraints.domainCount)
    for (index, share) in start.enumerated() where !(share > 0 && share <= 1) {
      throw .settingOutOfRange(setting: "start", index: index, value: share)
    }
    for law in laws where law.domainCount != constraints.domainCount {
      throw .settingCount(
        setting: "domains of a model", expected: constraints.domainCount, found: law.domainCount)
    }
    guard rate >= 0, rate.isFinite else {
      throw .settingOutOfRange(setting: "rate", index: 0, value: rate)
    }
    var exposure = Exposure(caps: constraints.caps)
    var begin = 0.0
    var wanted = start
    var mixtures: [[Double]] = []
    for end in ends {
      let length = end - begin
      let mixture = try exposure.region(length: length, floors: constraints.floors)
        .projection(of: wanted)
      exposure.draw(mixture, length: length)
      mixtures.append(mixture)
      begin = end
      let utilities = MarginalUtility.utilities(
        laws: laws, weights: weights, counts: exposure.drawn)
      let largest = utilities.reduce(0) { max($0, abs($1)) }
      guard largest > 0 else { continue }
      let moved = zip(mixture, utilities).map { $0 * exp(rate * $1 / largest) }
      let sum = moved.reduce(0, +)
      wanted = moved.map { $0 / sum }
    }
    self.init(
      method: .marginalUtility, ends: ends, mixtures: mixtures,
      assumption: """
        the law holds at every boundary for what was drawn so far, and lowering the loss there \
        soonest is what is wanted; each stage moves weights by a factor of at most e^\(rate)
        """)
  }
}
