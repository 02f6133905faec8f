/// The mean of independent values, and how well they know it.
package struct SampleMean: Sendable, Equatable, Codable {
  /// The mean.
  package let mean: Double
  /// Its standard error; nil for a single value.
  package let standardError: Double?
  /// The ends of the 95 % confidence interval by Student's t; nil for a single value.
  package let interval: [Double]?

  /// Creates the mean of at least one value.
  package init(of values: [Double]) {
    precondition(!values.isEmpty, "the mean of no values")
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    self.mean = mean
    guard values.count > 1 else {
      standardError = nil
      interval = nil
      return
    }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let error = (squares / (count - 1) / count).squareRoot()
    standardError = error
    let reach = Self.quantile(freedom: count - 1) * error
    interval = [mean - reach, mean + reach]
  }

  /// The 97.5 % quantile of Student's t.
  ///
  /// One and two degrees of freedom have closed forms; for others this is the normal quantile's
  /// expansion to the third order, whose relative error is at most 0.5 %.
  ///
  /// Source: Abramowitz and Stegun 1964, *Handbook of Mathematical Functions*, 26.7.5.
  static func quantile(freedom: Double) -> Double {
    if freedom < 1.5 { return 12.7062 }
    if freedom < 2.5 { return 4.30265 }
    let z = 1.959964
    let (z2, z3) = (z * z, z * z * z)
    let first = (z3 + z) / 4
    let second = z3 * (5 * z2 + 16) / 96 + 3 * z / 96
    let third = (3 * z3 * z2 * z2 + 19 * z3 * z2 + 17 * z3 - 15 * z) / 384
    return z + first / freedom + second / (freedom * freedom)
      + third / (freedom * freedom * freedom)
  }
}
