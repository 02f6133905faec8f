// Covers: AdamW.swift

import Kernels
import Testing
import Training

private func makeTrainer(
  _ configuration: LanguageModelConfiguration, threads: Int = 1,
  schedule: LearningRateSchedule = plainSchedule, optimizer: AdamWConfiguration = .init()
) throws -> LanguageModelTrainer {
  LanguageModelTrainer(
    model: try LanguageModel(configuration: configuration, seed: 3, threads: threads),
    schedule: schedule, optimizer: optimizer)
}

@Suite(.timeLimit(.minutes(5))) struct LanguageModelTrainerTests {
  @Test func aSequenceIsLearntByHeart() throws {
    let trainer = try makeTrainer(
      tinyConfiguration, optimizer: AdamWConfiguration(weightDecay: 0))
    // Distinct tokens, so that each has one successor and the loss can reach 0.
    let tokens: [Int32] = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7, 10, 2]
    var reports: [StepReport] = []
    for _ in 0..<300 { reports.append(try trainer.step(tokens, rowCount: 2)) }
    #expect(try #require(reports.first).loss > 2)
    #expect(try #require(reports.last).loss < 0.02)
  }

  @Test func everyThreadCountGivesTheSameBits() throws {
    let results = try [1, 2, 3].map { threads in
      let trainer = try makeTrainer(smallConfiguration, threads: threads)
      var reports: [StepReport] = []
      for step in 0..<4 {
        // A changed batch size in the middle.
        let rows = step == 2 ? 5 : 7
        let tokens = makeTokens(smallConfiguration, rowCount: rows, stream: "step \(step)")
        reports.append(try trainer.step(tokens, rowCount: rows))
      }
      return (reports, trainer.checkpointBytes())
    }
    #expect(results[0].0 == results[1].0 && results[0].0 == results[2].0)
    #expect(results[0].1 == results[1].1 && results[0].1 == results[2].1)
  }

  @Test(arguments: [1, 2, 3, 4, 5])
  func goesOnBitForBitFromACheckpointAfterAnyStep(cut: Int) throws {
    func tokens(_ step: Int) -> [Int32] {
      makeTokens(tinyConfiguration, rowCount: 4, stream: "resume \(step)")
    }
    let whole = try makeTrainer(tinyConfiguration)
    var checkpoint: [UInt8] = []
    var reports: [StepReport] = []
    for step in 1...6 {
      reports.append(try whole.step(tokens(step), rowCount: 4))
      if step == cut { checkpoint = whole.checkpointBytes() }
    }
    // Another seed and some other step first: all of it must be gone after restoring.
    let resumed = LanguageModelTrainer(
      model: try LanguageModel(configuration: tinyConfiguration, seed: 99, threads: 2),
      schedule: plainSchedule)
    _ = try resumed.step(tokens(50), rowCount: 4)
    try resumed.restore(checkpoint)
    #expect(resumed.step == cut)
    for step in cut + 1...6 {
      #expect(try resumed.step(tokens(step), rowCount: 4) == reports[step - 1])
    }
    #expect(resumed.checkpointBytes() == whole.checkpointBytes())
  }

  @Test func damagedCheckpointsAreRefusedAndChangeNothing() throws {
    let trainer = try makeTrainer(tinyConfiguration)
    _ = try trainer.step(makeTokens(tinyConfiguration, rowCount: 2), rowCount: 2)
    let good = trainer.checkpointBytes()
    for cut in [0, 1, 8, 79, 88, good.count - 1] {
      #expect(throws: TrainingError.self) { try trainer.restore(Array(good[..<cut])) }
    }
    #expect(throws: TrainingError.self) { try trainer.restore(good + [0]) }
    for place in stride(from: 0, to: good.count, by: 97) {
      var bad = good
      bad[place] ^= 0x10
      #expect(throws: TrainingError.self) { try trainer.restore(bad) }
    }
    #expect(trainer.checkpointBytes() == good)
    var wider = tinyConfiguration
    wider.layerCount = 1
    let other = try makeTrainer(wider)
    #expect(
      throws: TrainingError.checkpointOfAnotherModel(name: "layer_count", stored: 2, expected: 1)
    ) { try other.restore(good) }
  }

  @Test func reportsSplitTheLossByDomain() throws {
    let trainer = try makeTrainer(tinyConfiguration)
    let tokens = makeTokens(tinyConfiguration, rowCount: 3)
    let losses = try trainer.model.losses(tokens, rowCount: 3)
    let report = try trainer.step(tokens, rowCount: 3)
    #expect(report.step == 1 && report.learningRate == 2e-3)
    #expect(report.tokenCountByDomain == [10, 0, 5])
    #expect(report.lossByDomain == [(losses[0] + losses[2]) / 2, nil, losses[1]])
    #expect(report.loss == (losses[0] + losses[1] + losses[2]) / 3)
  }

  @Test func domainIndexesMustFit() throws {
    let trainer = try makeTrainer(tinyConfiguration)
    let tokens = makeTokens(tinyConfiguration, rowCount: 2)
    for indexes in [[0], [0, 3], [0, -1]] {
      #expect(throws: TrainingError.self) {
        try tokens.withUnsafeBufferPointer {
          try trainer.step(tokens: $0, rowCount: 2, domainIndexes: indexes, domainCount: 3)
        }
      }
    }
    #expect(trainer.step == 0)
  }

  @Test func aLossThatIsNotFiniteNamesTheStepAndChangesNothing() throws {
    let trainer = try makeTrainer(tinyConfiguration)
    let tokens = makeTokens(tinyConfiguration, rowCount: 2)
    _ = try trainer.step(tokens, rowCount: 2)
    let head = trainer.model.layout.head.offset
    trainer.model.parameters[head] = .nan
    let before = trainer.checkpointBytes()
    do {
      _ = try trainer.step(tokens, rowCount: 2)
      Issue.record("a loss of NaN was accepted")
    } catch let error as TrainingError {
      guard case .lossNotFinite(step: 2, loss: let loss) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(loss.isNaN && error.description.contains("step 2"))
    }
    #expect(trainer.checkpointBytes() == before)
  }

  @Test func clippingBringsTheGradientToItsLargestNorm() throws {
    let optimizer = AdamW(AdamWConfiguration(gradientNormMaximum: 2), count: 16)
    #expect(optimizer.clippingFactor(norm: 8) == 0.25)
    #expect(optimizer.clippingFactor(norm: 2) == 1)
    #expect(optimizer.clippingFactor(norm: 0) == 1)
    #expect(
      AdamW(AdamWConfiguration(gradientNormMaximum: nil), count: 16).clippingFactor(norm: 8) == 1)
    // The moments of a clipped step have the norm (1 − β₁) · maximum.
    let maximum = 1e-3
    let trainer = try makeTrainer(
      tinyConfiguration, optimizer: AdamWConfiguration(gradientNormMaximum: maximum))
    let report = try trainer.step(makeTokens(tinyConfiguration, rowCount: 4), rowCount: 4)
    #expect(report.gradientNorm > 10 * maximum)
    let norm = trainer.model.context.sumOfSquares(trainer.optimizer.firstMoments).squareRoot()
    // Products of three floats: some 2^-22.
    #expect(abs(norm / (0.1 * maximum) - 1) < 1e-6)
  }

  @Test func gainsDoNotDecay() throws {
    let trainer = try makeTrainer(tinyConfiguration)
    let (model, optimizer) = (trainer.model, trainer.optimizer)
    let before = model.parameters.values
    // Without gradients only the decay is left: θ (1 − 0.5 · 0.1).
    model.clearGradients()
    optimizer.update(
      model.parameters, gradients: model.gradients, layout: model.layout, learningRate: 0.5,
      gradientFactor: 1, context: model.context)
    for slice in model.layout.slices {
      for index in slice.range {
        let expected = slice.decays ? before[index] * 0.95 : before[index]
        #expect(abs(model.parameters[index] - expected) <= 1e-6 * abs(expected))
      }
    }
  }
}
