import Kernels

/// The two passes over one micro-batch of N = tokenCount tokens, whose tokens are set.
extension LanguageModel {
  /// Fills the activations and the losses; the logits become `factor` times their gradient.
  func forward(tokenCount: Int, factor: Float) {
    let all = 0..<tokenCount
    embed(into: first.rows(all))
    for (index, layer) in layout.layers.enumerated() {
      let next =
        index + 1 < layout.layers.count ? activations.layers[index + 1].input : activations.output
      forward(layer, activations.layers[index].rows(all), output: next.rows(all))
    }
    let normed = activations.finalNorm.rows(all)
    norm(activations.output.rows(all), layout.finalNorm, normed, activations.finalInverses)
    let logits = activations.logits.rows(all)
    context.multiply(.plain, normed, layout.head.matrix(in: parameters), into: logits)
    context.crossEntropy(
      logits, tokens: UnsafeBufferPointer(rebasing: activations.targetTokens[all]),
      losses: UnsafeMutableBufferPointer(rebasing: activations.losses[all]), factor: factor)
  }

  /// Adds the gradients of the micro-batch whose forward pass has just run.
  func backward(tokenCount: Int) {
    let all = 0..<tokenCount
    let (stream, normGradient) = (
      activations.gradient.rows(all), activations.normGradient.rows(all)
    )
    linearGradient(
      layout.head, input: activations.finalNorm.rows(all), gradient: activations.logits.rows(all),
      inputGradient: normGradient)
    context.fill(stream, with: 0)
    normGradients(
      layout.finalNorm, activations.output.rows(all), activations.finalInverses, normGradient,
      addingTo: stream)
    for (layer, values) in zip(layout.layers, activations.layers).reversed() {
      backward(layer, values.rows(all), stream: stream, normGradient: normGradient)
    }
    embeddingGradient(stream)
  }

  private var first: Matrix { activations.layers.first?.input ?? activations.output }

  private func forward(_ layer: ParameterLayout.Layer, _ values: Activations.Layer, output: Matrix)
  {
    norm(values.input, layer.attentionNorm, values.attentionNorm, values.attentionInverses)
    linear(layer.attentionInput, values.attentionNorm, into: values.projections)
    attention.forward(projections: values.projections, output: values.attention)
    context.copy(values.input, to: values.middle)
    linear(layer.attentionOutput, values.attention, into: values.middle, accumulates: true)
    norm(values.middle, layer.hiddenNorm, values.hiddenNorm, values.hiddenInverses)
    linear(layer.hiddenInput, values.hiddenNorm, into: values.hidden)
    context.gelu(values.hidden, into: values.activated)
    context.copy(values.middle, to: output)
    linear(layer.hiddenOutput, values.activated, into: output, accumulates: true)
  }

  /// `stream` holds the gradient of the layer's output on entry, of its input on return.
  private func backward(
    _ layer: ParameterLayout.Layer, _ values: Activations.Layer, stream: Matrix,
    normGradient: Matrix
  ) {
    let all = 0..<stream.rowCount
    let hidden = activations.hiddenGradient.rows(all)
    let projections = activations.projectionGradient.rows(all)
    linearGradient(
      layer.hiddenOutput, input: values.activated, gradient: stream, inputGradient: hidden)
    context.geluGradient(hidden, x: values.hidden)
    linearGradient(
      layer.hiddenInput, input: values.hiddenNorm, gradient: hidden, inputGradient: normGradient)
    normGradients(
      layer.hiddenNorm, values.middle, values.hiddenInverses, normGradient, addingTo: stream)
    linearGradient(
      layer.attentionOutput, input: values.attention, gradient: stream,
      inputGradient: normGradient)
    attention.backward(
      projections: values.projections, outputGradient: normGradient,
      projectionGradient: projections)
    linearGradient(
      layer.attentionInput, input: values.attentionNorm, gradient: projections,
      inputGradient: normGradient)
    normGradients(
      layer.attentionNorm, values.input, values.attentionInverses, normGradient, addingTo: stream)
  }

  private func norm(_ x: Matrix, _ gain: ParameterSlice, _ result: Matrix, _ inverses: Matrix) {
    context.rmsNorm(
      x, gain: gain.matrix(in: parameters), epsilon: configuration.normEpsilon, into: result,
      inverses: inverses.block(rows: 0..<1, columns: 0..<x.rowCount))
  }

  private func normGradients(
    _ gain: ParameterSlice, _ x: Matrix, _ inverses: Matrix, _ gradient: Matrix,
    addingTo stream: Matrix
  ) {
    context.rmsNormGradient(
      gradient, x: x, gain: gain.matrix(in: parameters),
      inverses: inverses.block(rows: 0..<1, columns: 0..<x.rowCount), addingTo: stream,
      gradientOfGain: gain.matrix(in: gradients))
  }

  private func linear(
    _ slice: ParameterSlice, _ input: Matrix, into output: Matrix, accumulates: Bool = false
  ) {
    context.multiply(
      .plain, input, slice.matrix(in: parameters), into: output, accumulates: accumulates)
  }

  /// dX = dY · Wᵀ and dW += Xᵀ · dY.
  private func linearGradient(
    _ slice: ParameterSlice, input: Matrix, gradient: Matrix, inputGradient: Matrix
  ) {
    context.multiply(.transposedB, gradient, slice.matrix(in: parameters), into: inputGradient)
    context.multiply(
      .transposedA, input, gradient, into: slice.matrix(in: gradients), accumulates: true)
  }

  private func embed(into stream: Matrix) {
    let table = layout.embedding.matrix(in: parameters)
    let tokens = UnsafeBufferPointer(activations.inputTokens)
    context.team.run(count: stream.rowCount, minimumPerThread: 256) { _, range in
      for row in range {
        let source = table.start + Int(tokens[row]) * table.stride
        (stream.start + row * stream.stride).update(from: source, count: table.columnCount)
      }
    }
  }

  /// Adds each token's gradient to its row of the table.
  ///
  /// Threads own columns, and each goes through the tokens in order, since a token may occur many
  /// times.
  private func embeddingGradient(_ stream: Matrix) {
    let table = layout.embedding.matrix(in: gradients)
    let tokens = UnsafeBufferPointer(activations.inputTokens)
    context.team.run(count: table.columnCount, minimumPerThread: 32) { _, columns in
      for row in 0..<stream.rowCount {
        let source = stream.start + row * stream.stride
        let destination = table.start + Int(tokens[row]) * table.stride
        for column in columns { destination[column] += source[column] }
      }
    }
  }
}

extension Activations.Layer {
  /// The first `range` of every matrix that has a row per token.
  func rows(_ range: Range<Int>) -> Activations.Layer {
    Activations.Layer(
      input: input.rows(range), attentionNorm: attentionNorm.rows(range),
      attentionInverses: attentionInverses, projections: projections.rows(range),
      attention: attention.rows(range), middle: middle.rows(range),
      hiddenNorm: hiddenNorm.rows(range), hiddenInverses: hiddenInverses,
      hidden: hidden.rows(range), activated: activated.rows(range))
  }
}
