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

/// The folder in which a corpus is made, until it is whole and gets its name.
///
///     <output>.partial/
///       .work/
///         lock                 held by the process that packs
///         fingerprint          which plan over which files
///         <domain>/*.bucket    scattered documents
///         <domain>/scatter.json   stands when the domain is scattered
///         <domain>/domain.json    stands when its shards are whole
///       <domain>/*.tokens.zst
///       pack.json
///       corpus.json            the last that is written, before .work is removed and the folder
///       renamed
///
/// Each of the small files is written durably after what it speaks of, so a run that finds it may
/// rely on that.
final class PackFolder {
  let output: String
  let path: String
  private let workPath: String
  private let lock: Int32

  /// Whether the folder held a run of the same plan, which goes on.
  let isResumed: Bool
  /// Whether the folder held a run of another plan, which was removed.
  let isStartedAnew: Bool

  /// Makes or enters `<output>.partial` and locks it.
  init(output: String, fingerprint: String) throws(CorpusError) {
    self.output = output
    path = output + ".partial"
    workPath = path + "/.work"
    try Files.makeFolders(workPath)
    lock = try Self.lock(workPath + "/lock")
    let mark = workPath + "/fingerprint"
    let found = try Files.exists(mark) ? FileReader.contents(of: mark, limit: 1 << 10) : nil
    isResumed = found == Array(fingerprint.utf8)
    isStartedAnew = found != nil && !isResumed
    if isResumed { return }
    do throws(CorpusError) {
      // What the mark vouches for goes after the mark.
      if found != nil { try Files.removeFile(mark) }
      for name in try InputListing.names(in: path) where name != ".work" {
        try Files.remove(path + "/" + name)
      }
      for name in try InputListing.names(in: workPath) where name != "lock" {
        try Files.remove(workPath + "/" + name)
      }
      try DurableFile.write(Array(fingerprint.utf8), to: mark)
    } catch {
      close(lock)
      throw error
    }
  }

  deinit { close(lock) }

  private static func lock(_ path: String) throws(CorpusError) -> Int32 {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw .cannotOpen(path: path, code: errno) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      close(descriptor)
      if code == EWOULDBLOCK { throw .packing(.locked(path: DurableFile.parent(of: path))) }
      throw .cannotOpen(path: path, code: code)
    }
    // Another process may have finished between our open and our lock, and taken the file with it.
    var held = stat()
    var named = stat()
    let isNamed = fstat(descriptor, &held) == 0 && stat(path, &named) == 0
    if !isNamed || held.st_ino != named.st_ino {
      close(descriptor)
      throw .packing(.locked(path: DurableFile.parent(of: path)))
    }
    return descriptor
  }

  /// The folder of a domain's bucket files, made if need be.
  func workFolder(of domain: String) throws(CorpusError) -> String {
    let folder = workPath + "/" + domain
    try Files.makeFolders(folder)
    return folder
  }

  /// The folder of a domain's shards, made if need be.
  func shardFolder(of domain: String) throws(CorpusError) -> String {
    let folder = path + "/" + domain
    try Files.makeFolders(folder)
    return folder
  }

  /// What an earlier run wrote into the domain's work folder, or nil.
  func stored<Value: Decodable>(
    _ type: Value.Type, _ name: String, of domain: String
  ) throws(CorpusError) -> Value? {
    let file = workPath + "/" + domain + "/" + name
    if !Files.exists(file) { return nil }
    return try Files.readJSON(type, from: file)
  }

  /// Writes a file into the domain's work folder.
  func store(_ value: some Encodable, _ name: String, of domain: String) throws(CorpusError) {
    try Files.writeJSON(value, to: workPath + "/" + domain + "/" + name)
  }

  /// Forgets what an earlier run did for a domain.
  func forget(_ domain: String) throws(CorpusError) {
    try Files.remove(workPath + "/" + domain)
    try Files.makeFolders(workPath + "/" + domain)
  }

  /// Whether the shards of a finished domain still stand where they were put.
  func holds(_ finished: FinishedDomain) -> Bool {
    finished.manifest.splits.values.joined().allSatisfy { shard in
      let reader = try? FileReader(path: path + "/" + shard.path)
      return reader?.byteCount == shard.byteCount
    }
  }

  /// Removes the bucket files of a finished domain, after what vouches for them.
  func removeBuckets(of domain: String) throws(CorpusError) {
    let folder = workPath + "/" + domain
    try Files.removeFile(folder + "/" + FinishedDomain.scatterFileName)
    for name in try InputListing.names(in: folder) where name.hasSuffix(".bucket") {
      try Files.removeFile(folder + "/" + name)
    }
  }

  /// Gives the whole corpus its name; with `replacing`, in the place of the corpus that has it.
  ///
  /// The lock's file goes with the work folder, but the lock is held until the end.
  func finish(replacing: Bool) throws(CorpusError) {
    try Files.remove(workPath)
    try Self.name(path, as: output, replacing: replacing)
  }

  /// Renames a whole partial folder.
  static func name(_ path: String, as output: String, replacing: Bool) throws(CorpusError) {
    try DurableFile.synchronizeFolder(of: path + "/corpus.json")
    if replacing, Files.exists(output) {
      let old = output + ".replaced"
      try Files.remove(old)
      try DurableFile.rename(output, to: old)
      try DurableFile.rename(path, to: output)
      try Files.remove(old)
    } else {
      try DurableFile.rename(path, to: output)
    }
  }
}

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
  private static func parent(of path: String) -> String {
    let parent = DurableFile.parent(of: path)
    return parent == path || parent == "." ? "" : parent
  }

  /// Removes a file or a folder with all that is in it; what is not there is no error.
  static func remove(_ path: String) throws(CorpusError) {
    var status = stat()
    if lstat(path, &status) != 0 { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      for name in try InputListing.names(in: path) { try remove(path + "/" + name) }
      if rmdir(path) != 0 { throw .cannotWrite(path: path, byteOffset: 0, code: errno) }
    } else {
      try removeFile(path)
    }
  }

  static func removeFile(_ path: String) throws(CorpusError) {
    if unlink(path) != 0, errno != ENOENT {
      throw .cannotWrite(path: path, byteOffset: 0, code: errno)
    }
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
