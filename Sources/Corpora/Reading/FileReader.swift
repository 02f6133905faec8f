/// A file that is read at any offset, from any thread.
///
/// Files are read, never mapped: a file that is truncated under a mapping kills the process, a
/// short read is an error. What may pass is tried again: reads that are interrupted, come in pieces
/// or fail with EIO. How long a read is waited for is the ``FileAccess``'s.
package final class FileReader: Sendable {
  /// The path that was opened.
  package let path: String
  /// The file's size when it was opened, in bytes.
  package var byteCount: Int { version.byteCount }
  /// Which file it is, as it was when it was opened.
  package var version: FileVersion { file.bytes.version }

  private let file: OpenFile
  private let access: FileAccess
  /// What reads of a file that one thread reads are written to.
  private let activity: ReadActivity?

  /// Opens `path` for reading.
  ///
  /// `activity`, if it is given, is told of every read.
  package init(path: String, access: FileAccess = .direct, activity: ReadActivity? = nil)
    throws(CorpusError)
  {
    self.path = path
    self.access = access
    self.activity = activity
    file = try access.open(path)
  }

  /// Fills `buffer` with the bytes at `byteOffset`.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at byteOffset: Int)
    throws(CorpusError)
  {
    let stage = activity?.beginRead(at: byteOffset)
    try readAll(into: buffer, at: byteOffset)
    if let stage { activity?.endRead(stage) }
  }

  private func readAll(into buffer: UnsafeMutableRawBufferPointer, at byteOffset: Int)
    throws(CorpusError)
  {
    var done = 0
    var attempts = Attempts()
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      switch try access.read(file, path: path, into: rest, at: byteOffset + done) {
      case .bytes(0):
        let fileByteCount = try access.currentByteCount(of: file, path: path)
        throw .endsEarly(
          path: path, byteOffset: byteOffset, byteCount: buffer.count,
          fileByteCount: min(byteOffset + done, fileByteCount))
      case .bytes(let count):
        done += count
        attempts = Attempts()
      case .failed(let code):
        guard attempts.mayTryAgain(after: code) else {
          throw .cannotRead(path: path, byteOffset: byteOffset + done, code: code)
        }
      case .notAtOnce: preconditionFailure("a read that may wait did not")
      }
    }
  }

  /// Returns `byteCount` bytes at `byteOffset`.
  package func bytes(at byteOffset: Int, count: Int) throws(CorpusError) -> [UInt8] {
    var failure: CorpusError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      do throws(CorpusError) {
        try read(into: UnsafeMutableRawBufferPointer(buffer), at: byteOffset)
        initializedCount = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Returns the whole of the file at `path`, which may have at most `limit` bytes.
  package static func contents(of path: String, limit: Int, access: FileAccess = .direct)
    throws(CorpusError) -> [UInt8]
  {
    let file = try FileReader(path: path, access: access)
    guard file.byteCount <= limit else {
      throw .tooLarge(path: path, byteCount: file.byteCount, limit: limit)
    }
    return try file.bytes(at: 0, count: file.byteCount)
  }
}
