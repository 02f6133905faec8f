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
      The limit is one thread that reads each frame, decodes it whole with its checksum verified
      and widens it into one reused buffer, in file order. Beside one decode thread the wall clock
      is compared with libzstd's decode alone, beside two with two limits at once. Ratios are
      medians over rounds that alternate; absolute figures move with the machine.

      EXAMPLE
        headrace bench loader --rounds 9
      """)

  @Option(help: "Million tokens in the corpus (a UInt16 token takes 2 bytes).")
  var megatokens = 60

  @Option(help: "Rounds of each measurement.")
  var rounds = 9

  @Option(help: "Folders of text to make the corpus from.")
  var text: [String] = ["/usr/include", "/usr/share/doc", "/usr/lib/python3", "/usr/lib"]

  @Option(help: "Where the corpora are written; those that stand there are used again.")
  var scratch = NSTemporaryDirectory() + "headrace-bench"

  @Option(help: "Only the row of this name.")
  var only: String?

  func run() throws {
    let corpora = try openCorpora()
    let bytes = corpora["5"]?.domains.reduce(0) { $0 + $1.byteCount(of: .train) } ?? 0
    print("corpus: \(megatokens) M word-level tokens of real text, \(2 * megatokens) MB as UInt16,")
    print(
      "        \(bytes / 1_000_000) MB in zstd frames of 2^18 tokens; "
        + "medians of \(rounds) alternating rounds, nanoseconds per token")
    print("check:  the loader verifies the XXH64 of each compressed frame before it decodes it,")
    print("        the limit the content checksum that ends the frame (libzstd)")
    print(LoaderMeasurement.header)
    let shapes: [(name: String, corpus: String, T: Int, threads: Int)] = [
      ("standard", "5", 2048, 0), ("22 domains", "22", 2048, 0), ("T = 512", "5", 512, 0),
      ("UInt32", "wide", 2048, 0), ("1 decode thread", "5", 2048, 1),
      ("2 decode threads", "5", 2048, 2),
    ]
    var standard: Double?
    for shape in shapes where only == nil || only == shape.name {
      guard let corpus = corpora[shape.corpus] else { continue }
      let measurement = LoaderMeasurement(
        corpus: corpus, sequenceLength: shape.T, threadCount: shape.threads, rounds: rounds)
      let result = try measurement.run()
      print(result.line(name: shape.name))
      if shape.name == "standard" { standard = result.cpuRatio }
    }
    if only == nil, let corpus = corpora["5"] {
      print(try LoaderMeasurement.fullPools(corpus: corpus, rounds: rounds))
    }
    if let standard { print("native/limit ratio: \(String(format: "%.3f", standard))") }
  }

  /// Opens the corpora below the scratch folder, and makes them first if they are not there.
  private func openCorpora() throws -> [String: Corpus] {
    let forms: [(key: String, name: String, domainCount: Int, width: TokenWidth)] = [
      ("5", "k5", 5, .uint16), ("22", "k22", 22, .uint16), ("wide", "k5-wide", 5, .uint32),
    ]
    var source: BenchCorpus?
    var corpora: [String: Corpus] = [:]
    for form in forms {
      let folder = "\(scratch)/\(megatokens)-\(form.name)"
      if !FileManager.default.fileExists(atPath: folder + "/" + CorpusManifest.fileName) {
        let tokens =
          try source ?? BenchCorpus(folders: text, tokenLimit: megatokens * 1_000_000)
        source = tokens
        try tokens.write(to: folder, domainCount: form.domainCount, tokenWidth: form.width)
      }
      corpora[form.key] = try Corpus(at: folder)
    }
    return corpora
  }
}
