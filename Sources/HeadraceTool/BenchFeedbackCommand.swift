internal import ArgumentParser
internal import Kernels
internal import Loading
internal import Mixing
internal import Training

/// Times a training step with and without the bookkeeping of gradients by domain.
struct BenchFeedbackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "feedback",
    abstract: "Times training steps that measure gradients by domain beside steps that do not.",
    discussion: """
      Every form of bookkeeping is timed in turn within each round, on the same tokens. "plain" \
      measures nothing, on rows in the order of the draw; "grouped" measures nothing, on rows in \
      micro-batches of one domain. What a form costs is the median over the rounds of the ratio \
      of its step to the grouped one of the same round; "alone" is the bookkeeping of a step \
      without the training, whose gradients then lie in cache where they fit. Memory is what the \
      rows of gradients take.

      Example: headrace bench feedback --domains 22 --rows 44 --rounds 15
      """)

  @Option(help: "How often each form is timed.")
  var rounds = 11

  @Option(help: "The number of domains; may be repeated.")
  var domains: [Int] = [5, 22]

  @Option(help: "The rows of a batch; each domain needs two (default: 4 for each domain).")
  var rows: Int?

  @Option(help: "The tokens of a row.")
  var sequenceLength = 128

  @Option(help: "The threads that compute (default: one per core).")
  var computeThreads: Int?

  func validate() throws {
    let counts = [
      ("--rounds", rounds, 1...10_000), ("--rows", rows ?? 2, 2...65_536),
      ("--sequence-length", sequenceLength, 1...65_536),
      ("--compute-threads", computeThreads ?? 1, 1...1024),
    ]
    for (name, value, allowed) in counts where !allowed.contains(value) {
      throw ValidationError(
        "\(name) is \(value); it must lie in \(allowed.lowerBound)...\(allowed.upperBound)")
    }
    for count in domains where !(1...1000).contains(count) {
      throw ValidationError("--domains is \(count); it must lie in 1...1000")
    }
  }

  /// What is measured, of which parameters, as how many numbers.
  private struct Form {
    var name: String
    var needs: FeedbackNeeds?
    var settings = GradientSettings()
  }

  private static let forms: [Form] = [
    Form(name: "plain", needs: nil), Form(name: "grouped", needs: .nothing),
    Form(name: "norms", needs: FeedbackNeeds(norms: true)),
    Form(name: "Gram matrix", needs: FeedbackNeeds(gram: true)),
    Form(name: "smoothed", needs: FeedbackNeeds(smoothing: 0.9, lagged: true)),
    Form(
      name: "Gram matrix and smoothed",
      needs: FeedbackNeeds(gram: true, smoothing: 0.9, lagged: true)),
    Form(
      name: "the same, hidden-output",
      needs: FeedbackNeeds(gram: true, smoothing: 0.9, lagged: true),
      settings: GradientSettings(watched: "hidden-output")),
    Form(
      name: "the same, hidden-output:3",
      needs: FeedbackNeeds(gram: true, smoothing: 0.9, lagged: true),
      settings: GradientSettings(watched: "hidden-output:3")),
    Form(
      name: "the same, all projected to 8,192",
      needs: FeedbackNeeds(gram: true, smoothing: 0.9, lagged: true),
      settings: GradientSettings(projectionWidth: 8192)),
  ]

  func run() throws {
    let threads = computeThreads ?? min(1024, Processors.onlineCount)
    print(
      "instruction set \(InstructionSet.best), \(NumberText.counted(threads, "thread")), "
        + "\(NumberText.counted(rounds, "round"))")
    for domainCount in domains { try time(domainCount: domainCount, threads: threads) }
  }

  private func time(domainCount: Int, threads: Int) throws {
    let rowCount = rows ?? 4 * domainCount
    guard
      let grouping = BatchConfiguration.Grouping.forGradients(
        rows: rowCount, domainCount: domainCount)
    else {
      throw ToolFailure("\(domainCount) domains need a batch of \(2 * domainCount) rows or more")
    }
    let shape = LanguageModelConfiguration(
      vocabularySize: 257, sequenceLength: sequenceLength, layerCount: 4, width: 128, headCount: 4)
    let trainers = try Self.forms.map { form in
      let trainer = LanguageModelTrainer(
        model: try LanguageModel(configuration: shape, seed: 1, threads: threads),
        schedule: LearningRateSchedule(
          learningRateMaximum: 1e-3, learningRateMinimum: 1e-4, warmUpStepCount: 10,
          stepCount: 1000), gradients: form.settings)
      try trainer.measure(form.needs ?? .nothing, isGrouped: true, domainCount: domainCount)
      return trainer
    }
    var generator = SeededGenerator(seed: 1, stream: "bench")
    let tokens = (0..<rowCount * (sequenceLength + 1)).map { _ in
      Int32.random(in: 0..<257, using: &generator)
    }
    let size = grouping.microBatchRows
    let domainIndexes = (0..<rowCount).map { $0 / size * domainCount / (rowCount / size) }
    var times = [[Double]](repeating: [], count: Self.forms.count)
    // The first round warms up.
    for _ in 0...rounds {
      for (index, form) in Self.forms.enumerated() {
        let begin = Stopwatch()
        _ = try tokens.withUnsafeBufferPointer {
          try trainers[index].step(
            tokens: $0, rowCount: rowCount, domainIndexes: domainIndexes,
            domainCount: domainCount, microBatchRows: form.needs == nil ? nil : size)
        }
        times[index].append(begin.wallInSeconds)
      }
    }
    print(
      "\n\(domainCount) domains, \(rowCount) rows of \(sequenceLength) tokens in micro-batches of "
        + "\(size), \(NumberText.grouped(trainers[0].parameterCount)) parameters")
    let alone = try zip(Self.forms, trainers).map { form, trainer in
      try bookkeeping(
        form, parameterCount: trainer.watchedParameterCount,
        domains: stride(from: 0, to: rowCount, by: size).map { domainIndexes[$0] },
        domainCount: domainCount, threads: threads)
    }
    print(table(times.map { Array($0.dropFirst()) }, alone, trainers).text)
  }

  /// The seconds of a step's bookkeeping by itself; nil where there is none.
  private func bookkeeping(
    _ form: Form, parameterCount: Int, domains: [Int], domainCount: Int, threads: Int
  ) throws -> Double? {
    guard parameterCount > 0, let needs = form.needs else { return nil }
    let recorder = try GradientRecorder(
      domainCount: domainCount, parameterCount: parameterCount, needs: needs,
      projection: form.settings.projectionWidth.map { try GradientProjection(width: $0, seed: 1) },
      threadCount: threads)
    var generator = SeededGenerator(seed: 1, stream: "alone")
    let gradient = (0..<parameterCount).map { _ in Float(generator.nextUniform()) }
    var times: [Double] = []
    for _ in 0...rounds {
      let begin = Stopwatch()
      recorder.begin()
      try gradient.withUnsafeBufferPointer { gradient in
        for domain in domains { try recorder.add(domain: domain, accumulator: [gradient]) }
      }
      _ = try recorder.finish()
      times.append(begin.wallInSeconds)
    }
    return median(Array(times.dropFirst()))
  }

  private func table(
    _ times: [[Double]], _ alone: [Double?], _ trainers: [LanguageModelTrainer]
  ) -> TextTable {
    var table = TextTable(
      names: "measured", numbers: ["step", "of grouped", "rounds", "alone", "memory"])
    for (index, form) in Self.forms.enumerated() {
      let ratios = zip(times[index], times[1]).map { $0 / $1 }.sorted()
      table.append([
        form.name, NumberText.fixed(median(times[index]) * 1e3, digits: 1) + " ms",
        NumberText.fixed(median(ratios), digits: 3),
        NumberText.fixed(ratios[0], digits: 3) + " to "
          + NumberText.fixed(ratios[ratios.count - 1], digits: 3),
        alone[index].map { NumberText.fixed($0 * 1e3, digits: 2) + " ms" } ?? "–",
        NumberText.bytes(trainers[index].feedbackByteCount),
      ])
    }
    return table
  }
}
