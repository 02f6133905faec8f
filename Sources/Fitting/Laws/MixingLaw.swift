#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The exponential mixing law of one evaluation loss.
///
///     L(r) = c + exp(T · r)
///
/// - r: the shares `[domain]`, on the simplex.
/// - c: ``floor``, the loss that no mixture gets below; nats per token.
/// - T: ``exponents`` `[domain]`; exp(T_j) is what a model trained on domain j alone has above the
///   floor. So L − c is the geometric mean of those, weighted by the shares.
///
/// The source writes c + k·exp(Σ t_j r_j). Since shares sum to 1, (k, t) and (k·e^−a, t + a) are
/// one function, so that neither can be compared; T_j = t_j + ln k can.
///
/// The law is convex. It is finite where a share is 0, and too low there.
///
/// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952), the law called M4.
///
/// Departures from the source: k is folded into T, as above; T · r is clipped to [−60, 60], so that
/// nothing overflows.
public struct MixingLaw: ConvexLossModel, Codable, Equatable {
  /// c, in nats per token.
  public let floor: Double
  /// T `[domain]`, logarithms of nats per token.
  public let exponents: [Double]

  /// The largest size of T · r.
  public static let exponentLimit = 60.0

  /// Creates a law.
  ///
  /// - Parameters:
  ///   - floor: c.
  ///   - exponents: T `[domain]`.
  public init(floor: Double, exponents: [Double]) {
    self.floor = floor
    self.exponents = exponents
  }

  /// Creates a law from the letters of the source.
  ///
  /// - Parameters:
  ///   - floor: c.
  ///   - factor: k > 0.
  ///   - rates: t `[domain]`.
  public init(floor: Double, factor: Double, rates: [Double]) {
    precondition(factor > 0, "a mixing law's factor is positive, not \(factor)")
    self.init(floor: floor, exponents: rates.map { $0 + log(factor) })
  }

  /// M, the number of domains.
  public var domainCount: Int { exponents.count }

  /// Returns L(r).
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: the loss, above ``floor``.
  public func loss(of shares: [Double]) -> Double { floor + reducibleLoss(of: shares) }

  /// Returns exp(T · r), what the mixture could still lower.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: the loss above ``floor``.
  public func reducibleLoss(of shares: [Double]) -> Double {
    precondition(
      shares.count == domainCount, "\(shares.count) shares for a law of \(domainCount) domains")
    var exponent = 0.0
    for domain in shares.indices { exponent += exponents[domain] * shares[domain] }
    return exp(Self.clipped(exponent))
  }

  /// Returns exp(T · r)·T.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: ∂L/∂r `[domain]`.
  public func gradient(at shares: [Double]) -> [Double] {
    let reducible = reducibleLoss(of: shares)
    return exponents.map { $0 * reducible }
  }

  /// Returns exp(T · r)·T·Tᵀ.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: ∂²L/∂r∂r `[domain, domain]`.
  public func curvature(at shares: [Double]) -> [Double] {
    let reducible = reducibleLoss(of: shares)
    return exponents.flatMap { row in exponents.map { reducible * row * $0 } }
  }

  static func clipped(_ exponent: Double) -> Double {
    min(max(exponent, -exponentLimit), exponentLimit)
  }
}
