import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// What a batch says of itself, and what may be observed of it.
@Suite(.timeLimit(.minutes(5)))
struct BatchTests {
  private func loader(
    _ rule: InvalidFeedbackRule = .stop, resumingFrom checkpoint: LoaderCheckpoint? = nil
  ) throws -> Loader {
    let corpus = try SyntheticCorpus([
      .init("code", shards: [9000]), .init("prose", shards: [5000]), .init("data", shards: [2000]),
    ])
    return try Loader(
      corpus.open(), policy: .custom(LossFollower(domainCount: 3)),
      batch: .init(rows: 6, sequenceLength: 64), seed: 2,
      options: options { $0.invalidFeedback = rule }, resumingFrom: checkpoint)
  }

  // Sums of losses start at 1 each. Loss 0 of domain 0, 1 of domain 1, 2 of domain 2 make them
  // 1, 2 and 3: a sixth, a third, a half; of 6 rows 1, 2 and 3.
  @Test func theNextBatchFollowsFromWhatWasObserved() throws {
    let loader = try loader()
    let first = try #require(try loader.next())
    #expect((0..<3).map { first.facts.rowCount(ofDomain: $0) } == [2, 2, 2])
    #expect(first.facts.lastObservedStep == 0)
    try loader.observe(Feedback(step: 1, losses: [0, 1, 2], tokenCounts: [1, 1, 1]))
    let second = try #require(try loader.next())
    #expect((0..<3).map { second.facts.rowCount(ofDomain: $0) } == [1, 2, 3])
    #expect((0..<3).map { second.facts.position(ofDomain: $0) } == [2, 2, 2])
    #expect(second.facts.lastObservedStep == 1)
    #expect(second.facts.asked == loader.mixture)
    #expect(second.facts.effectiveShares == second.facts.asked.integerShares)
    #expect(second.facts.domainCount == 3 && second.sequenceLength == 64 && second.rowCount == 6)
    #expect(loader.readsFeedback)
  }

  @Test func aStepIsObservedOnceAndAfterItWasHandedOut() throws {
    let loader = try loader()
    func refusal(_ step: Int) -> String {
      let error = #expect(throws: LoadingError.self) {
        try loader.observe(.madeUp(step: step, domainCount: 3))
      }
      return error?.description ?? ""
    }
    let before = loader.mixture
    #expect(refusal(1).contains("1"))
    for _ in 1...5 { _ = try loader.next() }
    for step in [6, 7, 0, -1, .max, .min] { _ = refusal(step) }
    #expect(loader.mixture == before)
    // Skipping is legal, repeating and going back are not.
    try loader.observe(.madeUp(step: 3, domainCount: 3))
    let after = loader.mixture
    for step in [3, 2, 1] { _ = refusal(step) }
    #expect(loader.mixture == after)
    try loader.observe(.madeUp(step: 5, domainCount: 3))
    #expect(loader.lastObservedStep == 5)
    // Steps out of order are mistakes of the program, not bad feedback.
    #expect(loader.refusedFeedbackCount == 0)
  }

  private static let invalid: [Feedback] = [
    Feedback(step: 1, losses: [.nan, 1, 1], tokenCounts: [1, 1, 1]),
    Feedback(step: 1, losses: [1, .infinity, 1], tokenCounts: [1, 1, 1]),
    Feedback(step: 1, losses: [1, 1], tokenCounts: [1, 1, 1]),
    Feedback(step: 1, losses: [1, 1, 1], tokenCounts: [1, -1, 1]),
    Feedback(
      step: 1, losses: [1, 1, 1], tokenCounts: [1, 1, 1],
      gradients: .init(alignments: [0, .nan, 0])),
    Feedback(step: 1, losses: [1, 1, 1], tokenCounts: [1, 1, 1], gradients: .init(gram: [1, 2])),
  ]

  @Test(arguments: InvalidFeedbackRule.allCases) func invalidFeedbackNeverReachesThePolicy(
    rule: InvalidFeedbackRule
  ) throws {
    let loader = try loader(rule)
    let before = loader.mixture
    _ = try loader.next()
    for (count, feedback) in Self.invalid.enumerated() {
      switch rule {
      case .stop: #expect(throws: LoadingError.self) { try loader.observe(feedback) }
      case .keepMixture: try loader.observe(feedback)
      }
      #expect(loader.refusedFeedbackCount == count + 1)
      #expect(loader.mixture == before && loader.lastObservedStep == 0)
    }
    // The same step may still be observed, with numbers.
    try loader.observe(.madeUp(step: 1, domainCount: 3))
    let batch = try #require(try loader.next())
    let checkpoint = try batch.checkpoint()
    #expect(checkpoint.refusedFeedbackCount == Self.invalid.count)
    let resumed = try self.loader(rule, resumingFrom: checkpoint)
    #expect(resumed.refusedFeedbackCount == Self.invalid.count)
    #expect(resumed.mixture == loader.mixture)
  }

  @Test func feedbackForTheLastBatchMayComeAfterTheResume() throws {
    let loader = try loader()
    _ = try loader.next()
    let checkpoint = try #require(try loader.next()).checkpoint()
    try loader.observe(.madeUp(step: 2, domainCount: 3))
    let expected = try #require(try loader.next()).rows()
    let resumed = try self.loader(resumingFrom: checkpoint)
    try resumed.observe(.madeUp(step: 2, domainCount: 3))
    #expect(try resumed.next()?.rows() == expected)
  }
}
