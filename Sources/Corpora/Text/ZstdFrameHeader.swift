internal import CZstd

/// What the header of a zstd frame that holds content says.
package struct ZstdFrameHeader: Sendable, Equatable {
  /// The bytes that the frame decodes to, if the header says.
  package let contentByteCount: Int?
  /// Whether the frame ends with a checksum of its content.
  package let hasChecksum: Bool
  /// The bytes that a decoder must keep of what it has decoded; nil where that is all of it.
  private let windowByteCount: Int?

  /// Whether the frame needs a larger window than libzstd takes unasked, 128 MiB.
  ///
  /// libzstd itself looks only where it decodes piece by piece, so that whether it refuses such a
  /// frame depends on how much room it was given.
  var needsTooLargeWindow: Bool { windowByteCount ?? 0 > 1 << 27 }

  /// Magic, descriptor, window, dictionary and content size at their longest.
  private static let byteLimit = 18

  /// Reads the header at `byteOffset`; nil if no frame begins there that holds content.
  init?(_ file: FileReader, at byteOffset: Int) throws(CorpusError) {
    let bytes = try file.bytes(
      at: byteOffset, count: max(0, min(Self.byteLimit, file.byteCount - byteOffset)))
    guard bytes.count > 4, Self.number(in: bytes, at: 0) == ZSTD_MAGICNUMBER else { return nil }
    hasChecksum = bytes[4] & 4 != 0
    // RFC 8878, section 3.1.1.1.2: three bits of mantissa below five of exponent.
    let isSingleSegment = bytes[4] & 0x20 != 0
    windowByteCount =
      isSingleSegment || bytes.count < 6 ? nil : (8 + Int(bytes[5] & 7)) << (7 + Int(bytes[5] >> 3))
    let size = bytes.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
    // libzstd's two values for "unknown" and "error" are the largest there are.
    contentByteCount = Int(exactly: size)
  }

  /// Returns the header of a file's first frame that holds content; nil if there is none, as in a
  /// file that is not zstd.
  package static func first(of file: FileReader) throws(CorpusError) -> ZstdFrameHeader? {
    var position = 0
    while position + 9 <= file.byteCount {
      if let header = try ZstdFrameHeader(file, at: position) { return header }
      let head = try file.bytes(at: position, count: 8)
      guard number(in: head, at: 0) & 0xFFFF_FFF0 == 0x184D_2A50 else { return nil }
      position += 8 + Int(number(in: head, at: 4))
    }
    return nil
  }

  private static func number(in bytes: [UInt8], at place: Int) -> UInt32 {
    bytes.withUnsafeBytes {
      UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }
  }
}
