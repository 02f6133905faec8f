/// A schedule under which late tokens count more, S3.
///
///     min F(r̃),   r̃_j = Σ_k Ω_k q^k_j,   Ω_k ∝ (b_k − b_{k−1})·ω_k,  Σ Ω = 1
///     each q^k a mixture,   Σ_k (b_k − b_{k−1})·q^k_j ≤ cap_j
///
/// - q^k: the mixture of stage k, which ends at b_k.
/// - ω: `recencies` `[stage]`, > 0, what a token of each stage counts; to be measured, from runs
///   whose stages are swapped.
/// - Ω: ``stageWeights``; r̃: ``effectiveShares``, the mixture that the law is asked for.
/// - cap_j: the tokens of domain j that may be drawn, in parts of the run.
///
/// The problem is convex, and with equal ω it is that of one mixture for the whole run. What is
/// scarce and helpful goes where it counts most.
///
/// For a gradient g the best plan is had at once: take the domains of the least g_j, up to their
/// caps, until the run is full, and put the cheapest into the stages of the largest ω (the
/// rearrangement inequality). Such plans are collected, and their best blend is found by
/// ``ConvexOptimum``, until no other plan is better by more than rounding: simplicial
/// decomposition, whose last ``gap`` proves the optimum.
///
/// Source: our own construction; von Hohenbalken 1977, *Simplicial decomposition in nonlinear
/// programming algorithms*, for the solver.
///
/// Departures from the source: none.
public struct RecencySchedule: Sendable, Equatable {
  /// The stages.
  public let schedule: PlannedSchedule
  /// Ω `[stage]`.
  public let stageWeights: [Double]
  /// r̃ `[domain]`.
  public let effectiveShares: [Double]
  /// F(r̃).
  public let objective: Double
  /// The most that another plan could have below ``objective``.
  public let gap: Double

  /// Finds the schedule.
  ///
  /// - Parameters:
  ///   - losses: what is minimized, at least one.
  ///   - ends: b, increasing, the last one 1.
  ///   - recencies: ω `[stage]`.
  ///   - caps: the most that may be drawn `[domain]`, in parts of the run.
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)``,
  ///   ``FittingError/settingOutOfRange(setting:index:value:)`` or
  ///   ``FittingError/boundsInfeasible(floorSum:capSum:)``.
  public init(
    minimizing losses: [WeightedLoss], ends: [Double], recencies: [Double], caps: [Double]
  ) throws(FittingError) {
    try PlannedSchedule.check(ends: ends, stageCount: recencies.count)
    try MixtureConstraints(domainCount: caps.count, caps: caps).validate()
    for (index, recency) in recencies.enumerated() where !(recency > 0 && recency.isFinite) {
      throw .settingOutOfRange(setting: "recencies", index: index, value: recency)
    }
    for term in losses where term.model.domainCount != caps.count {
      throw .settingCount(
        setting: "domains of a model", expected: caps.count, found: term.model.domainCount)
    }
    let lengths = zip(ends, [0] + ends.dropLast()).map { $0 - $1 }
    let products = zip(lengths, recencies).map { $0 * $1 }
    let total = products.reduce(0, +)
    let planner = RecencyPlanner(
      lengths: lengths, recencies: recencies, caps: caps, stageWeights: products.map { $0 / total })
    let found = try planner.best(losses)
    stageWeights = planner.stageWeights
    effectiveShares = found.effective
    objective = found.objective
    gap = found.gap
    let factors = recencies.map { "\($0)" }.joined(separator: ", ")
    schedule = PlannedSchedule(
      method: .recency, ends: ends, mixtures: found.mixtures,
      assumption: "a token counts by its stage: \(factors) times")
  }
}

/// The plans that lengths and caps allow.
private struct RecencyPlanner {
  /// b_k − b_{k−1} `[stage]`.
  let lengths: [Double]
  let recencies: [Double]
  let caps: [Double]
  /// Ω `[stage]`.
  let stageWeights: [Double]

  struct Result {
    var mixtures: [[Double]]
    var effective: [Double]
    var objective: Double
    var gap: Double
  }

  /// Blends plans until no other is better.
  func best(_ losses: [WeightedLoss]) throws(FittingError) -> Result {
    let function = MixtureObjective(losses: losses, prior: nil, priorStrength: 0)
    let uniform = [Double](repeating: 1 / Double(caps.count), count: caps.count)
    var plans = [plan(minimizing: function.gradient(at: uniform))]
    var parts = [1.0]
    while true {
      let vertices = plans.map(effective)
      let optimum = try ConvexOptimum(
        minimizing: losses.map {
          WeightedLoss(VertexModel(model: $0.model, vertices: vertices), weight: $0.weight)
        }, under: MixtureConstraints(domainCount: plans.count), from: parts)
      let shares = VertexModel.blend(vertices, optimum.shares)
      let gradient = function.gradient(at: shares)
      let next = plan(minimizing: gradient)
      let rival = effective(next)
      let gap = shares.indices.reduce(0) { $0 + gradient[$1] * (shares[$1] - rival[$1]) }
      // A plan that is blended already brings nothing new; 200 are far more than domains need.
      guard gap > 1e-13 * max(1, abs(optimum.objective)), !plans.contains(next), plans.count < 200
      else {
        let mixtures = lengths.indices.map { stage in
          VertexModel.blend(plans.map { $0[stage] }, optimum.shares)
        }
        return Result(
          mixtures: mixtures, effective: shares, objective: optimum.objective, gap: max(gap, 0))
      }
      // None is dropped: one that came back would go round for ever.
      plans.append(next)
      parts = optimum.shares + [0]
    }
  }

  /// r̃ of a plan.
  private func effective(_ plan: [[Double]]) -> [Double] { VertexModel.blend(plan, stageWeights) }

  /// The plan `[stage][domain]` with the least Σ_k Ω_k·g · q^k.
  private func plan(minimizing costs: [Double]) -> [[Double]] {
    var plan = lengths.map { _ in [Double](repeating: 0, count: caps.count) }
    var left = caps.map { min($0, 1) }
    let order = costs.indices.sorted { (costs[$0], $0) < (costs[$1], $1) }
    // Stages that count alike get the same mixture.
    for recency in Set(recencies).sorted(by: >) {
      let stages = recencies.indices.filter { recencies[$0] == recency }
      let length = stages.reduce(0) { $0 + lengths[$1] }
      var open = length
      for domain in order where open > 0 {
        let taken = min(left[domain], open)
        left[domain] -= taken
        open -= taken
        for stage in stages { plan[stage][domain] = taken / length }
      }
    }
    return plan
  }
}
