internal import Corpora

/// The open shards of one split, shared by all threads of a loader.
///
/// A shard is opened when it is first needed. Only so many stay open, so that a corpus of any
/// number of shards needs a bounded number of file descriptors and a bounded amount of memory for
/// indexes; one that is opened again is compared with the manifest again.
final class ShardStore: @unchecked Sendable {
  // Sound: `readers`, `opened` and `quarantined` are only touched with `monitor` locked; a reader
  // itself may be used by any thread.
  private let monitor = Monitor()
  private let corpus: Corpus
  private let split: Split
  private var readers: [[OpenShard?]]
  private var quarantined: QuarantinedFrames
  private var opened: [(domain: Int, shard: Int)] = []
  /// How often a shard was asked for; the clock by which the least recently used one is found.
  private var useCount = 0

  private struct OpenShard {
    let reader: ShardReader
    var lastUse: Int
  }

  /// How many shards stay open.
  static let openLimit = 256

  init(corpus: Corpus, split: Split) {
    self.corpus = corpus
    self.split = split
    quarantined = QuarantinedFrames(domainCount: corpus.domains.count)
    readers = corpus.domains.map {
      Array(repeating: nil, count: $0.shards[split, default: []].count)
    }
  }

  /// Returns the open shard.
  func reader(domain: Int, shard: Int) throws(CorpusError) -> ShardReader {
    if let reader = openReader(domain: domain, shard: shard) { return reader }
    let reader = try corpus.openShard(shard, of: split, domainIndex: domain)
    if let earlier = openReader(domain: domain, shard: shard) { return earlier }
    monitor.lock()
    defer { monitor.unlock() }
    if opened.count == Self.openLimit { closeLeastRecentlyUsed() }
    if readers[domain][shard] == nil { opened.append((domain, shard)) }
    readers[domain][shard] = OpenShard(reader: reader, lastUse: useCount)
    return reader
  }

  private func openReader(domain: Int, shard: Int) -> ShardReader? {
    monitor.lock()
    defer { monitor.unlock() }
    guard let reader = readers[domain][shard]?.reader else { return nil }
    useCount += 1
    readers[domain][shard]?.lastUse = useCount
    return reader
  }

  private func closeLeastRecentlyUsed() {
    func lastUse(_ place: (domain: Int, shard: Int)) -> Int {
      readers[place.domain][place.shard]?.lastUse ?? 0
    }
    guard let oldest = opened.indices.min(by: { lastUse(opened[$0]) < lastUse(opened[$1]) })
    else { return }
    let place = opened.remove(at: oldest)
    readers[place.domain][place.shard] = nil
  }

  /// Forgets an open shard that could not be read, so that the next attempt finds the file that
  /// stands at its path then, which may be a good copy.
  func close(domain: Int, shard: Int) {
    monitor.lock()
    defer { monitor.unlock() }
    guard readers[domain][shard] != nil else { return }
    readers[domain][shard] = nil
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

  /// Names the shard and the first frame of a unit, for errors; opens nothing.
  func place(ofUnit unit: Int, domain: Int, layout: DomainLayout) -> (ShardPlace, frame: Int) {
    var (shard, frame) = (0, 0)
    if unit < layout.frameUnitCount {
      let frames = layout.frames(ofUnit: unit)
      (shard, frame) = (frames.shard, frames.frames.lowerBound)
    } else {
      var isFirst = true
      layout.forEachTailSegment(ofUnit: unit) { segment in
        if isFirst { (shard, frame) = (segment.shard, segment.frame) }
        isFirst = false
      }
    }
    let description = corpus.domains[domain].shards[split, default: []][shard]
    return (
      ShardPlace(
        domain: corpus.domains[domain].name, path: corpus.folder + "/" + description.path), frame
    )
  }
}
