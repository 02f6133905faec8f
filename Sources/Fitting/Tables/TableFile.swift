#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Files of this module that are read whole.
package enum TableFile {
  private static let portion = 1 << 20

  /// Returns the bytes of a file that has at most so many.
  ///
  /// - Parameters:
  ///   - path: where the file is.
  ///   - byteLimit: the most bytes that it may have.
  /// - Returns: its bytes.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with what went wrong.
  package static func read(_ path: String, byteLimit: Int) throws(FittingError) -> [UInt8] {
    guard let file = fopen(path, "rb") else {
      throw .table(path: path, line: nil, fault: .unreadable(errorNumber: errno))
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while true {
      let wanted = min(portion, byteLimit + 1 - bytes.count)
      let part = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        count = fread(buffer.baseAddress, 1, wanted, file)
      }
      if ferror(file) != 0 {
        throw .table(path: path, line: nil, fault: .unreadable(errorNumber: errno))
      }
      bytes += part
      guard bytes.count <= byteLimit else {
        throw .table(path: path, line: nil, fault: .tooLarge(byteLimit: byteLimit))
      }
      guard part.count == wanted else { return bytes }
    }
  }
}
