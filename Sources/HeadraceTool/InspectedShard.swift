internal import Corpora

/// What `headrace inspect` says of one shard.
struct InspectedShard: Encodable, CustomStringConvertible {
  struct Frame: Encodable {
    let byteOffset: Int
    let byteCount: Int
    let tokenCount: Int
    /// The documents that end in the frame.
    let documentCount: Int
    let firstToken: UInt32
    let checksum: String
    let hash: String
  }

  /// The first tokens of one frame.
  struct Excerpt: Encodable {
    let frame: Int
    let tokens: [UInt32]
    /// The tokens as text, where the tokenizer is known.
    let text: String?
  }

  let kind = "shard"
  let path: String
  let tokenCount: Int
  let documentCount: Int
  let tokenWidthBits: Int
  let frameCount: Int
  let byteCount: Int
  let bytesPerToken: Double
  let checksum: String
  let frames: [Frame]?
  let excerpt: Excerpt?

  init(path: String, showsFrames: Bool, frame: Int, tokenLimit: Int?, tokenizer: String?) throws {
    // A shard alone does not say which domain it belongs to; errors name the folder it lies in.
    let folders = path.split(separator: "/").dropLast()
    let domain = folders.last.map(String.init) ?? "of this folder"
    let file = try FileReader(path: path)
    let (index, checksum) = try ShardIndex.read(from: file, domain: domain)
    self.path = path
    tokenCount = index.tokenCount
    documentCount = index.documentCount
    tokenWidthBits = 8 * index.tokenWidth.byteCount
    frameCount = index.frames.count
    byteCount = file.byteCount
    bytesPerToken = Double(file.byteCount) / Double(max(1, index.tokenCount))
    self.checksum = XXHash.text(checksum)
    frames = showsFrames ? index.frames.map(Self.frame) : nil
    guard let tokenLimit else {
      excerpt = nil
      return
    }
    guard frame < index.frames.count else {
      throw ToolFailure(
        "\(path) has \(NumberText.counted(index.frames.count, "frame")), counted from 0; there is "
          + "no frame \(frame).")
    }
    let description = ShardDescription(
      path: path, tokenCount: index.tokenCount, documentCount: index.documentCount,
      byteCount: file.byteCount, checksum: checksum)
    let reader = try ShardReader(
      path: path, domain: domain, description: description, tokenWidth: index.tokenWidth)
    let tokens = try Self.tokens(of: reader, frame: frame, limit: tokenLimit)
    let name = tokenizer ?? Self.tokenizerOfCorpus(around: path)
    excerpt = Excerpt(
      frame: frame, tokens: tokens, text: name == "bytes" ? Self.text(ofBytes: tokens) : nil)
  }

  private static func frame(_ entry: FrameEntry) -> Frame {
    let checksum = String(entry.checksum, radix: 16)
    return Frame(
      byteOffset: entry.byteOffset, byteCount: entry.byteCount, tokenCount: entry.tokenCount,
      documentCount: entry.documentCount, firstToken: entry.firstToken,
      checksum: String(repeating: "0", count: 8 - checksum.count) + checksum,
      hash: XXHash.text(entry.hash))
  }

  private static func tokens(of reader: ShardReader, frame: Int, limit: Int) throws -> [UInt32] {
    let (entry, width) = (reader.index.frames[frame], reader.index.tokenWidth)
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: entry.tokenCount * width.byteCount, alignment: 64)
    defer { bytes.deallocate() }
    try reader.decode(
      frame: frame, into: bytes, using: try FrameDecoder(verifiesContent: true))
    let content = UnsafeRawBufferPointer(bytes)
    return (0..<min(limit, entry.tokenCount)).map { width.token(at: $0, of: content) }
  }

  /// The name of the tokenizer in the `corpus.json` of the folders above, if there is one.
  private static func tokenizerOfCorpus(around path: String) -> String? {
    var folder = path
    for _ in 0..<3 {
      guard let slash = folder.lastIndex(of: "/") else { folder = "."; continue }
      folder = String(folder[..<slash])
      if let corpus = try? Corpus(at: folder) { return corpus.tokenizer.name }
    }
    return nil
  }

  /// The text of byte tokens; what is no byte is the end of a document.
  ///
  /// Control characters but line feeds and tabs are shown as the picture of themselves, so that no
  /// text changes the terminal.
  private static func text(ofBytes tokens: [UInt32]) -> String {
    let documents = tokens.split(separator: 256, omittingEmptySubsequences: false).map { bytes in
      let text = String(decoding: bytes.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
      return String(String.UnicodeScalarView(text.unicodeScalars.map(picture)))
    }
    return documents.joined(separator: "\n<end of text>\n")
  }

  private static func picture(of scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    case 9, 10: scalar
    case 0..<32: Unicode.Scalar(0x2400 + scalar.value) ?? scalar
    case 127..<160: "\u{FFFD}"
    default: scalar
    }
  }

  var description: String {
    var parts = [
      TextTable(facts: [
        ("shard", path),
        ("tokens", "\(NumberText.grouped(tokenCount)) of \(tokenWidthBits) bits"),
        ("documents", NumberText.grouped(documentCount)),
        ("frames", NumberText.grouped(frameCount)),
        (
          "bytes",
          "\(NumberText.grouped(byteCount)), \(NumberText.fixed(bytesPerToken, digits: 3)) per token"
        ),
        ("checksum", checksum),
      ]).text
    ]
    if let frames { parts.append(Self.table(of: frames).text) }
    if let excerpt {
      parts.append(
        "the first \(NumberText.counted(excerpt.tokens.count, "token")) of frame \(excerpt.frame):\n"
          + Self.wrapped(excerpt.tokens))
      if let text = excerpt.text { parts.append("as text:\n" + text) }
    }
    return parts.joined(separator: "\n\n")
  }

  private static func table(of frames: [Frame]) -> TextTable {
    var table = TextTable(
      names: "frame",
      numbers: ["byte", "bytes", "tokens", "documents", "first token", "checksum", "hash"])
    for (index, frame) in frames.enumerated() {
      table.append([
        "\(index)", NumberText.grouped(frame.byteOffset), NumberText.grouped(frame.byteCount),
        NumberText.grouped(frame.tokenCount), NumberText.grouped(frame.documentCount),
        "\(frame.firstToken)", frame.checksum, frame.hash,
      ])
    }
    return table
  }

  /// The tokens with blanks between them, in lines of at most 80 columns.
  private static func wrapped(_ tokens: [UInt32]) -> String {
    var lines = [""]
    for token in tokens {
      let word = "\(token)"
      if lines[lines.count - 1].count + 1 + word.count > 80 { lines.append("") }
      lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
    }
    return lines.joined(separator: "\n")
  }
}
