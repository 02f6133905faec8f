#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif
#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Small things done to files and folders.
enum Files {
  static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// Makes a folder and those above it, durably.
  static func makeFolders(_ path: String) throws(CorpusError) {
    if path.isEmpty || exists(path) { return }
    try makeFolders(parent(of: path))
    if mkdir(path, 0o755) != 0, errno != EEXIST {
      throw .cannotWrite(path: path, byteOffset: 0, code: errno)
    }
    try DurableFile.synchronizeFolder(of: path)
  }

  /// The folder above `path`, or an empty text where there is none to make.
  static func parent(of path: String) -> String {
    let parent = DurableFile.parent(of: path)
    return parent == path || parent == "." ? "" : parent
  }

  /// The names in a folder, sorted, as they may be shown.
  static func names(in folder: String) throws(CorpusError) -> [String] {
    try BytePath(folder).names().map(\.shown).sorted()
  }

  /// Removes a file or a folder with all that is in it; what is not there is no error.
  static func remove(_ path: String) throws(CorpusError) { try remove(BytePath(path)) }

  static func remove(_ path: BytePath) throws(CorpusError) {
    guard let status = path.status() else { return }
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    if isFolder {
      for name in try path.names() { try remove(path.appending(name)) }
    }
    if (isFolder ? rmdir(path.bytes) : unlink(path.bytes)) != 0, errno != ENOENT {
      throw .cannotWrite(path: path.shown, byteOffset: 0, code: errno)
    }
  }

  /// Removes a file; what is not there is no error.
  static func removeFile(_ path: String) throws(CorpusError) {
    if unlink(path) != 0, errno != ENOENT {
      throw .cannotWrite(path: path, byteOffset: 0, code: errno)
    }
  }

  /// Removes an empty folder.
  static func removeEmptyFolder(_ path: String) throws(CorpusError) {
    if rmdir(path) != 0, errno != ENOENT {
      throw .cannotWrite(path: path, byteOffset: 0, code: errno)
    }
  }

  /// Exchanges the names of two folders in one step.
  ///
  /// - Returns: false where the system or the file system cannot do that.
  static func exchange(_ path: String, _ otherPath: String) throws(CorpusError) -> Bool {
    #if canImport(Darwin)
      let result = renamex_np(path, otherPath, UInt32(RENAME_SWAP))
    #else
      // Swift does not see renameat2, which glibc declares for GNU sources only, so it is looked
      // up by name; its second flag is RENAME_EXCHANGE.
      typealias Rename =
        @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
      guard let symbol = dlsym(nil, "renameat2") else { return false }
      // Sound because that is the type that renameat2(2) states.
      let rename = unsafeBitCast(symbol, to: Rename.self)
      let result = rename(AT_FDCWD, path, AT_FDCWD, otherPath, 2)
    #endif
    if result != 0 {
      if [EINVAL, ENOSYS, ENOTSUP].contains(errno) { return false }
      throw .cannotRename(path: path, newPath: otherPath, code: errno)
    }
    try DurableFile.synchronizeFolder(of: path)
    return true
  }

  static func readJSON<Value: Decodable>(
    _ type: Value.Type, from path: String
  ) throws(CorpusError) -> Value {
    let bytes = try FileReader.contents(of: path, limit: 1 << 28)
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch {
      throw .malformedJSON(path: path, underlying: error)
    }
  }

  static func writeJSON(_ value: some Encodable, to path: String) throws(CorpusError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data: Data
    do {
      data = try encoder.encode(value)
    } catch {
      throw .malformedJSON(path: path, underlying: error)
    }
    try DurableFile.write(Array(data) + [0x0A], to: path)
  }
}
