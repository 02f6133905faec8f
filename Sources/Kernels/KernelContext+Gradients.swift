import CKernels

/// How many columns of all rows are multiplied with each other while they lie in cache.
private let blockColumns = 1 << 11
/// How many columns one thread takes at a time.
///
/// A constant of the result, since each such segment has a sum of its own.
private let segmentColumns = 1 << 15
/// How many elements a thread should have before another one is woken for the rest.
private let elementsPerThread = 1 << 15

/// Loops over the gradients of single domains: rows of equal length, one per domain.
///
/// Inner products are sums of doubles, in one order for every number of threads and every
/// instruction set.
extension KernelContext {
  /// row += gradient, from `place` of the row on; or row = gradient.
  ///
  /// - Parameters:
  ///   - gradient: what is added.
  ///   - row: what it is added to.
  ///   - place: where in the row.
  ///   - begins: whether what stands there is replaced.
  /// - Returns: the sum of the squares of `gradient`.
  package func credit(
    _ gradient: UnsafeBufferPointer<Float>, to row: FloatArray, at place: Int, begins: Bool = false
  ) -> Double {
    precondition(
      place >= 0 && gradient.count <= row.count - place,
      "\(gradient.count) elements at \(place) of \(row.count)")
    guard let source = gradient.baseAddress else { return 0 }
    // Sound: the loop only reads it, and ends before the caller's memory goes away.
    nonisolated(unsafe) let start = source
    return sumOfSegments(gradient.count) { range in
      var sum = 0.0
      headrace_credit(
        set, &sum, row.start + place + range.lowerBound, start + range.lowerBound, range.count,
        begins ? 1 : 0)
      return sum
    }
  }

  /// The same of what an accumulator has gained: after − before; then before = after.
  ///
  /// - Parameters:
  ///   - after: what the accumulator holds now.
  ///   - before: what it held at the last call, from `place` on.
  ///   - row: what the difference is added to.
  ///   - place: where in `before` and in the row.
  ///   - begins: whether what stands in the row is replaced.
  /// - Returns: the sum of the squares of the difference.
  package func creditGain(
    _ after: UnsafeBufferPointer<Float>, since before: FloatArray, to row: FloatArray,
    at place: Int, begins: Bool
  ) -> Double {
    precondition(
      place >= 0 && after.count <= min(before.count, row.count) - place,
      "\(after.count) elements at \(place) of \(before.count) and \(row.count)")
    guard let source = after.baseAddress else { return 0 }
    // Sound: the loop only reads it, and ends before the caller's memory goes away.
    nonisolated(unsafe) let start = source
    return sumOfSegments(after.count) { range in
      var sum = 0.0
      let begin = place + range.lowerBound
      headrace_credit_gain(
        set, &sum, row.start + begin, before.start + begin, start + range.lowerBound, range.count,
        begins ? 1 : 0)
      return sum
    }
  }

  /// destination = after − before, then before = after.
  ///
  /// - Parameters:
  ///   - after: what an accumulator holds now.
  ///   - before: what it held at the last call, from `place` on.
  ///   - place: where in `before` and `destination` the accumulator's part begins.
  ///   - destination: what it has gained since.
  package func gain(
    _ after: UnsafeBufferPointer<Float>, since before: FloatArray, at place: Int,
    into destination: FloatArray
  ) {
    precondition(
      place >= 0 && after.count <= min(before.count, destination.count) - place,
      "\(after.count) elements at \(place) of \(before.count) and \(destination.count)")
    guard let source = after.baseAddress else { return }
    // Sound: the loop only reads it, and ends before the caller's memory goes away.
    nonisolated(unsafe) let start = source
    team.run(count: after.count, minimumPerThread: elementsPerThread) { _, range in
      let begin = place + range.lowerBound
      headrace_gain(
        set, destination.start + begin, before.start + begin, start + range.lowerBound,
        range.count)
    }
  }

  /// The inner products of all rows with each other, `[row, row]`, row-major.
  ///
  /// - Precondition: the rows are equally long.
  package func gram(of rows: [FloatArray]) -> [Double] {
    let (height, count) = (rows.count, rows.first?.count ?? 0)
    let sums = sums(of: rows, count: count, resultCount: height * height) { pointers, range, sums in
      for row in 0..<height {
        headrace_inner_products(
          set, sums + row * height + row, pointers[row], pointers + row, height - row, range.count)
      }
    }
    return (0..<height * height).map { place in
      let (row, column) = (place / height, place % height)
      return sums[min(row, column) * height + max(row, column)]
    }
  }

  /// The inner products of `vector` with each of the rows, `[row]`.
  ///
  /// - Precondition: all are equally long.
  package func innerProducts(_ vector: FloatArray, _ rows: [FloatArray]) -> [Double] {
    sums(of: [vector] + rows, count: vector.count, resultCount: rows.count) {
      pointers, range, sums in
      headrace_inner_products(
        set, sums, pointers[0], pointers + 1, rows.count, range.count)
    }
  }

  /// values += weight · (factor · goal − values).
  package func move(_ values: FloatArray, toward goal: FloatArray, factor: Float, weight: Float) {
    precondition(values.count == goal.count, "\(values.count) toward \(goal.count)")
    team.run(count: values.count, minimumPerThread: elementsPerThread) { _, range in
      headrace_move_toward(
        set, values.start + range.lowerBound, goal.start + range.lowerBound, factor, weight,
        range.count)
    }
  }

  /// Adds or subtracts `source` element by element, by the signs of `key` from bit `first` on, at
  /// `place` of `destination`.
  ///
  /// On the calling thread.
  package func addSigned(
    _ source: UnsafeBufferPointer<Float>, to destination: FloatArray, at place: Int, key: UInt64,
    first: Int
  ) {
    precondition(
      place >= 0 && source.count <= destination.count - place && first >= 0,
      "\(source.count) elements at \(place) of \(destination.count), bit \(first)")
    guard let start = source.baseAddress else { return }
    headrace_add_signed(
      set, destination.start + place, start, source.count, key, UInt64(first))
  }

  /// The sum of the squares of `values`.
  package func sumOfSquares(_ values: UnsafeBufferPointer<Float>) -> Double {
    guard let source = values.baseAddress else { return 0 }
    // Sound: the loop only reads it, and ends before the caller's memory goes away.
    nonisolated(unsafe) let start = source
    return sumOfSegments(values.count) { range in
      var sum = 0.0
      headrace_sum_of_squares(set, &sum, start + range.lowerBound, range.count)
      return sum
    }
  }

  // MARK: Sums in one order

  /// The sum over fixed segments of `count` elements.
  private func sumOfSegments(_ count: Int, _ body: (Range<Int>) -> Double) -> Double {
    let segments = (count + segmentColumns - 1) / segmentColumns
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: max(segments, 1)) { sums in
      // Each segment is written by its one owner, and read after the loop.
      nonisolated(unsafe) let sums = sums
      team.run(count: segments) { _, range in
        for segment in range {
          let begin = segment * segmentColumns
          sums[segment] = body(begin..<min(begin + segmentColumns, count))
        }
      }
      return sums[..<segments].reduce(0, +)
    }
  }

  /// Results that `body` adds to, block of columns by block, first within segments, then over them.
  ///
  /// `body` is given the addresses of the rows at the block's first column.
  private func sums(
    of rows: [FloatArray], count: Int, resultCount: Int,
    _ body: (
      UnsafeMutablePointer<UnsafePointer<Float>?>, Range<Int>, UnsafeMutablePointer<Double>
    ) -> Void
  ) -> [Double] {
    precondition(rows.allSatisfy { $0.count == count }, "rows of different lengths")
    let segments = (count + segmentColumns - 1) / segmentColumns
    var results = [Double](repeating: 0, count: resultCount)
    guard segments > 0, resultCount > 0 else { return results }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: segments * resultCount) { partial in
      partial.initialize(repeating: 0)
      // Each segment's results are written by its one owner, and read after the loop.
      nonisolated(unsafe) let partial = partial
      team.run(count: segments) { _, range in
        withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: rows.count) {
          pointers in
          guard let addresses = pointers.baseAddress, let sums = partial.baseAddress else { return }
          for segment in range {
            let end = min((segment + 1) * segmentColumns, count)
            for begin in stride(from: segment * segmentColumns, to: end, by: blockColumns) {
              for (index, row) in rows.enumerated() {
                (addresses + index).initialize(to: UnsafePointer(row.start + begin))
              }
              let block = begin..<min(begin + blockColumns, end)
              body(addresses, block, sums + segment * resultCount)
            }
          }
        }
      }
      for segment in 0..<segments {
        for place in 0..<resultCount { results[place] += partial[segment * resultCount + place] }
      }
    }
    return results
  }
}
