// Covers: QuarantinedFrames.swift
import Corpora
import Foundation
import HeadraceTesting
import Loading
import Mixing
import RankProcess
import Testing

/// Damaged frames that are skipped: nothing else is, and nothing twice.
@Suite(.timeLimit(.minutes(5)))
struct QuarantineTests {
  private static let sequenceLength = 1 << 14

  /// Two domains with full frames, and tails that share units.
  private func corpus() throws -> SyntheticCorpus {
    try SyntheticCorpus(
      [
        .init("code", shards: [2 * tokensPerFrame + 70_000, tokensPerFrame + 50_000, 90_000]),
        .init("prose", shards: [3 * tokensPerFrame + 40_000, 60_000]),
      ], content: .runs(300))
  }

  /// Flips a bit in the middle of some frames; returns them by domain and shard.
  private func damage(_ corpus: SyntheticCorpus, _ frames: [(Int, Int, Int)]) throws {
    let opened = try corpus.open()
    for (domain, shard, frame) in frames {
      let index = try opened.openShard(shard, of: .train, domainIndex: domain).index
      let entry = index.frames[frame]
      let name = corpus.path(domain: domain, shard: shard)
      let place = entry.byteOffset + entry.byteCount / 2
      let byte = try corpus.folder.bytes(of: name)[place]
      corpus.folder.patch(name, at: place, with: [byte ^ 4])
    }
  }

  private static let damaged = [(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0)]

  private func loader(
    _ corpus: SyntheticCorpus, rows: Int = 5, sequenceLength: Int = sequenceLength,
    resumingFrom checkpoint: LoaderCheckpoint? = nil, ledger: String? = nil,
    _ change: (inout LoaderOptions) -> Void = { $0.quarantine = .collect }
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: .manual(.uniform),
      batch: .init(
        rows: rows, sequenceLength: sequenceLength,
        grouping: rows == 6 ? .init(microBatchRows: 2) : nil), seed: 17,
      options: options {
        ($0.unitsPerPool, $0.ledgerPath) = (2, ledger)
        change(&$0)
      }, resumingFrom: checkpoint)
  }

  /// The places of an epoch, by brute force: those whose sequence has tokens in a damaged frame.
  private func badPlaces(
    _ expected: ExpectedRows, domain: Int, epoch: Int, _ frames: [(Int, Int, Int)]
  ) -> Set<Int> {
    let order = expected.orders[domain]
    let count = order.layout.sequenceCount
    return Set(
      (0..<count).filter { place in
        let (shard, token) = order.place(ofSequenceAt: epoch * count + place)
        let frame = token / tokensPerFrame
        return frames.contains { $0 == (domain, shard, frame) }
      })
  }

  // MARK: What is skipped

  @Test(arguments: [(0, 5), (2, 5), (0, 6), (1, 12)])
  func anEpochIsAllGoodSequencesOnce(threadCount: Int, rows: Int) throws {
    let corpus = try corpus()
    try damage(corpus, Self.damaged)
    let loader = try loader(corpus, rows: rows) {
      ($0.threadCount, $0.quarantine) = (threadCount, .collect)
    }
    let expected = ExpectedRows(
      corpus, sequenceLength: Self.sequenceLength, unitsPerPool: 2, seed: 17)
    var positions = [0, 0]
    let bad = (0..<2).map { domain in
      (0..<40).map { badPlaces(expected, domain: domain, epoch: $0, Self.damaged) }
    }
    for _ in 0..<60 {
      let batch = try #require(try loader.next())
      for row in batch.rows() {
        let count = expected.orders[row.domain].layout.sequenceCount
        while bad[row.domain][positions[row.domain] / count]
          .contains(positions[row.domain] % count)
        {
          positions[row.domain] += 1
        }
        #expect(row == expected.row(domain: row.domain, position: positions[row.domain]))
        positions[row.domain] += 1
      }
    }
    let checkpoint = try loader.checkpoint()
    #expect(checkpoint.positions == positions)
    #expect(checkpoint.rowCounts.reduce(0, +) == 60 * rows)
    #expect(checkpoint.rowCounts != positions)
    #expect(
      loader.quarantine.entries.map { [$0.domain, "\($0.shardIndex)", "\($0.frame ?? -1)"] } == [
        ["code", "0", "1"], ["code", "1", "1"], ["prose", "0", "0"], ["prose", "1", "0"],
      ])
  }

  @Test func whicheverFrameIsDamagedAnEpochIsTheRest() throws {
    let corpus = try corpus()
    let expected = ExpectedRows(
      corpus, sequenceLength: Self.sequenceLength, unitsPerPool: 2, seed: 17)
    let frames = [
      (0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 0, 1),
      (1, 0, 2), (1, 0, 3), (1, 1, 0),
    ]
    for (number, frame) in frames.enumerated() {
      let name = corpus.path(domain: frame.0, shard: frame.1)
      let bytes = try corpus.folder.bytes(of: name)
      try damage(corpus, [frame])
      let loader = try loader(corpus, rows: 1) {
        ($0.quarantine, $0.threadCount) = (.collect, number % 3)
        $0.epochCaps = ["code": 1, "prose": 1]
      }
      var rows: [Row] = []
      while let batch = try loader.next() { rows += batch.rows() }
      let good = (0..<2).flatMap { domain in
        let bad = badPlaces(expected, domain: domain, epoch: 0, [frame])
        return (0..<expected.orders[domain].layout.sequenceCount).filter { !bad.contains($0) }
          .map { expected.row(domain: domain, position: $0) }
      }
      #expect(rows.count == good.count && Set(rows) == Set(good), "\(frame)")
      #expect(loader.quarantine.entries.map(\.frame) == [frame.2])
      loader.close()
      try corpus.folder.write(bytes, to: name)
    }
  }

  @Test func verifyAndCollectingFindTheSameList() throws {
    let corpus = try corpus()
    try damage(corpus, Self.damaged)
    // A damaged index takes the whole shard out.
    let name = corpus.path(domain: 0, shard: 2)
    let size = try corpus.folder.bytes(of: name).count
    corpus.folder.patch(name, at: size - 60, with: [0x55, 0xAA])
    let loader = try loader(corpus)
    for _ in 0..<60 { _ = try loader.next() }
    let opened = try corpus.open()
    let found = Quarantine(try Verification(opened).run(), of: opened)
    #expect(found == loader.quarantine)
    #expect(found.entries.count == 5 && found.entries[2].frame == nil)

    // The list as a file, and a loader that has it from the beginning and collects nothing.
    let path = corpus.folder.path + "/quarantine.json"
    try found.write(to: path)
    #expect(try Quarantine(at: path) == found)
    let given = try self.loader(corpus) { $0.quarantined = found }
    let other = try self.loader(corpus) { ($0.quarantined, $0.threadCount) = (found, 2) }
    for _ in 0..<60 { #expect(try given.next()?.rows() == other.next()?.rows()) }
    #expect(given.quarantine == found)
  }

  @Test func capsCountGoodSequencesOnly() throws {
    let corpus = try corpus()
    try damage(corpus, Self.damaged)
    let list = try Quarantine(Verification(corpus.open()).run(), of: corpus.open())
    let expected = ExpectedRows(
      corpus, sequenceLength: Self.sequenceLength, unitsPerPool: 2, seed: 17)
    let loader = try loader(corpus, rows: 1) {
      $0.quarantined = list
      $0.epochCaps = ["code": 1, "prose": 2]
    }
    var rows: [Row] = []
    while let batch = try loader.next() { rows += batch.rows() }
    for (domain, epochs) in [(0, 1), (1, 2)] {
      let count = expected.orders[domain].layout.sequenceCount
      let good = (0..<epochs).reduce(0) {
        $0 + count - badPlaces(expected, domain: domain, epoch: $1, Self.damaged).count
      }
      let given = rows.filter { $0.domain == domain }
      #expect(given.count == good)
      for epoch in 0..<epochs {
        let once = given.filter { $0.epoch == epoch }
        #expect(Set(once).count == once.count)
      }
    }
  }

  // An epoch of prose is 16 sequences of a full frame, then 4 of the short one. All of these are
  // damaged, so that its cap is reached when the first of them is drawn, in place of which another
  // domain's row is given.
  @Test func theCreditOfADomainThatDamageExhaustsGoesToTheOthers() throws {
    let corpus = try SyntheticCorpus(
      [
        .init("code", shards: [3 * tokensPerFrame + 9]),
        .init("prose", shards: [tokensPerFrame + 70_000]),
        .init("data", shards: [2 * tokensPerFrame + 9]),
      ], content: .runs(300))
    try damage(corpus, [(1, 0, 1)])
    let path = corpus.folder.path + "/ledger.jsonl"
    let loader = try loader(corpus, rows: 1, ledger: path) {
      ($0.quarantine, $0.unitsPerPool, $0.epochCaps) = (.collect, 1, ["prose": 1])
    }
    try loader.setMixture(Mixture(weights: [0.5, 0.3, 0.2]), reason: "uneven")
    var before: LoaderCheckpoint?
    var batch: Batch?
    while loader.quarantine.isEmpty {
      before = try loader.checkpoint()
      batch = try loader.next()
    }
    let (last, first) = (try #require(before), try #require(batch))
    #expect(last.positions[1] == 16 && last.credits[1] != 0)
    // 0.5 and 0.2 of 0.7, the remainder to the lowest index.
    let small = Mixture.one * 2 / 7
    let shares = [Mixture.one - small, 0, small]
    #expect(zip(first.facts.effectiveShares, shares).allSatisfy { abs($0 - $1) <= 1 })
    var expected = try Apportionment(credits: last.credits)
    first.facts.asked.integerShares.withUnsafeBufferPointer { asked in
      first.facts.effectiveShares.withUnsafeBufferPointer { effective in
        [false, true, false].withUnsafeBufferPointer {
          expected.shareCredit(
            ofDomain: 1, asked: asked, effective: effective, isExhausted: $0)
        }
      }
    }
    for batch in try [first] + (0..<30).map({ _ in try #require(try loader.next()) }) {
      let domain = batch.facts.effectiveShares.withUnsafeBufferPointer {
        expected.nextDomain(shares: $0)
      }
      #expect(batch.facts.domainIndex(ofRow: 0) == domain)
      #expect(try batch.checkpoint().credits == expected.credits)
      #expect(expected.credits[1] == 0)
    }
    loader.close()
    let replayed = try StepReplay(ofStep: first.step, inLedgerAt: path).batch(from: corpus.open())
    #expect(replayed.rows(.int64) == first.rows())
  }

  // MARK: Resuming

  @Test func aRunThatCollectsIsResumedExactly() throws {
    let corpus = try corpus()
    try damage(corpus, Self.damaged)
    let path = corpus.folder.path + "/ledger.jsonl"
    let whole = try loader(corpus, ledger: path)
    var (rows, checkpoints): ([[Row]], [LoaderCheckpoint]) = ([], [try whole.checkpoint()])
    for _ in 0..<24 {
      let batch = try #require(try whole.next())
      rows.append(batch.rows())
      checkpoints.append(try batch.checkpoint())
    }
    let digest = try whole.digest()
    whole.close()
    let ledger = try corpus.folder.bytes(of: "ledger.jsonl")
    #expect(checkpoints.last?.quarantine.entries.count == 4)
    #expect(Set(checkpoints.map(\.quarantine.entries.count)).count > 2)
    for (step, checkpoint) in checkpoints.enumerated() {
      try corpus.folder.write(step == 0 ? [] : ledger, to: "ledger.jsonl")
      if step == 0 { try corpus.folder.remove("ledger.jsonl") }
      let resumed = try loader(
        corpus,
        resumingFrom: step == 0 ? nil : LoaderCheckpoint(bytes: checkpoint.encoded()),
        ledger: path
      ) {
        ($0.quarantine, $0.threadCount) = (.collect, step % 3)
        // Some hundred KiB: pools come and go.
        if step % 2 == 0 { $0.byteBudget = 2 << 20 }
      }
      for later in step..<24 { #expect(try resumed.next()?.rows() == rows[later], "\(step)") }
      #expect(try resumed.digest() == digest)
      resumed.close()
      #expect(try corpus.folder.bytes(of: "ledger.jsonl") == ledger, "from step \(step)")
    }
    let lines = try Ledger(at: path).lines
    #expect(lines.last?.quarantine == checkpoints.last?.quarantine)
    #expect(
      lines.map { $0.quarantine ?? Quarantine() } == checkpoints.dropFirst().map(\.quarantine))
  }

  // The short frames of three shards share the last unit of code, and of one of them the frame is
  // damaged: until a row meets it, rows of the other two are given out of that unit.
  @Test func everyLineOfARunThatCollectsIsReplayed() throws {
    let corpus = try corpus()
    try damage(corpus, [(0, 1, 1)])
    let path = corpus.folder.path + "/ledger.jsonl"
    let loader = try loader(corpus, rows: 1, ledger: path)
    let order = ExpectedRows(
      corpus, sequenceLength: Self.sequenceLength, unitsPerPool: 2, seed: 17
    ).orders[0]
    var rows: [[Row]] = []
    var besideDamage = 0
    for _ in 0..<100 {
      let batch = try #require(try loader.next())
      rows.append(batch.rows())
      guard batch.facts.domainIndex(ofRow: 0) == 0, loader.quarantine.isEmpty else { continue }
      let (unit, _) = order.sequence(at: batch.facts.position(ofRow: 0))
      if unit >= order.layout.frameUnitCount { besideDamage += 1 }
    }
    loader.close()
    #expect(besideDamage > 0 && loader.quarantine.entries.map(\.frame) == [1])
    let opened = try corpus.open()
    for (index, given) in rows.enumerated() {
      let batch = try StepReplay(ofStep: index + 1, inLedgerAt: path).batch(from: opened)
      #expect(batch.rows(.int64) == given, "step \(index + 1)")
    }
  }

  @Test func ranksWithAGivenListEqualOne() async throws {
    let corpus = try corpus()
    try damage(corpus, Self.damaged)
    let path = corpus.folder.path + "/quarantine.json"
    try Quarantine(Verification(corpus.open()).run(), of: corpus.open()).write(to: path)
    var script = RankScript(
      corpus: corpus.folder.path, rows: 12, sequenceLength: Self.sequenceLength, seed: 17,
      output: corpus.folder.path + "/rank")
    (script.quarantine, script.unitsPerPool) = (path, 2)
    script.epochCaps = ["prose": 1.5]
    script.actions = Array(repeating: [.next, .digest], count: 14).flatMap { $0 }
    let whole = try await run(script, ranks: 1)[0]
    #expect(whole.rows.count == 14 * 12)
    for worldSize in [2, 4, 12] {
      let ranks = try await run(script, ranks: worldSize)
      #expect(union(ranks) == whole.rows)
      for output in ranks { #expect(output.digests == whole.digests) }
    }
  }

  // MARK: Refusals

  @Test func damageIsThrownUnlessItIsCollected() throws {
    let corpus = try corpus()
    let clean = try loader(corpus) { _ in }
    let digest = try clean.digest()
    #expect(try loader(corpus).digest() != digest)
    try damage(corpus, [(1, 1, 0)])
    let error = #expect(throws: LoadingError.self) {
      let loader = try loader(corpus) { _ in }
      for _ in 0..<60 { _ = try loader.next() }
    }
    #expect(error?.description.contains("frame 0 at byte") == true)
    let several = #expect(throws: LoadingError.self) {
      try loader(corpus, rows: 4) { ($0.quarantine, $0.worldSize) = (.collect, 2) }
    }
    #expect(several?.description.contains("headrace verify CORPUS --quarantine") == true)
  }

  @Test func whatMayPassIsNeverCollected() throws {
    let corpus = try corpus()
    let name = corpus.path(domain: 1, shard: 1)
    let bytes = try corpus.folder.bytes(of: name)
    try corpus.folder.remove(name)
    let loader = try loader(corpus)
    var failures = 0
    for _ in 0..<40 {
      do { _ = try loader.next() } catch { failures += 1 }
    }
    #expect(failures > 0 && loader.quarantine.isEmpty)
    try corpus.folder.write(bytes, to: name)
    let expected = ExpectedRows(
      corpus, sequenceLength: Self.sequenceLength, unitsPerPool: 2, seed: 17)
    var positions = try loader.checkpoint().positions
    for _ in 0..<20 {
      let rows = try #require(try loader.next()).rows()
      #expect(rows == expected.rows(domains: rows.map(\.domain), positions: &positions))
    }
  }

  @Test func aDomainWithNothingLeftIsNamed() throws {
    let corpus = try SyntheticCorpus(
      [.init("code", shards: [90_000]), .init("prose", shards: [90_000])], content: .runs(300))
    try damage(corpus, [(1, 0, 0)])
    let loader = try loader(corpus)
    let error = #expect(throws: LoadingError.self) { try loader.next() }
    #expect(error?.description.contains("all of domain prose is in quarantine") == true)
    let list = try Quarantine(Verification(corpus.open()).run(), of: corpus.open())
    #expect(throws: LoadingError.self) { try self.loader(corpus) { $0.quarantined = list } }
  }

  @Test func listsOfAnotherCorpusAndHostileListsAreRefused() throws {
    let corpus = try corpus()
    try damage(corpus, Self.damaged)
    let path = corpus.folder.path + "/quarantine.json"
    try Quarantine(Verification(corpus.open()).run(), of: corpus.open()).write(to: path)
    let text = String(decoding: try corpus.folder.bytes(of: "quarantine.json"), as: UTF8.self)
    func refusal(_ old: String, _ new: String) throws -> String {
      #expect(text.contains(old), "\(old)")
      let bytes = Array(text.replacingOccurrences(of: old, with: new).utf8)
      try corpus.folder.write(bytes, to: "quarantine.json")
      let error = #expect(throws: LoadingError.self, "\(new)") {
        let list = try Quarantine(at: path)
        _ = try loader(corpus) { $0.quarantined = list }
      }
      return error?.description ?? ""
    }
    let fingerprint = try corpus.open().domains[0].fingerprint
    #expect(
      try refusal(fingerprint, "0123456789abcdef").contains("fingerprint is 0123456789abcdef"))
    #expect(try refusal("\"domain\" : \"code\"", "\"domain\" : \"cobe\"").contains("cobe"))
    for (old, new) in [
      ("\"shard_index\" : 1", "\"shard_index\" : 9"), ("\"frame\" : 1", "\"frame\" : 7"),
      ("\"frame\" : 1", "\"frame\" : -1"), ("\"shard_index\" : 1", "\"shard_index\" : -1"),
      ("\"version\" : 1", "\"version\" : 2"), ("headrace-quarantine", "headrace-run"),
      ("train-0", "train-1"), ("\"domain\" : \"code\"", "\"domain\" : \"prose\""), ("{", "["),
    ] { #expect(try !refusal(old, new).isEmpty) }
    try corpus.folder.write([], to: "quarantine.json")
    #expect(throws: LoadingError.self) { try Quarantine(at: path) }
  }

  // A sequence of two frames is bad if either is.
  @Test func aUnitOfSeveralFramesGoesAsAWhole() throws {
    let frame = tokensPerFrame
    let corpus = try SyntheticCorpus(
      [.init("code", shards: [7 * frame + 9]), .init("prose", shards: [4 * frame + 9])],
      content: .runs(300))
    // Units of code: frames 0–1, 2–3, 4–5; frame 6 belongs to none.
    try damage(corpus, [(0, 0, 3), (0, 0, 6)])
    let loader = try loader(corpus, rows: 1, sequenceLength: 2 * frame) {
      ($0.quarantine, $0.epochCaps) = (.collect, ["code": 1, "prose": 1])
    }
    var tokens: [[UInt32]] = []
    while let batch = try loader.next() {
      tokens += batch.rows().filter { $0.domain == 0 }.map(\.tokens)
    }
    let all = corpus.tokens(ofDomain: 0)[0]
    let good = [0, 2].map { Array(all[2 * $0 * frame...(2 * $0 + 2) * frame]) }
    #expect(Set(tokens) == Set(good) && tokens.count == 2)
    #expect(loader.quarantine.entries.map(\.frame) == [3])
  }
}
