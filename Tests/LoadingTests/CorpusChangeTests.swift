import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Runs that go on over a changed corpus.
@Suite(.timeLimit(.minutes(5)))
struct CorpusChangeTests {
  private static let sequenceLength = 512
  private static let code = SyntheticCorpus.Domain("code", shards: [tokensPerFrame + 5000])
  private static let prose = SyntheticCorpus.Domain("prose", shards: [9000, 30_000])
  private static let data = SyntheticCorpus.Domain("data", shards: [6000])
  private static let notes = SyntheticCorpus.Domain("notes", shards: [20_000])
  private static let packedAgain = SyntheticCorpus.Domain("prose", shards: [9000, 30_000, 7000])

  private func loader(
    _ corpus: SyntheticCorpus, policy: PolicyRecipe = .manual(.uniform), seed: UInt64 = 17,
    rule: CorpusChangeRule = .carryOver, ledger: String? = nil,
    resumingFrom checkpoint: LoaderCheckpoint? = nil,
    _ change: (inout LoaderOptions) -> Void = { _ in }
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: policy,
      batch: .init(rows: 7, sequenceLength: Self.sequenceLength), seed: seed,
      options: options {
        ($0.corpusChange, $0.ledgerPath) = (rule, ledger)
        change(&$0)
      }, resumingFrom: checkpoint)
  }

  /// A run of some steps under uneven weights, so that every domain is owed something.
  private func checkpoint(
    _ corpus: SyntheticCorpus, steps: Int = 9, ledger: String? = nil
  ) throws -> LoaderCheckpoint {
    let loader = try loader(corpus, ledger: ledger)
    try loader.setMixture(
      Mixture(normalizing: (0..<corpus.domains.count).map { 1 / Double($0 + 3) }), reason: "uneven")
    for _ in 0..<steps { _ = try loader.next() }
    return try loader.checkpoint()
  }

  @Test func aChangeIsRefusedWithTheNameOfEveryDomain() throws {
    let old = try SyntheticCorpus([Self.code, Self.prose, Self.data])
    let new = try SyntheticCorpus([Self.notes, Self.code, Self.packedAgain])
    let checkpoint = try checkpoint(old)
    let error = #expect(throws: LoadingError.self) {
      try loader(new, rule: .refuse, resumingFrom: checkpoint)
    }
    let text = error?.description ?? ""
    #expect(text.contains("added: notes; removed: data; re-packed or changed: prose."), "\(text)")
    let turned = try SyntheticCorpus([Self.prose, Self.code, Self.data])
    #expect(throws: LoadingError.self) {
      try loader(turned, rule: .refuse, resumingFrom: checkpoint)
    }
    // What is no change of the corpus stays refused.
    #expect(throws: LoadingError.self) { try loader(new, seed: 18, resumingFrom: checkpoint) }
    #expect(throws: LoadingError.self) {
      try loader(new, resumingFrom: checkpoint) { $0.unitsPerPool = 3 }
    }
    let capped = #expect(throws: LoadingError.self) {
      try loader(new, resumingFrom: checkpoint) { $0.epochCaps = ["code": 2] }
    }
    #expect(capped?.description.contains("epoch cap of domain code") == true)
  }

  @Test func unchangedDomainsKeepTheirPlaceAndOthersBegin() throws {
    let old = try SyntheticCorpus([Self.code, Self.prose, Self.data])
    let new = try SyntheticCorpus([Self.notes, Self.code, Self.packedAgain])
    let before = try checkpoint(old)
    let loader = try loader(new, resumingFrom: before)
    let after = try loader.checkpoint()
    #expect(after.positions == [0, before.positions[0], 0])
    #expect(after.rowCounts == after.positions)
    #expect(after.step == before.step && after.rowTotal == before.rowTotal)
    #expect(
      after.departed.map { "\($0.name) \($0.rowCount)" }
        == ["prose \(before.positions[1])", "data \(before.positions[2])"])
    #expect(after.departed[0].fingerprint == before.identity.domains[1].fingerprint)
    // What `data` was owed went to the three others in equal parts, since the policy begins anew
    // with a uniform mixture; the rounded rest to the first.
    let third = before.credits[2] >= 0 ? before.credits[2] / 3 : (before.credits[2] - 2) / 3
    #expect(before.credits[2] != 0)
    #expect(after.credits[1] == before.credits[0] + third)
    #expect(after.credits[2] == before.credits[1] + third)
    #expect(after.credits.reduce(0, +) == 0)
    #expect(loader.mixture == .uniform(domainCount: 3))

    let expected = ExpectedRows(new, sequenceLength: Self.sequenceLength, seed: 17)
    var positions = after.positions
    for _ in 0..<40 {
      let rows = try #require(try loader.next()).rows()
      #expect(rows == expected.rows(domains: rows.map(\.domain), positions: &positions))
    }
    let later = try loader.checkpoint()
    #expect(try LoaderCheckpoint(bytes: later.encoded()) == later)
    #expect(later.rowTotal == 49 * 7 && later.departed == after.departed)

    // Back to the old corpus: what returns begins anew, too, and what left is summed up.
    let again = try self.loader(old, resumingFrom: later).checkpoint()
    #expect(again.positions == [later.positions[1], 0, 0])
    #expect(Set(again.departed.map(\.name)) == ["prose", "data", "notes"])
    #expect(again.departed.count == 4)
    #expect(try LoaderCheckpoint(bytes: again.encoded()) == again)
  }

  @Test func thePolicyGoesOnWhereTheNamesAreTheSame() throws {
    let old = try SyntheticCorpus([Self.code, Self.prose])
    let before = try checkpoint(old)
    let changed = try loader(
      SyntheticCorpus([Self.code, Self.packedAgain]), resumingFrom: before)
    #expect(try changed.checkpoint().policy == before.policy)
    #expect(changed.mixture.integerShares != Mixture.uniform(domainCount: 2).integerShares)
    let turned = try loader(SyntheticCorpus([Self.prose, Self.code]), resumingFrom: before)
    #expect(turned.mixture == .uniform(domainCount: 2))
    #expect(try turned.checkpoint().positions == before.positions.reversed())
    #expect(try turned.checkpoint().credits == before.credits.reversed())
    #expect(try turned.checkpoint().departed.isEmpty)
  }

  @Test func creditsSumToZeroWhateverLeaves() throws {
    let all = (0..<9).map { SyntheticCorpus.Domain("d\($0)", shards: [3000 + 600 * $0]) }
    let old = try SyntheticCorpus(all)
    for mask in 1..<60 {
      let before = try checkpoint(old, steps: 1 + mask % 7)
      let left = all.enumerated().filter { (mask * 9 >> $0.offset) & 1 == 1 }.map(\.element)
      let new = try SyntheticCorpus(left + [Self.notes])
      let loader = try loader(new, resumingFrom: before)
      let after = try loader.checkpoint()
      #expect(after.credits.reduce(0, +) == 0)
      #expect(try LoaderCheckpoint(bytes: after.encoded()) == after)
      #expect(try loader.next()?.step == before.step + 1)
    }
  }

  // MARK: The ledger

  @Test func theLedgerSaysWhatChangedAndGoesOn() throws {
    let old = try SyntheticCorpus([Self.code, Self.prose, Self.data])
    let new = try SyntheticCorpus([Self.notes, Self.code, Self.packedAgain])
    let path = new.folder.path + "/ledger.jsonl"
    let before = try checkpoint(old, ledger: path)
    let first = try new.folder.bytes(of: "ledger.jsonl")
    #expect(before.ledgerByteCount == first.count)

    // A rank that does not write counts the same bytes.
    let other = try loader(new, ledger: path, resumingFrom: before)
    let silent = try Loader(
      new.open(), policy: .manual(.uniform), batch: .init(rows: 7, sequenceLength: 512), seed: 17,
      options: options {
        ($0.rank, $0.worldSize, $0.corpusChange) = (6, 7, .carryOver)
        $0.ledgerPath = "/no/such/file"
      }, resumingFrom: before)
    #expect(try silent.checkpoint() == other.checkpoint())
    for _ in 0..<20 { _ = try (other.next(), silent.next()) }
    #expect(try silent.digest() == other.digest())
    other.close()
    let whole = try new.folder.bytes(of: "ledger.jsonl")
    #expect(whole.starts(with: first))

    let ledger = try Ledger(at: path)
    #expect(ledger.lines.map(\.step) == Array(1...29))
    #expect(ledger.sections.map(\.lines.count) == [9, 20])
    #expect(ledger.sections[0].header.identity == before.identity)
    #expect(ledger.header.identity == other.identity && ledger.header.resumedAfterStep == 9)
    let change = try #require(ledger.header.corpusChange)
    #expect(change.added == ["notes"] && change.removed == ["data"])
    #expect(change.repacked == ["prose"] && change.changesNames)

    // Every cut after the change gives the same file, also one from before it.
    let again = try loader(new, ledger: path, resumingFrom: before)
    #expect(try new.folder.bytes(of: "ledger.jsonl").count < whole.count)
    for _ in 0..<20 {
      let checkpoint = try #require(try again.next()).checkpoint()
      again.synchronizeForTest()
      let copy = try new.folder.bytes(of: "ledger.jsonl")
      #expect(checkpoint.ledgerHeaderByteOffset == first.count)
      let resumed = try loader(
        new, rule: .refuse, ledger: path,
        resumingFrom: LoaderCheckpoint(bytes: checkpoint.encoded()))
      while resumed.step < 29 { _ = try resumed.next() }
      resumed.close()
      #expect(try new.folder.bytes(of: "ledger.jsonl") == whole, "step \(checkpoint.step)")
      try new.folder.write(copy, to: "ledger.jsonl")
    }
  }

  @Test func aHeaderThatDoesNotFollowIsDamage() throws {
    let old = try SyntheticCorpus([Self.code, Self.prose])
    let new = try SyntheticCorpus([Self.code, Self.notes])
    let path = new.folder.path + "/ledger.jsonl"
    let before = try checkpoint(old, ledger: path)
    let loader = try loader(new, ledger: path, resumingFrom: before)
    _ = try loader.next()
    let after = try loader.checkpoint()
    loader.close()
    let text = String(decoding: try new.folder.bytes(of: "ledger.jsonl"), as: UTF8.self)
    #expect(try Ledger(at: path).lines.count == 10)
    for (good, bad) in [
      ("\"added\":[\"notes\"]", "\"added\":[\"prose\"]"),
      ("\"resumed_after_step\":9", "\"resumed_after_step\":8"),
      ("\"removed\":[\"prose\"]", "\"removed\":[]"), ("\"changes_names\":true", "\"x\":true"),
      ("\"step\":10,", "\"step\":11,"),
    ] {
      #expect(text.contains(good))
      let parts = text.split(separator: good, omittingEmptySubsequences: false)
      try new.folder.write(Array(parts.joined(separator: bad).utf8), to: "ledger.jsonl")
      let error = #expect(throws: LoadingError.self, "\(bad)") { try Ledger(at: path) }
      #expect(error?.description.contains("of the ledger \(path)") == true)
    }
    // A checkpoint whose header lies elsewhere, or is another.
    try new.folder.write(Array(text.utf8), to: "ledger.jsonl")
    for byteOffset in [0, 5, after.ledgerHeaderByteOffset - 1, after.ledgerHeaderByteOffset + 1] {
      var wrong = after
      wrong.ledgerHeaderByteOffset = byteOffset
      #expect(throws: LoadingError.self, "\(byteOffset)") {
        try self.loader(new, ledger: path, resumingFrom: wrong)
      }
    }
    _ = try self.loader(new, ledger: path, resumingFrom: after)
  }

  @Test func aLedgerThatBeginsInTheMiddleOfARunSaysSo() throws {
    let old = try SyntheticCorpus([Self.code, Self.prose])
    let path = old.folder.path + "/ledger.jsonl"
    let loader = try loader(old, ledger: path, resumingFrom: checkpoint(old))
    for _ in 0..<3 { _ = try loader.next() }
    loader.close()
    let ledger = try Ledger(at: path)
    #expect(ledger.header.resumedAfterStep == 9 && ledger.header.corpusChange == nil)
    #expect(ledger.lines.map(\.step) == [10, 11, 12])
  }
}

extension Loader {
  fileprivate func synchronizeForTest() { try? synchronizeLedger() }
}
