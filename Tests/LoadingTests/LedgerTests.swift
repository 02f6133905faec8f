import Corpora
import HeadraceTesting
import Loading
import Mixing
import RankProcess
import Testing

/// Ledgers: equal over threads, cut on resume, and enough to make every batch again.
@Suite(.timeLimit(.minutes(5)))
struct LedgerTests {
  private static let sequenceLength = 512

  /// How a run is set up.
  private struct Setting {
    var grouping: BatchConfiguration.Grouping?
    var draw = DrawRule.credits
    var caps: [String: Double] = [:]
    var threadCount = 0
    var rows = 12
  }

  private func corpus() throws -> SyntheticCorpus {
    try SyntheticCorpus([
      .init("code", shards: [tokensPerFrame + 5000, 4000]), .init("prose", shards: [9000, 30_000]),
      .init("data", shards: [6000]), .init("notes", shards: [20_000]),
    ])
  }

  private func loader(
    _ corpus: SyntheticCorpus, _ setting: Setting = Setting(), seed: UInt64 = 17, ledger: String?,
    resumingFrom checkpoint: LoaderCheckpoint? = nil
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: .custom(LossFollower(domainCount: 4)),
      batch: .init(
        rows: setting.rows, sequenceLength: Self.sequenceLength, grouping: setting.grouping),
      seed: seed,
      options: options {
        $0.threadCount = setting.threadCount
        $0.draw = setting.draw
        $0.epochCaps = setting.caps
        $0.ledgerPath = ledger
      }, resumingFrom: checkpoint)
  }

  /// Runs up to `last`, with feedback after every second step.
  @discardableResult
  private func run(_ loader: Loader, through last: Int) throws -> [[Row]] {
    var batches: [[Row]] = []
    while loader.step < last, let batch = try loader.next() {
      batches.append(batch.rows())
      if batch.step % 2 == 0 {
        try loader.observe(.madeUp(step: batch.step, domainCount: 4))
      }
    }
    return batches
  }

  @Test func threadsDoNotShowInTheLedger() throws {
    let corpus = try corpus()
    let ledgers = try [0, 1, 2, 4].map { threadCount in
      let name = "ledger-\(threadCount).jsonl"
      let loader = try loader(
        corpus, Setting(threadCount: threadCount), ledger: corpus.folder.path + "/" + name)
      try run(loader, through: 60)
      loader.close()
      return try corpus.folder.bytes(of: name)
    }
    #expect(ledgers[0].count > 10_000)
    for ledger in ledgers { #expect(ledger == ledgers[0]) }
  }

  @Test func aResumedRunHasTheLedgerOfOneThatWasNeverStopped() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    try run(loader(corpus, ledger: path), through: 30)
    let whole = try corpus.folder.bytes(of: "ledger.jsonl")
    try corpus.folder.remove("ledger.jsonl")

    for cut in 1...29 {
      let first = try loader(corpus, ledger: path)
      try run(first, through: cut - 1)
      let checkpoint = try #require(try first.next()).checkpoint()
      if cut % 2 == 0 { try first.observe(.madeUp(step: cut, domainCount: 4)) }
      // The run goes on past the checkpoint, and dies in the middle of a line.
      try run(first, through: cut + 3)
      first.close()
      if cut % 3 == 0 {
        let bytes = try corpus.folder.bytes(of: "ledger.jsonl")
        try corpus.folder.write(Array(bytes.dropLast(40)), to: "ledger.jsonl")
      }
      let second = try loader(
        corpus, Setting(threadCount: cut % 3), ledger: path, resumingFrom: checkpoint)
      // Feedback of the last step may still come after the resume.
      if cut % 2 == 0 { try second.observe(.madeUp(step: cut, domainCount: 4)) }
      try run(second, through: 30)
      second.close()
      #expect(try corpus.folder.bytes(of: "ledger.jsonl") == whole, "cut after \(cut)")
      try corpus.folder.remove("ledger.jsonl")
    }
  }

  @Test func feedbackAndReasonsAreInTheLedger() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    let loader = try loader(corpus, ledger: path)
    try run(loader, through: 4)
    try loader.synchronizeLedger()
    let ledger = try Ledger(at: path)
    #expect(ledger.header.identity == loader.identity)
    #expect(ledger.lines.map(\.step) == [1, 2, 3, 4])
    #expect(ledger.lines.map(\.lastObservedStep) == [0, 0, 2, 2])
    #expect(ledger.lines.map { $0.feedback.map(\.step) } == [[], [], [2], []])
    var report = Feedback.madeUp(step: 2, domainCount: 4)
    report.shares = [0.25, 0.25, 0.25, 0.25]
    #expect(ledger.lines[2].feedback == [report])
    #expect(ledger.lines[0].reason == "sums of losses 4")
    #expect(ledger.lines[0].asked == Mixture.uniform(domainCount: 4).integerShares)
    #expect(ledger.lines[3].asked == loader.mixture.integerShares || loader.lastObservedStep == 4)
  }

  @Test func reasonsAreQuoted() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    let reason = "a \"quoted\" \\ reason,\n\u{1}\u{7F} größe 文"
    let loader = try Loader(
      corpus.open(), policy: .manual(.uniform), batch: .init(rows: 2, sequenceLength: 512), seed: 1,
      options: options { $0.ledgerPath = path })
    try loader.setMixture(.uniform(domainCount: 4), reason: reason)
    _ = try loader.next()
    loader.close()
    #expect(try Ledger(at: path).lines.first?.reason == reason)
  }

  // MARK: One line alone makes its batch again

  @Test func oneLineAloneMakesItsBatchAgain() throws {
    let settings = [
      Setting(), Setting(caps: ["prose": 1, "data": 0.7]), Setting(draw: .multinomial),
      Setting(draw: .multinomial, caps: ["prose": 1, "data": 0.7]),
      Setting(grouping: .init(microBatchRows: 2)),
      Setting(
        grouping: .init(microBatchRows: 3, everyDomain: true), caps: ["data": 1, "code": 0.1]),
      Setting(grouping: .init(microBatchRows: 2, everyDomain: true), draw: .multinomial),
    ]
    for (number, setting) in settings.enumerated() {
      let corpus = try corpus()
      let path = corpus.folder.path + "/ledger.jsonl"
      let loader = try loader(corpus, setting, ledger: path)
      let batches = try run(loader, through: 30)
      loader.close()
      let ledger = try Ledger(at: path)
      #expect(ledger.lines.count == batches.count && batches.count > 10)
      let expected = ExpectedRows(corpus, sequenceLength: Self.sequenceLength, seed: 17)
      for (line, batch) in zip(ledger.lines, batches) {
        var replay = LedgerReplay(line: line, identity: ledger.header.identity)
        let place = "setting \(number), step \(line.step)"
        let domains = replay.domains()
        #expect(domains == batch.map(\.domain), "\(place)")
        #expect(replay.effective == line.effective, "\(place)")
        var positions = line.positions
        #expect(expected.rows(domains: domains, positions: &positions) == batch, "\(place)")
        #expect(zip(positions, line.positions).map { $0 - $1 } == line.drawn, "\(place)")
      }
      for (line, next) in zip(ledger.lines, ledger.lines.dropFirst()) {
        #expect(zip(line.positions, line.drawn).map { $0 + $1 } == next.positions)
      }
    }
  }

  // MARK: Refusals

  private func refusal(_ corpus: SyntheticCorpus, _ checkpoint: LoaderCheckpoint?) -> String {
    let error = #expect(throws: LoadingError.self) {
      try loader(
        corpus, ledger: corpus.folder.path + "/ledger.jsonl", resumingFrom: checkpoint)
    }
    return error?.description ?? ""
  }

  @Test func aLedgerThatIsNotTheCheckpointsIsRefused() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    let first = try loader(corpus, ledger: path)
    try run(first, through: 5)
    let checkpoint = try #require(try first.next()).checkpoint()
    first.close()
    let whole = try corpus.folder.bytes(of: "ledger.jsonl")
    #expect(checkpoint.ledgerByteCount == whole.count)

    #expect(refusal(corpus, nil).contains("stands at \(path) already"))
    for cut in [1, 2, 100, whole.count - 1, whole.count] {
      try corpus.folder.write(Array(whole.dropLast(cut)), to: "ledger.jsonl")
      let text = refusal(corpus, checkpoint)
      #expect(text.contains("\(whole.count - cut) bytes") && text.contains("\(whole.count)"))
    }
    // Long enough, but no line ends where the checkpoint says.
    try corpus.folder.write([UInt8](repeating: 65, count: whole.count + 9), to: "ledger.jsonl")
    #expect(refusal(corpus, checkpoint).contains("another run's"))
    try corpus.folder.write(
      [UInt8](repeating: 65, count: whole.count - 1) + [10], to: "ledger.jsonl")
    #expect(refusal(corpus, checkpoint).contains("line 1 of the ledger"))

    // With credits, another seed's ledger differs in nothing but its header.
    try corpus.folder.remove("ledger.jsonl")
    let foreign = try loader(corpus, seed: 18, ledger: path)
    try run(foreign, through: 6)
    foreign.close()
    #expect(try corpus.folder.bytes(of: "ledger.jsonl").count == whole.count)
    let text = refusal(corpus, checkpoint)
    #expect(text.contains("written with seed 18") && text.contains("17"))

    try corpus.folder.remove("ledger.jsonl")
    #expect(refusal(corpus, checkpoint).contains("cannot open \(path)"))
    try corpus.folder.write(whole, to: "ledger.jsonl")
    let again = try loader(corpus, ledger: path, resumingFrom: checkpoint)
    #expect(try again.next()?.step == 7)
  }

  @Test func damagedLinesAreNamedAndTornOnesLeftOut() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    let first = try loader(corpus, ledger: path)
    try run(first, through: 3)
    first.close()
    let whole = try corpus.folder.bytes(of: "ledger.jsonl")
    let ends = whole.indices.filter { whole[$0] == 10 }
    #expect(ends.count == 4)
    for cut in [ends[2] + 2, ends[3] - 1, ends[3]] {
      try corpus.folder.write(Array(whole[..<cut]), to: "ledger.jsonl")
      #expect(try Ledger(at: path).lines.map(\.step) == [1, 2])
    }
    var damaged = whole
    damaged[ends[1] + 3] = UInt8(ascii: "{")
    try corpus.folder.write(damaged, to: "ledger.jsonl")
    let error = #expect(throws: LoadingError.self) { try Ledger(at: path) }
    #expect(error?.description.contains("line 3 of the ledger \(path)") == true)
    for bytes in [[], Array(whole[..<20]), Array("{}\n".utf8)] {
      try corpus.folder.write(bytes, to: "ledger.jsonl")
      #expect(throws: LoadingError.self) { try Ledger(at: path) }
    }
    // Steps follow from what the first header says.
    for step in [Int.max, -1] {
      let head = whole.firstRange(of: Array("\"identity\":".utf8))?.lowerBound ?? 0
      let resumed = Array("\"resumed_after_step\":\(step),".utf8)
      try corpus.folder.write(whole[..<head] + resumed + whole[head...], to: "ledger.jsonl")
      let error = #expect(throws: LoadingError.self) { try Ledger(at: path) }
      #expect(error?.description.contains("line 1 of the ledger") == true)
    }
  }

  @Test func aLineThatNoReaderTakesIsNotWritten() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    let loader = try Loader(
      corpus.open(), policy: .manual(.uniform),
      batch: .init(rows: 12, sequenceLength: Self.sequenceLength), seed: 17,
      options: options { $0.ledgerPath = path })
    _ = try #require(try loader.next())
    let mixture = Mixture.uniform(domainCount: 4)
    try loader.setMixture(mixture, reason: String(repeating: "x", count: 1 << 26))
    #expect {
      try loader.next()
    } throws: { error in
      guard case LoadingError.ledgerLineTooLong(path, _, limit: 1 << 26) = error else {
        return false
      }
      return true
    }
    // The step is still to come, and nothing of the line stands in the file.
    try loader.setMixture(mixture, reason: "short")
    #expect(try #require(try loader.next()).step == 2)
    loader.close()
    #expect(try Ledger(at: path).lines.map(\.reason).last == "short")
  }

  @Test func linesThatWouldBeTooLongAreRefusedBeforeTheFirst() throws {
    func check(_ needs: FeedbackNeeds, _ domainCount: Int) throws(LoadingError) {
      try Ledger.checkLineLength(ofLedgerAt: "l", needs: needs, domainCount: domainCount)
    }
    try check(FeedbackNeeds(gram: true), 1000)
    try check(FeedbackNeeds(losses: true, smoothing: 0.9, norms: true), 4096)
    #expect {
      try check(FeedbackNeeds(gram: true), 2000)
    } throws: { error in
      "\(error)".hasPrefix("a line of the ledger l would have some 72000000 bytes")
    }
  }

  @Test func aLedgerThatCannotBeWrittenLeavesTheLoaderWhereItWas() throws {
    let corpus = try corpus()
    let error = #expect(throws: LoadingError.self) {
      try loader(corpus, ledger: corpus.folder.path + "/no/such/folder/ledger.jsonl")
    }
    #expect(error?.description.contains("cannot open") == true)
  }

  @Test(
    "a full disk is an error, and once there is room the same batch comes", arguments: [0, 1, 90])
  func fullDisk(room: Int) async throws {
    let corpus = try corpus()
    func script(_ name: String, _ middle: [RankScript.Action]) -> RankScript {
      var script = RankScript(
        corpus: corpus.folder.path, rows: 12, sequenceLength: 1024, seed: 4,
        output: corpus.folder.path + "/" + name)
      script.ledger = script.output + ".jsonl"
      let next = Array(repeating: RankScript.Action.next, count: 3)
      script.actions = next + middle + next + [.digest]
      return script
    }
    let whole = script("whole", [])
    let failing = script(
      "failing", [.limitFiles(room: room), .fail, .fail, .limitFiles(room: nil)])
    let outputs = try await runProcesses([whole, failing])
    #expect(outputs[1].failures.count == 2)
    #expect(outputs[1].failures.allSatisfy { $0.contains("cannot write \(failing.output).jsonl") })
    #expect(outputs[0].rows.count == 72 && outputs[0].rows == outputs[1].rows)
    #expect(outputs[0].digests == outputs[1].digests)
    #expect(
      try corpus.folder.bytes(of: "whole.jsonl") == corpus.folder.bytes(of: "failing.jsonl"))
  }
}

/// Makes the domains of a batch from its ledger line and nothing else; plain arithmetic, written
/// for reading.
struct LedgerReplay {
  let line: LedgerLine
  let identity: LoaderIdentity
  var positions: [Int]
  var credits: [Int64]
  var drawCount: Int
  var effective: [Int64] = []

  init(line: LedgerLine, identity: LoaderIdentity) {
    self.line = line
    self.identity = identity
    positions = line.positions
    credits = line.credits
    drawCount = line.drawCount
  }

  private var drawRows: Int { identity.grouping?.microBatchRows ?? 1 }

  private func isExhausted(_ domain: Int) -> Bool {
    identity.domains[domain].positionLimit.map { $0 - positions[domain] < drawRows } ?? false
  }

  /// The effective mixture at this moment.
  private func shares() -> [Int64] {
    let left = positions.indices.map { domain in
      identity.domains[domain].positionLimit.map { $0 - positions[domain] }
        ?? identity.domains[domain].sequenceCount
    }
    guard let asked = try? Mixture(integerShares: line.asked) else { return [] }
    return EffectiveShares.mixture(
      asked: asked, isExhausted: positions.indices.map(isExhausted),
      sequencesLeft: left.map(Int64.init))?.integerShares ?? []
  }

  /// Moves past a draw; true if that exhausted its domain.
  private mutating func take(_ domain: Int) -> Bool {
    positions[domain] += drawRows
    guard isExhausted(domain) else { return false }
    let now = shares()
    let left = positions.indices.filter { !isExhausted($0) }
    guard !left.isEmpty else { return true }
    let parts = left.contains { line.asked[$0] > 0 } ? line.asked : now
    let sum = left.reduce(Int128(0)) { $0 + Int128(parts[$1]) }
    let owed = Int128(credits[domain])
    credits[domain] = 0
    var rest = owed
    for other in left {
      let product = owed * Int128(parts[other])
      // Rounded toward minus infinity.
      let part = product >= 0 ? product / sum : -((-product + sum - 1) / sum)
      credits[other] += Int64(part)
      rest -= part
    }
    if let lowest = left.first(where: { parts[$0] > 0 }) { credits[lowest] += Int64(rest) }
    return true
  }

  private mutating func draw(_ shares: [Int64]) -> Int {
    if identity.draw == .multinomial {
      let key = StreamKey(seed: identity.seed, purpose: .draw, name: "")
      let number = Int64(Philox.block(key: key, index: UInt64(drawCount)).lowPair >> 16)
      drawCount += 1
      var sum: Int64 = 0
      for (domain, share) in shares.enumerated() {
        sum += share
        if sum > number { return domain }
      }
    }
    for domain in credits.indices { credits[domain] += shares[domain] }
    let drawable = credits.indices.filter { shares[$0] > 0 }
    let most = drawable.map { credits[$0] }.max() ?? 0
    let winner = drawable.first { credits[$0] == most } ?? 0
    credits[winner] -= Mixture.one
    return winner
  }

  /// The domain of every row.
  mutating func domains() -> [Int] {
    var drawn: [Int] = []
    var current = shares()
    let drawTotal = line.rows / drawRows
    effective = current
    if identity.grouping?.everyDomain == true {
      let active = positions.indices.filter { !isExhausted($0) }
      let free = Int128(drawTotal - active.count)
      for domain in positions.indices {
        let one: Int128 = active.contains(domain) ? Int128(Mixture.one) : 0
        effective[domain] = Int64((one + free * Int128(current[domain])) / Int128(drawTotal))
      }
      effective[active[0]] += Mixture.one - effective.reduce(0, +)
      for domain in active {
        drawn.append(domain)
        _ = take(domain)
      }
      current = shares()
    }
    while drawn.count < drawTotal {
      let domain = draw(current)
      drawn.append(domain)
      if take(domain) { current = shares() }
    }
    if identity.grouping != nil { drawn.sort() }
    return drawn.flatMap { Array(repeating: $0, count: drawRows) }
  }
}
