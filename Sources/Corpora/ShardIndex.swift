/// What the index at the end of a shard says of one frame.
package struct FrameEntry: Sendable, Equatable {
  /// Where the frame begins in the file, in bytes.
  package var byteOffset: Int
  /// The frame's compressed size in bytes.
  package var byteCount: Int
  /// How many tokens the frame holds.
  package var tokenCount: Int
  /// How many documents end in the frame: the number of its end-of-text tokens.
  package var documentCount: Int
  /// The frame's first token: the last target of the frame before it.
  package var firstToken: UInt32
  /// The low 32 bits of the XXH64 of the frame's content.
  package var checksum: UInt32
  /// The XXH64 of the compressed frame.
  package var hash: UInt64
}

/// The index of a token shard: where its frames lie and what they hold.
///
/// A shard is a row of zstd frames, then two skippable frames, so that `zstd -d` gives the flat
/// tokens. All numbers are little-endian.
///
///     frame 0 … frame n−1   zstd frames with content size and checksum;
///                           all but the last hold 2^18 tokens
///     index                 skippable frame 0x184D2A5D
///        0    8   "HEADRACE"
///        8    4   version, 2
///       12    4   token width in bytes, 2 or 4
///       16    8   tokens in the shard
///       24    8   documents in the shard
///       32    4   n, frames in the shard
///       36    4   tokens in a full frame, 2^18
///       40  28n   per frame: tokens, compressed bytes, documents that end in it, first token,
///                 checksum of the content (4 bytes each), XXH64 of the compressed frame (8)
///       …     8   XXH64 of all of the above: the shard's checksum in the manifest
///     seek table            skippable frame 0x184D2A5E of zstd's seekable format, with
///                           checksums; its last entry is the index itself, without content
///
/// A reader verifies a frame by its hash, before it decodes it: that costs a fifth of verifying the
/// content, is 64 bits strong in place of the 32 that end a zstd frame, and keeps damaged bytes out
/// of the decoder. The hashes stand in the index and the index's own checksum stands in the
/// manifest, so that a shard that was exchanged for another is found out although nothing but its
/// index was read. The documents are counted by frame so that the document of any token is found
/// by decoding the frame around it.
package struct ShardIndex: Sendable, Equatable {
  /// How many bytes a token takes.
  package var tokenWidth: TokenWidth
  /// The frames in file order.
  package var frames: [FrameEntry]

  /// The number of documents, each ended by one end-of-text token.
  package var documentCount: Int { frames.reduce(0) { $0 + $1.documentCount } }
  /// The number of tokens in the shard.
  package var tokenCount: Int { frames.reduce(0) { $0 + $1.tokenCount } }

  static let version: UInt32 = 2
  static let magic: UInt64 = 0x4543_4152_4441_4548  // "HEADRACE"
  static let indexFrameMagic: UInt32 = 0x184D_2A5D
  static let seekTableFrameMagic: UInt32 = 0x184D_2A5E
  static let seekTableFooterMagic: UInt32 = 0x8F92_EAB1
  /// The seek table's descriptor byte: entries carry checksums, nothing else is set.
  static let seekTableDescriptor: UInt8 = 0x80
  /// The low half of the XXH64 of no bytes, the checksum of the index's entry in the seek table.
  static let emptyChecksum: UInt32 = 0x51D8_E999

  static let skippableHeaderByteCount = 8
  static let headerByteCount = 40
  static let entryByteCount = 28
  static let seekEntryByteCount = 12
  static let seekFooterByteCount = 9
  /// More frames than this (2^42 tokens) are taken for damage.
  static let frameLimit = 1 << 24

  /// The size of the index frame of `frameCount` frames, in bytes.
  static func frameByteCount(frameCount: Int) -> Int {
    skippableHeaderByteCount + headerByteCount + frameCount * entryByteCount + 8
  }

  /// The size of the seek table of `entryCount` entries, in bytes.
  static func seekTableByteCount(entryCount: Int) -> Int {
    skippableHeaderByteCount + entryCount * seekEntryByteCount + seekFooterByteCount
  }

  /// Returns the two skippable frames that end a shard, and the shard's checksum.
  package func encoded() -> (bytes: [UInt8], checksum: UInt64) {
    var index = ByteWriter()
    index.append(Self.magic)
    index.append(Self.version)
    index.append(UInt32(tokenWidth.byteCount))
    index.append(UInt64(tokenCount))
    index.append(UInt64(documentCount))
    index.append(UInt32(frames.count))
    index.append(UInt32(tokensPerFrame))
    for frame in frames {
      index.append(UInt32(frame.tokenCount))
      index.append(UInt32(frame.byteCount))
      index.append(UInt32(frame.documentCount))
      index.append(frame.firstToken)
      index.append(frame.checksum)
      index.append(frame.hash)
    }
    let checksum = XXHash.hash64(index.bytes)
    index.append(checksum)

    var tail = ByteWriter()
    tail.append(Self.indexFrameMagic)
    tail.append(UInt32(index.bytes.count))
    tail.bytes += index.bytes
    let indexFrameByteCount = tail.bytes.count
    tail.append(Self.seekTableFrameMagic)
    tail.append(
      UInt32((frames.count + 1) * Self.seekEntryByteCount + Self.seekFooterByteCount))
    for frame in frames {
      tail.append(UInt32(frame.byteCount))
      tail.append(UInt32(frame.tokenCount * tokenWidth.byteCount))
      tail.append(frame.checksum)
    }
    tail.append(UInt32(indexFrameByteCount))
    tail.append(UInt32(0))
    tail.append(Self.emptyChecksum)
    tail.append(UInt32(frames.count + 1))
    tail.bytes.append(Self.seekTableDescriptor)
    tail.append(Self.seekTableFooterMagic)
    return (tail.bytes, checksum)
  }
}

/// Appends little-endian numbers.
package struct ByteWriter {
  /// What was appended so far.
  package var bytes: [UInt8] = []

  /// Creates a writer that holds nothing.
  package init() {}

  /// Appends the bytes of `number`, the lowest first.
  package mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
