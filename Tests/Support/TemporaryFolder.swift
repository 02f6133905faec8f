internal import Corpora

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif
#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// A folder of a test's own, removed when the process ends.
///
/// Not earlier: a loader opens shards by their paths when it needs them, and a test that holds only
/// the loader still needs the folder.
public final class TemporaryFolder: Sendable {
  /// The folder's path.
  public let path: String

  /// Makes an empty folder.
  ///
  /// - Throws: a Cocoa error if the system's folder for temporary files cannot be written.
  public init() throws {
    path = FileManager.default.temporaryDirectory.path + "/headrace-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    Self.removeAtExit(path)
  }

  private static let paths = Locked<[String]>([])

  private static func removeAtExit(_ path: String) {
    let isFirst = paths.withLock { paths in
      paths.append(path)
      return paths.count == 1
    }
    guard isFirst else { return }
    atexit {
      let paths = TemporaryFolder.paths.withLock { $0 }
      for path in paths { try? FileManager.default.removeItem(atPath: path) }
    }
  }

  /// Makes a folder below this one.
  ///
  /// - Parameter name: its path below this folder.
  /// - Throws: a Cocoa error.
  public func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: path + "/" + name, withIntermediateDirectories: true)
  }

  /// Reads a whole file.
  ///
  /// - Parameter name: its path below this folder.
  /// - Returns: its bytes.
  /// - Throws: a Cocoa error.
  public func bytes(of name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
  }

  /// Writes a whole file, in place: a program that has it open sees the new bytes.
  ///
  /// - Parameters:
  ///   - bytes: what it holds from now on.
  ///   - name: its path below this folder.
  /// - Throws: a Cocoa error.
  public func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
  }

  /// Writes a whole file beside the old one and gives it the old one's name.
  ///
  /// - Parameters:
  ///   - name: its path below this folder.
  ///   - bytes: what it holds from now on.
  /// - Throws: a Cocoa error.
  public func replace(_ name: String, with bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name), options: .atomic)
  }

  /// Writes some bytes into a file that stands.
  ///
  /// - Parameters:
  ///   - name: its path below this folder.
  ///   - byteOffset: where the bytes go.
  ///   - bytes: what stands there from now on.
  /// - Returns: whether all were written.
  @discardableResult
  public func patch(_ name: String, at byteOffset: Int, with bytes: [UInt8]) -> Bool {
    let descriptor = open(path + "/" + name, O_WRONLY)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return pwrite(descriptor, bytes, bytes.count, off_t(byteOffset)) == bytes.count
  }

  /// Removes a file.
  ///
  /// - Parameter name: its path below this folder.
  /// - Throws: a Cocoa error.
  public func remove(_ name: String) throws {
    try FileManager.default.removeItem(atPath: path + "/" + name)
  }

  /// Puts a named pipe, which nobody writes to, in a file's place.
  ///
  /// - Parameter name: its path below this folder.
  /// - Throws: a Cocoa error if a file stands there and cannot be removed.
  /// - Returns: whether the system made the pipe.
  public func replaceByPipe(_ name: String) throws -> Bool {
    try? remove(name)
    return mkfifo(path + "/" + name, 0o644) == 0
  }
}
