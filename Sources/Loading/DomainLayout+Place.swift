internal import Corpora

/// Where a sequence's first token lies.
package struct TokenPlace: Sendable, Equatable {
  /// The shard's index among those of its domain and split.
  package var shard: Int
  /// The tokens of the shard before it.
  package var tokenOffset: Int
}

extension DomainLayout {
  /// Returns where `sequence` of unit `unitIndex` begins.
  ///
  /// - Precondition: The unit has that sequence.
  package func place(ofSequence sequence: Int, inUnit unitIndex: Int) -> TokenPlace {
    guard unitIndex >= frameUnitCount else {
      let (shard, frames) = frames(ofUnit: unitIndex)
      return TokenPlace(
        shard: shard,
        tokenOffset: frames.lowerBound * frameTokenCount + sequence * sequenceStride)
    }
    var place = TokenPlace(shard: 0, tokenOffset: 0)
    var before = 0
    forEachTailSegment(ofUnit: unitIndex) { segment in
      if (before..<before + segment.sequences.count).contains(sequence) {
        let inFrame = segment.sequences.lowerBound + sequence - before
        place = TokenPlace(
          shard: segment.shard,
          tokenOffset: segment.frame * frameTokenCount + inFrame * sequenceStride)
      }
      before += segment.sequences.count
    }
    return place
  }

  /// Returns which of the `failures` of a unit keeps `sequence` of it from being read; nil if none
  /// does.
  ///
  /// A row of a tail unit needs its own shard's short frame alone; the others may be damaged. Of a
  /// stream no row behind the failure can be told from those before it: the whole unit waits until
  /// the shard is mended or given up.
  ///
  /// - Parameters:
  ///   - sequence: The sequence's place in the unit; nil for any.
  ///   - unitIndex: The unit.
  ///   - failures: The shards of the unit in which something failed when it was decoded.
  /// - Returns: The failure, and the shard in which it was met.
  func failure(
    ofSequence sequence: Int?, inUnit unitIndex: Int,
    among failures: [(shard: Int, error: CorpusError)]
  ) -> (shard: Int, error: CorpusError)? {
    guard let sequence, unitIndex >= frameUnitCount, access == .units else { return failures.first }
    let shard = place(ofSequence: sequence, inUnit: unitIndex).shard
    return failures.first { $0.shard == shard }
  }
}

extension DomainOrder {
  /// Returns where the sequence at position `n` begins; pure arithmetic, nothing is read.
  ///
  /// - Returns: The place, or nil for text, of which only reading finds it.
  /// - Complexity: O(1); O(shards) where shards are read as streams.
  package func tokenPlace(at position: Int) -> TokenPlace? {
    guard layout.access != .openEnded else { return nil }
    let (unit, sequence) = sequence(at: position)
    guard layout.access == .stream else {
      return layout.place(ofSequence: sequence, inUnit: unit)
    }
    var left = unit * layout.sequencesPerUnit + sequence
    for shard in shards(ofEpoch: position / layout.sequenceCount) {
      let count = layout.streamedSequenceCount(ofShard: shard)
      if left < count {
        return TokenPlace(shard: shard, tokenOffset: left * layout.sequenceStride)
      }
      left -= count
    }
    return nil
  }
}
