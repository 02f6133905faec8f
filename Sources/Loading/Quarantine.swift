public import Corpora

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// What a loader does with a frame that it finds damaged.
public enum QuarantineRule: String, Sendable, Codable, CaseIterable {
  /// Damage is thrown. What stands on the list that the loader was opened with is skipped.
  case off
  /// The frame joins the list, and its sequences are skipped for the rest of the run.
  case collect
}

/// The frames that a run skips because they are damaged.
///
/// The rows of a run depend on this list as they do on the seed: two runs skip the same sequences
/// only if their lists are the same at the same steps. So it stands in every checkpoint and in the
/// ledger, it only ever grows, and several ranks must be opened with one and the same.
///
/// A frame joins the list when a row that was drawn meets the damage, never because a thread that
/// reads ahead has found it. What may pass, a file that cannot be opened or read, never joins it.
public struct Quarantine: Sendable, Equatable {
  /// One frame, or one shard.
  public struct Entry: Sendable, Equatable, Codable {
    /// The domain's name.
    public var domain: String
    /// The fingerprint of the domain's data.
    public var fingerprint: String
    /// The split.
    public var split: Split
    /// The shard's path below the corpus folder.
    public var shard: String
    /// The shard's place among those of its split.
    public var shardIndex: Int
    /// The frame, counted from 0; nil for the whole shard.
    public var frame: Int?
    /// Where the frame begins, or the damage lies, in bytes; nil if it has no place.
    public var byteOffset: Int?
    /// What is wrong.
    public var reason: String

    /// Names a frame, or with a nil frame a shard.
    package init(
      domain: String, fingerprint: String, split: Split, shard: String, shardIndex: Int,
      frame: Int?, byteOffset: Int?, reason: String
    ) {
      self.domain = domain
      self.fingerprint = fingerprint
      self.split = split
      self.shard = shard
      self.shardIndex = shardIndex
      self.frame = frame
      self.byteOffset = byteOffset
      self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
      case domain, fingerprint, split, shard, frame, reason
      case shardIndex = "shard_index"
      case byteOffset = "byte_offset"
    }

    /// The order of the list; a whole shard comes before its frames.
    fileprivate func isBefore(_ other: Entry) -> Bool {
      (domain, split.rawValue, shardIndex, frame ?? -1)
        < (other.domain, other.split.rawValue, other.shardIndex, other.frame ?? -1)
    }

    fileprivate func isSameShard(as other: Entry) -> Bool {
      (domain, split, shardIndex) == (other.domain, other.split, other.shardIndex)
    }
  }

  /// The entries, sorted by domain, split, shard and frame; none repeats another.
  public private(set) var entries: [Entry] = []

  /// Creates an empty list.
  public init() {}

  /// Creates the list of some entries, in any order.
  package init(_ entries: [Entry]) { add(entries) }

  /// Whether nothing is skipped.
  public var isEmpty: Bool { entries.isEmpty }

  private static let entryLimit = 1 << 20
  private static let textByteLimit = 1 << 14
  private static let fileByteLimit = 1 << 28

  /// Adds an entry; a whole shard takes the place of its frames.
  ///
  /// - Parameter entry: a frame or a shard.
  /// - Returns: Whether it was not on the list yet.
  @discardableResult
  mutating func insert(_ entry: Entry) -> Bool {
    let isKnown = entries.contains {
      $0.isSameShard(as: entry) && ($0.frame == nil || $0.frame == entry.frame)
    }
    guard !isKnown else { return false }
    if entry.frame == nil { entries.removeAll { $0.isSameShard(as: entry) } }
    entries.insert(entry, at: entries.firstIndex { entry.isBefore($0) } ?? entries.endIndex)
    return true
  }

  /// Adds the entries of another list.
  mutating func formUnion(_ other: Quarantine) { add(other.entries) }

  /// Adds entries in any order, with time for a sort.
  private mutating func add(_ added: [Entry]) {
    let sorted = (entries + added).sorted { $0.isBefore($1) }
    entries = []
    for entry in sorted {
      if let last = entries.last, last.isSameShard(as: entry),
        last.frame == nil || last.frame == entry.frame
      {
        continue
      }
      entries.append(entry)
    }
  }

  /// Returns the entries about domains of the corpus as it is; those about other domains, or other
  /// data under a domain's name, are left out.
  ///
  /// - Parameter corpus: The corpus.
  /// - Returns: The list without them.
  public func entries(about corpus: Corpus) -> Quarantine {
    let fingerprints = Dictionary(
      corpus.domains.map { ($0.name, $0.fingerprint) }, uniquingKeysWith: { first, _ in first })
    var list = self
    list.filter { fingerprints[$0.domain] == $0.fingerprint }
    return list
  }

  /// Keeps the entries for which `isKept` says true.
  mutating func filter(_ isKept: (Entry) -> Bool) { entries.removeAll { !isKept($0) } }

  /// Whether the list is one that a loader writes: sorted, nothing twice, numbers in their limits.
  package var isSound: Bool {
    entries.count <= Self.entryLimit
      && zip(entries, entries.dropFirst()).allSatisfy {
        $0.isBefore($1) && !($0.isSameShard(as: $1) && $0.frame == nil)
      }
      && entries.allSatisfy {
        $0.shardIndex >= 0 && $0.frame ?? 0 >= 0 && $0.byteOffset ?? 0 >= 0
          && [$0.domain, $0.fingerprint, $0.shard, $0.reason].allSatisfy {
            $0.utf8.count <= Self.textByteLimit
          }
      }
  }
}

extension Quarantine: Codable {
  /// Reads the entries, one array.
  ///
  /// - Parameter decoder: holds the array.
  /// - Throws: `DecodingError`.
  public init(from decoder: any Decoder) throws {
    entries = try decoder.singleValueContainer().decode([Entry].self)
  }

  /// Writes the entries as one array.
  ///
  /// - Parameter encoder: takes the array.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(entries)
  }
}

// MARK: What joins the list

extension Quarantine {
  /// Lists the damage that a verification found.
  ///
  /// A fault that has nothing to do with what is on the disk for good, such as a file that cannot
  /// be opened, is not damage; nor is a wrong count of documents, which is no frame's.
  ///
  /// - Parameters:
  ///   - report: What was found.
  ///   - corpus: The corpus that was verified.
  public init(_ report: VerificationReport, of corpus: Corpus) {
    var found: [Entry] = []
    for fault in report.faults {
      guard let domain = corpus.domains.first(where: { $0.name == fault.domain }),
        let shardIndex = domain.shards[fault.split, default: []].firstIndex(where: {
          $0.path == fault.shard
        }),
        let entry = Entry(
          fault.error, domain: domain, split: fault.split, shardIndex: shardIndex)
      else { continue }
      found.append(entry)
    }
    add(found)
  }
}

extension Quarantine.Entry {
  /// Makes the entry of what was found in a shard; nil if it is no damage.
  init?(_ error: CorpusError, domain: Domain, split: Split, shardIndex: Int) {
    guard let found = error.damage else { return nil }
    self.domain = domain.name
    fingerprint = domain.fingerprint
    self.split = split
    shard = domain.shards[split, default: []][shardIndex].path
    self.shardIndex = shardIndex
    frame = found.frame
    byteOffset = found.byteOffset
    reason = found.reason
  }
}

extension CorpusError {
  /// What is damaged for good: a frame, or with a nil frame a shard; nil for anything that may
  /// pass.
  fileprivate var damage: (frame: Int?, byteOffset: Int?, reason: String)? {
    switch self {
    case .frameDamaged(_, _, _, .documentCount): nil
    // The rest of the file is gone as well.
    case .frameDamaged(_, _, _, .truncated(let fileByteCount)):
      (nil, nil, "its size in bytes is \(fileByteCount)")
    case .frameDamaged(_, let frame, let byteOffset, let fault):
      (frame, byteOffset, fault.description)
    case .indexDamaged(_, let byteOffset, let fault):
      (nil, byteOffset, "its index is damaged: \(fault.description)")
    case .shardDiffers(_, "size in bytes", _, let found):
      (nil, nil, "its size in bytes is \(found)")
    case .shardDiffers(_, let field, let recorded, let found):
      (nil, nil, "its \(field) is \(found), not \(recorded)")
    case .shardChecksum(_, let recorded, let found):
      (nil, nil, "its checksum is \(XXHash.text(found)), not \(XXHash.text(recorded))")
    case .mdsDamaged(_, _, let byteOffset, let fault): (nil, byteOffset, fault.description)
    case .hashDiffers(_, let algorithm, let recorded, let found):
      (nil, nil, "its \(algorithm.rawValue) is \(found), not \(recorded)")
    case .foreignToken(_, _, let byteOffset, let token, let vocabularySize):
      (nil, byteOffset, "it holds the token \(token), the vocabulary has \(vocabularySize)")
    default: nil
    }
  }
}

// MARK: The file

extension Quarantine {
  /// What a file holds.
  private struct File: Codable {
    static let format = "headrace-quarantine"
    static let version = 1

    var format = File.format
    var version = File.version
    var entries: Quarantine
  }

  /// What is read before anything else.
  private struct Head: Codable {
    var format: String
    var version: Int
  }

  /// Writes the list durably, as JSON.
  ///
  /// - Parameter path: the file; what stood there is replaced when the new one is whole.
  /// - Throws: ``LoadingError/corpus(_:)`` if the file cannot be written.
  public func write(to path: String) throws(LoadingError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let bytes: [UInt8]
    do {
      bytes = Array(try encoder.encode(File(entries: self))) + [UInt8(ascii: "\n")]
    } catch {
      // Integers and strings always encode.
      preconditionFailure("a quarantine list did not encode: \(error)")
    }
    do throws(CorpusError) { try DurableFile.write(bytes, to: path) } catch {
      throw .corpus(error)
    }
  }

  /// Reads what ``write(to:)`` wrote.
  ///
  /// - Parameter path: the file.
  /// - Throws: ``LoadingError/quarantineDamaged(path:reason:)``, or ``LoadingError/corpus(_:)`` if
  ///   the file cannot be read.
  public init(at path: String) throws(LoadingError) {
    let bytes: [UInt8]
    do throws(CorpusError) {
      bytes = try FileReader.contents(of: path, limit: Self.fileByteLimit)
    } catch {
      throw .corpus(error)
    }
    do {
      let head = try JSONDecoder().decode(Head.self, from: Data(bytes))
      guard head.format == File.format, head.version == File.version else {
        throw LoadingError.quarantineDamaged(
          path: path, reason: "it is \(head.format) version \(head.version)")
      }
      self = try JSONDecoder().decode(File.self, from: Data(bytes)).entries
    } catch let error as LoadingError {
      throw error
    } catch {
      throw .quarantineDamaged(path: path, reason: "\(error)")
    }
    guard isSound else {
      throw .quarantineDamaged(path: path, reason: "its entries contradict each other")
    }
  }
}
