import Corpora
import Foundation
import Loading
import Mixing
import Training

/// A packed corpus of three small domains, and room for runs; removed when the test lets go of it.
final class RunScratch {
  let path: String

  var corpusPath: String { path + "/corpus" }

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/headrace-run-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    var domains: [PackDomain] = []
    for (domain, words) in [
      ("alpha", ["water", "runs", "down"]), ("beta", ["01", "10", "11"]),
      ("gamma", ["la", "le", "lu"]),
    ] {
      var lines = ""
      for document in 0..<80 {
        let text = (0..<40).map { words[(document * 7 + $0 * $0) % 3] }.joined(separator: " ")
        lines += "{\"text\": \"\(document) \(text)\"}\n"
      }
      let file = "\(path)/\(domain).jsonl"
      try Data(lines.utf8).write(to: URL(fileURLWithPath: file))
      domains.append(PackDomain(name: domain, inputs: [file]))
    }
    var plan = PackPlan(domains: domains)
    plan.heldOutFraction = 0.2
    plan.maximumDocumentByteCount = 1 << 16
    _ = try Packer(plan, resources: PackResources(memoryByteCount: 256 << 20, threadCount: 1))
      .pack(to: corpusPath)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A run that takes some milliseconds.
  func configuration(stepCount: Int = 12) -> RunConfiguration {
    var configuration = RunConfiguration(
      corpusPath: corpusPath, rows: 4,
      model: LanguageModelConfiguration(
        vocabularySize: 257, sequenceLength: 16, layerCount: 1, width: 8, headCount: 2),
      stepCount: stepCount, learningRate: 1e-2, seed: 17)
    configuration.evaluation = .init(stepInterval: 4, tokenLimit: 64)
    configuration.checkpoints = .init(stepInterval: 3, keepCount: 2)
    return configuration
  }

  func run(_ name: String, _ configuration: RunConfiguration) -> TrainingRun {
    TrainingRun(configuration, folder: RunFolder("\(path)/\(name)"), toolVersion: "test")
  }

  /// Appends bytes to a file, as a process that is killed might leave them.
  func append(_ text: String, to file: String) throws {
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(text.utf8))
    try handle.close()
  }

  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: path + "/" + name, withIntermediateDirectories: false)
  }

  /// Replaces a text wherever it stands in a file.
  func replace(_ text: String, with other: String, in file: String) throws {
    let old = try String(contentsOfFile: file, encoding: .utf8)
    try old.replacing(text, with: other).write(toFile: file, atomically: true, encoding: .utf8)
  }

  /// Overwrites one byte.
  func damage(_ file: String, at offset: Int) throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    bytes[offset] ^= 1
    try bytes.write(to: URL(fileURLWithPath: file))
  }

  func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }
}

/// What a finished run left, but for times.
struct RunResult: Equatable {
  var ledger: [UInt8]
  var metrics: RunMetrics
  var record: RunRecord

  init(_ folder: RunFolder) throws {
    ledger = try FileReader.contents(of: folder.ledgerPath, limit: 1 << 24)
    metrics = try RunMetrics(at: folder.metricsPath)
    for index in metrics.steps.indices { metrics.steps[index].timeInSeconds = 0 }
    for index in metrics.evaluations.indices { metrics.evaluations[index].timeInSeconds = 0 }
    record = try RunRecord.read(from: folder.recordPath)
    record.timeInSeconds = 0
    for index in record.evaluations.indices { record.evaluations[index].timeInSeconds = 0 }
    // What may differ because no result depends on it.
    record.configuration.threadCount = 1
    record.configuration.loader.decodeThreadCount = 1
    record.configuration.loader.byteBudget = 1
    record.configuration.checkpoints = .init(stepInterval: 1)
  }
}

/// Remembers what a run says.
final class RunWitness: RunObserver {
  var steps: [Int] = []
  var evaluations: [EvaluationMetrics] = []
  var checkpoints: [Int] = []
  var notices: [RunNotice] = []

  func training(step: StepMetrics) { steps.append(step.step) }
  func training(evaluation: EvaluationMetrics) { evaluations.append(evaluation) }
  func training(checkpoint path: String, step: Int) { checkpoints.append(step) }
  func training(notice: RunNotice) { notices.append(notice) }
}

/// A trainer of one's own: its only parameter is how many tokens it has seen.
struct CountingTrainer: Trainer {
  var step = 0
  var tokenCount = 0
  var failingStep = Int.max
  let parameterCount = 1
  let instructionSetName = "none"

  struct Refusal: Error, CustomStringConvertible {
    var description: String { "the wheel is stuck" }
  }

  mutating func step(_ batch: Batch) throws -> StepReport {
    if batch.step == failingStep { throw Refusal() }
    step = batch.step
    let domains = 0..<batch.facts.domainCount
    let counts = domains.map { batch.facts.rowCount(ofDomain: $0) * batch.sequenceLength }
    tokenCount += counts.reduce(0, +)
    let loss = 1 / Double(tokenCount)
    return StepReport(
      feedback: Feedback(
        step: step, losses: counts.map { $0 == 0 ? nil : loss }, tokenCounts: counts),
      loss: loss, learningRate: 0.5, gradientNorm: 1)
  }

  mutating func losses(tokens: UnsafeBufferPointer<Int32>, rowCount: Int) throws -> [Double] {
    (0..<rowCount).map { _ in 2 / Double(tokenCount + 1) }
  }

  func checkpointBytes() -> [UInt8] { Array("\(step) \(tokenCount)".utf8) }

  mutating func restore(_ bytes: [UInt8]) throws {
    let numbers = String(decoding: bytes, as: UTF8.self).split(separator: " ").compactMap {
      Int($0)
    }
    guard numbers.count == 2 else { throw Refusal() }
    (step, tokenCount) = (numbers[0], numbers[1])
  }
}
