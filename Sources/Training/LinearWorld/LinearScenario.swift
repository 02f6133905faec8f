/// What the domains of a ``LinearWorld`` are like to each other.
///
/// Domain i sees inputs with the scale a_i on the parameters that all domains share and b_i on
/// parameters of its own, and labels with noise of standard deviation σ_i:
///
/// | scenario | a | b | σ |
/// | --- | --- | --- | --- |
/// | `sym` | 1 | 1 | 0.3 |
/// | `noisy` | 1, the last 0 | 1 | 0.1, the last 4 |
/// | `transfer` | 1.2, 0.5 …, the last 0 | 0.2, 0.5 …, the last 1 | 0.3 |
/// | `unequal` | 0 | from 1.5 down to 0.4 | 0.3 |
///
/// So in `noisy` one domain looks hard and teaches next to nothing, in `transfer` one domain helps
/// the others and one stands alone, and in `unequal` the domains are learned at different speeds.
package enum LinearScenario: String, Sendable, CaseIterable, Codable {
  /// All domains alike.
  case symmetric = "sym"
  /// The last domain's labels are mostly noise.
  case noisy
  /// The first domain helps the others, the last one has nothing in common with them.
  case transfer
  /// Nothing is shared, and the inputs' scales differ.
  case unequal

  /// What one domain of a scenario is like.
  package struct Role: Sendable, Equatable {
    /// a, the scale of the inputs on the shared parameters, ≥ 0.
    package var sharedScale: Double
    /// b, the scale of the inputs on the domain's own parameters, ≥ 0.
    package var privateScale: Double
    /// σ, the standard deviation of the labels' noise, ≥ 0.
    package var labelNoise: Double
  }

  /// The scales of `unequal` for five domains; others are interpolated.
  private static let unequalScales = [1.5, 1.2, 0.9, 0.6, 0.4]

  /// Returns the roles `[domain]`, the special ones first and last.
  ///
  /// - Parameter domainCount: K, at least 2.
  /// - Returns: one role for each domain.
  package func roles(domainCount: Int) -> [Role] {
    precondition(domainCount >= 2, "a scenario needs at least 2 domains, not \(domainCount)")
    return (0..<domainCount).map { index in
      let isLast = index == domainCount - 1
      switch self {
      case .symmetric: return Role(sharedScale: 1, privateScale: 1, labelNoise: 0.3)
      case .noisy:
        return isLast
          ? Role(sharedScale: 0, privateScale: 1, labelNoise: 4)
          : Role(sharedScale: 1, privateScale: 1, labelNoise: 0.1)
      case .transfer:
        if isLast { return Role(sharedScale: 0, privateScale: 1, labelNoise: 0.3) }
        return index == 0
          ? Role(sharedScale: 1.2, privateScale: 0.2, labelNoise: 0.3)
          : Role(sharedScale: 0.5, privateScale: 0.5, labelNoise: 0.3)
      case .unequal:
        return Role(
          sharedScale: 0, privateScale: Self.unequalScale(index, of: domainCount), labelNoise: 0.3)
      }
    }
  }

  private static func unequalScale(_ index: Int, of domainCount: Int) -> Double {
    let place =
      Double(index) / Double(domainCount - 1) * Double(unequalScales.count - 1)
    let left = min(Int(place), unequalScales.count - 2)
    let part = place - Double(left)
    return unequalScales[left] * (1 - part) + unequalScales[left + 1] * part
  }
}
