/// Where the tokens of a text file stand: between two tokens of one document.
///
/// It finds the place again without reading the file's beginning: the frame is where decoding
/// begins.
public struct TextCursor: Sendable, Equatable, Codable {
  /// The zstd frame in which the document's line begins; 0 in a file that is not compressed.
  public var frame = 0
  /// Where that frame begins in the file, in bytes.
  public var frameByteOffset = 0
  /// Where that frame begins in the text, in bytes.
  public var frameTextOffset = 0
  /// Where the document's line begins in the text, in bytes.
  public var textOffset = 0
  /// The lines before it.
  public var line = 0
  /// How many tokens of the document come before the place, its end-of-text included.
  public var token = 0

  /// The beginning of a file.
  public init() {}

  private enum CodingKeys: String, CodingKey {
    case frame, line, token
    case frameByteOffset = "frame_byte_offset"
    case frameTextOffset = "frame_text_offset"
    case textOffset = "text_offset"
  }

  /// A larger number is taken for damage; what is added to one that is not fits an `Int`.
  private static let limit = 1 << 60

  /// Whether no number is negative or beyond what any file has, and the line begins in the frame.
  package var isSound: Bool {
    [frame, frameByteOffset, frameTextOffset, textOffset, line, token].allSatisfy {
      (0...Self.limit).contains($0)
    } && textOffset >= frameTextOffset
  }
}

/// The tokens of a file of JSON lines, tokenized while they are read: each document's, and an
/// end-of-text after it.
///
/// 1. Blank lines and documents without text are passed over, as packing does.
/// 2. A line that is not what it must be is an error with file, line and byte; packing can skip
///   such lines, a stream does not.
/// 3. Memory is two lines and one frame at most, whatever the file's size.
/// 4. A frame that carries a checksum is verified before its text is handed out:
///   ``VerifiedFrameFeed``.
package final class TextTokenStream: TokenStream {
  package let place: ShardPlace
  package let fileVersion: FileVersion

  private let path: String
  private let feed: any TextFeed
  private var lines: LineReader
  private var scanner: JSONLineScanner
  private let tokenizer: any Tokenizer
  /// Whether tokens are the text's own bytes, which need not be made.
  private let takesBytes: Bool

  /// The text of the document, where tokens are its bytes; good until the next line is read.
  private var text = UnsafeRawBufferPointer(start: nil, count: 0)
  /// The tokens of the document, where they are not, without end-of-text.
  private var tokens: [UInt32] = []
  /// The document's tokens, end-of-text included; 0 before the first document.
  private var documentTokenCount = 0
  private var givenCount = 0
  /// Where the document's line begins, in the text.
  private var lineOffset: Int
  /// The lines before it.
  private var lineIndex: Int
  private var passedLineCount: Int

  /// The longest line that is read, in bytes.
  static let lineByteLimit = 16 << 20

  /// Opens the file at `path`, which is zstd-compressed if its name ends in `.zst`.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - domain: The domain's name, for errors.
  ///   - field: The name of the field that holds the text.
  ///   - tokenizer: What makes tokens of the text.
  ///   - cursor: Where to begin.
  ///   - byteCount: The size that the file must have; nil for any.
  ///   - access: How files are read.
  ///   - activity: What is told of every read; nil for nothing.
  ///   - workspace: What compressed text is decoded with; no other stream uses it meanwhile.
  /// - Throws: ``CorpusError`` if the file does not open, or is not the one of the cursor.
  package init(
    path: String, domain: String, field: String, tokenizer: any Tokenizer,
    from cursor: TextCursor = TextCursor(), byteCount: Int? = nil, access: FileAccess = .direct,
    activity: ReadActivity? = nil, workspace: TextWorkspace = TextWorkspace()
  ) throws(CorpusError) {
    place = ShardPlace(domain: domain, path: path)
    self.path = path
    self.tokenizer = tokenizer
    takesBytes = tokenizer is BytesTokenizer
    let file = try FileReader(path: path, access: access, activity: activity)
    fileVersion = file.version
    if let byteCount, byteCount != file.byteCount {
      throw .shardDiffers(
        place, field: "size in bytes", recorded: UInt64(clamping: byteCount),
        found: UInt64(file.byteCount))
    }
    let isCompressed = path.hasSuffix(".zst")
    let byteOffset = isCompressed ? cursor.frameByteOffset : cursor.textOffset
    let namesFrame = [cursor.frame, cursor.frameByteOffset, cursor.frameTextOffset] != [0, 0, 0]
    guard cursor.isSound, byteOffset <= file.byteCount, isCompressed || !namesFrame else {
      throw .endsEarly(
        path: path, byteOffset: byteOffset, byteCount: 1, fileByteCount: file.byteCount)
    }
    if isCompressed {
      feed = try VerifiedFrameFeed(
        file,
        from: TextFrame(
          index: cursor.frame, byteOffset: cursor.frameByteOffset,
          textOffset: cursor.frameTextOffset), workspace: workspace)
      try Self.skip(cursor.textOffset - cursor.frameTextOffset, of: feed)
    } else {
      feed = PlainFeed(file, from: cursor.textOffset)
    }
    lines = LineReader(
      feed, textOffset: cursor.textOffset, limit: Self.lineByteLimit,
      allowance: LargeDocumentAllowance(count: 1))
    scanner = JSONLineScanner(field: field)
    lineOffset = cursor.textOffset
    lineIndex = cursor.line
    passedLineCount = cursor.line
    if cursor.token > 0 {
      guard try nextDocument(), cursor.token <= documentTokenCount,
        lineOffset == cursor.textOffset
      else {
        throw .shardDiffers(
          place, field: "tokens of the document at byte \(cursor.textOffset) of the text",
          recorded: UInt64(clamping: cursor.token), found: UInt64(documentTokenCount))
      }
      givenCount = cursor.token
    }
  }

  /// Passes over what is left of a document, and over the next one whole.
  ///
  /// After ``CorpusError/document(_:at:)`` it may be called again: the line is left out.
  ///
  /// - Returns: The document's tokens, its end-of-text included; nil at the end of the file.
  func passDocument() throws(CorpusError) -> Int? {
    guard try nextDocument() else { return nil }
    givenCount = documentTokenCount
    return documentTokenCount
  }

  /// How many bytes of the file have been read.
  var fileByteCount: Int { feed.fileByteCount }

  /// The place before the next token.
  package var cursor: TextCursor {
    let frame = feed.frame(at: lineOffset) ?? TextFrame()
    var cursor = TextCursor()
    cursor.frame = frame.index
    cursor.frameByteOffset = frame.byteOffset
    cursor.frameTextOffset = frame.textOffset
    cursor.textOffset = lineOffset
    cursor.line = lineIndex
    cursor.token = givenCount
    return cursor
  }

  /// Nothing is recorded of text.
  package func verify() {}

  package func skip(_ tokenCount: Int) throws(CorpusError) {
    var left = tokenCount
    while left > 0 {
      if givenCount == documentTokenCount, try !nextDocument() {
        throw .shardDiffers(
          place, field: "number of tokens", recorded: UInt64(tokenCount),
          found: UInt64(tokenCount - left))
      }
      let taken = min(left, documentTokenCount - givenCount)
      givenCount += taken
      left -= taken
    }
  }

  package func read(into memory: UnsafeMutableRawBufferPointer, width: TokenWidth)
    throws(CorpusError) -> Int
  {
    switch width {
    case .uint16: try read(into: memory.bindMemory(to: UInt16.self))
    case .uint32: try read(into: memory.bindMemory(to: UInt32.self))
    }
  }

  private func read<Token: FixedWidthInteger>(into memory: UnsafeMutableBufferPointer<Token>)
    throws(CorpusError) -> Int
  {
    var count = 0
    while count < memory.count {
      if givenCount == documentTokenCount, try !nextDocument() { return count }
      let taken = min(memory.count - count, documentTokenCount - givenCount)
      give(taken, to: UnsafeMutableBufferPointer(rebasing: memory[count..<count + taken]))
      count += taken
    }
    return count
  }

  /// Writes the next tokens of the document.
  private func give<Token: FixedWidthInteger>(
    _ count: Int, to memory: UnsafeMutableBufferPointer<Token>
  ) {
    let plain = min(count, documentTokenCount - 1 - givenCount)
    if takesBytes {
      let bytes = UnsafeRawBufferPointer(rebasing: text[givenCount..<givenCount + plain])
      for index in 0..<plain {
        memory[index] = Token(truncatingIfNeeded: bytes[index]).littleEndian
      }
    } else {
      tokens.withUnsafeBufferPointer { tokens in
        for index in 0..<plain {
          memory[index] = Token(truncatingIfNeeded: tokens[givenCount + index]).littleEndian
        }
      }
    }
    if plain < count {
      memory[plain] = Token(truncatingIfNeeded: tokenizer.endOfText).littleEndian
    }
    givenCount += count
  }

  /// Reads the next document that has text; false at the end of the file.
  private func nextDocument() throws(CorpusError) -> Bool {
    while true {
      switch try lines.next() {
      case .end: return false
      case .tooLong(let byteOffset):
        throw fault(.tooLong(limit: Self.lineByteLimit), byteOffset: byteOffset)
      case .line(let line, let byteOffset):
        passedLineCount += 1
        if JSONLineScanner.isBlank(line) { continue }
        do throws(DocumentFailure) {
          text = try scanner.text(of: line)
        } catch {
          throw fault(error.fault, byteOffset: byteOffset + error.byteOffset)
        }
        if text.isEmpty { continue }
        lineOffset = byteOffset
        lineIndex = passedLineCount - 1
        givenCount = 0
        try tokenize()
        return true
      }
    }
  }

  private func tokenize() throws(CorpusError) {
    if takesBytes {
      documentTokenCount = text.count + 1
      return
    }
    tokens.removeAll(keepingCapacity: true)
    tokenizer.encode(text.bindMemory(to: UInt8.self).span, into: &tokens)
    documentTokenCount = tokens.count + 1
    let limit = tokenizer.vocabularySize
    if let wrong = tokens.first(where: { Int($0) >= limit || $0 == tokenizer.endOfText }) {
      throw .packing(
        .token(tokenizer: tokenizer.name, token: wrong, at: textPlace(byteOffset: lineOffset)))
    }
  }

  private func fault(_ fault: DocumentFault, byteOffset: Int) -> CorpusError {
    .document(fault, at: textPlace(byteOffset: byteOffset))
  }

  private func textPlace(byteOffset: Int) -> TextPlace {
    TextPlace(
      path: path, line: passedLineCount, byteOffset: byteOffset,
      frame: feed.frame(at: byteOffset)?.index)
  }

  /// Decodes and forgets the text before a cursor.
  private static func skip(_ byteCount: Int, of feed: any TextFeed) throws(CorpusError) {
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    defer { scratch.deallocate() }
    var left = byteCount
    while left > 0 {
      let count = try feed.read(
        into: UnsafeMutableRawBufferPointer(rebasing: scratch[..<min(left, scratch.count)]))
      guard count > 0 else {
        throw .textFrame(
          .endsInside, path: feed.path, frame: feed.frame(at: .max)?.index ?? 0,
          byteOffset: feed.fileByteCount)
      }
      left -= count
    }
  }
}
