/// A named part of a corpus that gets one weight of a mixture.
public struct Domain: Sendable, Equatable {
  /// The domain's name, unique in its corpus.
  public let name: String
  /// What identifies the domain's data: 16 hexadecimal digits, computed from what was recorded at
  /// packing.
  public let fingerprint: String
  /// The shards of each split, in order.
  public let shards: [Split: [ShardDescription]]

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

/// All domains of a run: a folder with `corpus.json` and the shards that it names.
///
/// Opening a corpus reads the manifest and no shard, however large the corpus is. Shards are opened
/// when they are first needed and compared then with what the manifest records.
public struct Corpus: Sendable {
  /// The folder that was opened.
  public let folder: String
  /// The corpus's name.
  public let name: String
  /// What made the tokens.
  public let tokenizer: TokenizerDescription
  /// How many bytes a token takes in the shards.
  public let tokenWidth: TokenWidth
  /// The domains, in the manifest's order; a domain index is a place in this list.
  public let domains: [Domain]

  /// Opens the corpus in `folder`, or the one whose manifest is the file at that path.
  ///
  /// - Throws: ``CorpusError`` if the manifest is missing, damaged, of another version, or hostile.
  public init(at folder: String) throws(CorpusError) {
    let isManifest = folder.split(separator: "/").last.map(String.init) == CorpusManifest.fileName
    let path = isManifest ? folder : folder + "/" + CorpusManifest.fileName
    let manifest = try CorpusManifest.read(from: path)
    self.folder = isManifest ? DurableFile.parent(of: path) : folder
    name = manifest.name
    tokenizer = manifest.tokenizer
    tokenWidth = manifest.tokenWidth
    domains = manifest.domains.map {
      Domain(name: $0.name, fingerprint: $0.fingerprint, shards: $0.splits)
    }
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

  /// Opens a shard.
  package func openShard(_ shardIndex: Int, of split: Split, domainIndex: Int) throws(CorpusError)
    -> ShardReader
  {
    let domain = domains[domainIndex]
    let description = domain.shards[split, default: []][shardIndex]
    return try ShardReader(
      path: folder + "/" + description.path, domain: domain.name, description: description,
      tokenWidth: tokenWidth)
  }
}
