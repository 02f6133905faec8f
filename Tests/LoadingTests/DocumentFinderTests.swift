// Covers: RowOrigin.swift, DomainLayout+Place.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Where rows come from: shard, offset and document, against the tokens as they were made up.
@Suite(.timeLimit(.minutes(5)))
struct DocumentFinderTests {
  /// What a row touches, found by looking at every token of its shard before it.
  private static func documents(in shard: [UInt32], at offset: Int, length: Int) -> (
    documents: Range<Int>, offsetInFirst: Int
  ) {
    let before = shard[..<offset]
    let first = before.count { $0 == 0 }
    let begin = before.lastIndex(of: 0).map { $0 + 1 } ?? 0
    let inRow = shard[offset..<offset + length].count { $0 == 0 }
    return (first..<first + inRow + 1, offset - begin)
  }

  private static func expectOrigins(
    of corpus: SyntheticCorpus, rows: Int, length: Int, batches: Int, sourceLocation: SourceLocation
  ) throws {
    let opened = try corpus.open()
    let loader = try Loader(
      opened, policy: .static(.uniform), batch: .init(rows: rows, sequenceLength: length), seed: 3,
      options: options { _ in })
    let finder = try DocumentFinder(opened)
    let tokens = corpus.domains.indices.map { corpus.tokens(ofDomain: $0) }
    for _ in 0..<batches {
      let batch = try #require(try loader.next())
      var positions = corpus.domains.indices.map { batch.facts.position(ofDomain: $0) }
      for (row, values) in batch.rows().enumerated() {
        let origin = try #require(batch.facts.origin(ofRow: row))
        #expect(origin.domainIndex == values.domain && origin.epoch == values.epoch)
        #expect(origin.position == positions[values.domain])
        #expect(batch.facts.position(ofRow: row) == origin.position)
        positions[values.domain] += 1
        #expect(
          origin.shardPath == corpus.path(domain: values.domain, shard: origin.shardIndex))
        let shard = tokens[values.domain][origin.shardIndex]
        #expect(
          shard[origin.tokenOffset..<origin.tokenOffset + length + 1]
            .elementsEqual(values.tokens), sourceLocation: sourceLocation)
        let found = try finder.documents(of: origin, sequenceLength: length)
        let expected = documents(in: shard, at: origin.tokenOffset, length: length)
        #expect(
          found.documents == expected.documents && found.offsetInFirst == expected.offsetInFirst,
          "\(origin)", sourceLocation: sourceLocation)
      }
    }
  }

  /// Full frames and tails, several shards, two and a half epochs.
  @Test(arguments: TokenWidth.allCases) func rowsComeFromWhereTheySay(width: TokenWidth) throws {
    let corpus = try SyntheticCorpus(
      [
        .init("code", shards: [tokensPerFrame + 9000, 5000, 20_000]),
        .init("prose", shards: [30_000, 700]),
      ], tokenWidth: width, content: .documents(900))
    try Self.expectOrigins(
      of: corpus, rows: 64, length: 512, batches: 22, sourceLocation: #_sourceLocation)
  }

  /// Documents longer than a frame, so that most frames end none: the row's document began some
  /// frames before.
  @Test func documentsMaySpanFrames() throws {
    let corpus = try SyntheticCorpus(
      [.init("long", shards: [6 * tokensPerFrame + 70_000])], content: .documents(500_000))
    let ends = corpus.tokens(ofDomain: 0)[0].count { $0 == 0 }
    #expect((1...20).contains(ends), "\(ends) documents")
    try Self.expectOrigins(
      of: corpus, rows: 13, length: 1 << 16, batches: 2, sourceLocation: #_sourceLocation)
  }

  /// Rows of several frames.
  @Test func rowsMaySpanFrames() throws {
    let corpus = try SyntheticCorpus(
      [.init("long", shards: [5 * tokensPerFrame + 9, 4 * tokensPerFrame + 1])],
      content: .documents(70_000))
    try Self.expectOrigins(
      of: corpus, rows: 2, length: 2 * tokensPerFrame, batches: 2, sourceLocation: #_sourceLocation)
  }

  // Frames of 16 tokens, T = 4: shard 0 has 2 full frames and 6 tokens, shard 1 has 15. Unit 1 is
  // the second frame; unit 2 is the tails: 1 sequence of shard 0, then 3 of shard 1.
  @Test func placesByHand() {
    let layout = DomainLayout(shardTokenCounts: [38, 15], sequenceLength: 4, frameTokenCount: 16)
    func place(_ sequence: Int, _ unit: Int) -> [Int] {
      let place = layout.place(ofSequence: sequence, inUnit: unit)
      return [place.shard, place.tokenOffset]
    }
    #expect(place(0, 0) == [0, 0])
    #expect(place(3, 1) == [0, 28])
    #expect(place(0, 2) == [0, 32])
    #expect(place(1, 2) == [1, 0])
    #expect(place(3, 2) == [1, 8])
  }

  @Test func callersBuffersHaveOriginsToo() throws {
    let corpus = try SyntheticCorpus([.init("code", shards: [9000])], content: .documents(50))
    let loader = try Loader(
      corpus.open(), policy: .static(.natural), batch: .init(rows: 4, sequenceLength: 64), seed: 3,
      options: options { _ in })
    var tokens = [Int32](repeating: 0, count: 4 * 65)
    let facts = try #require(
      try tokens.withUnsafeMutableBufferPointer { try loader.next(into: $0) })
    let shard = corpus.tokens(ofDomain: 0)[0]
    for row in 0..<4 {
      let offset = try #require(facts.origin(ofRow: row)).tokenOffset
      #expect(
        shard[offset..<offset + 65].map { Int32($0) } == Array(tokens[row * 65..<(row + 1) * 65]))
    }
  }

  @Test func countsThatDoNotHoldAreDamage() throws {
    let folder = try TemporaryFolder()
    let corpus = try SyntheticCorpus([.init("code", shards: [9000])], content: .documents(50))
    let tokens = corpus.tokens(ofDomain: 0)[0]
    let encoder = try FrameEncoder(tokenWidth: .uint16, level: 1, endOfText: 0)
    var writer = try ShardWriter(path: folder.path + "/code.tokens.zst", tokenWidth: .uint16)
    var frame = try SyntheticCorpus.bytes(of: tokens, width: .uint16).withUnsafeBytes {
      try encoder.encode($0)
    }
    frame.documentCount += 1
    try writer.append(frame)
    let shard = try writer.finish(manifestPath: "code.tokens.zst")
    try corpus.manifest(of: [DomainManifest(name: "code", splits: [.train: [shard]])])
      .write(to: folder.path + "/corpus.json")
    let opened = try Corpus(at: folder.path)
    let loader = try Loader(
      opened, policy: .static(.natural), batch: .init(rows: 1, sequenceLength: 64), seed: 3,
      options: options { _ in })
    let batch = try #require(try loader.next())
    let origin = try #require(batch.facts.origin(ofRow: 0))
    let error = #expect(throws: LoadingError.self) {
      try DocumentFinder(opened).documents(of: origin, sequenceLength: 64)
    }
    let count = frame.documentCount
    #expect(error?.description.contains("\(count - 1) documents end in it, not \(count)") == true)
  }
}
