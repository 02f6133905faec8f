#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The inverse of a symmetric positive definite matrix, and its determinant.
///
/// Four pivots P at a time are swept: with M = A_PP⁻¹, for all rows i and columns j outside P
///
///     A_ij ← A_ij − A_iP M A_Pj,    A_iP ← A_iP M,    A_PP ← −M
///
/// which leaves −A⁻¹ after all. The determinant is the product of the pivots on the way. The update
/// of the rest is one loop over contiguous rows, which is why this is quicker here than a Cholesky
/// factor and an inverse made of it.
///
/// Source: Goodnight 1979, *A Tutorial on the SWEEP Operator* (doi:10.1080/00031305.1979.10482685).
///
/// Departures from the source: four pivots at a time; only the lower triangle is kept.
package struct SymmetricInverse: Sendable {
  /// A⁻¹ `[row, column]`, row-major; only the lower triangle is set.
  package let lower: [Double]
  /// ln det A.
  package let logDeterminant: Double

  private static let blockSize = 4

  /// Inverts a matrix, or gives nil if it is not positive definite up to rounding.
  ///
  /// - Parameters:
  ///   - matrix: A `[row, column]`, row-major; only its lower triangle is read.
  ///   - count: its order.
  package init?(_ matrix: [Double], count: Int) {
    precondition(matrix.count == count * count, "\(matrix.count) entries for order \(count)")
    var swept = matrix
    var logDeterminant = 0.0
    var rows = [Double](repeating: 0, count: Self.blockSize * count)
    var scaled = rows
    for start in stride(from: 0, to: count, by: Self.blockSize) {
      let size = min(Self.blockSize, count - start)
      for b in 0..<size {
        let pivot = start + b
        for j in 0..<count {
          rows[b * count + j] =
            j <= pivot ? swept[pivot * count + j] : swept[j * count + pivot]
        }
      }
      // A last block that is smaller leaves rows of the one before, which count nothing.
      for place in size * count..<Self.blockSize * count { (rows[place], scaled[place]) = (0, 0) }
      guard let small = Self.smallInverse(of: rows, start: start, size: size, count: count)
      else { return nil }
      logDeterminant += small.logDeterminant
      for b in 0..<size {
        for j in 0..<count {
          var sum = 0.0
          for c in 0..<size { sum += small.inverse[b * size + c] * rows[c * count + j] }
          scaled[b * count + j] = sum
        }
      }
      Self.update(&swept, rows: rows, scaled: scaled, count: count)
      for b in 0..<size {
        let pivot = start + b
        for j in 0..<count {
          let place = j <= pivot ? pivot * count + j : j * count + pivot
          let isInside = j >= start && j < start + size
          swept[place] = isInside ? -small.inverse[b * size + j - start] : scaled[b * count + j]
        }
      }
    }
    guard logDeterminant.isFinite else { return nil }
    for place in swept.indices { swept[place] = -swept[place] }
    lower = swept
    self.logDeterminant = logDeterminant
  }

  /// A_ij −= Σ_b scaled_bi · rows_bj, in the lower triangle.
  private static func update(
    _ swept: inout [Double], rows: [Double], scaled: [Double], count: Int
  ) {
    // All indices are below count² and 4 · count, the counts of the three arrays.
    swept.withUnsafeMutableBufferPointer { swept in
      rows.withUnsafeBufferPointer { rows in
        for i in 0..<count {
          let (s0, s1) = (scaled[i], scaled[count + i])
          let (s2, s3) = (scaled[2 * count + i], scaled[3 * count + i])
          let row = UnsafeMutableBufferPointer(rebasing: swept[i * count..<i * count + i + 1])
          for j in 0...i {
            row[j] -=
              s0 * rows[j] + s1 * rows[count + j] + s2 * rows[2 * count + j]
              + s3 * rows[3 * count + j]
          }
        }
      }
    }
  }

  /// The inverse of the pivots' own block, by single pivots.
  private static func smallInverse(
    of rows: [Double], start: Int, size: Int, count: Int
  ) -> (inverse: [Double], logDeterminant: Double)? {
    var small = [Double](repeating: 0, count: size * size)
    for b in 0..<size {
      for c in 0..<size { small[b * size + c] = rows[b * count + start + c] }
    }
    var logDeterminant = 0.0
    for pivot in 0..<size {
      let value = small[pivot * size + pivot]
      guard value > 0, value.isFinite else { return nil }
      logDeterminant += log(value)
      let row = (0..<size).map { small[pivot * size + $0] }
      for b in 0..<size where b != pivot {
        for c in 0..<size where c != pivot { small[b * size + c] -= row[b] * row[c] / value }
      }
      for b in 0..<size {
        let entry = b == pivot ? -1 / value : row[b] / value
        (small[pivot * size + b], small[b * size + pivot]) = (entry, entry)
      }
    }
    return (small.map { -$0 }, logDeterminant)
  }
}
