internal import ArgumentParser
internal import Corpora
internal import Loading
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// `headrace verify`: every byte of a corpus is read and compared.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Reads all of a corpus and names every fault.",
    discussion: """
      Every shard is compared with the manifest, every frame with the index, with libzstd's \
      checksum and with the vocabulary, and the documents are counted. After damage the \
      verification goes on; each fault is a line with its domain, shard, frame and byte.

      The exit code is 0 if nothing is wrong, 1 if something is, 2 if the command line is wrong.

      EXAMPLES
        headrace verify corpora/web
        headrace verify corpora/web --domain code --domain prose --threads 8
        headrace verify corpora/web --json > faults.json
        headrace verify corpora/web --quarantine damaged.json
      """)

  @Argument(help: "The corpus's folder.")
  var corpus: String

  @Option(help: ArgumentHelp("Only this domain; may be repeated.", valueName: "name"))
  var domain: [String] = []

  @Option(help: "The number of threads (default: one per core).")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Write the damaged frames to this file, for loaders to skip.", valueName: "file"))
  var quarantine: String?

  @Flag(help: "Print the counts and the faults as JSON.")
  var json = false

  func validate() throws {
    if let threads, !(1...256).contains(threads) {
      throw ValidationError("--threads lies in 1…256, not at \(threads)")
    }
  }

  func run() throws {
    let corpus = try Corpus(at: corpus)
    let verification = try Verification(corpus, domains: domain)
    let bar = Mutex(ProgressBar())
    let report = try verification.run(
      threadCount: threads ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    ) { progress in
      let state = ProgressBar.State(
        label: "verifying \(progress.domain)",
        fraction: Double(progress.byteCount) / Double(max(1, progress.totalByteCount)),
        totalByteCount: progress.totalByteCount,
        detail: NumberText.counted(progress.faultCount, "fault"))
      bar.withLock { $0.show(state) }
    }
    bar.withLock { $0.end(erasing: true) }
    if let quarantine { try Quarantine(report, of: corpus).write(to: quarantine) }
    print(json ? try JSONText.of(VerifyRecord(report)) : Self.text(of: report))
    if !report.isClean { throw ExitCode.failure }
  }

  private static func text(of report: VerificationReport) -> String {
    var table = TextTable(
      [("domain", .left), ("split", .left)]
        + ["shards", "documents", "tokens", "bytes", "frames", "whole frames", "faults"]
        .map { ($0, .right) })
    for split in report.splits {
      let counts = [
        split.shardCount, split.documentCount, split.tokenCount, split.byteCount,
        split.frameCount, split.wholeFrameCount, split.faultCount,
      ]
      table.append([split.domain, split.split.rawValue] + counts.map(NumberText.grouped))
    }
    var lines = [table.text]
    if !report.faults.isEmpty { lines.append("") }
    lines += report.faults.map(\.description)
    lines.append("")
    if report.isClean {
      let tokens = report.splits.reduce(0) { $0 + $1.tokenCount }
      lines.append("nothing is wrong: \(NumberText.counted(tokens, "token")) verified")
    } else {
      let shardCount = Set(report.faults.map(\.shard)).count
      lines.append(
        NumberText.counted(report.faults.count, "fault") + " in "
          + NumberText.counted(shardCount, "shard")
          + ". Copy what is damaged again, or pack its domain again.")
    }
    return lines.joined(separator: "\n")
  }
}

/// What `headrace verify --json` prints.
private struct VerifyRecord: Encodable {
  struct Count: Encodable {
    let domain: String
    let split: Split
    let shardCount: Int
    let documentCount: Int
    let tokenCount: Int
    let byteCount: Int
    let frameCount: Int
    let wholeFrameCount: Int
    let faultCount: Int
  }

  struct Fault: Encodable {
    let domain: String
    let split: Split
    let shard: String
    let frame: Int?
    let byteOffset: Int?
    let reason: String
  }

  let isClean: Bool
  let splits: [Count]
  let faults: [Fault]

  init(_ report: VerificationReport) {
    isClean = report.isClean
    splits = report.splits.map {
      Count(
        domain: $0.domain, split: $0.split, shardCount: $0.shardCount,
        documentCount: $0.documentCount, tokenCount: $0.tokenCount, byteCount: $0.byteCount,
        frameCount: $0.frameCount, wholeFrameCount: $0.wholeFrameCount,
        faultCount: $0.faultCount)
    }
    faults = report.faults.map {
      Fault(
        domain: $0.domain, split: $0.split, shard: $0.shard, frame: $0.frame,
        byteOffset: $0.byteOffset, reason: $0.reason)
    }
  }
}
