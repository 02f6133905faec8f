// Covers: MixtureTrajectory.swift
import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ReplayPolicyTests {
  private let context = PolicyContext(domainNames: ["code", "prose"], sequenceCounts: [100, 300])

  private func mixtures(_ codes: [Double]) throws -> [Mixture] {
    try codes.map { try Mixture(weights: [$0, 1 - $0]) }
  }

  private func trajectory(
    _ codes: [Double], names: [String] = ["code", "prose"], firstStep: Int = 1
  ) throws -> RunLengthTrajectory {
    RunLengthTrajectory(
      source: "run a", domainNames: names, firstStep: firstStep, mixtures: try mixtures(codes))
  }

  @Test func asksForWhatWasRecordedStepByStep() throws {
    let codes = [0.5, 0.5, 0.25, 0.25, 0.25, 0.75, 0.5]
    var policy = try ReplayPolicy(try trajectory(codes), in: context)
    #expect(policy.followsSteps)
    #expect(!policy.readsFeedback)
    #expect(policy.reason == "replay of run a")
    for step in [1, 2, 3, 4, 5, 6, 7, 7, 3, 1] {
      try policy.prepare(for: UpcomingStep(step: step, tokenTotal: 0))
      #expect(policy.mixture.weights[0] == codes[step - 1])
    }
  }

  @Test func domainsAreFoundByName() throws {
    let recorded = try trajectory([0.25, 0.125], names: ["prose", "code"])
    var policy = try ReplayPolicy(recorded, in: context)
    #expect(policy.mixture.weights == [0.75, 0.25])
    try policy.prepare(for: UpcomingStep(step: 2, tokenTotal: 0))
    #expect(policy.mixture.weights == [0.875, 0.125])
    expectError(
      """
      run a was recorded over other domains: it lacks 'prose', the corpus lacks 'news'; replay it \
      on the corpus of its run
      """
    ) { try ReplayPolicy(try trajectory([0.5], names: ["news", "code"]), in: context) }
    let one = PolicyContext(domainNames: ["code"], sequenceCounts: [1])
    expectError(
      "run a was recorded over other domains: the corpus lacks 'prose'; replay it on the corpus of "
        + "its run"
    ) { try ReplayPolicy(try trajectory([0.5]), in: one) }
  }

  @Test func aStepThatWasNotRecordedIsAnErrorAtThatStep() throws {
    var policy = try ReplayPolicy(try trajectory([0.5, 0.25], firstStep: 5), in: context)
    try policy.prepare(for: UpcomingStep(step: 6, tokenTotal: 0))
    for step in [4, 7] {
      expectError("run a does not have step \(step); it has the steps 5 to 6") {
        try policy.prepare(for: UpcomingStep(step: step, tokenTotal: 0))
      }
    }
    let planned = PolicyContext(
      domainNames: ["code", "prose"], sequenceCounts: [1, 1], stepCount: 9)
    expectError("run a does not have step 9; it has the steps 5 to 6") {
      try ReplayPolicy(try trajectory([0.5, 0.25], firstStep: 5), in: planned)
    }
  }

  @Test func equalMixturesAreKeptOnce() throws {
    // A million steps of three mixtures; were each kept, this would take 16 MB and be slow.
    let mixtures = try mixtures([0.5, 0.25, 0.75])
    let recorded = RunLengthTrajectory(
      source: "long", domainNames: ["code", "prose"],
      mixtures: (0..<1_000_000).lazy.map { mixtures[$0 / 400_000] })
    #expect(recorded.steps == 1...1_000_000)
    for (step, place) in [(1, 0), (400_000, 0), (400_001, 1), (800_000, 1), (1_000_000, 2)] {
      #expect(try recorded.recorded(atStep: step).mixture == mixtures[place])
    }
  }

  @Test func resumesWithTheMixtureThatItHad() throws {
    var policy = try ReplayPolicy(try trajectory([0.5, 0.25]), in: context)
    try policy.prepare(for: UpcomingStep(step: 2, tokenTotal: 0))
    var resumed = try ReplayPolicy(try trajectory([0.5, 0.25]), in: context)
    try resumed.restore(from: try policy.erasedCheckpoint())
    #expect(resumed.mixture == policy.mixture)
  }
}
