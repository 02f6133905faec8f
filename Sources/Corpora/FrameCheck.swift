/// Verifies a native shard, frame by frame.
///
/// 1. The file opened, and its size, index checksum, token width, token and document counts are
///   those of the manifest; the index and the seek table are sound and agree.
/// 2. Each frame's compressed bytes have the hash of the index.
/// 3. Each frame decodes to exactly its recorded size, and libzstd finds its content checksum
///   right.
/// 4. The content has the checksum and the first token of the index.
/// 5. Every token is in the vocabulary.
/// 6. Each frame has as many end-of-text tokens as the index records documents that end in it; the
///   index's sum is the manifest's number of documents.
struct FrameCheck: ShardCheck {
  private let reader: ShardReader
  private let tokenizer: TokenizerDescription

  init(_ reader: ShardReader, tokenizer: TokenizerDescription) {
    self.reader = reader
    self.tokenizer = tokenizer
  }

  var partCount: Int { reader.index.frames.count }
  var hasFrames: Bool { true }
  var isUnprotected: Bool { false }

  func byteCount(ofPart part: Int) -> Int { reader.index.frames[part].byteCount }

  func check(
    part: Int, with tools: CheckTools, into outcome: inout PartOutcome, advance: (Int) -> Void
  ) {
    do throws(CorpusError) {
      try verify(part, with: tools)
    } catch {
      var finding = PartOutcome.Finding(error)
      (finding.frame, finding.byteOffset) = (part, reader.index.frames[part].byteOffset)
      outcome.note(finding)
    }
  }

  /// Reads a frame and compares it with everything that is recorded of it.
  private func verify(_ frame: Int, with tools: CheckTools) throws(CorpusError) {
    let entry = reader.index.frames[frame]
    let room = tools.room(forTokens: entry.tokenCount)
    try reader.decode(frame: frame, into: room, using: tools.decoder)
    let content = UnsafeRawBufferPointer(room)
    let checksum = UInt32(truncatingIfNeeded: XXHash.hash64(content))
    guard checksum == entry.checksum else {
      throw reader.damage(frame, .checksum(recorded: entry.checksum, found: checksum))
    }
    let scan =
      switch tools.tokenWidth {
      case .uint16: Self.scan(content.assumingMemoryBound(to: UInt16.self), tokenizer)
      case .uint32: Self.scan(content.assumingMemoryBound(to: UInt32.self), tokenizer)
      }
    if let position = scan.firstUnknown {
      let token = tools.tokenWidth.token(at: position, of: content)
      throw reader.damage(
        frame,
        .token(position: position, token: token, vocabularySize: tokenizer.vocabularySize))
    }
    guard scan.endOfTextCount == entry.documentCount else {
      throw reader.damage(
        frame, .documentCount(recorded: entry.documentCount, found: scan.endOfTextCount))
    }
  }

  /// Counts the end-of-text tokens, and finds the first token that the vocabulary does not have.
  private static func scan<Token: FixedWidthInteger & UnsignedInteger>(
    _ tokens: UnsafeBufferPointer<Token>, _ tokenizer: TokenizerDescription
  ) -> (endOfTextCount: Int, firstUnknown: Int?) {
    let last = Token(clamping: tokenizer.vocabularySize - 1)
    let endOfText = Token(clamping: tokenizer.endOfText)
    var count = 0
    var largest: Token = 0
    for token in tokens {
      let token = Token(littleEndian: token)
      count += token == endOfText ? 1 : 0
      largest = max(largest, token)
    }
    guard largest > last else { return (count, nil) }
    return (count, tokens.firstIndex { Token(littleEndian: $0) > last })
  }
}
