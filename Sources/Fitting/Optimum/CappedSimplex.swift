/// The mixtures between floors and caps: {r : lower ≤ r ≤ upper, Σ r = 1}, which must not be empty.
struct CappedSimplex {
  /// The floors `[domain]`.
  let lower: [Double]
  /// The caps `[domain]`.
  let upper: [Double]

  /// Returns the mixture that is nearest to a point.
  ///
  /// It is the point shifted by the same number everywhere and clamped; the shift is found by
  /// bisection, down to two neighboring numbers.
  ///
  /// - Parameter point: `[domain]`, finite.
  /// - Returns: its Euclidean projection.
  func projection(of point: [Double]) -> [Double] {
    var low = Double.infinity
    var high = -Double.infinity
    for domain in point.indices {
      low = min(low, point[domain] - upper[domain])
      high = max(high, point[domain] - lower[domain])
    }
    while true {
      let middle = low + (high - low) / 2
      guard middle > low, middle < high else { break }
      if shifted(point, middle).reduce(0, +) > 1 { low = middle } else { high = middle }
    }
    return shifted(point, high)
  }

  private func shifted(_ point: [Double], _ shift: Double) -> [Double] {
    point.indices.map { min(max(point[$0] - shift, lower[$0]), upper[$0]) }
  }

  /// Returns the mixture with the least g · r: the cheapest domains are filled first.
  ///
  /// - Parameter costs: g `[domain]`; the lower index goes first on ties.
  /// - Returns: a vertex.
  func vertex(minimizing costs: [Double]) -> [Double] {
    var result = lower
    var left = 1 - lower.reduce(0, +)
    for domain in costs.indices.sorted(by: { (costs[$0], $0) < (costs[$1], $1) }) {
      let more = min(upper[domain] - lower[domain], max(left, 0))
      result[domain] += more
      left -= more
    }
    return result
  }
}
