#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Threads that make the calls which may wait for the storage, so that who needs the bytes can stop
/// waiting.
///
/// There are as many as calls were waited for at once. One whose call was given up is left alone
/// with it; should the call come back, the thread serves again. When too many hang, no further call
/// is begun, so that storage which hangs for days costs a bounded number of threads; the files that
/// could not be closed wait for one that is.
final class ReadingThreads: Sendable {
  /// The most calls that may hang before no other is begun.
  static let hangLimit = 64

  let crew = ReadingCrew()

  deinit { crew.stop() }

  /// Makes a call, such as to open a file.
  ///
  /// What the call gives after it was given up is let go of.
  func call<Value: Sendable>(
    _ stage: Stall.Stage, path: String, timeoutInMilliseconds: Int,
    _ body: @escaping @Sendable () throws(CorpusError) -> Value
  ) throws(CorpusError) -> Value {
    let stall = Stall(stage, path: path, timeoutInMilliseconds: timeoutInMilliseconds)
    guard let thread = try crew.take(for: stall) else {
      throw .cannotOpen(path: path, code: EAGAIN)
    }
    let answer = Answer<Value>()
    let outcome = try finish(.call { answer.note(body) }, by: thread, or: stall)
    defer { crew.giveBack(thread) }
    guard case .called = outcome, let result = answer.result else {
      preconditionFailure("a call for \(path) came to \(outcome)")
    }
    return try result.get()
  }

  /// Reads some of the bytes at `byteOffset`, at most ``ReadingThread/byteLimit``.
  func read(
    _ file: OpenFile, path: String, into buffer: UnsafeMutableRawBufferPointer,
    at byteOffset: Int, timeoutInMilliseconds: Int
  ) throws(CorpusError) -> ReadOutcome {
    let stall = Stall(
      .reading, path: path, byteOffset: byteOffset, timeoutInMilliseconds: timeoutInMilliseconds)
    guard let thread = try crew.take(for: stall) else { return .failed(code: EAGAIN) }
    let byteCount = min(buffer.count, ReadingThread.byteLimit)
    let outcome = try finish(
      .read(file, byteOffset: byteOffset, byteCount: byteCount), by: thread, or: stall)
    defer { crew.giveBack(thread) }
    guard case .read(let read) = outcome else {
      preconditionFailure("reading \(path) came to \(outcome)")
    }
    if case .bytes(let count) = read {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: thread.bytes[..<count]))
    }
    return read
  }

  private func finish(_ task: ReadingThread.Task, by thread: ReadingThread, or stall: Stall)
    throws(CorpusError) -> ReadingThread.Outcome
  {
    let deadline = Deadline(inMilliseconds: stall.timeoutInMilliseconds)
    guard let outcome = thread.finish(task, by: deadline) else { throw .timedOut(stall) }
    return outcome
  }
}

/// What a call came to, written by the thread that made it.
private final class Answer<Value: Sendable>: Sendable {
  private let value = Locked<Result<Value, CorpusError>?>(nil)

  var result: Result<Value, CorpusError>? { value.withLock { $0 } }

  func note(_ body: () throws(CorpusError) -> Value) {
    let result: Result<Value, CorpusError>
    do throws(CorpusError) { result = .success(try body()) } catch { result = .failure(error) }
    value.withLock { $0 = result }
  }
}

/// Who waits, who is free, and how many hang.
final class ReadingCrew: Sendable {
  private struct State {
    var free: [ReadingThread] = []
    var hangCount = 0
    var isStopped = false
    /// Files that nobody holds on to any more.
    var filesToClose: [any ByteFile] = []
    /// The threads that close them.
    var closerCount = 0
  }

  /// The most threads that close files at once: as many may hang.
  private static let closerLimit = 4

  private let state = Locked(State())

  /// Returns a thread without a task; nil where the system has none to give.
  fileprivate func take(for stall: Stall) throws(CorpusError) -> ReadingThread? {
    let (free, hangCount) = state.withLock { ($0.free.popLast(), $0.hangCount) }
    if let free { return free }
    guard hangCount < ReadingThreads.hangLimit else {
      throw .readsHang(path: stall.path, count: hangCount)
    }
    let thread = ReadingThread(crew: self)
    return thread.start() ? thread : nil
  }

  fileprivate func giveBack(_ thread: ReadingThread) {
    state.withLock { $0.free.append(thread) }
  }

  fileprivate func noteHang() { state.withLock { $0.hangCount += 1 } }

  /// Takes back a thread whose call was given up and has come back after all; false if it is to
  /// end.
  fileprivate func returnLate(_ thread: ReadingThread) -> Bool {
    state.withLock {
      $0.hangCount -= 1
      if !$0.isStopped { $0.free.append(thread) }
      return !$0.isStopped
    }
  }

  /// Has a file closed, and does not wait for that.
  func close(_ file: any ByteFile) {
    let needsThread = state.withLock { state in
      state.filesToClose.append(file)
      guard state.closerCount < Self.closerLimit else { return false }
      state.closerCount += 1
      return true
    }
    guard needsThread else { return }
    if let free = state.withLock({ $0.free.popLast() }) { return free.begin(.close) }
    let thread = ReadingThread(crew: self)
    if thread.start() { return thread.begin(.close) }
    // The next file that is to be closed tries it again.
    state.withLock { $0.closerCount -= 1 }
  }

  /// Closes files until there are no more.
  fileprivate func closeFiles() {
    while let file = nextToClose() { file.close() }
  }

  private func nextToClose() -> (any ByteFile)? {
    state.withLock { state in
      if let file = state.filesToClose.popLast() { return file }
      state.closerCount -= 1
      return nil
    }
  }

  /// Ends the threads that are free; the others hang, and end should they come back.
  func stop() {
    let free = state.withLock { state in
      state.isStopped = true
      defer { state.free = [] }
      return state.free
    }
    for thread in free { thread.stop() }
  }
}

/// A thread that makes one call after another, each into its own memory.
private final class ReadingThread: @unchecked Sendable {
  // Sound: every `var` is only touched with `monitor` locked. `memory` is written by the thread
  // while it has a task, and read by who gave the task once that is done.
  private let monitor = Monitor()
  private let crew: ReadingCrew
  private let memory: UnsafeMutableRawBufferPointer
  private var task: Task?
  private var outcome: Outcome?
  private var isGivenUp = false
  private var isStopped = false

  /// The most bytes of one read; memory that is not written takes no room.
  static let byteLimit = 1 << 20

  enum Task {
    case call(@Sendable () -> Void)
    case read(OpenFile, byteOffset: Int, byteCount: Int)
    /// Closes the crew's files.
    case close
  }

  enum Outcome {
    case called
    case read(ReadOutcome)
  }

  init(crew: ReadingCrew) {
    self.crew = crew
    memory = .allocate(byteCount: Self.byteLimit, alignment: 64)
  }

  deinit { memory.deallocate() }

  /// What the last task has read.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }

  func start() -> Bool { startThread { [self] in self.run() } }

  func stop() {
    monitor.lock()
    isStopped = true
    monitor.broadcast()
    monitor.unlock()
  }

  /// Has a task done; nil if it is not by `deadline`, and the thread is not to be used again then.
  func finish(_ task: Task, by deadline: Deadline) -> Outcome? {
    monitor.lock()
    defer { monitor.unlock() }
    self.task = task
    monitor.broadcast()
    while outcome == nil {
      if !monitor.wait(until: deadline), outcome == nil {
        isGivenUp = true
        crew.noteHang()
        return nil
      }
    }
    defer { outcome = nil }
    return outcome
  }

  /// Begins a task that nobody waits for.
  func begin(_ task: Task) {
    monitor.lock()
    defer { monitor.unlock() }
    crew.noteHang()
    isGivenUp = true
    self.task = task
    monitor.broadcast()
  }

  private func run() {
    monitor.lock()
    defer { monitor.unlock() }
    while !isStopped {
      guard task != nil else {
        monitor.wait()
        continue
      }
      monitor.unlock()
      let done = performTask()
      monitor.lock()
      if isGivenUp {
        isGivenUp = false
        if !crew.returnLate(self) { return }
      } else {
        outcome = done
        monitor.broadcast()
      }
    }
  }

  /// Makes the call, and lets go of what it was about.
  ///
  /// That comes first and without the lock: a file which nobody else holds on to is handed to
  /// another thread then, which closes it.
  private func performTask() -> Outcome {
    switch takeTask() {
    case .call(let body):
      body()
      return .called
    case .read(let file, let byteOffset, let byteCount):
      let room = UnsafeMutableRawBufferPointer(rebasing: memory[..<byteCount])
      return .read(file.bytes.read(into: room, at: byteOffset, waits: true))
    case .close, nil:
      crew.closeFiles()
      return .called
    }
  }

  private func takeTask() -> Task? {
    monitor.lock()
    defer { monitor.unlock() }
    defer { task = nil }
    return task
  }
}
