import ArgumentParser
import Kernels
import Training

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Times the matrix product beside OpenBLAS, and a whole training step.
struct BenchKernelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels",
    abstract: "Times the model's matrix products beside OpenBLAS, and a training step.",
    discussion: """
      Both libraries multiply the same matrices in turn, in this process. A round repeats the
      product for a millisecond or more. The speeds are medians of the rounds; the ratio is the
      median of the rounds' own ratios, which other work on the machine disturbs less. OpenBLAS
      is opened only if it is installed.

      Example: headrace bench kernels --rounds 51 --threads 2 --shape plain,4096,257,128
      """)

  @Option(help: "How often each product is timed.")
  var rounds = 31

  @Option(help: "A number of threads to time; may be repeated.")
  var threads: [Int] = [1, 2]

  @Option(
    help: ArgumentHelp(
      "A product to time instead of the model's; may be repeated.",
      discussion: "FORM is plain, transposed-a or transposed-b; C is M by N, of K terms.",
      valueName: "FORM,M,N,K"))
  var shape: [BenchmarkShape] = []

  @Flag(help: "Leave out OpenBLAS, whose waiting threads may disturb ours.")
  var skipsComparison = false

  @Flag(help: "Leave out the training step.")
  var skipsStep = false

  func validate() throws {
    guard (1...10_000).contains(rounds) else {
      throw ValidationError("--rounds is \(rounds); it must lie in 1...10000")
    }
    guard !threads.isEmpty, threads.allSatisfy({ (1...256).contains($0) }) else {
      throw ValidationError("--threads must lie in 1...256")
    }
  }

  func run() throws {
    let library = skipsComparison ? nil : OpenBLAS()
    print("instruction set: \(InstructionSet.best), rounds: \(rounds)")
    if let library {
      print("compared with: \(library.configuration)")
    } else if !skipsComparison {
      print("compared with: nothing, since OpenBLAS (\(OpenBLAS.libraryName)) is not installed")
    }
    for threadCount in threads {
      print("\n\(threadCount) thread(s), GFLOP/s")
      print(line("form", "M", "N", "K", "ours", "OpenBLAS", "ratio"))
      let context = KernelContext(threadCount: threadCount)
      library?.useThreads(threadCount)
      var ratios: [Double] = []
      for shape in shape.isEmpty ? BenchmarkShape.all : shape {
        let timing = time(shape, context: context, library: library)
        let scale = 1e-9 * Double(shape.operationCount)
        if let ratio = timing.ratio { ratios.append(ratio) }
        print(
          line(
            shape.name, "\(shape.rows)", "\(shape.columns)", "\(shape.depth)",
            NumberText.fixed(scale / timing.ours, digits: 1),
            timing.theirs.map { NumberText.fixed(scale / $0, digits: 1) } ?? "-",
            timing.ratio.map { NumberText.fixed($0, digits: 3) } ?? "-"))
      }
      if !skipsStep { try timeStep(threadCount: threadCount) }
      if let least = ratios.min() {
        let middle = NumberText.fixed(median(ratios), digits: 3)
        print("least ratio: \(NumberText.fixed(least, digits: 3)), median ratio: \(middle)")
      }
    }
  }

  /// Medians over the rounds, of one product: seconds of ours and of the library's, and theirs
  /// per ours.
  private struct Timing {
    var ours: Double
    var theirs: Double?
    var ratio: Double?
  }

  private func time(
    _ shape: BenchmarkShape, context: KernelContext, library: OpenBLAS?
  ) -> Timing {
    let (a, b, c) = shape.operands()
    let multiply = { context.multiply(shape.form, a, b, into: c) }
    let compare = { library?.multiply(shape.form, a, b, into: c) }
    // The clock and the start of a loop of threads cost microseconds, so a round is a millisecond.
    multiply()
    let once = min(seconds(multiply), seconds(multiply), seconds(multiply))
    let repeats = max(1, Int((1.25e-3 / once).rounded(.up)))
    var (ours, theirs, ratios): ([Double], [Double], [Double]) = ([], [], [])
    for _ in 0..<rounds {
      // Until OpenBLAS's threads have gone to sleep.
      if library != nil, context.team.threadCount > 1 { usleep(10_000) }
      multiply()
      ours.append(seconds { for _ in 0..<repeats { multiply() } } / Double(repeats))
      guard library != nil else { continue }
      compare()
      theirs.append(seconds { for _ in 0..<repeats { compare() } } / Double(repeats))
      ratios.append(theirs[theirs.count - 1] / ours[ours.count - 1])
    }
    guard !ratios.isEmpty else { return Timing(ours: median(ours)) }
    return Timing(ours: median(ours), theirs: median(theirs), ratio: median(ratios))
  }

  private func timeStep(threadCount: Int) throws {
    let shape = LanguageModelConfiguration(
      vocabularySize: 257, sequenceLength: 256, layerCount: 4, width: 128, headCount: 4)
    let rowCount = 16
    let trainer = LanguageModelTrainer(
      model: try LanguageModel(configuration: shape, seed: 1, threads: threadCount),
      schedule: LearningRateSchedule(
        learningRateMaximum: 1e-3, learningRateMinimum: 1e-4, warmUpStepCount: 10,
        stepCount: 1000))
    var generator = SeededGenerator(seed: 1, stream: "bench")
    let tokens = (0..<rowCount * 257).map { _ in Int32.random(in: 0..<257, using: &generator) }
    usleep(60_000)
    var times: [Double] = []
    for _ in 0...rounds {
      times.append(
        try seconds {
          _ = try tokens.withUnsafeBufferPointer {
            try trainer.step(
              tokens: $0, rowCount: rowCount,
              domainIndexes: Array(repeating: 0, count: rowCount), domainCount: 1)
          }
        })
    }
    let step = median(Array(times.dropFirst()))
    // Per token: 6 operations for each parameter of a product, and 4 · 3 per layer, width and
    // visible key, of which there are (T + 1) / 2 on average.
    let products = 4 * 12 * 128 * 128 + 128 * 257
    let operations = Double(rowCount * 256) * (6 * Double(products) + 12 * 4 * 128 * 128.5)
    print(
      "training step, 4 layers, d = 128, T = 256, V = 257, 16 rows: "
        + "\(NumberText.fixed(step * 1e3, digits: 1)) ms, "
        + "\(NumberText.fixed(operations / step * 1e-9, digits: 1)) GFLOP/s, "
        + "\(NumberText.fixed(Double(rowCount * 256) / step, digits: 0)) tokens/s")
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let begin = Stopwatch()
    try body()
    return begin.wallInSeconds
  }

  private func line(_ cells: String...) -> String {
    cells.map { String(repeating: " ", count: max(0, 11 - $0.count)) + $0 }.joined()
  }
}
