#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// The path that a corpus is packed to, and the names beside it, while one process holds them.
///
///     <output>             the corpus
///     <output>.partial     the corpus that is being made, a `PackFolder`
///     <output>.lock        locked for as long as a process packs, its last rename included
///     <output>.replaced-N  the corpus that is being replaced, where folders cannot be exchanged
///
/// A whole corpus gets its name in these steps, and a run that is killed between any two of them is
/// ended by the next one:
///
/// 1. Nothing stands at the output: one rename. Otherwise the partial folder and the output are
///    exchanged; or, where the system cannot do that, `.work/replaced` in the partial folder says
///    which name the old corpus will have, and two renames follow.
/// 2. `.work` has come along and says that what was replaced is not removed yet. That is removed.
/// 3. `.work` is removed.
///
/// Nothing is ever removed but what packing makes: shards, its two JSON files, and `.work`.
package final class PackOutput {
  /// Where the corpus is to stand.
  package let path: String
  /// The folder in which it is made.
  package var partial: String { path + ".partial" }

  private let lock: Int32
  private let ownsLockFile: Bool
  private let notify: (PackNotice) -> Void
  private static let lockText = Array("headrace pack\n".utf8)

  /// Makes the folders above `path` and locks the names beside it.
  package init(
    path: String, notify: @escaping (PackNotice) -> Void = { _ in }
  ) throws(CorpusError) {
    try Files.makeFolders(Files.parent(of: path))
    self.path = path
    self.notify = notify
    (lock, ownsLockFile) = try Self.lock(output: path)
  }

  deinit {
    // While it is locked: whoever opened the file before finds that it has lost its name.
    if ownsLockFile { unlink(path + ".lock") }
    close(lock)
  }

  /// Ends what a killed run had begun to do with the names.
  package func recover() throws(CorpusError) {
    if !Files.exists(path), let old = try replacedPath(in: partial), Files.exists(old) {
      try DurableFile.rename(old, to: path)
    }
    try Files.removeFile(partial + "/.work/replaced")
    if Files.exists(path + "/.work"), Files.exists(path + "/" + CorpusManifest.fileName) {
      try removeLeftovers()
    }
  }

  /// Throws where what stands at the output is no corpus, or holds what packing did not make.
  func checkReplaceable() throws(CorpusError) {
    let isCorpus = [CorpusManifest.fileName, PackSeal.fileName].contains {
      Files.exists(path + "/" + $0)
    }
    if !isCorpus { throw .packing(.outputNotCorpus(path: path)) }
    if let entry = try PackedFiles.foreignEntry(in: path) {
      throw .packing(.foreignFile(path: entry))
    }
  }

  /// Gives the whole corpus in the partial folder its name; with `replacing`, in the place of the
  /// corpus that has it; with `exchanging`, in one step where the system can do that.
  package func finish(replacing: Bool, exchanging: Bool = true) throws(CorpusError) {
    try DurableFile.synchronizeFolder(of: partial + "/" + CorpusManifest.fileName)
    if replacing, Files.exists(path) {
      try checkReplaceable()
      // Says after the exchange which of the two is new.
      try Files.makeFolders(partial + "/.work")
      let isExchanged = exchanging ? try Files.exchange(partial, path) : false
      if !isExchanged {
        let old = unusedPath()
        let name = String(old.split(separator: "/").last ?? "")
        try DurableFile.write(Array(name.utf8), to: partial + "/.work/replaced")
        try DurableFile.rename(path, to: old)
        try DurableFile.rename(partial, to: path)
      }
    } else {
      try DurableFile.rename(partial, to: path)
    }
    try removeLeftovers()
  }

  /// Removes the corpus that was replaced, and then the folder that says so.
  private func removeLeftovers() throws(CorpusError) {
    if let old = try replacedPath(in: path) { try removeReplaced(old) }
    if !Files.exists(partial + "/.work") { try removeReplaced(partial) }
    try Files.remove(path + "/.work")
  }

  private func removeReplaced(_ old: String) throws(CorpusError) {
    if !Files.exists(old) { return }
    if try PackedFiles.foreignEntry(in: old) == nil {
      try PackedFiles.remove(in: old)
    } else {
      notify(.kept(path: old))
    }
  }

  /// The name that `.work/replaced` in `folder` speaks of; nil where there is none.
  private func replacedPath(in folder: String) throws(CorpusError) -> String? {
    let journal = folder + "/.work/replaced"
    if !Files.exists(journal) { return nil }
    let name = String(decoding: try FileReader.contents(of: journal, limit: 1 << 12), as: UTF8.self)
    guard let dash = name.lastIndex(of: "-"), Int(name[name.index(after: dash)...]) != nil,
      (path + ".replaced").hasSuffix("/" + name[..<dash]) || path + ".replaced" == name[..<dash]
    else { return nil }
    return path + ".replaced" + name[dash...]
  }

  private func unusedPath() -> String {
    var number = 0
    while Files.exists(path + ".replaced-\(number)") { number += 1 }
    return path + ".replaced-\(number)"
  }

  private static func lock(output: String) throws(CorpusError) -> (Int32, isOwn: Bool) {
    let path = output + ".lock"
    // The holder removes the file before it lets go, so what gets locked may have lost its name.
    for _ in 0..<100 {
      var descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
      let isCreated = descriptor >= 0
      if !isCreated, errno == EEXIST {
        descriptor = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { continue }
      }
      if descriptor < 0 { throw .cannotOpen(path: path, code: errno) }
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        let code = errno
        close(descriptor)
        if code == EWOULDBLOCK { throw .packing(.locked(path: output)) }
        throw .cannotOpen(path: path, code: code)
      }
      var held = stat()
      if fstat(descriptor, &held) == 0, let named = BytePath(path).status(),
        FileIdentity(held) == FileIdentity(named)
      {
        return (descriptor, isCreated ? mark(descriptor) : isMarked(descriptor))
      }
      close(descriptor)
    }
    throw .packing(.locked(path: output))
  }

  /// Writes into a lock file whose it is: a file of that name may be someone else's.
  private static func mark(_ descriptor: Int32) -> Bool {
    // A lock file without its text still locks; it is removed all the same.
    _ = write(descriptor, lockText, lockText.count)
    return true
  }

  /// Whether a killed packer left the lock file.
  ///
  /// It holds our text, or what of it was written when
  /// the packer died, which may be nothing. A file with other content is another program's.
  private static func isMarked(_ descriptor: Int32) -> Bool {
    var text = [UInt8](repeating: 0, count: lockText.count + 1)
    let count = read(descriptor, &text, text.count)
    return count >= 0 && lockText.starts(with: text.prefix(count))
  }
}

extension PackOutput {
  /// What packing to `output` puts there and beside it, as far as it exists: none of that is input,
  /// even where the output lies in an input folder.
  static func identities(output: String) throws(CorpusError) -> Set<FileIdentity> {
    var paths = [output, output + ".partial", output + ".lock"].map { BytePath($0) }
    let parent = BytePath(DurableFile.parent(of: output))
    let name = output.split(separator: "/").last ?? ""
    if parent.status() != nil {
      for entry in try parent.names() where entry.text?.hasPrefix(name + ".replaced-") == true {
        paths.append(parent.appending(entry))
      }
    }
    return Set(paths.compactMap { $0.status() }.map { FileIdentity($0) })
  }
}

/// What packing makes in a corpus's folder: nothing else there is ever removed.
enum PackedFiles {
  private static let fileNames = [PackSeal.fileName, CorpusManifest.fileName]
  private static let shardSuffix = ".tokens.zst"

  /// The path of something in `folder` that packing does not make; nil where there is none.
  static func foreignEntry(in folder: String) throws(CorpusError) -> String? {
    for name in try Files.names(in: folder) where name != ".work" {
      let path = folder + "/" + name
      guard let status = BytePath(path).status() else { return path }
      if status.st_mode & S_IFMT != S_IFDIR {
        if !fileNames.contains(finalName(name)) { return path }
        continue
      }
      for inner in try Files.names(in: path) {
        let isShard =
          CorpusManifest.isPlainName(inner) && finalName(inner).hasSuffix(shardSuffix)
        let kind = BytePath(path + "/" + inner).status().map { $0.st_mode & S_IFMT }
        if !isShard || kind == nil || kind == S_IFDIR { return path + "/" + inner }
      }
    }
    return nil
  }

  /// A name without what an unfinished file has at its end.
  private static func finalName(_ name: String) -> String {
    name.hasSuffix(".tmp") ? String(name.dropLast(4)) : name
  }

  /// Removes a folder in which there is no foreign entry, and no `.work`; a link to it, where it is
  /// one.
  static func remove(in folder: String) throws(CorpusError) {
    if let status = BytePath(folder).status(), status.st_mode & S_IFMT != S_IFDIR {
      try Files.removeFile(folder)
      return
    }
    try removeFiles(in: folder)
    try Files.removeEmptyFolder(folder)
  }

  /// Removes what packing makes in a folder, but for `.work`; the files that name the shards last.
  static func removeFiles(in folder: String) throws(CorpusError) {
    let names = try Files.names(in: folder).filter { $0 != ".work" }
    for name in names where !fileNames.contains(finalName(name)) {
      let shards = folder + "/" + name
      for inner in try Files.names(in: shards) { try Files.removeFile(shards + "/" + inner) }
      try Files.removeEmptyFolder(shards)
    }
    for name in fileNames {
      try Files.removeFile(folder + "/" + name + ".tmp")
      try Files.removeFile(folder + "/" + name)
    }
  }
}
