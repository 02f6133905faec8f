/// Newton steps on the domains that are neither at their floor nor at their cap: the last digits.
///
///     [ H  1 ] [ d ]   [ −g ]
///     [ 1ᵀ 0 ] [ ν ] = [  0 ]
///
/// The system is solved by minimum-norm least squares in coordinates that give H a unit diagonal:
/// so flat directions, as of domains with equal effects, are not moved along, and domains near 0,
/// where a divergence is steep, do not hide the others.
struct ActiveSetNewton {
  let objective: MixtureObjective
  let region: CappedSimplex
  /// Steps at most.
  var stepLimit = 60
  /// The gap at which the steps end.
  var tolerance = 1e-15

  func descend(from start: [Double]) -> [Double] {
    var shares = start
    var value = objective.value(at: shares)
    for _ in 0..<stepLimit {
      let gradient = objective.gradient(at: shares)
      guard ConvexOptimum.gap(gradient, shares, in: region) > tolerance else { break }
      let free = freeDomains(shares, gradient)
      guard free.count > 1 else { break }
      let step = step(shares, gradient, free)
      guard let moved = search(from: shares, value, along: step, gradient) else { break }
      let change = zip(moved.shares, shares).reduce(0) { max($0, abs($1.0 - $1.1)) }
      (shares, value) = moved
      guard change > 1e-17 else { break }
    }
    return shares
  }

  /// The domains inside their bounds, and those at a bound that the gradient leads away from.
  private func freeDomains(_ shares: [Double], _ gradient: [Double]) -> [Int] {
    func isInside(_ domain: Int) -> Bool {
      shares[domain] > region.lower[domain] && shares[domain] < region.upper[domain]
    }
    let inside = shares.indices.filter(isInside)
    // The price of share: what the slopes of all free domains are at the optimum.
    let room = inside.map { domain in
      min(shares[domain] - region.lower[domain], region.upper[domain] - shares[domain])
    }
    let total = room.reduce(0, +)
    let price =
      total > 0
      ? zip(inside, room).reduce(0) { $0 + gradient[$1.0] * $1.1 } / total
      : gradient.sorted()[gradient.count / 2]
    return shares.indices.filter { domain in
      if isInside(domain) { return true }
      guard region.lower[domain] < region.upper[domain] else { return false }
      return shares[domain] <= region.lower[domain]
        ? gradient[domain] < price : gradient[domain] > price
    }
  }

  private func step(_ shares: [Double], _ gradient: [Double], _ free: [Int]) -> [Double] {
    let curvature = objective.curvature(at: shares)
    let count = shares.count
    let largest = free.reduce(0) { max($0, curvature[$1 * count + $1]) }
    let scales = free.map { domain in
      1 / max(curvature[domain * count + domain], 1e-14 * largest, 1e-300).squareRoot()
    }
    let norm = scales.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let order = free.count + 1
    var matrix = [Double](repeating: 0, count: order * order)
    var right = [Double](repeating: 0, count: order)
    for (row, i) in free.enumerated() {
      for (column, j) in free.enumerated() {
        matrix[row * order + column] = scales[row] * scales[column] * curvature[i * count + j]
      }
      matrix[row * order + free.count] = scales[row] / norm
      matrix[free.count * order + row] = scales[row] / norm
      right[row] = -scales[row] * gradient[i]
    }
    let solution = LeastSquares(matrix: matrix, rowCount: order, right: right, tolerance: 1e-13)
    var step = [Double](repeating: 0, count: count)
    for (index, domain) in free.enumerated() {
      step[domain] = scales[index] * solution.solution[index]
    }
    return step
  }

  /// A point along the step that is not above the value, as near to its end as can be.
  private func search(
    from shares: [Double], _ value: Double, along step: [Double], _ gradient: [Double]
  ) -> (shares: [Double], value: Double)? {
    var size = 1.0
    while size > 1e-12 {
      let moved = region.projection(of: shares.indices.map { shares[$0] + size * step[$0] })
      let found = objective.value(at: moved)
      // Within rounding of the value, the gap tells which of two mixtures is the better one.
      if found < value { return (moved, found) }
      if found <= value + 4e-16 * abs(value) {
        let there = ConvexOptimum.gap(objective.gradient(at: moved), moved, in: region)
        if there < ConvexOptimum.gap(gradient, shares, in: region) { return (moved, found) }
      }
      size /= 2
    }
    return nil
  }
}
