#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// What tells a file or folder from any other, whatever path leads to it.
package struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let number: UInt64

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    number = UInt64(truncatingIfNeeded: status.st_ino)
  }
}

/// What tells a file from another, and from itself before it was changed.
///
/// What was found out about a file's bytes holds for as long as its version is the same. A change
/// of which the system notes no time is not noticed: one by the disk itself, or one within the
/// system's tick of some milliseconds.
package struct FileVersion: Hashable, Sendable {
  /// Which file it is.
  package let identity: FileIdentity
  /// Its size in bytes.
  package let byteCount: Int
  /// When its bytes were last changed, in nanoseconds since 1970; programs that copy files set it.
  package let modificationTime: Int
  /// When its bytes or what is noted of it were last changed, in nanoseconds since 1970, which no
  /// program sets.
  package let changeTime: Int

  init(_ status: stat) {
    identity = FileIdentity(status)
    byteCount = Int(status.st_size)
    modificationTime = status.modificationTimeInNanoseconds
    changeTime = status.changeTimeInNanoseconds
  }
}

/// What stands at a path.
package struct FileStatus: Sendable {
  /// Whether it is a folder.
  package let isFolder: Bool
  /// Which file or folder it is.
  package let version: FileVersion

  init(_ status: stat) {
    isFolder = status.st_mode & S_IFMT == S_IFDIR
    version = FileVersion(status)
  }

  /// Whether a look-up that failed with `code` says that nothing stands at the path, rather than
  /// that it could not be looked at.
  static func isAbsence(_ code: Int32) -> Bool { [ENOENT, ENOTDIR, ELOOP].contains(code) }
}

extension stat {
  /// When the file was last changed, in nanoseconds since 1970.
  var modificationTimeInNanoseconds: Int {
    #if canImport(Darwin)
      Self.nanoseconds(st_mtimespec)
    #else
      Self.nanoseconds(st_mtim)
    #endif
  }

  fileprivate var changeTimeInNanoseconds: Int {
    #if canImport(Darwin)
      Self.nanoseconds(st_ctimespec)
    #else
      Self.nanoseconds(st_ctim)
    #endif
  }

  /// Damaged file systems give times of any year, so that the sum may not fit.
  private static func nanoseconds(_ time: timespec) -> Int {
    Int(time.tv_sec) &* 1_000_000_000 &+ Int(time.tv_nsec)
  }
}
