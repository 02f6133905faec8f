/// What a mixture may be, whatever a policy asks for: a floor, a cap, a largest move, and a largest
/// divergence from a prior.
///
/// Applied in this order, so that what one has settled the next leaves settled:
///
/// 1. **Box.** The mixture b nearest to the asked one, a, in {f ≤ b_i ≤ c, Σ b = 1}.
/// 2. **Prior.** On the segment from the prior p (itself put in the box) to b, the point nearest to
///    b with KL(x ‖ p) ≤ κ.
/// 3. **Move.** On the segment from the mixture before, m, to x, the point nearest to x within a
///    total variation of δ from m.
///
/// The box and the set {KL(x ‖ p) ≤ κ} are convex. So a segment between two mixtures that satisfy 1
/// or 2 satisfies it throughout, and what step 3 returns satisfies all three, given that m does:
/// the first m is the policy's initial mixture after steps 1 and 2.
///
/// **The box.** Nearest is meant by the divergence KL(b ‖ a). The multiplier λ of Σ b = 1 and those
/// of the bounds that bind give ln(b_i / a_i) + 1 − λ = 0 where none binds, so
///
///     b_i = min(max(θ a_i, f), c)    with the θ ≥ 0 for which Σ b = 1
///
/// Domains between the bounds keep their proportions. The sum is continuous in θ and does not fall;
/// it is K f ≤ 1 at θ = 0. The b is nearest in total variation, too: for θ ≤ 1 all that rises is
/// raised to the floor, which any b in the box must do at least, and the total variation is the sum
/// of what rises; for θ ≥ 1 the same holds of what falls. Where a_i = 0 the product stays at the
/// floor; if then all others are at the cap and the sum is below 1, the rest goes evenly to those
/// domains: the limit of a_i → 0.
///
/// **The segments.** On x = p + λ (b − p) the divergence from p is convex in λ and 0 at 0, so it
/// rises, and the largest λ in [0, 1] with KL ≤ κ is found by bisection. The total variation is
/// |λ| TV(m, x), so step 3 has λ = min(1, δ / TV). Segments, and not the projections by divergence,
/// because those leave the box.
///
/// - a, b, p, m, x: mixtures `[domain]`.
/// - f: ``floor``, c: ``cap``, κ: ``priorDivergence`` in nats, δ: ``largestMove``.
///
/// Rounding to parts of 2^48 comes last; it moves each weight by at most 2^-48 plus the rounding of
/// `Double`.
///
/// Source: none; the box is Kullback's minimum discrimination information with bounds.
///
/// Departures from the source: none.
public struct MixtureBounds: Sendable, Equatable {
  /// f, the least weight of every domain, in [0, 1/K].
  public let floor: Double
  /// c, the largest weight of every domain, in [1/K, 1].
  public let cap: Double
  /// δ, the largest total variation between one mixture and the next, in (0, 1]; nil for no limit.
  public let largestMove: Double?
  /// κ, the largest divergence from the prior, in nats, ≥ 0; nil for no limit.
  public let priorDivergence: Double?
  /// p, what the divergence is from.
  public let prior: StaticMixture

  /// How far K floors or caps may be from 1 on the wrong side: 1/K is no exact number.
  private static let tolerance = 1e-9

  /// Creates bounds; what is left out does not bind.
  ///
  /// - Parameters:
  ///   - floor: f, in [0, 1].
  ///   - cap: c, in (0, 1].
  ///   - largestMove: δ, in (0, 1].
  ///   - priorDivergence: κ, in nats, ≥ 0.
  ///   - prior: p.
  /// - Precondition: the numbers are in these ranges. Whether K domains fit is checked once K is
  ///   known.
  public init(
    floor: Double = 0, cap: Double = 1, largestMove: Double? = nil,
    priorDivergence: Double? = nil, prior: StaticMixture = .natural
  ) {
    precondition((0...1).contains(floor), "a floor of \(floor) is not in [0, 1]")
    precondition(cap > 0 && cap <= 1, "a cap of \(cap) is not in (0, 1]")
    precondition(largestMove.map { $0 > 0 && $0 <= 1 } ?? true, "a largest move not in (0, 1]")
    precondition(priorDivergence.map { $0 >= 0 && $0.isFinite } ?? true, "a divergence below 0")
    self.floor = floor
    self.cap = cap
    self.largestMove = largestMove
    self.priorDivergence = priorDivergence
    self.prior = prior
  }

  /// Whether nothing is bounded.
  public var isEmpty: Bool {
    floor == 0 && cap == 1 && largestMove == nil && priorDivergence == nil
  }

  /// Returns the bounds for the domains of a corpus.
  ///
  /// - Parameter context: the domains.
  /// - Returns: what applies them.
  /// - Throws: ``MixingError/floorAboveCap(floor:cap:)``,
  ///   ``MixingError/floorInfeasible(floor:domainCount:)``,
  ///   ``MixingError/capInfeasible(cap:domainCount:)``,
  ///   ``MixingError/priorWithoutDomain(name:)``, and what ``StaticMixture/mixture(in:)`` throws
  ///   for the prior.
  package func projection(in context: PolicyContext) throws(MixingError) -> BoundsProjection {
    let count = context.domainCount
    guard floor <= cap else { throw .floorAboveCap(floor: floor, cap: cap) }
    guard floor * Double(count) <= 1 + Self.tolerance else {
      throw .floorInfeasible(floor: floor, domainCount: count)
    }
    guard cap * Double(count) >= 1 - Self.tolerance else {
      throw .capInfeasible(cap: cap, domainCount: count)
    }
    var prior: [Double] = []
    if priorDivergence != nil {
      let asked = try self.prior.mixture(in: context).weights
      prior = BoundsProjection.boxed(asked, floor: floor, cap: cap)
      if let domain = prior.firstIndex(of: 0) {
        throw .priorWithoutDomain(name: context.domainNames[domain])
      }
    }
    return BoundsProjection(bounds: self, prior: prior)
  }
}

/// The bounds of a corpus's mixtures, applied; see ``MixtureBounds`` for what and why.
package struct BoundsProjection: Sendable {
  let bounds: MixtureBounds
  /// p in the box `[domain]`; empty without a bound of the divergence.
  let prior: [Double]

  /// Steps 1 and 2, of which every mixture that is asked for satisfies both.
  package func settled(_ asked: Mixture) -> Mixture {
    let asked = asked.weights
    var weights = Self.boxed(asked, floor: bounds.floor, cap: bounds.cap)
    if let limit = bounds.priorDivergence {
      weights = Self.near(prior, weights, divergence: limit)
    }
    // What is inside already stays as it is, to the last bit.
    return Mixture(learned: weights)
  }

  /// Steps 1 to 3.
  ///
  /// - Parameters:
  ///   - asked: what the policy asks for.
  ///   - last: m, the mixture before, which satisfies steps 1 and 2.
  /// - Returns: the mixture of this step.
  package func mixture(_ asked: Mixture, after last: Mixture) -> Mixture {
    let settled = settled(asked)
    guard let limit = bounds.largestMove else { return settled }
    let (from, to) = (last.weights, settled.weights)
    let distance = Simplex.totalVariation(from, to)
    guard distance > limit else { return settled }
    return Mixture(learned: Self.point(from, to, at: limit / distance))
  }

  /// from + λ (to − from), with no weight below 0.
  private static func point(_ from: [Double], _ to: [Double], at part: Double) -> [Double] {
    zip(from, to).map { max(0, $0.0 + part * ($0.1 - $0.0)) }
  }

  /// Step 2.
  static func near(_ prior: [Double], _ weights: [Double], divergence limit: Double) -> [Double] {
    guard Simplex.divergence(weights, from: prior) > limit else { return weights }
    var (inside, outside) = (0.0, 1.0)
    // 60 halvings are more than a Double can tell apart in [0, 1] near the middle.
    for _ in 0..<60 {
      let middle = (inside + outside) / 2
      if Simplex.divergence(point(prior, weights, at: middle), from: prior) > limit {
        outside = middle
      } else {
        inside = middle
      }
    }
    return point(prior, weights, at: inside)
  }

  /// Step 1.
  ///
  /// θ is found between the places where a domain leaves the floor (f / a_i) or meets the cap
  /// (c / a_i): between two of them the sum is linear in θ.
  ///
  /// - Complexity: O(K log K).
  static func boxed(_ asked: [Double], floor: Double, cap: Double) -> [Double] {
    guard asked.contains(where: { $0 < floor || $0 > cap }) else { return asked }
    let positive = asked.filter { $0 > 0 }
    let zeroCount = Double(asked.count - positive.count)
    let mostSum = cap * Double(positive.count) + floor * zeroCount
    guard mostSum > 1 else {
      let rest = (1 - cap * Double(positive.count)) / max(1, zeroCount)
      return asked.map { $0 > 0 ? cap : min(max(rest, floor), cap) }
    }
    let scale = scale(of: positive, floor: floor, cap: cap, total: 1 - floor * zeroCount)
    return asked.map { min(max(scale * $0, floor), cap) }
  }

  /// The θ with Σ clip(θ a_i) = total.
  private static func scale(
    of weights: [Double], floor: Double, cap: Double, total: Double
  ) -> Double {
    // Going up in θ: at f / a_i the domain joins those in between, at c / a_i it leaves them.
    var places = weights.map { (at: floor / $0, slope: $0, atBound: -floor) }
    places += weights.map { (at: cap / $0, slope: -$0, atBound: cap) }
    places.sort { $0.at < $1.at }
    var slope = 0.0
    var constant = floor * Double(weights.count)
    var before = 0.0
    for place in places {
      if slope > 0, constant + slope * place.at >= total {
        // Kept between the places, whatever rounding left of a slope that should be 0.
        return min(max((total - constant) / slope, before), place.at)
      }
      slope += place.slope
      constant += place.atBound
      before = place.at
    }
    return before
  }
}
