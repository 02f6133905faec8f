#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

extension PackPlan {
  /// Reads a plan; what it leaves out has its default, and what no plan has is refused.
  public init(from decoder: any Decoder) throws {
    try refuseUnknownKeys(decoder, known: CodingKeys.allCases.map(\.rawValue))
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(domains: try values.decode([PackDomain].self, forKey: .domains))
    name = try values.decodeIfPresent(String.self, forKey: .name)
    tokenizer = try values.decodeIfPresent(String.self, forKey: .tokenizer) ?? tokenizer
    heldOutFraction =
      try values.decodeIfPresent(Double.self, forKey: .heldOutFraction) ?? heldOutFraction
    seed = try values.decodeIfPresent(UInt64.self, forKey: .seed) ?? seed
    level = try values.decodeIfPresent(Int.self, forKey: .level) ?? level
    shufflesDocuments =
      try values.decodeIfPresent(Bool.self, forKey: .shufflesDocuments) ?? shufflesDocuments
    shardTokenCount =
      try values.decodeIfPresent(Int.self, forKey: .shardTokenCount) ?? shardTokenCount
    if let bitCount = try values.decodeIfPresent(Int.self, forKey: .tokenWidth) {
      guard let width = TokenWidth.allCases.first(where: { $0.bitCount == bitCount }) else {
        throw DecodingError.dataCorruptedError(
          forKey: .tokenWidth, in: values,
          debugDescription: "a token has 16 or 32 bits, not \(bitCount)")
      }
      tokenWidth = width
    }
    onBadDocument =
      try values.decodeIfPresent(BadDocumentRule.self, forKey: .onBadDocument) ?? onBadDocument
    maximumDocumentByteCount =
      try values.decodeIfPresent(Int.self, forKey: .maximumDocumentByteCount)
      ?? maximumDocumentByteCount
  }

  /// Writes every option that is set, the token width in bits.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(name, forKey: .name)
    try values.encode(domains, forKey: .domains)
    try values.encode(tokenizer, forKey: .tokenizer)
    try values.encode(heldOutFraction, forKey: .heldOutFraction)
    try values.encode(seed, forKey: .seed)
    try values.encode(level, forKey: .level)
    try values.encode(shufflesDocuments, forKey: .shufflesDocuments)
    try values.encode(shardTokenCount, forKey: .shardTokenCount)
    try values.encodeIfPresent(tokenWidth?.bitCount, forKey: .tokenWidth)
    try values.encode(onBadDocument, forKey: .onBadDocument)
    try values.encode(maximumDocumentByteCount, forKey: .maximumDocumentByteCount)
  }

  /// The plan as JSON text with every option written out.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // Encoding fails for numbers that are not finite only, and such a plan does not pass its check.
    guard let data = try? encoder.encode(self) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
  }

  /// Reads the plan in the file at `path`.
  ///
  /// - Parameter path: a JSON file of at most 64 MiB.
  /// - Throws: ``CorpusError/malformedJSON(path:underlying:)`` where the file is not a plan.
  public init(contentsOf path: String) throws(CorpusError) {
    let bytes = try FileReader.contents(of: path, limit: 64 << 20)
    do {
      self = try JSONDecoder().decode(PackPlan.self, from: Data(bytes))
    } catch let error as UnknownKey {
      throw .packing(.unknownKey(path: path, key: error.key, known: error.known))
    } catch {
      throw .malformedJSON(path: path, underlying: error)
    }
  }
}

extension PackDomain {
  /// Reads a domain; what it leaves out has its default, and what no domain has is refused.
  public init(from decoder: any Decoder) throws {
    try refuseUnknownKeys(decoder, known: CodingKeys.allCases.map(\.rawValue))
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      name: try values.decode(String.self, forKey: .name),
      inputs: try values.decode([String].self, forKey: .inputs),
      include: try values.decodeIfPresent([String].self, forKey: .include) ?? [],
      textField: try values.decodeIfPresent(String.self, forKey: .textField) ?? "text")
  }
}

extension TokenWidth {
  /// The width in bits, as plans and flags have it.
  fileprivate var bitCount: Int { 8 * byteCount }
}

/// A key that was found where none of that name belongs.
private struct UnknownKey: Error {
  let key: String
  let known: [String]
}

/// A key of any name.
private struct AnyKey: CodingKey {
  let stringValue: String
  let intValue: Int? = nil
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// A misspelled option would otherwise be an option left out.
private func refuseUnknownKeys(_ decoder: any Decoder, known: [String]) throws {
  let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
  guard let unknown = keys.first(where: { !known.contains($0) }) else { return }
  throw UnknownKey(key: unknown, known: known)
}
