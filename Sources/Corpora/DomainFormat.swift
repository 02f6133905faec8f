/// How the tokens of a domain lie on disk.
public enum DomainFormat: Sendable, Equatable {
  /// Headrace's own token shards, read by frames.
  case native
  /// MosaicML's MDS, version 2: raw shards are read by ranges, compressed ones as streams.
  case mds(MDSColumn)
  /// Megatron's `.bin` and `.idx`, read by ranges.
  case megatron
  /// Lines of JSON, plain or in zstd frames, tokenized while they are read as a stream.
  case jsonLines(field: String)
}

/// Where the tokens of an MDS shard are, and what its samples mean.
public struct MDSColumn: Sendable, Equatable {
  /// The column's name.
  public var name: String
  /// The integers that a `bytes` column holds, which nothing in the shard says; nil where the
  /// column's encoding says it.
  public var storedType: StoredTokenType?
  /// How samples become sequences.
  public var samples: SampleRule

  /// Names a column.
  public init(name: String, storedType: StoredTokenType? = nil, samples: SampleRule = .joined) {
    self.name = name
    self.storedType = storedType
    self.samples = samples
  }
}

/// How the samples of a shard become sequences.
public enum SampleRule: String, Sendable, Codable, CaseIterable {
  /// Samples are laid end to end as they are.
  case joined
  /// Each sample is a document: samples are laid end to end, each with an end-of-text after it.
  case joinedWithEndOfText = "joined-with-end-of-text"
  /// Each sample is a sequence of T + 1 tokens.
  case sequences
}

/// The integers as which another program stored tokens, little-endian.
public enum StoredTokenType: String, Sendable, Codable, CaseIterable {
  case uint8, int8, uint16, int16, uint32, int32, uint64, int64

  /// The size of one token in bytes.
  public var byteCount: Int {
    switch self {
    case .uint8, .int8: 1
    case .uint16, .int16: 2
    case .uint32, .int32: 4
    case .uint64, .int64: 8
    }
  }
}
