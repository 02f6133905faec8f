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
  /// How the corpus's files are read.
  package private(set) var access: FileAccess
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
  ///   hostile, or if a read does not come back within 120 seconds.
  public init(at path: String, tokenizer: (any Tokenizer)? = nil) throws(CorpusError) {
    try self.init(at: path, tokenizer: tokenizer, access: FileAccess())
  }

  /// Opens a corpus whose files are read in another way than the file system's.
  package init(at path: String, tokenizer: (any Tokenizer)? = nil, access: FileAccess)
    throws(CorpusError)
  {
    let fileName = path.split(separator: "/").last.map(String.init) ?? ""
    if fileName.hasSuffix(".json"), fileName != CorpusManifest.fileName {
      try self.init(specAt: path, tokenizer: tokenizer, access: access)
      return
    }
    try self.init(
      manifestAt: path, isFile: fileName == CorpusManifest.fileName, access: access)
  }

  private init(manifestAt path: String, isFile: Bool, access: FileAccess) throws(CorpusError) {
    self.access = access
    let manifestPath = isFile ? path : path + "/" + CorpusManifest.fileName
    let manifest = try CorpusManifest.read(from: manifestPath, access: access)
    folder = isFile ? DurableFile.parent(of: path) : path
    name = manifest.name
    tokenizer = manifest.tokenizer
    tokenWidth = manifest.tokenWidth
    domains = manifest.domains.map {
      Domain(name: $0.name, fingerprint: $0.fingerprint, shards: $0.splits)
    }
    textTokenizer = nil
  }

  private init(specAt path: String, tokenizer: (any Tokenizer)?, access: FileAccess)
    throws(CorpusError)
  {
    self.access = access
    let bytes = try FileReader.contents(
      of: path, limit: CorpusManifest.byteLimit, access: access)
    let resolved = try SpecResolver(
      spec: try CorpusSpec(json: bytes, path: path), path: path, tokenizer: tokenizer,
      access: access)
    folder = resolved.folder
    name = resolved.spec.name
    self.tokenizer = resolved.spec.tokenizer
    tokenWidth = resolved.tokenWidth
    textTokenizer = resolved.tokenizer
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

  /// Returns the indexes of the domains of those names, in order, each once; of all domains where
  /// no name is given.
  ///
  /// - Throws: ``CorpusError/unknownDomain(name:known:)``.
  func domainIndexes(named names: [String]) throws(CorpusError) -> [Int] {
    var indexes: Set<Int> = []
    for name in names { indexes.insert(try domainIndex(named: name)) }
    return names.isEmpty ? Array(domains.indices) : indexes.sorted()
  }

  /// The same corpus, whose files are waited for as long.
  package func waiting(milliseconds: Int) -> Corpus {
    var corpus = self
    corpus.access = access.within(milliseconds: milliseconds)
    return corpus
  }

  /// Returns where a shard lies.
  package func path(of shard: ShardDescription) -> String {
    shard.path.hasPrefix("/") ? shard.path : folder + "/" + shard.path
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
      tokenWidth: tokenWidth, access: access)
  }

  /// Opens a shard of another format that is read from any place.
  package func openTokenShard(_ shardIndex: Int, of split: Split, domainIndex: Int)
    throws(CorpusError) -> any TokenShard
  {
    let domain = domains[domainIndex]
    switch (domain.sources[split, default: []][shardIndex], domain.format) {
    case (.mds(let entry, let folder), .mds(let column)):
      let shard = try MDSShard(
        entry, column: column, tokenizer: tokenizer, folder: folder, domain: domain.name,
        workspaces: workspaces, access: access)
      let recorded = domain.shards[split, default: []][shardIndex].tokenCount
      guard shard.tokenCount == recorded else {
        throw .shardDiffers(
          shard.place, field: "token count", recorded: UInt64(clamping: recorded),
          found: UInt64(clamping: shard.tokenCount))
      }
      return shard
    case (.megatron(let index, let prefix), _):
      return try MegatronShard(
        prefix: prefix, index: index, tokenizer: tokenizer, domain: domain.name, access: access)
    default:
      preconditionFailure("domain \(domain.name) has no shards that are read by ranges")
    }
  }

  /// Opens a shard that is read from its beginning on; `activity` is told of every read, and
  /// `workspace` is what text is decoded with.
  package func openTokenStream(
    _ shardIndex: Int, of split: Split, domainIndex: Int, activity: ReadActivity? = nil,
    workspace: TextWorkspace = TextWorkspace()
  ) throws(CorpusError) -> any TokenStream {
    let domain = domains[domainIndex]
    if case .mds(let entry, let folder) = domain.sources[split, default: []][shardIndex],
      case .mds(let column) = domain.format
    {
      return try MDSStream(
        entry, column: column, tokenizer: tokenizer, folder: folder, domain: domain.name,
        access: access, activity: activity)
    }
    return try openText(
      shardIndex, of: split, domainIndex: domainIndex, from: TextCursor(), activity: activity,
      workspace: workspace)
  }

  /// Opens a file of text at a cursor.
  ///
  /// - Precondition: The domain is text.
  package func openText(
    _ shardIndex: Int, of split: Split, domainIndex: Int, from cursor: TextCursor,
    activity: ReadActivity? = nil, workspace: TextWorkspace = TextWorkspace()
  ) throws(CorpusError) -> TextTokenStream {
    let domain = domains[domainIndex]
    guard case .jsonLines(let field) = domain.format, let textTokenizer else {
      preconditionFailure("domain \(domain.name) is not text")
    }
    let description = domain.shards[split, default: []][shardIndex]
    return try TextTokenStream(
      path: path(of: description), domain: domain.name, field: field, tokenizer: textTokenizer,
      from: cursor, byteCount: description.byteCount, access: access, activity: activity,
      workspace: workspace)
  }
}

extension Corpus {
  /// Counts the shards in which nothing tells damage from data: neither a hash nor a checksum.
  ///
  /// 1. None of the native shards, whose frames all have both.
  /// 2. MDS shards whose index records no hash that is known, unless they are one zstd frame that
  ///    says its size and has a checksum.
  /// 3. All of Megatron's.
  /// 4. Text that is not compressed, or without zstd's checksums.
  ///
  /// Of compressed shards the first header is read where the index does not say it.
  ///
  /// - Parameters:
  ///   - split: The split.
  ///   - domainIndex: The domain.
  /// - Returns: Their number.
  /// - Throws: ``CorpusError`` if a shard whose header is read does not open.
  public func unprotectedShardCount(of split: Split, domainIndex: Int) throws(CorpusError) -> Int {
    let domain = domains[domainIndex]
    let shards = domain.shards[split, default: []]
    guard let sources = domain.sources[split] else { return 0 }
    var count = 0
    for (source, shard) in zip(sources, shards) {
      let isProtected: Bool
      switch source {
      case .native: isProtected = true
      case .megatron: isProtected = false
      case .text:
        isProtected =
          try TextFiles.isProtected(path: path(of: shard), access: access)
      case .mds(let entry, _):
        // Only a compressed shard without a hash is opened.
        isProtected =
          entry.hasHash || entry.compression == nil
          ? entry.hasHash
          : try entry.isProtected(try FileReader(path: path(of: shard), access: access))
      }
      count += isProtected ? 0 : 1
    }
    return count
  }
}
