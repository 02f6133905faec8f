/// The folder in which a corpus is made, until it is whole and gets its name.
///
///     <output>.partial/
///       .work/
///         fingerprint           which plan over which files
///         <domain>/*.bucket     scattered documents
///         <domain>/scatter.json stands when the domain is scattered
///         <domain>/domain.json  stands when its shards are whole
///       <domain>/*.tokens.zst
///       pack.json
///       corpus.json             the last that is written
///
/// Each of the small files is written durably after what it speaks of, so a run that finds it may
/// rely on that.
struct PackFolder {
  let path: String
  private let workPath: String

  /// Whether the folder held a run of the same plan, which goes on.
  let isResumed: Bool
  /// Whether the folder held a run of another plan, which was removed.
  let isStartedAnew: Bool

  /// What stands in place of a fingerprint while an earlier run is being removed.
  private static let removing = Array("removing".utf8)

  /// Makes or enters the folder at `path`, which the caller has locked.
  ///
  /// 1. A folder of this plan goes on.
  /// 2. What another plan made is removed, and nothing else is.
  /// 3. A folder without a fingerprint is someone else's, unless it is as empty as a run leaves it
  ///    that is killed at its very beginning.
  init(_ path: String, fingerprint: String) throws(CorpusError) {
    self.path = path
    workPath = path + "/.work"
    let mark = workPath + "/fingerprint"
    let found = try Files.exists(mark) ? FileReader.contents(of: mark, limit: 1 << 10) : nil
    isResumed = found == Array(fingerprint.utf8)
    if isResumed {
      isStartedAnew = false
      return
    }
    let isOwn = found != nil || PackSeal(in: path)?.fingerprint == fingerprint
    isStartedAnew = isOwn
    if Files.exists(path) {
      let foreign = isOwn ? try PackedFiles.foreignEntry(in: path) : try Self.anyEntry(in: path)
      if let foreign { throw .packing(.foreignFile(path: foreign)) }
    }
    try Files.makeFolders(workPath)
    if isOwn {
      try DurableFile.write(Self.removing, to: mark)
      try PackedFiles.removeFiles(in: path)
      for name in try BytePath(workPath).names() where name.text != "fingerprint" {
        try Files.remove(BytePath(workPath).appending(name))
      }
    }
    try DurableFile.write(Array(fingerprint.utf8), to: mark)
  }

  /// Something in a folder that a run has not marked yet; nil where it is empty.
  private static func anyEntry(in folder: String) throws(CorpusError) -> String? {
    for name in try Files.names(in: folder) {
      if name != ".work" { return folder + "/" + name }
      let work = folder + "/.work"
      for inner in try Files.names(in: work) where inner != "fingerprint.tmp" {
        return work + "/" + inner
      }
    }
    return nil
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
    for name in try Files.names(in: folder) where name.hasSuffix(".bucket") {
      try Files.removeFile(folder + "/" + name)
    }
  }
}
