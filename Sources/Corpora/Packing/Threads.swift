internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A thread that runs one closure and is then joined.
struct Thread: ~Copyable {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let id: pthread_t

  /// Starts a thread; nil where the system has none to give.
  init?(_ run: @escaping @Sendable () -> Void) {
    let body = Unmanaged.passRetained(Body(run))
    #if canImport(Darwin)
      var id: pthread_t?
    #else
      var id = pthread_t()
    #endif
    let code = pthread_create(
      &id, nil,
      { argument in
        #if canImport(Darwin)
          let pointer: UnsafeMutableRawPointer? = argument
        #else
          let pointer = argument
        #endif
        if let pointer { Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    #if canImport(Darwin)
      guard code == 0, let id else {
        body.release()
        return nil
      }
    #else
      if code != 0 {
        body.release()
        return nil
      }
    #endif
    self.id = id
  }

  /// Waits until the closure has returned.
  consuming func join() { pthread_join(id, nil) }
}

/// The first error of several threads, which also tells the others to stop.
final class FirstFailure: Sendable {
  private let error = Mutex<CorpusError?>(nil)
  private let flag = Atomic(false)

  /// Whether a thread has failed.
  var hasFailed: Bool { flag.load(ordering: .relaxed) }

  /// Keeps `failure` unless there is one already.
  func record(_ failure: CorpusError) {
    error.withLock { if $0 == nil { $0 = failure } }
    flag.store(true, ordering: .relaxed)
  }

  /// Throws what was kept.
  func check() throws(CorpusError) {
    if let failure = error.withLock({ $0 }) { throw failure }
  }
}

/// Runs `body` on `count` threads, the caller's being one of them, and waits for all.
///
/// Where the system gives fewer threads, fewer run: the work is shared out by whoever is there.
func runOnThreads(
  _ count: Int, _ body: @escaping @Sendable () throws(CorpusError) -> Void
) throws(CorpusError) {
  let failure = FirstFailure()
  let guarded: @Sendable () -> Void = {
    do throws(CorpusError) { try body() } catch { failure.record(error) }
  }
  joining(count - 1, guarded)
  try failure.check()
}

/// Starts `extra` threads one after the other, runs `body` itself, and joins them on the way back.
private func joining(_ extra: Int, _ body: @escaping @Sendable () -> Void) {
  guard extra > 0, let thread = Thread(body) else {
    body()
    return
  }
  joining(extra - 1, body)
  thread.join()
}
