#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Adam with decoupled decay, for the few hundred parameters of a ``RowNetwork``.
///
///     m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
///     θ ← (1 − η λ) θ − η m̂ / (√v̂ + ε),   m̂ = m / (1 − β₁ᵏ),   v̂ = v / (1 − β₂ᵏ)
///
/// - g: the gradient `[parameter]`; k: the updates so far, this one included.
/// - η: the learning rate; λ: the decay.
/// - β₁ = .9, β₂ = .99, ε = 1e-8. β₂ is smaller than usual: a run has hundreds of updates.
///
/// Source: Loshchilov and Hutter 2019, *Decoupled Weight Decay Regularization* (arXiv:1711.05101),
/// Algorithm 2.
///
/// Departures from the source: the decay is multiplied by the learning rate, as is common.
package struct AdamOptimizer: Sendable, Equatable, Codable {
  private static let beta1 = 0.9
  private static let beta2 = 0.99
  private static let epsilon = 1e-8

  /// m `[parameter]`.
  package private(set) var firstMoments: PackedArray<Double>
  /// v `[parameter]`.
  package private(set) var secondMoments: PackedArray<Double>
  /// k, the updates so far.
  package private(set) var updateCount = 0

  /// Creates the optimizer of so many parameters.
  package init(parameterCount: Int) {
    firstMoments = PackedArray([Double](repeating: 0, count: parameterCount))
    secondMoments = firstMoments
  }

  /// Moves `parameters` against `gradient`.
  package mutating func step(
    _ parameters: inout [Double], gradient: [Double], learningRate: Double, decay: Double
  ) {
    updateCount += 1
    let correction1 = 1 / (1 - pow(Self.beta1, Double(updateCount)))
    let correction2 = 1 / (1 - pow(Self.beta2, Double(updateCount)))
    let keep = 1 - learningRate * decay
    for place in parameters.indices {
      let slope = gradient[place]
      let first = Self.beta1 * firstMoments.values[place] + (1 - Self.beta1) * slope
      let second = Self.beta2 * secondMoments.values[place] + (1 - Self.beta2) * slope * slope
      firstMoments.values[place] = first
      secondMoments.values[place] = second
      parameters[place] =
        keep * parameters[place]
        - learningRate * first * correction1 / ((second * correction2).squareRoot() + Self.epsilon)
    }
  }
}
