internal import ArgumentParser
internal import Corpora
internal import Loading

/// `headrace verify`: every byte of a corpus is read and compared.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Reads all of a corpus and names every fault.",
    discussion: """
      Every shard is compared with the manifest, every frame with the index, with libzstd's \
      checksum and with the vocabulary, and the documents are counted. Of a spec's other formats \
      everything is compared that they record: hashes and samples of MDS shards, indexes and \
      sizes of Megatron's, frames and lines of JSON, and all tokens with the vocabulary. After \
      damage the verification goes on; each fault is a line with its domain, shard, byte, and \
      frame, sample or line.

      Where a format carries neither hash nor checksum, only what breaks its rules is found; a \
      note says so. Text cannot be quarantined: a loader stops at its faults.

      The exit code is 0 if nothing is wrong, 1 if something is, 2 if the command line is wrong.

      EXAMPLES
        headrace verify corpora/web
        headrace verify corpora/web --domain code --domain prose --threads 8
        headrace verify corpora/web --json > faults.json
        headrace verify mixed.json
        headrace verify corpora/web --quarantine damaged.json
      """)

  @Argument(help: "The corpus's folder, or a spec.")
  var corpus: String

  @Option(help: ArgumentHelp("Only this domain; may be repeated.", valueName: "name"))
  var domain: [String] = []

  @Option(help: "The number of threads (default: one per core).")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Write the damaged frames and shards to this file, for loaders to skip.", valueName: "file"))
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
    let bar = Locked(ProgressBar())
    let report = try verification.run(
      threadCount: threads ?? Processors.onlineCount
    ) { progress in
      let state = ProgressBar.State(
        label: "verifying \(progress.domain)",
        fraction: Double(progress.byteCount) / Double(max(1, progress.totalByteCount)),
        totalByteCount: progress.totalByteCount,
        detail: NumberText.counted(progress.faultCount, "fault"))
      bar.withLock { $0.show(state) }
    }
    bar.withLock { $0.end(erasing: true) }
    if let quarantine {
      let list = Quarantine(report, of: corpus)
      try list.write(to: quarantine)
      if let note = Self.note(on: list, report: report) { StandardError.write(note + "\n") }
    }
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
    let faultCount = report.splits.reduce(0) { $0 + $1.faultCount }
    if faultCount > report.faults.count {
      lines.append("and \(NumberText.counted(faultCount - report.faults.count, "fault")) more")
    }
    let notes = report.splits.compactMap(\.note)
    if !notes.isEmpty { lines.append("") }
    lines += notes.map { "note: \($0)" }
    lines.append("")
    if report.isClean {
      let tokens = report.splits.reduce(0) { $0 + $1.tokenCount }
      lines.append("nothing is wrong: \(NumberText.counted(tokens, "token")) verified")
    } else {
      let shardCount = Set(report.faults.map(\.shard)).count
      lines.append(
        NumberText.counted(faultCount, "fault") + " in "
          + NumberText.counted(shardCount, "shard")
          + ". Copy what is damaged again, or pack its domain again.")
    }
    return lines.joined(separator: "\n")
  }

  /// Says which faults a quarantine list leaves out.
  private static func note(on list: Quarantine, report: VerificationReport) -> String? {
    let listed = Set(list.entries.map { "\($0.split.rawValue) \($0.shard)" })
    let left = report.faults.filter { !listed.contains("\($0.split.rawValue) \($0.shard)") }
    guard !left.isEmpty else { return nil }
    return
      "note: \(NumberText.counted(left.count, "fault")) cannot be quarantined: faults of text, "
      + "of a whole domain's index, and of what may pass, such as a file that does not open. Mend "
      + "the files; `headrace pack --on-bad-document skip` leaves bad lines out."
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
    let unprotectedShardCount: Int?
    let unknownHashes: [String]?
  }

  struct Fault: Encodable {
    let domain: String
    let split: Split
    let shard: String
    let frame: Int?
    let sample: Int?
    let line: Int?
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
        faultCount: $0.faultCount,
        unprotectedShardCount: $0.unprotectedShardCount > 0 ? $0.unprotectedShardCount : nil,
        unknownHashes: $0.unknownHashes.isEmpty ? nil : $0.unknownHashes)
    }
    faults = report.faults.map {
      Fault(
        domain: $0.domain, split: $0.split, shard: $0.shard, frame: $0.frame,
        sample: $0.sample, line: $0.line, byteOffset: $0.byteOffset, reason: $0.reason)
    }
  }
}
