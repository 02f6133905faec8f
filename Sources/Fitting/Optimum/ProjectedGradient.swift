/// Accelerated projected gradient descent on a capped simplex: the coarse part of an optimum.
struct ProjectedGradient {
  let objective: MixtureObjective
  let region: CappedSimplex
  /// Steps at most.
  var stepLimit = 4000
  /// The gap at which Newton steps are worth their cost.
  var tolerance = 1e-8

  func descend(from start: [Double]) -> [Double] {
    var shares = start
    var value = objective.value(at: shares)
    var lead = shares
    var momentum = 1.0
    var steepness = 1.0
    var hasRestarted = false
    for step in 0..<stepLimit {
      let gradient = objective.gradient(at: lead)
      let base = objective.value(at: lead)
      guard
        let moved = move(from: lead, base, gradient, steepness: &steepness)
      else { return shares }
      guard moved.value <= value else {
        // The momentum overshot; a plain step that does not go down either is the end.
        guard !hasRestarted else { return shares }
        (lead, momentum, hasRestarted) = (shares, 1, true)
        continue
      }
      hasRestarted = false
      let next = (1 + (1 + 4 * momentum * momentum).squareRoot()) / 2
      let part = (momentum - 1) / next
      lead = region.projection(
        of: shares.indices.map { moved.shares[$0] + part * (moved.shares[$0] - shares[$0]) })
      (shares, value, momentum) = (moved.shares, moved.value, next)
      // A step may be larger again where the objective has become flatter.
      steepness *= 0.9
      guard step % 5 == 0 else { continue }
      let gap = ConvexOptimum.gap(objective.gradient(at: shares), shares, in: region)
      if gap < tolerance { return shares }
    }
    return shares
  }

  /// A step that the quadratic bound with `steepness` holds for; nil if none is found.
  private func move(
    from lead: [Double], _ base: Double, _ gradient: [Double], steepness: inout Double
  ) -> (shares: [Double], value: Double)? {
    while steepness < 1e30 {
      let shares = region.projection(
        of: lead.indices.map { lead[$0] - gradient[$0] / steepness })
      let value = objective.value(at: shares)
      var bound = base + 1e-14 * abs(base)
      for domain in lead.indices {
        let change = shares[domain] - lead[domain]
        bound += change * (gradient[domain] + steepness / 2 * change)
      }
      if value <= bound { return (shares, value) }
      steepness *= 2
    }
    return nil
  }
}
