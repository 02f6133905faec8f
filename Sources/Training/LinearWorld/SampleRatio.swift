/// The ratio of two paired samples' means, and how well they know it.
///
/// Unlike the mean of the pairs' own ratios it is not carried by pairs whose denominator is small
/// by chance: where numerator and denominator are noise of the same size, it is near 1.
///
///     R = Σ_s a_s / Σ_s b_s,   s.e.² = (n − 1)/n Σ_s (R_s − mean R)²
///
/// - a, b: the values of the pairs s, n in all; the b are positive.
/// - R_s: the ratio without pair s.
///
/// Source: Tukey 1958, *Bias and Confidence in Not Quite Large Samples* (Annals of Mathematical
/// Statistics 29, page 614): the jackknife.
///
/// Departures from the source: none.
package struct SampleRatio: Sendable, Equatable, Codable {
  /// R.
  package let ratio: Double
  /// Its standard error; nil for a single pair.
  package let standardError: Double?

  /// Creates the ratio of at least one pair.
  ///
  /// - Parameters:
  ///   - values: a, one for each pair.
  ///   - others: b, as many, all positive.
  package init(of values: [Double], to others: [Double]) {
    precondition(!values.isEmpty && values.count == others.count, "the ratio of no pairs")
    let (sum, otherSum) = (values.reduce(0, +), others.reduce(0, +))
    ratio = sum / otherSum
    guard values.count > 1 else {
      standardError = nil
      return
    }
    let parts = zip(values, others).map { (sum - $0) / (otherSum - $1) }
    let count = Double(parts.count)
    let mean = parts.reduce(0, +) / count
    let squares = parts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    standardError = (squares * (count - 1) / count).squareRoot()
  }
}
