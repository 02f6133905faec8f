import CKernels

extension KernelContext {
  /// Replaces every row by its softmax.
  package func softmax(_ rows: Matrix) {
    splitRows(rows) { range in
      headrace_softmax(
        set, rows.start + range.lowerBound * rows.stride, rows.stride, range.count,
        rows.columnCount)
    }
  }

  /// Replaces row i by the softmax of `factor` times its first `firstLength + i` values, the rest
  /// by 0, on the calling thread.
  ///
  /// - Precondition: `firstLength` is at least 1.
  package func causalSoftmax(_ rows: Matrix, firstLength: Int, factor: Float) {
    precondition(firstLength >= 1, "a row of \(firstLength) values has no softmax")
    headrace_causal_softmax(
      set, rows.start, rows.stride, rows.rowCount, rows.columnCount, firstLength, factor)
  }

  /// From the gradient of the probabilities to that of the scores before `factor`, in place, on the
  /// calling thread.
  package func softmaxGradient(_ gradient: Matrix, probabilities: Matrix, factor: Float) {
    precondition(
      gradient.stride == probabilities.stride && gradient.rowCount == probabilities.rowCount
        && gradient.columnCount == probabilities.columnCount, "two shapes")
    headrace_softmax_gradient(
      set, gradient.start, probabilities.start, gradient.stride, gradient.rowCount,
      gradient.columnCount, factor)
  }

  /// Scales every row to a root mean square of 1, then by a gain per column.
  ///
  ///     y = g · x / sqrt(mean(x²) + ε)
  ///
  /// - `x`, `destination`: [row, width]; `gain`: g, [1, width]; `inverses`: receives
  ///   1 / sqrt(mean(x²) + ε), [1, row], which the gradient needs.
  ///
  /// Source: Zhang and Sennrich 2019, *Root Mean Square Layer Normalization* (arXiv:1910.07467),
  /// equation 4.
  ///
  /// Departures from the source: ε under the root, so that a row of zeros gives zeros; no bias.
  package func rmsNorm(
    _ x: Matrix, gain: Matrix, epsilon: Float, into destination: Matrix, inverses: Matrix
  ) {
    checkNorm(x, destination, gain, inverses)
    splitRows(x) { range in
      let place = range.lowerBound * x.columnCount
      headrace_rms_norm(
        set, destination.start + place, inverses.start + range.lowerBound, x.start + place,
        gain.start, range.count, x.columnCount, epsilon)
    }
  }

  /// Adds the gradients of ``rmsNorm(_:gain:epsilon:into:inverses:)`` to those of x and the gain.
  ///
  ///     dx += r g dy − x r³ mean(g dy x),  dg += Σ_rows dy x r,  r = 1 / sqrt(mean(x²) + ε)
  package func rmsNormGradient(
    _ gradient: Matrix, x: Matrix, gain: Matrix, inverses: Matrix, addingTo gradientOfX: Matrix,
    gradientOfGain: Matrix
  ) {
    checkNorm(x, gradient, gain, inverses)
    checkNorm(x, gradientOfX, gradientOfGain, inverses)
    splitRows(x) { range in
      let place = range.lowerBound * x.columnCount
      headrace_rms_norm_gradient(
        set, gradientOfX.start + place, gradient.start + place,
        inverses.start + range.lowerBound, x.start + place, gain.start, range.count,
        x.columnCount)
    }
    // Every column has one owner, who adds its rows up in order.
    team.run(count: x.columnCount, minimumPerThread: 32) { _, range in
      headrace_rms_norm_gain_gradient(
        set, gradientOfGain.start, gradient.start, inverses.start, x.start, x.rowCount,
        x.columnCount, range.lowerBound, range.upperBound)
    }
  }

  /// The loss of each row in nats, and, unless `factor` is 0, `factor` times its gradient in place
  /// of the logits.
  ///
  ///     loss = log Σ_v exp(z_v) − z_token,  gradient = factor · (softmax(z) − onehot(token))
  ///
  /// - Precondition: one token and one loss per row, every token in 0..<columnCount.
  package func crossEntropy(
    _ logits: Matrix, tokens: UnsafeBufferPointer<Int32>,
    losses: UnsafeMutableBufferPointer<Double>, factor: Float
  ) {
    precondition(tokens.count == logits.rowCount && losses.count == logits.rowCount, "row counts")
    let limit = logits.columnCount
    precondition(tokens.allSatisfy { $0 >= 0 && Int($0) < limit }, "a token is out of range")
    guard let token = tokens.baseAddress, let loss = losses.baseAddress else { return }
    // Each row is written by its one owner; the buffers outlive the loop.
    nonisolated(unsafe) let (token_, loss_) = (token, loss)
    splitRows(logits) { range in
      headrace_cross_entropy(
        set, loss_ + range.lowerBound, logits.start + range.lowerBound * logits.stride,
        logits.stride, token_ + range.lowerBound, range.count, logits.columnCount, factor)
    }
  }

  /// Turns the pairs (x[j], x[j + half]) of each row by the angles of its position, on the calling
  /// thread.
  ///
  /// - Parameters:
  ///   - rows: [row, 2 · half]; row i has position i modulo the rows of `cosines`.
  ///   - cosines: [position, half].
  ///   - sines: [position, half].
  ///   - isInverse: whether to turn back.
  package func rotate(_ rows: Matrix, cosines: Matrix, sines: Matrix, isInverse: Bool = false) {
    precondition(
      cosines.isDense && sines.isDense && cosines.columnCount * 2 == rows.columnCount
        && sines.columnCount == cosines.columnCount && sines.rowCount == cosines.rowCount,
      "the angles do not fit the rows")
    headrace_rotate(
      set, rows.start, rows.stride, rows.rowCount, cosines.columnCount, cosines.start,
      sines.start, max(cosines.rowCount, 1), isInverse ? -1 : 1)
  }

  private func splitRows(_ rows: Matrix, _ body: (Range<Int>) -> Void) {
    let minimum = max(1, (1 << 14) / max(rows.columnCount, 1))
    team.run(count: rows.rowCount, minimumPerThread: minimum) { _, range in body(range) }
  }

  private func checkNorm(_ x: Matrix, _ y: Matrix, _ gain: Matrix, _ inverses: Matrix) {
    precondition(
      x.isDense && y.isDense && x.rowCount == y.rowCount && x.columnCount == y.columnCount
        && gain.columnCount == x.columnCount && inverses.columnCount == x.rowCount,
      "the shapes of a norm do not fit")
  }
}
