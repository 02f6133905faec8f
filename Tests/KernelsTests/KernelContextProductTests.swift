// Covers: KernelContext+Product.swift

import Kernels
import Testing

/// One shape of a product: M, N, K.
struct Shape: CustomTestStringConvertible, Sendable {
  let rows, columns, depth: Int
  var testDescription: String { "\(rows) by \(depth) by \(columns)" }
}

/// Ones, primes, both sides of every tile and block size, and more than one block of depth.
private let shapes: [Shape] = [
  Shape(rows: 1, columns: 1, depth: 1), Shape(rows: 1, columns: 257, depth: 3),
  Shape(rows: 13, columns: 1, depth: 31), Shape(rows: 5, columns: 8, depth: 7),
  Shape(rows: 12, columns: 32, depth: 16), Shape(rows: 11, columns: 33, depth: 17),
  Shape(rows: 25, columns: 47, depth: 61), Shape(rows: 67, columns: 71, depth: 73),
  Shape(rows: 66, columns: 40, depth: 255), Shape(rows: 24, columns: 513, depth: 257),
  Shape(rows: 70, columns: 64, depth: 1025), Shape(rows: 3, columns: 1030, depth: 600),
]

private struct Operands {
  let a, b: Matrix
  let expected: [Double]
  /// Σ_k |a b|, which bounds the rounding error of each element.
  let magnitudes: [Double]
}

/// Operands with gaps between their rows, and the product in double.
private func makeOperands(_ form: ProductForm, _ shape: Shape) -> Operands {
  let (m, n, k) = (shape.rows, shape.columns, shape.depth)
  let (aRows, aColumns) = form == .transposedA ? (k, m) : (m, k)
  let (bRows, bColumns) = form == .transposedB ? (n, k) : (k, n)
  let a = Matrix(
    draws(aRows * (aColumns + 3), stream: "a"), rowCount: aRows, columnCount: aColumns,
    stride: aColumns + 3)
  let b = Matrix(
    draws(bRows * (bColumns + 5), stream: "b"), rowCount: bRows, columnCount: bColumns,
    stride: bColumns + 5)
  var expected: [Double] = []
  var magnitudes: [Double] = []
  for i in 0..<m {
    for j in 0..<n {
      var (sum, magnitude) = (0.0, 0.0)
      for t in 0..<k {
        let x = Double(form == .transposedA ? a[t, i] : a[i, t])
        let y = Double(form == .transposedB ? b[j, t] : b[t, j])
        sum += x * y
        magnitude += abs(x * y)
      }
      expected.append(sum)
      magnitudes.append(magnitude)
    }
  }
  return Operands(a: a, b: b, expected: expected, magnitudes: magnitudes)
}

@Suite(.timeLimit(.minutes(5))) struct KernelContextProductTests {
  @Test(arguments: ProductForm.allCases, shapes)
  func agreesWithTheProductInDouble(form: ProductForm, shape: Shape) {
    let operands = makeOperands(form, shape)
    for set in supportedSets {
      let context = KernelContext(threadCount: 1, instructionSet: set)
      let c = Matrix(rowCount: shape.rows, columnCount: shape.columns)
      c.array.fill(.nan)
      context.multiply(form, operands.a, operands.b, into: c)
      // A chain of K roundings, each at most 2^-24 of a partial sum that Σ|ab| bounds, and one more
      // per product on the generic path.
      let bound = Double(2 * shape.depth + 4) * 0x1p-24
      for (index, found) in c.array.values.enumerated() {
        let error = abs(Double(found) - operands.expected[index])
        #expect(error <= bound * operands.magnitudes[index], "\(set), element \(index)")
      }
    }
  }

  @Test(arguments: ProductForm.allCases)
  func accumulatingAddsToWhatIsThere(form: ProductForm) {
    let shape = Shape(rows: 19, columns: 37, depth: 700)
    let operands = makeOperands(form, shape)
    for set in supportedSets {
      let context = KernelContext(threadCount: 1, instructionSet: set)
      let c = Matrix(draws(19 * 37, stream: "c"), rowCount: 19, columnCount: 37)
      let before = c.array.values
      context.multiply(form, operands.a, operands.b, into: c, accumulates: true)
      for (index, found) in c.array.values.enumerated() {
        let error = abs(Double(found) - Double(before[index]) - operands.expected[index])
        // As above, with the old value among the partial sums.
        let scale = operands.magnitudes[index] + Double(abs(before[index]))
        #expect(error <= 1404 * 0x1p-24 * scale, "\(set), element \(index)")
      }
    }
  }

  @Test(arguments: ProductForm.allCases, shapes)
  func isTheSameForEveryNumberOfThreadsAndEverySplit(form: ProductForm, shape: Shape) {
    let operands = makeOperands(form, shape)
    for set in supportedSets {
      let alone = KernelContext(threadCount: 1, instructionSet: set)
      let whole = Matrix(rowCount: shape.rows, columnCount: shape.columns)
      alone.multiply(form, operands.a, operands.b, into: whole)
      for threadCount in [2, 3, 5] {
        let context = KernelContext(threadCount: threadCount, instructionSet: set)
        let c = Matrix(rowCount: shape.rows, columnCount: shape.columns)
        context.multiply(form, operands.a, operands.b, into: c)
        #expect(c.array.values == whole.array.values, "\(set), \(threadCount) threads")
      }
      for cut in [1, 7, 13, 64] where cut < shape.rows {
        let c = Matrix(rowCount: shape.rows, columnCount: shape.columns)
        for range in [0..<cut, cut..<shape.rows] {
          let a =
            form == .transposedA
            ? operands.a.block(rows: 0..<shape.depth, columns: range) : operands.a.rows(range)
          alone.multiply(form, a, operands.b, into: c.rows(range))
        }
        #expect(c.array.values == whole.array.values, "\(set), cut at \(cut)")
      }
    }
  }

  @Test func vectorInstructionSetsAgreeBitForBit() {
    guard InstructionSet.avx512.isSupported else { return }
    for form in ProductForm.allCases {
      let operands = makeOperands(form, Shape(rows: 67, columns: 71, depth: 1100))
      let results = [InstructionSet.avx2, .avx512].map { set in
        let c = Matrix(rowCount: 67, columnCount: 71)
        KernelContext(threadCount: 1, instructionSet: set)
          .multiply(form, operands.a, operands.b, into: c)
        return c.array.values
      }
      #expect(results[0] == results[1])
    }
  }

  @Test func writesNothingOutsideTheProduct() {
    for set in supportedSets {
      let context = KernelContext(threadCount: 1, instructionSet: set)
      let storage = FloatArray(count: 40 * 50)
      storage.fill(9)
      let c = Matrix(storage, offset: 105, rowCount: 29, columnCount: 33, stride: 50)
      let a = Matrix(rowCount: 29, columnCount: 6)
      context.multiply(.plain, a, Matrix(rowCount: 6, columnCount: 33), into: c)
      for index in 0..<storage.count {
        let (row, column) = ((index - 105) / 50, (index - 105) % 50)
        let isInside = index >= 105 && row < 29 && column < 33
        #expect(storage[index] == (isInside ? 0 : 9))
      }
    }
  }

  @Test func depthOfZeroGivesZeros() {
    let context = KernelContext(threadCount: 2)
    let c = Matrix(draws(6, stream: "c"), rowCount: 2, columnCount: 3)
    context.multiply(
      .plain, Matrix(rowCount: 2, columnCount: 0), Matrix(rowCount: 0, columnCount: 3), into: c)
    #expect(c.array.values == [Float](repeating: 0, count: 6))
  }
}
