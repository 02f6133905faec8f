/// A loss that is linear in the shares: least squares, plain or ridge.
///
///     L(r) = a + Σ_j w_j r_j,    min over a, w of Σ_i (L(r_i) − y_i)² + α Σ_j w_j²
///
/// Shares that sum to 1 leave one direction of w open, because a takes it up. With α = 0 the
/// solution of least norm is taken. Shares as people write them, rounded, do not sum to 1 exactly;
/// then rounding alone determines that direction, with large coefficients: the published linear
/// fits are of this kind. So predict from shares of the form that was fitted.
///
/// - r_i, y_i: shares `[domain]` and loss of run i, in nats per token.
/// - a: ``intercept``; w: ``coefficients``; α: the penalty, ≥ 0.
///
/// Source: Liu et al. 2024, *RegMix* (arXiv:2407.01492), section 3; its table agrees with α = 0.01.
///
/// Departures from the source: none.
package struct LinearModel: Sendable, Equatable, Codable, LossModel {
  /// a, in nats per token.
  package let intercept: Double
  /// w `[domain]`, in nats per token.
  package let coefficients: [Double]
  /// Whether the runs determine every coefficient, up to the direction that shares leave open.
  package let isIdentified: Bool

  private enum CodingKeys: String, CodingKey {
    case intercept, coefficients
    case isIdentified = "is_identified"
  }

  /// Fits a linear model.
  ///
  /// - Parameters:
  ///   - shares: r `[run][domain]`, at least one run and one domain.
  ///   - losses: y `[run]`, finite.
  ///   - penalty: α, ≥ 0.
  package init(shares: [[Double]], losses: [Double], penalty: Double = 0) {
    precondition(shares.count == losses.count && !shares.isEmpty, "one loss for each run")
    precondition(penalty >= 0 && penalty.isFinite, "a penalty of \(penalty)")
    let (runCount, domainCount) = (shares.count, shares[0].count)
    let means = (0..<domainCount).map { domain in
      shares.reduce(0) { $0 + $1[domain] } / Double(runCount)
    }
    let lossMean = losses.reduce(0, +) / Double(runCount)
    let centered = shares.flatMap { zip($0, means).map { $0 - $1 } }
    let right = losses.map { $0 - lossMean }
    let plain = LeastSquares(matrix: centered, rowCount: runCount, right: right)
    isIdentified = plain.rank >= domainCount - 1
    coefficients =
      penalty == 0
      ? plain.solution
      : Self.ridge(centered, right: right, domainCount: domainCount, penalty: penalty)
        ?? plain.solution
    intercept = lossMean - zip(coefficients, means).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// (XᵀX + α)⁻¹ Xᵀy; nil if α is lost in rounding.
  private static func ridge(
    _ matrix: [Double], right: [Double], domainCount: Int, penalty: Double
  ) -> [Double]? {
    var gram = [Double](repeating: 0, count: domainCount * domainCount)
    var product = [Double](repeating: 0, count: domainCount)
    for (run, value) in right.enumerated() {
      let row = matrix[run * domainCount..<(run + 1) * domainCount]
      for i in 0..<domainCount {
        let factor = row[row.startIndex + i]
        product[i] += factor * value
        for j in 0...i { gram[i * domainCount + j] += factor * row[row.startIndex + j] }
      }
    }
    for i in 0..<domainCount { gram[i * domainCount + i] += penalty }
    return Cholesky(gram, count: domainCount)?.solve(product)
  }

  /// The number of domains that shares are of.
  package var domainCount: Int { coefficients.count }

  /// Returns the predicted loss.
  ///
  /// - Parameter shares: r `[domain]`, of the form that was fitted.
  /// - Returns: L, in nats per token.
  package func loss(of shares: [Double]) -> Double {
    precondition(shares.count == domainCount, "\(shares.count) shares of \(domainCount) domains")
    return zip(coefficients, shares).reduce(intercept) { $0 + $1.0 * $1.1 }
  }
}
