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
      Both libraries multiply the same matrices in turn, in this process; each number is the
      median of the rounds. OpenBLAS is opened only if it is installed.

      Example: headrace bench kernels --rounds 21 --threads 1 --threads 2
      """)

  @Option(help: "How often each product is timed.")
  var rounds = 11

  @Option(help: "A number of threads to time; may be repeated.")
  var threads: [Int] = [1, 2]

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
      for shape in BenchmarkShape.all {
        let (ours, theirs) = time(shape, context: context, library: library)
        let scale = 2e-9 * Double(shape.rows * shape.columns * shape.depth)
        if let theirs { ratios.append(theirs / ours) }
        print(
          line(
            shape.name, "\(shape.rows)", "\(shape.columns)", "\(shape.depth)",
            decimal(scale / ours, 1), theirs.map { decimal(scale / $0, 1) } ?? "-",
            theirs.map { decimal($0 / ours, 2) } ?? "-"))
      }
      if !ratios.isEmpty {
        let worst = ratios.min() ?? 0
        print("median ratio \(decimal(median(ratios), 3)), least \(decimal(worst, 3))")
      }
      if !skipsStep { try timeStep(threadCount: threadCount) }
    }
  }

  /// The medians of ours and of the library's, in seconds.
  private func time(
    _ shape: BenchmarkShape, context: KernelContext, library: OpenBLAS?
  ) -> (ours: Double, theirs: Double?) {
    let (a, b, c) = shape.operands()
    // Rounds of a few milliseconds, so that the clock and a cold start do not matter.
    let repeats = max(1, 400_000_000 / (2 * shape.rows * shape.columns * shape.depth))
    var ours: [Double] = []
    var theirs: [Double] = []
    for _ in 0...rounds {
      // Until OpenBLAS's threads have gone to sleep.
      if library != nil, context.team.threadCount > 1 { usleep(60_000) }
      context.multiply(shape.form, a, b, into: c)
      ours.append(
        seconds { for _ in 0..<repeats { context.multiply(shape.form, a, b, into: c) } })
      guard let library else { continue }
      library.multiply(shape.form, a, b, into: c)
      theirs.append(
        seconds { for _ in 0..<repeats { library.multiply(shape.form, a, b, into: c) } })
    }
    // The first round warms up.
    let scale = 1 / Double(repeats)
    return (
      median(Array(ours.dropFirst())) * scale,
      theirs.isEmpty ? nil : median(Array(theirs.dropFirst())) * scale
    )
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
      "training step, 4 layers, d = 128, T = 256, V = 257, 16 rows: \(decimal(step * 1e3, 1)) ms, "
        + "\(decimal(operations / step * 1e-9, 1)) GFLOP/s, "
        + "\(decimal(Double(rowCount * 256) / step, 0)) tokens/s")
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let duration = try ContinuousClock().measure(body)
    return Double(duration.components.seconds) + 1e-18 * Double(duration.components.attoseconds)
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private func line(_ cells: String...) -> String {
    cells.map { String(repeating: " ", count: max(0, 11 - $0.count)) + $0 }.joined()
  }

  private func decimal(_ value: Double, _ places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let rounded = Int((value * scale).rounded())
    guard places > 0 else { return "\(rounded)" }
    let fraction = "\(rounded % Int(scale))"
    let zeros = String(repeating: "0", count: places - fraction.count)
    return "\(rounded / Int(scale)).\(zeros)\(fraction)"
  }
}

/// One product of the model: forward, gradient of the input, or gradient of the parameters.
private struct BenchmarkShape {
  let form: ProductForm
  let rows, columns, depth: Int

  var name: String {
    switch form {
    case .plain: "A B"
    case .transposedB: "A Bt"
    case .transposedA: "At B"
    }
  }

  /// Widths 128 and 256, a byte vocabulary's head, and attention heads of 32 and 64.
  static let all: [BenchmarkShape] = {
    var shapes: [BenchmarkShape] = []
    for (rows, width, columns) in [
      (4096, 128, 384), (4096, 128, 128), (4096, 128, 512), (4096, 512, 128), (4096, 128, 257),
      (2048, 64, 256), (8192, 256, 1024), (2048, 512, 320),
    ] {
      shapes.append(BenchmarkShape(form: .plain, rows: rows, columns: columns, depth: width))
      shapes.append(BenchmarkShape(form: .transposedB, rows: rows, columns: width, depth: columns))
      shapes.append(BenchmarkShape(form: .transposedA, rows: width, columns: columns, depth: rows))
    }
    for head in [32, 64] {
      shapes.append(BenchmarkShape(form: .transposedB, rows: 256, columns: 256, depth: head))
      shapes.append(BenchmarkShape(form: .plain, rows: 256, columns: head, depth: 256))
      shapes.append(BenchmarkShape(form: .transposedA, rows: 256, columns: head, depth: 256))
    }
    return shapes
  }()

  func operands() -> (Matrix, Matrix, Matrix) {
    var generator = SeededGenerator(seed: 1, stream: "operands")
    func make(_ rows: Int, _ columns: Int) -> Matrix {
      let matrix = Matrix(rowCount: rows, columnCount: columns)
      for index in 0..<rows * columns {
        matrix.array[index] = Float(generator.nextUniform() - 0.5)
      }
      return matrix
    }
    let a = form == .transposedA ? make(depth, rows) : make(rows, depth)
    let b = form == .transposedB ? make(columns, depth) : make(depth, columns)
    return (a, b, make(rows, columns))
  }
}
