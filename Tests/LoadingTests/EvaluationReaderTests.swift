import Corpora
import HeadraceTesting
import Loading
import Testing

@Suite(.timeLimit(.minutes(5)))
struct EvaluationReaderTests {
  /// Two shards of one full frame and a short one, and one short shard.
  private static let shards = [262_144 + 5000, 262_144 + 130, 900]

  private func rows(of reader: EvaluationReader, batchRows: Int) throws -> [[Int32]] {
    var rows: [[Int32]] = []
    let length = reader.sequenceLength + 1
    var buffer = [Int32](repeating: -1, count: batchRows * length)
    while true {
      let count = try buffer.withUnsafeMutableBufferPointer {
        try reader.next(rows: batchRows, into: $0)
      }
      guard count > 0 else { return rows }
      for row in 0..<count { rows.append(Array(buffer[row * length..<(row + 1) * length])) }
    }
  }

  /// The sequences of all full frames, then those of the short ones: what the documentation says.
  private func expected(
    _ corpus: SyntheticCorpus, domain: Int = 0, split: Split, length: Int
  ) -> [[Int32]] {
    var frames: [[Int32]] = []
    var tails: [[Int32]] = []
    for shard in corpus.tokens(ofDomain: domain, split: split) {
      let tokens = shard.map { Int32($0) }
      let fullTokens = tokens.count / 262_144 * 262_144
      for begin in stride(from: 0, to: fullTokens, by: length) {
        frames.append(Array(tokens[begin...begin + length]))
      }
      var begin = fullTokens
      while begin + length < tokens.count {
        tails.append(Array(tokens[begin...begin + length]))
        begin += length
      }
    }
    return frames + tails
  }

  @Test(arguments: [1, 7, 64])
  func everySequenceComesOnceInOrder(batchRows: Int) throws {
    let corpus = try SyntheticCorpus([.init("prose", shards: [1000], heldOut: Self.shards)])
    let reader = try EvaluationReader(try corpus.open(), domainIndex: 0, sequenceLength: 128)
    // 2 · 2048 from full frames, then (5000 − 1)/128 = 39, (130 − 1)/128 = 1, (900 − 1)/128 = 7.
    #expect(reader.sequences == 0..<4096 + 39 + 1 + 7)
    let found = try rows(of: reader, batchRows: batchRows)
    #expect(found == expected(corpus, split: .heldOut, length: 128))
    #expect(reader.remainingCount == 0)
  }

  @Test func ranksReadDisjointPartsThatMakeTheWhole() throws {
    let corpus = try SyntheticCorpus([.init("prose", shards: [9000])])
    let opened = try corpus.open()
    var parts: [[Int32]] = []
    for range in [0..<20, 20..<35, 35..<1000] {
      let reader = try EvaluationReader(
        opened, domainIndex: 0, split: .train, sequenceLength: 256, sequences: range)
      parts += try rows(of: reader, batchRows: 4)
    }
    #expect(parts == expected(corpus, split: .train, length: 256))
  }

  @Test func framesInQuarantineAreLeftOut() throws {
    let corpus = try SyntheticCorpus([
      .init("code", shards: [1000]), .init("prose", shards: [1000], heldOut: Self.shards),
    ])
    for (shard, frame) in [(0, 1), (1, 0)] {
      let name = corpus.path(domain: 1, split: .heldOut, shard: shard)
      let entry = try corpus.open().openShard(shard, of: .heldOut, domainIndex: 1).index
        .frames[frame]
      let place = entry.byteOffset + entry.byteCount / 2
      corpus.folder.patch(name, at: place, with: [try corpus.folder.bytes(of: name)[place] ^ 4])
    }
    let opened = try corpus.open()
    let list = Quarantine(try Verification(opened).run(), of: opened)
    #expect(list.entries.map(\.frame) == [1, 0])
    // The full frames have 2048 sequences each, the short ones 39, 1 and 7.
    let all = expected(corpus, domain: 1, split: .heldOut, length: 128)
    let good = Array(all[..<2048] + all[4135...])
    let reader = try EvaluationReader(
      opened, domainIndex: 1, sequenceLength: 128, quarantined: list)
    #expect(reader.sequences == 0..<4143 && reader.remainingCount == good.count)
    #expect(try rows(of: reader, batchRows: 7) == good)
    var parts: [[Int32]] = []
    for range in [0..<2000, 2000..<4100, 4100..<4143] {
      parts += try rows(
        of: EvaluationReader(
          opened, domainIndex: 1, sequenceLength: 128, sequences: range, quarantined: list),
        batchRows: 64)
    }
    #expect(parts == good)
    let strict = try EvaluationReader(opened, domainIndex: 1, sequenceLength: 128)
    #expect(throws: LoadingError.self) { try rows(of: strict, batchRows: 7) }
    let other = try SyntheticCorpus([.init("prose", shards: [900], heldOut: [900])])
    #expect(throws: LoadingError.self) {
      try EvaluationReader(other.open(), domainIndex: 0, sequenceLength: 128, quarantined: list)
    }
  }

  @Test(arguments: [FormatFolder.Format.native, .mdsBytes, .mdsArrays])
  func aShardInQuarantineIsLeftOut(format: FormatFolder.Format) throws {
    let texts = (0..<3).map { shard in
      (0..<9).map { "shard \(shard) has document \($0) of \(9 + shard * 100 + $0)" }
    }
    let folder = try FormatFolder(format, documents: [texts])
    // Opening a spec reads what the shards say of their sizes.
    let opened = try folder.open()
    func reader(_ list: Quarantine = Quarantine()) throws -> EvaluationReader {
      try EvaluationReader(
        opened, domainIndex: 0, split: .train, sequenceLength: 16, quarantined: list)
    }
    let all = try rows(of: reader(), batchRows: 5)
    let name = folder.files[0][1]
    let bytes = try folder.folder.bytes(of: name)
    folder.folder.patch(name, at: bytes.count / 2, with: [bytes[bytes.count / 2] ^ 4])
    let list = Quarantine(try Verification(opened).run(), of: opened)
    #expect(list.entries.map(\.shardIndex) == [1])
    // Without a full frame the shards' sequences follow each other.
    let counts = folder.tokens[0].map { ($0.count - 1) / 16 }
    let good = Array(all[..<counts[0]] + all[(counts[0] + counts[1])...])
    #expect(try rows(of: reader(list), batchRows: 5) == good)
    #expect(throws: LoadingError.self) { try rows(of: reader(), batchRows: 5) }
  }

  @Test func aSplitWithoutAWholeSequenceGivesNone() throws {
    let corpus = try SyntheticCorpus([.init("prose", shards: [1000], heldOut: [64])])
    let reader = try EvaluationReader(try corpus.open(), domainIndex: 0, sequenceLength: 64)
    #expect(reader.sequences.isEmpty)
    #expect(try rows(of: reader, batchRows: 2).isEmpty)
  }

  @Test func anOddLengthNeedsTheOption() throws {
    let corpus = try SyntheticCorpus([.init("prose", shards: [262_144 + 400])])
    let opened = try corpus.open()
    #expect(throws: LoadingError.self) {
      try EvaluationReader(opened, domainIndex: 0, split: .train, sequenceLength: 1000)
    }
    let reader = try EvaluationReader(
      opened, domainIndex: 0, split: .train, sequenceLength: 1000, allowsUnusedTails: true)
    // ⌊262144 / 1000⌋ = 262 sequences of the full frame; the short one has none.
    #expect(reader.sequences == 0..<262)
  }

  @Test func aSmallBufferIsRefusedAndNothingIsLost() throws {
    let corpus = try SyntheticCorpus([.init("prose", shards: [2000])])
    let reader = try EvaluationReader(
      try corpus.open(), domainIndex: 0, split: .train, sequenceLength: 64)
    var buffer = [Int32](repeating: 0, count: 64)
    #expect(throws: LoadingError.self) {
      try buffer.withUnsafeMutableBufferPointer { try reader.next(rows: 1, into: $0) }
    }
    #expect(try rows(of: reader, batchRows: 3) == expected(corpus, split: .train, length: 64))
  }
}
