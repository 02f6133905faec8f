// Covers: ShardIndex+Reading.swift, ShardWriter.swift, ShardReader.swift, FrameCodec.swift
// Covers: FileReader.swift, DurableFile.swift

import Corpora
import HeadraceTesting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ShardIndexTests {
  /// Writes a shard of `count` tokens 0, 1, … in which 2 is end-of-text, and returns its path and
  /// description.
  private func write(_ count: Int, width: TokenWidth, in folder: TemporaryFolder) throws
    -> (path: String, description: ShardDescription)
  {
    let path = folder.path + "/a.tokens.zst"
    let encoder = try FrameEncoder(tokenWidth: width, level: 3, endOfText: 2)
    var writer = try ShardWriter(path: path, tokenWidth: width)
    for begin in stride(from: 0, to: count, by: tokensPerFrame) {
      let part = begin..<min(begin + tokensPerFrame, count)
      switch width {
      case .uint16:
        let tokens = part.map { UInt16(truncatingIfNeeded: $0).littleEndian }
        try writer.append(try tokens.withUnsafeBytes { try encoder.encode($0) })
      case .uint32:
        let tokens = part.map { UInt32(truncatingIfNeeded: $0).littleEndian }
        try writer.append(try tokens.withUnsafeBytes { try encoder.encode($0) })
      }
    }
    return (path, try writer.finish(manifestPath: "a.tokens.zst"))
  }

  @Test(arguments: TokenWidth.allCases, [1, 1000, 262_143, 262_145, 600_000])
  func framesComeBackAsTheyWereWritten(width: TokenWidth, count: Int) throws {
    let folder = try TemporaryFolder()
    let (path, description) = try write(count, width: width, in: folder)
    #expect(description.tokenCount == count)
    // Of 16 bits, one in every 65,536 tokens is a 2.
    let documents = (0..<count).count { width == .uint16 ? $0 % 65_536 == 2 : $0 == 2 }
    #expect(description.documentCount == documents)
    let reader = try ShardReader(
      path: path, domain: "d", description: description, tokenWidth: width)
    #expect(reader.index.frames.count == (count + 262_143) / 262_144)
    let decoder = try FrameDecoder(verifiesContent: true)
    var next = 0
    for (index, frame) in reader.index.frames.enumerated() {
      var bytes = [UInt8](repeating: 0, count: frame.tokenCount * width.byteCount)
      try bytes.withUnsafeMutableBytes { try reader.decode(frame: index, into: $0, using: decoder) }
      let mask: UInt32 = width == .uint16 ? 0xFFFF : 0xFFFF_FFFF
      #expect(frame.firstToken == UInt32(next) & mask)
      let places = next..<next + frame.tokenCount
      #expect(frame.documentCount == places.count { UInt32($0) & mask == 2 })
      let isWhole = bytes.withUnsafeBytes { buffer in
        (0..<frame.tokenCount).allSatisfy {
          width.token(at: $0, of: buffer) == UInt32(next + $0) & mask
        }
      }
      #expect(isWhole, "frame \(index)")
      next += frame.tokenCount
    }
    #expect(next == count)
  }

  /// The last bytes are a seek table of zstd's seekable format, worked out here by hand from its
  /// specification: one entry per frame and one for the index, then count, descriptor and magic.
  @Test func otherSeekableReadersFindTheFrames() throws {
    let folder = try TemporaryFolder()
    let (path, description) = try write(262_145, width: .uint16, in: folder)
    let bytes = try FileReader.contents(of: path, limit: 1 << 24)
    #expect(bytes.count == description.byteCount)
    func number(_ position: Int) -> Int {
      (0..<4).reduce(0) { $0 | Int(bytes[position + $1]) << (8 * $1) }
    }
    let end = bytes.count
    #expect(number(end - 4) == 0x8F92_EAB1)
    #expect(bytes[end - 5] == 0x80)
    #expect(number(end - 9) == 3)
    let table = end - 9 - 3 * 12
    #expect(number(table - 8) == 0x184D_2A5E)
    #expect(number(table - 4) == 3 * 12 + 9)
    // Two frames of 2^18 and 1 tokens of two bytes, then the index without content.
    #expect([0, 1, 2].map { number(table + 12 * $0 + 4) } == [524_288, 2, 0])
    // Everything that the entries speak of, and the table itself, is the whole file.
    let compressed = [0, 1, 2].map { number(table + 12 * $0) }
    #expect(compressed.reduce(0, +) + 8 + 3 * 12 + 9 == end)
  }

  @Test func aShardThatIsNotTheRecordedOneIsNamed() throws {
    let folder = try TemporaryFolder()
    let (path, description) = try write(5000, width: .uint16, in: folder)
    func refusal(_ change: (inout ShardDescription) -> Void, width: TokenWidth = .uint16) -> String
    {
      var changed = description
      change(&changed)
      do {
        _ = try ShardReader(path: path, domain: "code", description: changed, tokenWidth: width)
        return ""
      } catch {
        return "\(error)"
      }
    }
    for (text, field) in [
      (refusal { $0.byteCount += 1 }, "size in bytes"),
      (refusal { $0.checksum ^= 1 }, "checksum"),
      (refusal { $0.tokenCount += 1 }, "token count"),
      (refusal { $0.documentCount += 1 }, "document count"),
      (refusal({ _ in }, width: .uint32), "token width"),
    ] {
      #expect(text.contains(field) && text.contains("code") && text.contains(path), "\(text)")
    }
  }

  @Test func aFileThatIsNeverCommittedDoesNotAppear() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/whole"
    try DurableFile.write([1, 2, 3], to: path)
    do {
      var file = try DurableFile(path: path)
      try file.write([9])
    }
    #expect(try FileReader.contents(of: path, limit: 100) == [1, 2, 3])
    #expect(throws: CorpusError.self) { try FileReader(path: path + ".tmp") }
    #expect(throws: CorpusError.self) { try FileReader.contents(of: path, limit: 2) }
    #expect(throws: CorpusError.self) { try FileReader(path: folder.path) }
  }

  @Test func readingPastTheEndSaysWhereTheFileEnds() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/short"
    try DurableFile.write([1, 2, 3, 4], to: path)
    let file = try FileReader(path: path)
    #expect(throws: CorpusError.self) { try file.bytes(at: 2, count: 3) }
    do {
      _ = try file.bytes(at: 2, count: 3)
    } catch {
      #expect("\(error)".contains("ends at byte 4"))
    }
  }
}
