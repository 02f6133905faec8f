/// How many threads may hold a large document at once.
///
/// Reading needs a small buffer per thread, but a document of the allowed maximum needs a large
/// one. Were every thread given room for that, memory would grow with threads × maximum; instead
/// the few threads that meet one take turns.
package final class LargeDocumentAllowance: @unchecked Sendable {
  // Sound because `free` is only touched with the monitor locked.
  private let monitor = Monitor()
  private var free: Int

  /// Creates an allowance for `count` threads, at least one.
  package init(count: Int) { free = max(1, count) }

  /// Waits until fewer than the allowed number of threads hold one.
  ///
  /// A thread takes it once at a time.
  func acquire() {
    monitor.lock()
    while free == 0 { monitor.wait() }
    free -= 1
    monitor.unlock()
  }

  /// Gives back what ``acquire()`` took.
  func release() {
    monitor.lock()
    free += 1
    monitor.broadcast()
    monitor.unlock()
  }
}
