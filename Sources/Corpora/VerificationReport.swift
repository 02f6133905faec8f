/// What a verification found: per domain and split how much is there and how much of it is whole,
/// and every fault.
public struct VerificationReport: Sendable {
  /// The splits that were verified, in the corpus's order of domains.
  public internal(set) var splits: [SplitCount]
  /// Every fault, in the order of domains, splits, shards and frames.
  public internal(set) var faults: [Fault]

  /// Whether nothing was found wrong.
  public var isClean: Bool { faults.isEmpty }

  /// One split of one domain: what the manifest records, and how much of it was found whole.
  public struct SplitCount: Sendable, Equatable {
    /// The domain's name.
    public let domain: String
    /// The split.
    public let split: Split
    /// The shards that the manifest records.
    public let shardCount: Int
    /// The documents that the manifest records.
    public let documentCount: Int
    /// The tokens that the manifest records.
    public let tokenCount: Int
    /// The size of the shards in bytes, as the manifest records it.
    public let byteCount: Int
    /// The frames that so many tokens take.
    public let frameCount: Int
    /// The frames that were read and found whole.
    public internal(set) var wholeFrameCount = 0
    /// The faults.
    public internal(set) var faultCount = 0
  }

  /// One thing that is wrong, and where.
  public struct Fault: Sendable {
    /// The domain's name.
    public let domain: String
    /// The split.
    public let split: Split
    /// The shard's path below the corpus folder.
    public let shard: String
    /// The frame, counted from 0; nil if the shard as a whole is wrong.
    public let frame: Int?
    /// Where in the shard's file the frame begins, or the damage lies, in bytes; nil if it has no
    /// place.
    public let byteOffset: Int?
    /// What was found.
    public let error: CorpusError
  }
}

extension VerificationReport.Fault: CustomStringConvertible {
  /// The place and what is wrong there, in one line.
  public var description: String {
    var place = "domain \(domain), shard \(shard)"
    if let frame { place += ", frame \(frame)" }
    if let byteOffset { place += ", byte \(byteOffset)" }
    return "\(place): \(reason)"
  }

  /// What is wrong, without the place.
  public var reason: String {
    switch error {
    case .frameDamaged(_, _, _, let fault): fault.description
    case .indexDamaged(_, _, let fault):
      "the index is damaged, so no frame was read: \(fault)"
    case .shardDiffers(_, "checksum", let recorded, let found):
      "the index has the checksum \(XXHash.text(found)), the manifest records "
        + "\(XXHash.text(recorded)): it is another shard, and no frame was read"
    case .shardDiffers(_, let field, let recorded, let found):
      "its \(field) is \(found), the manifest records \(recorded); no frame was read"
    default: error.description
    }
  }
}

/// How far a verification has come.
public struct VerificationProgress: Sendable, Equatable {
  /// The bytes of shards that were looked at.
  public internal(set) var byteCount = 0
  /// The bytes of all shards that will be.
  public internal(set) var totalByteCount = 0
  /// The faults so far.
  public internal(set) var faultCount = 0
  /// The domain that was read last.
  public internal(set) var domain = ""
}
