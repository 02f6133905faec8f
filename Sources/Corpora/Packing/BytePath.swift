#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A path as the system has it: bytes, which need not be UTF-8.
///
/// A `String` cannot hold every file name, and the name that it makes of other bytes belongs to no
/// file. So folders are walked in bytes.
package struct BytePath: Sendable {
  /// The path, with the 0 at its end that the system wants.
  private(set) var bytes: [CChar]

  package init(_ text: String) { bytes = Array(text.utf8CString) }

  /// The path of what is called `name` in this folder.
  func appending(_ name: BytePath) -> BytePath {
    var path = self
    path.bytes.removeLast()
    if path.bytes.last != CChar(UInt8(ascii: "/")) { path.bytes.append(CChar(UInt8(ascii: "/"))) }
    path.bytes += name.bytes
    return path
  }

  /// The path as text; nil where it is not UTF-8.
  var text: String? {
    String(validating: bytes.dropLast().lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The path as text to show, in which bytes that are not ASCII stand as `\xHH` where it is not
  /// UTF-8.
  var shown: String {
    if let text { return text }
    var shown = ""
    for byte in bytes.dropLast().map({ UInt8(bitPattern: $0) }) {
      if byte < 0x80 {
        shown.unicodeScalars.append(UnicodeScalar(byte))
      } else {
        shown += "\\x" + String(byte, radix: 16)
      }
    }
    return shown
  }

  /// Whether the name is hidden by its first byte.
  var isHidden: Bool { bytes.first == CChar(UInt8(ascii: ".")) }

  /// What stands at the path, links not followed; nil with errno where that cannot be said.
  func status() -> stat? {
    var status = stat()
    return lstat(bytes, &status) == 0 ? status : nil
  }

  /// The names in a folder, in no order.
  func names() throws(CorpusError) -> [BytePath] {
    guard let handle = opendir(bytes) else { throw .cannotOpen(path: shown, code: errno) }
    defer { closedir(handle) }
    var names: [BytePath] = []
    errno = 0
    while let entry = readdir(handle) {
      var name = BytePath("")
      withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        name.bytes = bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
      }
      if name.text != "." && name.text != ".." { names.append(name) }
      errno = 0
    }
    if errno != 0 { throw .cannotRead(path: shown, byteOffset: 0, code: errno) }
    return names
  }
}
