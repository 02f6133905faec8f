#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A file that is read at any offset, from any thread.
///
/// Files are read, never mapped: a file that is truncated under a mapping kills the process, a
/// short read is an error.
package final class FileReader: Sendable {
  /// The path that was opened.
  package let path: String
  /// The file's size when it was opened, in bytes.
  package let byteCount: Int

  private let descriptor: Int32

  /// How often a read that failed with EIO is tried before the error is thrown.
  private static let attemptLimit = 4
  /// The pause before a second attempt; each further one waits twice as long.
  private static let pauseInMicroseconds: useconds_t = 10_000

  /// Opens `path` for reading.
  package init(path: String) throws(CorpusError) {
    // Without O_NONBLOCK, opening a named pipe in a file's place would wait for a writer for ever.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, code: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw .cannotOpen(path: path, code: code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .cannotOpen(path: path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
  }

  deinit {
    close(descriptor)
  }

  /// Fills `buffer` with the bytes at `byteOffset`.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at byteOffset: Int)
    throws(CorpusError)
  {
    var done = 0
    var attempts = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done,
        off_t(byteOffset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        throw .endsEarly(
          path: path, byteOffset: byteOffset, byteCount: buffer.count,
          fileByteCount: min(byteOffset + done, currentByteCount))
      } else if errno != EINTR {
        attempts += 1
        guard (errno == EIO || errno == EAGAIN) && attempts < Self.attemptLimit else {
          throw .cannotRead(path: path, byteOffset: byteOffset + done, code: errno)
        }
        usleep(Self.pauseInMicroseconds << useconds_t(attempts))
      }
    }
  }

  /// The file's size now, which is smaller than it was where the file was truncated since.
  private var currentByteCount: Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : byteCount
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
  package static func contents(of path: String, limit: Int) throws(CorpusError) -> [UInt8] {
    let file = try FileReader(path: path)
    guard file.byteCount <= limit else {
      throw .tooLarge(path: path, byteCount: file.byteCount, limit: limit)
    }
    return try file.bytes(at: 0, count: file.byteCount)
  }
}
