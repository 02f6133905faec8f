/// What packing made of one domain.
public struct PackDomainReport: Sendable, Codable, Equatable {
  /// The domain's name.
  public var name: String
  /// The documents of the train split.
  public var documentCount: Int
  /// The tokens of the train split, end-of-text included.
  public var tokenCount: Int
  /// The documents of the held-out split.
  public var heldOutDocumentCount: Int
  /// The tokens of the held-out split, end-of-text included.
  public var heldOutTokenCount: Int
  /// The bytes of text that became tokens.
  public var textByteCount: Int
  /// The bytes of both splits' shards.
  public var compressedByteCount: Int
  /// The documents that were left out because they hold no text.
  public var emptyDocumentCount: Int
  /// The documents that were left out because they could not be packed.
  public var skippedDocumentCount: Int

  enum CodingKeys: String, CodingKey {
    case name
    case documentCount = "document_count"
    case tokenCount = "token_count"
    case heldOutDocumentCount = "held_out_document_count"
    case heldOutTokenCount = "held_out_token_count"
    case textByteCount = "text_byte_count"
    case compressedByteCount = "compressed_byte_count"
    case emptyDocumentCount = "empty_document_count"
    case skippedDocumentCount = "skipped_document_count"
  }

  init(_ manifest: DomainManifest, counts: ScatterCounts) {
    let train = manifest.splits[.train, default: []]
    let heldOut = manifest.splits[.heldOut, default: []]
    name = manifest.name
    documentCount = train.reduce(0) { $0 + $1.documentCount }
    tokenCount = train.reduce(0) { $0 + $1.tokenCount }
    heldOutDocumentCount = heldOut.reduce(0) { $0 + $1.documentCount }
    heldOutTokenCount = heldOut.reduce(0) { $0 + $1.tokenCount }
    textByteCount = counts.textByteCount
    compressedByteCount = (train + heldOut).reduce(0) { $0 + $1.byteCount }
    emptyDocumentCount = counts.emptyCount
    skippedDocumentCount = counts.skippedCount
  }

  /// The bytes of text per byte of shard.
  public var compressionRatio: Double {
    compressedByteCount > 0 ? Double(textByteCount) / Double(compressedByteCount) : 0
  }
}

/// What packing came to.
public struct PackReport: Sendable, Codable, Equatable {
  /// The corpus's folder.
  public var output: String
  /// Whether the corpus was there already, made by the same plan from the same files.
  public var wasPacked: Bool
  /// The domains, in the corpus's order.
  public var domains: [PackDomainReport]

  enum CodingKeys: String, CodingKey {
    case output, domains
    case wasPacked = "was_packed"
  }
}

/// The content of `pack.json`, which stands in a packed corpus and says what made it.
struct PackSeal: Sendable, Codable, Equatable {
  static let fileName = "pack.json"

  /// What identifies plan and inputs: ``PackFingerprint``.
  var fingerprint: String
  var plan: PackPlan
  var domains: [PackDomainReport]
}

extension PackSeal {
  /// The seal in `folder`; nil where there is none that can be read, which is then no corpus of
  /// ours.
  init?(in folder: String) {
    let path = folder + "/" + Self.fileName
    guard Files.exists(path), let seal = try? Files.readJSON(PackSeal.self, from: path) else {
      return nil
    }
    self = seal
  }

  /// The first file of the corpus in `folder` that is not there, or not whole; nil where all are.
  static func damagedFile(in folder: String) -> String? {
    let manifestPath = folder + "/" + CorpusManifest.fileName
    guard let manifest = try? CorpusManifest.read(from: manifestPath) else { return manifestPath }
    for shard in manifest.domains.flatMap({ $0.splits.values.joined() }) {
      let path = folder + "/" + shard.path
      if (try? FileReader(path: path))?.byteCount != shard.byteCount { return path }
    }
    return nil
  }
}

/// What identifies a corpus before it is made: the plan, the inputs with their sizes and times, and
/// the tools.
enum PackFingerprint {
  /// Changes whenever the same plan and inputs would give other bytes, or the partial folder
  /// another form.
  static let formatVersion = 1

  /// Returns the fingerprint as 16 hexadecimal digits.
  static func text(
    _ plan: PackPlan, files: [[InputFile]], tokenizer: any Tokenizer, tokenWidth: TokenWidth,
    zstdVersion: Int
  ) -> String {
    var text = "pack \(formatVersion) zstd \(zstdVersion) order \(Philox.orderVersion)\n"
    text += "tokenizer \(tokenizer.name) \(tokenizer.vocabularySize) \(tokenizer.endOfText) "
    text += "width \(tokenWidth.byteCount)\n\(plan.json)\n"
    for (domain, files) in zip(plan.domains, files) {
      text += "domain \(domain.name) \(files.count)\n"
      for file in files {
        text += "\(file.format.rawValue) \(file.byteCount) \(file.modificationTime) "
        text += "\(file.path.utf8.count) \(file.path)\n"
      }
    }
    return XXHash.text(XXHash.hash64(Array(text.utf8)))
  }
}
