internal import CZstd

extension FileReader {
  /// Whether the first zstd frame that holds content ends with a checksum of it.
  ///
  /// false for a file that is not zstd.
  func firstFrameHasChecksum() throws(CorpusError) -> Bool {
    var position = 0
    while position + 9 <= byteCount {
      let head = try bytes(at: position, count: 9)
      let (magic, size) = head.withUnsafeBytes {
        (
          UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt32.self)),
          UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        )
      }
      if magic == ZSTD_MAGICNUMBER { return head[4] & 4 != 0 }
      guard magic & 0xFFFF_FFF0 == 0x184D_2A50 else { return false }
      position += 8 + Int(size)
    }
    return false
  }
}
