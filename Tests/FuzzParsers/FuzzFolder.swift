internal import Foundation

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A folder whose files parsers read, on a file system in memory.
package struct FuzzFolder: Sendable {
  /// Its path.
  package let path: String

  /// Takes the folder at `path`, which is made if need be.
  package init(_ path: String) {
    self.path = path
    mkdir(path, 0o755)
  }

  /// Makes a folder and returns its path.
  func makeFolder(_ name: String) -> String {
    mkdir(path + "/" + name, 0o755)
    return path + "/" + name
  }

  /// Writes a whole file, in the place of what stood there, and returns its path.
  @discardableResult
  func write(_ bytes: [UInt8], to name: String) -> String {
    let file = path + "/" + name
    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { fail("\(file) cannot be made: \(errno)") }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done)
      }
      guard count > 0 else { fail("\(file) cannot be written: \(errno)") }
      done += count
    }
    return file
  }

  /// Reads a whole file.
  func bytes(of name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
  }

  /// Removes the folder with all that is in it.
  package func remove() { try? FileManager.default.removeItem(atPath: path) }

  /// Removes a file or a folder in it, if it is there.
  func remove(_ name: String) { try? FileManager.default.removeItem(atPath: path + "/" + name) }
}
