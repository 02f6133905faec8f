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

/// Finds the files of a domain.
package struct InputListing {
  /// Folders nested deeper than this are taken for a mistake.
  private static let depthLimit = 128

  private let include: [String]
  private let leftOut: Set<FileIdentity>
  private let notify: (PackNotice) -> Void
  private var paths: Set<String> = []

  /// Returns the files that the domain's inputs stand for, sorted by path, each once.
  ///
  /// Folders that are symbolic links are entered only where they are an input themselves, so no
  /// loop is followed.
  package static func files(of domain: PackDomain) throws(CorpusError) -> [InputFile] {
    try files(of: domain, leavingOut: [])
  }

  /// The same, without the files and folders `leftOut`; tells of links that lead to nothing.
  static func files(
    of domain: PackDomain, leavingOut leftOut: Set<FileIdentity>,
    notify: @escaping (PackNotice) -> Void = { _ in }
  ) throws(CorpusError) -> [InputFile] {
    var listing = InputListing(include: domain.include, leftOut: leftOut, notify: notify)
    for input in domain.inputs { try listing.add(trimmed(input)) }
    let sorted = listing.paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var files: [InputFile] = []
    files.reserveCapacity(sorted.count)
    for path in sorted {
      if let file = try InputFile(path: path) { files.append(file) }
    }
    if files.isEmpty { throw .packing(.noFiles(domain: domain.name)) }
    return files
  }

  private init(
    include: [String], leftOut: Set<FileIdentity>, notify: @escaping (PackNotice) -> Void
  ) {
    self.include = include
    self.leftOut = leftOut
    self.notify = notify
  }

  private static func trimmed(_ path: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  /// Adds the file at `path`, or the files of the folder there.
  private mutating func add(_ path: String) throws(CorpusError) {
    var status = stat()
    if stat(path, &status) != 0 { throw .cannotOpen(path: path, code: errno) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: paths.insert(path)
    case S_IFDIR: try list(BytePath(path), below: nil, depth: 0)
    default: throw .packing(.notAFile(path: path))
    }
  }

  /// Adds the files of a folder, which is called `below` in the input folder, that match.
  private mutating func list(
    _ folder: BytePath, below: BytePath?, depth: Int
  ) throws(CorpusError) {
    if depth > Self.depthLimit { throw .cannotOpen(path: folder.shown, code: ELOOP) }
    for name in try folder.names() where !name.isHidden {
      let inner = below?.appending(name) ?? name
      let path = folder.appending(name)
      guard let status = path.status() else { throw .cannotOpen(path: path.shown, code: errno) }
      if leftOut.contains(FileIdentity(status)) { continue }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try list(path, below: inner, depth: depth + 1)
      case S_IFREG: if matches(name, inner) { try add(matching: path) }
      case S_IFLNK: if matches(name, inner) { try add(link: path) }
      default: continue
      }
    }
  }

  private mutating func add(matching path: BytePath) throws(CorpusError) {
    guard let text = path.text else { throw .packing(.nameNotUTF8(path: path.shown)) }
    paths.insert(text)
  }

  /// Adds what a link leads to, where that is a file.
  private mutating func add(link path: BytePath) throws(CorpusError) {
    var status = stat()
    if stat(path.bytes, &status) != 0 {
      let code = errno
      guard FileStatus.isAbsence(code) else {
        throw .cannotOpen(path: path.shown, code: code)
      }
      notify(.danglingLink(path: path.shown))
    } else if status.st_mode & S_IFMT == S_IFREG, !leftOut.contains(FileIdentity(status)) {
      try add(matching: path)
    }
  }

  /// Whether a file is included by its name or by its path below the input folder.
  private func matches(_ name: BytePath, _ inner: BytePath) -> Bool {
    include.isEmpty
      || include.contains { fnmatch($0, $0.contains("/") ? inner.bytes : name.bytes, 0) == 0 }
  }
}
