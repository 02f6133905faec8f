package import Corpora

/// The open shards of one split, shared by all threads of a loader.
///
/// A shard is opened when it is first needed. Only so many stay open, so that a corpus of any
/// number of shards needs a bounded number of file descriptors and a bounded amount of memory for
/// indexes. One that is opened again is compared with the manifest again, and with its hashes if
/// another file stands there by then, or the same one was changed.
package final class ShardStore: @unchecked Sendable {
  // Sound: every `var` is only touched with `monitor` locked; a reader itself may be used by any
  // thread.
  private let monitor = Monitor()
  private let corpus: Corpus
  private let split: Split
  private let openLimit: Int
  private var shards: [[OpenShard?]]
  /// The files of other formats, read as streams or not, that were compared with their hashes, by
  /// domain and shard.
  private var verified: [[Int: FileVersion]]
  private var quarantined: QuarantinedFrames
  private var opened: [(domain: Int, shard: Int)] = []
  /// How often a shard was asked for; the clock by which the least recently used one is found.
  private var useCount = 0

  /// An open shard of either kind.
  private enum Handle {
    case frames(ShardReader)
    case tokens(any TokenShard)
  }

  private struct OpenShard {
    let handle: Handle
    var lastUse: Int
  }

  /// Creates a store of which at most `openLimit` shards stay open.
  package init(corpus: Corpus, split: Split, openLimit: Int = 256) {
    self.openLimit = openLimit
    self.corpus = corpus
    self.split = split
    quarantined = QuarantinedFrames(domainCount: corpus.domains.count)
    shards = corpus.domains.map {
      Array(repeating: nil, count: $0.shards[split, default: []].count)
    }
    verified = shards.map { _ in [:] }
  }

  /// Whether the domain's shards are native ones.
  func hasFrames(domain: Int) -> Bool { corpus.domains[domain].format == .native }

  /// Returns the open shard of a native domain.
  func reader(domain: Int, shard: Int) throws(CorpusError) -> ShardReader {
    if case .frames(let reader) = handle(domain: domain, shard: shard) { return reader }
    let reader = try naming(.opening, domain: domain) { () throws(CorpusError) in
      try corpus.openShard(shard, of: split, domainIndex: domain)
    }
    if case .frames(let earlier) = keep(.frames(reader), domain: domain, shard: shard) {
      return earlier
    }
    return reader
  }

  /// Returns the open shard of a domain of another format, whose file was verified.
  package func tokenShard(domain: Int, shard: Int, _ activity: ReadActivity) throws(CorpusError)
    -> any TokenShard
  {
    if case .tokens(let opened) = handle(domain: domain, shard: shard) { return opened }
    let opened = try naming(.opening, domain: domain) { () throws(CorpusError) in
      try corpus.openTokenShard(shard, of: split, domainIndex: domain)
    }
    try verify(opened.fileVersion, domain: domain, shard: shard, activity) {
      () throws(CorpusError) in try opened.verify(activity)
    }
    if case .tokens(let earlier) = keep(.tokens(opened), domain: domain, shard: shard) {
      return earlier
    }
    return opened
  }

  /// Has a shard's file verified by `body`, unless the very same was found whole before.
  func verify(
    _ version: FileVersion, domain: Int, shard: Int, _ activity: ReadActivity,
    by body: () throws(CorpusError) -> Void
  ) throws(CorpusError) {
    guard verifiedFile(domain: domain, shard: shard) != version else { return }
    activity.note(.verifying)
    try naming(.verifying, domain: domain, body)
    monitor.lock()
    defer { monitor.unlock() }
    verified[domain][shard] = version
  }

  private func verifiedFile(domain: Int, shard: Int) -> FileVersion? {
    monitor.lock()
    defer { monitor.unlock() }
    return verified[domain][shard]
  }

  private func handle(domain: Int, shard: Int) -> Handle? {
    monitor.lock()
    defer { monitor.unlock() }
    guard let handle = shards[domain][shard]?.handle else { return nil }
    useCount += 1
    shards[domain][shard]?.lastUse = useCount
    return handle
  }

  /// Keeps a shard open, unless another thread has opened it meanwhile; returns the one that is
  /// kept.
  private func keep(_ handle: Handle, domain: Int, shard: Int) -> Handle {
    monitor.lock()
    defer { monitor.unlock() }
    if let earlier = shards[domain][shard]?.handle { return earlier }
    if opened.count == openLimit { closeLeastRecentlyUsed() }
    opened.append((domain, shard))
    shards[domain][shard] = OpenShard(handle: handle, lastUse: useCount)
    return handle
  }

  private func closeLeastRecentlyUsed() {
    func lastUse(_ place: (domain: Int, shard: Int)) -> Int {
      shards[place.domain][place.shard]?.lastUse ?? 0
    }
    guard let oldest = opened.indices.min(by: { lastUse(opened[$0]) < lastUse(opened[$1]) })
    else { return }
    let place = opened.remove(at: oldest)
    shards[place.domain][place.shard] = nil
  }

  /// Forgets an open shard that could not be read, so that the next attempt finds the file that
  /// stands at its path then, which may be a good copy.
  package func close(domain: Int, shard: Int) {
    monitor.lock()
    defer { monitor.unlock() }
    verified[domain][shard] = nil
    guard shards[domain][shard] != nil else { return }
    shards[domain][shard] = nil
    opened.removeAll { $0 == (domain, shard) }
  }

  /// Sets which frames are not read from now on.
  func setQuarantined(_ frames: QuarantinedFrames) {
    monitor.lock()
    defer { monitor.unlock() }
    quarantined = frames
  }

  /// Whether a frame is not to be read.
  func isQuarantined(_ frame: Int, shard: Int, domain: Int) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    return quarantined.contains(frame, shard: shard, domain: domain)
  }

  /// Names what a thread was doing when it was waited for too long; opens nothing.
  func stall(_ record: ReadActivity.Record, timeoutInMilliseconds: Int) -> Stall {
    let description = corpus.domains[record.domain].shards[split, default: []][record.shard]
    return Stall(
      record.stage, domain: corpus.domains[record.domain].name, path: corpus.path(of: description),
      frame: record.frame, byteOffset: record.byteOffset,
      timeoutInMilliseconds: timeoutInMilliseconds)
  }

  /// Returns what `body` does; names the stage and the domain in an error about one of its files.
  func naming<Value>(
    _ stage: Stall.Stage, domain: Int, _ body: () throws(CorpusError) -> Value
  ) throws(CorpusError) -> Value {
    do throws(CorpusError) { return try body() } catch {
      throw error.naming(stage, domain: corpus.domains[domain].name)
    }
  }

  /// Names the domain in an error about one of its files.
  func naming(_ error: CorpusError, domain: Int) -> CorpusError {
    error.naming(domain: corpus.domains[domain].name)
  }
}
