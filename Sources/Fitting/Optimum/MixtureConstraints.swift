/// What a recommended mixture must keep to: floors, caps, and nearness to a prior.
///
///     floor_j ≤ r_j ≤ cap_j,  Σ r_j = 1,  and λ·KL(r ‖ prior) is added to what is minimized
///
/// Bounds that no mixture keeps are refused and never scaled until one does.
public struct MixtureConstraints: Sendable, Equatable, Codable {
  /// The least shares `[domain]`, in [0, 1].
  public var floors: [Double]
  /// The greatest shares `[domain]`, ≥ 0; above 1 they say nothing.
  public var caps: [Double]
  /// What the mixture is drawn towards `[domain]`; nil for nothing.
  public var prior: [Double]?
  /// λ ≥ 0, in nats of loss per nat of divergence.
  ///
  /// 0.05 to 0.1 keeps domains that are nearly interchangeable from changing places.
  public var priorStrength: Double

  /// Creates constraints.
  ///
  /// - Parameters:
  ///   - domainCount: M.
  ///   - floors: the least shares `[domain]`; nil for 0.
  ///   - caps: the greatest shares `[domain]`; nil for 1.
  ///   - prior: what the mixture is drawn towards; nil for nothing.
  ///   - priorStrength: λ.
  public init(
    domainCount: Int, floors: [Double]? = nil, caps: [Double]? = nil, prior: [Double]? = nil,
    priorStrength: Double = 0
  ) {
    self.floors = floors ?? [Double](repeating: 0, count: domainCount)
    self.caps = caps ?? [Double](repeating: 1, count: domainCount)
    self.prior = prior
    self.priorStrength = priorStrength
  }

  /// M.
  public var domainCount: Int { floors.count }

  /// The caps that keep a run of `tokenCount` tokens within what there is of each domain.
  ///
  ///     cap_j = min(1, epochs_j · U_j / D)
  ///
  /// - Parameters:
  ///   - available: U, the tokens that there are `[domain]`.
  ///   - epochs: how often each may be passed through `[domain]`.
  ///   - tokenCount: D, the tokens of the run.
  /// - Returns: the caps `[domain]`.
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)`` or
  ///   ``FittingError/settingOutOfRange(setting:index:value:)``.
  public static func caps(
    available: [Double], epochs: [Double], tokenCount: Double
  ) throws(FittingError) -> [Double] {
    try check(available, "available tokens", count: available.count)
    try check(epochs, "epochs", count: available.count)
    guard tokenCount > 0, tokenCount.isFinite else {
      throw .settingOutOfRange(setting: "tokens of the run", index: 0, value: tokenCount)
    }
    return zip(available, epochs).map { min(1, $0 * $1 / tokenCount) }
  }

  /// Checks that there is a mixture that keeps to them.
  ///
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)``,
  ///   ``FittingError/settingOutOfRange(setting:index:value:)``,
  ///   ``FittingError/floorAboveCap(domainIndex:floor:cap:)`` or
  ///   ``FittingError/boundsInfeasible(floorSum:capSum:)``.
  public func validate() throws(FittingError) {
    guard domainCount > 0 else { throw .noRuns }
    try Self.check(floors, "floors", count: domainCount)
    try Self.check(caps, "caps", count: domainCount, limit: .infinity)
    if let prior {
      try Self.check(prior, "prior", count: domainCount)
      let sum = prior.reduce(0, +)
      guard abs(sum - 1) <= 1e-6 else {
        throw .settingOutOfRange(setting: "sum of the prior", index: 0, value: sum)
      }
    }
    guard priorStrength >= 0, priorStrength.isFinite, prior != nil || priorStrength == 0 else {
      throw .settingOutOfRange(setting: "strength of the prior", index: 0, value: priorStrength)
    }
    let caps = effectiveCaps
    for domain in floors.indices where floors[domain] > caps[domain] {
      throw .floorAboveCap(domainIndex: domain, floor: floors[domain], cap: caps[domain])
    }
    let (floorSum, capSum) = (floors.reduce(0, +), caps.reduce(0, +))
    guard floorSum <= 1 + 1e-12, capSum >= 1 - 1e-12 else {
      throw .boundsInfeasible(floorSum: floorSum, capSum: capSum)
    }
  }

  /// The caps with those of 1, and of 0 where the prior is 0 and counts.
  var effectiveCaps: [Double] {
    caps.indices.map { domain in
      if let prior, priorStrength > 0, prior[domain] == 0 { return 0 }
      return min(caps[domain], 1)
    }
  }

  static func check(
    _ values: [Double], _ setting: String, count: Int, limit: Double = .greatestFiniteMagnitude
  ) throws(FittingError) {
    guard values.count == count else {
      throw .settingCount(setting: setting, expected: count, found: values.count)
    }
    for (index, value) in values.enumerated() where !(value >= 0 && value <= limit) {
      throw .settingOutOfRange(setting: setting, index: index, value: value)
    }
  }
}
