internal import CKernels
internal import Corpora

/// The widening copy from one token width to one element type.
struct RowCopy {
  private enum Form {
    case from16To16, from16To32, from16To64, from32To32, from32To64
  }

  private let form: Form

  init(from width: TokenWidth, to type: TokenType) {
    switch (width, type) {
    case (.uint16, .uint16): form = .from16To16
    case (.uint16, .uint32), (.uint16, .int32): form = .from16To32
    case (.uint16, .int64): form = .from16To64
    case (.uint32, .uint32), (.uint32, .int32): form = .from32To32
    case (.uint32, .int64): form = .from32To64
    case (.uint32, .uint16):
      preconditionFailure("a loader refuses to narrow tokens when it is made")
    }
  }

  /// Copies `count` tokens that begin at token `position` of `memory`.
  @inline(__always)
  func callAsFunction(
    _ memory: UnsafeRawPointer, at position: Int, upcoming: Int,
    into destination: UnsafeMutableRawPointer, count: Int
  ) {
    let narrow = memory.assumingMemoryBound(to: UInt16.self)
    let wide = memory.assumingMemoryBound(to: UInt32.self)
    switch form {
    case .from16To16:
      headrace_copy_u16_u16(
        destination.assumingMemoryBound(to: UInt16.self), narrow + position, count,
        narrow + upcoming)
    case .from16To32:
      headrace_copy_u16_u32(
        destination.assumingMemoryBound(to: UInt32.self), narrow + position, count,
        narrow + upcoming)
    case .from16To64:
      headrace_copy_u16_i64(
        destination.assumingMemoryBound(to: Int64.self), narrow + position, count,
        narrow + upcoming)
    case .from32To32:
      headrace_copy_u32_u32(
        destination.assumingMemoryBound(to: UInt32.self), wide + position, count, wide + upcoming)
    case .from32To64:
      headrace_copy_u32_i64(
        destination.assumingMemoryBound(to: Int64.self), wide + position, count, wide + upcoming)
    }
  }
}
