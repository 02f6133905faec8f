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
      try expectWithstands(character, domainCount: domainCount, steps: steps) {
        try policyCase.recipe($0)
      }
    }
  }

  @Test(arguments: PolicyCase.all)
  func staysOnTheSimplexForHundredsOfThousandsOfUpdates(policyCase: PolicyCase) throws {
    let context = PolicyContext.unequal([0, 1, 2])
    let recipe = try policyCase.recipe(context)
    var policy = try recipe.makePolicy(in: context)
    // Made before, so that the time is the policy's: alternating, missing and enormous by turns.
    var ring: [Feedback] = []
    for character in [FeedbackScript.Character.alternating, .plain, .missing, .enormous] {
      var script = FeedbackScript(character, domainCount: 3)
      for step in 1...64 { ring.append(script.feedback(step: step)) }
    }
    let count = policyCase.updateCount
    for step in 1...count {
      ring[step & 255].step = step
      try policy.advance(ring[step & 255])
    }
    expectSound(policy, domainCount: 3)
    var resumed = try recipe.makePolicy(in: context)
    try resumed.restore(from: try policy.erasedCheckpoint())
    for step in count + 1...count + 20 {
      ring[step & 255].step = step
      try policy.advance(ring[step & 255])
      try resumed.advance(ring[step & 255])
      #expect(resumed.mixture == policy.mixture)
    }
  }

  @Test(arguments: PolicyCase.all.filter(\.permutes))
  func permutedDomainsArePermutedMixtures(policyCase: PolicyCase) throws {
    try expectPermutes { try policyCase.recipe($0) }
  }

  @Test(arguments: PolicyCase.all)
  func aDomainThatIsNeverDrawnDoesNotStopThePolicy(policyCase: PolicyCase) throws {
    let context = PolicyContext.unequal(Array(0..<4))
    var policy = try policyCase.recipe(context).makePolicy(in: context)
    var script = FeedbackScript(.neverDrawn, domainCount: 4, seed: 3)
    let first = policy.mixture
    for step in 1...300 { try policy.advance(script.feedback(step: step)) }
    if policy.readsFeedback { #expect(policy.mixture != first) }
    expectSound(policy, domainCount: 4)
  }

  @Test(arguments: PolicyCase.all, [FeedbackScript.Character.plain, .missing])
  func resumesExactlyAfterAnyStep(
    policyCase: PolicyCase, character: FeedbackScript.Character
  ) throws {
    let context = PolicyContext.unequal(Array(0..<4))
    var script = FeedbackScript(character, domainCount: 4, seed: 5)
    let feedback = (1...12).map { script.feedback(step: $0) }
    try expectResumesExactly(
      try policyCase.recipe(context), in: context, observing: feedback,
      beforeStep: { policy, place in
        guard policy.followsSteps else { return }
        try policy.prepare(for: UpcomingStep(step: place + 1, tokenTotal: 4096 * place))
      })
  }

  @Test(arguments: PolicyCase.all)
  func aDamagedCheckpointIsRefusedOrGoesOn(policyCase: PolicyCase) throws {
    let context = PolicyContext.unequal(Array(0..<3))
    let recipe = try policyCase.recipe(context)
    var policy = try recipe.makePolicy(in: context)
    var script = FeedbackScript(.plain, domainCount: 3, seed: 13)
    for step in 1...8 { try policy.advance(script.feedback(step: step)) }
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
      for step in 9...12 { try resumed.advance(script.feedback(step: step)) }
      expectSound(resumed, domainCount: 3)
    }
  }
}
