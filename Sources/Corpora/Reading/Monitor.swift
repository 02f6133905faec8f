#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A lock with a condition to wait for.
package final class Monitor: @unchecked Sendable {
  // Sound: both pointers are set once, and POSIX lets any thread use what they point to.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  package init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    #if canImport(Glibc)
      pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    #endif
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  package func lock() { pthread_mutex_lock(mutex) }

  package func unlock() { pthread_mutex_unlock(mutex) }

  /// Wakes every thread that waits.
  package func broadcast() { pthread_cond_broadcast(condition) }

  /// Waits, with the lock held, until another thread broadcasts.
  package func wait() { pthread_cond_wait(condition, mutex) }

  /// Waits, with the lock held, until another thread broadcasts or the clock passes `deadline`;
  /// false if the latter.
  package func wait(until deadline: Deadline) -> Bool {
    var time = deadline.time
    return pthread_cond_timedwait(condition, mutex, &time) == 0
  }
}

/// A point in time, for deadlines; it has no meaning beyond this process.
package struct Moment: Sendable, Comparable {
  fileprivate let time: timespec

  /// Now.
  package init() {
    var now = timespec()
    #if canImport(Glibc)
      clock_gettime(CLOCK_MONOTONIC, &now)
    #else
      clock_gettime(CLOCK_REALTIME, &now)
    #endif
    time = now
  }

  package static func < (first: Moment, second: Moment) -> Bool {
    (first.time.tv_sec, first.time.tv_nsec) < (second.time.tv_sec, second.time.tv_nsec)
  }

  package static func == (first: Moment, second: Moment) -> Bool {
    (first.time.tv_sec, first.time.tv_nsec) == (second.time.tv_sec, second.time.tv_nsec)
  }
}

/// A moment after which a wait is given up.
package struct Deadline: Sendable {
  fileprivate let time: timespec

  /// A moment `milliseconds` after another, which is now unless it is given.
  package init(inMilliseconds milliseconds: Int, after moment: Moment = Moment()) {
    let nanoseconds = moment.time.tv_nsec + milliseconds % 1000 * 1_000_000
    time = timespec(
      tv_sec: moment.time.tv_sec + milliseconds / 1000 + nanoseconds / 1_000_000_000,
      tv_nsec: nanoseconds % 1_000_000_000)
  }

  /// Whether the moment has passed.
  package var isPast: Bool {
    let now = Moment().time
    return (now.tv_sec, now.tv_nsec) >= (time.tv_sec, time.tv_nsec)
  }
}

/// Starts a thread that runs `body` and is never joined.
///
/// - Returns: false where the system has no thread to give.
package func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
  let argument = Unmanaged.passRetained(Body(body))
  #if canImport(Glibc)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { pointer in
        guard let pointer else { return nil }
        Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run()
        return nil
      }, argument.toOpaque())
    guard code == 0 else {
      argument.release()
      return false
    }
    pthread_detach(thread)
  #else
    var thread: pthread_t?
    let code = pthread_create(
      &thread, nil,
      { pointer in
        Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run()
        return nil
      }, argument.toOpaque())
    guard code == 0, let thread else {
      argument.release()
      return false
    }
    pthread_detach(thread)
  #endif
  return true
}
