import HeadraceTesting
import Mixing
import Testing

// Covers: ActorCriticPolicy+Saving.swift
@Suite(.timeLimit(.minutes(5)))
struct SavedPolicyTests {
  private func context(_ domainCount: Int) -> PolicyContext {
    PolicyContext(
      domainNames: (0..<domainCount).map { "d\($0)" },
      sequenceCounts: [Int](repeating: 1, count: domainCount), stepCount: 100)
  }

  private func feedback(_ step: Int, domainCount: Int) -> Feedback {
    let rows = (0..<domainCount).map { Double($0 + 1) }
    return Feedback(
      step: step, losses: rows.map { 5 - $0 / Double(step) },
      tokenCounts: [Int](repeating: 8, count: domainCount),
      gradients: GradientReport(alignments: rows, laggedAlignments: rows),
      parameterNorms: [1, 2], updateNorms: [0.1, 0.1])
  }

  private func configuration(isFrozen: Bool = false) -> ActorCriticConfiguration {
    var configuration = ActorCriticConfiguration()
    configuration.state = .paper
    configuration.warmUpStepCount = 5
    configuration.isFrozen = isFrozen
    return configuration
  }

  private func learned(_ domainCount: Int) throws -> ActorCriticPolicy {
    var policy = try ActorCriticPolicy(configuration(), in: context(domainCount))
    for step in 1..<80 { policy.observe(feedback(step, domainCount: domainCount)) }
    return policy
  }

  @Test func aFileComesBackAsItWas() throws {
    let saved = try #require(try learned(3).savedPolicy())
    let again = try SavedPolicy(bytes: saved.bytes(), path: "p")
    #expect(again == saved)
    #expect(again.policy == "ac-odm")
    #expect(again.domainNames == ["d0", "d1", "d2"])
  }

  @Test func aFrozenPolicyDecidesAsTheOneThatWasSaved() throws {
    let source = try learned(3)
    let saved = try #require(try source.savedPolicy())
    var frozen = try ActorCriticPolicy(
      configuration(isFrozen: true), in: context(3), startingFrom: saved)
    // The same feedback from the beginning gives the same state, so the last mixture is the same
    // function of it but for what the source learned in its last step, which is in the file.
    for step in 1..<80 { frozen.observe(feedback(step, domainCount: 3)) }
    #expect(frozen.mixture == source.mixture)
    #expect(try frozen.savedPolicy() == saved, "nothing was learned")
    #expect(frozen.reason == "ac-odm repaired, frozen")
    #expect(frozen.feedbackNeeds == FeedbackNeeds(losses: true, norms: true))
  }

  @Test(arguments: [1, 2, 8])
  func networksFitAnyNumberOfDomains(domainCount: Int) throws {
    let saved = try learned(3).savedPolicy()
    var frozen = try ActorCriticPolicy(
      configuration(isFrozen: true), in: context(domainCount), startingFrom: saved)
    for step in 1..<20 { frozen.observe(feedback(step, domainCount: domainCount)) }
    #expect(frozen.mixture.domainCount == domainCount)
    guard domainCount > 1 else { return }
    #expect(frozen.mixture != .uniform(domainCount: domainCount))
  }

  @Test func learningGoesOnFromTheFileUnlessItIsFrozen() throws {
    let saved = try learned(3).savedPolicy()
    var policy = try ActorCriticPolicy(configuration(), in: context(3), startingFrom: saved)
    policy.observe(feedback(1, domainCount: 3))
    #expect(policy.mixture != .uniform(domainCount: 3), "it decides at once")
    for step in 2..<10 { policy.observe(feedback(step, domainCount: 3)) }
    #expect(try policy.savedPolicy() != saved)
  }

  @Test func networksOfAnotherShapeAreRefused() throws {
    let saved = try learned(3).savedPolicy()
    var other = configuration()
    other.unitCount = 8
    #expect(throws: MixingError.self) {
      try ActorCriticPolicy(other, in: context(3), startingFrom: saved)
    }
    other = configuration()
    other.state = .gram
    #expect(throws: MixingError.self) {
      try ActorCriticPolicy(other, in: context(3), startingFrom: saved)
    }
  }

  @Test func theOptionFromReadsAFile() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/policy"
    let saved = try #require(try learned(3).savedPolicy())
    try folder.write(saved.bytes(), to: "policy")
    let recipe = try PolicyRegistry.builtIn.recipe(
      named: "ac-odm", options: ["from": path, "freeze": "true", "state": "paper"])
    var policy = try recipe.makePolicy(in: context(4))
    policy.observe(feedback(1, domainCount: 4))
    #expect(policy.mixture != .uniform(domainCount: 4))
    let wrong = try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: ["from": path])
    #expect(throws: MixingError.self) { try wrong.makePolicy(in: context(4)) }
    let absent = try PolicyRegistry.builtIn.recipe(
      named: "ac-odm", options: ["from": path + "-not", "state": "paper"])
    #expect(throws: MixingError.self) { try absent.makePolicy(in: context(4)) }
  }

  @Test func everyCutAndEveryFlippedByteIsNoticed() throws {
    let bytes = try #require(try learned(2).savedPolicy()).bytes()
    for count in stride(from: 0, to: bytes.count, by: 7) {
      #expect(throws: MixingError.self) {
        try SavedPolicy(bytes: Array(bytes[..<count]), path: "p")
      }
    }
    for place in stride(from: 0, to: bytes.count, by: 3) {
      var damaged = bytes
      damaged[place] ^= 0x10
      #expect(throws: MixingError.self, "byte \(place)") {
        try SavedPolicy(bytes: damaged, path: "p")
      }
    }
    #expect(throws: MixingError.self) { try SavedPolicy(bytes: bytes + [0], path: "p") }
  }
}
