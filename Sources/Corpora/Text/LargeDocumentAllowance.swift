#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// How many threads may hold a large document at once.
///
/// Reading needs a small buffer per thread, but a document of the allowed maximum needs a large
/// one. Were every thread given room for that, memory would grow with threads × maximum; instead
/// the few threads that meet one take turns.
package final class LargeDocumentAllowance: Sendable {
  // Sound because the pointees are a pthread mutex and a condition, which exist to be shared, and
  // `free` is only touched with the mutex held.
  nonisolated(unsafe) private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(
    capacity: 1)
  nonisolated(unsafe) private let condition =
    UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  nonisolated(unsafe) private let free = UnsafeMutablePointer<Int>.allocate(capacity: 1)

  /// Creates an allowance for `count` threads, at least one.
  package init(count: Int) {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    free.initialize(to: max(1, count))
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
    condition.deallocate()
    free.deallocate()
  }

  /// Waits until fewer than the allowed number of threads hold one.
  ///
  /// A thread takes it once at a time.
  func acquire() {
    pthread_mutex_lock(mutex)
    while free.pointee == 0 { pthread_cond_wait(condition, mutex) }
    free.pointee -= 1
    pthread_mutex_unlock(mutex)
  }

  /// Gives back what ``acquire()`` took.
  func release() {
    pthread_mutex_lock(mutex)
    free.pointee += 1
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }
}
