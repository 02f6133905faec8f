/// What a verification found: per domain and split how much is there and how much of it is whole,
/// and every fault.
public struct VerificationReport: Sendable {
  /// The splits that were verified, in the corpus's order of domains.
  public internal(set) var splits: [SplitCount]
  /// The faults, in the order of domains, splits, shards and places in them.
  ///
  /// Of native shards all are there, of others the first ``faultLimit`` of each.
  public internal(set) var faults: [Fault]

  /// The faults that are listed of a shard without frames; ``SplitCount/faultCount`` counts the
  /// others too.
  public static let faultLimit = 100

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
    /// The format.
    public let format: DomainFormat
    /// The documents that the manifest or the indexes record; of text those that were read.
    public internal(set) var documentCount: Int
    /// The tokens that the manifest or the indexes record; of text those that were read.
    public internal(set) var tokenCount: Int
    /// The size of the shards in bytes, as it is recorded.
    public let byteCount: Int
    /// The frames that so many tokens take; of a format without frames the shards.
    public let frameCount: Int
    /// The frames, or the shards, that were read and found whole.
    public internal(set) var wholeFrameCount = 0
    /// The faults.
    public internal(set) var faultCount = 0
    /// The shards with neither a hash nor a checksum: of damage in them only what breaks a rule of
    /// their format was found.
    public internal(set) var unprotectedShardCount = 0

    /// The algorithms, sorted, of the hashes of shards that record only hashes which this program
    /// does not compute: nothing was compared with them.
    public internal(set) var unknownHashes: [String] = []

    init(_ domain: Domain, split: Split, shards: [ShardDescription]) {
      self.domain = domain.name
      self.split = split
      shardCount = shards.count
      format = domain.format
      documentCount = domain.documentCount(of: split)
      tokenCount = domain.tokenCount(of: split)
      byteCount = domain.byteCount(of: split)
      frameCount =
        domain.format == .native
        ? shards.reduce(0) { $0 + ($1.tokenCount + tokensPerFrame - 1) / tokensPerFrame }
        : shards.count
    }

    mutating func add(_ outcome: PartOutcome) {
      documentCount += outcome.documentCount
      tokenCount += outcome.tokenCount
    }

    /// An index may name as many as it likes.
    private static let namedHashLimit = 16

    mutating func add(unknownHashes names: [String]) {
      guard !names.isEmpty else { return }
      unknownHashes = Array(
        Set(unknownHashes + names).sorted().prefix(Self.namedHashLimit))
    }

    /// What the user should know of shards in which damage may not have been found; nil if there
    /// are none.
    public var note: String? {
      var notes: [String] = []
      if !unknownHashes.isEmpty {
        notes.append(
          "hashes of shards of domain \(domain), \(split.rawValue), that were not compared, as this "
            + "program does not compute them: \(unknownHashes.joined(separator: ", ")). It "
            + "computes \(HashAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")).")
      }
      if unprotectedShardCount > 0 {
        let kind = unknownHashes.isEmpty ? "hash" : "known hash"
        notes.append(
          "shards of domain \(domain), \(split.rawValue), without \(kind) or checksum: "
            + "\(unprotectedShardCount) of \(shardCount). Damage in them that leaves a sound file "
            + "was not found. Pack the domain's text with `headrace pack`, or write its shards "
            + "again with hashes.")
      }
      return notes.isEmpty ? nil : notes.joined(separator: " ")
    }
  }

  /// One thing that is wrong, and where.
  public struct Fault: Sendable {
    /// The domain's name.
    public let domain: String
    /// The split.
    public let split: Split
    /// The shard's path, below the corpus folder unless it is absolute.
    public let shard: String
    /// The frame, counted from 0; nil if the shard as a whole is wrong.
    public let frame: Int?
    /// Where in the shard's file the frame begins, or the damage lies, in bytes; nil if it has no
    /// place.
    public let byteOffset: Int?
    /// The sample, counted from 0, in a format that has samples.
    public let sample: Int?
    /// The line, counted from 1, of a file of JSON lines.
    public let line: Int?
    /// What was found.
    public let error: CorpusError
  }
}

extension VerificationReport.Fault: CustomStringConvertible {
  /// The place and what is wrong there, in one line.
  public var description: String {
    var place = "domain \(domain), shard \(shard)"
    if let frame { place += ", frame \(frame)" }
    if let sample { place += ", sample \(sample)" }
    if let line { place += ", line \(line)" }
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
    case .mdsDamaged(_, _, _, let fault): fault.description
    case .megatronDamaged(_, _, let fault): "the index is damaged: \(fault)"
    case .hashDiffers(_, let algorithm, let recorded, let found):
      "its \(algorithm.rawValue) is \(found), not \(recorded) as its index records"
    case .foreignToken(_, _, _, let token, let vocabularySize):
      "its token is \(token), which a vocabulary of \(vocabularySize) does not have"
    case .document(let fault, _): fault.description
    case .packing(.token(let tokenizer, let token, _)):
      PackingFault.foreign(token, of: tokenizer)
    case .textFrame(let fault, _, _, _): "\(fault); the rest of the file was not read"
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
