internal import CZstd

/// Returns one zstd frame with content size and, unless told otherwise, checksum.
func compressed(_ bytes: some Sequence<UInt8>, hasChecksum: Bool = true) -> [UInt8] {
  let content = Array(bytes)
  guard let context = ZSTD_createCCtx() else { fail("no memory for a context") }
  defer { ZSTD_freeCCtx(context) }
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, hasChecksum ? 1 : 0)
  var output = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
  let count = ZSTD_compress2(context, &output, output.count, content, content.count)
  guard ZSTD_isError(count) == 0 else { fail("the content does not compress") }
  return Array(output[..<count])
}

/// Returns frames that decompress to `bytes`, cut where `cuts` say, with a skippable frame between.
func compressed(_ bytes: [UInt8], cuts: [Int], hasChecksum: Bool) -> [UInt8] {
  var (output, begin) = ([UInt8](), 0)
  for cut in cuts.filter({ (1..<max(1, bytes.count)).contains($0) }).sorted() where cut > begin {
    output += compressed(bytes[begin..<cut], hasChecksum: hasChecksum)
    output += [0x50, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 1, 2]
    begin = cut
  }
  return output + compressed(bytes[begin...], hasChecksum: hasChecksum)
}
