internal import CKernels

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Takes the text out of lines that each hold one JSON object.
///
/// It walks the top-level keys, skips the values that it does not want, and
/// undoes the escapes of the one it wants. A line is checked whole: UTF-8, the grammar of RFC 8259,
/// and nothing but white space after the object.
///
/// 1. Where the field stands twice, the last one counts, as in most JSON readers.
/// 2. A surrogate that stands alone has no UTF-8 form, and is a fault in the field that is wanted.
/// 3. White space around the object, a carriage return before the line's end included, is allowed.
package struct JSONLineScanner: ~Copyable {
  /// The name of the field that holds the text.
  package let field: String
  private let fieldBytes: [UInt8]
  private var unescaped: TextBuffer
  /// A key that holds an escape; not in `unescaped`, where the text may already lie.
  private var unescapedKey: TextBuffer

  /// Creates a scanner for the field of that name.
  package init(field: String) {
    self.field = field
    fieldBytes = Array(field.utf8)
    unescaped = TextBuffer(capacity: 64 << 10)
    unescapedKey = TextBuffer(capacity: 64)
  }

  /// Whether a line holds nothing but white space, and so no document.
  static func isBlank(_ line: UnsafeRawBufferPointer) -> Bool {
    line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
  }

  /// Returns the text of one line's object.
  ///
  /// - Parameter line: one line, without its newline, not blank.
  /// - Returns: bytes that lie in `line` or in the scanner, and are good until the next call.
  /// - Throws: what is wrong with the line, and at which of its bytes.
  /// - Complexity: O(n), without allocation once the scanner has seen its longest text.
  package mutating func text(
    of line: UnsafeRawBufferPointer
  ) throws(DocumentFailure) -> UnsafeRawBufferPointer {
    if let offset = UTF8Validation.firstInvalidOffset(line) {
      throw DocumentFailure(.invalidUTF8, at: offset)
    }
    guard let base = line.baseAddress else { throw DocumentFailure(.unexpectedEnd, at: 0) }
    var cursor = JSONCursor(line, base: base)
    var text: UnsafeRawBufferPointer?
    cursor.skipWhitespace()
    try cursor.take(0x7B)
    cursor.skipWhitespace()
    if !cursor.takes(0x7D) {
      repeat {
        cursor.skipWhitespace()
        let isWanted = try takeKey(&cursor)
        cursor.skipWhitespace()
        try cursor.take(0x3A)
        cursor.skipWhitespace()
        if isWanted {
          text = try takeText(&cursor)
        } else {
          try cursor.skipValue(depth: 1)
        }
        cursor.skipWhitespace()
      } while cursor.takes(0x2C)
      try cursor.take(0x7D)
    }
    cursor.skipWhitespace()
    if !cursor.isAtEnd { throw cursor.unexpected() }
    guard let text else { throw DocumentFailure(.missingField(name: field), at: 0) }
    return text
  }

  /// Gives back the memory that one very long text took.
  package mutating func shrink(to byteCount: Int) { unescaped.shrink(to: byteCount) }

  /// The bytes that the scanner holds on to.
  package var byteCount: Int { unescaped.capacity }

  /// Steps over a key.
  ///
  /// - Returns: whether it is the wanted one.
  private mutating func takeKey(_ cursor: inout JSONCursor) throws(DocumentFailure) -> Bool {
    try cursor.take(0x22)
    let start = cursor.position
    let hasEscapes = try cursor.skipString()
    let length = cursor.position - 1 - start
    if hasEscapes {
      // No escape is longer than six times what it stands for.
      if length > 6 * fieldBytes.count { return false }
      cursor.position = start
      return try Self.string(&cursor, limit: length, scratch: &unescapedKey)
        .elementsEqual(fieldBytes)
    }
    return length == fieldBytes.count
      && fieldBytes.withUnsafeBytes { bytes in
        guard let wanted = bytes.baseAddress else { return true }
        return memcmp(cursor.base + start, wanted, length) == 0
      }
  }

  private mutating func takeText(
    _ cursor: inout JSONCursor
  ) throws(DocumentFailure) -> UnsafeRawBufferPointer {
    let start = cursor.position
    guard cursor.takes(0x22) else {
      try cursor.skipValue(depth: 1)
      throw DocumentFailure(.fieldNotString(name: field), at: start)
    }
    return try Self.string(&cursor, limit: cursor.count - start, scratch: &unescaped)
  }

  /// Steps over a string whose opening quote is behind the cursor, and undoes its escapes.
  ///
  /// A string without escapes is not copied. `limit` bounds its length: no escape is shorter than
  /// what it stands for.
  private static func string(
    _ cursor: inout JSONCursor, limit: Int, scratch: inout TextBuffer
  ) throws(DocumentFailure) -> UnsafeRawBufferPointer {
    let start = cursor.position
    cursor.moveToSpecialByte()
    if !cursor.isAtEnd && cursor.byte == 0x22 {
      cursor.position += 1
      let count = cursor.position - 1 - start
      return UnsafeRawBufferPointer(start: cursor.base + start, count: count)
    }
    scratch.reserve(limit + Int(HEADRACE_JSON_SURPLUS), keeping: 0)
    let output = scratch.base
    var length = cursor.position - start
    output.copyMemory(from: cursor.base + start, byteCount: length)
    while true {
      length += cursor.takePlainBytes(to: output + length)
      if cursor.isAtEnd { throw cursor.unexpected() }
      switch cursor.byte {
      case 0x22:
        cursor.position += 1
        return UnsafeRawBufferPointer(start: output, count: length)
      case 0x5C:
        length += try unescapeUnicode(&cursor, to: output + length)
      default:
        throw cursor.unexpected()
      }
    }
  }

  /// Steps over an escape of a number, the only kind that is not plain, and writes what it stands
  /// for.
  ///
  /// - Returns: the number of bytes written, at most 4.
  private static func unescapeUnicode(
    _ cursor: inout JSONCursor, to output: UnsafeMutableRawPointer
  ) throws(DocumentFailure) -> Int {
    if cursor.position + 1 >= cursor.count {
      throw DocumentFailure(.unexpectedEnd, at: cursor.count)
    }
    guard cursor.base.load(fromByteOffset: cursor.position + 1, as: UInt8.self) == 0x75 else {
      throw DocumentFailure(.invalidEscape, at: cursor.position)
    }
    let start = cursor.position
    var value = try cursor.hexadecimal(at: start + 2)
    cursor.position = start + 6
    if (0xD800...0xDFFF).contains(value) {
      let isPair =
        value <= 0xDBFF && start + 8 <= cursor.count
        && cursor.base.load(fromByteOffset: start + 6, as: UInt8.self) == 0x5C
        && cursor.base.load(fromByteOffset: start + 7, as: UInt8.self) == 0x75
      guard isPair else { throw DocumentFailure(.loneSurrogate, at: start) }
      let low = try cursor.hexadecimal(at: start + 8)
      guard (0xDC00...0xDFFF).contains(low) else {
        throw DocumentFailure(.loneSurrogate, at: start)
      }
      value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      cursor.position = start + 12
    }
    // A scalar: surrogates are gone, and four digits or a pair reach U+10FFFF at most.
    guard let scalar = UnicodeScalar(value), let bytes = UTF8.encode(scalar) else {
      throw DocumentFailure(.loneSurrogate, at: start)
    }
    var length = 0
    for byte in bytes {
      output.storeBytes(of: byte, toByteOffset: length, as: UInt8.self)
      length += 1
    }
    return length
  }
}
