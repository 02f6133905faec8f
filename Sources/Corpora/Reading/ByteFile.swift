internal import CKernels

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// An open file as the operating system gives it: one call each, nothing tried again.
///
/// The seam between what Headrace does about failing storage, which is above it, and the storage:
/// a test puts a file here whose reads fail, come in pieces or never return.
package protocol ByteFile: AnyObject, Sendable {
  /// Which file it is, as it was when it was opened.
  var version: FileVersion { get }

  /// Returns the file's size now, in bytes; may wait for the storage for ever.
  func currentByteCount() -> Int

  /// Reads some of the bytes at `byteOffset` into `buffer`.
  ///
  /// If it `waits`, it may wait for the storage, for ever if that hangs; if not, it gives only what
  /// the system holds in memory.
  func read(into buffer: UnsafeMutableRawBufferPointer, at byteOffset: Int, waits: Bool)
    -> ReadOutcome

  /// Closes the file, once and after every other call has come back; may wait for the storage for
  /// ever.
  func close()
}

extension ByteFile {
  /// The file's size when it was opened, in bytes.
  package var byteCount: Int { version.byteCount }
}

/// What one call to read came to.
package enum ReadOutcome: Sendable, Equatable {
  /// So many bytes were read, perhaps fewer than were asked for; 0 only at the end of the file.
  case bytes(Int)
  /// The bytes are not in memory; only where the call was not to wait.
  case notAtOnce
  /// The call failed; `code` is errno.
  case failed(code: Int32)
}

/// What opens files by their paths, and looks for them.
///
/// Each call may wait for the storage for ever.
package protocol ByteFileOpener: Sendable {
  /// Opens a file for reading.
  func open(_ path: String) throws(CorpusError) -> any ByteFile

  /// Returns what stands at a path, links followed; nil if nothing does.
  func status(of path: String) throws(CorpusError) -> FileStatus?

  /// Returns the names in a folder, in no order.
  func names(in folder: String) throws(CorpusError) -> [BytePath]
}

/// Opens files of the file system.
package struct DiskOpener: ByteFileOpener {
  package init() {}

  package func open(_ path: String) throws(CorpusError) -> any ByteFile {
    try DiskFile(path: path)
  }

  package func status(of path: String) throws(CorpusError) -> FileStatus? {
    var status = stat()
    if stat(path, &status) == 0 { return FileStatus(status) }
    let code = errno
    if FileStatus.isAbsence(code) { return nil }
    throw .cannotOpen(path: path, code: code)
  }

  package func names(in folder: String) throws(CorpusError) -> [BytePath] {
    try BytePath(folder).names()
  }
}

/// A file of the file system.
private final class DiskFile: ByteFile {
  let version: FileVersion
  private let descriptor: Int32

  init(path: String) throws(CorpusError) {
    // Without O_NONBLOCK, opening a named pipe in a file's place would wait for a writer for ever.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, code: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      closeDescriptor(descriptor)
      throw .cannotOpen(path: path, code: code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      closeDescriptor(descriptor)
      throw .cannotOpen(path: path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    self.descriptor = descriptor
    version = FileVersion(status)
  }

  func close() { closeDescriptor(descriptor) }

  func currentByteCount() -> Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : byteCount
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at byteOffset: Int, waits: Bool)
    -> ReadOutcome
  {
    guard waits else {
      let count = headrace_read_at_once(
        descriptor, buffer.baseAddress, buffer.count, Int64(byteOffset))
      if count >= 0 { return .bytes(Int(count)) }
      let code = Int32(truncatingIfNeeded: -count)
      return code == EAGAIN ? .notAtOnce : .failed(code: code)
    }
    let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(byteOffset))
    return count >= 0 ? .bytes(count) : .failed(code: errno)
  }
}

/// close(2), by a name that no method hides.
private func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }
