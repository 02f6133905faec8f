// Covers: MDSFault.swift, CorpusError+Foreign.swift
import Corpora
import HeadraceTesting
import Testing

private let tokenizer = TokenizerDescription(name: "t", vocabularySize: 60_000, endOfText: 7)

/// Damage is an error that names the shard, or gives exactly the same tokens.
@Suite(.timeLimit(.minutes(5)))
struct MDSHostileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let samples = [[5, 6, 7], [8], [], (0..<20).map { $0 * 900 }]
  private static let column = MDSColumn(name: "t", storedType: .uint16)

  private static func sample(
    _ frames: MDSSample.Frames, _ hashes: [String] = [], isFixed: Bool = false
  ) -> MDSSample {
    let alike = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    return MDSSample(
      columns: [("t", isFixed ? "ndarray:uint16:4" : "bytes", isFixed ? 8 : nil)],
      values: (isFixed ? alike : samples).map { [StoredTokenType.uint16.bytes($0)] },
      hashes: hashes, frames: frames)
  }

  /// The tokens as stream and, of a raw shard, as shard; every error must name the shard.
  private func read(_ entry: MDSShardEntry, verifies: Bool = true) throws -> [Int]? {
    do {
      let stream = try MDSStream(
        entry, column: Self.column, tokenizer: tokenizer, folder: folder.path, domain: "d")
      if verifies { try stream.verify() }
      let tokens = try stream.allTokens(piece: 9)
      guard entry.compression == nil else { return tokens }
      let shard = try MDSShard(
        entry, column: Self.column, tokenizer: tokenizer, folder: folder.path, domain: "d")
      if verifies { try shard.verify() }
      #expect(try shard.tokensRead(0..<shard.tokenCount) == tokens)
      return tokens
    } catch let error as CorpusError {
      #expect("\(error)".contains(entry.path), "\(error)")
      return nil
    }
  }

  @Test(arguments: [MDSSample.Frames.none, .one(checksum: false), .several(byteCount: 30)])
  func everyBitOfAHashedShardIsGuarded(frames: MDSSample.Frames) throws {
    for algorithm in HashAlgorithm.allCases {
      let entry = try #require(
        try Self.sample(frames, [algorithm.rawValue, "xxh128"]).write(to: folder))
      #expect(entry.hasHash)
      let bytes = try folder.bytes(of: entry.path)
      #expect(try read(entry) == Self.samples.flatMap { $0 })
      for byteOffset in bytes.indices {
        let bit = UInt8(1 << (byteOffset % 8))
        folder.patch(entry.path, at: byteOffset, with: [bytes[byteOffset] ^ bit])
        #expect(try read(entry) == nil, "\(algorithm) byte \(byteOffset)")
        folder.patch(entry.path, at: byteOffset, with: [bytes[byteOffset]])
      }
    }
  }

  /// Without a hash, the checksum of a zstd frame is what there is.
  @Test func everyBitOfAFrameWithChecksumIsGuarded() throws {
    for frames in [MDSSample.Frames.one(checksum: true), .several(byteCount: 30)] {
      let entry = try #require(try Self.sample(frames).write(to: folder))
      #expect(!entry.hasHash)
      let bytes = try folder.bytes(of: entry.path)
      for byteOffset in bytes.indices {
        for bit in 0..<8 {
          folder.patch(entry.path, at: byteOffset, with: [bytes[byteOffset] ^ UInt8(1 << bit)])
          // A bit of what a skippable frame holds changes nothing.
          let tokens = try read(entry)
          #expect(
            tokens == nil || tokens == Self.samples.flatMap { $0 }, "byte \(byteOffset) bit \(bit)")
        }
        folder.patch(entry.path, at: byteOffset, with: [bytes[byteOffset]])
      }
    }
  }

  /// Nothing guards these shards; what must hold is that no damage ends the process.
  @Test(arguments: [false, true], [MDSSample.Frames.none, .one(checksum: false)])
  func noBitOfAnUnguardedShardEndsTheProcess(isFixed: Bool, frames: MDSSample.Frames) throws {
    let entry = try #require(try Self.sample(frames, isFixed: isFixed).write(to: folder))
    let bytes = try folder.bytes(of: entry.path)
    var failureCount = 0
    for byteOffset in bytes.indices {
      for value in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
        folder.patch(entry.path, at: byteOffset, with: [value])
        failureCount += try read(entry) == nil ? 1 : 0
        _ = try? entry.count(Self.column, in: folder.path, domain: "d")
      }
      folder.patch(entry.path, at: byteOffset, with: [bytes[byteOffset]])
    }
    #expect(failureCount > 40)
  }

  /// Also where the index records the truncated size, as one made of a bad copy would.
  @Test(arguments: [
    MDSSample.Frames.none, .one(checksum: false), .one(checksum: true), .several(byteCount: 30),
  ])
  func everyTruncationIsFound(frames: MDSSample.Frames) throws {
    let entry = try #require(try Self.sample(frames).write(to: folder))
    let bytes = try folder.bytes(of: entry.path)
    for count in bytes.indices {
      try folder.write(Array(bytes[..<count]), to: entry.path)
      #expect(try read(entry) == nil, "\(count) bytes")
      var fooled = entry
      fooled.storedByteCount = count
      if entry.compression == nil { fooled.rawByteCount = count }
      #expect(try read(fooled) == nil, "\(count) bytes")
      #expect(try read(fooled, verifies: false) == nil, "\(count) bytes")
    }
  }

  @Test func bytesAfterTheContentAreDamage() throws {
    for frames in [MDSSample.Frames.one(checksum: true), .several(byteCount: 30)] {
      var sample = Self.sample(frames)
      let entry = try #require(try sample.write(to: folder))
      sample.damage = { $0 + [1] }
      let longer = sample.stored(sample.rawBytes)
      try folder.write(longer, to: entry.path)
      var fooled = entry
      fooled.storedByteCount = longer.count
      #expect(try read(fooled) == nil)
      #expect(try read(fooled, verifies: false) == nil)
    }
  }

  /// Offsets and lengths at the beginning of a shard of four samples, and what is written there.
  @Test(arguments: [MDSSample.Frames.none, .one(checksum: true)])
  func liesAboutOffsetsAndLengthsAreFound(frames: MDSSample.Frames) throws {
    let whole = Self.sample(frames).rawBytes
    let first = Int(whole[4])
    // The count, each offset, and the length at the beginning of each sample.
    let places = [0, 4, 8, 12, 16, 20] + [first, first + 10, first + 16, first + 20]
    for place in places {
      for change in [1, -1, 2, -2, 4, 1000, 0x7FFF_FFFF, -0x8000_0000] {
        var sample = Self.sample(frames)
        sample.damage = { raw in
          var raw = raw
          let old = raw[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
          let new = old &+ UInt32(truncatingIfNeeded: change)
          for byte in 0..<4 { raw[place + byte] = UInt8(truncatingIfNeeded: new >> (8 * byte)) }
          return raw
        }
        let entry = try #require(try sample.write(to: folder))
        #expect(try read(entry) == nil, "\(change) at \(place)")
      }
    }
    let entry = try #require(try Self.sample(frames).write(to: folder, samples: 3))
    #expect(try read(entry) == nil)
  }

  @Test func arraysThatAreNotWhatTheySayAreDamage() throws {
    let type = StoredTokenType.int32
    for value in [
      [], [4], [4, 3], [4, 3, 0, 0, 0, 0], [5, 1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0],
      [7, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0], [8, 0, 0], [255, 1, 2, 3],
      shapeBytes([1, 1, 1]) + type.bytes([1, 2]), shapeBytes([3]) + type.bytes([1, 2]),
    ] as [[UInt8]] {
      let sample = MDSSample(
        columns: [("t", "ndarray:int32", nil)],
        values: [[shapeBytes([2]) + type.bytes([1, 2])], [value]])
      let entry = try #require(try sample.write(to: folder))
      let stream = try MDSStream(
        entry, column: MDSColumn(name: "t"), tokenizer: tokenizer, folder: folder.path,
        domain: "d")
      do {
        #expect(try stream.allTokens(piece: 2).isEmpty, "\(value)")
      } catch {
        #expect("\(error)".contains("sample 1 is damaged at byte"), "\(value): \(error)")
      }
    }
  }

  @Test func aPipeInAShardsPlaceIsAnError() throws {
    let entry = try #require(try Self.sample(.none).write(to: folder))
    #expect(try folder.replaceByPipe(entry.path))
    #expect(try read(entry) == nil)
  }
}
