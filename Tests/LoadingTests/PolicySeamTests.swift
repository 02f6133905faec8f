import Corpora
import Foundation
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Gives all weight to domain 0 until `tokens`, then to domain 1; up to step `lastStep`.
private struct SwitchingPolicy: MixturePolicy {
  struct Checkpoint: Codable, Sendable, Equatable { var seen: [Double]? }

  static let name = "switching"
  var tokens = 1000
  var lastStep = Int.max
  /// The shares that the last feedback was said to be drawn by.
  var seen: [Double]?
  private(set) var mixture = Mixture.uniform(domainCount: 2)
  private(set) var reason = "not prepared"

  let followsSteps = true
  let feedbackNeeds = FeedbackNeeds(losses: true)
  var rewards: [Double]? { seen }
  var checkpoint: Checkpoint { Checkpoint(seen: seen) }

  mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {
    guard upcoming.step <= lastStep else { throw .plannedStepsUnknown(policy: "switching") }
    mixture = try Mixture(weights: upcoming.tokenTotal < tokens ? [0.75, 0.25] : [0.25, 0.75])
    reason = "prepared for step \(upcoming.step)"
  }

  mutating func observe(_ feedback: Feedback) { seen = feedback.shares }

  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) { seen = checkpoint.seen }
}

/// What the loader tells a policy, and records of it.
@Suite(.timeLimit(.minutes(5)))
struct PolicySeamTests {
  private let corpus: SyntheticCorpus

  init() throws {
    corpus = try SyntheticCorpus([.init("a", shards: [9000]), .init("b", shards: [9000])])
  }

  private func loader(
    _ policy: SwitchingPolicy = SwitchingPolicy(), resumingFrom checkpoint: LoaderCheckpoint? = nil,
    _ change: (inout LoaderOptions) -> Void = { _ in }
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: .custom(policy), batch: .init(rows: 4, sequenceLength: 64), seed: 1,
      options: options(change), resumingFrom: checkpoint)
  }

  @Test func `a policy that follows the steps is told of each before it is drawn`() throws {
    let loader = try loader()
    // 256 target tokens a step: the fifth begins behind 1024.
    let counts = try (1...8).map { step in
      let batch = try #require(try loader.next())
      #expect(batch.facts.reason == "prepared for step \(step)")
      return batch.facts.rowCount(ofDomain: 0)
    }
    #expect(counts == [3, 3, 3, 3, 1, 1, 1, 1])
  }

  @Test func `it goes on from any checkpoint as if it had not been stopped`() throws {
    let whole = try loader()
    var batches: [(rows: [Row], checkpoint: LoaderCheckpoint)] = []
    for _ in 0..<8 {
      let batch = try #require(try whole.next())
      batches.append((batch.rows(), try batch.checkpoint()))
    }
    for cut in 0..<7 {
      let resumed = try loader(resumingFrom: batches[cut].checkpoint)
      for later in batches[(cut + 1)...] {
        let batch = try #require(try resumed.next())
        #expect(batch.rows() == later.rows)
        #expect(try batch.checkpoint() == later.checkpoint)
      }
    }
  }

  @Test func `a step that the policy has no mixture for is an error that can be met again`() throws
  {
    let loader = try loader(SwitchingPolicy(lastStep: 2))
    for _ in 0..<2 { _ = try loader.next() }
    for _ in 0..<2 {
      let error = #expect(throws: LoadingError.self) { try loader.next() }
      #expect(error?.description.contains("how far the run is") == true)
      #expect(loader.step == 2)
    }
  }

  private func report(_ step: Int, shares: [Double]? = nil) -> Feedback {
    Feedback(step: step, losses: [1, 2], tokenCounts: [64, 192], shares: shares)
  }

  @Test func `feedback on the last batch is given the shares that it was drawn by`() throws {
    let loader = try loader { $0.epochCaps = ["b": 0.01] }
    // The cap is one row: from the second on, all is drawn from a.
    for (step, shares) in [(1, [0.75, 0.25]), (2, [1, 0])] {
      _ = try loader.next()
      try loader.observe(report(step))
      #expect(loader.rewards == shares)
    }
    _ = try loader.next()
    _ = try loader.next()
    // Nobody remembers those of an earlier batch, but who reports on it.
    try loader.observe(report(3))
    #expect(loader.rewards == nil)
    try loader.observe(report(4, shares: [0.5, 0.5]))
    #expect(loader.rewards == [0.5, 0.5])
  }

  @Test func `the shares of the last batch survive a resume`() throws {
    let uncut = try loader()
    let batch = try #require(try uncut.next())
    let checkpoint = try LoaderCheckpoint(bytes: batch.checkpoint().encoded())
    let resumed = try loader(resumingFrom: checkpoint)
    try resumed.observe(report(1))
    #expect(resumed.rewards == [0.75, 0.25])
    var damaged = checkpoint
    damaged.effective = [1, 2]
    #expect(throws: LoadingError.self) { try LoaderCheckpoint(bytes: damaged.encoded()) }
  }

  @Test func `rewards stand in the batch and in the ledger`() throws {
    let path = corpus.folder.path + "/ledger.jsonl"
    let loader = try loader { $0.ledgerPath = path }
    #expect(try #require(try loader.next()).facts.rewards == nil)
    try loader.observe(report(1))
    #expect(try #require(try loader.next()).facts.rewards == [0.75, 0.25])
    loader.close()
    let lines = try Ledger(at: path).lines
    #expect(lines.map(\.rewards) == [nil, [0.75, 0.25]])
    #expect(lines[1].feedback.first?.shares == [0.75, 0.25])
  }

  @Test func `feedback without what the policy reads is refused by name`() throws {
    struct Curious: MixturePolicy {
      struct Checkpoint: Codable, Sendable, Equatable {}
      static let name = "curious"
      let mixture = Mixture.uniform(domainCount: 2)
      let reason = "curious"
      let feedbackNeeds = FeedbackNeeds(gram: true)
      let checkpoint = Checkpoint()
      mutating func observe(_ feedback: Feedback) {}
      mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {}
    }
    let loader = try Loader(
      corpus.open(), policy: .custom(Curious()), batch: .init(rows: 4, sequenceLength: 64), seed: 1,
      options: options { $0.invalidFeedback = .keepMixture })
    #expect(loader.feedbackNeeds == FeedbackNeeds(gram: true))
    _ = try loader.next()
    let error = #expect(throws: LoadingError.self) { try loader.observe(report(1)) }
    #expect(error?.description.contains("the policy reads gram") == true)
  }

  @Test func `a manual mixture is set within its bounds`() throws {
    let loader = try Loader(
      corpus.open(), policy: .manual(.uniform).bounded(by: MixtureBounds(floor: 0.125)),
      batch: .init(rows: 8, sequenceLength: 64), seed: 1, options: options { _ in })
    try loader.setMixture(try Mixture(weights: [1, 0]), reason: "all of a")
    let batch = try #require(try loader.next())
    #expect(batch.facts.asked.weights == [0.875, 0.125])
    #expect(batch.facts.reason == "all of a, bounded")
    #expect((0...1).map { batch.facts.rowCount(ofDomain: $0) } == [7, 1])
    let fixed = try Loader(
      corpus.open(), policy: .static(.uniform).bounded(by: MixtureBounds(floor: 0.125)),
      batch: .init(rows: 8, sequenceLength: 64), seed: 1, options: options { _ in })
    #expect(throws: LoadingError.self) {
      try fixed.setMixture(.uniform(domainCount: 2), reason: "no")
    }
  }

  @Test func `planned steps are at least one`() {
    #expect(throws: LoadingError.self) { try loader { $0.stepCount = 0 } }
    #expect(throws: Never.self) { try loader { $0.stepCount = 1 } }
  }
}
