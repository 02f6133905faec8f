#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// A short JSON file that makes a corpus of files that other programs wrote.
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
/// Entries of `train` and `held_out` are patterns, with `*`, `?` and `[…]` in any part of a path,
/// taken from the spec's own folder unless they are absolute; what they match is read in the order
/// of its bytes. They name shards (native), folders with an `index.json` (MDS), prefixes of `.bin`
/// and `.idx` (Megatron), or files (JSON lines, zstd-compressed if their name ends in `.zst`).
struct CorpusSpec: Codable {
  var format: String
  var version: Int
  var name: String
  var tokenizer: TokenizerDescription
  var domains: [SpecDomain]

  static let format = "headrace-spec"
  static let version = 1

  /// Decodes and checks a spec.
  init(json bytes: [UInt8], path: String) throws(CorpusError) {
    do {
      let head = try JSONDecoder().decode(Head.self, from: Data(bytes))
      guard head.format == Self.format, head.version == Self.version else {
        let isFormat = head.format == Self.format
        throw CorpusError.unsupportedFormat(
          path: path, field: isFormat ? "version" : "format",
          found: isFormat ? "\(head.version)" : "\"\(head.format)\"",
          supported: isFormat ? "\(Self.version)" : "\"\(Self.format)\"")
      }
      try JSONKeys.requireKnown(
        ["format", "version", "name", "tokenizer", "domains"], in: Data(bytes), path: path)
      self = try JSONDecoder().decode(CorpusSpec.self, from: Data(bytes))
    } catch let error as CorpusError {
      throw error
    } catch {
      throw .malformedJSON(path: path, underlying: error)
    }
  }

  /// What is read first, so that another format or version is named as such.
  private struct Head: Codable {
    var format: String
    var version: Int
  }
}

/// One domain of a ``CorpusSpec``.
struct SpecDomain: Codable {
  var name: String
  var format: String
  var train: [String]
  var heldOut: [String]?
  var column: String?
  var tokenType: StoredTokenType?
  var samples: SampleRule?
  var field: String?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case name, format, train, column, samples, field
    case heldOut = "held_out"
    case tokenType = "token_type"
  }

  init(from decoder: any Decoder) throws {
    try JSONKeys.requireKnown(CodingKeys.allCases.map(\.rawValue), in: decoder)
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.decode(String.self, forKey: .name)
    format = try values.decode(String.self, forKey: .format)
    train = try values.decode([String].self, forKey: .train)
    heldOut = try values.decodeIfPresent([String].self, forKey: .heldOut)
    column = try values.decodeIfPresent(String.self, forKey: .column)
    tokenType = try values.decodeIfPresent(StoredTokenType.self, forKey: .tokenType)
    samples = try values.decodeIfPresent(SampleRule.self, forKey: .samples)
    field = try values.decodeIfPresent(String.self, forKey: .field)
  }

  /// The names of the formats that a spec may give a domain.
  static let formatNames = ["native", "mds", "megatron", "jsonl"]

  /// Returns what the domain's keys say of its format.
  func domainFormat(path: String) throws(CorpusError) -> DomainFormat {
    switch format {
    case "native":
      try refuse([(.column, column), (.field, field)], path: path)
      try refuse([(.tokenType, tokenType?.rawValue), (.samples, samples?.rawValue)], path: path)
      return .native
    case "mds":
      try refuse([(.field, field)], path: path)
      return .mds(
        MDSColumn(
          name: column ?? "tokens", storedType: tokenType, samples: samples ?? .joined))
    case "megatron":
      try refuse([(.column, column), (.field, field)], path: path)
      try refuse([(.tokenType, tokenType?.rawValue), (.samples, samples?.rawValue)], path: path)
      return .megatron
    case "jsonl":
      try refuse([(.column, column)], path: path)
      try refuse([(.tokenType, tokenType?.rawValue), (.samples, samples?.rawValue)], path: path)
      return .jsonLines(field: field ?? "text")
    default:
      throw .spec(path: path, domain: name, .format(found: format, known: Self.formatNames))
    }
  }

  /// Refuses keys that another format has.
  private func refuse(_ values: [(CodingKeys, String?)], path: String) throws(CorpusError) {
    for (key, value) in values where value != nil {
      throw .spec(path: path, domain: name, .keyOfOtherFormat(key.rawValue, format: format))
    }
  }
}

/// What is wrong with what a corpus spec says of a domain.
public enum SpecFault: Sendable, Equatable {
  /// The format has no such name.
  case format(found: String, known: [String])
  /// A key belongs to another format.
  case keyOfOtherFormat(String, format: String)
  /// A pattern matches nothing.
  case matchesNothing(pattern: String)
  /// A file is matched twice, perhaps by another path that leads to it.
  case matchedTwice(path: String, earlierPath: String)
  /// All of the files of a split are empty.
  case allEmpty(split: Split)
  /// The shards hold tokens of another width than the vocabulary has.
  case tokenWidth(path: String, found: Int, expected: Int)
  /// Samples that are sequences have another length than those of other shards.
  case sampleLength(path: String, found: Int, expected: Int)
  /// No tokenizer of that name was given, and text has to be tokenized.
  case tokenizer(name: String, known: [String])
  /// The tokenizer that was given is not the one that the spec describes.
  case tokenizerDiffers(field: String, recorded: String, found: String)
}

extension SpecFault: CustomStringConvertible {
  /// What is wrong and what to do, without the place.
  public var description: String {
    switch self {
    case .format(let found, let known):
      "\"\(found)\" is no format; the formats are \(known.joined(separator: ", "))"
    case .keyOfOtherFormat(let key, let format):
      "a domain of format \(format) has no key \"\(key)\"; take it out"
    case .matchesNothing(let pattern):
      "nothing matches \"\(pattern)\"; paths begin at the spec's own folder"
    case .matchedTwice(let path, let earlierPath):
      path == earlierPath
        ? "\(path) is matched twice, and would be read twice"
        : "\(path) is the same file as \(earlierPath), and would be read twice"
    case .allEmpty(let split):
      "all files that \"\(split.rawValue)\" names are empty; name files with text"
    case .tokenWidth(let path, let found, let expected):
      "\(path) holds tokens of \(found) bytes, but the vocabulary of the spec's tokenizer needs "
        + "\(expected): it was packed with another tokenizer"
    case .sampleLength(let path, let found, let expected):
      "\(path) has samples of \(found) tokens, other shards of \(expected); where samples are "
        + "sequences all have one length. Name the shards of other lengths as another domain, or "
        + "join the samples"
    case .tokenizer(let name, let known):
      "text is to be tokenized by \"\(name)\", which this program does not have (it has "
        + "\(known.joined(separator: ", "))); pack the domain with the tokenizer's own program, "
        + "or give the tokenizer when you open the corpus"
    case .tokenizerDiffers(let field, let recorded, let found):
      "the spec says that the tokenizer's \(field) is \(recorded), but it is \(found)"
    }
  }
}

/// Finds keys that nobody reads: a key that was mistyped must not be passed over.
enum JSONKeys {
  private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private struct Keys: Decodable {
    var names: [String]

    init(from decoder: any Decoder) throws {
      names = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
    }
  }

  static func requireKnown(_ known: [String], in data: Data, path: String) throws {
    let keys = try JSONDecoder().decode(Keys.self, from: data)
    if let unknown = keys.names.filter({ !known.contains($0) }).min() {
      throw CorpusError.unsupportedFormat(
        path: path, field: "key", found: "\"\(unknown)\"",
        supported: known.joined(separator: ", "))
    }
  }

  static func requireKnown(_ known: [String], in decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
    if let unknown = keys.filter({ !known.contains($0) }).min() {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: decoder.codingPath,
          debugDescription: "no key is named \"\(unknown)\"; the keys are "
            + known.joined(separator: ", ")))
    }
  }
}
