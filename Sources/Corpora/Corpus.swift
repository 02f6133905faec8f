/// A named part of a corpus that gets one weight of a mixture.
public struct Domain: Sendable, Equatable {
  /// The domain's name, unique in its corpus.
  public let name: String
  /// What identifies the domain's data: 16 hexadecimal digits, computed from what was recorded at
  /// packing.
  public let fingerprint: String
  /// How the domain's tokens lie on disk.
  public let format: DomainFormat
  /// The shards of each split, in order.
  ///
  /// Of text that is tokenized while it is read nobody knows the tokens and documents: they count
  /// as 0.
  public let shards: [Split: [ShardDescription]]
  /// What else is known of the shards, `[split][shard]`; empty where the description says all.
  package let sources: [Split: [ShardSource]]
  /// The tokens of every sample, where each is a sequence; nil where samples are joined.
  package let sampleTokenCount: Int?

  package init(
    name: String, fingerprint: String, format: DomainFormat = .native,
    shards: [Split: [ShardDescription]], sources: [Split: [ShardSource]] = [:],
    sampleTokenCount: Int? = nil
  ) {
    self.name = name
    self.fingerprint = fingerprint
    self.format = format
    self.shards = shards
    self.sources = sources
    self.sampleTokenCount = sampleTokenCount
  }

  /// The number of tokens in a split, end-of-text included.
  public func tokenCount(of split: Split) -> Int {
    shards[split, default: []].reduce(0) { $0 + $1.tokenCount }
  }

  /// The number of documents in a split.
  public func documentCount(of split: Split) -> Int {
    shards[split, default: []].reduce(0) { $0 + $1.documentCount }
  }

  /// The size of a split's shards on disk, in bytes.
  public func byteCount(of split: Split) -> Int {
    shards[split, default: []].reduce(0) { $0 + $1.byteCount }
  }
}

/// All domains of a run: a folder with `corpus.json` and the shards that it names, or a spec that
/// names files of other formats.
///
/// Opening a folder reads the manifest and no shard, however large the corpus is; opening a spec
/// reads the indexes of the formats, and beginnings of shards where an index does not say how many
/// tokens they hold. Shards are opened when they are first needed and compared then with what is
/// recorded of them.
///
/// A spec is a JSON file:
///
///     {
///       "format": "headrace-spec", "version": 1, "name": "mixed",
///       "tokenizer": {"name": "gpt2", "vocabulary_size": 50257, "end_of_text": 50256},
///       "domains": [
///         {"name": "web", "format": "native", "train": ["web/train-*.tokens.zst"]},
///         {"name": "code", "format": "mds", "train": ["code"], "held_out": ["code-held-out"],
///          "column": "tokens", "token_type": "uint16", "samples": "joined"},
///         {"name": "books", "format": "megatron", "train": ["books_text_document"]},
///         {"name": "news", "format": "jsonl", "train": ["news/*.jsonl.zst"], "field": "text"}
///       ]
///     }
///
/// Paths are patterns, with `*`, `?` and `[…]`, and begin at the spec's folder unless they are
/// absolute; they name native shards, MDS folders, prefixes of Megatron's `.bin` and `.idx`, or
/// files of JSON lines. What a pattern matches is read in the order of its bytes.
public struct Corpus: Sendable {
  /// The folder that was opened, or the one in which the spec lies.
  public let folder: String
  /// The corpus's name.
  public let name: String
  /// What made the tokens.
  public let tokenizer: TokenizerDescription
  /// How many bytes a token takes in the shards.
  public let tokenWidth: TokenWidth
  /// The domains, in the manifest's order; a domain index is a place in this list.
  public let domains: [Domain]
  /// What tokenizes the domains that are text.
  package let textTokenizer: (any Tokenizer)?
  /// Whether shards' paths begin at ``folder``, as a manifest's do; a spec's patterns give whole
  /// ones.
  private let pathsBeginAtFolder: Bool
  /// What threads work with that read raw MDS shards.
  private let workspaces = MDSWorkspaces()

  /// Opens the corpus in a folder, or the one whose manifest or spec is the file at that path.
  ///
  /// - Parameters:
  ///   - path: The folder, its `corpus.json`, or a spec, which is any other file that ends in
  ///     `.json`.
  ///   - tokenizer: What tokenizes the text of a spec's `jsonl` domains; nil for the tokenizer
  ///     that this program knows by the name in the spec.
  /// - Throws: ``CorpusError`` if the manifest or spec is missing, damaged, of another version, or
  ///   hostile.
  public init(at path: String, tokenizer: (any Tokenizer)? = nil) throws(CorpusError) {
    let fileName = path.split(separator: "/").last.map(String.init) ?? ""
    if fileName.hasSuffix(".json"), fileName != CorpusManifest.fileName {
      try self.init(specAt: path, tokenizer: tokenizer)
      return
    }
    try self.init(manifestAt: path, isFile: fileName == CorpusManifest.fileName)
  }

  private init(manifestAt path: String, isFile: Bool) throws(CorpusError) {
    let manifestPath = isFile ? path : path + "/" + CorpusManifest.fileName
    let manifest = try CorpusManifest.read(from: manifestPath)
    folder = isFile ? DurableFile.parent(of: path) : path
    name = manifest.name
    tokenizer = manifest.tokenizer
    tokenWidth = manifest.tokenWidth
    domains = manifest.domains.map {
      Domain(name: $0.name, fingerprint: $0.fingerprint, shards: $0.splits)
    }
    textTokenizer = nil
    pathsBeginAtFolder = true
  }

  private init(specAt path: String, tokenizer: (any Tokenizer)?) throws(CorpusError) {
    let bytes = try FileReader.contents(of: path, limit: CorpusManifest.byteLimit)
    let resolved = try SpecResolver(
      spec: try CorpusSpec(json: bytes, path: path), path: path, tokenizer: tokenizer)
    folder = resolved.folder
    name = resolved.spec.name
    self.tokenizer = resolved.spec.tokenizer
    tokenWidth = resolved.tokenWidth
    textTokenizer = resolved.tokenizer
    pathsBeginAtFolder = false
    domains = try resolved.domains()
  }

  /// The domains' names, in order.
  public var domainNames: [String] { domains.map(\.name) }

  /// Returns the index of the domain of that name.
  ///
  /// - Parameter name: A domain's name.
  /// - Returns: Its place in ``domains``.
  /// - Throws: ``CorpusError/unknownDomain(name:known:)`` if there is none.
  public func domainIndex(named name: String) throws(CorpusError) -> Int {
    guard let index = domains.firstIndex(where: { $0.name == name }) else {
      throw .unknownDomain(name: name, known: domainNames)
    }
    return index
  }

  /// Returns where a shard lies.
  package func path(of shard: ShardDescription) -> String {
    pathsBeginAtFolder ? folder + "/" + shard.path : shard.path
  }
}

/// What a format knows of one shard beside its description.
package enum ShardSource: Sendable, Equatable {
  /// A native shard, whose description says all.
  case native
  /// An MDS shard, in the folder that was read.
  case mds(MDSShardEntry, folder: String)
  /// A `.bin` file beside its `.idx`.
  case megatron(MegatronIndex, prefix: String)
  /// A file of JSON lines.
  case text
}

extension Domain {
  /// Whether the shards can only be read from their beginning on.
  package var isStreamed: Bool {
    switch format {
    case .native, .megatron: false
    case .mds:
      sources.values.joined().contains {
        if case .mds(let entry, _) = $0 { entry.compression != nil } else { false }
      }
    case .jsonLines: true
    }
  }

  /// Whether nobody knows how many tokens the domain has.
  package var isOpenEnded: Bool {
    if case .jsonLines = format { true } else { false }
  }

  /// Whether each sample is a sequence of its own.
  package var samplesAreSequences: Bool {
    if case .mds(let column) = format { column.samples == .sequences } else { false }
  }
}

extension Corpus {
  /// Opens a native shard.
  package func openShard(_ shardIndex: Int, of split: Split, domainIndex: Int) throws(CorpusError)
    -> ShardReader
  {
    let domain = domains[domainIndex]
    let description = domain.shards[split, default: []][shardIndex]
    return try ShardReader(
      path: path(of: description), domain: domain.name, description: description,
      tokenWidth: tokenWidth)
  }

  /// Opens a shard of another format that is read from any place.
  package func openTokenShard(_ shardIndex: Int, of split: Split, domainIndex: Int)
    throws(CorpusError) -> any TokenShard
  {
    let domain = domains[domainIndex]
    switch (domain.sources[split, default: []][shardIndex], domain.format) {
    case (.mds(let entry, let folder), .mds(let column)):
      return try MDSShard(
        entry, column: column, tokenizer: tokenizer, folder: folder, domain: domain.name,
        workspaces: workspaces)
    case (.megatron(let index, let prefix), _):
      return try MegatronShard(
        prefix: prefix, index: index, tokenizer: tokenizer, domain: domain.name)
    default:
      preconditionFailure("domain \(domain.name) has no shards that are read by ranges")
    }
  }

  /// Opens a shard that is read from its beginning on.
  package func openTokenStream(_ shardIndex: Int, of split: Split, domainIndex: Int)
    throws(CorpusError) -> any TokenStream
  {
    let domain = domains[domainIndex]
    if case .mds(let entry, let folder) = domain.sources[split, default: []][shardIndex],
      case .mds(let column) = domain.format
    {
      return try MDSStream(
        entry, column: column, tokenizer: tokenizer, folder: folder, domain: domain.name)
    }
    return try openText(shardIndex, of: split, domainIndex: domainIndex, from: TextCursor())
  }

  /// Opens a file of text at a cursor.
  ///
  /// - Precondition: The domain is text.
  package func openText(
    _ shardIndex: Int, of split: Split, domainIndex: Int, from cursor: TextCursor
  ) throws(CorpusError) -> TextTokenStream {
    let domain = domains[domainIndex]
    guard case .jsonLines(let field) = domain.format, let textTokenizer else {
      preconditionFailure("domain \(domain.name) is not text")
    }
    return try TextTokenStream(
      path: path(of: domain.shards[split, default: []][shardIndex]), domain: domain.name,
      field: field, tokenizer: textTokenizer, from: cursor)
  }
}
