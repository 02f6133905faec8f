// Covers: LineReader.swift, LargeDocumentAllowance.swift, TextBuffer.swift
import Corpora
import HeadraceTesting
import Testing

/// Bytes of an array, a few at a time.
private final class SlowFeed: TextFeed {
  let path = "slow"
  private let bytes: [UInt8]
  private let most: Int
  private(set) var fileByteCount = 0

  init(_ bytes: [UInt8], most: Int) {
    self.bytes = bytes
    self.most = most
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Int {
    let count = min(most, buffer.count, bytes.count - fileByteCount)
    buffer.copyBytes(from: bytes[fileByteCount..<fileByteCount + count])
    fileByteCount += count
    return count
  }

  func frame(at textOffset: Int) -> TextFrame? { nil }
}

private struct FoundLine: Equatable {
  var text: String?
  var offset: Int
}

private func lines(_ feed: any TextFeed, limit: Int = 1 << 20) throws -> [FoundLine] {
  var reader = LineReader(
    feed, textOffset: 0, limit: limit, allowance: LargeDocumentAllowance(count: 1))
  var found: [FoundLine] = []
  while true {
    switch try reader.next() {
    case .line(let bytes, let offset):
      found.append(FoundLine(text: String(decoding: bytes, as: UTF8.self), offset: offset))
    case .tooLong(let offset): found.append(FoundLine(text: nil, offset: offset))
    case .end: return found
    }
  }
}

@Suite struct LineReaderTests {
  @Test(.timeLimit(.minutes(5)), arguments: [1, 2, 3, 7, 1000])
  func cutsTextIntoLines(most: Int) throws {
    func found(_ text: String) throws -> [FoundLine] {
      try lines(SlowFeed(Array(text.utf8), most: most))
    }
    #expect(try found("") == [])
    #expect(try found("\n") == [FoundLine(text: "", offset: 0)])
    #expect(
      try found("a\nbc\n") == [FoundLine(text: "a", offset: 0), FoundLine(text: "bc", offset: 2)])
    #expect(
      try found("a\n\nbc") == [
        FoundLine(text: "a", offset: 0), FoundLine(text: "", offset: 2),
        FoundLine(text: "bc", offset: 3),
      ])
    // The mark at the beginning counts as bytes of the file, and is no text.
    #expect(try found("\u{FEFF}a\n") == [FoundLine(text: "a", offset: 3)])
    #expect(try found("\u{FEFF}") == [])
    #expect(try found("a\r\n") == [FoundLine(text: "a\r", offset: 0)])
  }

  @Test(.timeLimit(.minutes(5)), arguments: [1, 5, 1 << 20])
  func passesOverLinesThatAreTooLong(most: Int) throws {
    let text = "1234\n12345\n1\n123456789\n12"
    let found = try lines(SlowFeed(Array(text.utf8), most: most), limit: 4)
    #expect(
      found == [
        FoundLine(text: "1234", offset: 0), FoundLine(text: nil, offset: 5),
        FoundLine(text: "1", offset: 11), FoundLine(text: nil, offset: 13),
        FoundLine(text: "12", offset: 23),
      ])
  }

  @Test(.timeLimit(.minutes(5)))
  func givesBackTheBufferOfALongLine() throws {
    let long = String(repeating: "x", count: 3_000_000)
    let text = "a\n" + long + "\nb\n" + long + "\nc"
    let found = try lines(SlowFeed(Array(text.utf8), most: 1 << 20), limit: 4_000_000)
    #expect(found.map(\.text) == ["a", long, "b", long, "c"])
    #expect(found.map(\.offset) == [0, 2, 3_000_003, 3_000_005, 6_000_006])
  }

  @Test(.timeLimit(.minutes(5)))
  func readsALongLineNoFurtherThanItMust() throws {
    let feed = SlowFeed([UInt8](repeating: 0x78, count: 8 << 20), most: 1 << 20)
    var reader = LineReader(
      feed, textOffset: 0, limit: 1000, allowance: LargeDocumentAllowance(count: 1),
      lastOffset: 2 << 20)
    guard case .tooLong(byteOffset: 0) = try reader.next() else {
      Issue.record("the line is not too long")
      return
    }
    #expect(feed.fileByteCount <= LineReader.readByteCount)
    guard case .end = try reader.next() else {
      Issue.record("a line begins before the end of the range")
      return
    }
    #expect(feed.fileByteCount <= 2 << 20)
  }

  @Test(.timeLimit(.minutes(5)))
  func hearsAStopInALongLine() throws {
    let feed = SlowFeed([UInt8](repeating: 0, count: 8 << 20), most: 1 << 20)
    var reader = LineReader(
      feed, textOffset: 0, limit: 1000, allowance: LargeDocumentAllowance(count: 1)
    ) { () throws(CorpusError) in
      throw .packing(.interrupted(path: ""))
    }
    _ = try reader.next()
    #expect(packingFault { _ = try reader.next() } == .interrupted(path: ""))
    #expect(feed.fileByteCount <= 1 << 20)
  }

  @Test func takesATextWhole() throws {
    for (text, limit, expected) in [("a\nb\n", 4, "a\nb\n"), ("\u{FEFF}a", 1, "a")] {
      var reader = LineReader(
        SlowFeed(Array(text.utf8), most: 1), textOffset: 0, limit: limit,
        allowance: LargeDocumentAllowance(count: 1))
      guard case .line(let bytes, _) = try reader.whole() else {
        Issue.record("no text")
        return
      }
      #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }
  }
}

@Suite struct ZstdFeedTests {
  private func lines(ofFile bytes: [UInt8]) throws -> [FoundLine] {
    let folder = try ScratchFolder()
    let path = try folder.write(bytes, to: "a.zst")
    return try CorporaTests.lines(try ZstdFeed(try FileReader(path: path)))
  }

  @Test(.timeLimit(.minutes(5)))
  func goesThroughAllFramesAndPassesOverSkippableOnes() throws {
    let a = Array("first\nsec".utf8)
    let b = Array("ond\n".utf8)
    let file =
      skippableFrame([1, 2, 3]) + zstdFrame(a) + skippableFrame([]) + zstdFrame([])
      + zstdFrame(b, hasChecksum: false) + skippableFrame([9])
    #expect(try lines(ofFile: file).map(\.text) == ["first", "second"])
  }

  @Test(.timeLimit(.minutes(5)))
  func namesTheFrameOfAByte() throws {
    let folder = try ScratchFolder()
    let file = zstdFrame(Array("ab".utf8)) + skippableFrame([1]) + zstdFrame(Array("cd".utf8))
    let path = try folder.write(file, to: "a.zst")
    let feed = try ZstdFeed(try FileReader(path: path))
    _ = try CorporaTests.lines(feed)
    #expect([0, 1, 2, 3].map { feed.frame(at: $0)?.index } == [0, 0, 2, 2])
  }

  @Test(.timeLimit(.minutes(5)))
  func everyTruncationIsAnErrorAndNeverTheEnd() throws {
    let text = (0..<40).map { "line \($0 * $0)\n" }.joined()
    let file = zstdFrame(Array(text.utf8))
    for count in 0..<file.count {
      #expect(throws: CorpusError.self, "\(count) bytes") {
        try lines(ofFile: Array(file[..<count]))
      }
    }
  }

  @Test(.timeLimit(.minutes(5)))
  func everyFlippedBitIsAnErrorOrChangesNothing() throws {
    let text = (0..<12).map { "line \($0 * $0)\n" }.joined()
    let file = zstdFrame(Array(text.utf8)) + skippableFrame([1, 2]) + zstdFrame(Array("x".utf8))
    let whole = try lines(ofFile: file)
    var errorCount = 0
    for bit in 0..<8 * file.count {
      var damaged = file
      damaged[bit / 8] ^= 1 << (bit % 8)
      do {
        #expect(try lines(ofFile: damaged) == whole, "bit \(bit)")
      } catch is CorpusError {
        errorCount += 1
      }
    }
    #expect(errorCount > 4 * file.count)
  }

  @Test(.timeLimit(.minutes(5)))
  func damageWithoutChecksumNeitherCrashesNorHangs() throws {
    let text = (0..<12).map { "line \($0 * $0)\n" }.joined()
    let file = zstdFrame(Array(text.utf8), hasChecksum: false)
    for bit in 0..<8 * file.count {
      var damaged = file
      damaged[bit / 8] ^= 1 << (bit % 8)
      _ = try? lines(ofFile: damaged)
    }
  }

  @Test func refusesWhatIsNotZstd() throws {
    #expect(throws: CorpusError.self) { try lines(ofFile: Array("plain text".utf8)) }
    #expect(throws: CorpusError.self) { try lines(ofFile: []) }
  }
}
