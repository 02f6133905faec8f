internal import ArgumentParser
internal import Corpora
internal import Foundation
internal import Loading
internal import Mixing

/// Measures one loader over any corpus, in a process of its own: what a program that compares
/// loaders starts again and again.
struct BenchStreamCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stream",
    abstract: "Takes batches from any corpus and prints what they cost.",
    discussion: """
      The first batch is timed from the opening of the corpus on, and its moment is printed as a \
      reading of the system's monotonic clock, from which a program that started this process can \
      take its own. Then come the batches of the warm-up and those that are timed. A run begins at \
      its beginning, or far into one that is only imagined: every domain at a part of its epoch, \
      or at a step, with each domain where the mixture has brought it by then.

      EXAMPLES
        headrace bench stream corpora/web --rows 8 --sequence-length 2048 --threads 0 --json
        headrace bench stream corpora/web --resume-at-position 0.5 --batches 0 --json
        headrace bench stream corpora/web --resume-step 10000000 --batches 0 --json
      """)

  @Argument(help: "The corpus's folder, or the file that describes it.")
  var corpus: String

  @OptionGroup(title: "Loader options")
  var loader: LoaderArguments

  @Option(help: "The batches that are timed.")
  var batches = 1000

  @Option(help: "The batches before them, the first one included.")
  var warmUp = 100

  @Option(help: "The type of the tokens: uint16, uint32, int32 or int64.")
  var tokenType = TokenType.int64

  @Option(
    help: ArgumentHelp(
      "Go on where every domain has given this part of its epoch.", valueName: "0…1"))
  var resumeAtPosition: Double?

  @Option(help: "Go on after this step, with each domain where the mixture has brought it.")
  var resumeStep: Int?

  @Option(help: ArgumentHelp("Go on from a checkpoint.", valueName: "file"))
  var resumeFrom: String?

  @Option(help: ArgumentHelp("Save a checkpoint after the last batch.", valueName: "file"))
  var save: String?

  @Option(
    help: ArgumentHelp(
      "Write the tokens of the timed batches, as they are in memory.", valueName: "file"))
  var tokensTo: String?

  @Flag(help: "Print one line of JSON.")
  var json = false

  func validate() throws {
    guard batches >= 0, warmUp >= 1 else {
      throw ValidationError("--batches is at least 0 and --warm-up at least 1")
    }
    let places = [resumeAtPosition != nil, resumeStep != nil, resumeFrom != nil]
    guard places.filter({ $0 }).count <= 1 else {
      throw ValidationError(
        "a run goes on at one place: --resume-at-position, --resume-step or --resume-from")
    }
    if let resumeAtPosition, !(0...1).contains(resumeAtPosition) {
      throw ValidationError("--resume-at-position is a part of an epoch, in 0…1")
    }
    if let resumeStep, !(1...1 << 40).contains(resumeStep) {
      throw ValidationError("--resume-step lies in 1…2^40, not \(resumeStep)")
    }
  }

  func run() throws {
    let imagined = try imaginedCheckpoint()
    let begin = Stopwatch()
    let checkpoint = try resumeFrom.map { try LoaderCheckpoint(at: $0) } ?? imagined
    let opened = try open(resumingFrom: checkpoint)
    let openSeconds = begin.wallInSeconds
    let tokens = try TokenFile(path: tokensTo, tokenType: tokenType)
    _ = try take(from: opened)
    let firstSeconds = begin.wallInSeconds
    let firstAt = Stopwatch.now()
    for _ in 1..<max(1, warmUp) { _ = try take(from: opened) }

    let timed = Stopwatch()
    var check: Int64 = 0
    for _ in 0..<batches {
      let batch = try take(from: opened)
      check &+= Int64(batch.step)
      try tokens?.append(batch)
    }
    let tokenCount = max(1, batches * loader.rows * loader.sequenceLength)
    let cost = timed.cost(perTokensOf: tokenCount, check: check)
    if let save { try opened.saveCheckpoint(to: save) }
    let record = StreamRecord(
      domains: opened.corpus.domains.count, batches: batches, rows: loader.rows,
      sequenceLength: loader.sequenceLength, threads: loader.threads,
      tokenType: tokenType.rawValue, step: opened.step,
      cpuNsPerToken: batches > 0 ? cost.cpu : nil, wallNsPerToken: batches > 0 ? cost.wall : nil,
      openNs: openSeconds * 1e9, openToFirstBatchNs: firstSeconds * 1e9,
      firstBatchAtNs: firstAt * 1e9, peakRssBytes: try ProcessMemory.peakByteCount())
    opened.close()
    print(json ? try JSONText.line(of: record) : record.text)
  }

  private func take(from opened: Loader) throws -> Batch {
    guard let batch = try opened.next() else {
      throw ToolFailure("the loader came to an end after step \(opened.step); ask for less")
    }
    return batch
  }

  private func open(resumingFrom checkpoint: LoaderCheckpoint?) throws -> Loader {
    try Loader(
      Corpus(at: corpus), policy: try loader.recipe(), batch: loader.batch(tokenType: tokenType),
      seed: loader.seed, options: try loader.options(), resumingFrom: checkpoint)
  }

  /// The checkpoint of a run that is only imagined; made before anything is timed.
  private func imaginedCheckpoint() throws -> LoaderCheckpoint? {
    guard resumeAtPosition != nil || resumeStep != nil else { return nil }
    let opened = try open(resumingFrom: nil)
    defer { opened.close() }
    var checkpoint = try opened.checkpoint()
    let rows = loader.rows
    if let part = resumeAtPosition {
      checkpoint.positions = checkpoint.identity.domains.map {
        Int(part * Double($0.sequenceCount))
      }
      // A step is whole batches; what is too much for one is taken from the largest domain.
      let excess = checkpoint.positions.reduce(0, +) % rows
      let places = checkpoint.positions.indices
      let largest = places.max { checkpoint.positions[$0] < checkpoint.positions[$1] } ?? 0
      guard checkpoint.positions[largest] > excess else {
        throw ToolFailure("part \(part) of the epoch is less than a batch; ask for more")
      }
      checkpoint.positions[largest] -= excess
    } else if let step = resumeStep {
      checkpoint.positions = opened.mixture.integerShares.map {
        let product = UInt64($0).multipliedFullWidth(by: UInt64(step * rows))
        return Int(product.high << 16 | product.low >> 48)
      }
      checkpoint.positions[0] += step * rows - checkpoint.positions.reduce(0, +)
    }
    checkpoint.rowCounts = checkpoint.positions
    checkpoint.rowTotal = checkpoint.positions.reduce(0, +)
    checkpoint.drawCount = checkpoint.rowTotal
    checkpoint.step = checkpoint.rowTotal / rows
    return try LoaderCheckpoint(bytes: checkpoint.encoded())
  }
}

/// What the command prints; times in nanoseconds.
private struct StreamRecord: Encodable {
  let domains: Int
  let batches: Int
  let rows: Int
  let sequenceLength: Int
  let threads: Int
  let tokenType: String
  let step: Int
  let cpuNsPerToken: Double?
  let wallNsPerToken: Double?
  let openNs: Double
  let openToFirstBatchNs: Double
  /// The monotonic clock when the first batch was there.
  let firstBatchAtNs: Double
  let peakRssBytes: Int

  var text: String {
    var lines: [String] = []
    if let wallNsPerToken, let cpuNsPerToken {
      lines.append(
        "per token       \(Self.fixed(wallNsPerToken)) ns, CPU \(Self.fixed(cpuNsPerToken)) ns")
    }
    lines += [
      "open            \(Self.fixed(openNs / 1e6)) ms",
      "first batch     \(Self.fixed(openToFirstBatchNs / 1e6)) ms after the opening began",
      "peak memory     \(NumberText.bytes(peakRssBytes))",
    ]
    return lines.joined(separator: "\n")
  }

  private static func fixed(_ value: Double) -> String { NumberText.fixed(value, digits: 3) }
}

/// A file of the tokens of batches, for a program that compares them with the corpus.
private struct TokenFile {
  private let handle: FileHandle
  private let tokenType: TokenType

  init?(path: String?, tokenType: TokenType) throws {
    guard let path else { return nil }
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let handle = FileHandle(forWritingAtPath: path)
    else { throw ToolFailure("cannot write \(path); is its folder there?") }
    (self.handle, self.tokenType) = (handle, tokenType)
  }

  func append(_ batch: Batch) throws {
    let bytes =
      switch tokenType {
      case .uint16: batch.withTokens(as: UInt16.self) { Data(buffer: $0) }
      case .uint32: batch.withTokens(as: UInt32.self) { Data(buffer: $0) }
      case .int32: batch.withTokens(as: Int32.self) { Data(buffer: $0) }
      case .int64: batch.withTokens(as: Int64.self) { Data(buffer: $0) }
      }
    try handle.write(contentsOf: bytes)
  }
}
