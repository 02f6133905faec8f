/// The triangle L with A = L·Lᵀ of a symmetric positive definite matrix.
///
/// Source: Golub and Van Loan 2013, *Matrix Computations*, algorithm 4.2.1, row by row.
///
/// Departures from the source: none.
package struct Cholesky: Sendable {
  /// L `[row, column]`, row-major; what is above the diagonal is not read.
  package let lower: [Double]
  /// The order of the matrix.
  package let count: Int

  /// Factors a matrix, or gives nil if it is not positive definite up to rounding, or not finite.
  ///
  /// - Parameters:
  ///   - matrix: A `[row, column]`, row-major; only its lower triangle is read.
  ///   - count: its order.
  /// - Complexity: O(count³/6).
  package init?(_ matrix: [Double], count: Int) {
    precondition(matrix.count == count * count, "\(matrix.count) entries for order \(count)")
    var lower = matrix
    for row in 0..<count {
      for column in 0...row {
        var sum = lower[row * count + column]
        for k in 0..<column { sum -= lower[row * count + k] * lower[column * count + k] }
        guard column == row else {
          lower[row * count + column] = sum / lower[column * count + column]
          continue
        }
        guard sum > 0, sum.isFinite else { return nil }
        lower[row * count + row] = sum.squareRoot()
      }
    }
    self.lower = lower
    self.count = count
  }

  /// Returns the x with A·x = b.
  ///
  /// - Parameter right: b `[row]`.
  /// - Returns: x `[column]`.
  /// - Complexity: O(count²).
  package func solve(_ right: [Double]) -> [Double] {
    precondition(right.count == count, "\(right.count) values for order \(count)")
    var x = right
    for row in 0..<count {
      for k in 0..<row { x[row] -= lower[row * count + k] * x[k] }
      x[row] /= lower[row * count + row]
    }
    for row in (0..<count).reversed() {
      for k in (row + 1)..<max(count, row + 1) { x[row] -= lower[k * count + row] * x[k] }
      x[row] /= lower[row * count + row]
    }
    return x
  }
}
