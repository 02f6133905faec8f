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

// Covers: PublishedConfiguration.swift, PublishedLearner.swift, PublishedLearner+Checkpoint.swift
// Covers: PublishedActorCriticPolicy+Saving.swift, ActorCriticRecipe.swift, PublishedNumbers.swift
@Suite(.timeLimit(.minutes(5)))
struct PublishedActorCriticPolicyTests {
  private func context(_ names: [String] = ["a", "b", "c"], stepCount: Int = 100) -> PolicyContext {
    PolicyContext(
      domainNames: names, sequenceCounts: names.indices.map { 10 * ($0 + 1) },
      stepCount: stepCount)
  }

  private func feedback(_ step: Int, domainCount: Int = 3, watchedCount: Int = 2) -> Feedback {
    var generator = SeededGenerator(seed: UInt64(step), stream: "feedback")
    let vectors = (0..<domainCount).map { domain in
      (0..<3).map { place in
        let mean = Double(domain + 1) * Double(place + 1) / 4
        return mean + 0.3 * generator.nextNormal()
      }
    }
    let gram = vectors.flatMap { a in
      vectors.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    return Feedback(
      step: step, losses: (0..<domainCount).map { 2 + Double($0) + generator.nextUniform() },
      tokenCounts: (0..<domainCount).map { domain in 4 + (domain + step) % 3 },
      gradients: GradientReport(
        microBatchCounts: [Int](repeating: 2, count: domainCount), gram: gram,
        squaredNorms: (0..<domainCount).map { domain in 2 * gram[domain * (domainCount + 1)] }),
      parameterNorms: (0..<watchedCount).map { layer in 1 + Double(layer) },
      updateNorms: (0..<watchedCount).map { layer in 0.1 + Double(layer) / Double(step) })
  }

  private func small(
    _ form: ActorCriticPreset, _ change: (inout PublishedConfiguration) -> Void = { _ in }
  ) -> PublishedConfiguration {
    var configuration = PublishedConfiguration()
    configuration.form = form
    configuration.width = 8
    configuration.layerCount = 2
    configuration.transitionsPerUpdate = 4
    configuration.warmUpStepCount = 4
    change(&configuration)
    return configuration
  }

  private func learned(_ form: ActorCriticPreset, steps: Int = 30) throws
    -> PublishedActorCriticPolicy
  {
    var policy = try PublishedActorCriticPolicy(small(form), in: context())
    for step in 1...steps { policy.observe(feedback(step)) }
    return policy
  }

  @Test(arguments: [ActorCriticPreset.paper, .released])
  func resumesExactlyAfterAnyStep(form: ActorCriticPreset) throws {
    let recipe = try PolicyRegistry.builtIn.recipe(
      named: "ac-odm",
      options: [
        "preset": form.rawValue, "width": "6", "layers": "2", "transitions": "4", "warm-up": "3",
        "capacity": "5",
      ])
    try expectResumesExactly(recipe, in: context(), observing: (1..<11).map { feedback($0) })
  }

  @Test(arguments: [false, true])
  func theCriticsGoalInTheWarmUpIsTheRewardAndItsDiscount(isWarmUp: Bool) {
    // γ = .95, a reward of .1: 1.95 · .1 in the warm-up. Afterwards the paper's scalar critic has
    // .1 / (1 − γ) = 2 as its fixed point.
    let configuration = small(.paper) {
      $0.decay = 0
      $0.learningRateMaximum = 0.003
      $0.softUpdateRate = 0.1
    }
    var generator = SeededGenerator(seed: 2)
    var learner = PublishedLearner(
      configuration, domainCount: 2, watchedCount: 0, stepCount: 4000, using: &generator)
    let policyState: [Float] = [1, -1, 0.5, 0.2, 1, -1, 0.5]
    let seen = Transition(
      policyState: policyState, action: [0.5, 0.5], rewards: [0.1, 0.1], weights: [1, 1],
      nextState: policyState)
    for _ in 0..<4000 { learner.update(with: [seen], isWarmUp: isWarmUp) }
    let value = learner.values(of: policyState, action: [0.5, 0.5])[0]
    let expected = isWarmUp ? 0.195 : 2
    #expect(abs(value - expected) < 0.02 * expected, "\(value)")
  }

  @Test func theReleasedActorIsNeverTrained() throws {
    let (early, late) = (try learned(.released, steps: 1), try learned(.released))
    #expect(early.actorParameters == late.actorParameters)
    #expect(early.criticParameters != late.criticParameters)
  }

  @Test func thePapersActorIsTrainedAfterTheWarmUp() throws {
    let (early, late) = (try learned(.paper, steps: 1), try learned(.paper))
    #expect(early.actorParameters != late.actorParameters)
    #expect(early.criticParameters != late.criticParameters)
  }

  @Test func thePapersActorClimbsWhatItsCriticSays() throws {
    // Only the first domain aligns, so ρ = a_0 r_0 is largest at the vertex.
    var policy = try PublishedActorCriticPolicy(
      small(.paper) {
        $0.width = 16
        $0.transitionsPerUpdate = 32
        $0.discount = 0
        $0.rewardSmoothing = 0
        $0.decay = 0
      }, in: context(stepCount: 600))
    var generator = SeededGenerator(seed: 9)
    for step in 1...600 {
      var feedback = feedback(step)
      let parts = (0..<3).map { _ in generator.nextUniform() }
      let shares = parts.map { $0 / parts.reduce(0, +) }
      feedback.shares = shares
      // Off the diagonal the first row has 2 a_0 in all, so that the reward, which is divided by
      // a_0, is the same for every action; the others' is 0.
      feedback.gradients?.gram = [1, shares[0], shares[0], 0, 1, 0, 0, 0, 1]
      policy.observe(feedback)
    }
    #expect(policy.mixture.weights[0] > 0.8)
  }

  @Test func theWarmUpOfTheReleasedCodeFollowsPerplexity() throws {
    var policy = try PublishedActorCriticPolicy(
      small(.released) { $0.warmUpStepCount = 50 }, in: context())
    #expect(policy.mixture.weights[2] > policy.mixture.weights[0], "natural")
    for step in 1...40 { policy.observe(feedback(step)) }
    #expect(policy.reason == "ac-odm released, warm-up")
    let weights = policy.mixture.weights
    // Losses near 2.5, 3.5 and 4.5.
    #expect(weights[2] > 1.5 * weights[1] && weights[1] > 1.2 * weights[0])
  }

  @Test func scoresHaveTheSpreadOfTheCode() {
    // Gradients −(1, 0), −(0.6, 0.8), (1, 0): rows without the diagonal (−0.4, 0, −1.6).
    let gram = [1, 0.6, -1, 0.6, 1, -0.6, -1, -0.6, 1]
    let scores = PublishedNumbers.scores(
      PublishedNumbers.alignments(gram: gram, domainCount: 3))
    for (score, expected) in zip(scores, [0.320256, 0.800641, -1.120897]) {
      #expect(abs(score - expected) < 1e-5)
    }
    #expect(abs(scores.reduce(0, +)) < 1e-9)
    #expect(PublishedNumbers.scores([4]) == [0])
    let huge = PublishedNumbers.scores([1e308, -1e308, 0])
    #expect(huge.allSatisfy { $0.isFinite })
    #expect(PublishedNumbers.scores([7, 7, 7]).allSatisfy { abs($0) < 1e-6 })
  }

  /// What a step's rewards are in the released code: scores of alignments, which do not depend on
  /// the unit of the gradients until W / mean norm reaches its limit of 999.
  @Test func rewardsDependOnTheUnitOnlyWhereTheCodesLimitBinds() {
    let gram = [1, 0.6, -1, 0.6, 1, -0.6, -1, -0.6, 1]
    func rewards(_ unit: Double) -> [Double] {
      PublishedNumbers.scores(
        PublishedNumbers.alignments(gram: gram.map { $0 * unit * unit }, domainCount: 3))
    }
    for unit in [1e-2, 0.1, 10, 100, 600] {
      for (a, b) in zip(rewards(unit), rewards(1)) { #expect(abs(a - b) < 2e-4, "unit \(unit)") }
    }
    // Rows of −4000, 0 and −16,000 norms: the first and the last are alike at −999.
    let limited = rewards(1e4)
    #expect(limited[0] == limited[2])
    #expect(abs(limited[0] - rewards(1)[0]) > 0.5)
  }

  @Test(arguments: [(5, 1.788854), (7, 2.267787), (11, 3), (22, 3)])
  func scoresLieInTheirRange(count: Int, bound: Double) {
    // One domain alone has (K − 1)/√K, which 3 limits from 11 domains on.
    let vertex = PublishedNumbers.scores([Double](repeating: 0, count: count - 1) + [1])
    #expect(abs((vertex.last ?? 0) - bound) < 1e-6)
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<200 {
      let values = (0..<count).map { _ in exp(5 * generator.nextNormal()) * generator.nextNormal() }
      let scores = PublishedNumbers.scores(values)
      #expect(scores.allSatisfy { abs($0) <= bound + 1e-6 })
      // Where no limit binds they sum to 0, so that the released objective, the mean of all
      // values, is 0 whatever the mixture is.
      if scores.allSatisfy({ abs($0) < 3 }) { #expect(abs(scores.reduce(0, +)) < 1e-9) }
    }
  }

  @Test func noiseMakesNoWeightNegative() {
    // U / 1000 is above .0002 in four of five draws; .5 cannot become negative.
    var generator = SeededGenerator(seed: 5)
    var zeros = 0
    for _ in 0..<10_000 {
      let weights = PublishedNumbers.withNoise([0.0002, 0.5], using: &generator)
      #expect(weights[0] >= 0 && weights[0] <= 0.0002 && weights[1] > 0.498)
      zeros += weights[0] == 0 ? 1 : 0
    }
    // Five standard deviations of 10,000 draws.
    #expect(abs(Double(zeros) - 8000) < 200)
  }

  @Test(arguments: [ActorCriticPreset.paper, .released])
  func aSavedPolicyFindsItsDomainsByName(form: ActorCriticPreset) throws {
    let source = try learned(form)
    let saved = try #require(try source.savedPolicy())
    let names = ["c", "a", "b"]
    let frozen = small(form) { $0.isFrozen = true }
    var straight = try PublishedActorCriticPolicy(frozen, in: context(), startingFrom: saved)
    var dealt = try PublishedActorCriticPolicy(frozen, in: context(names), startingFrom: saved)
    #expect(straight.feedbackNeeds == FeedbackNeeds(losses: true, norms: true, layerCount: 2))
    for step in 1...5 {
      let feedback = feedback(step)
      straight.observe(feedback)
      var other = feedback
      other.losses = [2, 0, 1].map { feedback.losses[$0] }
      other.tokenCounts = [2, 0, 1].map { feedback.tokenCounts[$0] }
      dealt.observe(other)
      for (place, domain) in [2, 0, 1].enumerated() {
        #expect(abs(dealt.mixture.weights[place] - straight.mixture.weights[domain]) < 1e-4)
      }
    }
    #expect(try straight.savedPolicy() == saved, "nothing was learned")
  }

  @Test func aSavedPolicyOfOtherDomainsOrLayersIsRefused() throws {
    let saved = try learned(.paper).savedPolicy()
    let frozen = small(.paper) { $0.isFrozen = true }
    func make(_ configuration: PublishedConfiguration, _ context: PolicyContext) throws {
      _ = try PublishedActorCriticPolicy(configuration, in: context, startingFrom: saved)
    }
    #expect(throws: MixingError.self) { try make(frozen, context(["a", "b"])) }
    #expect(throws: MixingError.self) { try make(frozen, context(["a", "b", "d"])) }
    #expect(throws: MixingError.self) { try make(small(.released), context()) }
    #expect(throws: MixingError.self) { try make(small(.paper) { $0.width = 9 }, context()) }
    let policy = try PublishedActorCriticPolicy(frozen, in: context(), startingFrom: saved)
    try feedback(1).validate(needs: policy.feedbackNeeds)
    expectError("the feedback's parameterNorms have 5 values; 2 are needed") {
      try feedback(1, watchedCount: 5).validate(needs: policy.feedbackNeeds)
    }
    expectError(
      "the saved policy's preset: paper; here: repaired; give the option preset as it was"
    ) { _ = try ActorCriticPolicy(in: context(), startingFrom: saved) }
  }

  @Test(arguments: [ActorCriticPreset.paper, .released])
  func hostileFeedbackLeavesAMixture(form: ActorCriticPreset) throws {
    for names in [["a"], ["a", "b", "c"]] {
      var policy = try PublishedActorCriticPolicy(small(form), in: context(names))
      for step in 1...40 {
        var feedback = feedback(step, domainCount: names.count)
        switch step % 5 {
        case 0: feedback.losses = names.map { _ in nil }
        case 1: feedback.losses = names.map { _ in 1e300 }
        case 2:
          feedback.gradients?.gram = [Double](repeating: 1e308, count: names.count * names.count)
        default: feedback.tokenCounts = names.map { _ in 0 }
        }
        policy.observe(feedback)
        #expect(policy.mixture.weights.allSatisfy { $0 >= 0 && $0.isFinite })
      }
    }
  }

  @Test func thereIsSomethingToSaveAfterTheFirstObservation() throws {
    var policy = try PublishedActorCriticPolicy(small(.paper), in: context())
    #expect(try policy.isSavable && policy.savedPolicy() == nil)
    policy.observe(feedback(1))
    #expect(try policy.savedPolicy() != nil)
  }

  @Test func optionsThatSayNothingAreRefused() throws {
    func refuse(_ options: [String: String], _ text: String) {
      expectError(text) { try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: options) }
    }
    refuse(
      ["preset": "released", "reward-smoothing": "0.5"],
      "option 'reward-smoothing' of policy 'ac-odm' says nothing with preset=released; leave one "
        + "of them out")
    refuse(
      ["preset": "paper", "learning-rate": "0.001", "learning-rate-minimum": "0.5"],
      "option 'learning-rate-minimum' of policy 'ac-odm' is '0.5'; expected: at most the learning "
        + "rate, 0.001")
    let folder = try TemporaryFolder()
    try folder.write(try #require(try learned(.paper).savedPolicy()).bytes(), to: "policy")
    let file = ["from": folder.path + "/policy"]
    refuse(
      file.merging(["warm-up": "3"]) { $1 },
      "option 'warm-up' of policy 'ac-odm' says nothing with from; leave one of them out")
    refuse(
      file.merging(["freeze": "true", "decay": "0"]) { $1 },
      "option 'decay' of policy 'ac-odm' says nothing with freeze=true; leave one of them out")
    // Preset and sizes are those of the file.
    let frozen = try PolicyRegistry.builtIn.recipe(
      named: "ac-odm", options: file.merging(["freeze": "true"]) { $1 }
    ).makePolicy(in: context())
    #expect(frozen.feedbackNeeds == FeedbackNeeds(losses: true, norms: true, layerCount: 2))
  }

  @Test func optionsOfTheOtherPresetAreRefused() {
    for options in [
      ["preset": "paper", "entropy": "1"], ["width": "4"], ["preset": "released", "state": "gram"],
    ] {
      #expect(throws: MixingError.self) {
        _ = try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: options)
      }
    }
  }
}
