import Loading
import Testing

@Suite(.timeLimit(.minutes(5)))
struct DomainLayoutTests {
  // Frames of 16 tokens, T = 4, so S = 4. Shard 0 has 2 full frames and 6 tokens: 2 units, and
  // (6 − 1) div 4 = 1 tail sequence. Shard 1 has 15 tokens: 14 div 4 = 3. Shard 2 has 1 full frame
  // and 9 tokens: 1 unit, 8 div 4 = 2. The 6 tail sequences are one whole unit and a short one of
  // 2.
  @Test func shortLastFramesAreCutIntoUnitsTogether() {
    let layout = DomainLayout(
      shardTokenCounts: [38, 15, 25], sequenceLength: 4, frameTokenCount: 16)
    #expect(layout.frameUnitCount == 3)
    #expect(layout.wholeUnitCount == 4)
    #expect(layout.unitCount == 5)
    #expect(layout.sequenceCount == 3 * 4 + 6)
    #expect(layout.sequenceCount(ofUnit: 4) == 2)
    #expect(layout.unusedTokenCount == 78 - 18 * 4)
    #expect(layout.frames(ofUnit: 2).shard == 2)
    #expect(layout.frames(ofUnit: 1).frames == 1..<2)

    #expect(segments(layout, unit: 3) == [[0, 2, 0, 1], [1, 0, 0, 3]])
    #expect(segments(layout, unit: 4) == [[2, 1, 0, 2]])
  }

  /// Shard, frame, first sequence and the one after the last.
  private func segments(_ layout: DomainLayout, unit: Int) -> [[Int]] {
    var segments: [[Int]] = []
    layout.forEachTailSegment(ofUnit: unit) {
      segments.append([$0.shard, $0.frame, $0.sequences.lowerBound, $0.sequences.upperBound])
    }
    return segments
  }

  // T = 32 is two frames of 16: shard 0 has 5 full frames, so 2 units and a frame that is left
  // over; its 1 token behind them is the last target of nothing. Shard 1 has 1 full frame: none.
  @Test func sequencesOfSeveralFramesLeaveOddFramesUnused() {
    let layout = DomainLayout(
      shardTokenCounts: [81, 31], sequenceLength: 32, frameTokenCount: 16)
    #expect(layout.framesPerUnit == 2)
    #expect(layout.sequenceCount == 2)
    #expect(layout.frames(ofUnit: 1).frames == 2..<4)
    #expect(layout.unusedTokenCount == 112 - 64)
  }

  // T = 5: a frame of 16 holds 3 sequences and leaves 1 token; (4 − 1) div 5 = 0 in the tail.
  @Test func lengthsThatDoNotDivideAFrameLeaveItsEndUnused() {
    let layout = DomainLayout(shardTokenCounts: [36], sequenceLength: 5, frameTokenCount: 16)
    #expect(layout.sequencesPerUnit == 3)
    #expect(layout.sequenceCount == 6)
    #expect(layout.unusedTokenCount == 36 - 30)
  }

  @Test func aDomainWithoutTokensHasNoSequence() {
    let layout = DomainLayout(shardTokenCounts: [], sequenceLength: 4, frameTokenCount: 16)
    #expect(layout.sequenceCount == 0)
    #expect(layout.unitCount == 0)
  }

  // A shard of 32 tokens, T = 4: (32 − 1) div 16 = 1 full frame, and 16 tokens are left, of which
  // 15 div 4 = 3 sequences. Where shards may be a whole number of frames, as in formats without
  // frames, the last one is never missing: it holds the last target.
  @Test func `a shard of whole frames ends with a frame for its last target`() {
    let layout = DomainLayout(
      shardTokenCounts: [32, 0, 17], sequenceLength: 4, frameTokenCount: 16)
    #expect(layout.frameUnitCount == 2)
    #expect(layout.sequenceCount == 2 * 4 + 3)
    #expect(layout.tokens(ofUnit: 0) == (shard: 0, tokens: 0..<17))
    #expect(layout.tokens(ofUnit: 1) == (shard: 2, tokens: 0..<17))
    #expect(
      layout.tokens(of: .init(shard: 0, frame: 1, sequences: 1..<3)) == 20..<29)
  }

  // Samples of 5 tokens are sequences of T = 4, S = 4 to a unit of 20 tokens: shard 0 has 6, one
  // unit and 2; shard 1 has 3. The 5 that are left over are a unit and one of 1.
  @Test func `samples that are sequences share no token`() {
    let layout = DomainLayout(
      shardTokenCounts: [30, 15], sequenceLength: 4, frameTokenCount: 16,
      samplesAreSequences: true)
    #expect(layout.frameUnitCount == 1)
    #expect(layout.sequenceCount == 9)
    #expect(layout.unusedTokenCount == 0)
    #expect(layout.rowSpacing(ofUnit: 0) == 5)
    #expect(layout.tokens(ofUnit: 0) == (shard: 0, tokens: 0..<20))
    #expect(segments(layout, unit: 1) == [[0, 1, 0, 2], [1, 0, 0, 2]])
    #expect(layout.tokens(of: .init(shard: 1, frame: 0, sequences: 1..<3)) == 5..<15)
  }

  // Streams of 38, 15 and 0 tokens hold 37 div 4 = 9, 14 div 4 = 3 and 0 sequences.
  @Test func `a stream has sequences and no units of its own`() {
    let layout = DomainLayout(
      shardTokenCounts: [38, 15, 0], sequenceLength: 4, frameTokenCount: 16, access: .stream)
    #expect((0..<3).map { layout.streamedSequenceCount(ofShard: $0) } == [9, 3, 0])
    #expect(layout.sequenceCount == 12)
    #expect(layout.unitCount == 3)
    #expect(layout.wholeUnitCount == 0)
    #expect(layout.frameUnitCount == 0)
    #expect(layout.unusedTokenCount == 53 - 48)
    #expect(layout.rowSpacing(ofUnit: 1) == 5)
  }

  @Test func `nothing is counted of what is open-ended`() {
    let layout = DomainLayout(
      shardTokenCounts: [0, 0], sequenceLength: 4, frameTokenCount: 16, access: .openEnded)
    #expect(layout.sequenceCount == 0)
    #expect(layout.shardCount == 2)
    #expect(layout.unusedTokenCount == 0)
    #expect(layout.unitTokenCapacity == 20)
  }
}
