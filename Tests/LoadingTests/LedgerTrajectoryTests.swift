import Corpora
import HeadraceTesting
import Loading
import Mixing
import RankProcess
import Testing

/// Replays of recorded runs: the same mixtures, the same batches.
@Suite(.timeLimit(.minutes(5)))
struct LedgerTrajectoryTests {
  private static let sequenceLength = 512

  private func corpus(_ names: [String] = ["code", "prose", "data"]) throws -> SyntheticCorpus {
    try SyntheticCorpus(names.map { .init($0, shards: [20_000 + 1000 * $0.utf8.count]) })
  }

  private func loader(
    _ corpus: SyntheticCorpus, _ recipe: PolicyRecipe, ledger: String? = nil,
    resumingFrom checkpoint: LoaderCheckpoint? = nil, stepCount: Int? = nil
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: recipe, batch: .init(rows: 6, sequenceLength: Self.sequenceLength),
      seed: 9,
      options: options {
        $0.ledgerPath = ledger
        $0.stepCount = stepCount
      }, resumingFrom: checkpoint)
  }

  /// A bandit's run over so many steps, recorded.
  private func record(_ corpus: SyntheticCorpus, steps: Int, to path: String) throws -> [[Row]] {
    let loader = try loader(corpus, .odm(.init(initial: .uniform)), ledger: path)
    var batches: [[Row]] = []
    for _ in 1...steps {
      let batch = try #require(try loader.next())
      batches.append(batch.rows())
      try loader.observe(.madeUp(step: batch.step, domainCount: 3))
    }
    loader.close()
    return batches
  }

  @Test func aReplayMakesTheBatchesOfTheRecordedRun() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    // More than two places of the index.
    let batches = try record(corpus, steps: 600, to: path)
    let recorded = try Ledger(at: path).lines.map(\.asked)
    #expect(Set(recorded).count > 300)
    let replay = try loader(corpus, .replay(ledgerAt: path), stepCount: 600)
    for (place, rows) in batches.enumerated() {
      let batch = try #require(try replay.next())
      #expect(batch.facts.asked.integerShares == recorded[place])
      #expect(batch.rows() == rows)
    }
    #expect(throws: LoadingError.self) { try replay.next() }
    // The folder that holds the ledger does as well.
    #expect(try LedgerTrajectory(at: corpus.folder.path).steps == 1...600)
    #expect(try LedgerTrajectory(at: corpus.folder.path + "/").source == path)
  }

  @Test func stepsAreFoundInAnyOrder() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try record(corpus, steps: 600, to: path)
    let recorded = try Ledger(at: path).lines.map(\.asked)
    let trajectory = try LedgerTrajectory(at: path)
    #expect(trajectory.steps == 1...600)
    var generator = TestGenerator(seed: 2)
    for _ in 0..<300 {
      let first = Int.random(in: 1...600, using: &generator)
      for step in first...min(600, first + Int.random(in: 0...2, using: &generator)) {
        let found = try trajectory.recorded(atStep: step)
        #expect(found.mixture.integerShares == recorded[step - 1])
        #expect(found.domainNames == ["code", "prose", "data"])
      }
    }
  }

  @Test func aReplayResumesAtAnyStep() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    let batches = try record(corpus, steps: 30, to: path)
    let whole = try loader(corpus, .replay(ledgerAt: path))
    var checkpoints = [try whole.checkpoint()]
    for _ in 1...29 {
      _ = try whole.next()
      checkpoints.append(try whole.checkpoint())
    }
    for (step, checkpoint) in checkpoints.enumerated() {
      let resumed = try loader(corpus, .replay(ledgerAt: path), resumingFrom: checkpoint)
      #expect(try #require(try resumed.next()).rows() == batches[step])
    }
  }

  @Test func domainsAreMatchedByName() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try record(corpus, steps: 5, to: path)
    let turned = try self.corpus(["data", "code", "prose"])
    let replay = try loader(turned, .replay(ledgerAt: path))
    let last = try #require(try Ledger(at: path).lines.last)
    for _ in 1...4 { _ = try replay.next() }
    let batch = try #require(try replay.next())
    let asked = last.asked
    #expect(batch.facts.asked.integerShares == [asked[2], asked[0], asked[1]])
    do {
      _ = try loader(try self.corpus(["data", "code"]), .replay(ledgerAt: path))
      Issue.record("nothing was thrown")
    } catch {
      #expect(
        "\(error)"
          == "\(path) was recorded over other domains: the corpus lacks 'prose'; replay it on the "
          + "corpus of its run")
    }
  }

  @Test func moreStepsThanWereRecordedAreRefusedBeforeTheRun() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try record(corpus, steps: 5, to: path)
    do {
      _ = try loader(corpus, .replay(ledgerAt: path), stepCount: 6)
      Issue.record("nothing was thrown")
    } catch {
      #expect("\(error)" == "\(path) does not have step 6; it has the steps 1 to 5")
    }
  }

  @Test func damageIsNamed() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try record(corpus, steps: 5, to: path)
    let whole = String(decoding: try corpus.folder.bytes(of: "ledger.jsonl"), as: UTF8.self)
    let lines = whole.split(separator: "\n").map(String.init)
    func refusal(_ lines: [String]) throws -> String {
      let text = lines.map { $0 + "\n" }.joined()
      try corpus.folder.write(Array(text.utf8), to: "bad.jsonl")
      let bad = corpus.folder.path + "/bad.jsonl"
      do {
        let trajectory = try LedgerTrajectory(at: bad)
        for step in trajectory.steps { _ = try trajectory.recorded(atStep: step) }
      } catch {
        return "\(error)"
      }
      return "nothing was thrown"
    }
    let bad = "the ledger \(corpus.folder.path)/bad.jsonl, line"
    #expect(try refusal([]).contains("there is no whole line of a step"))
    #expect(try refusal(Array(lines[..<1])).contains("there is no whole line of a step"))
    #expect(try refusal(Array(lines[1...])).contains("it comes before any header"))
    #expect(
      try refusal(Array(lines[...1] + lines[3...])).contains(
        "its step is 3, but 2 must follow"))
    var shares = lines
    shares[2] = lines[2].replacing("\"asked\":[", with: "\"asked\":[1")
    #expect(try refusal(shares).contains("line 3"), "\(bad)")
    var cut = lines
    cut[2] = String(lines[2].dropLast(9))
    #expect(try refusal(cut).contains("line 3"))
    // A torn last line is left out.
    try corpus.folder.write(Array(whole.utf8.dropLast(9)), to: "torn.jsonl")
    #expect(try LedgerTrajectory(at: corpus.folder.path + "/torn.jsonl").steps == 1...4)
    #expect(throws: LoadingError.self) { try LedgerTrajectory(at: "/nowhere/ledger.jsonl") }
  }

  @Test func aFileThatChangesUnderTheRunIsDamage() throws {
    let corpus = try corpus()
    let path = corpus.folder.path + "/ledger.jsonl"
    _ = try record(corpus, steps: 300, to: path)
    let trajectory = try LedgerTrajectory(at: path)
    _ = corpus.folder.patch(
      "ledger.jsonl", at: 40_000, with: [UInt8](repeating: UInt8(ascii: "x"), count: 5000))
    var isFound = false
    for step in 1...300 {
      do throws(MixingError) {
        _ = try trajectory.recorded(atStep: step)
      } catch {
        isFound = true
        #expect("\(error)".contains("cannot be replayed"))
      }
    }
    #expect(isFound)
  }

  @Test func isAskedForByName() throws {
    let registry = PolicyRegistry.complete
    #expect(registry.names == (PolicyRegistry.builtIn.names + ["replay"]).sorted())
    let recipe = try registry.recipe(named: "replay", options: ["ledger": "runs/a"])
    #expect(recipe.options == ["ledger": "runs/a"])
    #expect(throws: MixingError.self) { try registry.recipe(named: "replay") }
    let context = PolicyContext(domainNames: ["a"], sequenceCounts: [1])
    #expect(throws: MixingError.self) { try recipe.makePolicy(in: context) }
  }
}
