import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Multi-head attention that looks back only, with rotary positions: forward and backward.
///
///     O = softmax(mask(R(Q) R(K)ᵀ / sqrt(c))) V,   per head, c = d / H
///     R turns the pair (x_j, x_{j + c/2}) at position t by the angle t · base^(−2j / c)
///
/// Work is split by (row, head); each pair is computed by one thread, in blocks of queries that
/// look only at the keys before their end. Probabilities are computed again in the backward pass,
/// so that memory does not grow with T².
///
/// Source: Vaswani et al. 2017, *Attention Is All You Need* (arXiv:1706.03762), equation 1; Su et
/// al. 2021, *RoFormer* (arXiv:2104.09864), equation 34.
///
/// Departures from the source: a pair is (j, j + c/2) and not (2j, 2j + 1), a fixed permutation of
/// the head's columns that lets whole vectors turn; no biases.
final class CausalAttention {
  /// Queries per block.
  ///
  /// More of them waste products on keys that the mask hides, fewer pack the same keys more often.
  private static let queryBlock = 64

  private let sequenceLength, width, headCount, headWidth: Int
  private let context: KernelContext
  /// [T, c / 2].
  private let cosines, sines: Matrix
  /// Per thread: probabilities and their gradient, [queryBlock, T].
  private let probabilities, gradients: [Matrix]
  private var factor: Float { 1 / Float(headWidth).squareRoot() }

  init(_ configuration: LanguageModelConfiguration, context: KernelContext) {
    self.context = context
    sequenceLength = configuration.sequenceLength
    width = configuration.width
    headCount = configuration.headCount
    headWidth = configuration.headWidth
    let half = headWidth / 2
    cosines = Matrix(rowCount: sequenceLength, columnCount: half)
    sines = Matrix(rowCount: sequenceLength, columnCount: half)
    for position in 0..<sequenceLength {
      for pair in 0..<half {
        let exponent = -Double(pair) / Double(half)
        let angle = Double(position) * pow(configuration.rotaryBase, exponent)
        cosines[position, pair] = Float(cos(angle))
        sines[position, pair] = Float(sin(angle))
      }
    }
    let rows = min(Self.queryBlock, configuration.sequenceLength)
    let columns = configuration.sequenceLength
    let makeScratch = { (_: Int) in Matrix(rowCount: rows, columnCount: columns) }
    probabilities = (0..<context.team.threadCount).map(makeScratch)
    gradients = (0..<context.team.threadCount).map(makeScratch)
  }

  /// Rotates the queries and keys in `projections` [N, 3d] in place and writes the heads' outputs
  /// to `output` [N, d].
  func forward(projections: Matrix, output: Matrix) {
    forEachHead(rowCount: output.rowCount / sequenceLength) { thread, row, head in
      let (queries, keys, values) = parts(of: projections, row: row, head: head)
      let result = part(of: output, row: row, head: head)
      context.rotate(queries, cosines: cosines, sines: sines)
      context.rotate(keys, cosines: cosines, sines: sines)
      for begin in stride(from: 0, to: sequenceLength, by: Self.queryBlock) {
        let block = begin..<min(begin + Self.queryBlock, sequenceLength)
        let weights = scores(queries, keys, block: block, thread: thread)
        let visible = values.rows(0..<block.upperBound)
        context.multiply(.plain, weights, visible, into: result.rows(block), onThread: thread)
      }
    }
  }

  /// From the gradient of the output [N, d] to that of the projections before rotation [N, 3d].
  func backward(projections: Matrix, outputGradient: Matrix, projectionGradient: Matrix) {
    forEachHead(rowCount: outputGradient.rowCount / sequenceLength) { thread, row, head in
      let (queries, keys, values) = parts(of: projections, row: row, head: head)
      let (queryGradient, keyGradient, valueGradient) =
        parts(of: projectionGradient, row: row, head: head)
      let outer = part(of: outputGradient, row: row, head: head)
      // Last block first: it sees every key, so it sets the gradients that the others add to.
      let last = (sequenceLength - 1) / Self.queryBlock * Self.queryBlock
      for begin in stride(from: last, through: 0, by: -Self.queryBlock) {
        let block = begin..<min(begin + Self.queryBlock, sequenceLength)
        let seen = 0..<block.upperBound
        let weights = scores(queries, keys, block: block, thread: thread)
        let slope = gradients[thread].block(rows: 0..<block.count, columns: seen)
        let blockOuter = outer.rows(block)
        context.multiply(
          .transposedB, blockOuter, values.rows(seen), into: slope, onThread: thread)
        context.multiply(
          .transposedA, weights, blockOuter, into: valueGradient.rows(seen),
          accumulates: begin < last, onThread: thread)
        context.softmaxGradient(slope, probabilities: weights, factor: factor)
        context.multiply(
          .plain, slope, keys.rows(seen), into: queryGradient.rows(block), onThread: thread)
        context.multiply(
          .transposedA, slope, queries.rows(block), into: keyGradient.rows(seen),
          accumulates: begin < last, onThread: thread)
      }
      context.rotate(queryGradient, cosines: cosines, sines: sines, isInverse: true)
      context.rotate(keyGradient, cosines: cosines, sines: sines, isInverse: true)
    }
  }

  /// The probabilities of the queries `block` over the keys before its end, in the thread's
  /// scratch.
  private func scores(_ queries: Matrix, _ keys: Matrix, block: Range<Int>, thread: Int) -> Matrix {
    let seen = 0..<block.upperBound
    let scores = probabilities[thread].block(rows: 0..<block.count, columns: seen)
    context.multiply(
      .transposedB, queries.rows(block), keys.rows(seen), into: scores, onThread: thread)
    context.causalSoftmax(scores, firstLength: block.lowerBound + 1, factor: factor)
    return scores
  }

  private func forEachHead(rowCount: Int, _ body: (_ thread: Int, _ row: Int, _ head: Int) -> Void)
  {
    context.team.run(count: rowCount * headCount) { thread, range in
      for pair in range { body(thread, pair / headCount, pair % headCount) }
    }
  }

  /// One head's columns of one row's T positions.
  private func part(of matrix: Matrix, row: Int, head: Int, group: Int = 0) -> Matrix {
    let first = group * width + head * headWidth
    return matrix.block(
      rows: row * sequenceLength..<(row + 1) * sequenceLength, columns: first..<first + headWidth)
  }

  private func parts(of matrix: Matrix, row: Int, head: Int) -> (Matrix, Matrix, Matrix) {
    (
      part(of: matrix, row: row, head: head), part(of: matrix, row: row, head: head, group: 1),
      part(of: matrix, row: row, head: head, group: 2)
    )
  }
}
