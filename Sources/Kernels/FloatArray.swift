/// A fixed number of floats in memory that starts at a cache line, zero at first.
///
/// A class, so that views of it (``Matrix``) stay valid while any of them lives and nothing is ever
/// copied by accident. Kernels write it through its address.
///
/// Sound as `@unchecked Sendable`: the address and the count never change. Whoever writes elements
/// from several threads gives each thread elements of its own, as ``ThreadTeam`` does.
package final class FloatArray: @unchecked Sendable {
  /// The number of elements.
  package let count: Int
  /// The first element; 64-byte aligned, valid while the array lives.
  package let start: UnsafeMutablePointer<Float>

  /// Creates an array of `count` zeros.
  package init(count: Int) {
    precondition(count >= 0, "an array cannot have \(count) elements")
    self.count = count
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: max(count, 1) * MemoryLayout<Float>.stride, alignment: 64)
    start = memory.bindMemory(to: Float.self, capacity: max(count, 1))
    start.initialize(repeating: 0, count: max(count, 1))
  }

  /// Creates an array with the elements of `values`.
  package convenience init(_ values: [Float]) {
    self.init(count: values.count)
    for (index, value) in values.enumerated() { start[index] = value }
  }

  deinit { UnsafeMutableRawPointer(start).deallocate() }

  /// The elements as a buffer that is valid while the array lives.
  package var buffer: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: start, count: count)
  }

  /// A copy of the elements.
  package var values: [Float] { Array(buffer) }

  /// The element at `index`, checked.
  package subscript(index: Int) -> Float {
    get {
      precondition(index >= 0 && index < count, "no element \(index) among \(count)")
      return start[index]
    }
    set {
      precondition(index >= 0 && index < count, "no element \(index) among \(count)")
      start[index] = newValue
    }
  }

  /// Sets every element to `value`.
  package func fill(_ value: Float) { start.update(repeating: value, count: count) }
}
