internal import ArgumentParser
internal import Corpora

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// `headrace inspect`: what a corpus, a shard, a checkpoint or a ledger holds.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Says what a corpus, a spec, a token shard, a checkpoint or a ledger holds.",
    discussion: """
      What the path is, is found out from its content. A shard is read by its own index; no \
      corpus.json is needed. Nothing is verified but what is shown: `headrace verify` reads a \
      corpus whole.

      EXAMPLES
        headrace inspect corpora/web
        headrace inspect mixed.json
        headrace inspect corpora/web/code/train-00000.tokens.zst --frames
        headrace inspect train-00000.tokens.zst --frame 3 --tokens 200
        headrace inspect runs/first/ledger.jsonl --json
      """)

  @Argument(help: "A corpus's folder, a spec, a .tokens.zst file, a checkpoint or a ledger.")
  var path: String

  @Flag(help: "Of a shard: the table of its frames.")
  var frames = false

  @Option(help: ArgumentHelp("Of a shard: the frame of which --tokens shows some.", valueName: "i"))
  var frame = 0

  @Option(help: ArgumentHelp("Of a shard: the first N tokens of a frame.", valueName: "N"))
  var tokens: Int?

  @Option(
    help: ArgumentHelp(
      "Of a shard: what made its tokens (default: what the corpus around it says).",
      valueName: "name"))
  var tokenizer: String?

  @Flag(help: "Print the same as JSON.")
  var json = false

  /// What stands at a path.
  private enum Kind {
    case corpus
    case shard
    case checkpoint
    case ledger
  }

  func validate() throws {
    if let tokens, tokens < 1 { throw ValidationError("--tokens is at least 1, not \(tokens)") }
    if frame < 0 { throw ValidationError("frames are counted from 0, not from \(frame)") }
    if let tokenizer, !TokenizerRegistry.names.contains(tokenizer) {
      let names = TokenizerRegistry.names.joined(separator: ", ")
      throw ValidationError("--tokenizer is one of \(names), not \"\(tokenizer)\"")
    }
  }

  func run() throws {
    let kind = try kind()
    if kind != .shard, frames || tokens != nil || frame != 0 {
      throw ValidationError("--frames, --frame and --tokens are for a shard; \(path) is none")
    }
    switch kind {
    case .corpus: try show(try InspectedCorpus(try Corpus(at: path)))
    case .shard:
      let shard = try InspectedShard(
        path: path, showsFrames: frames, frame: frame, tokenLimit: tokens, tokenizer: tokenizer)
      try show(shard)
    case .checkpoint: try show(try InspectedCheckpoint(path: path))
    case .ledger: try show(try InspectedLedger(path: path))
    }
  }

  private func show(_ inspected: some Encodable & CustomStringConvertible) throws {
    print(json ? try JSONText.of(inspected) : inspected.description)
  }

  private static func exists(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0
  }

  /// The prefix of `.bin` and `.idx`, where the path is one of them or their prefix.
  private static func megatronPrefix(_ path: String) -> String? {
    for suffix in [".bin", ".idx", ""] where path.hasSuffix(suffix) {
      let prefix = String(path.dropLast(suffix.count))
      if !prefix.isEmpty, exists(prefix + ".bin"), exists(prefix + ".idx") { return prefix }
    }
    return nil
  }

  private func kind() throws -> Kind {
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT == S_IFDIR {
      if Self.exists(path + "/index.json"), !Self.exists(path + "/" + CorpusManifest.fileName) {
        throw SpecExample.refusal(of: path, "a folder of MDS shards", SpecExample.mds(path))
      }
      return .corpus
    }
    if path.hasSuffix("/index.json") || path == "index.json" {
      let folder = path == "index.json" ? "." : String(path.dropLast("/index.json".count))
      throw SpecExample.refusal(of: path, "an index of MDS shards", SpecExample.mds(folder))
    }
    if let prefix = Self.megatronPrefix(path) {
      throw SpecExample.refusal(of: path, "a Megatron file", SpecExample.megatron(prefix))
    }
    if path.hasSuffix(".json") { return .corpus }
    let file = try FileReader(path: path)
    let head = try file.bytes(at: 0, count: min(32, file.byteCount))
    if head.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) || path.hasSuffix(".tokens.zst") {
      return .shard
    }
    if head.starts(with: Array("HRCHECKP".utf8)) { return .checkpoint }
    if head.starts(with: Array("{\"headrace_ledger\"".utf8)) { return .ledger }
    throw ToolFailure(
      "\(path) is neither a corpus, a token shard, a checkpoint nor a ledger. Give the path of one."
    )
  }
}
