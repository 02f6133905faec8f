internal import CKernels

extension StoredTokenType {
  /// The largest token that the type holds and the vocabulary has, as an unsigned number of the
  /// type's size: negative numbers are above it.
  private func largestToken(vocabularySize: Int) -> UInt64 {
    let largest: UInt64 =
      switch self {
      case .int8: UInt64(Int8.max)
      case .uint8: UInt64(UInt8.max)
      case .int16: UInt64(Int16.max)
      case .uint16: UInt64(UInt16.max)
      case .int32: UInt64(Int32.max)
      case .uint32: UInt64(UInt32.max)
      case .int64: UInt64(Int64.max)
      case .uint64: UInt64.max
      }
    return min(largest, UInt64(max(0, vocabularySize - 1)))
  }

  /// Writes `count` stored tokens as tokens of `width`.
  ///
  /// The stored tokens are little-endian and of any alignment; `destination` may be `source` itself
  /// if the two sizes are the same.
  ///
  /// - Returns: nil, or the place of the first token that a vocabulary of that size does not have.
  package func convert(
    _ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutableRawPointer,
    width: TokenWidth, vocabularySize: Int
  ) -> Int? {
    let largest = largest(source, count: count, into: destination, width: width)
    let allowed = largestToken(vocabularySize: vocabularySize)
    if largest <= allowed { return nil }
    // A source that was overwritten is as wide as what was written over it.
    return (0..<count).first { unsigned(at: $0, of: source) > allowed }
  }

  /// Writes the tokens; returns the largest as an unsigned number of the type's size.
  private func largest(
    _ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutableRawPointer,
    width: TokenWidth
  ) -> UInt64 {
    switch (byteCount, width) {
    case (1, .uint16): headrace_convert_u8_u16(destination, source, count)
    case (1, .uint32): headrace_convert_u8_u32(destination, source, count)
    case (2, .uint16) where source == UnsafeRawPointer(destination):
      headrace_largest_u16(source, count)
    case (2, .uint16): headrace_convert_u16_u16(destination, source, count)
    case (2, .uint32): headrace_convert_u16_u32(destination, source, count)
    case (4, .uint16): headrace_convert_u32_u16(destination, source, count)
    case (4, .uint32) where source == UnsafeRawPointer(destination):
      headrace_largest_u32(source, count)
    case (4, .uint32): headrace_convert_u32_u32(destination, source, count)
    case (_, .uint16): headrace_convert_u64_u16(destination, source, count)
    case (_, .uint32): headrace_convert_u64_u32(destination, source, count)
    }
  }

  /// The token at `position`, taken as an unsigned number of the type's size.
  private func unsigned(at position: Int, of source: UnsafeRawPointer) -> UInt64 {
    switch byteCount {
    case 1: UInt64(number(source, position, UInt8.self))
    case 2: UInt64(number(source, position, UInt16.self))
    case 4: UInt64(number(source, position, UInt32.self))
    default: number(source, position, UInt64.self)
    }
  }

  /// The token at `position` as it was meant; a UInt64 that an `Int` does not hold is `Int.max`.
  package func value(at position: Int, of source: UnsafeRawPointer) -> Int {
    let bits = unsigned(at: position, of: source)
    return switch self {
    case .int8: Int(Int8(truncatingIfNeeded: bits))
    case .int16: Int(Int16(truncatingIfNeeded: bits))
    case .int32: Int(Int32(truncatingIfNeeded: bits))
    case .int64: Int(Int64(truncatingIfNeeded: bits))
    case .uint8, .uint16, .uint32, .uint64: Int(clamping: bits)
    }
  }
}

/// A little-endian number of a row of them.
private func number<Number: FixedWidthInteger>(
  _ source: UnsafeRawPointer, _ position: Int, _ type: Number.Type
) -> Number {
  Number(
    littleEndian: source.loadUnaligned(
      fromByteOffset: position * MemoryLayout<Number>.size, as: type))
}
