import Kernels
public import Mixing

/// What one training step did.
public struct StepReport: Sendable, Equatable {
  /// What a policy learns from the step: the losses by domain, and whatever else was measured.
  public let feedback: Feedback
  /// The mean loss of the step's target tokens before the update, nats per token.
  public let loss: Double
  /// The learning rate of the update.
  public let learningRate: Double
  /// The norm of the gradient before clipping.
  public let gradientNorm: Double

  /// Creates the report of a step.
  ///
  /// - Parameters:
  ///   - feedback: the step, the losses and target tokens by domain, and what else was measured.
  ///   - loss: the mean loss of the step's target tokens, nats per token.
  ///   - learningRate: the learning rate of the update.
  ///   - gradientNorm: the norm of the gradient before clipping.
  public init(feedback: Feedback, loss: Double, learningRate: Double, gradientNorm: Double) {
    self.feedback = feedback
    self.loss = loss
    self.learningRate = learningRate
    self.gradientNorm = gradientNorm
  }

  /// The step, counted from 1.
  public var step: Int { feedback.step }

  /// The mean loss of each domain's rows; nil means that the domain had no row.
  public var lossByDomain: [Double?] { feedback.losses }

  /// Target tokens of each domain.
  public var tokenCountByDomain: [Int] { feedback.tokenCounts }
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
  /// How gradients by domain are measured, where they are.
  public let gradientSettings: GradientSettings
  private let gradientSeed: UInt64
  /// nil where nothing beside losses is needed.
  var meter: FeedbackMeter?

  /// Creates a trainer at step 0.
  ///
  /// - Parameters:
  ///   - model: the model.
  ///   - schedule: the learning rate by step.
  ///   - optimizer: the optimizer's settings.
  ///   - gradients: how gradients by domain are measured, where a policy reads them.
  ///   - seed: what their projection follows from.
  public init(
    model: LanguageModel, schedule: LearningRateSchedule, optimizer: AdamWConfiguration = .init(),
    gradients: GradientSettings = GradientSettings(), seed: UInt64 = 0
  ) {
    self.model = model
    self.schedule = schedule
    self.optimizer = AdamW(optimizer, count: model.layout.count)
    gradientSettings = gradients
    gradientSeed = seed
  }

  /// Measures what a policy reads from the next step on, and nothing else.
  ///
  /// - Parameters:
  ///   - needs: what the policy reads.
  ///   - isGrouped: whether rows come in micro-batches of one domain.
  ///   - domainCount: the number of domains.
  /// - Throws: ``TrainingError/gradientsNeedGrouping`` where gradients are needed and rows are not
  ///   grouped, ``TrainingError/watchedParametersMalformed(text:reason:)`` and
  ///   ``TrainingError/gradients(_:)`` for settings that do not fit.
  package func measure(
    _ needs: FeedbackNeeds, isGrouped: Bool, domainCount: Int
  ) throws(TrainingError) {
    guard needs.gradients || needs.norms else {
      meter = nil
      return
    }
    guard isGrouped || !needs.gradients else { throw .gradientsNeedGrouping }
    if let meter, meter.needs == needs, meter.domainCount == domainCount { return }
    let old = meter
    let new = try FeedbackMeter(
      needs, of: model, settings: gradientSettings, seed: gradientSeed, domainCount: domainCount)
    // Needs may change while a run goes on; what is smoothed alike goes on then.
    if let old, old.needs.smoothing == needs.smoothing, old.domainCount == domainCount,
      let bytes = old.recorder?.checkpointBytes()
    {
      do throws(GradientError) { try new.recorder?.restore(bytes) } catch {
        throw .gradients(error)
      }
    }
    meter = new
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
  ///   - microBatchRows: m, where rows come in micro-batches of m rows of one domain; the gradients
  ///     are added up micro-batch by micro-batch then. nil for rows in any order.
  /// - Returns: the losses before the update, and what the update was.
  /// - Throws: ``TrainingError/domainIndexesWrong(indexCount:rowCount:domainCount:)``,
  ///   ``TrainingError/microBatchesMixed(row:microBatchRows:)`` where gradients are measured and a
  ///   micro-batch is short or of several domains, what
  ///   ``LanguageModel/lossAndGradient(tokens:rowCount:)`` throws, and
  ///   ``TrainingError/lossNotFinite(step:loss:)`` or
  ///   ``TrainingError/gradientNotFinite(step:norm:)``. After any of them the parameters are those
  ///   before the call.
  public func step(
    tokens: UnsafeBufferPointer<Int32>, rowCount: Int, domainIndexes: [Int], domainCount: Int,
    microBatchRows: Int? = nil
  ) throws(TrainingError) -> StepReport {
    guard domainIndexes.count == rowCount,
      domainIndexes.allSatisfy({ $0 >= 0 && $0 < domainCount })
    else {
      throw .domainIndexesWrong(
        indexCount: domainIndexes.count, rowCount: rowCount, domainCount: domainCount)
    }
    let rows = microBatchRows ?? max(rowCount, 1)
    guard rows >= 1 else {
      throw .settingOutOfRange(name: "micro_batch_rows", value: rows, allowed: 1...(1 << 24))
    }
    let meter = meter?.recorder == nil ? nil : meter
    if let meter {
      guard domainCount == meter.domainCount else {
        throw .gradients(
          .sumsOfAnotherShape(
            name: "domains", found: domainCount, expected: meter.domainCount))
      }
      try checkMicroBatches(domainIndexes, microBatchRows: microBatchRows)
      meter.begin(rowCount: rowCount, microBatchRows: rows)
    }
    let losses = try model.lossAndGradient(
      tokens: tokens, rowCount: rowCount, microBatchRows: rows
    ) { range throws(TrainingError) in
      try meter?.credit(domain: domainIndexes[range.lowerBound])
    }
    return try update(losses: losses, domainIndexes: domainIndexes, domainCount: domainCount)
  }

  /// Checks that rows come in whole micro-batches of one domain each.
  private func checkMicroBatches(
    _ domainIndexes: [Int], microBatchRows: Int?
  ) throws(TrainingError) {
    guard let microBatchRows else { throw .gradientsNeedGrouping }
    for (row, domain) in domainIndexes.enumerated() {
      let first = row / microBatchRows * microBatchRows
      guard domain == domainIndexes[first], first + microBatchRows <= domainIndexes.count else {
        throw .microBatchesMixed(row: row, microBatchRows: microBatchRows)
      }
    }
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
    let gradients = try meter?.finish()
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
    let norms = meter?.measureNorms()
    return StepReport(
      feedback: Feedback(
        step: next, losses: zip(sums, rows).map { $1 == 0 ? nil : $0 / Double($1) },
        tokenCounts: rows.map { $0 * model.configuration.sequenceLength }, gradients: gradients,
        parameterNorms: norms?.parameters, updateNorms: norms?.updates),
      loss: loss, learningRate: learningRate, gradientNorm: norm)
  }
}
