internal import ArgumentParser
internal import CKernels
internal import Corpora
internal import Foundation
internal import Loading
internal import Mixing

/// Times the loader beside the physical limit, alternating in one process.
struct BenchLoaderCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loader",
    abstract: "Times batches out of native shards beside the limit of this machine.",
    discussion: """
      The limit is one thread that reads each frame, decodes it whole with its checksum verified and widens it into one reused buffer, in file order. Ratios are medians over
      rounds that alternate between the two; absolute figures move with the machine.

      EXAMPLE
        headrace bench loader --rounds 9
      """)

  @Option(help: "Million tokens in the corpus (a UInt16 token takes 2 bytes).")
  var megatokens = 60

  @Option(help: "Rounds of each measurement.")
  var rounds = 9

  @Option(help: "Folders of text to make the corpus from.")
  var text: [String] = ["/usr/include", "/usr/share/doc", "/usr/lib/python3", "/usr/lib"]

  @Option(help: "Where the corpora are written; removed afterwards.")
  var scratch = NSTemporaryDirectory() + "headrace-bench-\(getpid())"

  func run() throws {
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let source = try BenchCorpus(folders: text, tokenLimit: megatokens * 1_000_000)
    let corpora = try [
      "5": open(source, "k5", domainCount: 5, width: .uint16),
      "22": open(source, "k22", domainCount: 22, width: .uint16),
      "wide": open(source, "k5-wide", domainCount: 5, width: .uint32),
    ]
    let bytes = corpora["5"]?.domains.reduce(0) { $0 + $1.byteCount(of: .train) } ?? 0
    print("corpus: \(megatokens) M word-level tokens of real text, \(2 * megatokens) MB as UInt16,")
    print(
      "        \(bytes / 1_000_000) MB in zstd frames of 2^18 tokens with checksums; "
        + "medians of \(rounds) alternating rounds")
    print(LoaderMeasurement.header)
    let shapes: [(name: String, corpus: String, T: Int, threads: Int)] = [
      ("standard", "5", 2048, 0), ("22 domains", "22", 2048, 0), ("T = 512", "5", 512, 0),
      ("UInt32", "wide", 2048, 0), ("1 decode thread", "5", 2048, 1),
      ("2 decode threads", "5", 2048, 2),
    ]
    var standard = 0.0
    for shape in shapes {
      guard let corpus = corpora[shape.corpus] else { continue }
      let measurement = LoaderMeasurement(
        corpus: corpus, sequenceLength: shape.T, threadCount: shape.threads, rounds: rounds)
      let result = try measurement.run()
      print(result.line(name: shape.name))
      if shape.name == "standard" { standard = result.cpuRatio }
    }
    if let corpus = corpora["5"] {
      print(try LoaderMeasurement.fullPools(corpus: corpus, rounds: rounds))
    }
    print("native/limit ratio: \(String(format: "%.3f", standard))")
  }

  private func open(_ source: BenchCorpus, _ name: String, domainCount: Int, width: TokenWidth)
    throws -> Corpus
  {
    let folder = scratch + "/" + name
    try source.write(to: folder, domainCount: domainCount, tokenWidth: width)
    return try Corpus(at: folder)
  }
}
