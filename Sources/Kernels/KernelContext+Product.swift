import CKernels

/// How the operands of a product lie in memory.
package enum ProductForm: Int32, Sendable, CaseIterable {
  /// C[M, N] = A[M, K] · B[K, N].
  case plain = 0
  /// C[M, N] = A[M, K] · B[N, K]ᵀ.
  case transposedB = 1
  /// C[M, N] = A[K, M]ᵀ · B[K, N].
  case transposedA = 2
}

extension KernelContext {
  /// The product of two matrices, its rows split over the team.
  ///
  /// - Parameters:
  ///   - form: which operand is read transposed.
  ///   - a: A, as it lies in memory.
  ///   - b: B, as it lies in memory.
  ///   - c: receives the product; must not share elements with A or B.
  ///   - accumulates: whether the product is added to C.
  /// - Precondition: the shapes fit.
  package func multiply(
    _ form: ProductForm, _ a: Matrix, _ b: Matrix, into c: Matrix, accumulates: Bool = false
  ) {
    var product = Self.product(form, a, b, c, accumulates)
    // 2^22 multiplications take a thread about 80 microseconds, twice what waking one costs.
    let work = max(c.columnCount * Int(product.depth), 1)
    withExtendedLifetime((a, b, c)) {
      withUnsafePointer(to: &product) { product in
        // Sound: the pointee is constant while the loop runs, which ends before it goes away.
        nonisolated(unsafe) let product = product
        team.run(count: c.rowCount, minimumPerThread: max(1, (1 << 22) / work)) { thread, range in
          headrace_matrix_product(
            set, product, range.lowerBound, range.upperBound, workspace(ofThread: thread))
        }
      }
    }
  }

  /// The product of two matrices on the calling thread, which is `thread` of a loop of the team.
  ///
  /// - Precondition: the shapes fit, and C shares no elements with A, B or what other threads
  ///   write.
  package func multiply(
    _ form: ProductForm, _ a: Matrix, _ b: Matrix, into c: Matrix, accumulates: Bool = false,
    onThread thread: Int
  ) {
    var product = Self.product(form, a, b, c, accumulates)
    withExtendedLifetime((a, b, c)) {
      headrace_matrix_product(set, &product, 0, c.rowCount, workspace(ofThread: thread))
    }
  }

  private static func product(
    _ form: ProductForm, _ a: Matrix, _ b: Matrix, _ c: Matrix, _ accumulates: Bool
  ) -> headrace_product {
    let (rows, depth) =
      form == .transposedA ? (a.columnCount, a.rowCount) : (a.rowCount, a.columnCount)
    let (depthOfB, columns) =
      form == .transposedB ? (b.columnCount, b.rowCount) : (b.rowCount, b.columnCount)
    precondition(
      depth == depthOfB && rows == c.rowCount && columns == c.columnCount,
      "cannot multiply \(rows) by \(depth) with \(depthOfB) by \(columns) into "
        + "\(c.rowCount) by \(c.columnCount)")
    return headrace_product(
      form: form.rawValue, accumulates: accumulates ? 1 : 0, row_count: rows,
      column_count: columns, depth: depth, a: a.start, a_stride: a.stride, b: b.start,
      b_stride: b.stride, c: c.start, c_stride: c.stride)
  }
}
