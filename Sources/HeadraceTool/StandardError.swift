#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Where progress, notes and errors go, so that standard output holds results alone.
enum StandardError {
  /// Whether a person watches it.
  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// Writes `text` as it is.
  static func write(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var bytes = UnsafeRawBufferPointer(bytes)
      while !bytes.isEmpty {
        #if canImport(Glibc)
          let count = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        #else
          let count = Darwin.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        #endif
        // What cannot be shown must not stop the work.
        guard count > 0 else { return }
        bytes = UnsafeRawBufferPointer(rebasing: bytes[count...])
      }
    }
  }
}
