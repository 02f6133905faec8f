internal import Synchronization

/// The first error of several threads, which also tells the others to stop.
final class FirstFailure: Sendable {
  private let error = Locked<CorpusError?>(nil)
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
  try withHelpers(count - 1, guarded) { () throws(CorpusError) in guarded() }
  try failure.check()
}

/// Runs `body` while `helper` runs on up to `count` more threads, and waits for all of them.
func withHelpers<Value>(
  _ count: Int, _ helper: @escaping @Sendable () -> Void,
  _ body: () throws(CorpusError) -> Value
) throws(CorpusError) -> Value {
  let running = RunningCount()
  defer { running.waitForNone() }
  for _ in 0..<max(0, count) {
    running.add(1)
    let isStarted = startThread {
      helper()
      running.add(-1)
    }
    if !isStarted {
      running.add(-1)
      break
    }
  }
  return try body()
}

/// How many threads have not come to their end.
private final class RunningCount: @unchecked Sendable {
  // Sound because `count` is only touched with the monitor locked.
  private let monitor = Monitor()
  private var count = 0

  func add(_ change: Int) {
    monitor.lock()
    count += change
    monitor.broadcast()
    monitor.unlock()
  }

  func waitForNone() {
    monitor.lock()
    while count > 0 { monitor.wait() }
    monitor.unlock()
  }
}
