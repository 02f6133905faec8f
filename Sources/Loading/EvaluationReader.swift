public import Corpora

/// Reads a split of one domain in order, once: no mixing, no shuffling, every sequence exactly
/// once.
///
/// The order is that of the units: the full frames of all shards, then the sequences of their short
/// last frames. It depends on the corpus and T alone, so that losses of different runs are measured
/// on the same text; and, where one is given, on a quarantine list, whose sequences are left out.
public final class EvaluationReader {
  /// The sequences that this reader gives, but for those in quarantine: of the split, those that
  /// were asked for.
  public let sequences: Range<Int>
  /// T, the targets of a sequence.
  public let sequenceLength: Int
  /// The sequences that are still to be read.
  public var remainingCount: Int {
    let left = nextSequence..<sequences.upperBound
    return left.count - quarantined.count(in: left)
  }

  private let domainIndex: Int
  private let tokenWidth: TokenWidth
  private let layout: DomainLayout
  /// The split's sequences that are left out.
  private let quarantined: SequenceRanges
  private let decoder: UnitDecoder
  /// The split's sequences, where its shards are read as streams.
  private let stream: SequenceStream?
  private var nextSequence: Int
  /// The unit whose tokens ``memory`` holds.
  private var unit: Int?
  // Owned by this object: allocated with it, freed with it.
  private let memory: UnsafeMutableRawBufferPointer

  /// Opens a split of a domain.
  ///
  /// - Parameters:
  ///   - corpus: The corpus.
  ///   - domainIndex: Which of its domains.
  ///   - split: Which split.
  ///   - sequenceLength: T, which must divide a frame or be a multiple of one.
  ///   - allowsUnusedTails: Whether any other T is accepted, which leaves the frames' tails out.
  ///   - sequences: Which sequences of the split; nil for all. Ranks take disjoint ranges.
  ///   - quarantined: Damaged frames of the corpus, of whatever split, whose sequences are left
  ///     out; what `headrace verify --quarantine` writes.
  ///   - readTimeoutInSeconds: The seconds after which a read that does not come back is an error,
  ///     at least 1.
  /// - Throws: ``LoadingError/sequenceLength(value:below:above:)``,
  ///   ``LoadingError/setting(name:value:allowed:)``, ``LoadingError/corpus(_:)``, or for a list of
  ///   another corpus ``LoadingError/quarantineDiffers(domain:field:recorded:found:)``. A split
  ///   without one whole sequence is no error: it gives none.
  public convenience init(
    _ corpus: Corpus, domainIndex: Int, split: Split = .heldOut, sequenceLength: Int,
    allowsUnusedTails: Bool = false, sequences: Range<Int>? = nil,
    quarantined: Quarantine = Quarantine(), readTimeoutInSeconds: Int = 120
  ) throws(LoadingError) {
    try LoaderPlan.checkReadTimeout(inSeconds: readTimeoutInSeconds)
    try self.init(
      corpus.waiting(milliseconds: readTimeoutInSeconds * 1000), domainIndex: domainIndex,
      split: split, sequenceLength: sequenceLength, allowsUnusedTails: allowsUnusedTails,
      range: sequences, quarantined: quarantined)
  }

  /// Opens a split of a domain, whose files are waited for as long as the corpus says.
  package init(
    _ corpus: Corpus, domainIndex: Int, split: Split, sequenceLength: Int,
    allowsUnusedTails: Bool = false, range sequences: Range<Int>?,
    quarantined list: Quarantine = Quarantine()
  ) throws(LoadingError) {
    let domain = corpus.domains[domainIndex]
    try LoaderPlan.checkSequenceLength(
      sequenceLength, allowsUnusedTails: allowsUnusedTails || domain.samplesAreSequences)
    try LoaderPlan.checkSampleLength(of: domain, sequenceLength: sequenceLength)
    layout = DomainLayout(of: domain, split: split, sequenceLength: sequenceLength)
    guard layout.access != .openEnded || layout.shardCount == 0 else {
      throw .needsPacking(domain: domain.name, feature: "evaluation")
    }
    let all = 0..<layout.sequenceCount
    self.sequences = sequences?.clamped(to: all) ?? all
    self.sequenceLength = sequenceLength
    self.domainIndex = domainIndex
    tokenWidth = corpus.tokenWidth
    nextSequence = self.sequences.lowerBound
    let store = ShardStore(corpus: corpus, split: split)
    let frames = try QuarantinedFrames(
      list, corpus: corpus, split: split,
      layouts: list.isEmpty
        ? []
        : corpus.domains.map { DomainLayout(of: $0, split: split, sequenceLength: sequenceLength) })
    store.setQuarantined(frames)
    quarantined = frames.sequences(ofDomain: domainIndex, layout: layout)
    do throws(CorpusError) {
      decoder = try UnitDecoder(store: store, tokenWidth: corpus.tokenWidth)
    } catch {
      throw LoadingError(error)
    }
    if layout.access == .stream, layout.sequenceCount > 0 {
      // One unit to a pool, and the shards in their own order: neither key is used.
      let order = DomainOrder(layout: layout, name: domain.name, seed: 0, unitsPerPool: 1)
      stream = SequenceStream(
        corpus, split: split, domain: domainIndex, order: order, store: store,
        isShuffled: false)
    } else {
      stream = nil
    }
    memory = .allocate(
      byteCount: layout.unitTokenCapacity * corpus.tokenWidth.byteCount, alignment: 64)
  }

  deinit {
    memory.deallocate()
  }

  /// Copies the next sequences into `buffer`.
  ///
  /// - Parameters:
  ///   - rows: How many sequences to copy at most.
  ///   - buffer: Room for `rows` × (T + 1) elements, filled row after row.
  /// - Returns: How many were copied; fewer than `rows` at the end, then 0.
  /// - Throws: ``LoadingError/corpus(_:)`` for damage, or ``LoadingError/timedOut(_:)`` for a read
  ///   that does not come back, after either of which the next call tries the same again;
  ///   ``LoadingError/bufferSize(elementCount:required:)``, or ``LoadingError/tokenType(_:width:)``
  ///   if the elements cannot hold the tokens.
  public func next<Element: TokenElement>(
    rows: Int, into buffer: UnsafeMutableBufferPointer<Element>
  ) throws(LoadingError) -> Int {
    precondition(rows >= 0, "a batch has no \(rows) rows")
    let required = rows * (sequenceLength + 1)
    guard buffer.count >= required, let base = buffer.baseAddress else {
      throw .bufferSize(elementCount: buffer.count, required: required)
    }
    guard Element.tokenType.holds(tokenWidth) else {
      throw .tokenType(Element.tokenType, width: tokenWidth)
    }
    let copy = RowCopy(from: tokenWidth, to: Element.tokenType)
    let count = min(rows, remainingCount)
    var next = nextSequence
    for row in 0..<count {
      let good = quarantined.firstOutside(from: next)
      let (unit, sequence) = good.quotientAndRemainder(dividingBy: layout.sequencesPerUnit)
      next = good + 1
      try load(unit)
      let spacing = layout.rowSpacing(ofUnit: unit)
      guard let tokens = memory.baseAddress else { break }
      copy(
        tokens, at: sequence * spacing, upcoming: sequence * spacing,
        into: UnsafeMutableRawPointer(base + row * (sequenceLength + 1)),
        count: sequenceLength + 1)
    }
    nextSequence = next
    return count
  }

  private func load(_ unit: Int) throws(LoadingError) {
    guard self.unit != unit else { return }
    self.unit = nil
    do throws(CorpusError) {
      if let stream {
        try stream.decode(DomainOrder.Pool(epoch: 0, index: unit), rank: 0, into: memory)
      } else {
        try decoder.decode(unit: unit, of: domainIndex, layout: layout, into: memory)
      }
    } catch {
      throw LoadingError(error)
    }
    self.unit = unit
  }
}
