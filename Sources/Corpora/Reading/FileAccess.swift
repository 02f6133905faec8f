/// How files are opened and read: by what, and how long a call is waited for.
///
/// With a deadline, no call that may wait for the storage is made by the thread that needs the
/// bytes:
///
/// 1. What the system holds in memory is read by that thread, which costs what a read costs.
/// 2. Anything else is read by a thread of ``ReadingThreads`` into memory of its own, and copied
///    when it has come. A read that has not come in time is left to that thread for good.
/// 3. Files are opened and looked for, folders listed, and sizes asked for, by such a thread too:
///    no call does that without waiting. That is a handover each time, some microseconds; shards
///    are opened once and stay open.
/// 4. Files are closed by such a thread, and nobody waits for that.
package struct FileAccess: Sendable {
  private let opener: any ByteFileOpener
  /// The threads that wait; nil if the calling thread does.
  private let threads: ReadingThreads?
  /// How long a call is waited for, in milliseconds; has no meaning without ``threads``.
  package let timeoutInMilliseconds: Int

  /// The file system, waited for without end: for files that are not read while a run goes on.
  package static let direct = FileAccess(opener: DiskOpener(), threads: nil, milliseconds: .max)

  /// The deadline unless one is set, in milliseconds.
  package static let usualTimeoutInMilliseconds = 120_000

  /// Reads what `opener` opens, with a deadline.
  package init(
    opener: any ByteFileOpener = DiskOpener(),
    timeoutInMilliseconds: Int = FileAccess.usualTimeoutInMilliseconds
  ) {
    self.init(opener: opener, threads: ReadingThreads(), milliseconds: timeoutInMilliseconds)
  }

  private init(opener: any ByteFileOpener, threads: ReadingThreads?, milliseconds: Int) {
    self.opener = opener
    self.threads = threads
    timeoutInMilliseconds = milliseconds
  }

  /// The same files and threads with another deadline.
  package func within(milliseconds: Int) -> FileAccess {
    FileAccess(opener: opener, threads: threads, milliseconds: milliseconds)
  }

  /// Opens a file.
  func open(_ path: String) throws(CorpusError) -> OpenFile {
    let (opener, closer) = (opener, threads?.crew)
    return try lookUp(path) { () throws(CorpusError) in
      OpenFile(try opener.open(path), closer: closer)
    }
  }

  /// Returns what stands at a path, links followed; nil if nothing does.
  func status(of path: String) throws(CorpusError) -> FileStatus? {
    let opener = opener
    return try lookUp(path) { () throws(CorpusError) in try opener.status(of: path) }
  }

  /// Returns the names in a folder, in no order.
  func names(in folder: String) throws(CorpusError) -> [BytePath] {
    let opener = opener
    return try lookUp(folder) { () throws(CorpusError) in try opener.names(in: folder) }
  }

  /// Reads some of the bytes at `byteOffset`.
  func read(
    _ file: OpenFile, path: String, into buffer: UnsafeMutableRawBufferPointer,
    at byteOffset: Int
  ) throws(CorpusError) -> ReadOutcome {
    guard let threads else {
      return file.bytes.read(into: buffer, at: byteOffset, waits: true)
    }
    let outcome = file.bytes.read(into: buffer, at: byteOffset, waits: false)
    guard outcome == .notAtOnce else { return outcome }
    return try threads.read(
      file, path: path, into: buffer, at: byteOffset,
      timeoutInMilliseconds: timeoutInMilliseconds)
  }

  /// Returns the file's size now.
  func currentByteCount(of file: OpenFile, path: String) throws(CorpusError) -> Int {
    try call(.reading, path) { () throws(CorpusError) in file.bytes.currentByteCount() }
  }

  /// Makes a call about a path, again for as long as it fails with what may pass.
  private func lookUp<Value: Sendable>(
    _ path: String, _ body: @escaping @Sendable () throws(CorpusError) -> Value
  ) throws(CorpusError) -> Value {
    try Attempts.untilDone { () throws(CorpusError) in try call(.opening, path, body) }
  }

  private func call<Value: Sendable>(
    _ stage: Stall.Stage, _ path: String,
    _ body: @escaping @Sendable () throws(CorpusError) -> Value
  ) throws(CorpusError) -> Value {
    guard let threads else { return try body() }
    return try threads.call(
      stage, path: path, timeoutInMilliseconds: timeoutInMilliseconds, body)
  }
}

/// An open file; once nobody holds on to it, it is closed, and nobody waits for that.
final class OpenFile: Sendable {
  let bytes: any ByteFile
  /// What closes it; nil if the thread that lets go of it does.
  private let closer: ReadingCrew?

  init(_ bytes: any ByteFile, closer: ReadingCrew?) {
    self.bytes = bytes
    self.closer = closer
  }

  deinit {
    if let closer { closer.close(bytes) } else { bytes.close() }
  }
}
