import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// What a ledger says of its run, for another that is to draw the same batches.
@Suite(.timeLimit(.minutes(5)))
struct RecordedRunTests {
  private static let batch = BatchConfiguration(
    rows: 6, sequenceLength: 512, grouping: .init(microBatchRows: 2))

  private let corpus: SyntheticCorpus
  private var path: String { corpus.folder.path + "/ledger.jsonl" }

  init() throws {
    corpus = try SyntheticCorpus([
      .init("code", shards: [20_000]), .init("prose", shards: [21_000]),
    ])
  }

  /// Records a run of some steps, the last with other rows.
  private func record(rows: [Int], caps: [String: Double] = [:]) throws {
    let loader = try Loader(
      corpus.open(), policy: .static(.uniform), batch: Self.batch, seed: 9,
      options: options {
        $0.ledgerPath = path
        $0.epochCaps = caps
      })
    for rows in rows {
      try loader.setBatchRows(rows)
      _ = try #require(try loader.next())
    }
    loader.close()
  }

  private func identity(
    _ batch: BatchConfiguration = batch, seed: UInt64 = 9,
    _ change: (inout LoaderOptions) -> Void = { _ in }
  ) throws -> LoaderIdentity {
    try LoaderIdentity(of: corpus.open(), batch: batch, seed: seed, options: options(change))
  }

  @Test func theSameSettingsDrawTheSame() throws {
    try record(rows: [6, 6, 6], caps: ["prose": 0.3])
    for place in [path, corpus.folder.path] {
      let run = try RecordedRun(at: place)
      #expect(run.rows == 6...6 && !run.hasChangedCorpus && run.quarantine.isEmpty)
      let same = try identity { $0.epochCaps = ["prose": 0.3] }
      #expect(run.identity == same)
      #expect(run.differences(to: same, rows: 6, quarantine: Quarantine()).isEmpty)
    }
  }

  @Test func whatDiffersIsNamed() throws {
    try record(rows: [6, 6], caps: ["prose": 0.3])
    let run = try RecordedRun(at: path)
    let frame = Quarantine.Entry(
      domain: "code", fingerprint: "0", split: .train, shard: "a", shardIndex: 0, frame: 1,
      byteOffset: nil, reason: "a test")
    var heldOut = frame
    heldOut.split = .heldOut
    func differences(
      _ identity: LoaderIdentity, rows: Int = 6, quarantine: [Quarantine.Entry] = []
    ) -> [String] {
      run.differences(to: identity, rows: rows, quarantine: Quarantine(quarantine))
    }
    let capped = try identity { $0.epochCaps = ["prose": 0.3] }
    #expect(differences(capped, rows: 8) == ["rows"])
    #expect(differences(capped, quarantine: [frame]) == ["quarantine list"])
    // What is skipped of held-out text draws nothing else.
    #expect(differences(capped, quarantine: [heldOut]).isEmpty)
    #expect(try differences(identity()) == ["epoch caps"])
    #expect(try differences(identity { $0.epochCaps = ["prose": 0.4] }) == ["epoch caps"])
    let other = try identity(.init(rows: 6, sequenceLength: 256), seed: 10) {
      $0.unitsPerPool = 2
      $0.draw = .multinomial
    }
    #expect(
      differences(other) == [
        "sequence length", "seed", "units per pool", "draw", "grouping", "epoch caps",
      ])
  }

  @Test func rowsMayHaveChangedWithinTheRun() throws {
    try record(rows: [6, 6, 12])
    let run = try RecordedRun(at: path)
    #expect(run.rows == 6...12)
    #expect(try run.differences(to: identity(), rows: 6, quarantine: Quarantine()) == ["rows"])
  }

  @Test func capsComeOutAgain() throws {
    for cap in [0.03, 0.3, 1, 2.49, 17.123] {
      try record(rows: [6], caps: ["prose": cap])
      let run = try RecordedRun(at: path)
      #expect(run.epochCaps.keys.sorted() == ["prose"])
      #expect(try identity { $0.epochCaps = run.epochCaps } == run.identity)
      try corpus.folder.remove("ledger.jsonl")
    }
  }

  @Test func whatIsNoLedgerIsRefused() throws {
    #expect(throws: LoadingError.self) { try RecordedRun(at: "/nowhere") }
    try record(rows: [6])
    let whole = try FileReader.contents(of: path, limit: 1 << 24)
    let lines = whole.split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
    let cases: [([UInt8], String)] = [
      (lines[0], "there is no whole line of a step"),
      (lines[1], "it is no header, with which a ledger begins"),
      (lines[0] + Array("{\"step\":1,\"rows\":6}\n".utf8), "it has no \"asked\""),
      (
        lines[0] + lines[1] + lines[1],
        "its step is 1, but 2 must follow"
      ),
      (Array("nonsense\n".utf8), "it is no JSON"),
    ]
    for (bytes, text) in cases {
      try corpus.folder.write(bytes, to: "ledger.jsonl")
      #expect {
        try RecordedRun(at: path)
      } throws: { error in
        "\(error)".contains(text) && !"\(error)".contains("CodingKeys")
      }
      // Nor is a trajectory's error the decoder's own.
      do { _ = try LedgerTrajectory(at: path).recorded(atStep: 1) } catch {
        #expect(!"\(error)".contains("CodingKeys"))
      }
    }
  }
}
