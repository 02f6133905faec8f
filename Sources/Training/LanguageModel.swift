package import Kernels

/// A small decoder-only transformer on the CPU, the same bit for bit for every number of threads.
///
///     x₀ = E[token]
///     x ← x + attention(norm(x)) W_o;  x ← x + gelu(norm(x) W_1) W_2      (L layers)
///     logits = norm(x) W_head
///
/// Norms are root mean square norms before each block, attention is ``CausalAttention``, nothing
/// has a bias and the head is not tied to the embedding. All parameters lie in one buffer, by
/// ``ParameterLayout``. Belongs to one thread; it uses its team of threads inside a call only.
public final class LanguageModel {
  /// The model's shape.
  public let configuration: LanguageModelConfiguration
  /// What the kernels run with.
  package let context: KernelContext
  /// Where each parameter lies.
  package let layout: ParameterLayout
  /// All parameters.
  package let parameters: FloatArray
  /// The gradients that the last calls left, in the same places.
  package let gradients: FloatArray
  let attention: CausalAttention
  private(set) var activations: Activations

  /// Creates a model with fresh parameters.
  ///
  /// - Parameters:
  ///   - configuration: the shape.
  ///   - seed: what the initial parameters follow from; each named slice has a stream of its own.
  ///   - threads: how many threads split the work, the caller's among them.
  /// - Throws: what ``LanguageModelConfiguration/validate()`` throws, and
  ///   ``TrainingError/settingOutOfRange(name:value:allowed:)`` for the threads.
  public convenience init(
    configuration: LanguageModelConfiguration, seed: UInt64, threads: Int
  ) throws(TrainingError) {
    try self.init(
      configuration: configuration, seed: seed, threads: threads, instructionSet: .best)
  }

  /// Creates a model that runs with `instructionSet`, which this machine must support.
  package init(
    configuration: LanguageModelConfiguration, seed: UInt64, threads: Int,
    instructionSet: InstructionSet
  ) throws(TrainingError) {
    try configuration.validate()
    guard (1...1024).contains(threads) else {
      throw .settingOutOfRange(name: "threads", value: threads, allowed: 1...1024)
    }
    self.configuration = configuration
    context = KernelContext(threadCount: threads, instructionSet: instructionSet)
    layout = ParameterLayout(configuration)
    parameters = FloatArray(count: layout.count)
    gradients = FloatArray(count: layout.count)
    attention = CausalAttention(configuration, context: context)
    activations = Activations(configuration, rowCapacity: 0)
    layout.initialize(parameters, seed: seed)
  }

  /// The number of parameters.
  public var parameterCount: Int { layout.slices.reduce(0) { $0 + $1.count } }

  /// The name of the instruction set that the numbers are exact for.
  public var instructionSetName: String { context.instructionSet.description }

  /// The loss of each row, with the gradient of their mean left in the model.
  ///
  /// - Parameters:
  ///   - tokens: [rowCount, T + 1], row-major.
  ///   - rowCount: at least 1.
  /// - Returns: the mean loss of each row's T target tokens, nats per token.
  /// - Throws: ``TrainingError/tokenCountWrong(found:expected:)`` and
  ///   ``TrainingError/tokenOutOfRange(token:row:position:vocabularySize:)``, before any change.
  public func lossAndGradient(
    tokens: UnsafeBufferPointer<Int32>, rowCount: Int
  ) throws(TrainingError) -> [Double] {
    try lossAndGradient(tokens: tokens, rowCount: rowCount, microBatchRows: rowCount) { _ in }
  }

  /// The same, of rows in micro-batches: no pass goes over the end of one.
  ///
  /// The gradients follow from the size of the micro-batches, not from what is done after each.
  ///
  /// - Parameters:
  ///   - tokens: [rowCount, T + 1], row-major.
  ///   - rowCount: at least 1.
  ///   - microBatchRows: m, at least 1; the last micro-batch may be shorter.
  ///   - afterMicroBatch: called with the rows whose gradients were added last.
  /// - Returns: the mean loss of each row's T target tokens, nats per token.
  /// - Throws: as ``lossAndGradient(tokens:rowCount:)``, and what `afterMicroBatch` throws.
  package func lossAndGradient(
    tokens: UnsafeBufferPointer<Int32>, rowCount: Int, microBatchRows: Int,
    afterMicroBatch: (Range<Int>) throws(TrainingError) -> Void
  ) throws(TrainingError) -> [Double] {
    try checkTokens(tokens, rowCount: rowCount)
    precondition(microBatchRows >= 1, "no micro-batches of \(microBatchRows) rows")
    clearGradients()
    let factor = 1 / Float(rowCount * configuration.sequenceLength)
    let length = configuration.sequenceLength + 1
    var losses: [Double] = []
    losses.reserveCapacity(rowCount)
    for begin in stride(from: 0, to: rowCount, by: microBatchRows) {
      let rows = begin..<min(begin + microBatchRows, rowCount)
      let part = tokens[rows.lowerBound * length..<rows.upperBound * length]
      losses += passes(
        UnsafeBufferPointer(rebasing: part), rowCount: rows.count, factor: factor)
      try afterMicroBatch(rows)
    }
    return losses
  }

  /// The loss of each row, without gradients.
  ///
  /// - Parameters:
  ///   - tokens: [rowCount, T + 1], row-major.
  ///   - rowCount: at least 1.
  /// - Returns: the mean loss of each row's T target tokens, nats per token.
  /// - Throws: as ``lossAndGradient(tokens:rowCount:)``.
  public func losses(
    tokens: UnsafeBufferPointer<Int32>, rowCount: Int
  ) throws(TrainingError) -> [Double] {
    try checkTokens(tokens, rowCount: rowCount)
    return passes(tokens, rowCount: rowCount, factor: 0)
  }

  /// Adds `factor` times the gradient of the sum of all target tokens' losses to ``gradients``.
  ///
  /// For gradients of one domain at a time: clear, add the domain's rows, read the slices wanted.
  ///
  /// - Throws: as ``lossAndGradient(tokens:rowCount:)``.
  package func addGradient(
    tokens: UnsafeBufferPointer<Int32>, rowCount: Int, factor: Float
  ) throws(TrainingError) -> [Double] {
    try checkTokens(tokens, rowCount: rowCount)
    return passes(tokens, rowCount: rowCount, factor: factor)
  }

  /// The losses of the first `count` target tokens of the last micro-batch, nats.
  package func tokenLosses(count: Int) -> [Double] { Array(activations.losses[..<count]) }

  /// Sets every gradient to 0.
  package func clearGradients() {
    context.fill(Matrix(gradients, rowCount: 1, columnCount: gradients.count), with: 0)
  }

  /// Runs the micro-batches one after the other; with a factor of 0 forward only.
  private func passes(
    _ tokens: UnsafeBufferPointer<Int32>, rowCount: Int, factor: Float
  ) -> [Double] {
    let length = configuration.sequenceLength
    let chunk = min(rowCount, configuration.microBatchRowCount)
    if activations.rowCapacity < chunk {
      activations = Activations(configuration, rowCapacity: chunk)
    }
    var losses: [Double] = []
    losses.reserveCapacity(rowCount)
    for begin in stride(from: 0, to: rowCount, by: chunk) {
      let rows = min(chunk, rowCount - begin)
      let part = tokens[begin * (length + 1)..<(begin + rows) * (length + 1)]
      activations.setTokens(
        UnsafeBufferPointer(rebasing: part), rowCount: rows, sequenceLength: length)
      forward(tokenCount: rows * length, factor: factor)
      if factor != 0 { backward(tokenCount: rows * length) }
      for row in 0..<rows {
        var sum = 0.0
        for position in 0..<length { sum += activations.losses[row * length + position] }
        losses.append(sum / Double(length))
      }
    }
    return losses
  }

  private func checkTokens(
    _ tokens: UnsafeBufferPointer<Int32>, rowCount: Int
  ) throws(TrainingError) {
    guard (1...(1 << 24)).contains(rowCount) else {
      throw .settingOutOfRange(name: "row_count", value: rowCount, allowed: 1...(1 << 24))
    }
    let length = configuration.sequenceLength + 1
    guard tokens.count == rowCount * length else {
      throw .tokenCountWrong(found: tokens.count, expected: rowCount * length)
    }
    let size = configuration.vocabularySize
    for (place, token) in tokens.enumerated() where token < 0 || Int(token) >= size {
      throw .tokenOutOfRange(
        token: Int(token), row: place / length, position: place % length, vocabularySize: size)
    }
  }
}
