internal import Corpora

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Appends lines to `metrics.jsonl`.
///
/// A line is one `write`. It becomes durable with ``synchronize()``, after which a checkpoint may
/// speak of it.
final class MetricsWriter {
  let path: String
  private(set) var byteCount: Int
  private let descriptor: Int32

  /// Begins the metrics at `path`, where none may stand.
  init(newAt path: String, domains: [String]) throws(RunError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .corpus(.cannotOpen(path: path, code: errno)) }
    self.path = path
    self.descriptor = descriptor
    byteCount = 0
    try append(domains: domains)
    do throws(CorpusError) { try DurableFile.synchronizeFolder(of: path) } catch {
      throw .corpus(error)
    }
  }

  /// Goes on with the metrics at `path` after `byteCount` bytes; what stands behind is cut off.
  ///
  /// - Returns: Through `cutByteCount`, how many bytes that were.
  init(resuming path: String, byteCount: Int, cutByteCount: inout Int) throws(RunError) {
    let descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else { throw .corpus(.cannotOpen(path: path, code: errno)) }
    self.path = path
    self.descriptor = descriptor
    self.byteCount = byteCount
    let size = Int(lseek(descriptor, 0, SEEK_END))
    var last: UInt8 = 0
    guard byteCount > 0, size >= byteCount,
      pread(descriptor, &last, 1, off_t(byteCount - 1)) == 1, last == UInt8(ascii: "\n")
    else { throw .metricsTooShort(path: path, byteCount: size, recorded: byteCount) }
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw .corpus(.cannotWrite(path: path, byteOffset: byteCount, code: errno))
    }
    cutByteCount = size - byteCount
  }

  deinit {
    close(descriptor)
  }

  /// Appends a header: the arrays of the lines behind it are of these domains.
  func append(domains: [String]) throws(RunError) {
    try write(RunJSON.encode(MetricsLine.Header(domains: domains), onOneLine: true))
  }

  /// Appends a line.
  func append(_ line: MetricsLine) throws(RunError) {
    try write(RunJSON.encode(line, onOneLine: true))
  }

  /// Makes all lines so far durable.
  func synchronize() throws(RunError) {
    guard fsync(descriptor) == 0 else {
      throw .corpus(.cannotWrite(path: path, byteOffset: byteCount, code: errno))
    }
  }

  private func write(_ bytes: [UInt8]) throws(RunError) {
    do throws(CorpusError) {
      try writeAll(bytes, to: descriptor, path: path, at: byteCount)
    } catch {
      // Half a line must not stay: the next one would be glued to it.
      _ = ftruncate(descriptor, off_t(byteCount))
      throw .corpus(error)
    }
    byteCount += bytes.count
  }
}
