/// The minimum-norm solution of a linear least-squares problem, with the rank of its matrix.
///
///     x = argmin ‖x‖  among all x with  ‖A·x − b‖ = min
///
/// - A: `matrix`, `[row, column]`, row-major; any shape and any rank.
/// - b: `right` `[row]`.
/// - x: ``solution`` `[column]`.
///
/// What the data do not determine stays 0: of an unused column, and of every direction in which no
/// row points. So fewer rows than columns, repeated rows and collinear designs are all answered.
///
/// The matrix (or its transpose, if that is the taller one) is brought to a square triangle by
/// Householder reflections, and the triangle's columns are made orthogonal by Jacobi rotations from
/// the right. Their norms are the singular values.
///
/// Source: Golub and Van Loan 2013, *Matrix Computations*, sections 5.2 (reflections), 5.5
/// (minimum norm) and 8.6 (one-sided Jacobi).
///
/// Departures from the source: none.
package struct LeastSquares: Sendable {
  /// x `[column]`.
  package let solution: [Double]
  /// How many singular values are above the tolerance.
  package let rank: Int
  /// An orthonormal basis of the span of A's rows, `[rank, column]`.
  package let rowSpace: [Double]

  /// Solves a problem.
  ///
  /// - Parameters:
  ///   - matrix: A, row-major, finite.
  ///   - rowCount: how many rows A has, at least 1.
  ///   - right: b `[row]`.
  ///   - tolerance: a singular value below this part of the largest one counts as 0.
  /// - Precondition: the counts fit together.
  package init(matrix: [Double], rowCount: Int, right: [Double], tolerance: Double = 1e-10) {
    precondition(
      rowCount >= 1 && right.count == rowCount && matrix.count % rowCount == 0,
      "\(matrix.count) entries and \(right.count) values for \(rowCount) rows")
    let columnCount = matrix.count / rowCount
    let isTall = rowCount >= columnCount
    let triangle = Reflections(
      columns: isTall
        ? Self.transposed(matrix, rowCount: rowCount, columnCount: columnCount) : matrix,
      length: max(rowCount, columnCount))
    let count = triangle.count
    var values = right
    var square = triangle.triangle
    if isTall {
      triangle.apply(to: &values)
      values = Array(values[..<count])
    } else {
      // The triangle is of Aᵀ = Q·R, so that A·x = b is Rᵀ·z = b with x = Q·z.
      square = Self.transposed(square, rowCount: count, columnCount: count)
    }
    let rotated = JacobiRotations(columns: square, count: count, tolerance: tolerance)
    var solution = rotated.solve(values)
    var basis = rotated.rightVectors
    if !isTall {
      solution = triangle.embedded(solution)
      basis = basis.map(triangle.embedded)
    }
    self.solution = solution
    self.rank = basis.count
    self.rowSpace = Array(basis.joined())
  }

  /// Returns the part of a point that lies in the span of A's rows.
  ///
  /// - Parameter point: `[column]`.
  /// - Returns: its orthogonal projection.
  package func projection(of point: [Double]) -> [Double] {
    let columnCount = point.count
    var result = [Double](repeating: 0, count: columnCount)
    for vector in 0..<rank {
      let begin = vector * columnCount
      var part = 0.0
      for column in 0..<columnCount { part += rowSpace[begin + column] * point[column] }
      for column in 0..<columnCount { result[column] += part * rowSpace[begin + column] }
    }
    return result
  }

  private static func transposed(_ matrix: [Double], rowCount: Int, columnCount: Int) -> [Double] {
    var result = [Double](repeating: 0, count: matrix.count)
    for row in 0..<rowCount {
      for column in 0..<columnCount {
        result[column * rowCount + row] = matrix[row * columnCount + column]
      }
    }
    return result
  }
}

/// Householder reflections that make the columns of a tall matrix an upper triangle.
private struct Reflections {
  /// How many columns there are.
  let count: Int
  /// R, column by column, `[column, row]`, count × count.
  let triangle: [Double]
  private let length: Int
  /// v_k, `[column, row]`, 0 above row k.
  private let vectors: [Double]
  /// 2 / ‖v_k‖², or 0 for a column that is 0 already.
  private let scales: [Double]

  /// - Parameters:
  ///   - columns: the matrix, column by column.
  ///   - length: the rows of a column, at least as many as there are columns.
  init(columns: [Double], length: Int) {
    let count = columns.count / length
    var work = columns
    var vectors = [Double](repeating: 0, count: columns.count)
    var scales = [Double](repeating: 0, count: count)
    for k in 0..<count {
      let begin = k * length
      var norm = 0.0
      for row in k..<length { norm += work[begin + row] * work[begin + row] }
      norm.formSquareRoot()
      guard norm > 0 else { continue }
      for row in k..<length { vectors[begin + row] = work[begin + row] }
      vectors[begin + k] += work[begin + k] < 0 ? -norm : norm
      // ‖v‖² = 2·norm·(norm + |a_k|): no cancellation.
      scales[k] = 1 / (norm * (norm + abs(work[begin + k])))
      for column in k..<count {
        Self.reflect(&work, at: column * length, by: vectors, begin, scales[k], k..<length)
      }
    }
    var triangle = [Double](repeating: 0, count: count * count)
    for column in 0..<count {
      for row in 0...column { triangle[column * count + row] = work[column * length + row] }
    }
    (self.count, self.length) = (count, length)
    (self.triangle, self.vectors, self.scales) = (triangle, vectors, scales)
  }

  /// Makes Qᵀ·values of values `[row]`.
  func apply(to values: inout [Double]) {
    for k in 0..<count {
      Self.reflect(&values, at: 0, by: vectors, k * length, scales[k], k..<length)
    }
  }

  /// Returns Q·(values, 0, …) `[row]` for values `[column]`.
  func embedded(_ values: [Double]) -> [Double] {
    var result = values + [Double](repeating: 0, count: length - count)
    for k in (0..<count).reversed() {
      Self.reflect(&result, at: 0, by: vectors, k * length, scales[k], k..<length)
    }
    return result
  }

  private static func reflect(
    _ values: inout [Double], at offset: Int, by vectors: [Double], _ begin: Int, _ scale: Double,
    _ rows: Range<Int>
  ) {
    var dot = 0.0
    for row in rows { dot += vectors[begin + row] * values[offset + row] }
    dot *= scale
    guard dot != 0 else { return }
    for row in rows { values[offset + row] -= dot * vectors[begin + row] }
  }
}

/// Rotations from the right that make a square matrix's columns orthogonal: R·V = U·S.
private struct JacobiRotations {
  /// The columns of V whose singular values count, largest first.
  let rightVectors: [[Double]]
  /// The columns of U·S that belong to them.
  private let leftVectors: [[Double]]

  /// Sweeps over all pairs; about 6 are needed at 20 columns, and each squares the error.
  private static let sweepLimit = 60

  init(columns: [Double], count: Int, tolerance: Double) {
    var left = (0..<count).map { Array(columns[$0 * count..<($0 + 1) * count]) }
    var right = (0..<count).map { column in (0..<count).map { $0 == column ? 1.0 : 0 } }
    let least = left.map(Self.squaredNorm).reduce(0, +) * 0x1p-104
    var isDone = false
    var sweep = 0
    while !isDone && sweep < Self.sweepLimit {
      isDone = true
      sweep += 1
      for p in 0..<count {
        for q in (p + 1)..<max(count, p + 1) {
          guard let (cosine, sine) = Self.rotation(left[p], left[q], least) else { continue }
          isDone = false
          Self.rotate(&left, p, q, cosine, sine)
          Self.rotate(&right, p, q, cosine, sine)
        }
      }
    }
    let norms = left.map { Self.squaredNorm($0).squareRoot() }
    let largest = norms.max() ?? 0
    let kept = (0..<count).filter { norms[$0] > tolerance * largest }.sorted {
      (norms[$0], $1) > (norms[$1], $0)
    }
    rightVectors = kept.map { right[$0] }
    leftVectors = kept.map { left[$0] }
  }

  /// Returns V·S⁻¹·Uᵀ·values over the singular values that count.
  func solve(_ values: [Double]) -> [Double] {
    var solution = [Double](repeating: 0, count: values.count)
    for (left, right) in zip(leftVectors, rightVectors) {
      let part = zip(left, values).reduce(0) { $0 + $1.0 * $1.1 } / Self.squaredNorm(left)
      for column in solution.indices { solution[column] += part * right[column] }
    }
    return solution
  }

  /// The rotation that makes two columns orthogonal; nil if they are, or both are rounding noise.
  private static func rotation(
    _ a: [Double], _ b: [Double], _ least: Double
  ) -> (cosine: Double, sine: Double)? {
    var (aa, bb, ab) = (0.0, 0.0, 0.0)
    for row in a.indices {
      aa += a[row] * a[row]
      bb += b[row] * b[row]
      ab += a[row] * b[row]
    }
    let product = (aa * bb).squareRoot()
    guard abs(ab) > 0x1p-52 * product, max(aa, bb) > least, product > 0 else { return nil }
    let cotangent = (bb - aa) / (2 * ab)
    let tangent =
      (cotangent < 0 ? -1.0 : 1) / (abs(cotangent) + (1 + cotangent * cotangent).squareRoot())
    let cosine = 1 / (1 + tangent * tangent).squareRoot()
    return (cosine, cosine * tangent)
  }

  private static func rotate(
    _ columns: inout [[Double]], _ p: Int, _ q: Int, _ cosine: Double, _ sine: Double
  ) {
    for row in columns[p].indices {
      let (a, b) = (columns[p][row], columns[q][row])
      columns[p][row] = cosine * a - sine * b
      columns[q][row] = sine * a + cosine * b
    }
  }

  private static func squaredNorm(_ column: [Double]) -> Double {
    column.reduce(0) { $0 + $1 * $1 }
  }
}
