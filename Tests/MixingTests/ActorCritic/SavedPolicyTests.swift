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
    // Preset, state and sizes are the file's.
    let short = try PolicyRegistry.builtIn.recipe(
      named: "ac-odm", options: ["from": path, "freeze": "true"])
    #expect(short.options["state"] == "paper" && short.options["units"] == "16")
    var other = try short.makePolicy(in: context(4))
    other.observe(feedback(1, domainCount: 4))
    #expect(other.mixture == policy.mixture)
    func refuse(_ options: [String: String], _ text: String) {
      expectError(text) {
        try PolicyRegistry.builtIn.recipe(
          named: "ac-odm", options: options.merging(["from": path]) { first, _ in first }
        ).makePolicy(in: context(4))
      }
    }
    refuse(
      ["state": "gram"],
      "\(path): the saved policy's state: paper; here: gram; give the option state as it was")
    refuse(
      ["preset": "paper"],
      "\(path): the saved policy's preset: repaired; here: paper; give the option preset as it was")
    for (option, other) in [("warm-up", "from"), ("measured", "freeze=false")] {
      refuse(
        [option: option == "measured" ? "true" : "3"],
        "option '\(option)' of policy 'ac-odm' says nothing with \(other); leave one of them out")
    }
    for (option, value) in [
      ("learning-rate", "1"), ("gamma", "0.5"), ("capacity", "5"), ("seed", "1"), ("entropy", "1"),
    ] {
      refuse(
        [option: value, "freeze": "true"],
        "option '\(option)' of policy 'ac-odm' says nothing with freeze=true; leave one of them out"
      )
    }
    refuse(["from": path + "-not"], "\(path)-not: cannot be read: No such file or directory")
  }

  @Test func aFrozenPolicyHasNoGradientsCollected() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/policy"
    func needs(_ learned: [String: String], _ frozen: [String: String] = [:]) throws
      -> FeedbackNeeds
    {
      var policy = try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: learned)
        .makePolicy(in: context(3))
      var script = FeedbackScript(.plain, domainCount: 3)
      policy.observe(script.feedback(step: 1))
      try folder.write(try #require(try policy.savedPolicy()).bytes(), to: "policy")
      return try PolicyRegistry.builtIn.recipe(
        named: "ac-odm", options: frozen.merging(["from": path, "freeze": "true"]) { $1 }
      ).makePolicy(in: context(3)).feedbackNeeds
    }
    let norms = FeedbackNeeds(losses: true, norms: true)
    #expect(try needs(["state": "paper"]) == norms)
    #expect(try needs(["state": "paper", "reward": "cross"]) == norms)
    for preset in ["paper", "released"] {
      let options = ["preset": preset, "width": "8", "layers": "2"]
      #expect(
        try needs(options) == FeedbackNeeds(losses: true, norms: true, layerCount: 2))
    }
    for state in ["full", "gram"] {
      expectError(
        """
        a frozen policy with state=\(state) reads gradients, and a run with a frozen policy \
        collects none: have it learn with state=paper, which reads losses and norms alone, or have \
        gradients measured for it (measured=true)
        """
      ) { _ = try needs(["state": state]) }
    }
    // What is measured on demand is what the state reads; the lagged alignments are rewards.
    #expect(
      try needs([:], ["measured": "true"])
        == FeedbackNeeds(losses: true, gram: true, smoothing: 0.9, norms: true))
    #expect(
      try needs(["state": "gram"], ["measured": "true"])
        == FeedbackNeeds(losses: true, gram: true, norms: true))
  }

  @Test func whatIsSavedForOthersIsLearnedFromThePapersState() {
    func defaults(_ options: [String: String], of policy: String = "ac-odm") -> [String: String] {
      PolicyRegistry.builtIn.optionsForSaving(named: policy, options: options)
    }
    #expect(defaults([:]) == ["state": "paper"])
    #expect(defaults(["preset": "repaired", "gamma": "0.5"]) == ["state": "paper"])
    #expect(defaults(["state": "full"]) == [:])
    #expect(defaults(["preset": "paper"]) == [:])
    #expect(defaults(["from": "p"]) == [:])
    #expect(defaults([:], of: "odm") == [:])
    #expect(defaults([:], of: "none") == [:])
  }

  @Test func theEndOfARunReactsToLossesAsItsBeginningDoes() throws {
    // The time is a feature in [0, 1]; a frozen policy is shown the same ten losses at the first
    // and at the last steps of a thousand, and then other ones.
    let saved = try learned(3).savedPolicy()
    let long = PolicyContext(
      domainNames: ["d0", "d1", "d2"], sequenceCounts: [1, 1, 1], stepCount: 1000)
    func weights(from first: Int, losses: [Double]) throws -> [Double] {
      var policy = try ActorCriticPolicy(
        configuration(isFrozen: true), in: long, startingFrom: saved)
      for step in first..<first + 10 {
        var feedback = feedback(1, domainCount: 3)
        feedback.step = step
        feedback.losses = losses
        policy.observe(feedback)
      }
      return policy.mixture.weights
    }
    func sensitivity(_ first: Int) throws -> Double {
      Simplex.totalVariation(
        try weights(from: first, losses: [4, 3, 2]), try weights(from: first, losses: [2, 3, 4]))
    }
    let (begin, end) = (try sensitivity(1), try sensitivity(991))
    #expect(begin > 0.02 && end >= begin / 2, "\(begin) \(end)")
  }

  @Test func theRandomActorIsNeitherSavedNorReplaced() throws {
    var random = configuration()
    random.control = .frozenRandom
    let policy = try ActorCriticPolicy(random, in: context(3))
    #expect(try !policy.isSavable && policy.savedPolicy() == nil)
    let saved = try learned(3).savedPolicy()
    expectError(
      """
      option 'from' of policy 'ac-odm' says nothing with control=frozen-random; leave one of \
      them out
      """
    ) { _ = try ActorCriticPolicy(random, in: context(3), startingFrom: saved) }
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
