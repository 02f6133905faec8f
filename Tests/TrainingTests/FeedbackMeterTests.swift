// Covers: FeedbackMeter.swift

import Kernels
import Mixing
import Testing
import Training

/// The gradients of single domains out of the language model.
@Suite(.timeLimit(.minutes(5)))
struct FeedbackMeterTests {
  private func makeTrainer(
    _ configuration: LanguageModelConfiguration, settings: GradientSettings = GradientSettings(),
    threads: Int = 1
  ) throws -> LanguageModelTrainer {
    LanguageModelTrainer(
      model: try LanguageModel(configuration: configuration, seed: 3, threads: threads),
      schedule: plainSchedule, gradients: settings)
  }

  /// One step on rows in micro-batches of `microBatchRows`, of the domains `domains`.
  private func step(
    _ trainer: LanguageModelTrainer, _ tokens: [Int32], domains: [Int], microBatchRows: Int?
  ) throws -> StepReport {
    let rows = domains.flatMap { [Int](repeating: $0, count: microBatchRows ?? 1) }
    return try tokens.withUnsafeBufferPointer {
      try trainer.step(
        tokens: $0, rowCount: rows.count, domainIndexes: rows, domainCount: 3,
        microBatchRows: microBatchRows)
    }
  }

  /// Three, one and two micro-batches of three domains.
  private let domains = [0, 0, 0, 1, 2, 2]

  @Test(arguments: ["all", "hidden-output:1+attention-input", "head"])
  func `what the accumulator gains is the gradient of the domain alone`(watched: String) throws {
    // Two passes per micro-batch: three rows, two at a time.
    var configuration = smallConfiguration
    configuration.microBatchRowCount = 2
    let tokens = makeTokens(configuration, rowCount: 18)
    let trainer = try makeTrainer(
      configuration, settings: GradientSettings(watched: watched), threads: 2)
    try trainer.measure(FeedbackNeeds(gram: true), isGrouped: true, domainCount: 3)
    let report = try step(trainer, tokens, domains: domains, microBatchRows: 3)
    // Each micro-batch by itself, in a model that is made alike.
    let model = try LanguageModel(configuration: configuration, seed: 3, threads: 1)
    let slices = model.layout.slices.filter { slice in
      switch watched {
      case "all": true
      case "head": slice.name == "head"
      default: slice.name == "layers.1.hidden.output" || slice.name.hasSuffix("attention.input")
      }
    }
    let length = configuration.sequenceLength + 1
    let gradients = try domains.indices.map { index in
      _ = try model.lossAndGradient(
        Array(tokens[index * 3 * length..<(index + 1) * 3 * length]), rowCount: 3)
      return slices.flatMap { slice in slice.range.map { Double(model.gradients[$0]) } }
    }
    let means = (0..<3).map { domain in
      let own = zip(domains, gradients).filter { $0.0 == domain }.map(\.1)
      return own[0].indices.map { place in
        own.reduce(0) { $0 + $1[place] } / Double(own.count)
      }
    }
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let gram = try #require(report.feedback.gradients?.gram)
    for i in 0..<3 {
      for j in 0..<3 {
        let size = (dot(means[i], means[i]) * dot(means[j], means[j])).squareRoot()
        #expect(abs(gram[i * 3 + j] - dot(means[i], means[j])) < 1e-5 * size)
      }
      let own = zip(domains, gradients).filter { $0.0 == i }.map { dot($0.1, $0.1) }
      let square = own.reduce(0, +) / Double(own.count)
      #expect(abs(try #require(report.feedback.gradients?.squaredNorms)[i] / square - 1) < 1e-5)
    }
    #expect(report.feedback.gradients?.microBatchCounts == [3, 1, 2])
  }

  @Test func `measuring changes no bit of the training`() throws {
    let needs = FeedbackNeeds(losses: true, gram: true, smoothing: 0.9, lagged: true, norms: true)
    let results = try [FeedbackNeeds.nothing, needs].map { needs in
      let trainer = try makeTrainer(smallConfiguration)
      try trainer.measure(needs, isGrouped: true, domainCount: 3)
      return try (0..<3).map { index in
        let tokens = makeTokens(smallConfiguration, rowCount: 24, stream: "bits \(index)")
        let report = try step(trainer, tokens, domains: domains, microBatchRows: 4)
        #expect((report.feedback.gradients == nil) == (needs == .nothing))
        return (report.loss, report.lossByDomain, report.gradientNorm, trainer.checkpointBytes())
      }
    }
    for (plain, measured) in zip(results[0], results[1]) { #expect(plain == measured) }
  }

  @Test func `micro-batches are one batch but for rounding`() throws {
    let tokens = makeTokens(smallConfiguration, rowCount: 12)
    let reports = try [2, nil].map { rows in
      let trainer = try makeTrainer(smallConfiguration)
      let domains = rows == nil ? domains.flatMap { [$0, $0] } : domains
      return try step(trainer, tokens, domains: domains, microBatchRows: rows)
    }
    #expect(reports[0].loss == reports[1].loss)
    #expect(abs(reports[0].gradientNorm / reports[1].gradientNorm - 1) < 1e-5)
  }

  @Test(arguments: [1, 3])
  func `a trainer's memory for the feedback goes on bit for bit`(cut: Int) throws {
    let needs = FeedbackNeeds(gram: true, smoothing: 0.9, lagged: true, norms: true)
    func tokens(_ step: Int) -> [Int32] {
      makeTokens(tinyConfiguration, rowCount: 12, stream: "feedback \(step)")
    }
    let whole = try makeTrainer(tinyConfiguration)
    try whole.measure(needs, isGrouped: true, domainCount: 3)
    var saved: (trainer: [UInt8], feedback: [UInt8]) = ([], [])
    var reports: [StepReport] = []
    for index in 1...5 {
      reports.append(try step(whole, tokens(index), domains: domains, microBatchRows: 2))
      if index == cut { saved = (whole.checkpointBytes(), whole.feedbackBytes()) }
    }
    let resumed = try makeTrainer(tinyConfiguration, threads: 2)
    try resumed.measure(needs, isGrouped: true, domainCount: 3)
    _ = try step(resumed, tokens(50), domains: domains, microBatchRows: 2)
    try resumed.restore(saved.trainer)
    try resumed.restoreFeedback(saved.feedback)
    for index in cut + 1...5 {
      let report = try step(resumed, tokens(index), domains: domains, microBatchRows: 2)
      #expect(report == reports[index - 1])
    }
    #expect(resumed.feedbackBytes() == whole.feedbackBytes())
    var bad = saved.feedback
    bad[60] ^= 1
    #expect(throws: TrainingError.self) { try resumed.restoreFeedback(bad) }
    #expect(resumed.feedbackBytes() == whole.feedbackBytes())
  }

  @Test func `norms are those of the layers, and of what the step added`() throws {
    let trainer = try makeTrainer(
      tinyConfiguration, settings: GradientSettings(watched: "hidden-output+head+hidden-input:1"))
    try trainer.measure(FeedbackNeeds(norms: true), isGrouped: false, domainCount: 3)
    let layout = trainer.model.layout
    let layers = [
      ["layers.0.hidden.output"], ["layers.1.hidden.input", "layers.1.hidden.output"], ["head"],
    ].map { names in names.compactMap { layout.slice(named: $0) } }
    for index in 0..<2 {
      let before = trainer.model.parameters.values
      let tokens = makeTokens(tinyConfiguration, rowCount: 6, stream: "norms \(index)")
      let report = try step(trainer, tokens, domains: domains, microBatchRows: nil)
      let after = trainer.model.parameters.values
      #expect(report.feedback.gradients == nil)
      func norms(_ value: (Int) -> Double) -> [Double] {
        layers.map { slices in
          slices.flatMap(\.range).reduce(0) { $0 + value($1) * value($1) }.squareRoot()
        }
      }
      let found = [report.feedback.parameterNorms, report.feedback.updateNorms]
      let expected = [
        norms { Double(after[$0]) }, norms { Double(after[$0]) - Double(before[$0]) },
      ]
      for (found, expected) in zip(found, expected) {
        for (one, other) in zip(try #require(found), expected) {
          // Differences of floats lose what their sizes differ by.
          #expect(abs(one / other - 1) < 1e-4)
        }
      }
    }
  }

  @Test func `gradients of rows that are not grouped are refused`() throws {
    let trainer = try makeTrainer(tinyConfiguration)
    #expect(throws: TrainingError.gradientsNeedGrouping) {
      try trainer.measure(FeedbackNeeds(gram: true), isGrouped: false, domainCount: 3)
    }
    try trainer.measure(FeedbackNeeds(gram: true), isGrouped: true, domainCount: 3)
    let tokens = makeTokens(tinyConfiguration, rowCount: 4)
    let before = trainer.checkpointBytes()
    #expect(throws: TrainingError.gradientsNeedGrouping) {
      try step(trainer, tokens, domains: [0, 0, 1, 1], microBatchRows: nil)
    }
    for indexes in [[0, 1, 1, 1], [0, 0, 1, 2]] {
      #expect(throws: TrainingError.self) {
        try tokens.withUnsafeBufferPointer {
          try trainer.step(
            tokens: $0, rowCount: 4, domainIndexes: indexes, domainCount: 3, microBatchRows: 2)
        }
      }
    }
    #expect(throws: TrainingError.microBatchesMixed(row: 3, microBatchRows: 3)) {
      try tokens.withUnsafeBufferPointer {
        try trainer.step(
          tokens: $0, rowCount: 4, domainIndexes: [0, 0, 0, 0], domainCount: 3, microBatchRows: 3)
      }
    }
    for rows in [0, -1] {
      #expect(throws: TrainingError.self) {
        try tokens.withUnsafeBufferPointer {
          try trainer.step(
            tokens: $0, rowCount: 4, domainIndexes: [0, 0, 0, 0], domainCount: 3,
            microBatchRows: rows)
        }
      }
    }
    #expect(trainer.checkpointBytes() == before)
  }

  /// Rank correlation of the alignments by the hidden layers' outputs and by all parameters.
  ///
  /// No figure is published. Here, the mean over 40 steps of eight domains whose text is more and
  /// less learnable: 0.876.
  @Test func `a subset of the layers ranks domains much as all parameters do`() throws {
    let configuration = LanguageModelConfiguration(
      vocabularySize: 67, sequenceLength: 16, layerCount: 2, width: 32, headCount: 2,
      microBatchRowCount: 2)
    let count = 8
    var correlations: [Double] = []
    var alignments: [[[Double]]] = []
    for watched in ["all", "hidden-output"] {
      let trainer = try makeTrainer(configuration, settings: GradientSettings(watched: watched))
      try trainer.measure(
        FeedbackNeeds(smoothing: 0.9, lagged: true), isGrouped: true, domainCount: count)
      var steps: [[Double]] = []
      for index in 0..<40 {
        // Domain d counts up in strides of d + 1, with noise that grows with d.
        var generator = SeededGenerator(seed: 9, stream: "ranks \(index)")
        let rows = (0..<count).flatMap { [$0, $0, $0, $0] }
        let tokens = rows.flatMap { domain in
          let begin = Int.random(in: 0..<67, using: &generator)
          return (0..<17).map { place in
            Int.random(in: 0..<10, using: &generator) < domain
              ? Int32.random(in: 0..<67, using: &generator)
              : Int32((begin + place * (domain % 3 + 1)) % 67)
          }
        }
        let report = try tokens.withUnsafeBufferPointer {
          try trainer.step(
            tokens: $0, rowCount: rows.count, domainIndexes: rows, domainCount: count,
            microBatchRows: 2)
        }
        steps.append(try #require(report.feedback.gradients?.alignments))
      }
      alignments.append(steps)
    }
    for (all, some) in zip(alignments[0], alignments[1]) {
      correlations.append(spearman(all, some))
    }
    let mean = correlations.reduce(0, +) / Double(correlations.count)
    #expect(mean > 0.75, "Spearman's correlation is \(mean)")
  }

  /// The correlation of the ranks of two equally long lists without ties.
  private func spearman(_ a: [Double], _ b: [Double]) -> Double {
    func ranks(_ values: [Double]) -> [Double] {
      values.map { value in Double(values.count { $0 < value }) }
    }
    let squares = zip(ranks(a), ranks(b)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let count = Double(a.count)
    return 1 - 6 * squares / (count * (count * count - 1))
  }
}
