import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ManualPolicyTests {
  private let context = PolicyContext(domainNames: ["code", "prose"], sequenceCounts: [10, 30])

  @Test func startsWithItsInitialMixtureAndTakesOthers() throws {
    var policy = ManualPolicy(initial: .uniform(domainCount: 2))
    #expect(policy.reason == "manual, initial")
    let next = try Mixture(weights: [0.9, 0.1])
    try policy.setMixture(next, reason: "more code")
    #expect(policy.mixture == next)
    #expect(policy.reason == "more code")
    #expect(!policy.readsFeedback)
  }

  @Test func aMixtureForOtherDomainsIsRefusedAndTheOldOneStays() throws {
    var policy = ManualPolicy(initial: .uniform(domainCount: 2))
    expectError("the mixture is for 3 domains, the run has 2") {
      try policy.setMixture(.uniform(domainCount: 3), reason: "wrong")
    }
    #expect(policy.mixture == .uniform(domainCount: 2))
    let saved = ManualPolicy(initial: .uniform(domainCount: 4)).checkpoint
    expectError("the mixture is for 4 domains, the run has 2") { try policy.restore(saved) }
  }

  @Test func resumesExactlyAfterAnyStep() throws {
    let feedback = (1...6).map { Feedback(step: $0, losses: [1, 2], tokenCounts: [4, 4]) }
    try expectResumesExactly(
      .manual(.natural), in: context, observing: feedback,
      beforeStep: { policy, place in
        guard place % 2 == 1, var manual = policy as? ManualPolicy else { return }
        let weights = [Double(place), 1.0 / 3]
        try manual.setMixture(Mixture(normalizing: weights), reason: "set at \(place)")
        policy = manual
      })
  }
}
