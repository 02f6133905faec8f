internal import CKernels

/// Finds bytes that are not UTF-8.
///
/// The standard library validates as it makes a `String`, which costs an allocation and a copy per
/// document; a packer needs neither.
package enum UTF8Validation {
  /// Returns the offset of the first byte of the first sequence that is not well-formed UTF-8, or
  /// nil.
  ///
  /// Well-formed is what table 3-7 of the Unicode Standard allows: no overlong forms, no
  /// surrogates, nothing above U+10FFFF, nothing cut short by the end.
  ///
  /// - Parameter bytes: any bytes.
  /// - Returns: an offset into `bytes`, or nil when all of them are UTF-8.
  /// - Complexity: O(n); 16 bytes at a time as long as they are ASCII.
  package static func firstInvalidOffset(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    let count = bytes.count
    var position = 0
    while position < count {
      position += headrace_ascii_count(
        (base + position).assumingMemoryBound(to: UInt8.self), count - position)
      // Text that is mostly not ASCII stays in this loop.
      while position < count, base.load(fromByteOffset: position, as: UInt8.self) >= 0x80 {
        let length = sequenceLength(base + position, available: count - position)
        if length == 0 { return position }
        position += length
      }
    }
    return nil
  }

  /// The length of the well-formed sequence at `pointer`, whose first byte is not ASCII; 0 when it
  /// is not well-formed.
  private static func sequenceLength(_ pointer: UnsafeRawPointer, available: Int) -> Int {
    func byte(_ offset: Int) -> UInt8 { pointer.load(fromByteOffset: offset, as: UInt8.self) }
    func continues(_ offset: Int) -> Bool { byte(offset) & 0xC0 == 0x80 }
    let first = byte(0)
    switch first {
    case 0xC2...0xDF:
      return available >= 2 && continues(1) ? 2 : 0
    case 0xE0...0xEF:
      guard available >= 3, continues(1), continues(2) else { return 0 }
      if first == 0xE0 && byte(1) < 0xA0 { return 0 }
      if first == 0xED && byte(1) > 0x9F { return 0 }
      return 3
    case 0xF0...0xF4:
      guard available >= 4, continues(1), continues(2), continues(3) else { return 0 }
      if first == 0xF0 && byte(1) < 0x90 { return 0 }
      if first == 0xF4 && byte(1) > 0x8F { return 0 }
      return 4
    default:
      return 0
    }
  }
}
