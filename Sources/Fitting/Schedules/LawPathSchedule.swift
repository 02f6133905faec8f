#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension PlannedSchedule {
  /// Creates the schedule along a law's path, S1: stop anywhere, and the mixture so far was the
  /// best.
  ///
  ///     q^k = Π((b_k·r*_k − b_{k−1}·r̄^{k−1}) / (b_k − b_{k−1}))
  ///
  /// - r*_k: the best mixture `[domain]` of a run that ends at boundary k.
  /// - r̄^{k−1}: the mixture reached at the boundary before.
  /// - Π: the nearest mixture between floors and what is left of each domain,
  ///   0 ≤ q^k_j ≤ min(1, (cap_j − n_j) / (b_k − b_{k−1})).
  ///
  /// If r*_k is the same at all boundaries, so is q^k. Assumption: the loss depends on the counts
  /// of tokens so far, and not on their order.
  ///
  /// Source: our own construction; the best mixtures at several lengths are those of Ye et al. 2024
  /// (arXiv:2403.16952), Ge et al. 2024 (arXiv:2405.14908) or Kang et al. 2024 (arXiv:2407.20177).
  ///
  /// Departures from the source: none of them gives a schedule.
  ///
  /// - Parameters:
  ///   - targets: r* `[stage][domain]`; see ``targets(of:ends:under:)``.
  ///   - ends: b, increasing, the last one 1.
  ///   - constraints: the floors of each stage, and the caps of the whole run. A floor gives way
  ///     where a domain has run out; the prior is not used.
  /// - Throws: what ``MixtureConstraints/validate()`` throws, and
  ///   ``FittingError/settingCount(setting:expected:found:)`` or
  ///   ``FittingError/settingOutOfRange(setting:index:value:)``.
  public init(
    along targets: [[Double]], ends: [Double], under constraints: MixtureConstraints
  ) throws(FittingError) {
    try constraints.validate()
    try Self.check(ends: ends, stageCount: targets.count)
    var exposure = Exposure(caps: constraints.caps)
    var begin = 0.0
    var mixtures: [[Double]] = []
    for (end, target) in zip(ends, targets) {
      try MixtureConstraints.check(target, "targets", count: constraints.domainCount)
      let length = end - begin
      let wanted = target.indices.map { (end * target[$0] - exposure.drawn[$0]) / length }
      let mixture = try exposure.region(length: length, floors: constraints.floors)
        .projection(of: wanted)
      exposure.draw(mixture, length: length)
      mixtures.append(mixture)
      begin = end
    }
    self.init(
      method: .lawPath, ends: ends, mixtures: mixtures,
      assumption: """
        the loss depends on how many tokens of each domain were seen, not on their order; at each \
        boundary the mixture so far is the best one for a run that ends there
        """)
  }

  /// Returns the best mixtures of runs that end at each boundary.
  ///
  /// - Parameters:
  ///   - horizons: what is minimized at each boundary `[stage][loss]`, fitted at that length.
  ///   - ends: b, increasing, the last one 1.
  ///   - constraints: the caps are of the whole run, and so 1/b_k times as large at boundary k.
  /// - Returns: r* `[stage][domain]`.
  /// - Throws: what ``ConvexOptimum`` throws.
  public static func targets(
    of horizons: [[WeightedLoss]], ends: [Double], under constraints: MixtureConstraints
  ) throws(FittingError) -> [[Double]] {
    try check(ends: ends, stageCount: horizons.count)
    var targets: [[Double]] = []
    for (end, losses) in zip(ends, horizons) {
      var there = constraints
      there.caps = constraints.caps.map { $0 / end }
      targets.append(try ConvexOptimum(minimizing: losses, under: there).shares)
    }
    return targets
  }
}

/// The rest of a run, planned again from what was measured: the receding form of S1.
///
/// At a boundary each law is moved to what was measured there, keeping its floor and its shape, and
/// the mixture of the rest is chosen for the mixture that the whole run will have had:
///
///     T_i ← T_i + ln((L_obs,i − c_i) / (L_i(r̄) − c_i))
///     q = argmin F(n/D + (1 − b)·q),   q_j ≤ (cap_j − n_j/D) / (1 − b)
///
/// - n/D: ``drawn`` `[domain]`, what was drawn so far in parts of the run; b: their sum.
/// - r̄: the mixture so far, n/D divided by b.
///
/// Still convex. A law whose loss was measured at its floor or below cannot be moved so; it stays
/// as it is and is named.
///
/// Source: our own construction.
///
/// Departures from the source: none.
public struct RecedingHorizon: Sendable, Equatable {
  /// The laws, moved to what was measured.
  public let laws: [MixingLaw]
  /// The laws that could not be moved, by their index.
  public let unmovedLaws: [Int]
  /// q, the mixture of the rest of the run `[domain]`.
  public let shares: [Double]
  /// F at the mixture that the whole run will have had.
  public let objective: Double
  /// The most that another rest could have below ``objective``.
  public let gap: Double

  /// Plans the rest.
  ///
  /// - Parameters:
  ///   - laws: what predicts the losses at the end of the run.
  ///   - weights: w ≥ 0 `[law]`.
  ///   - observed: L_obs `[law]`; nil leaves the laws as they are.
  ///   - drawn: n/D `[domain]`, in parts of the run, with a sum in (0, 1).
  ///   - constraints: the floors of the rest and the caps of the whole run; the prior is not used.
  /// - Throws: what ``ConvexOptimum`` throws, and
  ///   ``FittingError/boundsInfeasible(floorSum:capSum:)`` if what is left of the domains does not
  ///   last to the end.
  public init(
    laws: [MixingLaw], weights: [Double], observed: [Double]?, drawn: [Double],
    under constraints: MixtureConstraints
  ) throws(FittingError) {
    try constraints.validate()
    try MixtureConstraints.check(weights, "weights of the losses", count: laws.count)
    try MixtureConstraints.check(drawn, "drawn shares", count: constraints.domainCount)
    let done = drawn.reduce(0, +)
    guard done > 0, done < 1 else {
      throw .settingOutOfRange(setting: "sum of the drawn shares", index: 0, value: done)
    }
    if let observed { try MixtureConstraints.check(observed, "observed losses", count: laws.count) }
    var moved = laws
    var unmoved: [Int] = []
    let sofar = drawn.map { $0 / done }
    for (index, loss) in (observed ?? []).enumerated() {
      let height = loss - laws[index].floor
      guard height > 0, height.isFinite else {
        unmoved.append(index)
        continue
      }
      let shift = log(height / laws[index].reducibleLoss(of: sofar))
      moved[index] = MixingLaw(
        floor: laws[index].floor, exponents: laws[index].exponents.map { $0 + shift })
    }
    // With Σ q = 1, n/D + (1 − b)·q is the blend of the vertices n/D + (1 − b)·e_j.
    let rest = 1 - done
    let vertices = drawn.indices.map { domain in
      drawn.indices.map { drawn[$0] + ($0 == domain ? rest : 0) }
    }
    let caps = zip(constraints.caps, drawn).map { max(0, $0 - $1) / rest }
    let found = try ConvexOptimum(
      minimizing: zip(moved, weights).map {
        WeightedLoss(VertexModel(model: $0, vertices: vertices), weight: $1)
      },
      under: MixtureConstraints(
        domainCount: drawn.count, floors: zip(constraints.floors, caps).map { min($0, $1) },
        caps: caps))
    self.laws = moved
    unmovedLaws = unmoved
    shares = found.shares
    objective = found.objective
    gap = found.gap
  }
}
