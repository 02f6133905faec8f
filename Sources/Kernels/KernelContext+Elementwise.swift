import CKernels

/// How many elements a thread should have before another one is woken for the rest.
private let elementsPerThread = 1 << 15

extension KernelContext {
  /// destination = exp(source), element by element; relative error at most 3e-7.
  package func exp(_ source: FloatArray, into destination: FloatArray) {
    precondition(source.count == destination.count, "\(source.count) into \(destination.count)")
    split(source.count) { range in
      headrace_exp(
        set, destination.start + range.lowerBound, source.start + range.lowerBound, range.count)
    }
  }

  /// destination += source.
  package func add(_ source: Matrix, to destination: Matrix) {
    checkSameDense(source, destination)
    split(source.rowCount * source.columnCount) { range in
      headrace_add(
        set, destination.start + range.lowerBound, source.start + range.lowerBound, range.count)
    }
  }

  /// destination = source.
  package func copy(_ source: Matrix, to destination: Matrix) {
    checkSameDense(source, destination)
    split(source.rowCount * source.columnCount) { range in
      (destination.start + range.lowerBound)
        .update(from: source.start + range.lowerBound, count: range.count)
    }
  }

  /// Every element becomes `value`.
  package func fill(_ matrix: Matrix, with value: Float) {
    precondition(matrix.isDense, "rows with gaps")
    split(matrix.rowCount * matrix.columnCount) { range in
      (matrix.start + range.lowerBound).update(repeating: value, count: range.count)
    }
  }

  /// The sum of the squares of all elements, in one order for every number of threads.
  package func sumOfSquares(_ array: FloatArray) -> Double {
    // Blocks of a fixed size, added up in order; 2^16 floats are a few microseconds of work.
    let blockSize = 1 << 16
    let blockCount = (array.count + blockSize - 1) / blockSize
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: max(blockCount, 1)) { sums in
      // Each block is written by its one owner, and read after the loop.
      nonisolated(unsafe) let sums = sums
      team.run(count: blockCount) { _, range in
        for block in range {
          let begin = block * blockSize
          var sum = 0.0
          headrace_sum_of_squares(
            set, &sum, array.start + begin, min(blockSize, array.count - begin))
          sums[block] = sum
        }
      }
      return sums[..<blockCount].reduce(0, +)
    }
  }

  /// GELU in its tanh form, element by element.
  ///
  ///     y = x (1 + tanh u) / 2,  u = sqrt(2/π) (x + 0.044715 x³)
  ///
  /// Source: Hendrycks and Gimpel 2016, *Gaussian Error Linear Units* (arXiv:1606.08415), section
  /// 2.
  ///
  /// Departures from the source: computed as x / (1 + exp(-2u)), which is the same function and
  /// keeps its relative accuracy where u is large and negative.
  package func gelu(_ x: Matrix, into destination: Matrix) {
    checkSameDense(x, destination)
    split(x.rowCount * x.columnCount) { range in
      headrace_gelu(
        set, destination.start + range.lowerBound, x.start + range.lowerBound, range.count)
    }
  }

  /// gradient = gradient · gelu′(x), element by element.
  package func geluGradient(_ gradient: Matrix, x: Matrix) {
    checkSameDense(gradient, x)
    split(x.rowCount * x.columnCount) { range in
      headrace_gelu_gradient(
        set, gradient.start + range.lowerBound, x.start + range.lowerBound, range.count)
    }
  }

  private func split(_ count: Int, _ body: (Range<Int>) -> Void) {
    team.run(count: count, minimumPerThread: elementsPerThread) { _, range in body(range) }
  }

  private func checkSameDense(_ a: Matrix, _ b: Matrix) {
    precondition(a.isDense && b.isDense, "rows with gaps")
    precondition(
      a.rowCount == b.rowCount && a.columnCount == b.columnCount,
      "\(a.rowCount) by \(a.columnCount) beside \(b.rowCount) by \(b.columnCount)")
  }
}
