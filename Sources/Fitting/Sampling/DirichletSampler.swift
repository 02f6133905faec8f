package import Kernels
internal import Mixing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Draws mixtures from a Dirichlet distribution.
///
/// With independent g_i of the gamma distribution with shape α_i,
///
///     w_i = g_i / Σ_j g_j
///
/// A g of shape a ≥ 1 is d·v with v = (1 + c·x)³, x normal, d = a − 1/3, c = 1 / sqrt(9 d), taken
/// when ln u < x²/2 + d − d·v + d·ln v for a uniform u. For a < 1 it is one of shape a + 1 times
/// u^(1/a). That power underflows for the small shapes of small domains, so everything is kept as
/// logarithms and the shares are their softmax: a draw is never all zeros.
///
/// - α: the concentrations `[domain]`, > 0; strength times base mixture.
/// - w: shares `[domain]`, summing to 1 up to rounding.
///
/// Source: Marsaglia and Tsang 2000, *A Simple Method for Generating Gamma Variables*
/// (doi:10.1145/358407.358414), sections 2 and 6.
///
/// Departures from the source: logarithms throughout; no squeeze step, which only saves time.
package struct DirichletSampler: Sendable {
  /// α `[domain]`; a domain of 0 is never drawn.
  package let concentrations: [Double]

  /// Creates the sampler.
  ///
  /// - Parameter concentrations: α `[domain]`, finite, ≥ 0, not all 0.
  /// - Precondition: they are such.
  package init(concentrations: [Double]) {
    precondition(
      concentrations.allSatisfy { $0 >= 0 && $0.isFinite } && concentrations.contains { $0 > 0 },
      "concentrations \(concentrations) are of no distribution")
    self.concentrations = concentrations
  }

  /// Draws one mixture.
  ///
  /// - Parameter generator: where randomness comes from.
  /// - Returns: the shares `[domain]`.
  package func draw(using generator: inout SeededGenerator) -> [Double] {
    Simplex.softmax(
      concentrations.map { $0 > 0 ? Self.logGamma($0, using: &generator) : -.infinity })
  }

  /// Draws the logarithm of a gamma variable.
  ///
  /// - Parameters:
  ///   - shape: a, > 0.
  ///   - generator: where randomness comes from.
  /// - Returns: ln g.
  package static func logGamma(
    _ shape: Double, using generator: inout SeededGenerator
  ) -> Double {
    if shape < 1 {
      let raised = logGamma(shape + 1, using: &generator)
      return raised + log(generator.nextUniform()) / shape
    }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = generator.nextNormal()
      let root = 1 + c * x
      guard root > 0 else { continue }
      let v = root * root * root
      if log(generator.nextUniform()) < x * x / 2 + d - d * v + d * log(v) {
        return log(d) + log(v)
      }
    }
  }
}
