/// Sequences, as sorted ranges of their numbers that neither touch nor overlap.
struct SequenceRanges: Sendable, Equatable {
  /// The ranges, none of them empty.
  let ranges: [Range<Int>]
  /// The sequences in the ranges before each range, and in all.
  private let countsBefore: [Int]

  /// Joins ranges that may come in any order and overlap.
  init(_ ranges: [Range<Int>]) {
    var joined: [Range<Int>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = joined.last, last.upperBound >= range.lowerBound {
        joined[joined.count - 1] =
          last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    self.ranges = joined
    countsBefore = joined.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  /// The number of sequences.
  var count: Int { countsBefore[ranges.count] }

  /// The number of sequences below `number`.
  func count(below number: Int) -> Int {
    let index = firstIndex(endingAfter: number)
    guard index < ranges.count else { return count }
    return countsBefore[index] + max(0, number - ranges[index].lowerBound)
  }

  /// The number of sequences in `numbers`.
  func count(in numbers: Range<Int>) -> Int {
    count(below: numbers.upperBound) - count(below: numbers.lowerBound)
  }

  /// The parts of the ranges that lie in `numbers`.
  func ranges(in numbers: Range<Int>) -> [Range<Int>] {
    ranges[firstIndex(endingAfter: numbers.lowerBound)...]
      .prefix { $0.lowerBound < numbers.upperBound }
      .map { $0.clamped(to: numbers) }
  }

  /// Returns the first number at or behind `number` that is in no range.
  func firstOutside(from number: Int) -> Int {
    let index = firstIndex(endingAfter: number)
    guard index < ranges.count, ranges[index].contains(number) else { return number }
    return ranges[index].upperBound
  }

  /// The first range that ends behind `number`; the number of ranges if none does.
  private func firstIndex(endingAfter number: Int) -> Int {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension DomainLayout {
  /// Returns the sequences of which tokens lie in `frames`, counted as
  /// ``sequences(ofFrame:shard:)`` does.
  ///
  /// - Parameter frames: Frames of shards; nil for all frames of the shard.
  /// - Returns: The sequences.
  func sequences(ofFrames frames: [(shard: Int, frame: Int?)]) -> SequenceRanges {
    SequenceRanges(
      frames.flatMap { shard, frame in
        (frame.map { $0...$0 } ?? 0...lastFrame(ofShard: shard)).map {
          sequences(ofFrame: $0, shard: shard)
        }
      })
  }
}
