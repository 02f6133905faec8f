#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// The part of a domain's documents that something reads.
public enum Split: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
  /// What a model is trained on.
  case train
  /// What its loss is measured on; no document of it is in ``train``.
  case heldOut = "held_out"
}

/// What a manifest records of one shard.
public struct ShardDescription: Sendable, Equatable, Codable {
  /// The shard's path below the corpus folder.
  public var path: String
  /// The number of tokens, end-of-text included.
  public var tokenCount: Int
  /// The number of documents.
  public var documentCount: Int
  /// The file's size in bytes.
  public var byteCount: Int
  /// The XXH64 of the shard's index, which holds the checksums of all frames.
  public var checksum: UInt64

  /// Creates a description.
  public init(
    path: String, tokenCount: Int, documentCount: Int, byteCount: Int, checksum: UInt64
  ) {
    self.path = path
    self.tokenCount = tokenCount
    self.documentCount = documentCount
    self.byteCount = byteCount
    self.checksum = checksum
  }

  private enum CodingKeys: String, CodingKey {
    case path
    case tokenCount = "token_count"
    case documentCount = "document_count"
    case byteCount = "byte_count"
    case checksum
  }

  /// Reads a description; the checksum is 16 hexadecimal digits.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    path = try container.decode(String.self, forKey: .path)
    tokenCount = try container.decode(Int.self, forKey: .tokenCount)
    documentCount = try container.decode(Int.self, forKey: .documentCount)
    byteCount = try container.decode(Int.self, forKey: .byteCount)
    guard let checksum = XXHash.value(try container.decode(String.self, forKey: .checksum)) else {
      throw DecodingError.dataCorruptedError(
        forKey: .checksum, in: container, debugDescription: "not 16 hexadecimal digits")
    }
    self.checksum = checksum
  }

  /// Writes the description, the checksum as 16 hexadecimal digits.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(path, forKey: .path)
    try container.encode(tokenCount, forKey: .tokenCount)
    try container.encode(documentCount, forKey: .documentCount)
    try container.encode(byteCount, forKey: .byteCount)
    try container.encode(XXHash.text(checksum), forKey: .checksum)
  }
}

/// What a manifest records of the tokenizer that made its tokens.
public struct TokenizerDescription: Sendable, Equatable, Codable {
  /// The tokenizer's name.
  public var name: String
  /// The number of token ids, end-of-text included; ids are 0..<`vocabularySize`.
  public var vocabularySize: Int
  /// The id that ends every document.
  public var endOfText: Int

  /// Creates a description.
  public init(name: String, vocabularySize: Int, endOfText: Int) {
    self.name = name
    self.vocabularySize = vocabularySize
    self.endOfText = endOfText
  }

  private enum CodingKeys: String, CodingKey {
    case name
    case vocabularySize = "vocabulary_size"
    case endOfText = "end_of_text"
  }
}

/// What a manifest records of one domain.
package struct DomainManifest: Sendable, Equatable, Codable {
  package var name: String
  package var fingerprint: String
  package var splits: [Split: [ShardDescription]]

  /// Creates the record of a domain; its fingerprint is computed.
  package init(name: String, splits: [Split: [ShardDescription]]) {
    self.name = name
    self.splits = splits
    fingerprint = Self.fingerprint(name: name, splits: splits)
  }

  /// The XXH64 of what identifies a domain's data: per split and shard the counts and the checksum
  /// of the index.
  ///
  /// Paths are left out: a corpus that is moved or renamed stays the same corpus.
  ///
  /// `reading` is what else decides the tokens: how shards of another format are read.
  package static func fingerprint(
    name: String, splits: [Split: [ShardDescription]], reading: String = ""
  ) -> String {
    var text = "domain \(name)\n" + reading
    for split in Split.allCases {
      for shard in splits[split] ?? [] {
        text += "\(split.rawValue) \(shard.tokenCount) \(shard.documentCount) "
        text += "\(XXHash.text(shard.checksum))\n"
      }
    }
    return XXHash.text(XXHash.hash64(Array(text.utf8)))
  }
}

/// The content of `corpus.json`.
package struct CorpusManifest: Sendable, Equatable, Codable {
  package var format: String
  package var version: Int
  package var name: String
  package var tokenizer: TokenizerDescription
  package var tokenWidth: TokenWidth
  package var domains: [DomainManifest]

  package static let fileName = "corpus.json"
  static let format = "headrace-corpus"
  static let version = 1
  /// A larger manifest (some millions of shards) is taken for a mistake.
  static let byteLimit = 1 << 30

  private enum CodingKeys: String, CodingKey {
    case format, version, name, tokenizer, domains
    case tokenWidth = "token_width"
  }

  /// Creates the manifest of a corpus in the current format.
  package init(
    name: String, tokenizer: TokenizerDescription, tokenWidth: TokenWidth, domains: [DomainManifest]
  ) {
    format = Self.format
    version = Self.version
    self.name = name
    self.tokenizer = tokenizer
    self.tokenWidth = tokenWidth
    self.domains = domains
  }

  /// Writes the manifest durably to `path`.
  package func write(to path: String) throws(CorpusError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let bytes: [UInt8]
    do {
      bytes = Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    } catch {
      throw .malformedJSON(path: path, underlying: error)
    }
    try DurableFile.write(bytes, to: path)
  }

  /// Reads and checks the manifest at `path`.
  package static func read(from path: String, access: FileAccess = .direct) throws(CorpusError)
    -> CorpusManifest
  {
    let bytes = try FileReader.contents(of: path, limit: byteLimit, access: access)
    let manifest: CorpusManifest
    do {
      let head = try JSONDecoder().decode(Head.self, from: Data(bytes))
      try head.check(path: path)
      manifest = try JSONDecoder().decode(CorpusManifest.self, from: Data(bytes))
    } catch let error as CorpusError {
      throw error
    } catch {
      throw .malformedJSON(path: path, underlying: error)
    }
    try manifest.check(path: path)
    return manifest
  }

  /// What is read first, so that another format or version is named as such.
  private struct Head: Codable {
    var format: String
    var version: Int

    func check(path: String) throws(CorpusError) {
      guard format == CorpusManifest.format else {
        throw .unsupportedFormat(
          path: path, field: "format", found: "\"\(format)\"",
          supported: "\"\(CorpusManifest.format)\"")
      }
      guard version == CorpusManifest.version else {
        throw .unsupportedFormat(
          path: path, field: "version", found: "\(version)", supported: "\(CorpusManifest.version)")
      }
    }
  }
}

extension CorpusManifest {
  /// Checks every name, path and number once, so that the rest of the program can trust them.
  private func check(path: String) throws(CorpusError) {
    try ManifestLimits.check(tokenizer, domains: domains.map(\.name), path: path)
    try ManifestLimits.expect(
      path, "token_width", tokenWidth.byteCount,
      in: TokenWidth.holding(vocabularySize: tokenizer.vocabularySize).byteCount...4)
    var (tokenCount, byteCount) = (0, 0)
    for domain in domains {
      for shard in domain.splits.values.joined() {
        try check(shard, path: path)
        tokenCount += shard.tokenCount
        byteCount += shard.byteCount
        try ManifestLimits.checkSum(tokenCount, path: path)
        try ManifestLimits.checkSum(byteCount, path: path)
      }
      let computed = DomainManifest.fingerprint(name: domain.name, splits: domain.splits)
      guard computed == domain.fingerprint else {
        throw .fingerprintDiffers(
          path: path, domain: domain.name, recorded: domain.fingerprint, computed: computed)
      }
    }
  }

  private func check(_ shard: ShardDescription, path: String) throws(CorpusError) {
    guard Self.isSafePath(shard.path) else { throw .unsafePath(path: path, entry: shard.path) }
    try ManifestLimits.check(shard, path: path)
    try ManifestLimits.expect(
      path, "token_count of \(shard.path)", shard.tokenCount, in: 1...ManifestLimits.tokenLimit)
    guard shard.tokenCount % tokensPerFrame != 0 else {
      throw .manifestValue(
        path: path, field: "last frame of \(shard.path)", value: 0,
        allowed: 1...(tokensPerFrame - 1)
      )
    }
  }

  /// Whether `path` is relative and stays below the folder that it is relative to.
  package static func isSafePath(_ path: String) -> Bool {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return !path.utf8.contains(0)
      && parts.allSatisfy {
        !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8)
      }
  }

  /// Whether `name` can be a domain's name and so a folder's.
  package static func isPlainName(_ name: String) -> Bool {
    let allowed = name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    return allowed && (1...128).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: ".")
  }
}
