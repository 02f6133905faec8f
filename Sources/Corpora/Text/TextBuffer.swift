/// Bytes of one reused allocation.
///
/// `[UInt8]` would zero what it grows by and check each write; the scanner's inner loop, in C,
/// writes sixteen bytes at a time.
///
/// Sound to send between threads because it alone owns its memory and has no copies.
package struct TextBuffer: ~Copyable, @unchecked Sendable {
  /// The first byte; `capacity` bytes belong to the buffer.
  package private(set) var base: UnsafeMutableRawPointer
  /// How many bytes may be written from `base` on.
  package private(set) var capacity: Int

  /// Makes a buffer of `capacity` bytes, whose contents are undefined.
  package init(capacity: Int) {
    self.capacity = max(capacity, 64)
    base = .allocate(byteCount: self.capacity, alignment: 16)
  }

  deinit { base.deallocate() }

  /// Makes room for `wanted` bytes in all, keeping the first `kept`.
  package mutating func reserve(_ wanted: Int, keeping kept: Int) {
    if wanted <= capacity { return }
    replace(with: wanted, keeping: kept)
  }

  /// Gives memory back until `wanted` bytes are left; what the buffer held is lost.
  package mutating func shrink(to wanted: Int) {
    if wanted >= capacity { return }
    replace(with: wanted, keeping: 0)
  }

  private mutating func replace(with wanted: Int, keeping kept: Int) {
    precondition(kept <= capacity && kept <= wanted, "cannot keep \(kept) of \(capacity) bytes")
    let grown = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
    grown.copyMemory(from: base, byteCount: kept)
    base.deallocate()
    base = grown
    capacity = wanted
  }
}
