import HeadraceTesting
import Mixing
import Testing

/// What every policy must withstand; see ``PolicyCase/all`` for the ways that are run.
@Suite(.timeLimit(.minutes(5)))
struct PolicyRobustnessTests {
  @Test func everyPolicyOfTheRegistryIsRun() {
    #expect(Set(PolicyCase.all.map(\.policy)) == Set(PolicyRegistry.builtIn.names))
  }

  @Test(arguments: PolicyCase.all, FeedbackScript.Character.allCases)
  func staysOnTheSimplexWhateverTheFeedbackIs(
    policyCase: PolicyCase, character: FeedbackScript.Character
  ) throws {
    for (domainCount, steps) in [(1, 200), (2, 200), (5, 200), (1000, 3)] {
      let context = robustnessContext(Array(0..<domainCount))
      let recipe = try policyCase.recipe(context)
      var policy = try recipe.makePolicy(in: context)
      var script = FeedbackScript(character, domainCount: domainCount)
      for step in 1...steps {
        let feedback = script.feedback(step: step)
        try feedback.validate(domainCount: domainCount)
        try feedback.validate(needs: policy.feedbackNeeds)
        try advance(&policy, feedback)
        expectSound(policy, domainCount: domainCount)
      }
      var resumed = try recipe.makePolicy(in: context)
      try resumed.restore(from: try policy.erasedCheckpoint())
      #expect(resumed.mixture == policy.mixture)
    }
  }

  @Test(arguments: PolicyCase.all)
  func staysOnTheSimplexForAMillionUpdates(policyCase: PolicyCase) throws {
    let context = robustnessContext([0, 1, 2])
    let recipe = try policyCase.recipe(context)
    var policy = try recipe.makePolicy(in: context)
    // Made before, so that the time is the policy's: alternating, missing and enormous by turns.
    var ring: [Feedback] = []
    for character in [FeedbackScript.Character.alternating, .plain, .missing, .enormous] {
      var script = FeedbackScript(character, domainCount: 3)
      for step in 1...64 { ring.append(script.feedback(step: step)) }
    }
    for step in 1...1_000_000 {
      ring[step & 255].step = step
      try advance(&policy, ring[step & 255])
    }
    expectSound(policy, domainCount: 3)
    var resumed = try recipe.makePolicy(in: context)
    try resumed.restore(from: try policy.erasedCheckpoint())
    for step in 1_000_001...1_000_020 {
      ring[step & 255].step = step
      try advance(&policy, ring[step & 255])
      try advance(&resumed, ring[step & 255])
      #expect(resumed.mixture == policy.mixture)
    }
  }

  @Test(arguments: PolicyCase.all)
  func permutedDomainsArePermutedMixtures(policyCase: PolicyCase) throws {
    let order = [3, 0, 4, 1, 2]
    let context = robustnessContext(Array(0..<5))
    let other = robustnessContext(order)
    var policy = try policyCase.recipe(context).makePolicy(in: context)
    var permuted = try policyCase.recipe(other).makePolicy(in: other)
    var script = FeedbackScript(.plain, domainCount: 5, seed: 7)
    for step in 1...60 {
      let feedback = script.feedback(step: step)
      try advance(&policy, feedback)
      try advance(&permuted, feedback.permuted(order))
      // Sums are taken in another order, which differs in the last places.
      expectNear(
        permuted.mixture.weights, order.map { policy.mixture.weight(ofDomain: $0) }, within: 1e-10)
    }
  }

  @Test(arguments: PolicyCase.all)
  func aDomainThatIsNeverDrawnTakesNothingFromTheOthers(policyCase: PolicyCase) throws {
    // Whatever the policy does with the unseen domain, the feedback of the others must still count:
    // a policy that learns ranks them as it does with all domains seen.
    let context = robustnessContext(Array(0..<4))
    var policy = try policyCase.recipe(context).makePolicy(in: context)
    var script = FeedbackScript(.neverDrawn, domainCount: 4, seed: 3)
    let first = policy.mixture
    for step in 1...300 { try advance(&policy, script.feedback(step: step)) }
    if policy.readsFeedback { #expect(policy.mixture != first) }
    expectSound(policy, domainCount: 4)
  }

  @Test(arguments: PolicyCase.all, [FeedbackScript.Character.plain, .missing])
  func resumesExactlyAfterAnyStep(
    policyCase: PolicyCase, character: FeedbackScript.Character
  ) throws {
    let context = robustnessContext(Array(0..<4))
    var script = FeedbackScript(character, domainCount: 4, seed: 5)
    let feedback = (1...12).map { script.feedback(step: $0) }
    try expectResumesExactly(
      try policyCase.recipe(context), in: context, observing: feedback,
      beforeStep: { policy, place in
        if policy.followsSteps { try policy.prepare(for: upcoming(place + 1)) }
      })
  }

  @Test(arguments: PolicyCase.all)
  func aDamagedCheckpointIsRefusedOrGoesOn(policyCase: PolicyCase) throws {
    let context = robustnessContext(Array(0..<3))
    let recipe = try policyCase.recipe(context)
    var policy = try recipe.makePolicy(in: context)
    var script = FeedbackScript(.plain, domainCount: 3, seed: 13)
    for step in 1...8 { try advance(&policy, script.feedback(step: step)) }
    let saved = try policy.erasedCheckpoint()
    var generator = TestGenerator(seed: 17)
    for _ in 0..<400 {
      var (fields, arrays) = (saved.fields, saved.arrays)
      for _ in 0..<Int.random(in: 1...2, using: &generator) {
        let place = Int.random(in: 0..<fields.count + arrays.count, using: &generator)
        if place < fields.count {
          fields[place] = UInt8.random(in: 32...126, using: &generator)
        } else {
          arrays[place - fields.count] = UInt8.random(in: 0...255, using: &generator)
        }
      }
      var resumed = try recipe.makePolicy(in: context)
      do throws(MixingError) {
        try resumed.restore(
          from: PolicyCheckpoint(policy: saved.policy, fields: fields, arrays: arrays))
      } catch {
        #expect(!"\(error)".isEmpty)
        continue
      }
      for step in 9...12 { try advance(&resumed, script.feedback(step: step)) }
      expectSound(resumed, domainCount: 3)
    }
  }

  private func advance(_ policy: inout any MixturePolicy, _ feedback: Feedback) throws {
    if policy.followsSteps { try policy.prepare(for: upcoming(feedback.step)) }
    policy.observe(feedback)
  }

  private func upcoming(_ step: Int) -> UpcomingStep {
    UpcomingStep(step: step, tokenTotal: 4096 * (step - 1))
  }

  /// A mixture sums to 1 by its own invariants; the rest is checked here.
  private func expectSound(_ policy: any MixturePolicy, domainCount: Int) {
    #expect(policy.mixture.domainCount == domainCount)
    #expect(!policy.reason.isEmpty)
    if let rewards = policy.rewards {
      let isSound = rewards.count == domainCount && rewards.allSatisfy { $0.isFinite }
      #expect(isSound, "\(rewards)")
    }
  }
}
