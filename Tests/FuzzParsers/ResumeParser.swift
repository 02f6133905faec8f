internal import Corpora
internal import Foundation
internal import Loading
internal import Mixing
internal import Synchronization

/// A loader that goes on from a checkpoint.
let resumeParser = FuzzedParser(
  name: "resume",
  words: [
    #""positions":["#, #""row_counts":["#, #""text_marks":{"#, #""departed":["#, #""cursor":{"#,
    "1152921504606846976", "9223372036854775807", "0", "null", #""frame":"#, #""carry":"#,
  ],
  seeds: { folder in
    try ResumedRun.Kind.allCases.flatMap { kind in
      try [1, 20].map { steps in
        let loader = try ResumedRun(kind, in: folder).loader(FuzzOptions())
        for _ in 0..<steps { _ = try loader.next() }
        return [UInt8(kind.rawValue), 1] + (try loader.checkpoint().encoded())
      }
    }
  },
  read: { input, folder in
    var input = input
    let kind = input.choice(of: ResumedRun.Kind.allCases)
    let options = FuzzOptions(rawValue: input.byte())
    try ResumedRun(kind, in: folder).resume(Array(input.rest), options, in: folder)
  })

/// A run over a small corpus.
private struct ResumedRun {
  enum Kind: Int, CaseIterable {
    case native, text
  }

  private let corpus: Corpus
  private static let opened = Mutex<[String: Corpus]>([:])

  init(_ kind: Kind, in folder: FuzzFolder) throws {
    let key = "\(folder.path)/\(kind)"
    if let known = Self.opened.withLock({ $0[key] }) {
      corpus = known
      return
    }
    let below = FuzzFolder(folder.makeFolder("\(kind)"))
    let lines = (0..<20).flatMap { Array("{\"text\": \"line \($0) of some text\"}\n".utf8) }
    below.write(lines, to: "a.jsonl")
    below.write(compressed(lines, cuts: [100, 333], hasChecksum: true), to: "b.jsonl.zst")
    for (name, count) in [("a", 300), ("b", 71)] {
      let encoder = try FrameEncoder(tokenWidth: .uint16, level: 1, endOfText: 256)
      var writer = try ShardWriter(
        path: "\(below.path)/\(name).tokens.zst", tokenWidth: .uint16)
      let bytes = (0..<count).flatMap { [UInt8($0 % 251), UInt8(0)] }
      try writer.append(bytes.withUnsafeBytes { try encoder.encode($0) })
      _ = try writer.finish(manifestPath: name)
    }
    let format = kind == .native ? "native" : "jsonl"
    let suffix = kind == .native ? "tokens.zst" : "jsonl*"
    let domains = ["a", "b"].map {
      #"{"name": "\#($0)", "format": "\#(format)", "train": ["\#($0).\#(suffix)"]}"#
    }
    let spec = """
      {"format": "headrace-spec", "version": 1, "name": "s",
       "tokenizer": {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256},
       "domains": [\(domains.joined(separator: ","))]}
      """
    let corpus = try Corpus(at: below.write(Array(spec.utf8), to: "spec.json"))
    Self.opened.withLock { $0[key] = corpus }
    self.corpus = corpus
  }

  /// Opens a loader.
  ///
  /// `first`: damaged frames are skipped. `second`: other domains are carried over. `third`: the
  /// draw is another.
  func loader(_ options: FuzzOptions, from checkpoint: LoaderCheckpoint? = nil) throws -> Loader {
    var loaderOptions = LoaderOptions()
    loaderOptions.unitsPerPool = 1
    loaderOptions.threadCount = 0
    loaderOptions.byteBudget = 8 << 20
    loaderOptions.quarantine = options.contains(.first) ? .collect : .off
    loaderOptions.corpusChange = options.contains(.second) ? .carryOver : .refuse
    loaderOptions.draw = options.contains(.third) ? .multinomial : .credits
    return try Loader(
      corpus, policy: .manual(.uniform), batch: BatchConfiguration(rows: 4, sequenceLength: 4),
      seed: 3, options: loaderOptions, resumingFrom: checkpoint)
  }

  /// Goes on from a checkpoint, whose identity is made right if the input wants that.
  ///
  /// Where that is accepted, it gives the same tokens twice, all of the vocabulary, and checkpoints
  /// that are accepted too.
  func resume(_ bytes: [UInt8], _ options: FuzzOptions, in folder: FuzzFolder) throws {
    var checkpoint = try LoaderCheckpoint(bytes: bytes)
    if options.contains(.repairs) {
      checkpoint.identity = try loader(options).checkpoint().identity
      checkpoint = try LoaderCheckpoint(bytes: checkpoint.encoded())
    }
    var runs: [[Int32]] = []
    for _ in 0..<2 {
      let loader = try loader(options, from: checkpoint)
      defer { loader.close() }
      var tokens: [Int32] = []
      for _ in 0..<3 {
        guard let batch = try loader.next() else { break }
        batch.withTokens(as: Int32.self) { tokens += $0 }
        let again = try loader.checkpoint()
        expect(
          try LoaderCheckpoint(bytes: again.encoded()) == again, "checkpoints go on to be accepted")
      }
      runs.append(tokens)
    }
    expect(runs[0] == runs[1], "a checkpoint gives the same rows twice")
    expect(runs[0].allSatisfy { (0..<257).contains($0) }, "tokens are of the vocabulary")
  }
}
