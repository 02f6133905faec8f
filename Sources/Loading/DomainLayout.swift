internal import Corpora

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
package struct DomainLayout: Sendable, Equatable {
  /// T, the targets of a sequence.
  package let sequenceLength: Int
  /// m, the frames that a unit spans.
  package let framesPerUnit: Int
  /// S, the sequences in a whole unit.
  package let sequencesPerUnit: Int
  /// U, the units that are read in permuted order.
  package let wholeUnitCount: Int
  /// N, the sequences of one epoch.
  package let sequenceCount: Int
  /// The tokens of one epoch that belong to no sequence.
  package let unusedTokenCount: Int

  /// The number of tokens in a full frame; a parameter only so that small examples can be checked.
  private let frameTokenCount: Int
  /// Full units in the shards before each shard, and in all.
  private let unitsBeforeShard: [Int]
  /// Tail sequences in the shards before each shard, and in all.
  private let tailsBeforeShard: [Int]
  /// Full frames of each shard.
  private let fullFrameCounts: [Int]

  /// Cuts a domain.
  ///
  /// - Precondition: `sequenceLength` is positive and every shard ends with a short frame that is
  ///   not empty.
  package init(
    shardTokenCounts: [Int], sequenceLength: Int, frameTokenCount: Int = tokensPerFrame
  ) {
    precondition(sequenceLength >= 1, "a sequence has at least 1 target, not \(sequenceLength)")
    self.sequenceLength = sequenceLength
    self.frameTokenCount = frameTokenCount
    framesPerUnit = (sequenceLength + frameTokenCount - 1) / frameTokenCount
    sequencesPerUnit = max(1, frameTokenCount / sequenceLength)
    fullFrameCounts = shardTokenCounts.map { $0 / frameTokenCount }
    var units = [0]
    var tails = [0]
    for tokenCount in shardTokenCounts {
      units.append(units[units.count - 1] + tokenCount / frameTokenCount / framesPerUnit)
      let tail = framesPerUnit == 1 ? (tokenCount % frameTokenCount - 1) / sequenceLength : 0
      tails.append(tails[tails.count - 1] + tail)
    }
    unitsBeforeShard = units
    tailsBeforeShard = tails
    let tailCount = tails[tails.count - 1]
    wholeUnitCount = units[units.count - 1] + tailCount / sequencesPerUnit
    sequenceCount = units[units.count - 1] * sequencesPerUnit + tailCount
    unusedTokenCount = shardTokenCounts.reduce(0, +) - sequenceCount * sequenceLength
  }

  /// The number of units, the short one included.
  package var unitCount: Int {
    wholeUnitCount + (sequenceCount > wholeUnitCount * sequencesPerUnit ? 1 : 0)
  }

  /// The tokens that a unit takes in memory at most: its frames and the token after them, or its
  /// tail sequences, each with a last token of its own.
  package var unitTokenCapacity: Int {
    max(framesPerUnit * frameTokenCount + 1, sequencesPerUnit * (sequenceLength + 1))
  }

  /// Consecutive sequences of one shard's short last frame.
  package struct TailSegment: Sendable, Equatable {
    /// The shard's index.
    package var shard: Int
    /// The short frame's index in its shard.
    package var frame: Int
    /// The sequences, counted from the short frame's beginning.
    package var sequences: Range<Int>
  }

  /// The units that are full frames; the units from here on are tail units.
  package var frameUnitCount: Int { unitsBeforeShard[unitsBeforeShard.count - 1] }

  /// Returns the shard and the frames of a unit that is full frames.
  ///
  /// - Precondition: `unitIndex` is below ``frameUnitCount``.
  package func frames(ofUnit unitIndex: Int) -> (shard: Int, frames: Range<Int>) {
    let shard = Self.place(of: unitIndex, in: unitsBeforeShard)
    let first = (unitIndex - unitsBeforeShard[shard]) * framesPerUnit
    return (shard, first..<first + framesPerUnit)
  }

  /// Calls `body` with the segments of a tail unit, in the order of its sequences.
  ///
  /// - Precondition: `unitIndex` is at least ``frameUnitCount``.
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

  /// The index of the last frame of a shard, the short one.
  package func lastFrame(ofShard shard: Int) -> Int { fullFrameCounts[shard] }

  /// Returns the sequences of which tokens lie in a frame, each as unit · S + its place in the
  /// unit.
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
  private static func place(of number: Int, in countsBefore: [Int]) -> Int {
    var low = 0
    var high = countsBefore.count - 1
    while low + 1 < high {
      let middle = (low + high) / 2
      if countsBefore[middle] <= number { low = middle } else { high = middle }
    }
    return low
  }
}
