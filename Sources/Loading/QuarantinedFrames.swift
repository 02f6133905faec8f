internal import Corpora

/// The frames of a quarantine list as places in the corpus that is read.
struct QuarantinedFrames: Sendable {
  /// A frame, or with a nil frame a shard.
  struct Place: Hashable, Sendable {
    var shard: Int
    var frame: Int?
  }

  /// The places of each domain.
  private(set) var places: [Set<Place>]

  /// No frame at all.
  init(domainCount: Int) {
    places = Array(repeating: [], count: domainCount)
  }

  /// Finds the entries of `list` that belong to `split`, whose domains are cut as `layouts` say.
  ///
  /// - Throws: ``LoadingError/quarantineDiffers(domain:field:recorded:found:)`` for an entry of
  ///   another corpus.
  init(_ list: Quarantine, corpus: Corpus, split: Split, layouts: [DomainLayout])
    throws(LoadingError)
  {
    self.init(domainCount: corpus.domains.count)
    for entry in list.entries {
      func refuse(_ field: String, _ recorded: String, _ found: String) -> LoadingError {
        .quarantineDiffers(domain: entry.domain, field: field, recorded: recorded, found: found)
      }
      guard let domain = corpus.domains.firstIndex(where: { $0.name == entry.domain }) else {
        throw refuse("name", entry.domain, corpus.domainNames.joined(separator: ", "))
      }
      let fingerprint = corpus.domains[domain].fingerprint
      guard entry.fingerprint == fingerprint else {
        throw refuse("fingerprint", entry.fingerprint, fingerprint)
      }
      let shards = corpus.domains[domain].shards[entry.split, default: []]
      guard shards.indices.contains(entry.shardIndex) else {
        throw refuse("number of shards", "at least \(entry.shardIndex + 1)", "\(shards.count)")
      }
      let path = shards[entry.shardIndex].path
      guard path == entry.shard else {
        throw refuse("shard \(entry.shardIndex)", entry.shard, path)
      }
      guard entry.split == split else { continue }
      let last = layouts[domain].lastFrame(ofShard: entry.shardIndex)
      guard entry.frame ?? 0 <= last else {
        throw refuse("last frame of \(path)", "at least \(entry.frame ?? 0)", "\(last)")
      }
      places[domain].insert(Place(shard: entry.shardIndex, frame: entry.frame))
    }
  }

  /// Whether a frame is not to be read.
  func contains(_ frame: Int, shard: Int, domain: Int) -> Bool {
    guard !places[domain].isEmpty else { return false }
    return places[domain].contains(Place(shard: shard, frame: nil))
      || places[domain].contains(Place(shard: shard, frame: frame))
  }

  /// Returns the sequences of a domain that the frames take out, counted as its layout does.
  func sequences(ofDomain domain: Int, layout: DomainLayout) -> SequenceRanges {
    layout.sequences(ofFrames: places[domain].map { ($0.shard, $0.frame) })
  }

  /// Returns what is left of each domain's order; nil for a domain that has lost nothing.
  ///
  /// - Throws: ``LoadingError/noGoodSequence(domain:)``.
  func badPositions(in orders: [DomainOrder], names: [String]) throws(LoadingError)
    -> [BadPositions?]
  {
    var all: [BadPositions?] = []
    for (domain, order) in orders.enumerated() {
      let bad =
        places[domain].isEmpty
        ? nil : BadPositions(order: order, frames: places[domain].map { ($0.shard, $0.frame) })
      if let bad, bad.goodPerEpoch < 1 { throw .noGoodSequence(domain: names[domain]) }
      all.append(bad)
    }
    return all
  }
}
