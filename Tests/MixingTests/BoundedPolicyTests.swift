import HeadraceTesting
import Mixing
import Testing

/// A policy that asks for one domain alone after every step, and remembers the shares it was told.
private struct VertexPolicy: MixturePolicy {
  struct Checkpoint: Codable, Sendable, Equatable {
    let mixture: Mixture
  }

  static let name = "vertex"
  var mixture: Mixture = .uniform(domainCount: 3)
  var reason = "vertex"
  var shares: [Double]?
  var feedbackNeeds: FeedbackNeeds { FeedbackNeeds(losses: true) }
  var rewards: [Double]? { [1, 2, 3] }
  var checkpoint: Checkpoint { Checkpoint(mixture: mixture) }

  mutating func observe(_ feedback: Feedback) {
    shares = feedback.shares
    var shares: [Int64] = [0, 0, 0]
    shares[feedback.step % 3] = Mixture.one
    if let vertex = try? Mixture(integerShares: shares) { mixture = vertex }
  }

  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    mixture = checkpoint.mixture
  }
}

@Suite(.timeLimit(.minutes(5)))
struct BoundedPolicyTests {
  private let context = PolicyContext(
    domainNames: ["a", "b", "c"], sequenceCounts: [100, 100, 100])

  private func feedback(_ step: Int) -> Feedback {
    Feedback(step: step, losses: [1, 2, 3], tokenCounts: [1, 1, 1])
  }

  @Test func boundsWhatThePolicyAsksFor() throws {
    var policy = try BoundedPolicy(
      VertexPolicy(), bounds: .init(floor: 0.1, largestMove: 0.2), in: context)
    #expect(BoundedPolicy<VertexPolicy>.name == "vertex")
    #expect(policy.feedbackNeeds == FeedbackNeeds(losses: true))
    #expect(policy.rewards == [1, 2, 3])
    #expect(policy.reason == "vertex")
    policy.observe(feedback(1))
    // The settled (.1, .8, .1) is .4667 away: .4286 of the way.
    expectNear(policy.mixture.weights, [0.233333, 0.533333, 0.233333])
    #expect(policy.reason == "vertex, bounded")
    policy.observe(feedback(4))
    expectNear(policy.mixture.weights, [0.133333, 0.733333, 0.133333])
    policy.observe(feedback(7))
    expectNear(policy.mixture.weights, [0.1, 0.8, 0.1])
  }

  @Test func thePolicyLearnsFromWhatWasDrawn() throws {
    var policy = try BoundedPolicy(VertexPolicy(), bounds: .init(cap: 0.5), in: context)
    policy.observe(feedback(1))
    let asked = policy.mixture.weights
    #expect(asked == [0.25, 0.5, 0.25])
    policy.observe(feedback(2))
    #expect(policy.base.shares == asked)
    var drawn = feedback(3)
    drawn.shares = [0.2, 0.2, 0.6]
    policy.observe(drawn)
    #expect(policy.base.shares == [0.2, 0.2, 0.6])
  }

  @Test func aStepThatIsPreparedForTwiceMovesOnce() throws {
    let schedule = MixtureSchedule(
      unit: .steps,
      stages: [
        .init(until: 1, weights: ["a": 1, "b": 0, "c": 0]),
        .init(weights: ["a": 0, "b": 1, "c": 0]),
      ])
    let recipe = try PolicyRecipe.schedule(schedule).bounded(by: .init(largestMove: 0.25))
    var policy = try recipe.makePolicy(in: context)
    #expect(policy.followsSteps)
    func prepare(_ step: Int) throws -> Double {
      try policy.prepare(for: UpcomingStep(step: step, tokenTotal: 0))
      return policy.mixture.weights[0]
    }
    #expect(try prepare(1) == 1)
    #expect(try prepare(2) == 0.75)
    #expect(try prepare(2) == 0.75)
    let saved = try policy.erasedCheckpoint()
    #expect(try prepare(3) == 0.5)
    // After a resume the step may be prepared for again.
    policy = try recipe.makePolicy(in: context)
    try policy.restore(from: saved)
    #expect(policy.mixture.weights[0] == 0.75)
    #expect(try prepare(2) == 0.75)
    #expect(try prepare(3) == 0.5)
  }

  @Test func aManualMixtureIsBoundedToo() throws {
    let recipe = PolicyRecipe.manual(.uniform).bounded(by: .init(floor: 0.1))
    var policy = try #require(try recipe.makePolicy(in: context) as? any SettablePolicy)
    try policy.setMixture(try Mixture(weights: [1, 0, 0]), reason: "mine")
    expectNear(policy.mixture.weights, [0.8, 0.1, 0.1], within: 1e-12)
    #expect(policy.reason == "mine, bounded")
    expectError("the mixture is for 2 domains, the run has 3") {
      try policy.setMixture(.uniform(domainCount: 2), reason: "wrong")
    }
  }

  @Test func noBoundsAreNoPolicyOfTheirOwn() throws {
    let recipe = PolicyRecipe.static(.uniform).bounded(by: .init())
    #expect(try recipe.makePolicy(in: context) is StaticPolicy)
    #expect(recipe.options == ["mixture": "uniform"])
  }

  @Test func otherBoundsOnResumeAreRefused() throws {
    let saved = try BoundedPolicy(
      VertexPolicy(), bounds: .init(floor: 0.1), in: context
    ).erasedCheckpoint()
    var other = try BoundedPolicy(
      VertexPolicy(), bounds: .init(floor: 0.1, cap: 0.6), in: context)
    expectError(
      """
      the checkpoint of policy 'vertex' was made with cap = its default, the run has 0.6; resume \
      with the same or start the policy anew
      """
    ) { try other.restore(from: saved) }
    var without = VertexPolicy()
    #expect(throws: MixingError.self) { try without.restore(from: saved) }
  }

  @Test func resumesExactlyAfterAnyStep() throws {
    let recipe = PolicyRecipe.odm().bounded(by: .init(floor: 0.05, cap: 0.6, largestMove: 0.02))
    let feedback = (1...12).map { step in
      Feedback(
        step: step, losses: [Double(step % 5), 3, Double(7 - step % 3)], tokenCounts: [8, 8, 8])
    }
    try expectResumesExactly(recipe, in: context, observing: feedback)
  }

  @Test func aPolicyThatFollowsStepsAndLearnsMovesOncePerObservation() throws {
    struct Restless: MixturePolicy {
      struct Checkpoint: Codable, Sendable, Equatable { let mixture: Mixture }
      static let name = "restless"
      private(set) var mixture = Mixture.uniform(domainCount: 2)
      let reason = "restless"
      let followsSteps = true
      let feedbackNeeds = FeedbackNeeds(losses: true)
      var checkpoint: Checkpoint { Checkpoint(mixture: mixture) }
      mutating func observe(_ feedback: Feedback) {
        mixture = (try? Mixture(weights: [0, 1])) ?? mixture
      }
      mutating func restore(_ checkpoint: Checkpoint) { mixture = checkpoint.mixture }
    }
    let context = PolicyContext(domainNames: ["a", "b"], sequenceCounts: [1, 1])
    var policy = try BoundedPolicy(
      Restless(), bounds: MixtureBounds(largestMove: 0.125), in: context)
    var weights: [Double] = []
    for step in 1...4 {
      try policy.prepare(for: UpcomingStep(step: step, tokenTotal: 0))
      weights.append(policy.mixture.weight(ofDomain: 0))
      policy.observe(Feedback(step: step, losses: [1, 1], tokenCounts: [1, 1]))
    }
    #expect(weights == [0.5, 0.375, 0.25, 0.125])
  }
}
