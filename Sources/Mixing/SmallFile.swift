#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Files that are read whole.
enum SmallFile {
  private static let portion = 1 << 20

  /// Returns the bytes of a file that has at most so many.
  ///
  /// - Throws: ``MixingError/fileUnreadable(path:errorNumber:)`` or
  ///   ``MixingError/fileTooLarge(path:byteLimit:)``.
  static func read(_ path: String, byteLimit: Int) throws(MixingError) -> [UInt8] {
    guard let file = fopen(path, "rb") else {
      throw .fileUnreadable(path: path, errorNumber: errno)
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while true {
      let wanted = min(portion, byteLimit + 1 - bytes.count)
      let part = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        count = fread(buffer.baseAddress, 1, wanted, file)
      }
      if ferror(file) != 0 { throw .fileUnreadable(path: path, errorNumber: errno) }
      bytes += part
      guard bytes.count <= byteLimit else { throw .fileTooLarge(path: path, byteLimit: byteLimit) }
      guard part.count == wanted else { return bytes }
    }
  }
}
