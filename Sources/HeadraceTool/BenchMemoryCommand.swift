internal import ArgumentParser
internal import Corpora
internal import Foundation
internal import Loading
internal import Mixing

#if canImport(Glibc)
  internal import Glibc
#endif

/// Counts what a loader allocates and how much memory the process takes, over a long run.
struct BenchMemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loader-memory",
    abstract: "Measures the memory of a loader of six domains over many batches.",
    discussion: """
      Prints one figure per line. Allocations are counted if the library that counts them is
      preloaded, as integration/checks/loader-memory.sh does. The corpus is made where it does not
      stand yet; run once with --batches 0 before, so that making it does not count for the peak.

      EXAMPLE
        headrace bench loader-memory --threads 1 --ledger
      """)

  @Option(help: "Batches in all.")
  var batches = 100_000

  @Option(help: "Batches before allocations are counted.")
  var warmUp = 9000

  @Option(help: "Threads that decode ahead.")
  var threads = 1

  @Option(help: "The loader's byte budget in MiB; its default if left out.")
  var budget: Int?

  @Flag(help: "Write a ledger.")
  var ledger = false

  @Option(help: "Where the corpus is written; one that stands there is used again.")
  var scratch = NSTemporaryDirectory() + "headrace-bench"

  private static let domainCount = 6
  private static let rssBatches = [10_000, 100_000]

  func run() throws {
    let folder = scratch + "/memory"
    if !FileManager.default.fileExists(atPath: folder + "/" + CorpusManifest.fileName) {
      try Self.makeCorpus(in: folder)
    }
    let ledgerPath = folder + "/ledger-\(getpid()).jsonl"
    defer { if ledger { unlink(ledgerPath) } }
    var options = LoaderOptions()
    options.threadCount = threads
    if let budget { options.byteBudget = budget << 20 }
    if ledger { options.ledgerPath = ledgerPath }
    let loader = try Loader(
      Corpus(at: folder), policy: .static(.natural), batch: .init(rows: 8, sequenceLength: 256),
      seed: 17, options: options)
    print("domains: \(Self.domainCount)")
    print("threads: \(threads)")
    print("ledger: \(ledger ? "yes" : "no")")
    print("budget_kib: \(options.byteBudget >> 10)")
    try measure(loader)
    print("peak_kib: \(try ProcessMemory.kibibytes("VmHWM"))")
  }

  private func measure(_ loader: Loader) throws {
    let allocationCount = Self.allocationCounter()
    var counted = 0
    var batch = 0
    let stops = ([min(warmUp, batches)] + Self.rssBatches + [batches]).filter { $0 <= batches }
    for stop in Set(stops).sorted() {
      let before = allocationCount?() ?? 0
      while batch < stop {
        guard try loader.next() != nil else { throw ToolFailure("the loader came to an end") }
        batch += 1
      }
      // A loaded machine may not have let the threads fill every pool that they may have.
      if stop == warmUp { usleep(200_000) }
      if stop > warmUp { counted += (allocationCount?() ?? 0) - before }
      if Self.rssBatches.contains(stop) {
        print("rss_kib_at_\(stop): \(try ProcessMemory.kibibytes("VmRSS"))")
      }
    }
    let isCounted = allocationCount != nil && batches > warmUp
    print("batches_counted: \(max(0, batches - warmUp))")
    print("allocations: \(isCounted ? "\(counted)" : "not counted")")
  }

  /// The function of the preloaded library, if there is one.
  private static func allocationCounter() -> (() -> Int)? {
    guard let symbol = dlsym(nil, "headrace_allocation_count") else { return nil }
    typealias Counter = @convention(c) () -> Int
    return unsafeBitCast(symbol, to: Counter.self)
  }

  /// Writes the corpus: domain k has k + 9 full frames in two shards, and short last frames.
  private static func makeCorpus(in folder: String) throws {
    let encoder = try FrameEncoder(tokenWidth: .uint16, level: 1, endOfText: 0)
    var domains: [DomainManifest] = []
    for index in 0..<domainCount {
      let name = "domain-\(index)"
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      let shards = try (0..<2).map { shard in
        let frameCount = shard == 0 ? index + 4 : 5
        let path = "\(name)/train-\(shard).tokens.zst"
        var writer = try ShardWriter(path: folder + "/" + path, tokenWidth: .uint16)
        for frame in 0...frameCount {
          let count = frame < frameCount ? tokensPerFrame : 5000 * (index + 1)
          let tokens = (0..<count).map { UInt16(($0 * (index + 3) / 7 + frame * $0) % 50_000) }
          try writer.append(tokens.withUnsafeBytes { try encoder.encode($0) })
        }
        return try writer.finish(manifestPath: path)
      }
      domains.append(DomainManifest(name: name, splits: [.train: shards, .heldOut: []]))
    }
    try CorpusManifest(
      name: "memory",
      tokenizer: TokenizerDescription(name: "made up", vocabularySize: 50_000, endOfText: 0),
      tokenWidth: .uint16, domains: domains
    ).write(to: folder + "/" + CorpusManifest.fileName)
  }
}
