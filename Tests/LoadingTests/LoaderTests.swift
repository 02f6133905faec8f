// Covers: PoolCache.swift, PoolReader.swift, PoolSlot.swift, Monitor.swift,
// LoaderConfiguration.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// A stream of batches is a function of corpus, configuration, seed and mixtures, and of nothing
/// else.
@Suite(.timeLimit(.minutes(5)))
struct LoaderTests {
  private static let sequenceLength = 4096
  private static let batchCount = 40

  /// Which loader reads the stream; everything here must make no difference.
  private struct Reading {
    var threadCount = 0
    var byteBudget = 256 << 20
    var tokenType: TokenType = .int32
    var usesCallersBuffer = false
  }

  /// Mixtures that change at every step, zeros among them.
  private func mixture(step: Int) throws -> Mixture {
    try Mixture(normalizing: [Double(step % 3), Double((step + 1) % 4), step % 7 == 0 ? 2 : 0.01])
  }

  private func loader(
    _ corpus: SyntheticCorpus, _ reading: Reading = Reading(), rows: Int = 7, ledger: String? = nil,
    resumingFrom checkpoint: LoaderCheckpoint? = nil
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: .manual(.natural),
      batch: .init(
        rows: rows, sequenceLength: Self.sequenceLength, tokenType: reading.tokenType), seed: 17,
      options: options {
        $0.threadCount = reading.threadCount
        $0.byteBudget = reading.byteBudget
        $0.unitsPerPool = 2
        $0.epochCaps = ["data": 2]
        $0.ledgerPath = ledger
      }, resumingFrom: checkpoint)
  }

  /// The stream as that loader reads it.
  private func stream(
    _ loader: Loader, _ reading: Reading = Reading(), from first: Int = 1,
    through last: Int = batchCount
  ) throws -> [[Row]] {
    var batches: [[Row]] = []
    for step in first...last {
      try loader.setMixture(mixture(step: step), reason: "step \(step)")
      if reading.usesCallersBuffer {
        batches.append(try callersRows(loader))
      } else {
        batches.append(try #require(try loader.next()).rows(reading.tokenType))
      }
    }
    return batches
  }

  private func callersRows(_ loader: Loader) throws -> [Row] {
    let count = loader.batchRows * (Self.sequenceLength + 1)
    let buffer = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
    buffer.initialize(repeating: -1)
    defer { buffer.deallocate() }
    let facts = try #require(try loader.next(into: buffer))
    return facts.rows(UnsafeBufferPointer(buffer))
  }

  /// The stream as the definition has it, given the domains of its rows.
  private func expected(_ corpus: SyntheticCorpus, _ stream: [[Row]]) -> [[Row]] {
    let rows = ExpectedRows(
      corpus, sequenceLength: Self.sequenceLength, unitsPerPool: 2, seed: 17)
    var positions = [0, 0, 0]
    return stream.map { rows.rows(domains: $0.map(\.domain), positions: &positions) }
  }

  /// The least budget, as the error names it.
  private func leastBudget(_ corpus: SyntheticCorpus) throws -> Int {
    let error = #expect(throws: LoadingError.self) {
      try loader(corpus, Reading(byteBudget: 1))
    }
    guard case .byteBudget(1, let least) = error else { return 0 }
    #expect(throws: LoadingError.self) {
      try loader(corpus, Reading(byteBudget: least - 1))
    }
    return least
  }

  @Test(arguments: [0, 1, 2, 4]) func threadsMakeNoDifference(threadCount: Int) throws {
    let corpus = try variedCorpus()
    let reading = Reading(threadCount: threadCount)
    let batches = try stream(loader(corpus, reading), reading)
    #expect(batches == expected(corpus, batches))
    #expect(try batches == stream(loader(corpus)))
  }

  @Test func theByteBudgetMakesNoDifference() throws {
    let corpus = try variedCorpus()
    let least = try leastBudget(corpus)
    let ample = try stream(loader(corpus))
    // A pool of two units of 2^18 + 1 tokens is a little more than 1 MiB.
    for budget in [least, least + (1 << 20), least + (3 << 20), least + (5 << 20), 1 << 30] {
      for threadCount in [0, 1, 3] {
        let reading = Reading(threadCount: threadCount, byteBudget: budget)
        let isSame = try stream(loader(corpus, reading), reading) == ample
        #expect(isSame, "budget \(budget), \(threadCount) threads")
      }
    }
  }

  @Test func theCallersMemoryMakesNoDifference() throws {
    let corpus = try variedCorpus()
    let reading = Reading(threadCount: 1, usesCallersBuffer: true)
    #expect(try stream(loader(corpus, reading), reading) == stream(loader(corpus)))
  }

  @Test(arguments: TokenWidth.allCases) func tokenTypesHoldTheSameValues(width: TokenWidth) throws {
    let corpus = try variedCorpus(tokenWidth: width)
    let reference = try stream(loader(corpus))
    #expect(reference == expected(corpus, reference))
    for type in TokenType.allCases {
      let reading = Reading(tokenType: type)
      if type == .uint16, width == .uint32 {
        let error = #expect(throws: LoadingError.self) { try loader(corpus, reading) }
        #expect(error?.description.contains("uint16 batches cannot hold") == true)
      } else {
        #expect(try stream(loader(corpus, reading), reading) == reference, "\(type)")
      }
    }
  }

  @Test func aDomainsRowsAreThoseOfARunWithItAlone() throws {
    let corpus = try variedCorpus()
    let mixed = try Array(stream(loader(corpus)).joined())
    for domain in corpus.domains.indices {
      let alone = try SyntheticCorpus([corpus.domains[domain]])
      let own = mixed.filter { $0.domain == domain }
      let loader = try Loader(
        alone.open(), policy: .static(.natural),
        batch: .init(rows: own.count, sequenceLength: Self.sequenceLength), seed: 17,
        options: options { $0.unitsPerPool = 2 })
      let rows = try #require(try loader.next()).rows()
      #expect(rows.map(\.tokens) == own.map(\.tokens))
      #expect(rows.map(\.epoch) == own.map(\.epoch))
    }
  }

  @Test func everyStopAndResumeGoesOnWithTheSameStream() throws {
    let corpus = try variedCorpus()
    let whole = try stream(loader(corpus))
    let first = try loader(corpus)
    for cut in 1..<Self.batchCount {
      let reading = Reading(threadCount: [0, 2, 1, 4][cut % 4])
      try first.setMixture(mixture(step: cut), reason: "step \(cut)")
      let batch = try #require(try first.next())
      let bytes = try batch.checkpoint().encoded()
      let resumed = try loader(corpus, reading, resumingFrom: LoaderCheckpoint(bytes: bytes))
      #expect(resumed.step == cut)
      let rest = try stream(resumed, reading, from: cut + 1)
      #expect(rest == Array(whole[cut...]), "stopped after step \(cut)")
    }
  }

  @Test func resumedRunsHaveTheSameCheckpointsToTheLastByte() throws {
    let corpus = try variedCorpus()
    let uncut = try loader(corpus)
    _ = try stream(uncut, through: 20)
    let resumed = try loader(
      corpus, Reading(threadCount: 2), resumingFrom: uncut.next()?.checkpoint())
    for step in 22..<40 {
      for loader in [uncut, resumed] {
        try loader.setMixture(mixture(step: step), reason: "step \(step)")
      }
      let bytes = try uncut.next()?.checkpoint().encoded()
      #expect(try resumed.next()?.checkpoint().encoded() == bytes)
    }
  }

  // Rows are drawn one after another, so that the cut of the stream into batches does not show
  // under one mixture.
  @Test func theBatchSizeMayChangeAtAnyStepAndOnResume() throws {
    let corpus = try variedCorpus()
    let whole = try Array(loader(corpus, rows: 120).rows(batches: 1).joined())
    var loader = try loader(corpus, Reading(threadCount: 1), rows: 1)
    var rows: [Row] = []
    for size in [1, 5, 2, 30, 7, 1, 40, 13] {
      try loader.setBatchRows(size)
      let batch = try #require(try loader.next())
      #expect(batch.rowCount == size)
      rows += batch.rows()
      if size == 7 {
        loader = try self.loader(
          corpus, Reading(threadCount: 2), rows: 99, resumingFrom: batch.checkpoint())
      }
    }
    #expect(rows == Array(whole.prefix(rows.count)))
    for size in [0, -1, 1 << 25] {
      #expect(throws: LoadingError.self) { try loader.setBatchRows(size) }
    }
  }

  @Test func theAsynchronousSequenceIsTheSameStream() async throws {
    let corpus = try variedCorpus()
    let whole = try loader(corpus).rows(batches: 12)
    var batches: [[Row]] = []
    for try await batch in try loader(corpus, Reading(threadCount: 1)).batches {
      batches.append(batch.rows())
      if batches.count == 12 { break }
    }
    #expect(batches == whole)
  }

  @Test func theAsynchronousSequenceEndsWithTheDataAndThrowsItsErrors() async throws {
    let corpus = try SyntheticCorpus([.init("a", shards: [81])])
    func loader() throws -> Loader {
      try Loader(
        corpus.open(), policy: .static(.uniform), batch: .init(rows: 3, sequenceLength: 8),
        seed: 1, options: options { $0.epochCaps = ["a": 1] })
    }
    var count = 0
    for try await batch in try loader().batches { count += batch.rowCount }
    #expect(count == 9)

    let damaged = try loader()
    try corpus.folder.remove(corpus.path(domain: 0, shard: 0))
    await #expect(throws: LoadingError.self) {
      for try await _ in damaged.batches { Issue.record("a batch of a missing shard") }
    }
  }

  @Test func batchesThatAreKeptAreNotOverwritten() throws {
    let corpus = try variedCorpus()
    let loader = try loader(corpus, Reading(threadCount: 1))
    var kept: [(batch: Batch, rows: [Row])] = []
    for step in 1...60 {
      let batch = try #require(try loader.next())
      // Some are dropped at once, some after a while, some never.
      if step % 3 != 0 { kept.append((batch, batch.rows())) }
      if step % 5 == 0 { kept.remove(at: kept.count / 2) }
      #expect(kept.allSatisfy { $0.batch.rows() == $0.rows }, "step \(step)")
    }
    loader.close()
    #expect(kept.allSatisfy { $0.batch.rows() == $0.rows })
    #expect(kept.map { $0.batch.step }.count > 20)
  }

  @Test func aBatchLeftBehindByItsLoaderStaysValid() throws {
    let corpus = try variedCorpus()
    let batch = try #require(try loader(corpus, Reading(threadCount: 2)).next())
    let again = try #require(try loader(corpus).next())
    #expect(batch.rows() == again.rows())
    #expect(try batch.checkpoint() == again.checkpoint())
  }

  @Test func aBufferOfAnotherSizeIsRefusedAndTheStreamGoesOn() throws {
    let corpus = try variedCorpus()
    let loader = try loader(corpus)
    let buffer = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 100)
    defer { buffer.deallocate() }
    let error = #expect(throws: LoadingError.self) { try loader.next(into: buffer) }
    #expect(error?.description == "the buffer has 100 elements; the batch has \(7 * 4097).")
    #expect(try loader.next()?.step == 1)
  }

  @Test func twoLoadersOfOneCorpusDoNotDisturbEachOther() throws {
    let corpus = try variedCorpus()
    let whole = try stream(loader(corpus))
    let pair = try [loader(corpus, Reading(threadCount: 2)), loader(corpus)]
    for step in 1...Self.batchCount {
      for loader in pair {
        try loader.setMixture(mixture(step: step), reason: "step \(step)")
        #expect(try loader.next()?.rows() == whole[step - 1])
      }
    }
  }

  @Test func aConsumerThatStopsReadingLeavesNoThreadBehind() throws {
    let corpus = try variedCorpus()
    let before = threadCountOfProcess()
    for round in 0..<150 {
      let loader = try loader(corpus, Reading(threadCount: 1 + round % 4))
      for _ in 0..<round % 3 { _ = try loader.next() }
      if round % 2 == 0 { loader.close() }
    }
    // Refused in the middle of opening, with threads running.
    var checkpoint = try #require(try loader(corpus).next()).checkpoint()
    checkpoint.identity.seed = 1
    for _ in 0..<50 {
      #expect(throws: LoadingError.self) {
        try loader(corpus, Reading(threadCount: 4), resumingFrom: checkpoint)
      }
    }
    // Other tests run beside this one; 550 threads were started here.
    var left = threadCountOfProcess() - before
    for _ in 0..<2000 where left > 100 {
      sleepBriefly()
      left = threadCountOfProcess() - before
    }
    #expect(left <= 100)
  }
}
