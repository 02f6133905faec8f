/// A row-major matrix inside a ``FloatArray``: a view, which copies nothing.
///
/// Element (i, j) is `array[offset + i * stride + j]`. That every element lies within the array is
/// checked once, when the view is made; kernels then trust it.
package struct Matrix: Sendable {
  /// The array that holds the elements.
  package let array: FloatArray
  /// The place of element (0, 0) in the array.
  package let offset: Int
  /// The number of rows.
  package let rowCount: Int
  /// The number of columns.
  package let columnCount: Int
  /// How many elements lie between the starts of two rows.
  package let stride: Int

  /// Creates a view of `rowCount` by `columnCount` elements of `array`.
  ///
  /// - Precondition: `stride` (columnCount when nil) is at least `columnCount`, and the last
  ///   element lies in the array.
  package init(
    _ array: FloatArray, offset: Int = 0, rowCount: Int, columnCount: Int, stride: Int? = nil
  ) {
    let stride = stride ?? columnCount
    precondition(
      offset >= 0 && rowCount >= 0 && columnCount >= 0 && stride >= columnCount,
      "no matrix of \(rowCount) by \(columnCount) with stride \(stride) at \(offset)")
    let end = rowCount == 0 ? offset : offset + (rowCount - 1) * stride + columnCount
    precondition(end <= array.count, "the matrix ends at \(end), the array at \(array.count)")
    self.array = array
    self.offset = offset
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.stride = stride
  }

  /// Creates a matrix of zeros with an array of its own.
  package init(rowCount: Int, columnCount: Int) {
    self.init(
      FloatArray(count: rowCount * columnCount), rowCount: rowCount, columnCount: columnCount)
  }

  /// The address of element (0, 0), valid while the array lives.
  package var start: UnsafeMutablePointer<Float> { array.start + offset }

  /// Whether the rows follow each other without gaps.
  package var isDense: Bool { stride == columnCount }

  /// The rows `range`, as a view.
  package func rows(_ range: Range<Int>) -> Matrix {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= rowCount, "no rows \(range) among \(rowCount)")
    return Matrix(
      array, offset: offset + range.lowerBound * stride, rowCount: range.count,
      columnCount: columnCount, stride: stride)
  }

  /// The block of `rows` by `columns`, as a view.
  package func block(rows: Range<Int>, columns: Range<Int>) -> Matrix {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= rowCount, "no rows \(rows) among \(rowCount)")
    precondition(
      columns.lowerBound >= 0 && columns.upperBound <= columnCount,
      "no columns \(columns) among \(columnCount)")
    return Matrix(
      array, offset: offset + rows.lowerBound * stride + columns.lowerBound, rowCount: rows.count,
      columnCount: columns.count, stride: stride)
  }

  /// The element in row `row` and column `column`, checked.
  package subscript(row: Int, column: Int) -> Float {
    get {
      checkPlace(row, column)
      return start[row * stride + column]
    }
    nonmutating set {
      checkPlace(row, column)
      start[row * stride + column] = newValue
    }
  }

  private func checkPlace(_ row: Int, _ column: Int) {
    precondition(
      row >= 0 && row < rowCount && column >= 0 && column < columnCount,
      "no element (\(row), \(column)) in \(rowCount) by \(columnCount)")
  }
}
