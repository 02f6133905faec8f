import Kernels

/// What the forward pass of one micro-batch leaves for the backward pass, and the gradients that
/// flow back through it.
///
/// N = rows · T tokens. Everything is allocated once, for the largest N seen.
final class Activations {
  /// One layer's values, each [N, columns].
  struct Layer {
    /// The residual stream before the layer, [N, d].
    let input: Matrix
    /// Its norm, [N, d], and one over its root mean square, [1, N].
    let attentionNorm, attentionInverses: Matrix
    /// Queries and keys after rotation, and values, [N, 3d].
    let projections: Matrix
    /// The heads' outputs side by side, [N, d].
    let attention: Matrix
    /// The residual stream after attention, [N, d].
    let middle: Matrix
    /// Its norm, [N, d], and one over its root mean square, [1, N].
    let hiddenNorm, hiddenInverses: Matrix
    /// Before and after GELU, [N, h].
    let hidden, activated: Matrix
  }

  /// How many rows there is room for.
  let rowCapacity: Int
  let layers: [Layer]
  /// The residual stream after the last layer, its norm, [N, d], and the inverses, [1, N].
  let output, finalNorm, finalInverses: Matrix
  /// [N, V]; the backward pass turns them into their gradient.
  let logits: Matrix
  /// Gradients of the residual stream, of a norm's or attention's output, [N, d].
  let gradient, normGradient: Matrix
  /// Gradient of the projections, [N, 3d], and of the hidden layer, [N, h].
  let projectionGradient, hiddenGradient: Matrix
  /// The tokens that are read, the tokens that follow them, and the loss of each, [N].
  let inputTokens, targetTokens: UnsafeMutableBufferPointer<Int32>
  let losses: UnsafeMutableBufferPointer<Double>

  init(_ configuration: LanguageModelConfiguration, rowCapacity: Int) {
    let count = rowCapacity * configuration.sequenceLength
    let (width, hidden) = (configuration.width, configuration.hiddenWidth)
    func make(_ columns: Int) -> Matrix { Matrix(rowCount: count, columnCount: columns) }
    func makeRow() -> Matrix { Matrix(rowCount: 1, columnCount: count) }
    self.rowCapacity = rowCapacity
    layers = (0..<configuration.layerCount).map { _ in
      Layer(
        input: make(width), attentionNorm: make(width), attentionInverses: makeRow(),
        projections: make(3 * width), attention: make(width), middle: make(width),
        hiddenNorm: make(width), hiddenInverses: makeRow(), hidden: make(hidden),
        activated: make(hidden))
    }
    output = make(width)
    finalNorm = make(width)
    finalInverses = makeRow()
    logits = make(configuration.vocabularySize)
    gradient = make(width)
    normGradient = make(width)
    projectionGradient = make(3 * width)
    hiddenGradient = make(hidden)
    inputTokens = .allocate(capacity: count)
    targetTokens = .allocate(capacity: count)
    losses = .allocate(capacity: count)
    inputTokens.initialize(repeating: 0)
    targetTokens.initialize(repeating: 0)
    losses.initialize(repeating: 0)
  }

  deinit {
    inputTokens.deallocate()
    targetTokens.deallocate()
    losses.deallocate()
  }

  /// Splits rows of T + 1 tokens into what is read and what follows.
  func setTokens(_ tokens: UnsafeBufferPointer<Int32>, rowCount: Int, sequenceLength: Int) {
    for row in 0..<rowCount {
      for position in 0..<sequenceLength {
        let place = row * (sequenceLength + 1) + position
        inputTokens[row * sequenceLength + position] = tokens[place]
        targetTokens[row * sequenceLength + position] = tokens[place + 1]
      }
    }
  }
}
