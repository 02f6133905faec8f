#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// How a file holds its documents; its name decides.
package enum TextFormat: String, Sendable, Codable {
  /// `.jsonl`, `.ndjson`: a line is a document.
  case lines = "jsonl"
  /// `.jsonl.zst`, `.ndjson.zst`.
  case compressedLines = "jsonl.zst"
  /// `.zst`: the file is a document.
  case compressedText = "text.zst"
  /// Any other name: the file is a document.
  case text

  package init(path: String) {
    let name = path.lowercased()
    if name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") {
      self = .lines
    } else if name.hasSuffix(".jsonl.zst") || name.hasSuffix(".ndjson.zst") {
      self = .compressedLines
    } else {
      self = name.hasSuffix(".zst") ? .compressedText : .text
    }
  }

  var isCompressed: Bool { self == .compressedLines || self == .compressedText }
}

/// One file to pack, as it was when it was listed.
package struct InputFile: Sendable, Equatable {
  package let path: String
  package let format: TextFormat
  /// Its size in bytes.
  package let byteCount: Int
  /// When it was last changed, in nanoseconds since 1970.
  let modificationTime: Int

  /// Notes the file at `path`, or nil where it is something other than a file.
  package init?(path: String) throws(CorpusError) {
    var status = stat()
    if stat(path, &status) != 0 { throw .cannotOpen(path: path, code: errno) }
    if status.st_mode & S_IFMT != S_IFREG { return nil }
    self.path = path
    format = TextFormat(path: path)
    byteCount = Int(status.st_size)
    modificationTime = status.modificationTimeInNanoseconds
  }

  /// Throws where the file is no longer what was listed.
  func checkUnchanged() throws(CorpusError) {
    if try InputFile(path: path) != self { throw .packing(.inputChanged(path: path)) }
  }
}

extension stat {
  /// When the file was last changed, in nanoseconds since 1970.
  fileprivate var modificationTimeInNanoseconds: Int {
    #if canImport(Darwin)
      Int(st_mtimespec.tv_sec) * 1_000_000_000 + Int(st_mtimespec.tv_nsec)
    #else
      Int(st_mtim.tv_sec) * 1_000_000_000 + Int(st_mtim.tv_nsec)
    #endif
  }
}

/// Finds the files of a domain.
package enum InputListing {
  /// Folders nested deeper than this are taken for a mistake.
  private static let depthLimit = 128

  /// Returns the files that the domain's inputs stand for, sorted by path, each once.
  ///
  /// Folders that are symbolic links are entered only where they are an input themselves, so no
  /// loop is followed.
  package static func files(of domain: PackDomain) throws(CorpusError) -> [InputFile] {
    var paths: Set<String> = []
    for input in domain.inputs {
      let path = trimmed(input)
      var status = stat()
      if stat(path, &status) != 0 { throw .cannotOpen(path: path, code: errno) }
      switch status.st_mode & S_IFMT {
      case S_IFREG: paths.insert(path)
      case S_IFDIR:
        try list(path, below: "", include: domain.include, depth: 0, into: &paths)
      default: throw .packing(.notAFile(path: path))
      }
    }
    let sorted = paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var files: [InputFile] = []
    files.reserveCapacity(sorted.count)
    for path in sorted {
      if let file = try InputFile(path: path) { files.append(file) }
    }
    if files.isEmpty { throw .packing(.noFiles(domain: domain.name)) }
    return files
  }

  private static func trimmed(_ path: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  /// Adds the files of the folder at `root` + `below` that match.
  private static func list(
    _ root: String, below: String, include: [String], depth: Int, into paths: inout Set<String>
  ) throws(CorpusError) {
    let folder = below.isEmpty ? root : joined(root, below)
    if depth > depthLimit { throw .cannotOpen(path: folder, code: ELOOP) }
    for name in try names(in: folder) {
      if name.hasPrefix(".") { continue }
      let inner = below.isEmpty ? name : below + "/" + name
      let path = joined(root, inner)
      var status = stat()
      if lstat(path, &status) != 0 { throw .cannotOpen(path: path, code: errno) }
      switch status.st_mode & S_IFMT {
      case S_IFDIR:
        try list(root, below: inner, include: include, depth: depth + 1, into: &paths)
      case S_IFREG:
        if matches(name, inner, include) { paths.insert(path) }
      case S_IFLNK:
        if matches(name, inner, include), try InputFile(path: path) != nil { paths.insert(path) }
      default: continue
      }
    }
  }

  private static func joined(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }

  private static func matches(_ name: String, _ inner: String, _ include: [String]) -> Bool {
    include.isEmpty
      || include.contains { fnmatch($0, $0.contains("/") ? inner : name, 0) == 0 }
  }

  /// The names in a folder, in no order.
  static func names(in folder: String) throws(CorpusError) -> [String] {
    guard let handle = opendir(folder) else { throw .cannotOpen(path: folder, code: errno) }
    defer { closedir(handle) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
      errno = 0
    }
    if errno != 0 { throw .cannotRead(path: folder, byteOffset: 0, code: errno) }
    return names
  }
}
