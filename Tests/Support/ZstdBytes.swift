internal import CZstd

/// Returns one zstd frame of `bytes`, with its checksum and its content's size in the header unless
/// told otherwise.
package func zstdFrame(
  _ bytes: [UInt8], level: Int32 = 3, hasChecksum: Bool = true, recordsSize: Bool = true
) -> [UInt8] {
  guard let context = ZSTD_createCCtx() else { return [] }
  defer { ZSTD_freeCCtx(context) }
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, hasChecksum ? 1 : 0)
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, recordsSize ? 1 : 0)
  return [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
    count = ZSTD_compress2(context, buffer.baseAddress, buffer.count, bytes, bytes.count)
  }
}

/// Returns a skippable frame.
package func skippableFrame(_ content: [UInt8]) -> [UInt8] {
  let count = UInt32(content.count)
  return [0x50, 0x2A, 0x4D, 0x18] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
    + content
}
