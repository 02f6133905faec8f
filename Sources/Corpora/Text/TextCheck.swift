/// Verifies a file of JSON lines, in one piece: what packing or streaming would read of it.
///
/// 1. Frames decode, those with a checksum have it, and the file ends where a frame does.
/// 2. Every line is UTF-8 and JSON and has the field; the tokenizer makes tokens of its vocabulary.
/// 3. Documents and tokens are counted, which nothing records.
///
/// After a line that is not what it must be the next one is read; after damage of a frame nobody
/// knows where the next line begins.
struct TextCheck: ShardCheck {
  private let open: @Sendable () throws(CorpusError) -> TextTokenStream
  let isUnprotected: Bool

  private static let bytesBetweenNews = 16 << 20

  /// Prepares to verify the file at `path`, which `open` opens at its beginning.
  init(
    path: String, access: FileAccess,
    open: @escaping @Sendable () throws(CorpusError) -> TextTokenStream
  ) throws(CorpusError) {
    self.open = open
    isUnprotected = try !TextFiles.isProtected(path: path, access: access)
  }

  var partCount: Int { 1 }
  var isCounted: Bool { true }

  func byteCount(ofPart part: Int) -> Int { 0 }

  func check(
    part: Int, with tools: CheckTools, into outcome: inout PartOutcome, advance: (Int) -> Void
  ) {
    do throws(CorpusError) {
      read(try open(), into: &outcome, advance: advance)
    } catch {
      outcome.note(error)
    }
  }

  private func read(
    _ stream: TextTokenStream, into outcome: inout PartOutcome, advance: (Int) -> Void
  ) {
    var told = 0
    while true {
      do throws(CorpusError) {
        guard let count = try stream.passDocument() else { return }
        outcome.documentCount += 1
        outcome.tokenCount += count
      } catch {
        outcome.note(error)
        switch error {
        case .document, .packing: break
        default: return
        }
      }
      let news = stream.fileByteCount - told
      guard news >= Self.bytesBetweenNews else { continue }
      told += news
      advance(news)
    }
  }
}

/// What is known of a file of text without reading it.
package enum TextFiles {
  /// Whether the file's first frame ends with a checksum; plain text never does.
  package static func isProtected(path: String, access: FileAccess) throws(CorpusError) -> Bool {
    guard path.hasSuffix(".zst") else { return false }
    let file = try FileReader(path: path, access: access)
    return try ZstdFrameHeader.first(of: file)?.hasChecksum == true
  }
}
