internal import Corpora

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Keeps a run folder for one process; two that write into one would each spoil the other's files.
///
/// The lock is the folder's own and ends with the process, however that ends.
final class RunLock {
  private let descriptor: Int32

  /// Locks the folder at `path`, which exists.
  init(folder path: String) throws(RunError) {
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .corpus(.cannotOpen(path: path, code: errno)) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw errno == EWOULDBLOCK
        ? .folderInUse(path: path) : .corpus(.cannotOpen(path: path, code: errno))
    }
  }

  deinit {
    close(descriptor)
  }
}
