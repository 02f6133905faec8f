import HeadraceTesting
import Kernels
import Mixing
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

// Covers: ActorCriticConfiguration.swift, PolicyStateEstimator.swift, GramMemory.swift
// Covers: LossMemory.swift, ActorCriticConfiguration+Options.swift
@Suite(.timeLimit(.minutes(5)))
struct ActorCriticPolicyTests {
  private func context(_ domainCount: Int, stepCount: Int? = 200) -> PolicyContext {
    PolicyContext(
      domainNames: (0..<domainCount).map { "d\($0)" },
      sequenceCounts: (0..<domainCount).map { 100 + $0 }, stepCount: stepCount)
  }

  /// Feedback of made-up gradients: domain i's alignment is drawn around i.
  private func feedback(
    _ steps: Range<Int>, domainCount: Int, seed: UInt64 = 5, shares: [Double]? = nil
  ) -> [Feedback] {
    var generator = SeededGenerator(seed: seed, stream: "feedback")
    return steps.map { step in
      let vectors = (0..<domainCount).map { domain in
        (0..<3).map { Double(domain + 1) / 4 * Double($0 + 1) + 0.3 * generator.nextNormal() }
      }
      let gram = vectors.flatMap { a in
        vectors.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
      }
      let rows = (0..<domainCount).map { row in
        gram[row * domainCount..<(row + 1) * domainCount].reduce(0, +)
      }
      return Feedback(
        step: step, losses: (0..<domainCount).map { 2 + Double($0) / 3 + generator.nextUniform() },
        tokenCounts: (0..<domainCount).map { 10 + $0 }, shares: shares,
        gradients: GradientReport(
          microBatchCounts: (0..<domainCount).map { 1 + $0 % 3 }, gram: gram,
          squaredNorms: (0..<domainCount).map { 1.5 * gram[$0 * domainCount + $0] },
          alignments: rows, laggedAlignments: rows.map { $0 + 0.1 * generator.nextNormal() }),
        parameterNorms: [1 + Double(step) / 100, 2], updateNorms: [0.1, 0.2])
    }
  }

  private func policy(
    _ options: [String: String] = [:], domainCount: Int = 3
  ) throws -> any MixturePolicy {
    try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: options)
      .makePolicy(in: context(domainCount))
  }

  static let variants: [[String: String]] = [
    [:], ["state": "paper"], ["state": "gram"], ["gamma": "0.9"], ["control": "no-critic"],
    ["control": "no-actor"], ["control": "frozen-random"], ["reward": "cross"],
    ["reward": "in", "state": "paper"], ["reward": "out"], ["move-cost": "0.3"],
    ["half-weight": "0.5"],
    ["capacity": "5"], ["mixture": "natural", "warm-up": "2"],
  ]

  @Test(arguments: variants)
  func resumesExactlyAfterAnyStep(options: [String: String]) throws {
    var options = options
    if options["control"] != "frozen-random" { options["warm-up"] = options["warm-up"] ?? "3" }
    try expectResumesExactly(
      PolicyRegistry.builtIn.recipe(named: "ac-odm", options: options), in: context(3),
      observing: feedback(1..<12, domainCount: 3))
  }

  @Test func resumesExactlyWhereFeedbackIsLate() throws {
    // Two steps are drawn before the first feedback comes; then each comes two steps late.
    try expectResumesExactly(
      PolicyRegistry.builtIn.recipe(named: "ac-odm", options: ["warm-up": "3"]), in: context(3),
      observing: feedback(1..<12, domainCount: 3),
      beforeStep: { policy, place in
        for step in (place == 0 ? 1 : place + 2)...(place + 2) {
          try policy.prepare(for: UpcomingStep(step: step, tokenTotal: step * 64))
        }
      })
  }

  @Test func prefersTheDomainThatAligns() throws {
    var policy = try policy()
    for feedback in feedback(1..<150, domainCount: 3) { policy.observe(feedback) }
    let weights = policy.mixture.weights
    #expect(weights[2] > weights[1] && weights[1] > weights[0])
    #expect(weights[0] >= 0.25 / 3 - 1e-9, "the floor")
    #expect(policy.reason == "ac-odm repaired, learning")
  }

  @Test func holdsTheInitialMixtureDuringWarmUp() throws {
    var policy = try policy(["mixture": "natural", "warm-up": "7"])
    let initial = policy.mixture
    #expect(initial.weights[2] > initial.weights[0])
    for feedback in feedback(1..<8, domainCount: 3) {
      policy.observe(feedback)
      #expect(policy.mixture == initial)
      #expect(policy.reason == "ac-odm repaired, warm-up")
    }
    policy.observe(feedback(8..<9, domainCount: 3)[0])
    #expect(policy.mixture != initial)
  }

  @Test(arguments: variants)
  func permutingDomainsPermutesMixtures(options: [String: String]) throws {
    guard options["mixture"] == nil else { return }
    let order = [2, 0, 3, 1]
    let straight = feedback(1..<60, domainCount: 4)
    let permuted = straight.map { feedback in
      var other = feedback
      other.losses = order.map { feedback.losses[$0] }
      other.tokenCounts = order.map { feedback.tokenCounts[$0] }
      other.gradients = feedback.gradients.map { report in
        GradientReport(
          microBatchCounts: report.microBatchCounts.map { n in order.map { n[$0] } },
          gram: report.gram.map { h in order.flatMap { row in order.map { h[row * 4 + $0] } } },
          squaredNorms: report.squaredNorms.map { s in order.map { s[$0] } },
          alignments: report.alignments.map { w in order.map { w[$0] } },
          laggedAlignments: report.laggedAlignments.map { w in order.map { w[$0] } })
      }
      return other
    }
    var (a, b) = (try policy(options, domainCount: 4), try policy(options, domainCount: 4))
    for (one, two) in zip(straight, permuted) {
      a.observe(one)
      b.observe(two)
      // Sums run in another order, and learning lets the last bits grow a little.
      for (place, domain) in order.enumerated() {
        #expect(abs(b.mixture.weights[place] - a.mixture.weights[domain]) < 1e-4)
      }
    }
  }

  @Test func asksForWhatItReadsOnly() throws {
    #expect(
      try policy().feedbackNeeds
        == FeedbackNeeds(losses: true, gram: true, smoothing: 0.9, lagged: true, norms: true))
    #expect(
      try policy(["state": "paper"]).feedbackNeeds
        == FeedbackNeeds(losses: true, smoothing: 0.9, lagged: true, norms: true))
    #expect(
      try policy(["state": "gram"]).feedbackNeeds
        == FeedbackNeeds(losses: true, gram: true, norms: true))
    #expect(
      try policy(["state": "paper", "control": "frozen-random"]).feedbackNeeds
        == FeedbackNeeds(losses: true, norms: true))
    // Alignments that are no reward are not lagged.
    #expect(
      try policy(["reward": "cross"]).feedbackNeeds
        == FeedbackNeeds(losses: true, gram: true, smoothing: 0.9, norms: true))
    #expect(
      try policy(["control": "frozen-random"]).feedbackNeeds
        == FeedbackNeeds(losses: true, gram: true, smoothing: 0.9, norms: true))
    #expect(
      try policy(["state": "paper", "reward": "cross"]).feedbackNeeds
        == FeedbackNeeds(losses: true, gram: true, norms: true))
  }

  @Test(arguments: [
    (["state": "gram", "smoothing": "0.5"], "smoothing", "state=gram"),
    (["state": "paper", "reward": "in", "smoothing": "0.5"], "smoothing", "state=paper"),
    (["tau": "0.5"], "tau", "gamma=0"), (["tau": "0.5", "gamma": "0"], "tau", "gamma=0"),
    (["control": "no-critic", "gamma": "0.5"], "gamma", "control=no-critic"),
    (["control": "no-critic", "tau": "0.5"], "tau", "control=no-critic"),
    (["control": "no-critic", "half-weight": "1"], "half-weight", "control=no-critic"),
    (["control": "no-actor", "move-cost": "1"], "move-cost", "control=no-actor"),
    (["control": "frozen-random", "reward": "out"], "reward", "control=frozen-random"),
    (["control": "frozen-random", "entropy": "1"], "entropy", "control=frozen-random"),
    (["control": "frozen-random", "warm-up": "1"], "warm-up", "control=frozen-random"),
  ])
  func anOptionThatAnotherLeavesWithoutMeaningIsRefused(
    options: [String: String], option: String, other: String
  ) {
    expectError(
      "option '\(option)' of policy 'ac-odm' says nothing with \(other); leave one of them out"
    ) { try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: options) }
  }

  @Test func aStepWhoseNumbersOverflowIsDropped() throws {
    let value = 1.7e308
    let good = feedback(1..<40, domainCount: 3)
    var (clean, hurt) = (try policy(["warm-up": "3"]), try policy(["warm-up": "3"]))
    for (place, feedback) in good.enumerated() {
      var bad = feedback
      bad.gradients?.gram = [Double](repeating: value, count: 9)
      bad.gradients?.alignments = [value, value, value]
      // A huge number is bounded by the usual ones, once there are any.
      if place == 0 {
        let before = hurt.mixture
        hurt.observe(bad)
        #expect(hurt.mixture == before)
      }
      clean.observe(feedback)
      hurt.observe(feedback)
    }
    #expect(hurt.mixture == clean.mixture)
  }

  @Test func oneHugeStepIsForgottenSoon() throws {
    var (clean, hurt) = (try policy(), try policy())
    for (place, feedback) in feedback(1..<150, domainCount: 3).enumerated() {
      clean.observe(feedback)
      var feedback = feedback
      if place == 50 {
        let gram = feedback.gradients?.gram
        feedback.gradients?.gram = gram?.map { $0 * 1e200 }
        feedback.gradients?.alignments = [1e200, -1e200, 1e200]
        feedback.gradients?.laggedAlignments = [1e200, -1e200, -1e200]
      }
      hurt.observe(feedback)
    }
    for (a, b) in zip(clean.mixture.weights, hurt.mixture.weights) { #expect(abs(a - b) < 0.15) }
  }

  @Test(arguments: [0x1p-300, 0x1p-20, 0x1p20, 0x1p300])
  func theUnitOfTheGradientsDoesNotMatter(factor: Double) throws {
    var (one, other) = (try policy(), try policy())
    for feedback in feedback(1..<60, domainCount: 3) {
      one.observe(feedback)
      var scaled = feedback
      scaled.gradients?.gram = feedback.gradients?.gram?.map { $0 * factor }
      scaled.gradients?.squaredNorms = feedback.gradients?.squaredNorms?.map { $0 * factor }
      scaled.gradients?.alignments = feedback.gradients?.alignments?.map { $0 * factor }
      scaled.gradients?.laggedAlignments =
        feedback.gradients?.laggedAlignments?.map { $0 * factor }
      other.observe(scaled)
    }
    // A power of 2 rounds nothing.
    #expect(one.mixture == other.mixture)
  }

  @Test func missingAndHostileFeedbackLeavesAMixture() throws {
    for domainCount in [1, 2, 40] {
      var policy = try policy(["warm-up": "1"], domainCount: domainCount)
      for (place, feedback) in feedback(1..<60, domainCount: domainCount).enumerated() {
        var feedback = feedback
        switch place % 6 {
        case 0: feedback.losses[0] = nil
        case 1: feedback.losses = feedback.losses.map { _ in nil }
        case 2: feedback.tokenCounts = feedback.tokenCounts.map { _ in 0 }
        case 3:
          feedback.gradients?.microBatchCounts = [Int](repeating: 0, count: domainCount)
          feedback.losses = feedback.losses.map { _ in 1e300 }
        case 4:
          feedback.parameterNorms = []
          feedback.updateNorms = []
          feedback.losses = feedback.losses.map { _ in -5 }
        default:
          feedback.gradients?.laggedAlignments = [Double](repeating: -1e12, count: domainCount)
        }
        policy.observe(feedback)
        #expect(abs(policy.mixture.weights.reduce(0, +) - 1) < 1e-12)
        #expect(policy.mixture.weights.allSatisfy { $0 >= 0.24 / Double(domainCount) })
      }
    }
  }

  @Test func learnsFromTheStateThatAStepWasDrawnBy() throws {
    // Feedback comes two steps late. The state that step t was drawn by is that of feedback t − 3,
    // whose step is in its time feature.
    var configuration = ActorCriticConfiguration()
    configuration.state = .paper
    var policy = try ActorCriticPolicy(configuration, in: context(3, stepCount: 100))
    let all = feedback(1..<11, domainCount: 3, shares: [0.2, 0.3, 0.5])
    for (place, feedback) in all.enumerated() {
      for step in (place == 0 ? 1 : place + 3)...(place + 3) {
        try policy.prepare(for: UpcomingStep(step: step, tokenTotal: 0))
      }
      policy.observe(feedback)
    }
    // Steps 1 to 3 were drawn before any state.
    #expect(policy.transitions.count == 7)
    for age in 0..<7 {
      let transition = policy.transitions[age: age]
      #expect(abs(Double(transition.policyState[4]) * 100 - Double(10 - age - 3)) < 1e-4)
      #expect(transition.action == [0.2, 0.3, 0.5])
      #expect(transition.rewards.count == 3)
    }
  }

  @Test func rewardsBelongToTheActionThatWasDrawn() throws {
    // A scripted world: the lagged alignment of the domain that had the largest share of the step
    // is 1, the others' 0. Steps are skipped.
    var configuration = ActorCriticConfiguration()
    configuration.state = .paper
    configuration.discount = 0.5
    var policy = try ActorCriticPolicy(configuration, in: context(3, stepCount: 100))
    for step in [1, 2, 5, 6, 9, 20] {
      try policy.prepare(for: UpcomingStep(step: step, tokenTotal: 0))
      let best = step % 3
      var feedback = feedback(step..<step + 1, domainCount: 3)[0]
      feedback.shares = (0..<3).map { $0 == best ? 0.8 : 0.1 }
      feedback.gradients?.alignments = [1, 1, 1]
      feedback.gradients?.laggedAlignments = (0..<3).map { $0 == best ? 1 : 0 }
      policy.observe(feedback)
    }
    #expect(policy.transitions.count == 5)
    let steps = [1, 2, 5, 6, 9, 20]
    for age in 0..<5 {
      let transition = policy.transitions[age: age]
      #expect(transition.rewards == transition.action.map { $0 > 0.5 ? 1 : 0 })
      #expect(transition.rewards[steps[5 - age] % 3] == 1)
      #expect(abs(Double(transition.policyState[4]) * 100 - Double(steps[4 - age])) < 1e-4)
      #expect(abs(Double(transition.nextState[4]) * 100 - Double(steps[5 - age])) < 1e-4)
    }
  }

  @Test func aLongHostileRunStaysOnTheSimplex() throws {
    var policy = try policy(["warm-up": "1", "updates": "1", "transitions": "2"], domainCount: 2)
    var generator = SeededGenerator(seed: 4)
    for step in 1...20_000 {
      let sign: Double = step % 7 < 3 ? 1 : -1
      let value = sign * exp(20 * generator.nextNormal())
      policy.observe(
        Feedback(
          step: step, losses: [exp(9 * generator.nextNormal()), step % 5 == 0 ? nil : 1],
          tokenCounts: [1, step % 5 == 0 ? 0 : 1000],
          gradients: GradientReport(
            microBatchCounts: [1, 2], gram: [abs(value), value, value, abs(value)],
            squaredNorms: [0, 1], alignments: [value, -value], laggedAlignments: [value, value]),
          parameterNorms: [1], updateNorms: [abs(value)]))
    }
    let weights = policy.mixture.weights
    #expect(abs(weights[0] + weights[1] - 1) < 1e-12)
    #expect(weights.allSatisfy { $0 >= 0.125 - 1e-9 })
    policy.observe(feedback(20_001..<20_002, domainCount: 2)[0])
    #expect(policy.mixture.weights != weights, "it still moves")
  }

  @Test func freezingNeedsAFile() {
    #expect(throws: MixingError.self) {
      _ = try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: ["freeze": "true"])
    }
  }

  @Test func needsThePlannedSteps() {
    #expect(throws: MixingError.self) {
      try ActorCriticPolicy(in: context(3, stepCount: nil))
    }
  }

  @Test(arguments: [
    ["state": "papers"], ["gamma": "1"], ["gamma": "nan"], ["uniform-share": "-0.1"],
    ["units": "0"],
    ["capacity": "1"], ["preset": "best"], ["freeze": "yes"], ["reward": "self"], ["seed": "-1"],
  ])
  func optionsOutOfRangeAreRefused(options: [String: String]) {
    #expect(throws: MixingError.self) {
      _ = try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: options)
    }
  }

  @Test func aCheckpointOfOtherSizesIsRefused() throws {
    let saved = try policy().erasedCheckpoint()
    var others: [any MixturePolicy] = [
      try policy(domainCount: 4), try policy(["units": "8"]), try policy(["state": "gram"]),
      try policy(["gamma": "0.5", "state": "paper"]),
    ]
    for index in others.indices {
      #expect(throws: MixingError.self) { try others[index].restore(from: saved) }
    }
  }
}
