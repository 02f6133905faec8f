// Covers: SequenceRanges.swift
import Corpora
import HeadraceTesting
import Loading
import Testing

/// The positions that quarantine takes out, compared with a look at every sequence of some epochs.
@Suite(.timeLimit(.minutes(5)))
struct BadPositionsTests {
  private typealias Frame = (shard: Int, frame: Int?)

  /// Numbers that are the same in every run: Philox, counted.
  private struct Numbers: RandomNumberGenerator {
    let key: StreamKey
    var index: UInt64 = 0

    mutating func next() -> UInt64 {
      defer { index += 1 }
      return Philox.block(key: key, index: index).lowPair
    }
  }

  /// A domain of a few shards in frames of 64 tokens; nil if it has no whole sequence.
  private func order(_ numbers: inout Numbers) -> DomainOrder? {
    let shards = (0..<Int.random(in: 1...5, using: &numbers)).map { _ in
      Int.random(in: 1...500, using: &numbers)
    }
    let layout = DomainLayout(
      shardTokenCounts: shards,
      sequenceLength: [4, 8, 16, 64, 128][Int.random(in: 0..<5, using: &numbers)],
      frameTokenCount: 64, samplesAreSequences: Int.random(in: 0..<3, using: &numbers) == 0,
      access: Int.random(in: 0..<3, using: &numbers) == 0 ? .stream : .units)
    guard layout.sequenceCount > 0 else { return nil }
    return DomainOrder(
      layout: layout, name: "code", seed: numbers.next(),
      unitsPerPool: Int.random(in: 1...4, using: &numbers))
  }

  private func frames(of order: DomainOrder, _ numbers: inout Numbers) -> [Frame] {
    (0..<Int.random(in: 1...5, using: &numbers)).map { _ in
      let shard = Int.random(in: 0..<order.layout.shardCount, using: &numbers)
      let frame = Int.random(in: -1...order.layout.lastFrame(ofShard: shard), using: &numbers)
      return (shard, frame < 0 ? nil : frame)
    }
  }

  /// Whether each position of some epochs is bad, from where its sequence lies.
  private func isBad(_ order: DomainOrder, epochs: Int, frames: [Frame]) -> [Bool] {
    let layout = order.layout
    var sequences: Set<Int> = []
    for (shard, frame) in frames {
      for frame in frame.map({ $0...$0 }) ?? 0...layout.lastFrame(ofShard: shard) {
        sequences.formUnion(layout.sequences(ofFrame: frame, shard: shard))
      }
    }
    return (0..<epochs * layout.sequenceCount).map { position in
      if layout.access == .stream {
        return frames.contains { $0.shard == order.tokenPlace(at: position)?.shard }
      }
      let (unit, sequence) = order.sequence(at: position)
      return sequences.contains(unit * layout.sequencesPerUnit + sequence)
    }
  }

  @Test(arguments: 0..<8) func positionsAreThoseOfEachSequence(seed: UInt64) {
    var numbers = Numbers(key: StreamKey(seed: seed, purpose: .draw, name: ""))
    var compared = 0
    while compared < 60 {
      guard let order = order(&numbers) else { continue }
      let count = order.layout.sequenceCount
      let frames = frames(of: order, &numbers)
      let isBad = isBad(order, epochs: 6, frames: frames)
      let badPerEpoch = isBad.prefix(count).count { $0 }
      let bad = BadPositions(order: order, frames: frames)
      #expect((bad == nil) == (badPerEpoch == 0))
      guard let bad else { continue }
      compared += 1
      #expect(bad.goodPerEpoch == count - badPerEpoch)
      let goodBelow = isBad.reduce(into: [0]) { $0.append($0[$0.count - 1] + ($1 ? 0 : 1)) }
      for begin in isBad.indices {
        let end = Int.random(in: 0...isBad.count, using: &numbers)
        let found = bad.goodCount(from: begin, to: end)
        let place = "seed \(seed), \(count) sequences, \(frames), \(begin)..<\(end)"
        #expect(found == max(0, goodBelow[end] - goodBelow[begin]), "\(place)")
        // Of the last epoch there may be no good position left in the list.
        guard badPerEpoch < count, let good = isBad[begin...].firstIndex(of: false) else {
          continue
        }
        #expect(bad.firstGood(from: begin) == good, "\(place)")
      }
    }
  }

  // A thousand million sequences would take 8 GB, one by one.
  @Test func aLostShardTakesTheMemoryOfItsFrames() throws {
    let layout = DomainLayout(shardTokenCounts: [1 << 33, 1 << 20], sequenceLength: 8)
    let order = DomainOrder(layout: layout, name: "code", seed: 3, unitsPerPool: 4)
    let bad = try #require(BadPositions(order: order, frames: [(0, nil)]))
    // The second shard has 4 frames, of which the last lacks a sequence: its last token is a
    // target only.
    #expect(bad.goodPerEpoch == (1 << 17) - 1)
    for epoch in 0..<5 {
      let begin = epoch * layout.sequenceCount
      #expect(bad.goodCount(from: begin, to: begin + layout.sequenceCount) == bad.goodPerEpoch)
      let first = bad.firstGood(from: begin)
      #expect(order.tokenPlace(at: first)?.shard == 1)
      #expect(bad.goodCount(from: begin, to: first) == 0)
    }
  }
}
