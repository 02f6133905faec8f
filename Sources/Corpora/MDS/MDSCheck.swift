/// Verifies an MDS shard, raw or compressed, in one piece.
///
/// 1. The stored file has the first of the recorded hashes that is known; where there is none, the
///   content of a compressed file has its hash, or its frames have the checksums that zstd wrote.
/// 2. The table of offsets, and the lengths, shapes and types of every sample fit each other.
/// 3. Every token is in the vocabulary, and there are as many as the index and the offsets said
///   when the corpus was opened.
///
/// A shard is noted with the first thing that is wrong with it: where its hash differs, nothing in
/// it can be trusted.
struct MDSCheck: ShardCheck {
  private let entry: MDSShardEntry
  private let layout: MDSLayout
  private let tokenizer: TokenizerDescription
  private let file: FileReader
  private let place: ShardPlace
  private let tokenCount: Int
  let isUnprotected: Bool
  let unknownHashes: [String]

  private static let bytesBetweenNews = 16 << 20

  init(
    _ entry: MDSShardEntry, column: MDSColumn, tokenizer: TokenizerDescription, folder: String,
    domain: String, tokenCount: Int, access: FileAccess
  ) throws(CorpusError) {
    self.entry = entry
    self.tokenizer = tokenizer
    self.tokenCount = tokenCount
    (file, place) = try entry.open(in: folder, domain: domain, access: access)
    layout = try MDSLayout(entry, column, path: place.path)
    isUnprotected = try !entry.isProtected(file)
    unknownHashes = entry.unknownHashes
  }

  var partCount: Int { 1 }

  func byteCount(ofPart part: Int) -> Int { 0 }

  func check(
    part: Int, with tools: CheckTools, into outcome: inout PartOutcome, advance: (Int) -> Void
  ) {
    do throws(CorpusError) {
      if try !entry.verifyHash(of: file, at: place), entry.compression != nil {
        try entry.verifyContent(of: file, at: place)
      }
      try checkTable()
      try readTokens(with: tools, advance: advance)
    } catch {
      outcome.note(error)
    }
  }

  /// Compares the offsets of a raw shard whose samples have one size: reading it needs none of
  /// them.
  private func checkTable() throws(CorpusError) {
    guard let size = layout.sampleByteCount, entry.compression == nil else { return }
    let atOnce = 1 << 14
    var first: Int?
    for begin in stride(from: 0, through: entry.sampleCount, by: atOnce) {
      let count = min(atOnce, entry.sampleCount + 1 - begin)
      let bytes = try file.bytes(at: 4 + 4 * begin, count: 4 * count)
      for place in 0..<count {
        let found = bytes.withUnsafeBytes {
          Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self)))
        }
        let expected = first.map { $0 + (begin + place) * size } ?? found
        first = first ?? found
        guard found == expected else {
          throw .mdsDamaged(
            self.place, sample: begin + place - 1, byteOffset: 4 + 4 * (begin + place),
            .offset(found: found, allowed: expected...expected))
        }
      }
    }
  }

  private func readTokens(with tools: CheckTools, advance: (Int) -> Void) throws(CorpusError) {
    let walker = MDSWalker()
    try walker.open(entry, layout, tokenizer, file: file, place: place)
    var (read, told) = (0, 0)
    while true {
      let count = try walker.read(into: tools.tokens, width: tools.tokenWidth)
      guard count > 0 else { break }
      read += count
      let news = walker.content.position - told
      guard news >= Self.bytesBetweenNews else { continue }
      told += news
      // The file's own bytes, in proportion.
      advance(
        Int(Double(news) * Double(file.byteCount) / Double(max(1, entry.rawByteCount))))
    }
    guard read == tokenCount else {
      throw .shardDiffers(
        place, field: "token count", recorded: UInt64(tokenCount), found: UInt64(read))
    }
  }
}
