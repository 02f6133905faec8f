#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The additive scaling law of mixtures: what the mixture adds to a loss does not depend on scale.
///
///     L(h) = E + 1 / Σ_i C_i·(h_i + ε)^γ_i        (+ A/N^a + B/D^b)
///
/// - h: the shares `[domain]`, on the simplex.
/// - E: ``floor``; at one model size N and token count D it holds the terms in brackets.
/// - C: ``factors`` `[domain]`, > 0, per nat; γ: ``exponents`` `[domain]`, > 0.
/// - ε: ``leastShare``, which keeps the slope at a share of 0 finite.
/// - A, a and B, b: ``sizeTerm`` and ``tokenTerm``, 0 if nil.
///
/// Its optimum is the same at every N and D. It is convex where no γ is above 1.
///
/// Source: Shukor et al. 2025, *Scaling Laws for Optimal Data Mixtures* (arXiv:2507.09404), the
/// additive law.
///
/// Departures from the source: ε, which the source has no need of since its shares are 0.1 and
/// more.
public struct AdditiveLaw: ConvexLossModel, Codable, Equatable {
  /// A term factor / quantity^exponent of a scaling law.
  public struct PowerTerm: Sendable, Codable, Equatable {
    /// A or B.
    public let factor: Double
    /// a or b.
    public let exponent: Double

    /// Creates a term.
    ///
    /// - Parameters:
    ///   - factor: A or B.
    ///   - exponent: a or b.
    public init(factor: Double, exponent: Double) {
      self.factor = factor
      self.exponent = exponent
    }

    /// Returns factor / quantity^exponent.
    ///
    /// - Parameter quantity: N or D, > 0.
    /// - Returns: the term, in nats per token.
    public func value(at quantity: Double) -> Double { factor * pow(quantity, -exponent) }
  }

  /// ε, 1e-9.
  public static let leastShare = 1e-9

  /// E, in nats per token.
  public let floor: Double
  /// C `[domain]`.
  public let factors: [Double]
  /// γ `[domain]`.
  public let exponents: [Double]
  /// A and a, of the model's size N; nil for none.
  public let sizeTerm: PowerTerm?
  /// B and b, of the token count D; nil for none.
  public let tokenTerm: PowerTerm?

  /// Creates a law.
  ///
  /// - Parameters:
  ///   - floor: E.
  ///   - factors: C > 0 `[domain]`.
  ///   - exponents: γ > 0 `[domain]`.
  ///   - sizeTerm: A and a.
  ///   - tokenTerm: B and b.
  public init(
    floor: Double, factors: [Double], exponents: [Double], sizeTerm: PowerTerm? = nil,
    tokenTerm: PowerTerm? = nil
  ) {
    precondition(
      factors.count == exponents.count && (factors + exponents).allSatisfy { $0 > 0 },
      "no additive law of factors \(factors) and exponents \(exponents)")
    self.floor = floor
    self.factors = factors
    self.exponents = exponents
    self.sizeTerm = sizeTerm
    self.tokenTerm = tokenTerm
  }

  /// M.
  public var domainCount: Int { factors.count }

  /// Whether no γ is above 1.
  public var isConvex: Bool { exponents.allSatisfy { $0 <= 1 } }

  /// Returns L(h) without the terms of scale.
  ///
  /// - Parameter shares: h `[domain]`.
  /// - Returns: the loss, above ``floor``.
  public func loss(of shares: [Double]) -> Double { floor + 1 / sum(shares) }

  /// Returns L(h) of a model of a given size after a given number of tokens.
  ///
  /// - Parameters:
  ///   - shares: h `[domain]`.
  ///   - parameterCount: N > 0.
  ///   - tokenCount: D > 0.
  /// - Returns: the loss.
  public func loss(
    of shares: [Double], parameterCount: Double, tokenCount: Double
  ) -> Double {
    loss(of: shares) + (sizeTerm?.value(at: parameterCount) ?? 0)
      + (tokenTerm?.value(at: tokenCount) ?? 0)
  }

  /// Returns −S_i / S², with S the sum below the fraction line and S_i its derivatives.
  ///
  /// - Parameter shares: h `[domain]`.
  /// - Returns: ∂L/∂h `[domain]`.
  public func gradient(at shares: [Double]) -> [Double] {
    let sum = sum(shares)
    return shares.indices.map { -slope($0, shares) / (sum * sum) }
  }

  /// Returns 2·S_i·S_j / S³, less S_ii / S² on the diagonal.
  ///
  /// - Parameter shares: h `[domain]`.
  /// - Returns: ∂²L/∂h∂h `[domain, domain]`.
  public func curvature(at shares: [Double]) -> [Double] {
    let sum = sum(shares)
    let slopes = shares.indices.map { slope($0, shares) }
    var result = slopes.flatMap { row in slopes.map { 2 * row * $0 / (sum * sum * sum) } }
    for domain in shares.indices {
      let bend =
        slopes[domain] * (exponents[domain] - 1) / (shares[domain] + Self.leastShare)
      result[domain * domainCount + domain] -= bend / (sum * sum)
    }
    return result
  }

  private func sum(_ shares: [Double]) -> Double {
    precondition(
      shares.count == domainCount, "\(shares.count) shares for a law of \(domainCount) domains")
    var sum = 0.0
    for domain in shares.indices {
      sum += factors[domain] * pow(shares[domain] + Self.leastShare, exponents[domain])
    }
    return sum
  }

  private func slope(_ domain: Int, _ shares: [Double]) -> Double {
    factors[domain] * exponents[domain]
      * pow(shares[domain] + Self.leastShare, exponents[domain] - 1)
  }
}
