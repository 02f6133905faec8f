#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What policies compute on the simplex, in forms that neither overflow nor give NaN.
///
/// Weights are plain arrays `[domain]` here, in [0, 1] and of sum 1 up to rounding.
package enum Simplex {
  /// Returns exp(x_i) / Σ_j exp(x_j).
  ///
  /// The largest x is taken off first, so that no exponential is above 1 and one is exactly 1.
  ///
  /// - Parameter logits: x `[domain]`, each below +∞ and not NaN; −∞ gives 0.
  /// - Returns: the weights; uniform if every x is −∞.
  package static func softmax(_ logits: [Double]) -> [Double] {
    let largest = logits.max() ?? 0
    guard largest > -.infinity else {
      return [Double](repeating: 1 / Double(logits.count), count: logits.count)
    }
    var weights = logits
    var sum = 0.0
    for index in weights.indices {
      weights[index] = exp(weights[index] - largest)
      sum += weights[index]
    }
    for index in weights.indices { weights[index] /= sum }
    return weights
  }

  /// Returns ln of what ``softmax(_:)`` returns, without taking the exponential of a small number.
  ///
  /// - Parameter logits: x `[domain]`, finite.
  /// - Returns: x_i − ln Σ_j exp(x_j).
  package static func logSoftmax(_ logits: [Double]) -> [Double] {
    let largest = logits.max() ?? 0
    let sum = logits.reduce(0) { $0 + exp($1 - largest) }
    return logits.map { $0 - largest - log(sum) }
  }

  /// Returns (1 − u)·w_i + u/K.
  ///
  /// - Parameters:
  ///   - weights: w `[domain]`.
  ///   - share: u, in [0, 1]: the part that is spread evenly over the K domains.
  /// - Returns: the weights.
  package static func mixedWithUniform(_ weights: [Double], share: Double) -> [Double] {
    let each = share / Double(weights.count)
    return weights.map { (1 - share) * $0 + each }
  }

  /// Returns ln(exp(a) + exp(b)).
  ///
  /// - Parameters:
  ///   - a: a logarithm below +∞; −∞ is that of 0.
  ///   - b: another.
  /// - Returns: the logarithm of the sum; −∞ if both are that.
  package static func logAdd(_ a: Double, _ b: Double) -> Double {
    let (smaller, larger) = a < b ? (a, b) : (b, a)
    guard larger > -.infinity else { return larger }
    return larger + log1p(exp(smaller - larger))
  }

  /// Returns the total variation distance, half the sum of |a_i − b_i|, in [0, 1].
  package static func totalVariation(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) } / 2
  }

  /// Returns the Kullback–Leibler divergence Σ a_i ln(a_i / b_i) in nats, ≥ 0 up to rounding.
  ///
  /// A domain with a_i = 0 counts 0; one with a_i > 0 and b_i = 0 makes it infinite.
  package static func divergence(_ a: [Double], from b: [Double]) -> Double {
    zip(a, b).reduce(0) { sum, pair in
      pair.0 > 0 ? sum + pair.0 * log(pair.0 / pair.1) : sum
    }
  }
}

extension Mixture {
  /// Creates the mixture of weights that a policy worked out.
  ///
  /// - Parameter weights: one weight per domain, in proportion.
  /// - Precondition: the weights are finite, ≥ 0 and not all 0: policies keep what they remember
  ///   finite, since feedback is validated before they see it.
  package init(learned weights: [Double]) {
    do {
      try self.init(normalizing: weights)
    } catch {
      preconditionFailure("a policy worked out weights that are no mixture: \(error)")
    }
  }
}
