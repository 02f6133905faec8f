internal import Corpora
public import Loading

/// What a run does about damaged frames, as its configuration records it.
public struct QuarantineSettings: Sendable, Equatable {
  /// What happens when a row meets a damaged frame.
  public var rule: QuarantineRule
  /// The frames that are skipped from the beginning, of both splits: the list itself and not its
  /// file, so that the run folder is complete by itself.
  public var list: Quarantine

  /// Creates settings; the default ones end a run at the first damage.
  public init(rule: QuarantineRule = .off, list: Quarantine = Quarantine()) {
    self.rule = rule
    self.list = list
  }
}

extension QuarantineSettings: Codable {
  private enum CodingKeys: CodingKey {
    case rule, list
  }

  /// An entry of the list, by keys that follow ``RunJSON``; an entry's own are those of a ledger.
  private struct Entry: Codable {
    var domain: String
    var fingerprint: String
    var split: Split
    var shard: String
    var shardIndex: Int
    var frame: Int?
    var byteOffset: Int?
    var reason: String
  }

  /// Reads rule and list.
  ///
  /// - Parameter decoder: holds both.
  /// - Throws: `DecodingError`, also for entries outside of their limits.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    rule = try container.decode(QuarantineRule.self, forKey: .rule)
    list = Quarantine(
      try container.decode([Entry].self, forKey: .list).map {
        Quarantine.Entry(
          domain: $0.domain, fingerprint: $0.fingerprint, split: $0.split, shard: $0.shard,
          shardIndex: $0.shardIndex, frame: $0.frame, byteOffset: $0.byteOffset, reason: $0.reason)
      })
    guard list.isSound else {
      throw DecodingError.dataCorruptedError(
        forKey: .list, in: container, debugDescription: "its entries lie outside of their limits")
    }
  }

  /// Writes rule and list.
  ///
  /// - Parameter encoder: takes both.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(rule, forKey: .rule)
    try container.encode(
      list.entries.map {
        Entry(
          domain: $0.domain, fingerprint: $0.fingerprint, split: $0.split, shard: $0.shard,
          shardIndex: $0.shardIndex, frame: $0.frame, byteOffset: $0.byteOffset, reason: $0.reason)
      }, forKey: .list)
  }
}
