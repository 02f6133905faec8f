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

  /// Is told what the policy reads of the feedback; only that has to be measured.
  ///
  /// Called before the first step, and again whenever it changes. The default accepts policies that
  /// read losses, or nothing.
  ///
  /// - Parameters:
  ///   - needs: what the policy reads.
  ///   - batches: the shape of the batches; gradients by domain need grouped rows.
  ///   - domainCount: the number of domains.
  /// - Throws: why it cannot be measured. The run does not begin then.
  mutating func measure(
    _ needs: FeedbackNeeds, of batches: BatchConfiguration, domainCount: Int
  ) throws

  /// Returns what is remembered for the feedback alone, such as smoothed gradients: no step depends
  /// on it but through the policy.
  func feedbackBytes() -> [UInt8]

  /// Goes back to what ``feedbackBytes()`` returned, of the same needs and domains.
  ///
  /// - Parameter bytes: what was saved beside ``checkpointBytes()``.
  /// - Throws: what is wrong with the bytes. Nothing is changed then.
  mutating func restoreFeedback(_ bytes: [UInt8]) throws

  /// Returns everything that the next step depends on, besides its batch and the settings.
  func checkpointBytes() -> [UInt8]

  /// Goes back to what ``checkpointBytes()`` returned.
  ///
  /// - Parameter bytes: the checkpoint of a trainer of the same settings.
  /// - Throws: what is wrong with the bytes. Nothing is changed then.
  mutating func restore(_ bytes: [UInt8]) throws
}

extension Trainer {
  /// Accepts needs of losses alone.
  ///
  /// - Parameters:
  ///   - needs: what the policy reads.
  ///   - batches: is not read.
  ///   - domainCount: is not read.
  /// - Throws: ``TrainingError/feedbackNotMeasured(_:)`` if more is needed.
  public mutating func measure(
    _ needs: FeedbackNeeds, of batches: BatchConfiguration, domainCount: Int
  ) throws {
    guard !needs.gradients, !needs.norms else { throw TrainingError.feedbackNotMeasured(needs) }
  }

  /// Nothing.
  ///
  /// - Returns: no bytes.
  public func feedbackBytes() -> [UInt8] { [] }

  /// Does nothing.
  ///
  /// - Parameter bytes: is not read.
  /// - Throws: nothing.
  public mutating func restoreFeedback(_ bytes: [UInt8]) throws {}
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
        domainCount: batch.facts.domainCount, microBatchRows: batch.facts.microBatchRows)
    }
  }

  /// Measures gradients by domain and norms from the next step on, as far as they are needed.
  ///
  /// - Parameters:
  ///   - needs: what the policy reads.
  ///   - batches: the shape of the batches.
  ///   - domainCount: the number of domains.
  /// - Throws: ``TrainingError/gradientsNeedGrouping`` where gradients are needed of rows that are
  ///   not grouped, ``TrainingError/watchedParametersMalformed(text:reason:)`` and
  ///   ``TrainingError/gradients(_:)`` for settings that do not fit the model.
  public func measure(
    _ needs: FeedbackNeeds, of batches: BatchConfiguration, domainCount: Int
  ) throws(TrainingError) {
    try measure(needs, isGrouped: batches.grouping != nil, domainCount: domainCount)
  }

  /// The bytes that the rows of gradients take now.
  package var feedbackByteCount: Int { meter?.recorder?.byteCount ?? 0 }

  /// The number of parameters whose gradients are measured by domain now.
  package var watchedParameterCount: Int { meter?.recorder?.parameterCount ?? 0 }

  /// Returns the smoothed gradients, with a checksum; nothing where none are needed.
  public func feedbackBytes() -> [UInt8] { meter?.recorder?.checkpointBytes() ?? [] }

  /// Goes on from smoothed gradients.
  ///
  /// - Parameter bytes: what ``feedbackBytes()`` was under the same needs; empty for none.
  /// - Throws: ``TrainingError/gradients(_:)``.
  public func restoreFeedback(_ bytes: [UInt8]) throws(TrainingError) {
    guard let recorder = meter?.recorder else {
      guard bytes.isEmpty else {
        throw .gradients(.checkpointByteCountWrong(found: bytes.count, expected: 0))
      }
      return
    }
    do throws(GradientError) { try recorder.restore(bytes) } catch { throw .gradients(error) }
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
