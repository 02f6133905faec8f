public import Loading
public import Mixing

/// What a training loop needs of a trainer; the loader knows nothing of it.
///
/// A trainer's whole memory is ``checkpointBytes()``: one that is made anew by the same settings
/// and given those bytes goes on bit for bit. All trainers get tokens as `Int32`.
public protocol Trainer {
  /// The last step that was made; 0 before the first.
  var step: Int { get }

  /// The number of parameters, for the record.
  var parameterCount: Int { get }

  /// What the numbers are bit-exact for, for the record, such as `avx2`.
  var instructionSetName: String { get }

  /// Makes one step on a batch.
  ///
  /// - Parameter batch: rows of `Int32` tokens.
  /// - Returns: the losses before the update, and what the update was.
  /// - Throws: what keeps the step from being made, such as a loss that is not finite. The
  ///   parameters are those before the call then.
  mutating func step(_ batch: Batch) throws -> StepReport

  /// Returns the loss of each row without learning from it.
  ///
  /// - Parameters:
  ///   - tokens: `[rowCount, T + 1]`, row-major.
  ///   - rowCount: at least 1.
  /// - Returns: the mean loss of each row's target tokens, nats per token.
  /// - Throws: what keeps the losses from being measured.
  mutating func losses(
    tokens: UnsafeBufferPointer<Int32>, rowCount: Int
  ) throws -> [Double]

  /// Returns everything that the next step depends on, besides its batch and the settings.
  func checkpointBytes() -> [UInt8]

  /// Goes back to what ``checkpointBytes()`` returned.
  ///
  /// - Parameter bytes: the checkpoint of a trainer of the same settings.
  /// - Throws: what is wrong with the bytes. Nothing is changed then.
  mutating func restore(_ bytes: [UInt8]) throws
}

extension StepReport {
  /// Creates the report of a trainer of one's own.
  ///
  /// - Parameters:
  ///   - feedback: the step, and the losses and target tokens by domain.
  ///   - loss: the mean loss of the step's target tokens, nats per token.
  ///   - learningRate: the learning rate of the update.
  ///   - gradientNorm: the norm of the gradient before clipping.
  public init(feedback: Feedback, loss: Double, learningRate: Double, gradientNorm: Double) {
    self.init(
      step: feedback.step, loss: loss, lossByDomain: feedback.losses,
      tokenCountByDomain: feedback.tokenCounts, learningRate: learningRate,
      gradientNorm: gradientNorm)
  }

  /// What a policy learns from the step.
  public var feedback: Feedback {
    Feedback(step: step, losses: lossByDomain, tokenCounts: tokenCountByDomain)
  }
}

extension LanguageModelTrainer: Trainer {
  /// The number of the model's parameters.
  public var parameterCount: Int { model.parameterCount }

  /// The vector instructions that the model runs with.
  public var instructionSetName: String { model.instructionSetName }

  /// Makes one step on a batch, of which every row knows its domain.
  ///
  /// - Parameter batch: rows of `Int32` tokens of the model's sequence length.
  /// - Returns: the losses before the update, and what the update was.
  /// - Throws: as ``step(tokens:rowCount:domainIndexes:domainCount:)``.
  public func step(_ batch: Batch) throws(TrainingError) -> StepReport {
    let domainIndexes = (0..<batch.rowCount).map { batch.facts.domainIndex(ofRow: $0) }
    return try batch.withTokens(as: Int32.self) { tokens throws(TrainingError) in
      try step(
        tokens: tokens, rowCount: batch.rowCount, domainIndexes: domainIndexes,
        domainCount: batch.facts.domainCount)
    }
  }

  /// Returns the loss of each row.
  ///
  /// - Parameters:
  ///   - tokens: `[rowCount, T + 1]`, row-major.
  ///   - rowCount: at least 1.
  /// - Returns: the mean loss of each row's target tokens, nats per token.
  /// - Throws: as ``LanguageModel/losses(tokens:rowCount:)``.
  public func losses(
    tokens: UnsafeBufferPointer<Int32>, rowCount: Int
  ) throws(TrainingError) -> [Double] {
    try model.losses(tokens: tokens, rowCount: rowCount)
  }
}
