// Covers: TextWorkspace.swift
import Corpora
import HeadraceTesting
import Testing

/// What a feed gives before it ends or fails.
private func taken(_ file: [UInt8], pieceByteCount: Int = 5000) throws -> (
  text: [UInt8], failure: CorpusError?
) {
  let folder = try ScratchFolder()
  let path = try folder.write(file, to: "a.zst")
  let room = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceByteCount, alignment: 16)
  defer { room.deallocate() }
  var text: [UInt8] = []
  do throws(CorpusError) {
    let feed = try VerifiedFrameFeed(try FileReader(path: path))
    while true {
      let count = try feed.read(into: room)
      if count == 0 { return (text, nil) }
      text += room[..<count]
    }
  } catch {
    return (text, error)
  }
}

@Suite(.timeLimit(.minutes(5)))
struct VerifiedFrameFeedTests {
  private static let texts = ["alpha beta\n", "", "gamma\n", "delta epsilon zeta\n"].map {
    Array(String(repeating: $0, count: 40).utf8)
  }
  private static let file =
    zstdFrame(texts[0]) + skippableFrame([1, 2, 3]) + zstdFrame(texts[1]) + zstdFrame(texts[2])
    + zstdFrame(texts[3], hasChecksum: false)

  @Test(arguments: [1, 7, 64, 100_000])
  func `gives the text of all frames, in pieces of any size`(pieceByteCount: Int) throws {
    let (text, failure) = try taken(Self.file, pieceByteCount: pieceByteCount)
    #expect(failure == nil)
    #expect(text == Self.texts.flatMap(\.self))
  }

  @Test func `every truncation is an error, and what came before it is right`() throws {
    let whole = Self.texts.flatMap(\.self)
    var errorCount = 0
    for count in 0..<Self.file.count {
      let (text, failure) = try taken(Array(Self.file[..<count]))
      #expect(whole.starts(with: text), "\(count) bytes")
      errorCount += failure == nil ? 0 : 1
    }
    // A file that is cut between two frames is a shorter file: what follows is not missed.
    #expect(errorCount == Self.file.count - 4)
  }

  @Test func `no text of a damaged frame with a checksum is handed out`() throws {
    let checked = zstdFrame(Self.texts[0]) + zstdFrame(Self.texts[3])
    let whole = Self.texts[0] + Self.texts[3]
    var errorCount = 0
    for bit in 0..<8 * checked.count {
      var damaged = checked
      damaged[bit / 8] ^= 1 << (bit % 8)
      let (text, failure) = try taken(damaged)
      #expect(whole.starts(with: text), "bit \(bit)")
      #expect(failure != nil || text == whole, "bit \(bit)")
      errorCount += failure == nil ? 0 : 1
    }
    #expect(errorCount > 7 * checked.count)
  }

  @Test func `a frame that is too large to hold is verified before its first byte is given`() throws
  {
    let content = (0..<17 << 20).map { UInt8(truncatingIfNeeded: $0 >> 12) }
    let whole = zstdFrame(content)
    let (text, failure) = try taken(whole, pieceByteCount: 1 << 20)
    #expect(failure == nil && text == content)
    var damaged = whole
    // The checksum itself, at the frame's end.
    damaged[whole.count - 2] ^= 1
    let (nothing, error) = try taken(damaged, pieceByteCount: 1 << 20)
    #expect(nothing.isEmpty)
    #expect("\(try #require(error))".contains("zstd frame 0 is damaged"))
  }
}
