// Covers: ShardWriter.swift, FrameCodec.swift, ShardIndex.swift, ShardIndex+Reading.swift
import Corpora
import HeadraceTesting
import Testing

/// One shard: what is written comes back, and nothing else ever does.
@Suite(.timeLimit(.minutes(5)))
struct ShardReaderTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path + "/shard" }

  init() throws { folder = try TemporaryFolder() }

  /// A full frame and a short one, in a few hundred bytes.
  private func write(_ width: TokenWidth = .uint16) throws -> (ShardDescription, [UInt32]) {
    let tokens = (0..<tokensPerFrame + 3000).map { UInt32(7 + $0 / 30_000) }
    let description = try SyntheticCorpus.writeShard(
      tokens, width: width, folder: folder.path, name: "shard")
    return (description, tokens)
  }

  private func read(_ description: ShardDescription, _ width: TokenWidth = .uint16) throws
    -> [UInt32]
  {
    let reader = try ShardReader(
      path: path, domain: "code", description: description, tokenWidth: width)
    let decoder = try FrameDecoder(verifiesContent: false)
    return try reader.index.frames.indices.flatMap { frame in
      let count = reader.index.frames[frame].tokenCount
      let memory = UnsafeMutableRawBufferPointer.allocate(
        byteCount: count * width.byteCount, alignment: 64)
      defer { memory.deallocate() }
      try reader.decode(frame: frame, into: memory, using: decoder)
      return (0..<count).map { width.token(at: $0, of: UnsafeRawBufferPointer(memory)) }
    }
  }

  /// The error's text, or nil if the tokens are those.
  private func failure(_ description: ShardDescription, _ tokens: [UInt32]) throws -> String? {
    do {
      #expect(try read(description) == tokens, "other tokens")
      return nil
    } catch let error as CorpusError {
      #expect(error.description.contains(path), "\(error)")
      return error.description
    }
  }

  @Test(arguments: TokenWidth.allCases) func whatIsWrittenComesBack(width: TokenWidth) throws {
    let (description, tokens) = try write(width)
    #expect(try read(description, width) == tokens)
    #expect(description.tokenCount == tokensPerFrame + 3000)
    #expect(try folder.bytes(of: "shard").count == description.byteCount)
  }

  @Test func everyBitOfAShardIsGuarded() throws {
    let (description, tokens) = try write()
    let bytes = try folder.bytes(of: "shard")
    for byteOffset in bytes.indices {
      for bit in 0..<8 {
        folder.patch("shard", at: byteOffset, with: [bytes[byteOffset] ^ UInt8(1 << bit)])
        #expect(try failure(description, tokens) != nil, "bit \(bit) of byte \(byteOffset)")
      }
      folder.patch("shard", at: byteOffset, with: [bytes[byteOffset]])
    }
    #expect(try failure(description, tokens) == nil)
  }

  /// Also where the manifest records the truncated size, as a manifest made of a bad copy would.
  @Test func everyTruncationIsFound() throws {
    let (description, tokens) = try write()
    let bytes = try folder.bytes(of: "shard")
    for count in bytes.indices {
      try folder.write(Array(bytes[..<count]), to: "shard")
      #expect(try failure(description, tokens) != nil, "\(count) bytes")
      var fooled = description
      fooled.byteCount = count
      #expect(try failure(fooled, tokens) != nil, "\(count) bytes")
    }
  }

  @Test func aManifestThatRecordsAnotherShardIsRefused() throws {
    let (description, tokens) = try write()
    for (field, change) in [
      ("checksum", { $0.checksum ^= 1 }), ("token count", { $0.tokenCount += 1 }),
      ("document count", { $0.documentCount += 1 }), ("size in bytes", { $0.byteCount += 1 }),
    ] as [(String, (inout ShardDescription) -> Void)] {
      var other = description
      change(&other)
      #expect(try failure(other, tokens)?.contains("its \(field) is") == true)
    }
  }

  // MARK: An index that someone wrote on purpose

  /// A shard's data and the numbers of its index, to be written with every checksum made anew.
  private struct Hostile {
    var data: [UInt8]
    var entries: [[UInt64]]
    var frameCount: UInt64
    var tokenCount: UInt64
    var documentCount: UInt64 = 0
    var width: UInt64 = 2
    var version: UInt64 = 2
    /// The bytes of each number of an entry.
    var entrySizes = [4, 4, 4, 4, 4, 8]
    var magic: UInt64 = 0x4543_4152_4441_4548
    var fullFrame: UInt64 = 1 << 18
    var bodySize: UInt64?
    var footerCount: UInt64?

    /// The file's bytes and the index's checksum.
    func encoded() -> (bytes: [UInt8], checksum: UInt64) {
      var body: [UInt8] = []
      func append(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
        for byte in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
      }
      append(magic, 8, to: &body)
      append(version, 4, to: &body)
      append(width, 4, to: &body)
      append(tokenCount, 8, to: &body)
      append(documentCount, 8, to: &body)
      append(frameCount, 4, to: &body)
      append(fullFrame, 4, to: &body)
      for entry in entries {
        for (value, count) in zip(entry, entrySizes) { append(value, count, to: &body) }
      }
      let checksum = XXHash.hash64(body)
      append(checksum, 8, to: &body)

      var bytes = data
      append(0x184D_2A5D, 4, to: &bytes)
      append(bodySize ?? UInt64(body.count), 4, to: &bytes)
      bytes += body
      append(0x184D_2A5E, 4, to: &bytes)
      append(UInt64((entries.count + 1) * 12 + 9), 4, to: &bytes)
      for entry in entries {
        append(entry[1], 4, to: &bytes)
        append(entry[0] &* width, 4, to: &bytes)
        append(entry[entry.count - 2], 4, to: &bytes)
      }
      append(UInt64(body.count + 8), 4, to: &bytes)
      append(0, 4, to: &bytes)
      append(0x51D8_E999, 4, to: &bytes)
      append(footerCount ?? UInt64(entries.count + 1), 4, to: &bytes)
      bytes.append(0x80)
      append(0x8F92_EAB1, 4, to: &bytes)
      return (bytes, checksum)
    }
  }

  private func hostile(_ description: ShardDescription) throws -> Hostile {
    let reader = try ShardReader(
      path: path, domain: "code", description: description, tokenWidth: .uint16)
    let frames = reader.index.frames
    let end = frames.reduce(0) { $0 + $1.byteCount }
    return Hostile(
      data: Array(try folder.bytes(of: "shard")[..<end]),
      entries: frames.map {
        [
          UInt64($0.tokenCount), UInt64($0.byteCount), UInt64($0.documentCount),
          UInt64($0.firstToken), UInt64($0.checksum), $0.hash,
        ]
      }, frameCount: UInt64(frames.count), tokenCount: UInt64(description.tokenCount))
  }

  /// Writes the hostile shard and reads it with a manifest that records exactly it.
  private func failure(
    _ hostile: Hostile, _ description: ShardDescription, _ tokens: [UInt32]
  ) throws -> String? {
    let (bytes, checksum) = hostile.encoded()
    try folder.write(bytes, to: "shard")
    var own = description
    own.checksum = checksum
    own.byteCount = bytes.count
    own.tokenCount = Int(clamping: hostile.tokenCount)
    own.documentCount = Int(clamping: hostile.documentCount)
    return try failure(own, tokens)
  }

  private static let huge = UInt64(UInt32.max)
  /// What makes a sound index one that must be refused.
  private static let changes: [(String, @Sendable (inout Hostile) -> Void)] = [
    ("a frame count of 2^32 − 1", { $0.frameCount = huge }),
    ("a frame count of 2^32 − 1 in the footer", { $0.footerCount = huge }),
    ("no frames in the footer", { $0.footerCount = 1 }),
    ("nothing in the footer", { $0.footerCount = 0 }),
    ("a footer of 2^24 frames", { $0.footerCount = 1 << 24 + 1 }),
    ("a size of 2^32 − 1", { $0.bodySize = huge }),
    ("another magic", { $0.magic ^= 1 }), ("another version", { $0.version = 3 }),
    ("a width of 0", { $0.width = 0 }), ("a width of 3", { $0.width = 3 }),
    ("the other width", { $0.width = 4 }), ("frames of 2^17 tokens", { $0.fullFrame = 1 << 17 }),
    ("tokens that are not the sum", { $0.tokenCount += 1 }),
    ("2^64 − 1 tokens", { $0.tokenCount = .max }),
    ("2^64 − 1 documents in the manifest's place", { $0.documentCount = .max }),
    ("documents that are not the sum", { $0.documentCount += 1 }),
    ("documents of a frame that are not in the sum", { $0.entries[0][2] += 1 }),
    ("2^32 − 1 documents in a frame", { $0.entries[0][2] = huge }),
    (
      "more documents in a frame than tokens",
      {
        $0.entries[1][2] += 3001
        $0.documentCount += 3001
      }
    ),
    ("a full frame of 2^32 − 1 tokens", { $0.entries[0][0] = huge }),
    ("a full frame that is short", { $0.entries[0][0] = 100 }),
    ("a last frame of no tokens", { $0.entries[1][0] = 0 }),
    ("a last frame that is full", { $0.entries[1][0] = 1 << 18 }),
    ("a frame of no bytes", { $0.entries[0][1] = 0 }),
    ("a frame past the end", { $0.entries[1][1] += 1 }),
    ("a frame of 2^32 − 1 bytes", { $0.entries[0][1] = huge }),
    ("frames that overlap", { $0.entries[0][1] += 5 }),
    ("frames with a gap", { $0.entries[0][1] -= 5 }),
    ("another first token", { $0.entries[1][3] ^= 1 }),
    ("another hash", { $0.entries[1][5] ^= 1 }),
    ("data behind the frames", { $0.data.append(0) }),
    ("no data", { $0.data = [] }),
    ("no entries", { $0.entries = [] }),
    (
      "one entry less",
      {
        $0.entries.removeLast()
        $0.frameCount = 1
      }
    ),
    (
      "frames exchanged",
      {
        $0.entries.swapAt(0, 1)
      }
    ),
  ]

  @Test func aHostileIndexIsRefusedWhateverItsChecksum() throws {
    let (description, tokens) = try write()
    let good = try hostile(description)
    // The helper writes the format: unchanged, its shard is the shard.
    #expect(good.encoded().bytes == (try folder.bytes(of: "shard")))
    #expect(try failure(good, description, tokens) == nil)

    for (name, change) in Self.changes {
      var hostile = good
      change(&hostile)
      #expect(try failure(hostile, description, tokens) != nil, "\(name)")
    }
  }

  /// Version 1 had no documents in its entries; it is refused by its version, not as damage.
  @Test func theVersionBeforeIsNamed() throws {
    let (description, tokens) = try write()
    var old = try hostile(description)
    old.version = 1
    old.entrySizes = [4, 4, 4, 4, 8]
    for frame in old.entries.indices { old.entries[frame].remove(at: 2) }
    let text = try failure(old, description, tokens)
    #expect(text?.contains("it has version 1; this program reads version 2") == true)
  }

  /// Frames whose hash and index hold, but which are not the frames that they should be.
  @Test func aHostileFrameIsRefusedWhateverItsHash() throws {
    let (description, tokens) = try write()
    let good = try hostile(description)
    let (first, last) = (Int(good.entries[0][1]), Int(good.entries[1][1]))
    let frames = [Array(good.data[..<first]), Array(good.data[first...])]
    let empty = zstdFrame([])
    let short = SyntheticCorpus.bytes(of: tokens[tokensPerFrame...].dropLast(), width: .uint16)
    let long = SyntheticCorpus.bytes(of: tokens[tokensPerFrame...] + [1], width: .uint16)
    let replacements: [(String, [UInt8])] = [
      ("noise", [UInt8](repeating: 0xAB, count: last)), ("an empty frame", empty),
      ("a token less", zstdFrame(short)), ("a token more", zstdFrame(long)),
      ("a full frame", frames[0]), ("only a skippable frame", skippableFrame([1, 2, 3])),
      ("half a frame", Array(frames[1].prefix(last / 2))), ("a byte behind", frames[1] + [0]),
      // A header that promises 2^62 bytes: descriptor 0xE0, single segment, 8 bytes of size.
      ("a huge content size", [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0]),
      // A window of 2^41 bytes: descriptor 0, window descriptor 0xF8.
      ("a huge window", [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xF8, 0x01, 0x00, 0x00]),
    ]
    for (name, frame) in replacements {
      var hostile = good
      hostile.data = frames[0] + frame
      hostile.entries[1][1] = UInt64(frame.count)
      hostile.entries[1][5] = XXHash.hash64(frame)
      let text = try failure(hostile, description, tokens)
      #expect(text?.contains("frame 1 at byte \(first) is damaged") == true, "\(name)")
    }
  }
}
