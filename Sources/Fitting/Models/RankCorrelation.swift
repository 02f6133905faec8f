/// How well predictions order what was observed.
///
/// Pearson's correlation of x and y is
///
///     r = Σ (x_i − x̄)(y_i − ȳ) / sqrt(Σ (x_i − x̄)² · Σ (y_i − ȳ)²)
///
/// and Spearman's ρ is that of the ranks, where equal values share the average of their ranks:
/// trees give many equal predictions.
///
/// - x, y: values `[run]`, in any unit.
///
/// Source: Spearman 1904, *The Proof and Measurement of Association between Two Things*; ties as in
/// Kendall 1945.
///
/// Departures from the source: none.
package enum RankCorrelation {
  /// Returns Spearman's ρ.
  ///
  /// - Parameters:
  ///   - x: values `[run]`.
  ///   - y: as many.
  /// - Returns: in [−1, 1]; nil if there are fewer than two, if one is not finite, or if all of one
  ///   side are equal.
  /// - Precondition: both have the same count.
  package static func spearman(_ x: [Double], _ y: [Double]) -> Double? {
    guard x.allSatisfy(\.isFinite), y.allSatisfy(\.isFinite) else { return nil }
    return pearson(ranks(of: x), ranks(of: y))
  }

  /// Returns Pearson's r.
  ///
  /// - Parameters:
  ///   - x: values `[run]`.
  ///   - y: as many.
  /// - Returns: in [−1, 1]; nil if there are fewer than two, if one is not finite, or if all of one
  ///   side are equal.
  /// - Precondition: both have the same count.
  package static func pearson(_ x: [Double], _ y: [Double]) -> Double? {
    precondition(x.count == y.count, "\(x.count) values cannot be compared with \(y.count)")
    guard x.count >= 2 else { return nil }
    let count = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    var (xx, yy, xy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
      xx += (a - meanX) * (a - meanX)
      yy += (b - meanY) * (b - meanY)
      xy += (a - meanX) * (b - meanY)
    }
    // Equal values leave nothing but rounding.
    guard xx > 0, yy > 0, x.contains(where: { $0 != x[0] }), y.contains(where: { $0 != y[0] })
    else { return nil }
    let correlation = xy / (xx.squareRoot() * yy.squareRoot())
    return correlation.isFinite ? min(1, max(-1, correlation)) : nil
  }

  /// Returns the ranks from 1 up; equal values share the average of theirs.
  ///
  /// - Parameter values: `[run]`, none NaN.
  /// - Returns: the ranks `[run]`.
  package static func ranks(of values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      for place in start..<end { ranks[order[place]] = Double(start + end + 1) / 2 }
      start = end
    }
    return ranks
  }
}
