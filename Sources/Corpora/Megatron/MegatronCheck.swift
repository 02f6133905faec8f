/// Verifies a Megatron shard: its index, then its tokens in pieces.
///
/// 1. The index is read anew: sequences lie end to end, documents begin in order, the `.bin` file
///   has the size that follows. It must be the one that was read when the corpus was opened.
/// 2. Every token is in the vocabulary. Of a piece of 2^18 tokens the first is named that is not.
///
/// The format records no hash: other tokens of the vocabulary are not found out.
struct MegatronCheck: ShardCheck {
  private let shard: MegatronShard
  private let prefix: String
  private let access: FileAccess

  init(
    prefix: String, index: MegatronIndex, tokenizer: TokenizerDescription, domain: String,
    access: FileAccess
  ) throws(CorpusError) {
    self.prefix = prefix
    self.access = access
    shard = try MegatronShard(
      prefix: prefix, index: index, tokenizer: tokenizer, domain: domain, access: access)
  }

  /// The index, and the pieces of the `.bin` file.
  var partCount: Int { 1 + (shard.index.tokenCount + tokensPerFrame - 1) / tokensPerFrame }
  var isUnprotected: Bool { true }

  func byteCount(ofPart part: Int) -> Int {
    tokens(ofPart: part).count * shard.index.type.byteCount
  }

  private func tokens(ofPart part: Int) -> Range<Int> {
    guard part > 0 else { return 0..<0 }
    return (part - 1) * tokensPerFrame..<min(part * tokensPerFrame, shard.index.tokenCount)
  }

  func check(
    part: Int, with tools: CheckTools, into outcome: inout PartOutcome, advance: (Int) -> Void
  ) {
    do throws(CorpusError) {
      guard part == 0 else {
        let tokens = tokens(ofPart: part)
        return try shard.read(
          tokens, into: tools.room(forTokens: tokens.count), width: tools.tokenWidth)
      }
      let found = try MegatronIndex.read(
        prefix: prefix, domain: shard.place.domain, access: access)
      guard found == shard.index else {
        throw .shardDiffers(
          ShardPlace(domain: shard.place.domain, path: prefix + ".idx"), field: "checksum",
          recorded: shard.index.checksum, found: found.checksum)
      }
    } catch {
      outcome.note(error)
    }
  }
}
