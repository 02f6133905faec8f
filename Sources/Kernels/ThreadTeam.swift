import CKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// How often a thread looks for what it waits for before it sleeps: about 40 microseconds.
///
/// Longer than the gap between two loops of a model, shorter than what anyone else would miss.
private let spinTurns: UInt32 = 2000

/// A fixed number of threads that split loops whose turns write different outputs.
///
/// Thread i of n gets the i-th of n contiguous ranges of almost equal length, always. So which
/// thread computes an output is a function of the counts alone, and no output has two writers.
/// Between loops the threads wait for some microseconds, then sleep.
///
/// Sound as `@unchecked Sendable`: all that changes lies in `board` and is read and written under
/// its mutex. One thread at a time may call ``run(count:minimumPerThread:_:)``.
package final class ThreadTeam: @unchecked Sendable {
  /// What a loop does: the thread's index, and the turns that are its own.
  package typealias Body = (_ thread: Int, _ range: Range<Int>) -> Void

  /// The number of threads, the caller's own among them.
  package let threadCount: Int
  private let board: UnsafeMutablePointer<Board>
  private var workers: [pthread_t] = []

  /// Starts `threadCount - 1` threads; the caller of a loop is the remaining one.
  ///
  /// - Precondition: `threadCount` is in [1, 1024]. A thread that the system refuses to start is
  ///   left out: its range is computed by the caller.
  package init(threadCount: Int) {
    precondition((1...1024).contains(threadCount), "no team of \(threadCount) threads")
    self.threadCount = threadCount
    board = .allocate(capacity: 1)
    board.initialize(to: Board())
    pthread_mutex_init(&board.pointee.mutex, nil)
    pthread_cond_init(&board.pointee.hasWork, nil)
    pthread_cond_init(&board.pointee.isDone, nil)
    for thread in 1..<max(threadCount, 1) where workers.count == thread - 1 {
      start(thread)
    }
  }

  deinit {
    pthread_mutex_lock(&board.pointee.mutex)
    board.pointee.isStopping = true
    pthread_cond_broadcast(&board.pointee.hasWork)
    pthread_mutex_unlock(&board.pointee.mutex)
    for worker in workers { pthread_join(worker, nil) }
    pthread_cond_destroy(&board.pointee.isDone)
    pthread_cond_destroy(&board.pointee.hasWork)
    pthread_mutex_destroy(&board.pointee.mutex)
    board.deinitialize(count: 1)
    board.deallocate()
  }

  /// Runs `body` on ranges that make up `0..<count`, and returns when all are done.
  ///
  /// - Parameters:
  ///   - count: the number of turns.
  ///   - minimumPerThread: a loop shorter than this per thread uses fewer threads, since waking one
  ///     costs some microseconds.
  ///   - body: what to do with a range. It must not call `run` on the same team.
  package func run(count: Int, minimumPerThread: Int = 1, _ body: Body) {
    guard count > 0 else { return }
    let parts = min(threadCount, max(1, count / max(minimumPerThread, 1)))
    guard parts > 1, !workers.isEmpty else {
      body(0, 0..<count)
      return
    }
    withoutActuallyEscaping(body) { body in
      // The address stays valid until `finish` returns, and no worker uses it after that.
      withUnsafePointer(to: body) { address in
        publish(address, count: count, parts: parts)
        body(0, Self.range(of: 0, among: parts, count: count))
        for thread in workers.count + 1..<max(parts, workers.count + 1) {
          body(thread, Self.range(of: thread, among: parts, count: count))
        }
        finish()
      }
    }
  }

  /// The turns of `thread` when `parts` threads share `count` of them.
  package static func range(of thread: Int, among parts: Int, count: Int) -> Range<Int> {
    count * thread / parts..<count * (thread + 1) / parts
  }

  private func publish(_ body: UnsafePointer<Body>, count: Int, parts: Int) {
    pthread_mutex_lock(&board.pointee.mutex)
    precondition(board.pointee.busyCount == 0, "a team runs one loop at a time")
    board.pointee.body = body
    board.pointee.count = count
    board.pointee.parts = parts
    headrace_publish(&board.pointee.busyCount, UInt64(workers.count))
    headrace_publish(&board.pointee.loop, board.pointee.loop &+ 1)
    pthread_cond_broadcast(&board.pointee.hasWork)
    pthread_mutex_unlock(&board.pointee.mutex)
  }

  private func finish() {
    _ = headrace_spin_until(&board.pointee.busyCount, 0, spinTurns)
    pthread_mutex_lock(&board.pointee.mutex)
    while board.pointee.busyCount > 0 {
      pthread_cond_wait(&board.pointee.isDone, &board.pointee.mutex)
    }
    board.pointee.body = nil
    pthread_mutex_unlock(&board.pointee.mutex)
  }

  private func start(_ thread: Int) {
    #if canImport(Darwin)
      var worker: pthread_t?
    #else
      var worker = pthread_t()
    #endif
    let argument = Unmanaged.passRetained(WorkerArgument(board: board, thread: thread))
    let status = pthread_create(&worker, nil, runWorker, argument.toOpaque())
    guard status == 0 else {
      argument.release()
      return
    }
    #if canImport(Darwin)
      if let worker { workers.append(worker) }
    #else
      workers.append(worker)
    #endif
  }
}

/// What the caller of a loop and the workers share.
private struct Board {
  var mutex = pthread_mutex_t()
  var hasWork = pthread_cond_t()
  var isDone = pthread_cond_t()
  /// Counts the loops, so that a worker knows a new one from the one it has done.
  var loop: UInt64 = 0
  var body: UnsafePointer<ThreadTeam.Body>?
  var count = 0
  var parts = 0
  /// How many workers have not yet reported that they are done with this loop.
  var busyCount: UInt64 = 0
  var isStopping = false
}

private final class WorkerArgument {
  // The team's; it outlives every worker.
  let board: UnsafeMutablePointer<Board>
  let thread: Int

  init(board: UnsafeMutablePointer<Board>, thread: Int) {
    self.board = board
    self.thread = thread
  }
}

#if canImport(Darwin)
  private func runWorker(_ pointer: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    work(Unmanaged<WorkerArgument>.fromOpaque(pointer).takeRetainedValue())
    return nil
  }
#else
  private func runWorker(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let pointer else { return nil }
    work(Unmanaged<WorkerArgument>.fromOpaque(pointer).takeRetainedValue())
    return nil
  }
#endif

/// One worker's life: sleep, do its range, report, until the team goes away.
private func work(_ argument: WorkerArgument) {
  let board = argument.board
  var done: UInt64 = 0
  pthread_mutex_lock(&board.pointee.mutex)
  while true {
    if board.pointee.loop == done && !board.pointee.isStopping {
      pthread_mutex_unlock(&board.pointee.mutex)
      _ = headrace_spin_while(&board.pointee.loop, done, spinTurns)
      pthread_mutex_lock(&board.pointee.mutex)
    }
    while board.pointee.loop == done && !board.pointee.isStopping {
      pthread_cond_wait(&board.pointee.hasWork, &board.pointee.mutex)
    }
    if board.pointee.isStopping { break }
    done = board.pointee.loop
    let body = board.pointee.body
    let (parts, count) = (board.pointee.parts, board.pointee.count)
    pthread_mutex_unlock(&board.pointee.mutex)
    if let body, argument.thread < parts {
      body.pointee(
        argument.thread, ThreadTeam.range(of: argument.thread, among: parts, count: count))
    }
    pthread_mutex_lock(&board.pointee.mutex)
    headrace_publish(&board.pointee.busyCount, board.pointee.busyCount - 1)
    if board.pointee.busyCount == 0 { pthread_cond_signal(&board.pointee.isDone) }
  }
  pthread_mutex_unlock(&board.pointee.mutex)
}
