import HeadraceTesting
import Mixing
import Testing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Puts everything on the domain with the largest loss; a policy as a stranger would write it.
struct GreedyPolicy: MixturePolicy {
  struct Checkpoint: Codable, Sendable, Equatable {
    var mixture: Mixture
    var largest: Double
  }

  static let name = "greedy"
  var mixture: Mixture
  var largest = 0.0
  let reason = "greedy"
  let feedbackNeeds = FeedbackNeeds(losses: true)
  var checkpoint: Checkpoint { Checkpoint(mixture: mixture, largest: largest) }

  mutating func observe(_ feedback: Feedback) {
    largest = largest * 0.9
    for (index, loss) in feedback.losses.enumerated() {
      guard let loss, loss > largest else { continue }
      largest = loss
      let weights = feedback.losses.indices.map { $0 == index ? 1.0 : 1e-9 }
      mixture = (try? Mixture(normalizing: weights)) ?? mixture
    }
  }

  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    mixture = checkpoint.mixture
    largest = checkpoint.largest
  }
}

@Suite(.timeLimit(.minutes(5)))
struct PolicyCheckpointTests {
  private let context = PolicyContext(domainNames: ["a", "b"], sequenceCounts: [1, 1])

  @Test func aPolicyThatLearnsResumesExactly() throws {
    var generator = TestGenerator(seed: 1)
    let feedback = (1...20).map { step in
      Feedback(
        step: step,
        losses: [Double.random(in: 1...4, using: &generator), step % 3 == 0 ? nil : 2.5],
        tokenCounts: [10, 10])
    }
    try expectResumesExactly(
      .custom(GreedyPolicy(mixture: .uniform(domainCount: 2))), in: context, observing: feedback)
  }

  @Test func fieldsAreSortedJSONWithinJSON() throws {
    let checkpoint = try ManualPolicy(initial: .uniform(domainCount: 2), reason: "r")
      .erasedCheckpoint()
    #expect(checkpoint.policy == "manual")
    #expect(
      String(decoding: checkpoint.fields, as: UTF8.self)
        == #"{"mixture":[140737488355328,140737488355328],"reason":"r"}"#)
    let bytes = try JSONEncoder().encode(checkpoint)
    #expect(try JSONDecoder().decode(PolicyCheckpoint.self, from: bytes) == checkpoint)
  }

  @Test func theCheckpointOfAnotherPolicyIsRefused() throws {
    let checkpoint = try ManualPolicy(initial: .uniform(domainCount: 2)).erasedCheckpoint()
    var policy: any MixturePolicy = StaticPolicy(.uniform(domainCount: 2))
    expectError(
      """
      the checkpoint was written by policy 'manual', the run has policy 'static'; resume with \
      'manual' or start the policy anew
      """
    ) { try policy.restore(from: checkpoint) }
  }

  @Test func damagedFieldsAreRefused() throws {
    var policy = ManualPolicy(initial: .uniform(domainCount: 2))
    let missing = PolicyCheckpoint(policy: "manual", fields: Array(#"{"reason":"r"}"#.utf8))
    expectError("the checkpoint of policy 'manual' cannot be read: mixture: missing") {
      try policy.restore(from: missing)
    }
    let wrong = PolicyCheckpoint(
      policy: "manual", fields: Array(#"{"mixture":[1],"reason":"r"}"#.utf8))
    expectError(
      """
      the checkpoint of policy 'manual' cannot be read: mixture: the integer shares sum to \
      2^48 − 281474976710655, not 2^48
      """
    ) { try policy.restore(from: wrong) }
    for length in 0..<wrong.fields.count {
      let cut = PolicyCheckpoint(policy: "manual", fields: Array(wrong.fields.prefix(length)))
      #expect(throws: MixingError.self) { try policy.restore(from: cut) }
    }
  }

  @Test func aMemoryThatHoldsNaNIsNotStored() {
    var policy = GreedyPolicy(mixture: .uniform(domainCount: 2))
    policy.largest = .nan
    let error = #expect(throws: MixingError.self) { try policy.erasedCheckpoint() }
    let text = error?.description ?? ""
    #expect(text.hasPrefix("the checkpoint of policy 'greedy' cannot be written: largest: "))
  }
}
