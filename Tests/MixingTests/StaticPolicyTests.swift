import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct StaticPolicyTests {
  private let context = PolicyContext(
    domainNames: ["code", "prose", "data"], sequenceCounts: [600, 300, 100])

  @Test func naturalSharesAreThoseOfTheSequences() throws {
    let policy = try StaticPolicy(.natural, in: context)
    #expect(policy.mixture == (try Mixture(normalizing: [600, 300, 100])))
    #expect(policy.reason == "static natural")
    #expect(!policy.readsFeedback)
  }

  @Test func resumesExactlyAfterAnyStep() throws {
    let feedback = (1...5).map {
      Feedback(step: $0, losses: [3, 2, 1], tokenCounts: [8, 8, 8])
    }
    for form in [StaticMixture.natural, .uniform, .temperature(0.7)] {
      try expectResumesExactly(.static(form), in: context, observing: feedback)
    }
  }

  @Test func anotherMixtureOnResumeIsRefused() throws {
    let saved = try StaticPolicy(.natural, in: context).erasedCheckpoint()
    var other = try StaticPolicy(.uniform, in: context)
    expectError(
      """
      the checkpoint's static mixture gives domain 0 the share 168884986026393 of 2^48, the \
      configured one 93824992236886; resume with the same mixture or start the policy anew
      """
    ) { try other.restore(from: saved) }
    var smaller = StaticPolicy(.uniform(domainCount: 2))
    expectError("the mixture is for 3 domains, the run has 2") { try smaller.restore(from: saved) }
  }
}
