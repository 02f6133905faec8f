public import ArgumentParser
public import Corpora

/// `headrace export`: a corpus becomes shards that another program reads.
struct ExportCommand: ParsableCommand {
  /// The formats that are written.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case mds
  }

  /// What a sample is.
  enum Samples: String, CaseIterable, ExpressibleByArgument {
    case documents, sequences
  }

  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Writes a corpus as MosaicML's MDS shards.",
    discussion: """
      Each domain and split becomes a folder, such as OUTPUT/code/train, with an index.json and \
      shards whose samples have one column of tokens, an ndarray. Hashes (sha1, xxh64) and, in \
      zstd, content checksums are written, so that damage can be found.

      A document keeps its end-of-text: read back with the sample rule "joined", the shards give \
      the corpus's tokens. Samples that are sequences have T + 1 tokens, of which the last is the \
      first of the next.

      Shards are made in OUTPUT.partial, which gets its name when all is whole.

      EXAMPLES
        headrace export corpora/web -o mds/web
        headrace export corpora/web -o mds/code --domain code --split train --compression zstd:7
        headrace export corpora/web -o mds/rows --samples sequences --sequence-length 2048
        headrace export corpora/web -o mds/raw --compression none --token-type int64
      """)

  @Argument(help: "The corpus's folder.")
  var corpus: String

  @Option(name: [.short, .long], help: "The folder to make; must not exist.")
  var output: String

  @Option(help: "The format: mds.")
  var format = Format.mds

  @Option(help: ArgumentHelp("Only this domain; may be repeated.", valueName: "name"))
  var domain: [String] = []

  @Option(help: "Only this split, train or held_out; may be repeated.")
  var split: [Split] = []

  @Option(help: ArgumentHelp("The column's name.", valueName: "name"))
  var column = "tokens"

  @Option(
    help: ArgumentHelp(
      "The stored integers, such as uint16, uint32, int32 or int64 (default: uint16, or int32 if "
        + "the vocabulary needs it).", valueName: "type"))
  var tokenType: StoredTokenType?

  @Option(help: "What a sample is: documents or sequences.")
  var samples = Samples.documents

  @Option(help: ArgumentHelp("T, the targets of a sequence.", valueName: "T"))
  var sequenceLength: Int?

  @Option(help: ArgumentHelp("zstd, zstd:1 to zstd:22, or none.", valueName: "codec"))
  var compression = "zstd"

  @Option(help: "The most bytes of an uncompressed shard.")
  var sizeLimit: ByteCount = ByteCount(bytes: 1 << 26)

  @Flag(help: "Print the counts as JSON.")
  var json = false

  func validate() throws {
    if (samples == .sequences) != (sequenceLength != nil) {
      throw ValidationError("--samples sequences and --sequence-length go together")
    }
    if let sequenceLength, sequenceLength < 1 {
      throw ValidationError("--sequence-length is at least 1, not \(sequenceLength)")
    }
    _ = try level()
  }

  func run() throws {
    var options = MDSExportOptions()
    options.column = column
    options.tokenType = tokenType
    if let sequenceLength { options.samples = .sequences(length: sequenceLength) }
    options.compressionLevel = try level()
    options.sizeLimit = sizeLimit.bytes
    let export = try MDSExport(
      try Corpus(at: corpus), domains: domain, splits: split, options: options)
    var bar = ProgressBar()
    let reports: [MDSExportReport]
    do {
      reports = try export.run(to: output) { progress in
        bar.show(
          ProgressBar.State(
            label: "exporting \(progress.domain)",
            fraction: Double(progress.tokenCount) / Double(max(1, progress.totalTokenCount)),
            detail: NumberText.counted(progress.tokenCount, "token") + " read"))
      }
    } catch {
      bar.end()
      throw error
    }
    bar.end(erasing: true)
    print(json ? try JSONText.of(reports) : text(of: reports))
  }

  /// The zstd level that was asked for; nil for no compression.
  private func level() throws -> Int? {
    if compression == "none" { return nil }
    guard let level = MDSShardEntry.zstdLevel(of: compression) else {
      throw ValidationError("--compression is zstd, zstd:1 to zstd:22, or none, not \(compression)")
    }
    return level
  }

  private func text(of reports: [MDSExportReport]) -> String {
    var table = TextTable(
      [("domain", .left), ("split", .left)]
        + ["shards", "samples", "tokens", "tokens left out", "bytes"].map { ($0, .right) })
    for report in reports {
      let counts = [
        report.shardCount, report.sampleCount, report.tokenCount, report.unusedTokenCount,
        report.byteCount,
      ]
      table.append([report.domain, report.split.rawValue] + counts.map(NumberText.grouped))
    }
    return table.text + "\nexported \(output)"
  }
}

extension Split: ExpressibleByArgument {}
extension StoredTokenType: ExpressibleByArgument {}
