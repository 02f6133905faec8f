internal import Corpora

/// An input, taken from its beginning; behind its end stand zeros.
package struct FuzzInput: Sendable {
  /// What was not taken yet.
  private(set) var rest: ArraySlice<UInt8>

  /// Begins with the first byte.
  package init(_ bytes: [UInt8]) { rest = bytes[...] }

  /// Takes a byte.
  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  /// Takes a little-endian number.
  mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_ type: Number.Type) -> Number {
    var value: Number = 0
    for place in 0..<MemoryLayout<Number>.size {
      value |= Number(truncatingIfNeeded: byte()) << Number(8 * place)
    }
    return value
  }

  /// Takes bytes: as many, or as many as there are.
  mutating func take(_ count: Int) -> [UInt8] {
    let taken = Array(rest.prefix(count))
    rest = rest.dropFirst(count)
    return taken
  }

  /// Takes one of several values.
  mutating func choice<Value>(of values: [Value]) -> Value {
    values[Int(byte()) % values.count]
  }
}

/// Options that an input begins with, one bit each.
struct FuzzOptions: OptionSet {
  let rawValue: UInt8

  /// Checksums and sizes are made right, so that what lies behind them is reached.
  static let repairs = FuzzOptions(rawValue: 1)
  /// Tokens of four bytes in place of two.
  static let wide = FuzzOptions(rawValue: 2)
  /// What the parser's own comment says.
  static let first = FuzzOptions(rawValue: 4)
  static let second = FuzzOptions(rawValue: 8)
  static let third = FuzzOptions(rawValue: 16)
  static let fourth = FuzzOptions(rawValue: 32)

  var width: TokenWidth { contains(.wide) ? .uint32 : .uint16 }
}

extension [UInt8] {
  /// The little-endian number at `byteOffset`; nil where there is none.
  func number<Number: FixedWidthInteger>(at byteOffset: Int, _ type: Number.Type) -> Number? {
    guard byteOffset >= 0, byteOffset <= count - MemoryLayout<Number>.size else { return nil }
    return withUnsafeBytes {
      Number(littleEndian: $0.loadUnaligned(fromByteOffset: byteOffset, as: type))
    }
  }

  /// Writes a little-endian number where there is room for it.
  mutating func set<Number: FixedWidthInteger>(_ value: Number, at byteOffset: Int) {
    guard byteOffset >= 0, byteOffset <= count - MemoryLayout<Number>.size else { return }
    withUnsafeMutableBytes {
      $0.storeBytes(of: value.littleEndian, toByteOffset: byteOffset, as: Number.self)
    }
  }
}
