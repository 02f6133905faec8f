internal import CKernels

/// A position in one line of JSON, and the steps that the grammar of RFC 8259 allows from there.
///
/// The cursor checks all of the grammar, also of what it skips, so that a damaged line is found
/// even where the damage lies in a field that nobody asked for.
struct JSONCursor {
  /// How deep arrays and objects may be nested: the limit of other readers, and no danger to a
  /// thread's stack.
  static let depthLimit = 256

  // The caller of the scanner owns the line, which outlives the cursor.
  let base: UnsafeRawPointer
  let count: Int
  var position = 0

  init(_ line: UnsafeRawBufferPointer, base: UnsafeRawPointer) {
    self.base = base
    count = line.count
  }

  /// The byte at the position, which must lie inside the line.
  @inline(__always)
  var byte: UInt8 { base.load(fromByteOffset: position, as: UInt8.self) }

  var isAtEnd: Bool { position >= count }

  /// A failure at the position: an unexpected byte, or the end.
  func unexpected() -> DocumentFailure {
    isAtEnd
      ? DocumentFailure(.unexpectedEnd, at: count)
      : DocumentFailure(.unexpectedByte(byte), at: position)
  }

  @inline(__always)
  mutating func skipWhitespace() {
    while position < count {
      switch byte {
      case 0x20, 0x09, 0x0D, 0x0A: position += 1
      default: return
      }
    }
  }

  /// Steps over `expected`, or fails.
  @inline(__always)
  mutating func take(_ expected: UInt8) throws(DocumentFailure) {
    if isAtEnd || byte != expected { throw unexpected() }
    position += 1
  }

  /// Steps over `expected` if it is there.
  @inline(__always)
  mutating func takes(_ expected: UInt8) -> Bool {
    if isAtEnd || byte != expected { return false }
    position += 1
    return true
  }

  /// Moves to the first quote, backslash or control character at or after the position.
  mutating func moveToSpecialByte() {
    position += headrace_plain_json_count(
      (base + position).assumingMemoryBound(to: UInt8.self), count - position)
  }

  /// Steps over the bytes of a string and its escapes of one character, up to whatever else there
  /// is, and writes what they stand for.
  ///
  /// - Returns: the number of bytes written, at most as many as were stepped over.
  mutating func takePlainBytes(to output: UnsafeMutableRawPointer) -> Int {
    var readByteCount = 0
    let count = headrace_unescape_json(
      output.assumingMemoryBound(to: UInt8.self),
      (base + position).assumingMemoryBound(to: UInt8.self), count - position, &readByteCount)
    position += readByteCount
    return count
  }

  /// Steps over a string whose opening quote is behind the cursor, and over its closing quote.
  ///
  /// - Returns: whether it holds an escape.
  mutating func skipString() throws(DocumentFailure) -> Bool {
    var hasEscapes = false
    while true {
      moveToSpecialByte()
      if isAtEnd { throw unexpected() }
      switch byte {
      case 0x22:
        position += 1
        return hasEscapes
      case 0x5C:
        hasEscapes = true
        try skipEscape()
      default:
        throw unexpected()
      }
    }
  }

  /// Steps over an escape; whether surrogates come in pairs is not looked at.
  private mutating func skipEscape() throws(DocumentFailure) {
    if position + 1 >= count { throw DocumentFailure(.unexpectedEnd, at: count) }
    switch base.load(fromByteOffset: position + 1, as: UInt8.self) {
    case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: position += 2
    case 0x75:
      _ = try hexadecimal(at: position + 2)
      position += 6
    default: throw DocumentFailure(.invalidEscape, at: position)
    }
  }

  /// The value of the four hexadecimal digits at `start`.
  func hexadecimal(at start: Int) throws(DocumentFailure) -> UInt32 {
    if start + 4 > count { throw DocumentFailure(.unexpectedEnd, at: count) }
    var value: UInt32 = 0
    for offset in start..<start + 4 {
      let digit = base.load(fromByteOffset: offset, as: UInt8.self)
      switch digit {
      case 0x30...0x39: value = value << 4 | UInt32(digit - 0x30)
      case 0x41...0x46: value = value << 4 | UInt32(digit - 0x41 + 10)
      case 0x61...0x66: value = value << 4 | UInt32(digit - 0x61 + 10)
      default: throw DocumentFailure(.invalidEscape, at: offset)
      }
    }
    return value
  }
}

extension JSONCursor {
  /// Steps over one value of any kind.
  mutating func skipValue(depth: Int) throws(DocumentFailure) {
    if isAtEnd { throw unexpected() }
    switch byte {
    case 0x22:
      position += 1
      _ = try skipString()
    case 0x7B: try skipObject(depth: depth)
    case 0x5B: try skipArray(depth: depth)
    case 0x74: try skipLiteral("true")
    case 0x66: try skipLiteral("false")
    case 0x6E: try skipLiteral("null")
    default: try skipNumber()
    }
  }

  private mutating func skipObject(depth: Int) throws(DocumentFailure) {
    if depth >= Self.depthLimit {
      throw DocumentFailure(.tooDeep(limit: Self.depthLimit), at: position)
    }
    position += 1
    skipWhitespace()
    if takes(0x7D) { return }
    while true {
      skipWhitespace()
      try take(0x22)
      _ = try skipString()
      skipWhitespace()
      try take(0x3A)
      skipWhitespace()
      try skipValue(depth: depth + 1)
      skipWhitespace()
      if takes(0x7D) { return }
      try take(0x2C)
    }
  }

  private mutating func skipArray(depth: Int) throws(DocumentFailure) {
    if depth >= Self.depthLimit {
      throw DocumentFailure(.tooDeep(limit: Self.depthLimit), at: position)
    }
    position += 1
    skipWhitespace()
    if takes(0x5D) { return }
    while true {
      skipWhitespace()
      try skipValue(depth: depth + 1)
      skipWhitespace()
      if takes(0x5D) { return }
      try take(0x2C)
    }
  }

  private mutating func skipLiteral(_ literal: StaticString) throws(DocumentFailure) {
    for offset in 0..<literal.utf8CodeUnitCount {
      if isAtEnd || byte != literal.utf8Start[offset] { throw unexpected() }
      position += 1
    }
  }

  private mutating func skipNumber() throws(DocumentFailure) {
    _ = takes(0x2D)
    if !takes(0x30) { try skipDigits() }
    if takes(0x2E) { try skipDigits() }
    if takes(0x65) || takes(0x45) {
      if !takes(0x2B) { _ = takes(0x2D) }
      try skipDigits()
    }
  }

  /// Steps over one digit or more.
  private mutating func skipDigits() throws(DocumentFailure) {
    if isAtEnd || !(0x30...0x39).contains(byte) { throw unexpected() }
    while !isAtEnd, (0x30...0x39).contains(byte) { position += 1 }
  }
}
