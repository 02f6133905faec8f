/// How files are opened and read: by what, and how long a call is waited for.
///
/// With a deadline, no call that may wait for the storage is made by the thread that needs the
/// bytes:
///
/// 1. What the system holds in memory is read by that thread, which costs what a read costs.
/// 2. Anything else is read by a thread of ``ReadingThreads`` into memory of its own, and copied
///    when it has come. A read that has not come in time is left to that thread for good.
/// 3. Files are opened, and their sizes asked for, by such a thread too: no call opens a file
///    without waiting. That is a handover for each opening, some microseconds; shards are opened
///    once and stay open.
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
  func open(_ path: String) throws(CorpusError) -> any ByteFile {
    guard let threads else { return try opener.open(path) }
    return try threads.open(path, by: opener, timeoutInMilliseconds: timeoutInMilliseconds)
  }

  /// Reads some of the bytes at `byteOffset`.
  func read(
    _ file: any ByteFile, path: String, into buffer: UnsafeMutableRawBufferPointer,
    at byteOffset: Int
  ) throws(CorpusError) -> ReadOutcome {
    guard let threads else { return file.read(into: buffer, at: byteOffset, waits: true) }
    let outcome = file.read(into: buffer, at: byteOffset, waits: false)
    guard outcome == .notAtOnce else { return outcome }
    return try threads.read(
      file, path: path, into: buffer, at: byteOffset,
      timeoutInMilliseconds: timeoutInMilliseconds)
  }

  /// Returns the file's size now.
  func currentByteCount(of file: any ByteFile, path: String) throws(CorpusError) -> Int {
    guard let threads else { return file.currentByteCount() }
    return try threads.currentByteCount(
      of: file, path: path, timeoutInMilliseconds: timeoutInMilliseconds)
  }
}
