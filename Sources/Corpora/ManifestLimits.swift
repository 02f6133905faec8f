/// The limits of what a manifest or a spec may say, in whatever format the shards are.
enum ManifestLimits {
  /// The most tokens that a shard may record.
  static let tokenLimit = 1 << 42
  /// The most bytes that a shard may have.
  private static let byteLimit = 1 << 46
  /// The most tokens, and the most bytes, that a corpus may record: what is added up from them fits
  /// an `Int`.
  private static let sumLimit = 1 << 60
  /// The most domains that apportionment keeps credits for.
  private static let domainLimit = 1 << 12
  /// Every token id is a number of type Int32, which batches may have.
  private static let vocabularyLimit = 1 << 31

  /// Checks the tokenizer and the names of the domains.
  static func check(
    _ tokenizer: TokenizerDescription, domains names: [String], path: String
  ) throws(CorpusError) {
    try expect(path, "vocabulary_size", tokenizer.vocabularySize, in: 1...vocabularyLimit)
    try expect(path, "end_of_text", tokenizer.endOfText, in: 0...(tokenizer.vocabularySize - 1))
    try expect(path, "number of domains", names.count, in: 1...domainLimit)
    var known: Set<String> = []
    for name in names {
      guard CorpusManifest.isPlainName(name), known.insert(name).inserted else {
        throw .manifestName(path: path, field: "domain name", name: name)
      }
    }
  }

  /// Checks what is recorded of a shard.
  static func check(_ shard: ShardDescription, path: String, mayBeEmpty: Bool = false)
    throws(CorpusError)
  {
    try expect(path, "token_count of \(shard.path)", shard.tokenCount, in: 0...tokenLimit)
    try expect(
      path, "document_count of \(shard.path)", shard.documentCount, in: 0...shard.tokenCount)
    try expect(
      path, "byte_count of \(shard.path)", shard.byteCount, in: (mayBeEmpty ? 0 : 1)...byteLimit)
  }

  /// Checks what the tokens, or the bytes, of all shards add up to.
  static func checkSum(_ sum: Int, path: String) throws(CorpusError) {
    try expect(path, "tokens or bytes in all shards", sum, in: 0...sumLimit)
  }

  static func expect(_ path: String, _ field: String, _ value: Int, in allowed: ClosedRange<Int>)
    throws(CorpusError)
  {
    guard allowed.contains(value) else {
      throw .manifestValue(path: path, field: field, value: value, allowed: allowed)
    }
  }
}
