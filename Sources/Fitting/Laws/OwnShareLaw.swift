#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A loss that falls as a power of one domain's share, whatever the others are.
///
///     L(r) = G · r_j^−α
///
/// - r_j: the share of the domain that the loss is measured on; the loss is infinite at 0.
/// - G: ``level``, the loss of a model trained on that domain alone; nats per token.
/// - α: ``exponent``, > 0.
///
/// It is what ``BiMixLaw`` says at one step. It is convex.
///
/// Source: Ge et al. 2024, *BiMix* (arXiv:2405.14908), equation 4, at a fixed s.
///
/// Departures from the source: none.
public struct OwnShareLaw: ConvexLossModel, Codable, Equatable {
  /// G > 0.
  public let level: Double
  /// α ≥ 0.
  public let exponent: Double
  /// j.
  public let domainIndex: Int
  /// M.
  public let domainCount: Int

  /// Creates a law.
  ///
  /// - Parameters:
  ///   - level: G > 0.
  ///   - exponent: α ≥ 0.
  ///   - domainIndex: j, in 0..<domainCount.
  ///   - domainCount: M.
  public init(level: Double, exponent: Double, domainIndex: Int, domainCount: Int) {
    precondition(
      level > 0 && exponent >= 0 && (0..<domainCount).contains(domainIndex),
      "no law of level \(level), exponent \(exponent), domain \(domainIndex) of \(domainCount)")
    self.level = level
    self.exponent = exponent
    self.domainIndex = domainIndex
    self.domainCount = domainCount
  }

  /// Returns G · r_j^−α.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: the loss; infinite where r_j is 0 and α is not.
  public func loss(of shares: [Double]) -> Double {
    exponent == 0 ? level : level * pow(max(shares[domainIndex], 0), -exponent)
  }

  /// Returns −α·G · r_j^−(α+1) at domain j, and 0 at the others.
  ///
  /// - Parameter shares: r `[domain]`; r_j counts as at least 1e-12, so that the slope is finite.
  /// - Returns: ∂L/∂r `[domain]`.
  public func gradient(at shares: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: domainCount)
    result[domainIndex] = -exponent * level * pow(followed(shares), -exponent - 1)
    return result
  }

  /// Returns α·(α+1)·G · r_j^−(α+2) at (j, j), and 0 elsewhere.
  ///
  /// - Parameter shares: r `[domain]`; r_j counts as at least 1e-12.
  /// - Returns: ∂²L/∂r∂r `[domain, domain]`.
  public func curvature(at shares: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: domainCount * domainCount)
    result[domainIndex * domainCount + domainIndex] =
      exponent * (exponent + 1) * level * pow(followed(shares), -exponent - 2)
    return result
  }

  private func followed(_ shares: [Double]) -> Double { max(shares[domainIndex], 1e-12) }
}
