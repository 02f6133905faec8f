import Corpora
import HeadraceTesting
import Testing

/// Tokens of words: a made-up tokenizer with more tokens than bytes have.
private struct WordTokenizer: Tokenizer {
  let name = "words"
  let vocabularySize = 70_000
  let endOfText: UInt32 = 69_999
  /// What a text of "bad" becomes, which no tokenizer may give.
  var wrongToken: UInt32?

  func encode(_ text: Span<UInt8>, into tokens: inout [UInt32]) {
    text.withUnsafeBufferPointer { bytes in
      for word in bytes.split(separator: UInt8(ascii: " ")) {
        if let wrongToken, Array(word) == Array("bad".utf8) {
          tokens.append(wrongToken)
        } else {
          tokens.append(UInt32(XXHash.hash64(Array(word)) % 69_999))
        }
      }
    }
  }
}

@Suite(.timeLimit(.minutes(5)))
struct TextTokenStreamTests {
  private static let documents = [
    "one two three", "", "four", "f\u{ef} \"ve\"\nsix", "seven eight",
  ]

  private static func lines() -> [UInt8] {
    let lines = documents.map { text in
      let escaped = text.replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
      return "{\"text\": \"\(escaped)\"}\n"
    }
    return Array((lines[0] + "\n  \n" + lines[1...].joined()).utf8)
  }

  private static func expected(_ tokenizer: any Tokenizer) -> [UInt32] {
    documents.filter { !$0.isEmpty }.flatMap { text in
      var tokens: [UInt32] = []
      tokenizer.encode(Array(text.utf8).span, into: &tokens)
      return tokens + [tokenizer.endOfText]
    }
  }

  private static func stream(
    _ path: String, _ tokenizer: any Tokenizer, from cursor: TextCursor = TextCursor()
  ) throws -> TextTokenStream {
    try TextTokenStream(
      path: path, domain: "news", field: "text", tokenizer: tokenizer, from: cursor)
  }

  /// The next tokens, at most `count`.
  private static func next(_ stream: TextTokenStream, _ count: Int) throws -> [UInt32] {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: count * 4, alignment: 4)
    defer { room.deallocate() }
    let made = try stream.read(into: room, width: .uint32)
    return (0..<made).map { TokenWidth.uint32.token(at: $0, of: UnsafeRawBufferPointer(room)) }
  }

  private static func files(in folder: ScratchFolder) throws -> [String] {
    let text = lines()
    // Frames end in the middle of lines; one holds no text.
    let frames = stride(from: 0, to: text.count, by: 31).map {
      zstdFrame(Array(text[$0..<min($0 + 31, text.count)]))
    }
    let compressed = frames[0] + skippableFrame([7]) + zstdFrame([]) + frames[1...].joined()
    return [
      try folder.write(text, to: "a.jsonl"), try folder.write(Array(compressed), to: "a.jsonl.zst"),
    ]
  }

  @Test(arguments: [1, 2, 5, 1000])
  func `gives each document's tokens and an end-of-text, in pieces of any size`(piece: Int) throws {
    let folder = try ScratchFolder()
    for path in try Self.files(in: folder) {
      for tokenizer in [BytesTokenizer(), WordTokenizer()] as [any Tokenizer] {
        let stream = try Self.stream(path, tokenizer)
        var tokens: [UInt32] = []
        while true {
          let more = try Self.next(stream, piece)
          tokens += more
          if more.count < piece { break }
        }
        #expect(tokens == Self.expected(tokenizer), "\(path), \(tokenizer.name)")
      }
    }
  }

  @Test func `a cursor taken after any token finds the next one`() throws {
    let folder = try ScratchFolder()
    for path in try Self.files(in: folder) {
      for tokenizer in [BytesTokenizer(), WordTokenizer()] as [any Tokenizer] {
        let expected = Self.expected(tokenizer)
        let stream = try Self.stream(path, tokenizer)
        for cut in 0...expected.count {
          let cursor = stream.cursor
          let resumed = try Self.stream(path, tokenizer, from: cursor)
          #expect(
            try Self.next(resumed, 1000) == Array(expected[cut...]),
            "\(path), \(tokenizer.name), after \(cut) tokens")
          #expect(try Self.next(stream, 1).count == (cut < expected.count ? 1 : 0))
        }
      }
    }
  }

  @Test func `a cursor that does not fit the file is an error`() throws {
    let folder = try ScratchFolder()
    for path in try Self.files(in: folder) {
      let stream = try Self.stream(path, BytesTokenizer())
      _ = try Self.next(stream, 3)
      let right = stream.cursor
      for change in [
        { $0.token = 9999 }, { $0.textOffset += 1 }, { $0.textOffset = 1 << 40 },
        { $0.frameByteOffset = 1 << 40 }, { $0.token = -1 }, { $0.frameTextOffset = 1 << 50 },
        { $0.line = .max }, { $0.frame = .max }, { ($0.token, $0.textOffset) = (0, 1 << 40) },
      ] as [(inout TextCursor) -> Void] {
        var wrong = right
        change(&wrong)
        #expect(throws: CorpusError.self, "\(path), \(wrong)") {
          _ = try Self.stream(path, BytesTokenizer(), from: wrong)
        }
      }
    }
  }

  @Test(arguments: [69_999, 70_000, UInt32.max])
  func `a token that the vocabulary does not have is an error with its place`(token: UInt32) throws
  {
    let folder = try ScratchFolder()
    let path = try folder.write(
      Array("{\"text\": \"good\"}\n{\"text\": \"so bad\"}\n".utf8), to: "a.jsonl")
    var tokenizer = WordTokenizer()
    tokenizer.wrongToken = token
    let stream = try Self.stream(path, tokenizer)
    #expect(try Self.next(stream, 2).count == 2)
    #expect { _ = try Self.next(stream, 1) } throws: {
      "\($0)".contains("\(token)") && "\($0)".contains("a.jsonl, line 2")
    }
  }
}
