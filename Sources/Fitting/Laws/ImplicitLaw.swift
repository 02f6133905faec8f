#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The mixing law of a loss whose evaluation text is a blend of unknown parts.
///
///     L(r) = c + Σ_k s_k · exp(T_k · r)
///
/// - k: a hidden part of the evaluation text; s: ``partShares`` `[part]`, ≥ 0, summing to 1.
/// - T: ``exponents`` `[part][domain]`, as in ``MixingLaw``.
/// - c: ``floor``, the floors of all parts together, of which only the sum shows; nats per token.
///
/// It is convex. More parts fit the runs that were seen better; on runs that were not, the explicit
/// law of each known part does better with some tens of runs.
///
/// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952), section on implicit domains.
///
/// Departures from the source: biases are folded into T, as is possible on the simplex.
public struct ImplicitLaw: ConvexLossModel, Codable, Equatable {
  /// c.
  public let floor: Double
  /// s `[part]`.
  public let partShares: [Double]
  /// T `[part][domain]`.
  public let exponents: [[Double]]

  /// Creates a law.
  ///
  /// - Parameters:
  ///   - floor: c.
  ///   - logits: what s is the softmax of `[part]`, at least one.
  ///   - exponents: T `[part][domain]`, the same domains for all.
  public init(floor: Double, logits: [Double], exponents: [[Double]]) {
    precondition(
      !logits.isEmpty && logits.count == exponents.count
        && exponents.allSatisfy { $0.count == exponents[0].count },
      "\(logits.count) parts with exponents of \(exponents.map(\.count)) domains")
    let largest = logits.reduce(logits[0], max)
    let powers = logits.map { exp($0 - largest) }
    let sum = powers.reduce(0, +)
    self.floor = floor
    partShares = powers.map { $0 / sum }
    self.exponents = exponents
  }

  /// M.
  public var domainCount: Int { exponents[0].count }

  /// Returns L(r).
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: the loss, above ``floor``.
  public func loss(of shares: [Double]) -> Double { floor + parts(shares).reduce(0, +) }

  /// Returns Σ s_k exp(T_k · r)·T_k.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: ∂L/∂r `[domain]`.
  public func gradient(at shares: [Double]) -> [Double] {
    let parts = parts(shares)
    return shares.indices.map { domain in
      zip(parts, exponents).reduce(0) { $0 + $1.0 * $1.1[domain] }
    }
  }

  /// Returns Σ s_k exp(T_k · r)·T_k·T_kᵀ.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: ∂²L/∂r∂r `[domain, domain]`.
  public func curvature(at shares: [Double]) -> [Double] {
    let parts = parts(shares)
    return shares.indices.flatMap { row in
      shares.indices.map { column in
        zip(parts, exponents).reduce(0) { $0 + $1.0 * $1.1[row] * $1.1[column] }
      }
    }
  }

  /// s_k·exp(T_k · r) of every part.
  private func parts(_ shares: [Double]) -> [Double] {
    precondition(
      shares.count == domainCount, "\(shares.count) shares for a law of \(domainCount) domains")
    return zip(partShares, exponents).map { share, exponents in
      share * exp(MixingLaw.clipped(zip(exponents, shares).reduce(0) { $0 + $1.0 * $1.1 }))
    }
  }
}
