/// Why a corpus was not written in another format.
public enum ExportFault: Sendable, Equatable {
  /// Something stands where the export is to be written.
  case outputExists(path: String)
  /// An earlier export did not come to its end.
  case unfinished(path: String)
  /// A domain's shards are not native ones, which alone are exported.
  case notNative(domain: String)
  /// The integers do not hold the vocabulary.
  case tokenType(StoredTokenType, vocabularySize: Int)
  /// An option lies outside what is allowed.
  case option(name: String, value: Int, allowed: ClosedRange<Int>)
  /// A sample does not fit a shard, whose offsets have 32 bits.
  case sampleTooLarge(path: String, sample: Int, limit: Int)
  /// A document has more tokens than are held in memory.
  case documentTooLarge(ShardPlace, tokenCount: Int)
}

extension ExportFault: CustomStringConvertible {
  /// What happened, where, and what to do about it.
  public var description: String {
    switch self {
    case .outputExists(let path):
      "\(path) exists, and nothing is written over. Remove it or name another folder."
    case .unfinished(let path):
      "\(path) was left by an export that did not come to its end. Remove it, then run the same "
        + "command again."
    case .notNative(let domain):
      "the shards of domain \(domain) are another program's, and native ones alone are exported. "
        + "Name the other domains with --domain, or pack the domain's text first (headrace pack)."
    case .tokenType(let type, let vocabularySize):
      "\(type.rawValue) does not hold the ids of a vocabulary of \(vocabularySize). Take int32."
    case .option(let name, let value, let allowed):
      "\(name) is \(value), but must lie in \(allowed.lowerBound)…\(allowed.upperBound)."
    case .sampleTooLarge(let path, let sample, let limit):
      "sample \(sample) of \(path) makes a shard of more than \(limit) bytes, which the format "
        + "does not have. Export sequences in place of documents."
    case .documentTooLarge(let place, let tokenCount):
      "\(place): a document has more than \(tokenCount) tokens. Export sequences in place of "
        + "documents."
    }
  }
}
