import Kernels

/// What one training step did.
public struct StepReport: Sendable, Equatable {
  /// The step, counted from 1.
  public let step: Int
  /// The mean loss of the step's target tokens before the update, nats per token.
  public let loss: Double
  /// The same for the rows of each domain; nil means that the domain had no row.
  public let lossByDomain: [Double?]
  /// Target tokens of each domain.
  public let tokenCountByDomain: [Int]
  /// The learning rate of the update.
  public let learningRate: Double
  /// The norm of the gradient before clipping.
  public let gradientNorm: Double
}

/// A model with its optimizer and schedule: one call per step.
///
/// Its whole memory is ``checkpointBytes()``: a trainer that is restored from it goes on bit for
/// bit.
public final class LanguageModelTrainer {
  /// The model.
  public let model: LanguageModel
  /// The learning rate by step.
  public let schedule: LearningRateSchedule
  /// The optimizer.
  package let optimizer: AdamW

  /// Creates a trainer at step 0.
  public init(
    model: LanguageModel, schedule: LearningRateSchedule, optimizer: AdamWConfiguration = .init()
  ) {
    self.model = model
    self.schedule = schedule
    self.optimizer = AdamW(optimizer, count: model.layout.count)
  }

  /// The last step that was made; 0 before the first.
  public var step: Int { optimizer.step }

  /// Makes one step on a batch.
  ///
  /// - Parameters:
  ///   - tokens: [rowCount, T + 1], row-major.
  ///   - rowCount: at least 1.
  ///   - domainIndexes: the domain of each row.
  ///   - domainCount: the number of domains.
  /// - Returns: the losses before the update, and what the update was.
  /// - Throws: ``TrainingError/domainIndexesWrong(indexCount:rowCount:domainCount:)``, what
  ///   ``LanguageModel/lossAndGradient(tokens:rowCount:)`` throws, and
  ///   ``TrainingError/lossNotFinite(step:loss:)`` or
  ///   ``TrainingError/gradientNotFinite(step:norm:)``. After any of them the parameters are those
  ///   before the call.
  public func step(
    tokens: UnsafeBufferPointer<Int32>, rowCount: Int, domainIndexes: [Int], domainCount: Int
  ) throws(TrainingError) -> StepReport {
    guard domainIndexes.count == rowCount,
      domainIndexes.allSatisfy({ $0 >= 0 && $0 < domainCount })
    else {
      throw .domainIndexesWrong(
        indexCount: domainIndexes.count, rowCount: rowCount, domainCount: domainCount)
    }
    let losses = try model.lossAndGradient(tokens: tokens, rowCount: rowCount)
    return try update(losses: losses, domainIndexes: domainIndexes, domainCount: domainCount)
  }

  /// Updates the parameters by the gradients that are in the model.
  ///
  /// - Parameters:
  ///   - losses: the loss of each row that the gradients are the mean of.
  ///   - domainIndexes: the domain of each row.
  ///   - domainCount: the number of domains.
  /// - Returns: the report of the step.
  /// - Throws: ``TrainingError/lossNotFinite(step:loss:)`` or
  ///   ``TrainingError/gradientNotFinite(step:norm:)``, before any change.
  package func update(
    losses: [Double], domainIndexes: [Int], domainCount: Int
  ) throws(TrainingError) -> StepReport {
    let next = step + 1
    let loss = losses.reduce(0, +) / Double(max(losses.count, 1))
    guard loss.isFinite else { throw .lossNotFinite(step: next, loss: loss) }
    let norm = model.context.sumOfSquares(model.gradients).squareRoot()
    guard norm.isFinite else { throw .gradientNotFinite(step: next, norm: norm) }
    let learningRate = schedule.rate(atStep: next)
    optimizer.update(
      model.parameters, gradients: model.gradients, layout: model.layout,
      learningRate: learningRate, gradientFactor: optimizer.clippingFactor(norm: norm),
      context: model.context)
    var sums = [Double](repeating: 0, count: domainCount)
    var rows = [Int](repeating: 0, count: domainCount)
    for (loss, domain) in zip(losses, domainIndexes) {
      sums[domain] += loss
      rows[domain] += 1
    }
    return StepReport(
      step: next, loss: loss,
      lossByDomain: zip(sums, rows).map { $1 == 0 ? nil : $0 / Double($1) },
      tokenCountByDomain: rows.map { $0 * model.configuration.sequenceLength },
      learningRate: learningRate, gradientNorm: norm)
  }
}
