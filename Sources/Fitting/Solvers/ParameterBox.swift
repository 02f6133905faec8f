/// The range that each parameter of a fit may take.
package struct ParameterBox: Sendable, Equatable {
  /// The least values `[parameter]`; −∞ for none.
  package let lower: [Double]
  /// The greatest values `[parameter]`; +∞ for none.
  package let upper: [Double]

  /// Creates a box.
  ///
  /// - Precondition: there are as many of each, and none of `lower` is above that of `upper`.
  package init(lower: [Double], upper: [Double]) {
    precondition(
      lower.count == upper.count && zip(lower, upper).allSatisfy { $0 <= $1 },
      "no box from \(lower) to \(upper)")
    self.lower = lower
    self.upper = upper
  }

  /// A box without walls.
  package static func unbounded(count: Int) -> ParameterBox {
    ParameterBox(
      lower: [Double](repeating: -.infinity, count: count),
      upper: [Double](repeating: .infinity, count: count))
  }

  /// Returns the point of the box that is nearest.
  package func clamped(_ parameters: [Double]) -> [Double] {
    parameters.indices.map { min(max(parameters[$0], lower[$0]), upper[$0]) }
  }

  /// Whether going down the gradient would leave the box at a parameter that is at its wall.
  package func isHeld(_ index: Int, at value: Double, gradient: Double) -> Bool {
    (value <= lower[index] && gradient > 0) || (value >= upper[index] && gradient < 0)
  }
}
