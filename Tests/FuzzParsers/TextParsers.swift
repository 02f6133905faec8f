internal import Corpora
internal import Foundation

/// Lines of JSON, plain and compressed.
let textParsers = [
  FuzzedParser(
    name: "json-line",
    words: [
      #"{"text":"#, #""text":"a""#, #"\u00e9"#, #"\ud83d\ude00"#, #"\u0000"#, "true", "false",
      "null", "-1.5e-3", #""\u0074ext":"b""#, "[{}]", "\u{e9}\u{4e00}\u{1f600}",
    ],
    seeds: { _ in
      [
        #"{"text": "plain"}"#, #"{"a": [1, -2.5e+3, {"b": null}], "text": "\u00e9\ud83d\ude00\n"}"#,
        #" {"\u0074ext": "a", "c": "\"\\\/\b\f\n\r\t", "text": "bcdefghijklmnop\u0041"} "#,
        #"{"text": "é一😀 and some more plain text behind it", "t": [true, false]}"#,
      ].map { Array($0.utf8) }
    },
    read: { input, _ in try TextCase.readLine(Array(input.rest)) }),
  FuzzedParser(
    name: "zstd-feed",
    seeds: { _ in
      let text = Array("one two three four five six seven eight\n".utf8)
      return [
        [0] + compressed(text), [1] + compressed(text, hasChecksum: false),
        [2] + compressed(text + text, cuts: [7, 30], hasChecksum: true), [3] + compressed([]),
      ]
    },
    read: { input, folder in try TextCase.readFeeds(input, in: folder) }),
  FuzzedParser(
    name: "text-stream",
    words: [#"{"text": ""#, "\"}\n", "\u{feff}", "\r\n", #"\n"#, #""}\#n{"text": ""#],
    seeds: { _ in
      let lines =
        "{\"text\": \"one\"}\n\n{\"text\": \"\"}\r\n{\"id\": 1, \"text\": \"tw\\u00f6\"}\n"
      let text = Array((lines + lines).utf8)
      let head: [UInt8] = [3, 20, 50]
      return [
        [0] + head + text, [1] + head + text, [5] + head + text, [2] + head + compressed(text),
        [16] + head + [UInt8](repeating: 0, count: 48) + text,
      ]
    },
    read: { input, folder in try TextCase.readStream(input, in: folder) }),
]

private enum TextCase {
  /// Takes the text out of a line.
  ///
  /// The text is UTF-8, the same with white space around the line, comes back through a line of our
  /// own, and is what Foundation reads.
  static func readLine(_ line: [UInt8]) throws {
    let text = try scan(line)
    expect(String(validating: text, as: UTF8.self) != nil, "the text is UTF-8")
    let around = Array("\t ".utf8) + line + Array(" \r".utf8)
    expect(try scan(around) == text, "white space around a line does not matter")
    let own = try JSONEncoder().encode(["text": String(decoding: text, as: UTF8.self)])
    expect(try scan(Array(own)) == text, "a text comes back")
    // Which of two fields of one name counts is not the same everywhere.
    let name = Array(#""text""#.utf8)
    let places = line.indices.filter { line[$0...].starts(with: name) }
    let hasEscapes = zip(line, line.dropFirst()).contains { $0 == 0x5C && $1 == UInt8(ascii: "u") }
    struct Wanted: Decodable { let text: String }
    guard places.count == 1, !hasEscapes,
      let other = try? JSONDecoder().decode(Wanted.self, from: Data(line))
    else { return }
    expect(Array(other.text.utf8) == text, "Foundation reads the same text")
  }

  private static func scan(_ line: [UInt8]) throws -> [UInt8] {
    var scanner = JSONLineScanner(field: "text")
    return try line.withUnsafeBytes { Array(try scanner.text(of: $0)) }
  }

  /// Decompresses a file in two ways and in pieces of several sizes.
  ///
  /// What the verifying feed gives is what the plain one gives; it gives nothing of a frame that
  /// does not verify.
  static func readFeeds(_ input: FuzzInput, in folder: FuzzFolder) throws {
    var input = input
    let piece = input.choice(of: [4096, 1, 7, 300])
    let path = folder.write(Array(input.rest), to: "feed.zst")
    let limit = 1 << 20
    let verified = try all(VerifiedFrameFeed(try FileReader(path: path)), piece, limit: limit)
    let plain = try all(ZstdFeed(try FileReader(path: path)), 4096, limit: limit)
    expect(plain == verified, "both feeds give the same text")
  }

  private static func all(_ feed: any TextFeed, _ piece: Int, limit: Int) throws -> [UInt8] {
    var (text, offset) = ([UInt8](), 0)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 1)
    defer { memory.deallocate() }
    while true {
      let count = try feed.read(into: memory)
      if count == 0 { return text }
      expect(count <= piece, "no more is given than there is room for")
      // What is beyond the limit is read and not kept: a bomb is a long text.
      if text.count < limit { text += UnsafeRawBufferPointer(rebasing: memory[..<count]) }
      offset += count
      let frame = feed.frame(at: offset - count)
      expect(frame?.textOffset ?? 0 <= offset - count, "a frame begins before its text")
      if offset > 1 << 24 { return text }
    }
  }

  /// Reads a file of lines, and again from places in it.
  ///
  /// `repairs`: the input is text that is compressed, in frames cut at two places, `first` with
  /// checksums. `wide`: the input is a file of frames. `third`: the reading begins at a cursor of
  /// the input's.
  static func readStream(_ input: FuzzInput, in folder: FuzzFolder) throws {
    var input = input
    let options = FuzzOptions(rawValue: input.byte())
    let piece = 1 + Int(input.byte())
    let cuts = [Int(input.byte()), Int(input.byte())]
    let cursor = options.contains(.third) ? Self.cursor(&input) : TextCursor()
    var bytes = Array(input.rest)
    if options.contains(.repairs) {
      bytes = compressed(bytes, cuts: cuts, hasChecksum: options.contains(.first))
    }
    let isCompressed = options.contains(.repairs) || options.contains(.wide)
    let path = folder.write(bytes, to: isCompressed ? "t.jsonl.zst" : "t.jsonl")
    var whole: [UInt32] = []
    var cursors: [(cursor: TextCursor, tokenCount: Int)] = []
    do {
      let stream = try stream(path, from: cursor)
      while cursors.count < 1 << 12 {
        expect(stream.cursor.isSound, "a cursor that is given can be taken")
        cursors.append((stream.cursor, whole.count))
        let tokens = try read(piece, of: stream)
        if tokens.isEmpty { break }
        whole += tokens
      }
    }
    expect(whole.allSatisfy { $0 <= 256 }, "tokens are of the vocabulary")
    for begin in [0, cursors.count / 3, cursors.count - 1].map({ cursors[$0] }) {
      let tail = whole[begin.tokenCount...].prefix(1000)
      for _ in 0..<2 {
        let again = try read(tail.count, of: try stream(path, from: begin.cursor))
        expect(again.elementsEqual(tail), "a cursor gives the tokens behind it")
      }
      let skipping = try stream(path, from: cursor)
      try skipping.skip(begin.tokenCount)
      expect(skipping.cursor == begin.cursor, "skipping comes to the same place")
    }
  }

  private static func stream(_ path: String, from cursor: TextCursor) throws -> TextTokenStream {
    try TextTokenStream(
      path: path, domain: "fuzz", field: "text", tokenizer: BytesTokenizer(), from: cursor)
  }

  private static func read(_ count: Int, of stream: TextTokenStream) throws -> [UInt32] {
    var tokens = [UInt32](repeating: 0, count: count)
    let read = try tokens.withUnsafeMutableBytes { try stream.read(into: $0, width: .uint32) }
    return Array(tokens.prefix(read))
  }

  /// A cursor of six numbers, as a checkpoint may hold it.
  private static func cursor(_ input: inout FuzzInput) -> TextCursor {
    func number() -> Int { Int(truncatingIfNeeded: input.number(UInt64.self)) }
    var cursor = TextCursor()
    cursor.frame = number()
    cursor.frameByteOffset = number()
    cursor.frameTextOffset = number()
    cursor.textOffset = number()
    cursor.line = number()
    cursor.token = number()
    return cursor
  }
}
