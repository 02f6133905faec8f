/// What the threads that read raw MDS shards work with: as many buffers as threads read at once.
package final class MDSWorkspaces: Sendable {
  private let free = Locked<[MDSWalker]>([])

  /// Creates a store, which shards may share.
  package init() {}

  func use<Value>(_ body: (MDSWalker) throws(CorpusError) -> Value) throws(CorpusError) -> Value {
    let walker = free.withLock { $0.popLast() } ?? MDSWalker()
    defer {
      walker.close()
      free.withLock { $0.append(walker) }
    }
    return try body(walker)
  }
}

/// An open MDS shard that is not compressed.
///
/// Besides the open file it keeps nothing where every sample has as many tokens, else 16 bytes for
/// every 64 KiB of samples: the places from which it walks through the file's own offsets.
package final class MDSShard: TokenShard {
  package let place: ShardPlace
  /// How many tokens it has, the end-of-texts that the sample rule adds included.
  package let tokenCount: Int

  private let entry: MDSShardEntry
  private let layout: MDSLayout
  private let tokenizer: TokenizerDescription
  private let file: FileReader
  private let workspaces: MDSWorkspaces
  private let firstOffset: Int
  private let scan: MDSWalker.Scan

  private static let bytesBetweenMarks = 1 << 16

  /// Opens the shard that `entry` describes.
  ///
  /// `folder` is the one that was read for `entry`. A token that the vocabulary does not have is an
  /// error when it is read.
  /// Shards that the same threads read share their `workspaces`.
  ///
  /// - Precondition: The shard is not compressed.
  package init(
    _ entry: MDSShardEntry, column: MDSColumn, tokenizer: TokenizerDescription, folder: String,
    domain: String, workspaces: MDSWorkspaces = MDSWorkspaces(), access: FileAccess = .direct
  ) throws(CorpusError) {
    precondition(entry.compression == nil, "\(entry.path) is compressed: read it as a stream")
    self.entry = entry
    self.tokenizer = tokenizer
    self.workspaces = workspaces
    let (file, place) = try entry.open(in: folder, domain: domain, access: access)
    let layout = try MDSLayout(entry, column, path: place.path)
    (self.file, self.place, self.layout) = (file, place, layout)
    (firstOffset, scan) = try workspaces.use { walker throws(CorpusError) in
      try walker.open(entry, layout, tokenizer, file: file, place: place)
      if let scan = entry.scan(layout) { return (walker.firstOffset, scan) }
      return (
        walker.firstOffset, try walker.scan(layout, markingEvery: Self.bytesBetweenMarks)
      )
    }
    tokenCount = scan.tokenCount
  }

  package var fileVersion: FileVersion { file.version }

  package func verify(_ activity: ReadActivity? = nil) throws(CorpusError) {
    try entry.verifyHash(of: file, at: place, activity)
  }

  package func read(
    _ range: Range<Int>, into memory: UnsafeMutableRawBufferPointer, width: TokenWidth
  ) throws(CorpusError) {
    precondition(
      0 <= range.lowerBound && range.upperBound <= tokenCount
        && memory.count == range.count * width.byteCount,
      "\(range) of \(tokenCount) tokens do not go into \(memory.count) bytes")
    guard !range.isEmpty else { return }
    if try readBare(range, into: memory, width: width) { return }
    let (sample, first) = sample(holding: range.lowerBound)
    let written = try workspaces.use { walker throws(CorpusError) in
      try walker.open(
        entry, layout, tokenizer, file: file, place: place, at: sample, firstOffset: firstOffset,
        trustsSizes: scan.trustsSizes)
      try walker.skip(range.lowerBound - first)
      return try walker.read(into: memory, width: width)
    }
    guard written == range.count else {
      throw .shardDiffers(
        place, field: "token count", recorded: UInt64(tokenCount),
        found: UInt64(range.lowerBound + written))
    }
  }

  /// Reads tokens that lie side by side in the file, as they will in memory.
  ///
  /// - Returns: false where they do not.
  private func readBare(
    _ range: Range<Int>, into memory: UnsafeMutableRawBufferPointer, width: TokenWidth
  ) throws(CorpusError) -> Bool {
    guard layout.isBare, layout.samples != .joinedWithEndOfText, let type = layout.type,
      type.byteCount == width.byteCount, let base = memory.baseAddress
    else { return false }
    let byteOffset = firstOffset + range.lowerBound * type.byteCount
    try file.read(into: memory, at: byteOffset)
    let unknown = type.convert(
      base, count: range.count, into: base, width: width,
      vocabularySize: tokenizer.vocabularySize)
    if let unknown {
      throw .foreignToken(
        place, sample: (range.lowerBound + unknown) * type.byteCount / layout.fixedByteCount,
        byteOffset: byteOffset + unknown * type.byteCount,
        token: type.value(at: unknown, of: base), vocabularySize: tokenizer.vocabularySize)
    }
    return true
  }

  /// A sample at or before the one that holds a token, and the sample's first token.
  private func sample(holding token: Int) -> (sample: Int, first: Int) {
    if let tokensPerSample = scan.sampleTokenCount {
      let count = tokensPerSample + (layout.samples == .joinedWithEndOfText ? 1 : 0)
      return count > 0 ? (token / count, token / count * count) : (0, 0)
    }
    var (low, high) = (0, scan.marks.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if scan.marks[middle].token <= token { low = middle } else { high = middle }
    }
    return (Int(scan.marks[low].sample), Int(scan.marks[low].token))
  }
}
