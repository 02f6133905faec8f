internal import Synchronization

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
/// is begun, so that storage which hangs for days costs a bounded number of threads.
final class ReadingThreads: Sendable {
  /// The most calls that may hang before no other is begun.
  static let hangLimit = 64

  private let crew = ReadingCrew()

  deinit { crew.stop() }

  /// Opens a file.
  func open(_ path: String, by opener: any ByteFileOpener, timeoutInMilliseconds: Int)
    throws(CorpusError) -> any ByteFile
  {
    let stall = Stall(.opening, path: path, timeoutInMilliseconds: timeoutInMilliseconds)
    guard let thread = try crew.take(for: stall) else {
      throw .cannotOpen(path: path, code: EAGAIN)
    }
    let outcome = try finish(.open(path, opener), by: thread, or: stall)
    defer { crew.giveBack(thread) }
    switch outcome {
    case .opened(let file): return file
    case .failed(let error): throw error
    case .read, .size: preconditionFailure("opening \(path) came to \(outcome)")
    }
  }

  /// Reads some of the bytes at `byteOffset`, at most ``ReadingThread/byteLimit``.
  func read(
    _ file: any ByteFile, path: String, into buffer: UnsafeMutableRawBufferPointer,
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

  /// Returns the file's size now.
  func currentByteCount(of file: any ByteFile, path: String, timeoutInMilliseconds: Int)
    throws(CorpusError) -> Int
  {
    let stall = Stall(.reading, path: path, timeoutInMilliseconds: timeoutInMilliseconds)
    guard let thread = try crew.take(for: stall) else { return file.byteCount }
    let outcome = try finish(.size(file), by: thread, or: stall)
    defer { crew.giveBack(thread) }
    guard case .size(let byteCount) = outcome else {
      preconditionFailure("the size of \(path) came to \(outcome)")
    }
    return byteCount
  }

  private func finish(_ task: ReadingThread.Task, by thread: ReadingThread, or stall: Stall)
    throws(CorpusError) -> ReadingThread.Outcome
  {
    let deadline = Deadline(inMilliseconds: stall.timeoutInMilliseconds)
    guard let outcome = thread.finish(task, by: deadline) else { throw .timedOut(stall) }
    return outcome
  }
}

/// Who waits, who is free, and how many hang.
private final class ReadingCrew: Sendable {
  private struct State {
    var free: [ReadingThread] = []
    var hangCount = 0
    var isStopped = false
  }

  private let state = Mutex(State())

  /// Returns a thread without a task; nil where the system has none to give.
  func take(for stall: Stall) throws(CorpusError) -> ReadingThread? {
    let (free, hangCount) = state.withLock { ($0.free.popLast(), $0.hangCount) }
    if let free { return free }
    guard hangCount < ReadingThreads.hangLimit else {
      throw .readsHang(path: stall.path, count: hangCount)
    }
    let thread = ReadingThread(crew: self)
    return thread.start() ? thread : nil
  }

  func giveBack(_ thread: ReadingThread) {
    state.withLock { $0.free.append(thread) }
  }

  func noteHang() { state.withLock { $0.hangCount += 1 } }

  /// Takes back a thread whose call was given up and has come back after all; false if it is to
  /// end.
  func returnLate(_ thread: ReadingThread) -> Bool {
    state.withLock {
      $0.hangCount -= 1
      if !$0.isStopped { $0.free.append(thread) }
      return !$0.isStopped
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
    case open(String, any ByteFileOpener)
    case read(any ByteFile, byteOffset: Int, byteCount: Int)
    case size(any ByteFile)
  }

  enum Outcome {
    case opened(any ByteFile)
    case failed(CorpusError)
    case read(ReadOutcome)
    case size(Int)
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

  private func run() {
    monitor.lock()
    defer { monitor.unlock() }
    while !isStopped {
      guard let task else {
        monitor.wait()
        continue
      }
      self.task = nil
      monitor.unlock()
      let done = perform(task)
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

  private func perform(_ task: Task) -> Outcome {
    switch task {
    case .open(let path, let opener):
      do throws(CorpusError) { return .opened(try opener.open(path)) } catch {
        return .failed(error)
      }
    case .read(let file, let byteOffset, let byteCount):
      let room = UnsafeMutableRawBufferPointer(rebasing: memory[..<byteCount])
      return .read(file.read(into: room, at: byteOffset, waits: true))
    case .size(let file): return .size(file.currentByteCount())
    }
  }
}
