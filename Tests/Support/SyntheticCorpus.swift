public import Corpora

/// A corpus of made-up tokens, each a function of its domain's name and its place, so that a test
/// can say what every row must hold without reading a shard.
public final class SyntheticCorpus: Sendable {
  /// The size of one domain.
  public struct Domain: Sendable {
    /// The domain's name, from which its tokens follow.
    public var name: String
    /// The tokens of each shard of the train split.
    public var shards: [Int]
    /// The tokens of each shard of the held-out split.
    public var heldOut: [Int]

    /// Says how large a domain is.
    ///
    /// - Parameters:
    ///   - name: a plain name.
    ///   - shards: tokens per shard of the train split; never a multiple of a whole frame.
    ///   - heldOut: the same of the held-out split.
    public init(_ name: String, shards: [Int], heldOut: [Int] = []) {
      self.name = name
      self.shards = shards
      self.heldOut = heldOut
    }
  }

  /// What the tokens look like.
  public enum Content: Sendable, Equatable {
    /// Every token is a hash of its place: a few neighbors tell where in the corpus they stand.
    case identifiable
    /// Runs of so many equal tokens, each run another token than its neighbors: frames of a few
    /// hundred bytes.
    case runs(Int)
    /// As `identifiable`, but about every so many-th token is an end-of-text.
    case documents(Int)
  }

  /// The folder with `corpus.json` and the shards.
  public let folder: TemporaryFolder
  /// The domains, in order.
  public let domains: [Domain]
  /// What the tokens look like.
  public let content: Content
  /// How many bytes a token takes.
  public let tokenWidth: TokenWidth

  /// The number of token ids: all that UInt16 has, or that of a large modern vocabulary.
  public var vocabularySize: Int { Self.vocabularySize(of: tokenWidth) }

  /// Writes a corpus into a new folder.
  ///
  /// - Parameters:
  ///   - domains: the domains, in order.
  ///   - tokenWidth: how many bytes a token takes.
  ///   - content: what the tokens look like.
  /// - Throws: a ``Corpora/CorpusError`` or a Cocoa error if the disk fails.
  public init(
    _ domains: [Domain], tokenWidth: TokenWidth = .uint16, content: Content = .identifiable
  ) throws {
    self.domains = domains
    self.tokenWidth = tokenWidth
    self.content = content
    folder = try TemporaryFolder()
    try writeManifest()
  }

  /// Opens the corpus.
  ///
  /// - Returns: the corpus in ``folder``.
  /// - Throws: a ``Corpora/CorpusError``.
  public func open() throws(CorpusError) -> Corpus { try Corpus(at: folder.path) }

  /// Returns where a shard stands below ``folder``.
  ///
  /// - Parameters:
  ///   - domain: the domain's index.
  ///   - split: the split.
  ///   - shard: the shard's index.
  /// - Returns: its path, as in the manifest.
  public func path(domain: Int, split: Split = .train, shard: Int) -> String {
    "\(domains[domain].name)/\(split.rawValue)-\(shard).tokens.zst"
  }

  /// Returns the tokens of each shard of a domain.
  ///
  /// - Parameters:
  ///   - domain: the domain's index.
  ///   - split: the split.
  /// - Returns: the tokens, `[shard][token]`.
  public func tokens(ofDomain domain: Int, split: Split = .train) -> [[UInt32]] {
    var first = split == .train ? 0 : 1 << 40
    let counts = split == .train ? domains[domain].shards : domains[domain].heldOut
    return counts.map { count in
      defer { first += count }
      return Self.tokens(
        first..<first + count, of: domains[domain].name, content: content, width: tokenWidth)
    }
  }

  /// Returns the tokens at some places of a domain, counted over its shards.
  private static func tokens(
    _ places: Range<Int>, of name: String, content: Content, width: TokenWidth
  ) -> [UInt32] {
    let key = XXHash.hash64(Array(name.utf8))
    let limit = UInt64(vocabularySize(of: width))
    switch content {
    case .identifiable:
      return places.map { UInt32(truncatingIfNeeded: mix(key &+ UInt64($0)) % limit) }
    case .documents(let length):
      return places.map {
        let hash = mix(key &+ UInt64($0))
        return (hash >> 40) % UInt64(length) == 0
          ? endOfText : UInt32(truncatingIfNeeded: 1 + hash % (limit - 1))
      }
    case .runs(let length):
      // Neighbors differ by 1.
      return places.map {
        UInt32(truncatingIfNeeded: (key % 40_000 + UInt64($0 / length) % 20_000) % limit)
      }
    }
  }

  /// The id that ends documents.
  package static let endOfText: UInt32 = 0

  private static func vocabularySize(of width: TokenWidth) -> Int {
    width == .uint16 ? 65_536 : 200_000
  }

  /// The SplitMix64 finalizer.
  private static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value &* 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  // MARK: Writing

  private func writeManifest() throws {
    var manifests: [DomainManifest] = []
    for (index, domain) in domains.enumerated() {
      try folder.makeFolder(domain.name)
      var splits: [Split: [ShardDescription]] = [:]
      for split in Split.allCases {
        splits[split] = try tokens(ofDomain: index, split: split).enumerated().map {
          shard, tokens in
          try Self.writeShard(
            tokens, width: tokenWidth, folder: folder.path,
            name: path(domain: index, split: split, shard: shard))
        }
      }
      manifests.append(DomainManifest(name: domain.name, splits: splits))
    }
    try manifest(of: manifests).write(to: folder.path + "/" + CorpusManifest.fileName)
  }

  /// Returns a manifest like this corpus's, of other domains.
  ///
  /// - Parameter domains: the domains' records.
  /// - Returns: a manifest that has not been written.
  package func manifest(of domains: [DomainManifest]) -> CorpusManifest {
    CorpusManifest(
      name: "synthetic",
      tokenizer: TokenizerDescription(
        name: "synthetic", vocabularySize: vocabularySize, endOfText: Int(Self.endOfText)),
      tokenWidth: tokenWidth, domains: domains)
  }

  /// Writes tokens as one shard.
  ///
  /// - Parameters:
  ///   - tokens: the tokens, not a multiple of a whole frame.
  ///   - width: how many bytes each takes.
  ///   - folder: the corpus's folder.
  ///   - name: the shard's path below it.
  ///   - endOfText: the token that ends documents, which frames count.
  /// - Returns: what the manifest records of it.
  /// - Throws: a ``Corpora/CorpusError``.
  @discardableResult
  package static func writeShard(
    _ tokens: [UInt32], width: TokenWidth, folder: String, name: String,
    endOfText: UInt32 = SyntheticCorpus.endOfText
  ) throws -> ShardDescription {
    let encoder = try FrameEncoder(tokenWidth: width, level: 1, endOfText: endOfText)
    var writer = try ShardWriter(path: folder + "/" + name, tokenWidth: width)
    for begin in stride(from: 0, to: tokens.count, by: tokensPerFrame) {
      let frame = tokens[begin..<min(begin + tokensPerFrame, tokens.count)]
      try writer.append(try encoder.encode(bytes: bytes(of: frame, width: width)))
    }
    return try writer.finish(manifestPath: name)
  }

  /// Returns tokens as a shard holds them.
  ///
  /// - Parameters:
  ///   - tokens: the tokens.
  ///   - width: how many bytes each takes.
  /// - Returns: the little-endian bytes.
  package static func bytes<Tokens: Collection<UInt32>>(of tokens: Tokens, width: TokenWidth)
    -> [UInt8]
  {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tokens.count * width.byteCount)
    for token in tokens {
      for byte in 0..<width.byteCount {
        bytes.append(UInt8(truncatingIfNeeded: token >> UInt32(8 * byte)))
      }
    }
    return bytes
  }
}

extension FrameEncoder {
  fileprivate func encode(bytes: [UInt8]) throws -> EncodedFrame {
    try bytes.withUnsafeBytes { try encode($0) }
  }
}
