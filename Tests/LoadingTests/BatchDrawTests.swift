import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Which domain each row comes from, in whole runs of a loader.
@Suite(.timeLimit(.minutes(5)))
struct BatchDrawTests {
  private static let sequenceLength = 16

  /// A corpus whose domains have so many sequences, and the loader that reads it.
  private func loader(
    sequenceCounts: [Int], rows: Int, seed: UInt64, grouping: BatchConfiguration.Grouping? = nil,
    draw: DrawRule = .credits, caps: [Double?]? = nil, resumingFrom: LoaderCheckpoint? = nil,
    in corpus: SyntheticCorpus? = nil
  ) throws -> Loader {
    let corpus = try corpus ?? Self.corpus(sequenceCounts)
    return try Loader(
      corpus.open(), policy: .manual(.uniform),
      batch: .init(rows: rows, sequenceLength: Self.sequenceLength, grouping: grouping),
      seed: seed,
      options: options {
        $0.draw = draw
        for (index, cap) in (caps ?? []).enumerated() { $0.epochCaps["domain-\(index)"] = cap }
      }, resumingFrom: resumingFrom)
  }

  private static func corpus(_ sequenceCounts: [Int]) throws -> SyntheticCorpus {
    try SyntheticCorpus(
      sequenceCounts.enumerated().map {
        .init("domain-\($0.offset)", shards: [$0.element * sequenceLength + 1])
      })
  }

  @Test func runsAreThoseOfTheReference() throws {
    for run in try OrderFixture.read().draws {
      let grouping = run.micro_batch.map {
        BatchConfiguration.Grouping(microBatchRows: $0, everyDomain: run.minimum_one)
      }
      let corpus = try Self.corpus(run.sequence_counts)
      let seed = run.multinomial_seed.map(word) ?? 17
      let loader = try loader(
        sequenceCounts: run.sequence_counts, rows: run.rows, seed: seed, grouping: grouping,
        draw: run.multinomial_seed == nil ? .credits : .multinomial, caps: run.caps_in_epochs,
        in: corpus)
      let expected = ExpectedRows(corpus, sequenceLength: Self.sequenceLength, seed: seed)
      var positions = run.sequence_counts.map { _ in 0 }
      for (number, vector) in run.batches.enumerated() {
        let place = "\(run.note): batch \(number)"
        if let weights = vector?.weights {
          try loader.setMixture(Mixture(normalizing: weights), reason: "vector \(number)")
        }
        let batch = try loader.next()
        guard let batch, let vector else {
          #expect(batch == nil && vector == nil, "\(place)")
          #expect(try loader.next() == nil, "\(place), again")
          continue
        }
        let rows = batch.rows()
        #expect(rows.map(\.domain) == vector.domains, "\(place)")
        #expect(rows == expected.rows(domains: vector.domains, positions: &positions), "\(place)")
        #expect(batch.facts.effectiveShares == vector.effective, "\(place)")
        let checkpoint = try batch.checkpoint()
        #expect(checkpoint.credits == vector.credits, "\(place)")
        #expect(checkpoint.positions == vector.positions, "\(place)")
      }
    }
  }

  @Test func multinomialDrawsAreThoseOfTheReference() throws {
    for vector in try OrderFixture.read().multinomial {
      let corpus = try Self.corpus(vector.shares.map { _ in 3 })
      let loader = try loader(
        sequenceCounts: [], rows: vector.count, seed: word(vector.seed), draw: .multinomial,
        in: corpus)
      try loader.setMixture(Mixture(integerShares: vector.shares), reason: "vector")
      let batch = try #require(try loader.next())
      let domains = (0..<batch.rowCount).map { batch.facts.domainIndex(ofRow: $0) }
      #expect(Array(domains.prefix(vector.head.count)) == vector.head)
      #expect(OrderFixture.digest(domains) == vector.digest)
      for far in vector.far {
        var checkpoint = try batch.checkpoint()
        checkpoint.drawCount = far.draw
        let resumed = try self.loader(
          sequenceCounts: [], rows: 1, seed: word(vector.seed), draw: .multinomial,
          resumingFrom: checkpoint, in: corpus)
        #expect(try resumed.next()?.facts.domainIndex(ofRow: 0) == far.domain)
      }
    }
  }

  // Domain 0 has 3 sequences and a cap of 1 epoch, domain 1 has 4 and a cap of 2: 11 rows in all.
  // Batches of 4: two whole ones, and 3 rows that are never given.
  @Test func theEndIsAfterTheLastWholeBatch() throws {
    let corpus = try Self.corpus([3, 4])
    let caps: [Double?] = [1, 2]
    let loader = try loader(
      sequenceCounts: [], rows: 4, seed: 1, caps: caps, in: corpus)
    _ = try loader.next()
    let last = try #require(try loader.next())
    let checkpoint = try last.checkpoint()
    for _ in 0..<3 { #expect(try loader.next() == nil) }
    #expect(loader.step == 2)

    let resumed = try self.loader(
      sequenceCounts: [], rows: 4, seed: 1, caps: caps, resumingFrom: checkpoint, in: corpus)
    #expect(try resumed.next() == nil)
    // A smaller batch takes what is left; then nothing is.
    try resumed.setBatchRows(3)
    let rest = try #require(try resumed.next())
    #expect(try rest.checkpoint().positions == [3, 8])
    #expect(try resumed.next() == nil)
    try resumed.setBatchRows(1)
    #expect(try resumed.next() == nil)
  }

  // 1.5 epochs of 3 sequences are 4 rows, .5 epochs of 5 are 2: 6 in all.
  @Test func capsNeedNotBeWholeEpochs() throws {
    let loader = try loader(sequenceCounts: [3, 5], rows: 1, seed: 1, caps: [1.5, 0.5])
    let rows = try loader.rows(batches: 100).joined()
    #expect(rows.filter { $0.domain == 0 }.map(\.epoch) == [0, 0, 0, 1])
    #expect(rows.filter { $0.domain == 1 }.map(\.epoch) == [0, 0])
  }

  // The asked mixture is all on domain 0, which has 2 sequences and ends; domains 1 and 2 have 4
  // and 12 left, so the row after it is drawn by 1/4 and 3/4.
  @Test func withoutAskedWeightTheRestIsSharedBySequencesLeft() throws {
    let loader = try loader(sequenceCounts: [2, 4, 12], rows: 2, seed: 1, caps: [1, 1, 1])
    try loader.setMixture(Mixture(weights: [1, 0, 0]), reason: "all on one")
    let first = try #require(try loader.next())
    #expect(first.facts.effectiveShares == [Mixture.one, 0, 0])
    let second = try #require(try loader.next())
    #expect(second.facts.asked.integerShares == [Mixture.one, 0, 0])
    #expect(second.facts.effectiveShares == [0, Mixture.one / 4, Mixture.one / 4 * 3])
    let rows = try loader.rows(batches: 100).joined()
    #expect(rows.count == 14)
  }

  @Test func aBatchTooSmallForEveryDomainNamesTheRightSize() throws {
    let loader = try loader(
      sequenceCounts: [9, 9, 9], rows: 6, seed: 1,
      grouping: .init(microBatchRows: 2, everyDomain: true))
    _ = try loader.next()
    let error = #expect(throws: LoadingError.self) { try loader.setBatchRows(4) }
    #expect(error?.description.contains("Take 6 rows") == true)
    #expect(loader.batchRows == 6)
    let odd = #expect(throws: LoadingError.self) { try loader.setBatchRows(7) }
    #expect(odd?.description.contains("Take 8 rows") == true)
    #expect(try loader.next()?.step == 2)
  }

  // Σ (drawn − asked) over changing mixtures stays within C4's bounds, in a run of the loader.
  @Test func sharesAreExactUnderMixturesThatChangeAtEveryStep() throws {
    let loader = try loader(sequenceCounts: [5, 7, 11, 2], rows: 3, seed: 1)
    var asked = [Double](repeating: 0, count: 4)
    var drawn = asked
    // −(H_4 − 1) = −(1/2 + 1/3 + 1/4), and 1 − 1/4.
    let bounds = -(1.0 / 2 + 1.0 / 3 + 1.0 / 4)...0.75
    for step in 1...300 {
      let weights = (0..<4).map { Double((step * ($0 + 3)) % 17 + 1) }
      try loader.setMixture(Mixture(normalizing: weights), reason: "step \(step)")
      let batch = try #require(try loader.next())
      #expect(batch.facts.reason == "step \(step)")
      for domain in 0..<4 {
        asked[domain] += 3 * batch.facts.asked.weight(ofDomain: domain)
        drawn[domain] += Double(batch.facts.rowCount(ofDomain: domain))
        // 1e-9: the sums of 300 Doubles round by less.
        let stray = drawn[domain] - asked[domain]
        #expect(stray > bounds.lowerBound - 1e-9 && stray < bounds.upperBound + 1e-9)
      }
    }
  }
}
