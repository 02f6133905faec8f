// Covers: RowOrigin.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// What a trainer may ask of every format whose tokens are counted: ranks, caps, grouped rows,
/// where a row comes from, one step again, and damaged shards that are skipped.
@Suite(.timeLimit(.minutes(5)))
struct FormatContractTests {
  private static let sequenceLength = 512
  static let counted = FormatFolder.Format.allCases.filter { !$0.isOpenEnded }

  private static func folder(_ format: FormatFolder.Format) throws -> FormatFolder {
    try FormatFolder(
      format,
      documents: [
        [300_000, 20_000, 150_000].enumerated().map {
          FormatFolder.documents(byteCount: $1, seed: UInt64($0))
        },
        [40_000, 30_000].enumerated().map {
          FormatFolder.documents(byteCount: $1, seed: UInt64($0) + 50)
        },
      ])
  }

  private static func loader(
    _ corpus: Corpus, grouping: BatchConfiguration.Grouping? = nil,
    from checkpoint: LoaderCheckpoint? = nil, _ change: (inout LoaderOptions) -> Void = { _ in }
  ) throws -> Loader {
    try Loader(
      corpus, policy: .manual(.weights(["domain-0": 0.6, "domain-1": 0.4])),
      batch: .init(rows: 24, sequenceLength: sequenceLength, grouping: grouping), seed: 11,
      options: options {
        $0.unitsPerPool = 1
        change(&$0)
      }, resumingFrom: checkpoint)
  }

  // MARK: Ranks, caps, grouped rows

  @Test(
    "the ranks' rows together are the one rank's, with caps and grouped rows",
    arguments: counted, [nil, 2])
  func ranks(format: FormatFolder.Format, microBatchRows: Int?) throws {
    let folder = try Self.folder(format)
    let corpus = try folder.open()
    let caps = ["domain-0": 0.6, "domain-1": 1.5]
    let grouping = microBatchRows.map { BatchConfiguration.Grouping(microBatchRows: $0) }
    let whole = try Self.loader(corpus, grouping: grouping) { $0.epochCaps = caps }
    let batches = try whole.rows(batches: 200)
    let given = batches.joined()
    #expect(batches.count < 200 && given.contains { $0.domain == 1 && $0.epoch == 1 })
    // The caps are reached to the row, but for what does not fill a batch.
    let limits = zip(whole.identity.domains, [0, 1]).map { domain, index in
      (domain.positionLimit ?? 0) - given.count { $0.domain == index }
    }
    #expect(limits.allSatisfy { $0 >= 0 } && limits.reduce(0, +) < 24 + 4, "\(limits)")
    for worldSize in [2, 3, 12] {
      let loaders = try (0..<worldSize).map { rank in
        try Self.loader(corpus, grouping: grouping) {
          ($0.rank, $0.worldSize, $0.epochCaps) = (rank, worldSize, caps)
          $0.threadCount = rank % 2
        }
      }
      for (step, expected) in batches.enumerated() {
        let rows = try loaders.flatMap { try #require(try $0.next()).rows() }
        try #require(rows == expected, "\(format), \(worldSize) ranks, step \(step + 1)")
        let digests = Set(try loaders.map { "\(try $0.digest())" })
        try #require(digests.count == 1)
      }
      for loader in loaders { #expect(try loader.next() == nil) }
    }
  }

  // MARK: Where rows come from, and one step again

  @Test("a row's origin says where its tokens lie", arguments: counted)
  func origins(format: FormatFolder.Format) throws {
    let folder = try Self.folder(format)
    let loader = try Self.loader(folder.open())
    for _ in 0..<30 {
      let batch = try #require(try loader.next())
      for (index, row) in batch.rows().enumerated() {
        let origin = try #require(batch.facts.origin(ofRow: index))
        let shard = folder.tokens[row.domain][origin.shardIndex]
        #expect(origin.shardPath.contains("domain-\(row.domain)/shard-\(origin.shardIndex)"))
        #expect(row.epoch == origin.epoch)
        try #require(
          Array(shard[origin.tokenOffset...].prefix(Self.sequenceLength + 1)) == row.tokens)
      }
    }
  }

  @Test("every line of the ledger alone makes its batch", arguments: counted)
  func replay(format: FormatFolder.Format) throws {
    let folder = try Self.folder(format)
    let corpus = try folder.open()
    let path = folder.folder.path + "/ledger.jsonl"
    let loader = try Self.loader(corpus) {
      ($0.ledgerPath, $0.epochCaps) = (path, ["domain-1": 1.2])
    }
    let batches = try loader.rows(batches: 60)
    loader.close()
    for (index, rows) in batches.enumerated() where index % 3 == 0 || index > 50 {
      let batch = try StepReplay(ofStep: index + 1, inLedgerAt: path).batch(from: corpus)
      try #require(batch.rows(.int64) == rows, "\(format), step \(index + 1)")
    }
  }

  @Test(
    "text refuses several ranks, caps and the replay of a step, with the remedy",
    arguments: FormatFolder.Format.allCases.filter(\.isOpenEnded))
  func refusals(format: FormatFolder.Format) throws {
    let folder = try Self.folder(format)
    let corpus = try folder.open()
    let changes: [(String, (inout LoaderOptions) -> Void)] = [
      ("several ranks", { $0.worldSize = 2 }),
      ("an epoch cap", { $0.epochCaps = ["domain-1": 1] }),
    ]
    for (feature, change) in changes {
      let error = #expect(throws: LoadingError.self) { try Self.loader(corpus, change) }
      let text = error?.description ?? ""
      #expect(text.contains("domain domain-") && text.contains(feature), "\(text)")
      #expect(text.contains("headrace pack"))
    }
    let path = folder.folder.path + "/ledger.jsonl"
    let loader = try Self.loader(corpus) { $0.ledgerPath = path }
    let batch = try #require(try loader.next())
    #expect((0..<24).allSatisfy { batch.facts.origin(ofRow: $0) == nil })
    loader.close()
    let error = #expect(throws: LoadingError.self) {
      try StepReplay(ofStep: 1, inLedgerAt: path).batch(from: corpus)
    }
    #expect(error?.description.contains("the replay of one step") == true)
    #expect(error?.description.contains("headrace pack") == true)
  }

  @Test("marks of a batch are those of its documents", arguments: FormatFolder.Format.allCases)
  func marks(format: FormatFolder.Format) throws {
    let folder = try Self.folder(format)
    let (corpus, count) = (try folder.open(), 24 * Self.sequenceLength)
    let batch = try #require(try Self.loader(corpus).next())
    let segments = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
    let positions = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
    let lengths = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count + 1)
    let mask = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: count)
    defer {
      for buffer in [segments, positions, lengths] { buffer.deallocate() }
      mask.deallocate()
    }
    // As in the README.
    let longest = try batch.withMarks(endOfText: corpus.tokenizer.endOfText) { marks in
      try marks.write(segments: segments, positions: positions, lossMask: mask)
      return try marks.writeCumulativeLengths(into: lengths)
    }
    for (index, row) in batch.rows().enumerated() {
      let inputs = row.tokens.dropLast()
      let place = index * Self.sequenceLength
      let ends = inputs.map { $0 == FormatFolder.endOfText }
      #expect(mask[place..<place + Self.sequenceLength].map { $0 == 0 } == ends)
      #expect(segments[place + Self.sequenceLength - 1] == ends.dropLast().count { $0 })
    }
    #expect(lengths[longest.count - 1] == count && longest.longest <= Self.sequenceLength)
    #expect(positions.max() == Int32(longest.longest - 1))
  }

  // MARK: One stream

  @Test("equal shards of one name give equal batches, in each family of formats")
  func equality() throws {
    let families: [[FormatFolder.Format]] = [
      [.native, .mdsBytes, .megatron], [.mdsArrays, .jsonLines, .compressedJSONLines],
    ]
    for family in families {
      let streams = try family.map { format in
        try Self.loader(try Self.folder(format).open()) { $0.threadCount = 1 }.rows(batches: 60)
      }
      #expect(streams[0].joined().contains { $0.domain == 1 && $0.epoch >= 2 })
      for (format, stream) in zip(family, streams) { #expect(stream == streams[0], "\(format)") }
    }
  }

  // MARK: Quarantine

  /// A run that meets a damaged shard, in values.
  private struct CollectingRun {
    var rows: [[Row]] = []
    var checkpoints: [LoaderCheckpoint]
    /// Where the rows of domain 0 came from, by epoch.
    var places: [Int: [[Int]]] = [:]
  }

  private func collect(_ corpus: Corpus, ledger: String, threadCount: Int) throws -> CollectingRun {
    let loader = try Self.loader(corpus) {
      ($0.quarantine, $0.threadCount, $0.ledgerPath) = (.collect, threadCount, ledger)
    }
    var run = CollectingRun(checkpoints: [try loader.checkpoint()])
    for _ in 0..<80 {
      let batch = try #require(try loader.next())
      run.rows.append(batch.rows())
      run.checkpoints.append(try batch.checkpoint())
      for row in 0..<batch.rowCount where batch.facts.domainIndex(ofRow: row) == 0 {
        run.places[batch.facts.epoch(ofRow: row), default: []].append(place(batch, row))
      }
    }
    loader.close()
    return run
  }

  /// The places of domain 0 in a whole epoch of a sound corpus, without those of one shard.
  private func places(_ corpus: Corpus, without shard: Int) throws -> Set<[Int]> {
    let loader = try Self.loader(corpus)
    var places: Set<[Int]> = []
    for _ in 0..<80 {
      let batch = try #require(try loader.next())
      for row in 0..<batch.rowCount where batch.facts.domainIndex(ofRow: row) == 0 {
        places.insert(place(batch, row))
      }
    }
    return places.filter { $0[0] != shard }
  }

  @Test(
    "a damaged MDS shard is skipped, the rest is read exactly once an epoch, also after a stop",
    arguments: [FormatFolder.Format.mdsBytes, .mdsArrays], [0, 2])
  func quarantine(format: FormatFolder.Format, threadCount: Int) throws {
    let folder = try Self.folder(format)
    let good = try places(folder.open(), without: 2)
    let name = folder.files[0][2]
    let bytes = try folder.folder.bytes(of: name)
    folder.folder.patch(name, at: bytes.count / 2, with: [bytes[bytes.count / 2] ^ 16])
    let path = folder.folder.path + "/ledger.jsonl"
    let corpus = try folder.open()
    let run = try collect(corpus, ledger: path, threadCount: threadCount)
    let entries = try #require(run.checkpoints.last).quarantine.entries
    #expect(entries.map(\.shardIndex) == [2] && entries.map(\.frame) == [nil])
    let last = try #require(run.places.keys.max())
    #expect(last >= 1)
    for epoch in 0..<last {
      let places = run.places[epoch, default: []]
      #expect(Set(places) == good && places.count == good.count, "epoch \(epoch)")
    }
    for step in 1..<80 {
      let stored = try LoaderCheckpoint(bytes: run.checkpoints[step].encoded())
      let resumed = try Self.loader(corpus, from: stored) {
        ($0.quarantine, $0.threadCount) = (.collect, step % 2)
      }
      let following = try resumed.rows(batches: min(2, 80 - step))
      try #require(following == Array(run.rows[step...].prefix(2)), "from step \(step)")
      resumed.close()
      let batch = try StepReplay(ofStep: step, inLedgerAt: path).batch(from: corpus)
      try #require(batch.rows(.int64) == run.rows[step - 1], "replay of step \(step)")
    }
  }

  @Test(
    "verification lists a damaged MDS shard, and ranks that are given the list skip it alike",
    arguments: [FormatFolder.Format.mdsBytes, .mdsArrays])
  func verifiedList(format: FormatFolder.Format) throws {
    let folder = try Self.folder(format)
    let name = folder.files[0][2]
    folder.folder.patch(name, at: 1000, with: [1, 2, 3, 4, 5])
    let corpus = try folder.open()
    let list = Quarantine(try Verification(corpus).run(), of: corpus)
    #expect(list.entries.map(\.shardIndex) == [2] && list.entries.map(\.frame) == [nil])
    let ranks = try (0..<2).map { rank in
      try Self.loader(corpus) { ($0.rank, $0.worldSize, $0.quarantined) = (rank, 2, list) }
    }
    let alone = try Self.loader(corpus) { $0.quarantined = list }
    for _ in 0..<40 {
      let union = try ranks.flatMap { try #require(try $0.next()).rows() }
      #expect(try alone.next()?.rows() == union)
    }
  }

  private func place(_ batch: Batch, _ row: Int) -> [Int] {
    let origin = batch.facts.origin(ofRow: row)
    return [origin?.shardIndex ?? -1, origin?.tokenOffset ?? -1]
  }
}
