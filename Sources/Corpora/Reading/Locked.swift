/// A value that one thread at a time uses.
///
/// In place of the standard library's `Mutex`: on Linux ThreadSanitizer does not see that one's
/// futex, and takes whatever passes from thread to thread through it for a race. A check that
/// cries wolf finds nothing.
package final class Locked<Value: ~Copyable>: @unchecked Sendable {
  // Sound: `value` is only touched with `monitor` locked.
  private let monitor = Monitor()
  private var value: Value

  /// Takes the value, which nobody else uses from now on.
  package init(_ value: consuming sending Value) { self.value = value }

  /// Calls `body` with the value, while no other thread does.
  ///
  /// - Parameter body: what is done; it must not come back here.
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws.
  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    monitor.lock()
    defer { monitor.unlock() }
    return try body(&value)
  }
}
