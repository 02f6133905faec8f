internal import Corpora

/// The sequences of a domain whose shards are read from their beginning on: one shard after the
/// other, in the order that the epoch gives them.
///
/// Decoding goes on where it stopped; anywhere else it begins the shard anew and passes over what
/// comes before. A sequence lies in one shard.
///
/// One thread at a time uses it: the cache has one unit of such a domain decoded at once.
final class SequenceStream: @unchecked Sendable {
  // Sound: see above; what is handed from thread to thread passes through the cache's lock.
  /// What is being done now, for whoever waits for it.
  let activity = ReadActivity()

  private let corpus: Corpus
  /// What says which shards are in quarantine.
  private let store: ShardStore
  private let split: Split
  private let domain: Int
  private let order: DomainOrder
  private let width: TokenWidth
  /// Whether epochs give the shards another order.
  private let isShuffled: Bool
  /// What text is decoded with.
  private let workspace: TextWorkspace

  /// The shards of the epoch that is read, in its order.
  private var shards: [Int] = []
  private var epoch = -1
  /// The place in ``shards``.
  private var shardRank = 0
  private var stream: (any TokenStream)?
  /// How many sequences of the shard have been read.
  private var rowsOfShard = 0
  /// The last token of the sequence before, which begins the next one.
  private var carry: UInt32?
  /// What decoding goes on with; nil if it must find its place first.
  private var next: Place?
  /// A row that was read to find out whether there is one; used where ``hasRowAhead``.
  private var rowAhead: [UInt8]
  private var hasRowAhead = false

  /// A unit of a pool.
  private struct Place: Equatable {
    var pool: DomainOrder.Pool
    var rank: Int
  }

  /// What decoding a unit of text found out.
  struct Outcome {
    /// The rows of the unit.
    var rowCount: Int
    /// The pool after this one; nil if the pool has more units.
    var nextPool: TextMark?
  }

  /// Creates the stream of a domain.
  ///
  /// `heldTextByteLimit` bounds the frames of text that are kept in memory.
  init(
    _ corpus: Corpus, split: Split, domain: Int, order: DomainOrder, store: ShardStore,
    isShuffled: Bool = true, heldTextByteLimit: Int = 0
  ) {
    self.corpus = corpus
    self.store = store
    self.split = split
    self.domain = domain
    self.order = order
    self.isShuffled = isShuffled
    workspace = TextWorkspace(heldByteLimit: heldTextByteLimit)
    width = corpus.tokenWidth
    rowAhead = Array(
      repeating: 0, count: (order.layout.sequenceLength + 1) * corpus.tokenWidth.byteCount)
  }

  /// The streams of the domains that are read so, `[domain]`.
  static func all(
    of corpus: Corpus, split: Split, orders: [DomainOrder], store: ShardStore,
    heldTextByteLimit: Int = 0
  ) -> [SequenceStream?] {
    orders.indices.map { domain in
      orders[domain].layout.access == .units
        ? nil
        : SequenceStream(
          corpus, split: split, domain: domain, order: orders[domain], store: store,
          heldTextByteLimit: heldTextByteLimit)
    }
  }

  /// The shard that is read, or that the last failure is about.
  var shardIndex: Int { shards.indices.contains(shardRank) ? shards[shardRank] : 0 }

  // MARK: Shards whose tokens are counted

  /// Decodes the unit at `rank` of `pool` into `memory`, rows of T + 1 tokens.
  func decode(
    _ pool: DomainOrder.Pool, rank: Int, into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    activity.begin(.decoding, domain: domain, shard: shardIndex)
    let place = Place(pool: pool, rank: rank)
    let unit = pool.index * order.unitsPerPool + rank
    if next != place {
      next = nil
      try find(sequence: unit * order.layout.sequencesPerUnit, ofEpoch: pool.epoch)
    }
    next = nil
    let rowCount = order.layout.sequenceCount(ofUnit: unit)
    let made = try readRows(rowCount, into: memory)
    guard made == rowCount else { preconditionFailure("an epoch has \(rowCount - made) rows less") }
    next = Place(
      pool: rank + 1 < order.unitCount(of: pool) ? pool : order.pool(after: pool),
      rank: rank + 1 < order.unitCount(of: pool) ? rank + 1 : 0)
    if next?.pool.epoch != pool.epoch { next = nil }
  }

  /// Goes to a sequence of an epoch.
  private func find(sequence: Int, ofEpoch epoch: Int) throws(CorpusError) {
    begin(epoch: epoch)
    var left = sequence
    while left >= order.layout.streamedSequenceCount(ofShard: shards[shardRank]) {
      left -= order.layout.streamedSequenceCount(ofShard: shards[shardRank])
      shardRank += 1
    }
    guard left > 0 else { return }
    if !isInQuarantine {
      try skip(left * order.layout.sequenceStride, of: try openStream())
    }
    rowsOfShard = left
  }

  /// Passes over tokens; in pieces, so that it is seen to get on.
  private func skip(_ tokenCount: Int, of stream: any TokenStream) throws(CorpusError) {
    for first in stride(from: 0, to: tokenCount, by: tokensPerFrame) {
      activity.note(.decoding)
      do throws(CorpusError) { try stream.skip(min(tokensPerFrame, tokenCount - first)) } catch {
        throw failure(error)
      }
    }
  }

  // MARK: Text

  /// Decodes the unit at `rank` of the pool that begins at `mark` into `memory`, rows of T + 1
  /// tokens.
  func decode(
    _ mark: TextMark, rank: Int, into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) -> Outcome {
    activity.begin(.decoding, domain: domain, shard: shardIndex)
    let place = Place(pool: mark.place, rank: rank)
    let rowCount = order.layout.sequencesPerUnit
    if next != place {
      next = nil
      try find(mark)
      for _ in 0..<rank { _ = try readRows(rowCount, into: memory) }
    }
    next = nil
    let made = try readRows(rowCount, into: memory)
    guard made > 0 || rank > 0 || mark.pool > 0 else {
      throw .tooLittleText(
        domain: corpus.domains[domain].name, sequenceLength: order.layout.sequenceLength)
    }
    guard made < rowCount || rank + 1 == order.unitsPerPool else {
      next = Place(pool: mark.place, rank: rank + 1)
      return Outcome(rowCount: made, nextPool: nil)
    }
    let end = mark.position + rank * rowCount + made
    return Outcome(
      rowCount: made, nextPool: try markAfter(mark, at: end, isWhole: made == rowCount))
  }

  /// The mark of the pool after a pool that ends at the position `end`.
  private func markAfter(_ mark: TextMark, at end: Int, isWhole: Bool) throws(CorpusError)
    -> TextMark
  {
    var after = TextMark(position: end, epoch: mark.epoch)
    after.pool = mark.pool + 1
    after.shardRank = shardRank
    after.carry = carry
    if let text = stream as? TextTokenStream { after.cursor = text.cursor }
    hasRowAhead = isWhole ? try readRowAhead() : false
    guard hasRowAhead else { return TextMark(position: end, epoch: mark.epoch + 1) }
    next = Place(pool: after.place, rank: 0)
    return after
  }

  private func readRowAhead() throws(CorpusError) -> Bool {
    var failure: CorpusError?
    let isRead = rowAhead.withUnsafeMutableBytes { row in
      do throws(CorpusError) { return try readRow(into: row) } catch {
        failure = error
        return false
      }
    }
    if let failure { throw failure }
    return isRead
  }

  /// Goes to a mark.
  private func find(_ mark: TextMark) throws(CorpusError) {
    begin(epoch: mark.epoch)
    shardRank = mark.shardRank
    guard shardRank < shards.count, mark.cursor != TextCursor() || mark.carry != nil else { return }
    activity.begin(.opening, domain: domain, shard: shards[shardRank])
    stream = try store.naming(.opening, domain: domain) { () throws(CorpusError) in
      try corpus.openText(
        shards[shardRank], of: split, domainIndex: domain, from: mark.cursor, activity: activity,
        workspace: workspace)
    }
    carry = mark.carry
  }

  // MARK: Rows

  /// Whether the shard that is read is in quarantine; text never is.
  private var isInQuarantine: Bool {
    order.layout.access == .stream
      && store.isQuarantined(0, shard: shards[shardRank], domain: domain)
  }

  private func begin(epoch: Int) {
    if self.epoch != epoch || shards.isEmpty {
      shards =
        isShuffled ? order.shards(ofEpoch: epoch) : Array(0..<order.layout.shardCount)
      self.epoch = epoch
    }
    shardRank = 0
    beginShard()
    hasRowAhead = false
  }

  private func beginShard() {
    stream = nil
    carry = nil
    rowsOfShard = 0
  }

  private func openStream() throws(CorpusError) -> any TokenStream {
    let shard = shards[shardRank]
    activity.begin(.opening, domain: domain, shard: shard)
    let opened = try store.naming(.opening, domain: domain) { () throws(CorpusError) in
      try corpus.openTokenStream(
        shard, of: split, domainIndex: domain, activity: activity, workspace: workspace)
    }
    // The file that stands there may be another than the last time.
    try store.verify(opened.fileVersion, domain: domain, shard: shard, activity) {
      () throws(CorpusError) in try opened.verify()
    }
    activity.note(.decoding)
    stream = opened
    return opened
  }

  /// Names an error of the shard that is read; the next attempt verifies its file again.
  private func failure(_ error: CorpusError) -> CorpusError {
    store.close(domain: domain, shard: shards[shardRank])
    return store.naming(error, domain: domain)
  }

  /// Reads as many rows as there are, at most `count`.
  private func readRows(_ count: Int, into memory: UnsafeMutableRawBufferPointer)
    throws(CorpusError) -> Int
  {
    let rowByteCount = (order.layout.sequenceLength + 1) * width.byteCount
    for row in 0..<count {
      let bytes = UnsafeMutableRawBufferPointer(
        rebasing: memory[row * rowByteCount..<(row + 1) * rowByteCount])
      if hasRowAhead {
        bytes.copyBytes(from: rowAhead)
        hasRowAhead = false
      } else if try !readRow(into: bytes) {
        return row
      }
    }
    return count
  }

  /// Reads the next sequence; false at the end of the epoch.
  private func readRow(into row: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Bool {
    while shardRank < shards.count {
      let recorded =
        order.layout.access == .openEnded
        ? Int.max : order.layout.streamedSequenceCount(ofShard: shards[shardRank])
      if rowsOfShard < recorded {
        if isInQuarantine {
          // Its rows keep their places, and are never read.
          rowsOfShard += 1
          return true
        }
        let stream = if let stream { stream } else { try openStream() }
        let isRead: Bool
        do throws(CorpusError) { isRead = try readRow(into: row, from: stream) } catch {
          throw failure(error)
        }
        if isRead {
          rowsOfShard += 1
          return true
        }
        guard order.layout.access == .openEnded else {
          throw .shardDiffers(
            stream.place, field: "number of sequences", recorded: UInt64(recorded),
            found: UInt64(rowsOfShard))
        }
      }
      shardRank += 1
      beginShard()
    }
    return false
  }

  /// Reads the next sequence of a shard; false at its end.
  private func readRow(
    into row: UnsafeMutableRawBufferPointer, from stream: any TokenStream
  ) throws(CorpusError) -> Bool {
    let tokenCount = order.layout.sequenceLength + 1
    guard order.layout.sequenceStride < tokenCount else {
      return try stream.read(into: row, width: width) == tokenCount
    }
    let first = UnsafeMutableRawBufferPointer(rebasing: row[..<width.byteCount])
    if let carry {
      width.store(carry, into: first)
    } else if try stream.read(into: first, width: width) == 0 {
      return false
    }
    let rest = UnsafeMutableRawBufferPointer(rebasing: row[width.byteCount...])
    guard try stream.read(into: rest, width: width) == tokenCount - 1 else { return false }
    carry = width.token(at: tokenCount - 1, of: UnsafeRawBufferPointer(row))
    return true
  }
}
