/// Least and largest shares.
package struct ShareBox: Sendable, Equatable {
  /// The least shares `[domain]`, ≥ 0.
  package let floors: [Double]
  /// The largest shares `[domain]`.
  package let caps: [Double]

  /// How far sums may be on the wrong side of 1: parts of a whole are rounded.
  private static let tolerance = 1e-9

  /// Creates the box.
  package init(floors: [Double], caps: [Double]) {
    self.floors = floors
    self.caps = caps
  }

  /// Says why no mixture is in the box, if none is.
  package func validate(domainNames: [String]) throws(SamplingFault) {
    for index in floors.indices where !(0 <= floors[index] && floors[index] <= caps[index]) {
      throw .floorAboveCap(
        domain: domainNames[index], floor: floors[index], cap: caps[index])
    }
    let (least, most) = (floors.reduce(0, +), caps.reduce(0, +))
    guard least <= 1 + Self.tolerance else { throw .floorsAboveOne(sum: least) }
    guard most >= 1 - Self.tolerance else { throw .capsBelowOne(sum: most) }
  }

  /// Returns f + (1 − Σ f)·w: any mixture, moved to where the floors are met.
  func liftedOverFloors(_ shares: [Double]) -> [Double] {
    let left = 1 - floors.reduce(0, +)
    guard left < 1 else { return shares }
    return zip(shares, floors).map { $1 + max(0, left) * $0 }
  }

  /// Returns the mixture of the box that is nearest to another by the divergence KL(b ‖ w).
  ///
  ///     b_i = min(max(θ w_i, f_i), c_i)    with the θ ≥ 0 for which Σ b = 1
  ///
  /// Where all domains that w holds are at their caps and that is less than 1, the others share the
  /// rest in proportion to their room.
  ///
  /// - Parameter shares: w `[domain]`, ≥ 0, not all 0.
  /// - Returns: b; w itself if it is in the box.
  /// - Precondition: the box holds a mixture.
  package func projected(_ shares: [Double]) -> [Double] {
    let isInside = shares.indices.allSatisfy { shares[$0] >= floors[$0] && shares[$0] <= caps[$0] }
    guard !isInside else { return shares }
    func clipped(_ scale: Double) -> [Double] {
      shares.indices.map { min(max(scale * shares[$0], floors[$0]), caps[$0]) }
    }
    let most = shares.indices.reduce(0) { $0 + (shares[$1] > 0 ? caps[$1] : floors[$1]) }
    if most < 1 {
      let rooms = shares.indices.map { shares[$0] > 0 ? 0 : caps[$0] - floors[$0] }
      let room = max(rooms.reduce(0, +), .leastNormalMagnitude)
      return shares.indices.map {
        shares[$0] > 0 ? caps[$0] : floors[$0] + (1 - most) * rooms[$0] / room
      }
    }
    var (low, high) = (0.0, 1.0)
    while clipped(high).reduce(0, +) < 1, high < 1e300 { high *= 16 }
    for _ in 0..<100 {
      let middle = low + (high - low) / 2
      if clipped(middle).reduce(0, +) < 1 { low = middle } else { high = middle }
    }
    return clipped(high)
  }
}
