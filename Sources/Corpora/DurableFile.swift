#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A file that becomes whole or does not become at all.
///
/// Bytes go to `path` with `.tmp` appended; ``commit()`` then does, in this order, fsync of the
/// file, rename to the final name, fsync of the folder. A process that dies at any moment leaves
/// either what stood at `path` before or the whole new file.
package struct DurableFile: ~Copyable {
  /// The final path.
  package let path: String
  /// How many bytes were written so far.
  package private(set) var byteCount = 0

  private let temporaryPath: String
  private var descriptor: Int32

  /// Creates (or empties) the temporary file.
  package init(path: String) throws(CorpusError) {
    self.path = path
    temporaryPath = path + ".tmp"
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .cannotOpen(path: temporaryPath, code: errno) }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporaryPath)
  }

  /// Appends `bytes`.
  package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(CorpusError) {
    try writeAll(bytes, to: descriptor, path: temporaryPath, at: byteCount)
    byteCount += bytes.count
  }

  /// Appends `bytes`.
  package mutating func write(_ bytes: [UInt8]) throws(CorpusError) {
    try writeAll(bytes, to: descriptor, path: temporaryPath, at: byteCount)
    byteCount += bytes.count
  }

  /// Makes the file durable and gives it its final name.
  package consuming func commit() throws(CorpusError) {
    guard fsync(descriptor) == 0 else {
      throw .cannotWrite(path: temporaryPath, byteOffset: byteCount, code: errno)
    }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 else {
      unlink(temporaryPath)
      throw .cannotWrite(path: temporaryPath, byteOffset: byteCount, code: errno)
    }
    do throws(CorpusError) { try DurableFile.rename(temporaryPath, to: path) } catch {
      // What did not become the file must not stay beside it.
      unlink(temporaryPath)
      throw error
    }
  }

  /// Writes a whole file durably.
  package static func write(_ bytes: [UInt8], to path: String) throws(CorpusError) {
    var file = try DurableFile(path: path)
    try file.write(bytes)
    try file.commit()
  }

  /// Finds out whether a file can be written, without leaving or changing one.
  ///
  /// - Throws: ``CorpusError/cannotOpen(path:code:)`` for a folder, and where the temporary file
  ///   cannot be created.
  package static func checkCanWrite(to path: String) throws(CorpusError) {
    var status = stat()
    guard stat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR else {
      throw .cannotOpen(path: path, code: EISDIR)
    }
    _ = try DurableFile(path: path)
  }

  /// Renames a file or folder and makes the new name durable.
  package static func rename(_ path: String, to newPath: String) throws(CorpusError) {
    #if canImport(Glibc)
      let result = Glibc.rename(path, newPath)
    #else
      let result = Darwin.rename(path, newPath)
    #endif
    guard result == 0 else { throw .cannotRename(path: path, newPath: newPath, code: errno) }
    try synchronizeFolder(of: newPath)
  }

  /// Makes the names in the folder that holds `path` durable.
  package static func synchronizeFolder(of path: String) throws(CorpusError) {
    let folder = parent(of: path)
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotOpen(path: folder, code: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else {
      throw .cannotWrite(path: folder, byteOffset: 0, code: errno)
    }
  }

  /// Returns the folder that holds `path`.
  package static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

/// Writes all of `bytes` to `descriptor`, however many calls that takes.
package func writeAll(
  _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String, at byteOffset: Int
) throws(CorpusError) {
  var written = 0
  while written < bytes.count {
    let count = write(
      descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
    if count > 0 {
      written += count
    } else if count == 0 || errno != EINTR {
      throw .cannotWrite(
        path: path, byteOffset: byteOffset + written, code: count == 0 ? ENOSPC : errno)
    }
  }
}

/// Writes all of `bytes` to `descriptor`, however many calls that takes.
package func writeAll(_ bytes: [UInt8], to descriptor: Int32, path: String, at byteOffset: Int)
  throws(CorpusError)
{
  let result: Result<Void, CorpusError> = bytes.withUnsafeBytes { buffer in
    do throws(CorpusError) {
      return .success(try writeAll(buffer, to: descriptor, path: path, at: byteOffset))
    } catch {
      return .failure(error)
    }
  }
  try result.get()
}
