public import Corpora

/// The documents that a row touches.
public struct RowDocuments: Sendable, Equatable {
  /// The documents of which the row's T + 1 tokens hold some, as ordinals in the shard from 0.
  ///
  /// A document is ended by its end-of-text, which belongs to it.
  public let documents: Range<Int>
  /// The tokens of the first of them that come before the row.
  public let offsetInFirst: Int
}

/// Finds out which documents rows come from.
///
/// The index of a shard has the number of documents of every frame, so that only the frames around
/// a row's two ends are decoded: one for most rows, and one more where the row's first document
/// began in another frame. The frame that was decoded last is kept, which serves rows of one
/// neighborhood.
///
/// It is for looking at rows, not for a training loop; ``BatchFacts/origin(ofRow:)`` costs no read.
public final class DocumentFinder {
  private let corpus: Corpus
  private let endOfText: UInt32
  private let tokenWidth: TokenWidth
  private let store: ShardStore
  private let decoder: FrameDecoder
  // Owned by this object: allocated with it, freed with it.
  private let memory: UnsafeMutableRawBufferPointer
  /// The frame that ``memory`` holds; nil while it holds none.
  private var decoded: FramePlace?

  private struct FramePlace: Equatable {
    var domain: Int
    var shard: Int
    var frame: Int
  }

  /// Prepares to look at rows of one split of `corpus`.
  ///
  /// - Parameters:
  ///   - corpus: The corpus that the rows come from.
  ///   - split: The split that they come from.
  /// - Throws: ``LoadingError/corpus(_:)`` if libzstd gives no context.
  public init(_ corpus: Corpus, split: Split = .train) throws(LoadingError) {
    self.corpus = corpus
    endOfText = UInt32(clamping: corpus.tokenizer.endOfText)
    tokenWidth = corpus.tokenWidth
    store = ShardStore(corpus: corpus, split: split)
    do throws(CorpusError) { decoder = try FrameDecoder(verifiesContent: false) } catch {
      throw LoadingError(error)
    }
    memory = .allocate(byteCount: tokensPerFrame * corpus.tokenWidth.byteCount, alignment: 64)
  }

  deinit {
    memory.deallocate()
  }

  /// Returns the documents that a row touches.
  ///
  /// - Parameters:
  ///   - origin: Where the row comes from, in this corpus and split.
  ///   - sequenceLength: T; the row has T + 1 tokens.
  /// - Returns: Their ordinals in the shard, and how far into the first the row begins.
  /// - Throws: ``LoadingError/corpus(_:)`` if the shard does not open or a frame is damaged;
  ///   ``LoadingError/documentsNotCounted(domain:)`` for a domain that is not native.
  /// - Precondition: The shard holds the row.
  public func documents(of origin: RowOrigin, sequenceLength: Int) throws(LoadingError)
    -> RowDocuments
  {
    let domain = corpus.domains[origin.domainIndex]
    guard domain.format == .native else { throw .documentsNotCounted(domain: domain.name) }
    do throws(CorpusError) {
      let shard = OpenShard(
        domain: origin.domainIndex, index: origin.shardIndex,
        reader: try store.reader(domain: origin.domainIndex, shard: origin.shardIndex))
      let last = origin.tokenOffset + sequenceLength
      precondition(
        origin.tokenOffset >= 0 && sequenceLength >= 0 && last < shard.reader.index.tokenCount,
        "shard \(origin.shardPath) has no row of \(sequenceLength + 1) tokens at "
          + "\(origin.tokenOffset)")
      // From the row's end to what comes before it, so that no frame is decoded twice.
      let end = try documentCount(before: last, of: shard)
      let first = try documentCount(before: origin.tokenOffset, of: shard)
      let begin = try documentBegin(before: origin.tokenOffset, of: shard)
      return RowDocuments(
        documents: first..<end + 1, offsetInFirst: origin.tokenOffset - begin)
    } catch {
      throw LoadingError(error)
    }
  }

  private struct OpenShard {
    let domain: Int
    let index: Int
    let reader: ShardReader
  }

  /// Returns how many documents end before token `offset`.
  private func documentCount(before offset: Int, of shard: OpenShard) throws(CorpusError) -> Int {
    let (frame, place) = offset.quotientAndRemainder(dividingBy: tokensPerFrame)
    let frames = shard.reader.index.frames
    let before = frames[..<frame].reduce(0) { $0 + $1.documentCount }
    guard place > 0, frames[frame].documentCount > 0 else { return before }
    let tokens = try tokens(ofFrame: frame, of: shard, count: place)
    return before + tokenWidth.count(of: endOfText, in: tokens)
  }

  /// Returns where the document begins to which token `offset` belongs.
  private func documentBegin(before offset: Int, of shard: OpenShard) throws(CorpusError) -> Int {
    var (frame, place) = offset.quotientAndRemainder(dividingBy: tokensPerFrame)
    while true {
      if place > 0, shard.reader.index.frames[frame].documentCount > 0 {
        let tokens = try tokens(ofFrame: frame, of: shard, count: place)
        if let end = tokenWidth.lastPlace(of: endOfText, in: tokens) {
          return frame * tokensPerFrame + end + 1
        }
      }
      guard frame > 0 else { return 0 }
      frame -= 1
      place = shard.reader.index.frames[frame].tokenCount
    }
  }

  /// Decodes a frame, if it is not the one that was decoded last, and returns its first tokens.
  private func tokens(ofFrame frame: Int, of shard: OpenShard, count: Int) throws(CorpusError)
    -> UnsafeRawBufferPointer
  {
    let place = FramePlace(domain: shard.domain, shard: shard.index, frame: frame)
    if decoded != place {
      decoded = nil
      let entry = shard.reader.index.frames[frame]
      let content = UnsafeMutableRawBufferPointer(
        rebasing: memory[..<(entry.tokenCount * tokenWidth.byteCount)])
      try shard.reader.decode(frame: frame, into: content, using: decoder)
      // What is counted here is added to what other frames record, so it must be what they record.
      let found = tokenWidth.count(of: endOfText, in: UnsafeRawBufferPointer(content))
      guard found == entry.documentCount else {
        throw shard.reader.damage(
          frame, .documentCount(recorded: entry.documentCount, found: found))
      }
      decoded = place
    }
    return UnsafeRawBufferPointer(rebasing: memory[..<(count * tokenWidth.byteCount)])
  }
}
