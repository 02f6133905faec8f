// Covers: Loader+Digest.swift, LedgerWriter.swift, PoolReader.swift
import Corpora
import Foundation
import HeadraceTesting
import Loading
import Mixing
import RankProcess
import Testing

/// Ranks as processes: together they give what one gives, and stop and go on at any world size.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct RankTests {
  private static let sequenceLength = 1 << 14

  /// Domains of 68, 21 and 7 sequences an epoch, with full frames and short ones.
  private func corpus() throws -> SyntheticCorpus {
    try SyntheticCorpus(
      [
        .init("code", shards: [tokensPerFrame + 70_000, 3 * tokensPerFrame + 9000]),
        .init("prose", shards: [tokensPerFrame + 5000, 90_000]),
        .init("data", shards: [90_000, 40_000]),
      ], content: .runs(300))
  }

  private func script(_ corpus: SyntheticCorpus, _ name: String, rows: Int = 24) -> RankScript {
    RankScript(
      corpus: corpus.folder.path, rows: rows, sequenceLength: Self.sequenceLength, seed: 17,
      output: corpus.folder.path + "/" + name)
  }

  @Test func theUnionOfTheRanksIsTheOneRankBatch() async throws {
    let corpus = try corpus()
    var script = script(corpus, "whole")
    // Both caps are reached inside a batch.
    script.epochCaps = ["data": 5.5, "prose": 1.7]
    for step in 1...16 {
      if step % 5 == 0 {
        script.actions.append(.setMixture(weights: [Double(step), 3, 2], reason: "step \(step)"))
      }
      script.actions += [.next, .observe(loss: 1 / Double(step)), .digest]
    }
    script.ledger = corpus.folder.path + "/ledger.jsonl"
    let whole = try await run(script, ranks: 1)[0]
    #expect(whole.rows.count == 16 * 24 && whole.digests.count == 16)
    #expect(Set(whole.digests.map { $0.split(separator: " ")[2] }).count == 16)
    let expected = ExpectedRows(
      corpus, sequenceLength: Self.sequenceLength, unitsPerPool: 1, seed: 17)
    var positions = [0, 0, 0]
    for line in whole.rows {
      let parts = line.split(separator: " ").map(String.init)
      let domain = try #require(Int(parts[3]))
      let row = expected.row(domain: domain, position: positions[domain])
      positions[domain] += 1
      #expect(Int(parts[4]) == row.epoch)
      #expect(parts[5] == RankScript.text(of: row.tokens.map { Int32($0) }))
    }
    #expect(Array(positions[1...]) == [35, 38])
    for (worldSize, threadCount) in zip([2, 3, 4, 6, 8, 12, 24], [0, 1, 0, 2, 0, 1, 0]) {
      script.ledger = corpus.folder.path + "/ledger-\(worldSize).jsonl"
      script.threadCount = threadCount
      let ranks = try await run(script, ranks: worldSize)
      #expect(union(ranks) == whole.rows, "\(worldSize) ranks")
      for (rank, output) in ranks.enumerated() {
        #expect(output.rows.count == 16 * 24 / worldSize)
        #expect(output.digests == whole.digests, "rank \(rank) of \(worldSize)")
      }
      #expect(
        try corpus.folder.bytes(of: "ledger-\(worldSize).jsonl")
          == corpus.folder.bytes(of: "ledger.jsonl"))
    }
  }

  // MARK: Chains

  /// A run of which every part may be done by another number of ranks.
  private struct Plan {
    var script: RankScript
    var stepCount: Int
    /// What is done before a step.
    var events: [Int: [RankScript.Action]]
    /// B at the beginning of a step.
    func rows(atStep step: Int) -> Int {
      var rows = script.rows
      for earlier in 1..<max(1, step) {
        for case .setBatchRows(let new) in events[earlier, default: []] { rows = new }
      }
      return rows
    }
    func actions(_ steps: ClosedRange<Int>) -> [RankScript.Action] {
      steps.flatMap { events[$0, default: []] + [.next, .observe(loss: 2 / Double($0)), .digest] }
    }
  }

  private func plan(_ corpus: SyntheticCorpus, seed: UInt64, isGrouped: Bool) -> Plan {
    var generator = TestGenerator(seed: seed)
    var script = script(corpus, "chain-\(seed)", rows: 48)
    script.ledger = corpus.folder.path + "/ledger-\(seed).jsonl"
    script.epochCaps = ["data": 4, "prose": 2.3]
    script.draw = seed % 3 == 2 ? .multinomial : .credits
    if isGrouped { script.grouping = .init(microBatchRows: 2, everyDomain: seed % 2 == 0) }
    var events: [Int: [RankScript.Action]] = [:]
    for step in 1...18 where Int.random(in: 0..<3, using: &generator) == 0 {
      let weights = (0..<3).map { _ in Double.random(in: 0...1, using: &generator) }
      events[step] = [.setMixture(weights: weights, reason: "random \(step)")]
      // 24 and 48 rows, in pairs too where rows are not grouped.
      if isGrouped || step % 2 == 0 {
        events[step]?.append(.setBatchRows(step % 4 < 2 ? 96 : 48))
      }
    }
    return Plan(script: script, stepCount: 18, events: events)
  }

  @Test(arguments: 0..<4) func aRunGoesOnAtAnyWorldSize(seed: Int) async throws {
    let corpus = try corpus()
    let plan = plan(corpus, seed: UInt64(seed), isGrouped: seed % 2 == 1)
    var whole = plan.script
    whole.actions = plan.actions(1...plan.stepCount)
    let expected = try await run(whole, ranks: 1)[0]
    let ledger = try corpus.folder.bytes(of: "ledger-\(seed).jsonl")
    try corpus.folder.remove("ledger-\(seed).jsonl")
    #expect(expected.rows.count > 18 * 24 && !expected.hasEnded)

    var generator = TestGenerator(seed: UInt64(seed) &+ 100)
    var (step, leg) = (0, 0)
    var (rows, digests): ([String], [String]) = ([], [])
    var checkpoint: String?
    while step < plan.stepCount {
      let worldSize = [8, 2, 12, 1, 4, 3, 24, 6][(leg + seed) % 8]
      let last = min(plan.stepCount, step + Int.random(in: 1...5, using: &generator))
      var script = plan.script
      script.rows = plan.rows(atStep: step + 1)
      script.checkpoint = checkpoint
      script.threadCount = leg % 3
      script.output += "-leg-\(leg)"
      let saved = script.output + ".checkpoint"
      script.actions = plan.actions(step + 1...last) + [.save(saved)]
      // What was done after the checkpoint is lost, and done again.
      if leg % 2 == 1, last < plan.stepCount { script.actions += plan.actions(last + 1...last + 1) }
      if leg % 3 == 1 { script.actions.append(.abort) }
      let ranks = try await run(script, ranks: worldSize)
      rows += union(ranks).filter { (Int($0.split(separator: " ")[1]) ?? 0) <= last }
      digests += ranks[0].digests.prefix(last - step)
      for (rank, output) in ranks.enumerated() {
        #expect(output.digests == ranks[0].digests)
        let (own, first) = try (
          Data(contentsOf: URL(fileURLWithPath: saved + "-\(rank)")),
          Data(contentsOf: URL(fileURLWithPath: saved + "-0"))
        )
        #expect(own == first, "the checkpoint of rank \(rank) of \(worldSize)")
      }
      checkpoint = saved + "-0"
      (step, leg) = (last, leg + 1)
    }
    #expect(rows == expected.rows)
    #expect(digests == expected.digests)
    #expect(try corpus.folder.bytes(of: "ledger-\(seed).jsonl") == ledger)
  }

  @Test func twoRunsAtOnceOnOneCorpusAreBothRight() async throws {
    let corpus = try corpus()
    var (one, other) = (script(corpus, "one"), script(corpus, "other"))
    other.seed = 18
    (one.threadCount, other.threadCount) = (2, 2)
    for step in 1...20 { one.actions += step % 4 == 0 ? [.digest, .next] : [.next] }
    other.actions = one.actions
    let alone = [try await runProcesses([one])[0], try await runProcesses([other])[0]]
    let together = try await runProcesses([one, other])
    #expect(together.map(\.rows) == alone.map(\.rows))
    #expect(together.map(\.digests) == alone.map(\.digests))
    #expect(alone[0].rows != alone[1].rows)
  }

  // MARK: In one process

  private func loader(
    _ corpus: SyntheticCorpus, rank: Int = 0, worldSize: Int = 1, rows: Int = 24,
    grouping: BatchConfiguration.Grouping? = nil, seed: UInt64 = 17,
    policy: PolicyRecipe = .manual(.uniform), tokenType: TokenType = .int32,
    resumingFrom checkpoint: LoaderCheckpoint? = nil,
    _ change: (inout LoaderOptions) -> Void = { _ in }
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: policy,
      batch: .init(
        rows: rows, sequenceLength: Self.sequenceLength, tokenType: tokenType, grouping: grouping),
      seed: seed,
      options: options {
        ($0.rank, $0.worldSize, $0.unitsPerPool) = (rank, worldSize, 1)
        change(&$0)
      }, resumingFrom: checkpoint)
  }

  @Test func digestsDifferWhereRanksWereGivenOtherThings() throws {
    let corpus = try corpus()
    let follower = PolicyRecipe.custom(LossFollower(domainCount: 3))
    func feedback(_ loss: Double) -> Feedback {
      Feedback(step: 1, losses: [loss, 1, 1], tokenCounts: [1, 1, 1])
    }
    func digest(_ loader: Loader, _ change: (Loader) throws -> Void = { _ in }) throws -> UInt64 {
      _ = try loader.next()
      try change(loader)
      return try loader.digest()
    }
    let same = try digest(loader(corpus))
    // What may differ between ranks.
    #expect(try digest(loader(corpus, rank: 3, worldSize: 4)) == same)
    #expect(try digest(loader(corpus, tokenType: .int64)) == same)
    #expect(
      try digest(
        loader(corpus) {
          ($0.threadCount, $0.byteBudget, $0.readTimeoutInSeconds) = (2, 1 << 24, 9)
        })
        == same)
    let other = try SyntheticCorpus(
      corpus.domains.dropLast() + [.init("data", shards: [90_001, 40_000])], content: .runs(300))
    let digests = [
      same, try digest(loader(corpus, seed: 18)), try digest(loader(corpus, rows: 12)),
      try digest(loader(other)), try digest(loader(corpus) { $0.epochCaps = ["data": 9] }),
      try digest(loader(corpus) { $0.draw = .multinomial }),
      try digest(loader(corpus) { $0.invalidFeedback = .keepMixture }),
      try digest(loader(corpus, policy: .static(.uniform))),
      try digest(loader(corpus)) { try $0.setBatchRows(48) },
      try digest(loader(corpus)) { _ = try $0.next() },
      try digest(loader(corpus)) { try $0.observe(feedback(1)) },
      try digest(loader(corpus)) { try $0.observe(feedback(2)) },
      try digest(loader(corpus)) {
        try $0.setMixture(Mixture(normalizing: [1, 2, 3]), reason: "manual, initial")
      },
      try digest(loader(corpus, policy: follower)),
      try digest(loader(corpus, policy: follower)) { try $0.observe(feedback(1)) },
      try digest(loader(corpus, policy: follower)) { try $0.observe(feedback(2)) },
      try digest(loader(corpus, policy: follower)) {
        try $0.observe(feedback(1))
        _ = try $0.next()
      },
      try digest(loader(corpus, policy: follower)) {
        try $0.observe(feedback(2))
        _ = try $0.next()
      },
    ]
    #expect(Set(digests).count == digests.count)
  }

  @Test func factsSayWhatIsOfTheRankAndWhatOfTheBatch() throws {
    let corpus = try corpus()
    let whole = try #require(try loader(corpus).next())
    var counts = [0, 0, 0]
    for rank in 0..<4 {
      let loader = try self.loader(corpus, rank: rank, worldSize: 4)
      #expect(loader.rows == rank * 6..<(rank + 1) * 6 && loader.batchRows == 24)
      let batch = try #require(try loader.next())
      #expect(batch.rowCount == 6 && batch.facts.globalRowCount == 24)
      #expect(batch.facts.rows == loader.rows)
      #expect(batch.rows() == Array(whole.rows()[batch.facts.rows]))
      for domain in 0..<3 {
        #expect(batch.facts.rowCount(ofDomain: domain) == whole.facts.rowCount(ofDomain: domain))
        #expect(
          batch.facts.localRowCount(ofDomain: domain)
            == batch.rows().count { $0.domain == domain })
        counts[domain] += batch.facts.localRowCount(ofDomain: domain)
      }
      #expect(try batch.checkpoint() == whole.checkpoint())
      var buffer = [Int32](repeating: 0, count: 6 * (Self.sequenceLength + 1))
      let again = try self.loader(corpus, rank: rank, worldSize: 4)
      let facts = try buffer.withUnsafeMutableBufferPointer { try again.next(into: $0) }
      #expect(facts?.rows == batch.facts.rows)
      #expect(batch.withTokens(as: Int32.self) { Array($0) } == buffer)
    }
    #expect(counts == (0..<3).map { whole.facts.rowCount(ofDomain: $0) })
    #expect((0..<3).map { whole.facts.localRowCount(ofDomain: $0) } == counts)
  }

  @Test func worldSizesThatDoNotDivideAreRefused() throws {
    let corpus = try corpus()
    for (rank, worldSize, field) in [
      (0, 0, "world size is 0"), (2, 2, "rank is 2"), (-1, 2, "rank is -1"), (0, 5, "5 ranks"),
      (0, -3, "world size is -3"),
    ] {
      let error = #expect(throws: LoadingError.self) {
        try loader(corpus, rank: rank, worldSize: worldSize)
      }
      #expect(error?.description.contains(field) == true, "\(error?.description ?? "")")
    }
    let grouping = BatchConfiguration.Grouping(microBatchRows: 4)
    #expect(throws: LoadingError.self) {
      try loader(corpus, rank: 0, worldSize: 4, grouping: grouping)
    }
    let third = try loader(corpus, rank: 1, worldSize: 3, grouping: grouping)
    let error = #expect(throws: LoadingError.self) { try third.setBatchRows(32) }
    #expect(error?.description.contains("3 ranks do not divide a batch of 32 rows") == true)
    #expect(try third.next()?.facts.rows == 8..<16)
    try third.setBatchRows(36)
    #expect(try third.next()?.facts.rows == 12..<24)
  }

  // The budget holds one pool, and a rank that never reads a domain never opens its shard.
  @Test func aRankReadsOnlyWhatItsRowsTouch() throws {
    let corpus = try SyntheticCorpus(
      [
        .init("code", shards: [tokensPerFrame + 9000]),
        .init("prose", shards: [tokensPerFrame + 9000]),
      ], content: .runs(300))
    let expected = ExpectedRows(
      corpus, sequenceLength: Self.sequenceLength, unitsPerPool: 1, seed: 17)
    // Of two rows with equal weights the first is always code, the second prose.
    try corpus.folder.remove(corpus.path(domain: 1, shard: 0))
    for threadCount in [0, 2] {
      let loader = try self.loader(corpus, rank: 0, worldSize: 2, rows: 2) {
        $0.threadCount = threadCount
      }
      for position in 0..<100 {
        #expect(
          try loader.next()?.rows() == [expected.row(domain: 0, position: position)])
      }
    }
  }

  @Test func aRankPassesByWholePools() throws {
    let corpus = try corpus()
    for threadCount in [0, 2] {
      // 20 to 50 rows of a domain lie between two of a rank's: pools have 16.
      let whole = try loader(corpus, rows: 96)
      let ranks = try [0, 47, 95].map { rank in
        try loader(corpus, rank: rank, worldSize: 96, rows: 96) {
          ($0.threadCount, $0.byteBudget) = (threadCount, 1 << 21)
        }
      }
      for _ in 0..<30 {
        let rows = try #require(try whole.next()).rows()
        #expect(try ranks.map { try $0.next()?.rows() } == [0, 47, 95].map { [rows[$0]] })
      }
    }
  }
}
