// Covers: LedgerSearch.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Every line of a ledger alone makes exactly the batch that the run was given.
@Suite(.timeLimit(.minutes(5)))
struct StepReplayTests {
  private static let sequenceLength = 512

  /// How a run is set up.
  struct Setting: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var grouping: BatchConfiguration.Grouping?
    var draw = DrawRule.credits
    var caps: [String: Double] = [:]
    var unitsPerPool = 4
    var tokenWidth = TokenWidth.uint16
    var split = Split.train

    init(_ name: String, _ change: (inout Setting) -> Void = { _ in }) {
      testDescription = name
      change(&self)
    }
  }

  static let settings = [
    Setting("the defaults"), Setting("wide tokens") { $0.tokenWidth = .uint32 },
    Setting("one unit per pool, the held-out split") {
      $0.unitsPerPool = 1
      $0.split = .heldOut
    },
    Setting("caps") { $0.caps = ["prose": 1, "data": 0.7] },
    Setting("multinomial") { $0.draw = .multinomial },
    Setting("multinomial, caps") {
      $0.draw = .multinomial
      $0.caps = ["prose": 1, "data": 0.7]
    },
    Setting("grouped") { $0.grouping = .init(microBatchRows: 2) },
    Setting("every domain, caps") {
      $0.grouping = .init(microBatchRows: 3, everyDomain: true)
      $0.caps = ["data": 1, "code": 0.1]
    },
    Setting("every domain, multinomial") {
      $0.grouping = .init(microBatchRows: 2, everyDomain: true)
      $0.draw = .multinomial
    },
  ]

  private func corpus(_ width: TokenWidth = .uint16) throws -> SyntheticCorpus {
    try SyntheticCorpus(
      [
        .init("code", shards: [tokensPerFrame + 5000, 4000], heldOut: [9000]),
        .init("prose", shards: [9000, 30_000], heldOut: [tokensPerFrame + 1, 5000]),
        .init("data", shards: [6000], heldOut: [7000]),
        .init("notes", shards: [20_000], heldOut: [600]),
      ], tokenWidth: width)
  }

  /// A batch that was handed out, in values.
  private struct Given {
    var rows: [Row]
    var facts: BatchFacts
    var positions: [Int]
  }

  /// A run whose weights change by feedback and whose batch size changes every seventh step.
  private func run(
    _ corpus: SyntheticCorpus, _ setting: Setting, seed: UInt64 = 17, steps: Int = 40,
    ledger: String
  ) throws -> [Given] {
    let loader = try Loader(
      corpus.open(), policy: .custom(LossFollower(domainCount: 4)),
      batch: .init(rows: 12, sequenceLength: Self.sequenceLength, grouping: setting.grouping),
      seed: seed,
      options: options {
        $0.draw = setting.draw
        $0.epochCaps = setting.caps
        $0.unitsPerPool = setting.unitsPerPool
        $0.split = setting.split
        $0.ledgerPath = ledger
      })
    var given: [Given] = []
    while loader.step < steps {
      if loader.step % 7 == 6 { try loader.setBatchRows(loader.step % 2 == 0 ? 24 : 12) }
      guard let batch = try loader.next() else { break }
      given.append(
        Given(
          rows: batch.rows(), facts: batch.facts,
          positions: (0..<batch.rowCount).map { batch.facts.position(ofRow: $0) }))
      if batch.step % 2 == 0 { try loader.observe(.madeUp(step: batch.step, domainCount: 4)) }
    }
    loader.close()
    return given
  }

  @Test(arguments: settings) func everyLineAloneMakesItsBatch(setting: Setting) throws {
    let corpus = try corpus(setting.tokenWidth)
    let path = corpus.folder.path + "/ledger.jsonl"
    let given = try run(corpus, setting, ledger: path)
    #expect(given.count > 6)
    let opened = try corpus.open()
    let types: [TokenType] = [.int64, .int32, .uint32]
    for (index, given) in given.enumerated() {
      let replay = try StepReplay(ofStep: index + 1, inLedgerAt: path)
      let batch = try replay.batch(from: opened, tokenType: types[index % 3])
      #expect(batch.rows(types[index % 3]) == given.rows, "step \(index + 1)")
      let facts = batch.facts
      #expect(facts.step == index + 1 && facts.reason == given.facts.reason)
      #expect(facts.asked == given.facts.asked)
      #expect(facts.effectiveShares == given.facts.effectiveShares)
      #expect(facts.lastObservedStep == given.facts.lastObservedStep)
      #expect((0..<batch.rowCount).map { facts.position(ofRow: $0) } == given.positions)
      for row in 0..<batch.rowCount {
        #expect(facts.origin(ofRow: row) == given.facts.origin(ofRow: row))
      }
      for domain in 0..<4 {
        #expect(facts.rowCount(ofDomain: domain) == given.facts.rowCount(ofDomain: domain))
        #expect(facts.position(ofDomain: domain) == given.facts.position(ofDomain: domain))
      }
    }
  }

  /// A run under the policy `manual` goes on from a replayed batch's checkpoint.
  @Test func aReplayedBatchsCheckpointGivesTheNext() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    func loader(_ ledger: String?, _ checkpoint: LoaderCheckpoint? = nil) throws -> Loader {
      try Loader(
        corpus.open(), policy: .manual(.uniform), batch: .init(rows: 8, sequenceLength: 512),
        seed: 2,
        options: options { $0.ledgerPath = ledger }, resumingFrom: checkpoint)
    }
    let first = try loader(path)
    let rows = try first.rows(batches: 9)
    first.close()
    let replayed = try StepReplay(ofStep: 5, inLedgerAt: path).batch(from: corpus.open())
    let resumed = try loader(nil, replayed.checkpoint())
    #expect(try resumed.rows(batches: 4) == Array(rows[5...]))
  }

  // MARK: Finding the line

  @Test func theLastHeaderBeforeTheLineHolds() throws {
    let corpus = try corpus()
    let paths = ["a.jsonl", "b.jsonl"].map { corpus.folder.path + "/" + $0 }
    let first = try run(corpus, Setting("seed 17"), steps: 6, ledger: paths[0])
    let second = try run(corpus, Setting("seed 18"), seed: 18, steps: 6, ledger: paths[1])
    // A ledger of two headers: steps 1 to 3 of one run, then 4 to 6 of the other.
    let lines = try ["a.jsonl", "b.jsonl"].map {
      try corpus.folder.bytes(of: $0).split(separator: 10)
    }
    let joined = lines[0][..<4] + [lines[1][0]] + lines[1][4...]
    try corpus.folder.write(Array(joined.joined(separator: [10])) + [10], to: "both.jsonl")
    let path = corpus.folder.path + "/both.jsonl"
    let opened = try corpus.open()
    for step in 1...6 {
      let batch = try StepReplay(ofStep: step, inLedgerAt: path).batch(from: opened)
      #expect(batch.rows(.int64) == (step < 4 ? first : second)[step - 1].rows, "step \(step)")
    }
  }

  private func refusal(_ step: Int, _ path: String, _ corpus: SyntheticCorpus) throws -> String {
    let opened = try corpus.open()
    let error = #expect(throws: LoadingError.self) {
      _ = try StepReplay(ofStep: step, inLedgerAt: path).batch(from: opened)
    }
    return error?.description ?? ""
  }

  @Test func aStepThatIsNotThereIsNamed() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try run(corpus, Setting("the defaults"), steps: 5, ledger: path)
    for step in [6, 7, .max] {
      let text = try refusal(step, path, corpus)
      #expect(text.contains("has no step \(step); the last one up to there is 5"), "\(text)")
    }
    for step in [0, -1, .min] {
      #expect(try refusal(step, path, corpus).contains("has no step \(step). Steps are counted"))
    }
    // A torn last line is no line.
    let whole = try corpus.folder.bytes(of: "ledger.jsonl")
    try corpus.folder.write(Array(whole.dropLast()), to: "ledger.jsonl")
    #expect(try refusal(5, path, corpus).contains("the last one up to there is 4"))
    #expect(try StepReplay(ofStep: 4, inLedgerAt: path).line.step == 4)
    // Keys in another order, as another program may write them.
    let text = String(decoding: whole, as: UTF8.self)
      .replacing("{\"step\":3,\"rows\":12,", with: "{ \"rows\": 12, \"step\": 3,")
    try corpus.folder.write(Array(text.utf8), to: "ledger.jsonl")
    #expect(try StepReplay(ofStep: 3, inLedgerAt: path).line.step == 3)
    #expect(try StepReplay(ofStep: 4, inLedgerAt: path).line.step == 4)
  }

  // MARK: Refusals

  @Test func anotherCorpusOrOrderIsNamed() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try run(corpus, Setting("the defaults"), steps: 3, ledger: path)
    let text = String(decoding: try corpus.folder.bytes(of: "ledger.jsonl"), as: UTF8.self)

    let other = try SyntheticCorpus([
      .init("code", shards: [tokensPerFrame + 5000, 4000], heldOut: [9000]),
      .init("prose", shards: [9000, 30_001], heldOut: [tokensPerFrame + 1, 5000]),
      .init("data", shards: [6000], heldOut: [7000]),
      .init("notes", shards: [20_000], heldOut: [600]),
    ])
    #expect(try self.refusal(2, path, other).contains("written with fingerprint of domain prose"))
    let renamed = try SyntheticCorpus([
      .init("code", shards: [9000]), .init("books", shards: [900]),
    ])
    #expect(
      try self.refusal(2, path, renamed)
        .contains("written with domains code, prose, data, notes; here it is code, books"))

    func refusal(replacing found: String, with replacement: String) throws -> String {
      #expect(text.contains(found), "\(found)")
      try corpus.folder.write(
        Array(text.replacing(found, with: replacement).utf8), to: "ledger.jsonl")
      return try self.refusal(2, path, corpus)
    }
    #expect(
      try refusal(replacing: "\"order_version\":1", with: "\"order_version\":2")
        .contains("written with order version 2; here it is 1"))
    #expect(
      try refusal(replacing: "\"headrace_ledger\":1", with: "\"headrace_ledger\":9")
        .contains("it has version 9"))
    #expect(
      try refusal(replacing: "\"units_per_pool\":4", with: "\"units_per_pool\":9223372036854775807")
        .contains("units per pool is"))
    #expect(
      try refusal(
        replacing: "\"sequence_length\":512", with: "\"sequence_length\":9223372036854775807"
      ).contains("sequence length is"))
    #expect(
      try refusal(replacing: "\"sequence_length\":512", with: "\"sequence_length\":256")
        .contains("an epoch of domain code, in sequences,"))
    #expect(
      try refusal(replacing: "\"sequence_length\":512", with: "\"sequence_length\":1048576")
        .contains("no whole sequence"))
  }

  /// A line is changed number by number: no change gives a batch, none traps.
  @Test func aChangedLineIsRefused() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try run(corpus, Setting("the defaults"), steps: 4, ledger: path)
    let opened = try corpus.open()
    let good = try StepReplay(ofStep: 3, inLedgerAt: path)
    _ = try good.batch(from: opened)
    let one = Mixture.one
    let changes: [(String, (inout LedgerLine) -> Void)] = [
      ("a row more", { $0.rows += 1 }), ("no rows", { $0.rows = 0 }),
      ("all rows", { $0.rows = .max }),
      (
        "another number of rows of two domains",
        { ($0.drawn[0], $0.drawn[1]) = ($0.drawn[0] + 1, $0.drawn[1] - 1) }
      ),
      ("a domain less", { $0.drawn.removeLast() }), ("no arrays", { $0.positions = [] }),
      ("another asked mixture", { $0.asked = [one, 0, 0, 0] }),
      ("an asked mixture of nothing", { $0.asked = [0, 0, 0, 0] }),
      ("a negative share", { $0.asked = [one + 1, -1, 0, 0] }),
      ("another effective mixture", { $0.effective = [one, 0, 0, 0] }),
      ("a position past everything", { $0.positions[1] = .max }),
      ("positions past everything", { $0.positions = [.max, .max, .max, .max] }),
      ("a negative position", { $0.positions[1] = -1 }),
      ("credits that are not 0 together", { $0.credits[0] += 1 }),
      (
        "other credits",
        { ($0.credits[0], $0.credits[1]) = ($0.credits[0] + 20 * one, $0.credits[1] - 20 * one) }
      ),
      ("huge credits", { $0.credits = [1 << 61, 1 << 61, -(1 << 61), -(1 << 61)] }),
      ("larger credits", { $0.credits = [.max, -.max, 0, 0] }),
      ("draws before time", { $0.drawCount = -1 }), ("too many draws", { $0.drawCount = .max }),
    ]
    for (name, change) in changes {
      var line = good.line
      change(&line)
      let error = #expect(throws: LoadingError.self, "\(name)") {
        _ = try StepReplay(header: good.header, line: line, path: path, lineNumber: 4)
          .batch(from: opened)
      }
      #expect(error?.description.contains(path) == true || name == "all rows", "\(name): \(error)")
    }
    for limit in [0, -1, .min, .max] {
      var header = good.header
      header.identity.domains[0].positionLimit = limit
      let error = #expect(throws: LoadingError.self, "a cap of \(limit)") {
        _ = try StepReplay(header: header, line: good.line, path: path, lineNumber: 4)
          .batch(from: opened)
      }
      #expect(error?.description.contains("line 4") == true)
    }
  }

  /// Draws that the line contradicts are told apart from lines that do not decode.
  @Test func aContradictionNamesWhatItIs() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try run(corpus, Setting("the defaults"), steps: 4, ledger: path)
    var replay = try StepReplay(ofStep: 3, inLedgerAt: path)
    let opened = try corpus.open()
    var line = replay.line
    line.drawn = [line.rows, 0, 0, 0]
    replay = try StepReplay(header: replay.header, line: line, path: path, lineNumber: 4)
    let error = #expect(throws: LoadingError.self) { _ = try replay.batch(from: opened) }
    guard case .replayContradicts(path, 3, "rows of domain code", 12, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("the line was changed or damaged") == true)
    let small = #expect(throws: LoadingError.self) {
      _ = try StepReplay(ofStep: 3, inLedgerAt: path).batch(from: opened, byteBudget: 1000)
    }
    guard case .byteBudget(1000, 12 * 513 * 8) = small else {
      Issue.record("\(String(describing: small))")
      return
    }
  }

  @Test func damageInTheLedgerNamesItsLine() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try run(corpus, Setting("the defaults"), steps: 4, ledger: path)
    let whole = try corpus.folder.bytes(of: "ledger.jsonl")
    let ends = whole.indices.filter { whole[$0] == 10 }
    func refusal(_ bytes: [UInt8], step: Int = 3) throws -> String {
      try corpus.folder.write(bytes, to: "ledger.jsonl")
      return try self.refusal(step, path, corpus)
    }
    var damaged = whole
    damaged[ends[2] + 30] = UInt8(ascii: "{")
    #expect(try refusal(damaged).contains("line 4 of the ledger \(path)"))
    // Lines of other steps are not decoded.
    #expect(try StepReplay(ofStep: 2, inLedgerAt: path).line.step == 2)
    damaged[ends[1] + 1] = UInt8(ascii: "?")
    #expect(try refusal(damaged).contains("line 3 of the ledger"))
    #expect(try refusal(Array(whole[(ends[0] + 1)...])).contains("before any header"))
    #expect(try refusal([]).contains("has no step 3"))
    #expect(
      try refusal(Array("{\"headrace_ledger\":1}\n".utf8) + whole[(ends[0] + 1)...]).contains(
        "line"))
    // Digits that are not the whole number.
    let step = Array("{\"step\":3".utf8)
    let place = whole.firstRange(of: step)?.upperBound ?? 0
    #expect(
      try refusal(whole[..<place] + Array("e1".utf8) + whole[place...]).contains(
        "its step is 30, but 3 must follow"))
    for cut in stride(from: 0, to: ends[3], by: 7) {
      #expect(try !refusal(Array(whole[..<cut])).isEmpty)
    }
  }
}
