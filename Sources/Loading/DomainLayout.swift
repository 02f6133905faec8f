package import Corpora

/// How one domain's tokens are cut into units and sequences, independent of any key.
///
/// A *unit* is what is decoded together: a full frame (or, when a sequence is longer than a frame,
/// the frames that it spans). The short last frames of the shards, laid end to end, are cut into
/// *tail units* of as many sequences; what is left over is the one short unit.
///
///     shard 0   [frame][frame][frame][short 0]
///     shard 1   [frame][frame][short 1]
///     shard 2   [frame][short 2]
///
///     whole units, read in permuted order: the six frames, and as many tail units as
///     short 0, short 1, short 2, laid end to end, fill
///     the short unit, read last in every epoch: what is left over of them
///
/// A sequence is T + 1 tokens; the last one is the first of the next sequence.
///
/// 1. In a format that has no frames they are imagined: 2^18 tokens each, and a last one that holds
///   what is left, at least one token. So equal shards are cut alike in every format that is read
///   from any place.
/// 2. Where samples are sequences, neighbors share no token, and a frame is the S samples of a
///   unit.
/// 3. Shards that are read as streams have no units of their own: their sequences are laid end to
///   end, in the order that the epoch gives to the shards, and units are S of them in a row.
/// 4. Of text nobody knows how much there is: the layout holds no counts.
package struct DomainLayout: Sendable, Equatable {
  /// How the shards are read.
  package enum Access: Sendable, Equatable {
    /// From any place.
    case units
    /// From the beginning on; how much there is is known.
    case stream
    /// From the beginning on; how much there is is found out by reading.
    case openEnded
  }

  /// How the shards are read.
  package let access: Access
  /// T, the targets of a sequence.
  package let sequenceLength: Int
  /// The tokens from the beginning of a sequence to that of the next in its shard: T, or T + 1
  /// where samples are sequences.
  package let sequenceStride: Int
  /// m, the frames that a unit spans.
  package let framesPerUnit: Int
  /// S, the sequences in a whole unit.
  package let sequencesPerUnit: Int
  /// U, the units that are read in permuted order.
  package let wholeUnitCount: Int
  /// N, the sequences of one epoch; 0 if nobody knows.
  package let sequenceCount: Int
  /// The tokens of one epoch that belong to no sequence.
  package let unusedTokenCount: Int
  /// The number of shards.
  package let shardCount: Int
  /// The tokens that a unit takes in memory at most: its frames and the token after them, or its
  /// tail sequences, each with a last token of its own.
  ///
  /// It follows from T alone.
  package let unitTokenCapacity: Int

  /// The number of tokens in a full frame.
  let frameTokenCount: Int
  /// Full units in the shards before each shard, and in all.
  private let unitsBeforeShard: [Int]
  /// Tail sequences in the shards before each shard, and in all.
  private let tailsBeforeShard: [Int]
  /// Full frames of each shard.
  private let fullFrameCounts: [Int]

  /// Cuts a domain.
  ///
  /// - Parameters:
  ///   - shardTokenCounts: The tokens of each shard.
  ///   - sequenceLength: T.
  ///   - frameTokenCount: The tokens of a full frame; a parameter only so that small examples can
  ///     be checked.
  ///   - samplesAreSequences: Whether each T + 1 tokens of a shard are a sequence of their own.
  ///   - access: How the shards are read; of what is open-ended, the counts are not looked at.
  /// - Precondition: `sequenceLength` is positive.
  package init(
    shardTokenCounts: [Int], sequenceLength: Int, frameTokenCount: Int = tokensPerFrame,
    samplesAreSequences: Bool = false, access: Access = .units
  ) {
    precondition(sequenceLength >= 1, "a sequence has at least 1 target, not \(sequenceLength)")
    self.access = access
    self.sequenceLength = sequenceLength
    sequenceStride = samplesAreSequences ? sequenceLength + 1 : sequenceLength
    sequencesPerUnit = max(1, frameTokenCount / sequenceLength)
    shardCount = shardTokenCounts.count
    let spannedFrames = (sequenceLength + frameTokenCount - 1) / frameTokenCount
    framesPerUnit = samplesAreSequences ? 1 : spannedFrames
    unitTokenCapacity = max(
      spannedFrames * frameTokenCount + 1, sequencesPerUnit * (sequenceLength + 1))
    let frame = samplesAreSequences ? sequencesPerUnit * (sequenceLength + 1) : frameTokenCount
    self.frameTokenCount = frame
    let (framesPerUnit, stride) = (framesPerUnit, sequenceStride)
    let shards = shardTokenCounts.map {
      ShardCut(
        tokenCount: access == .openEnded ? 0 : $0, frameTokenCount: frame,
        framesPerUnit: framesPerUnit, sequenceStride: stride, isSample: samplesAreSequences,
        isStreamed: access != .units)
    }
    fullFrameCounts = shards.map(\.fullFrameCount)
    unitsBeforeShard = shards.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.unitCount) }
    tailsBeforeShard = shards.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.tailCount) }
    let unitCount = unitsBeforeShard[shardCount]
    let tailCount = tailsBeforeShard[shardCount]
    wholeUnitCount = access == .units ? unitCount + tailCount / sequencesPerUnit : 0
    sequenceCount = unitCount * sequencesPerUnit + tailCount
    unusedTokenCount =
      access == .openEnded
      ? 0 : shardTokenCounts.reduce(0, +) - sequenceCount * sequenceStride
  }

  /// Cuts a split of a domain.
  package init(of domain: Domain, split: Split, sequenceLength: Int) {
    let access: Access =
      domain.isOpenEnded ? .openEnded : domain.isStreamed ? .stream : .units
    self.init(
      shardTokenCounts: domain.shards[split, default: []].map(\.tokenCount),
      sequenceLength: sequenceLength, samplesAreSequences: domain.samplesAreSequences,
      access: access)
  }

  /// What one shard holds.
  private struct ShardCut {
    var fullFrameCount = 0
    var unitCount = 0
    let tailCount: Int

    init(
      tokenCount: Int, frameTokenCount: Int, framesPerUnit: Int, sequenceStride: Int,
      isSample: Bool, isStreamed: Bool
    ) {
      // The token that is a last target only belongs to no stride.
      let strideTokens = isSample ? tokenCount : max(0, tokenCount - 1)
      if isStreamed {
        tailCount = strideTokens / sequenceStride
        return
      }
      fullFrameCount = strideTokens / frameTokenCount
      unitCount = fullFrameCount / framesPerUnit
      tailCount =
        framesPerUnit == 1
        ? (strideTokens - fullFrameCount * frameTokenCount) / sequenceStride : 0
    }
  }

  /// The number of units, the short one included.
  package var unitCount: Int { (sequenceCount + sequencesPerUnit - 1) / sequencesPerUnit }

  /// Consecutive sequences of one shard's short last frame, or of a shard that is streamed.
  package struct TailSegment: Sendable, Equatable {
    /// The shard's index.
    package var shard: Int
    /// The short frame's index in its shard.
    package var frame: Int
    /// The sequences, counted from the short frame's beginning.
    package var sequences: Range<Int>

    /// Names sequences of a short frame.
    package init(shard: Int, frame: Int, sequences: Range<Int>) {
      self.shard = shard
      self.frame = frame
      self.sequences = sequences
    }
  }

  /// The units that are full frames; the units from here on are tail units.
  package var frameUnitCount: Int { unitsBeforeShard[unitsBeforeShard.count - 1] }

  /// The tokens from one row to the next in a unit's memory.
  package func rowSpacing(ofUnit unitIndex: Int) -> Int {
    unitIndex < frameUnitCount ? sequenceStride : sequenceLength + 1
  }

  /// Returns the shard and the frames of a unit that is full frames.
  ///
  /// - Precondition: `unitIndex` is below ``frameUnitCount``.
  package func frames(ofUnit unitIndex: Int) -> (shard: Int, frames: Range<Int>) {
    let shard = Self.place(of: unitIndex, in: unitsBeforeShard)
    let first = (unitIndex - unitsBeforeShard[shard]) * framesPerUnit
    return (shard, first..<first + framesPerUnit)
  }

  /// Returns the tokens, counted in their shard, that a unit of full frames takes: its frames, and
  /// the last target after them where sequences share it.
  ///
  /// - Precondition: `unitIndex` is below ``frameUnitCount``.
  package func tokens(ofUnit unitIndex: Int) -> (shard: Int, tokens: Range<Int>) {
    let (shard, frames) = frames(ofUnit: unitIndex)
    let end = frames.upperBound * frameTokenCount + (sequenceStride == sequenceLength ? 1 : 0)
    return (shard, frames.lowerBound * frameTokenCount..<end)
  }

  /// Returns the tokens, counted in their shard, of a segment's sequences.
  package func tokens(of segment: TailSegment) -> Range<Int> {
    let first = segment.frame * frameTokenCount + segment.sequences.lowerBound * sequenceStride
    let spacing = (segment.sequences.count - 1) * sequenceStride
    return first..<first + spacing + sequenceLength + 1
  }

  /// Calls `body` with the segments of a tail unit, in the order of its sequences.
  ///
  /// - Precondition: `unitIndex` is at least ``frameUnitCount``, and the shards are read from any
  ///   place.
  package func forEachTailSegment<Failure: Error>(
    ofUnit unitIndex: Int, _ body: (TailSegment) throws(Failure) -> Void
  ) throws(Failure) {
    var next = (unitIndex - frameUnitCount) * sequencesPerUnit
    let end = min(next + sequencesPerUnit, tailsBeforeShard[tailsBeforeShard.count - 1])
    while next < end {
      let shard = Self.place(of: next, in: tailsBeforeShard)
      let stop = min(end, tailsBeforeShard[shard + 1])
      try body(
        TailSegment(
          shard: shard, frame: fullFrameCounts[shard],
          sequences: next - tailsBeforeShard[shard]..<stop - tailsBeforeShard[shard]))
      next = stop
    }
  }

  /// The number of sequences in a shard that is read as a stream.
  package func streamedSequenceCount(ofShard shard: Int) -> Int {
    tailsBeforeShard[shard + 1] - tailsBeforeShard[shard]
  }

  /// The index of the last frame of a shard, the short one.
  package func lastFrame(ofShard shard: Int) -> Int { fullFrameCounts[shard] }

  /// Returns the sequences of which tokens lie in a frame, each as unit · S + its place in the
  /// unit; where shards are streams, counted over the shards.
  ///
  /// A sequence's last target comes from the shard's index, so that it does not count.
  package func sequences(ofFrame frame: Int, shard: Int) -> Range<Int> {
    guard frame < fullFrameCounts[shard] else {
      let first = frameUnitCount * sequencesPerUnit
      return first + tailsBeforeShard[shard]..<first + tailsBeforeShard[shard + 1]
    }
    let unit = unitsBeforeShard[shard] + frame / framesPerUnit
    guard unit < unitsBeforeShard[shard + 1] else { return 0..<0 }
    return unit * sequencesPerUnit..<(unit + 1) * sequencesPerUnit
  }

  /// The number of sequences in unit `unitIndex`.
  package func sequenceCount(ofUnit unitIndex: Int) -> Int {
    min(sequencesPerUnit, sequenceCount - unitIndex * sequencesPerUnit)
  }

  /// Returns the last shard before which at most `number` things lie: the shard that holds thing
  /// `number`.
  package static func place(of number: Int, in countsBefore: [Int]) -> Int {
    var low = 0
    var high = countsBefore.count - 1
    while low + 1 < high {
      let middle = (low + high) / 2
      if countsBefore[middle] <= number { low = middle } else { high = middle }
    }
    return low
  }
}
