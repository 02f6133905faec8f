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

  @Test func perplexitySharesAreThoseWorkedByHand() throws {
    var shares = PerplexityShares(domainCount: 3)
    #expect(shares.weights(atStep: 1) == nil)
    shares.add([2, 3, 4])
    // ε = √(ln 3 / 33) = 0.182459; softmax (0.090031, 0.244728, 0.665241).
    let expected = [0.223209, 0.293229, 0.483562]
    for (a, b) in zip(try #require(shares.weights(atStep: 11)), expected) {
      #expect(abs(a - b) < 1e-6)
    }
    var unseen = PerplexityShares(domainCount: 3)
    unseen.add([nil, 3, 4])
    for (a, b) in zip(
      try #require(unseen.weights(atStep: 11)), [0.182459, 0.304188, 0.513353])
    {
      #expect(abs(a - b) < 1e-6)
    }
  }

  @Test func noLossOverflows() throws {
    var shares = PerplexityShares(domainCount: 2)
    for _ in 0..<1000 { shares.add([1e300, 1e4]) }
    #expect(shares.weights(atStep: 1000).map { abs($0[0] + $0[1] - 1) < 1e-9 } == true)
    #expect(shares.weights(atStep: 1000)?.allSatisfy(\.isFinite) == true)
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

  @Test(arguments: [ActorCriticPreset.paper, .released])
  func aSavedPolicyFindsItsDomainsByName(form: ActorCriticPreset) throws {
    let source = try learned(form)
    let saved = try #require(try source.savedPolicy())
    let names = ["c", "a", "b"]
    let frozen = small(form) { $0.isFrozen = true }
    var straight = try PublishedActorCriticPolicy(frozen, in: context(), startingFrom: saved)
    var dealt = try PublishedActorCriticPolicy(frozen, in: context(names), startingFrom: saved)
    #expect(straight.feedbackNeeds == FeedbackNeeds(losses: true, norms: true))
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
    var policy = try PublishedActorCriticPolicy(frozen, in: context(), startingFrom: saved)
    policy.observe(feedback(1, watchedCount: 5))
    #expect(throws: MixingError.self) {
      try policy.prepare(for: UpcomingStep(step: 2, tokenTotal: 0))
    }
    #expect(throws: MixingError.self, "a file of the other preset") {
      _ = try ActorCriticPolicy(in: context(), startingFrom: saved)
    }
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
        case 3: feedback.losses[0] = .nan
        default: feedback.tokenCounts = names.map { _ in 0 }
        }
        policy.observe(feedback)
        #expect(policy.mixture.weights.allSatisfy { $0 >= 0 && $0.isFinite })
      }
    }
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
