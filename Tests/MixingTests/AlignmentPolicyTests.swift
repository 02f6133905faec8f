// Covers: AlignmentPolicy+Settings.swift
import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct AlignmentPolicyTests {
  private let context = PolicyContext(
    domainNames: ["a", "b", "c"], sequenceCounts: [100, 100, 100])

  private func feedback(_ step: Int, _ report: GradientReport) -> Feedback {
    Feedback(step: step, losses: [nil, nil, nil], tokenCounts: [0, 0, 0], gradients: report)
  }

  private func aligned(_ step: Int, _ alignments: [Double]) -> Feedback {
    feedback(step, GradientReport(alignments: alignments, laggedAlignments: alignments))
  }

  // MARK: Soft

  @Test func theSoftFormIsAFlooredSoftmaxOfAlignmentsInUnitsOfTheirMean() throws {
    var policy = try AlignmentPolicy(in: context)
    #expect(policy.feedbackNeeds == FeedbackNeeds(smoothing: 0.9))
    #expect(policy.mixture == .uniform(domainCount: 3))
    #expect(policy.reason == "alignment soft, initial uniform")
    // s = 2.2/3, W/s = (.8182, 1.3636, −.8182), softmax of 4 W/s (.1014, .8985, .0001), ¾ of it +
    // .25/3.
    policy.observe(aligned(1, [0.6, 1.0, -0.6]))
    expectNear(try #require(policy.rewards), [0.818182, 1.363636, -0.818182])
    expectNear(policy.mixture.weights, [0.159369, 0.757189, 0.083443])
    #expect(policy.reason == "alignment soft")
    // s = .9 · 2.2/3 + .1 · .7/3 = .68333.
    policy.observe(aligned(2, [0.1, -0.2, 0.4]))
    expectNear(policy.mixture.weights, [0.191053, 0.101938, 0.707009])
  }

  @Test func theInitialMixtureMultipliesTheExponentials() throws {
    let initial = StaticMixture.weights(["a": 0.5, "b": 0.3, "c": 0.2])
    var policy = try AlignmentPolicy(.init(initial: initial), in: context)
    policy.observe(aligned(1, [0.6, 1.0, -0.6]))
    expectNear(policy.mixture.weights, [0.202041, 0.714557, 0.083402])
  }

  @Test func alignmentsOfZeroLeaveThePrior() throws {
    let initial = StaticMixture.weights(["a": 0.5, "b": 0.3, "c": 0.2])
    var policy = try AlignmentPolicy(.init(uniformShare: 0, initial: initial), in: context)
    for step in 1...5 { policy.observe(aligned(step, [0, 0, 0])) }
    expectNear(policy.mixture.weights, [0.5, 0.3, 0.2], within: 1e-12)
    // The same of gradients that are all orthogonal, by their Gram matrix without the self term.
    var gram = try AlignmentPolicy(.init(memory: .gram, selfTerm: .excluded), in: context)
    let report = GradientReport(
      microBatchCounts: [2, 2, 2], gram: [4, 0, 0, 0, 9, 0, 0, 0, 1], squaredNorms: [4, 9, 1])
    for step in 1...5 { gram.observe(feedback(step, report)) }
    #expect(gram.mixture == .uniform(domainCount: 3))
  }

  @Test(arguments: [0x1p-400, 0x1p-20, 0x1p20, 0x1p400])
  func theScaleOfTheGradientsDoesNotMatter(scale: Double) throws {
    for settings in [
      AlignmentPolicy.Settings(), .init(memory: .gram), .init(memory: .gram, selfTerm: .included),
    ] {
      var plain = try AlignmentPolicy(settings, in: context)
      var scaled = plain
      var generator = TestGenerator(seed: 5)
      for step in 1...30 {
        let report = randomReport(&generator)
        plain.observe(feedback(step, report))
        scaled.observe(feedback(step, report.scaled(by: scale)))
        #expect(plain.mixture == scaled.mixture)
      }
    }
  }

  @Test func theGramFormTakesTheRowSumsOfTheAverage() throws {
    var policy = try AlignmentPolicy(.init(smoothing: 0.8, memory: .gram), in: context)
    #expect(policy.feedbackNeeds == FeedbackNeeds(gram: true))
    var average = GramAverage(domainCount: 3, smoothing: 0.8, selfTerm: .cross)
    var same = try AlignmentPolicy(in: context)
    var generator = TestGenerator(seed: 6)
    for step in 1...30 {
      let report = randomReport(&generator)
      average.add(try #require(DomainGram(report, domainCount: 3)))
      policy.observe(feedback(step, report))
      same.observe(aligned(step, average.rowSums))
      #expect(policy.mixture == same.mixture)
    }
  }

  @Test func aDomainIsLetGoAsSoonAsItIsLearned() throws {
    var policy = try AlignmentPolicy(in: context)
    for step in 1...200 { policy.observe(aligned(step, [1, 0.1, 0.1])) }
    #expect(policy.mixture.weights[0] > 0.8)
    for step in 201...210 { policy.observe(aligned(step, [0, 0.1, 0.1])) }
    #expect(policy.mixture.weights[0] < 0.25)
  }

  // MARK: DoGE

  @Test func dogesStepIsThatOfTheClosedForm() throws {
    var policy = try AlignmentPolicy(.doge(selfTerm: .included), in: context)
    #expect(policy.feedbackNeeds == FeedbackNeeds(gram: true))
    policy.observe(feedback(1, ThreeQuadratics.report()))
    // Scores (.6, 1, 0) times η = 5e-4 are the source's (3e-4, 5e-4, 0).
    expectNear(try #require(policy.rewards), [0.6, 1, 0], within: 2e-6)
    expectNear(policy.mixture.weights, [0.334376, 0.341131, 0.324494])
    // Without the self term every score is cut at 0.
    var without = try AlignmentPolicy(.doge(selfTerm: .excluded), in: context)
    without.observe(feedback(1, ThreeQuadratics.report()))
    #expect(without.mixture == .uniform(domainCount: 3))
  }

  @Test func oneMicroBatchDoesNotLowerADomainsScore() throws {
    // Three orthogonal gradients of norm 1 with noise of trace 1: H_ii = 1 + 1/n, s = 2.
    func report(_ counts: [Int]) -> GradientReport {
      var gram = [Double](repeating: 0, count: 9)
      for domain in 0..<3 { gram[4 * domain] = 1 + 1 / Double(counts[domain]) }
      return GradientReport(
        microBatchCounts: counts, gram: gram, squaredNorms: [2, 2, 2])
    }
    var policy = try AlignmentPolicy(.doge(selfTerm: .cross), in: context)
    func ratios(_ step: Int, _ counts: [Int]) throws -> [Double] {
      policy.observe(feedback(step, report(counts)))
      let scores = try #require(policy.rewards)
      return scores.map { $0 / scores[1] }
    }
    // Before a self term was measured the square stands in, noise included.
    expectNear(try ratios(1, [1, 4, 4]), [2, 1, 1])
    expectNear(try ratios(2, [4, 4, 4]), [1, 1, 1])
    for step in 3...200 { expectNear(try ratios(step, [1, 4, 4]), [1, 1, 1]) }
    #expect(policy.mixture.weights.allSatisfy { abs($0 - 1 / 3.0) < 0.02 })
  }

  @Test func aScoreBelowZeroCountsWhereItIsLet() throws {
    let settings = AlignmentPolicy.Settings.doge(
      rate: 0.05, bregmanWeight: 1, scoreRange: -4...4, uniformShare: 0.25, selfTerm: .included)
    var policy = try AlignmentPolicy(settings, in: context)
    for step in 1...2 { policy.observe(feedback(step, ThreeQuadratics.report())) }
    expectNear(policy.mixture.weights, [0.338765, 0.347886, 0.313350])
  }

  @Test func aStepIsAtMostTheLargestScore() throws {
    var policy = try AlignmentPolicy(.doge(selfTerm: .included), in: context)
    policy.observe(feedback(1, ThreeQuadratics.report(scale: 1e6)))
    // Scores (5, 5, 0): the log-ratio of one step is 5 η / μ = .25.
    expectNear(policy.mixture.weights, [0.359867, 0.359867, 0.280265])
  }

  @Test func anUnseenDomainHasNoScore() throws {
    var policy = try AlignmentPolicy(.doge(scoreRange: -5...5, selfTerm: .included), in: context)
    var report = ThreeQuadratics.report()
    report.microBatchCounts = [1, 1, 0]
    report.gram = [1, 0.6, 0, 0.6, 1, 0, 0, 0, 0]
    policy.observe(feedback(1, report))
    // The mean norm is that of the two that were seen.
    expectNear(try #require(policy.rewards), [1.6, 1.6, 0], within: 2e-6)
  }

  @Test func aDomainThatWasDrivenOutComesBack() throws {
    var policy = try AlignmentPolicy(
      .doge(rate: 1, bregmanWeight: 0.1, selfTerm: .included), in: context)
    let report = ThreeQuadratics.report()
    for step in 1...1000 { policy.observe(feedback(step, report)) }
    #expect(policy.mixture.integerShares.min() == 1)
    var turned = report
    turned.gram = [1, -0.9, 0.5, -0.9, 1, -0.9, 0.5, -0.9, 5]
    for step in 1001...1010 { policy.observe(feedback(step, turned)) }
    #expect(policy.mixture.weights[2] > 0.5)
  }

  // MARK: Both

  @Test func warmUpCollectsWithoutMoving() throws {
    var warm = try AlignmentPolicy(.init(memory: .gram, warmUpStepCount: 3), in: context)
    var cold = try AlignmentPolicy(.init(memory: .gram), in: context)
    var generator = TestGenerator(seed: 8)
    for step in 1...4 {
      let report = randomReport(&generator)
      warm.observe(feedback(step, report))
      cold.observe(feedback(step, report))
      #expect((warm.mixture == cold.mixture) == (step >= 3))
    }
  }

  @Test func isAskedForByName() throws {
    let registry = PolicyRegistry.builtIn
    let soft = try registry.recipe(
      named: "alignment", options: ["memory": "gram", "self": "out", "rate": "2"])
    #expect(
      soft.options
        == PolicyRecipe.alignment(.init(rate: 2, memory: .gram, selfTerm: .excluded)).options)
    let doge = try registry.recipe(
      named: "alignment", options: ["form": "doge", "score-low": "-5", "mixture": "natural"])
    #expect(
      doge.options
        == PolicyRecipe.alignment(.doge(scoreRange: -5...5, initial: .natural)).options)
    #expect(doge.options["self"] == "in", "as in the source")
    func refuse(_ options: [String: String], _ text: String) {
      expectError(text) { try registry.recipe(named: "alignment", options: options) }
    }
    refuse(
      ["self": "in"],
      "option 'self' of policy 'alignment' is 'in'; expected: cross, or memory=gram, or form=doge")
    refuse(
      ["score-low": "1"],
      "option 'score-low' of policy 'alignment' says nothing with form=soft; leave one of them out")
    refuse(
      ["form": "doge", "smoothing": "0.9"],
      "option 'smoothing' of policy 'alignment' says nothing with form=doge; leave one of them out")
    refuse(
      ["form": "doge", "score-low": "9"],
      "option 'score-high' of policy 'alignment' is ''; expected: a number of at least score-low")
    refuse(
      ["uniform-share": "2"],
      "option 'uniform-share' of policy 'alignment' is '2'; expected: a number in [0, 1]")
  }

  @Test func aDamagedCheckpointIsRefused() throws {
    var policy = try AlignmentPolicy(.init(memory: .gram), in: context)
    var generator = TestGenerator(seed: 9)
    policy.observe(feedback(1, randomReport(&generator)))
    let good = try policy.erasedCheckpoint()
    // The weights come first.
    for bad in [Double.nan, -1, .infinity] {
      var bytes = good.arrays
      withUnsafeBytes(of: bad.bitPattern.littleEndian) { bytes.replaceSubrange(0..<8, with: $0) }
      expectError(
        "the checkpoint of policy 'alignment' cannot be read: it holds a number that no run leads to"
      ) {
        try policy.restore(
          from: PolicyCheckpoint(policy: good.policy, fields: good.fields, arrays: bytes))
      }
    }
    var plain = try AlignmentPolicy(in: context)
    expectError(
      """
      the checkpoint of policy 'alignment' was made with memory = gram, the run has gradients; \
      resume with the same or start the policy anew
      """
    ) { try plain.restore(from: good) }
  }

  // MARK: Reports

  /// The report of three random gradients of one to four micro-batches each.
  private func randomReport(_ generator: inout TestGenerator) -> GradientReport {
    var means: [[Double]] = []
    var (counts, squares): ([Int], [Double]) = ([], [])
    for _ in 0..<3 {
      let count = Int.random(in: 1...4, using: &generator)
      let batches: [[Double]] = (0..<count).map { _ in
        (0..<4).map { _ in Double.random(in: -1...1, using: &generator) }
      }
      means.append((0..<4).map { axis in batches.reduce(0.0) { $0 + $1[axis] } / Double(count) })
      squares.append(
        batches.reduce(0.0) { sum, batch in sum + batch.reduce(0.0) { $0 + $1 * $1 } }
          / Double(count))
      counts.append(count)
    }
    let gram = means.flatMap { a in
      means.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    let sums = (0..<3).map { gram[3 * $0..<3 * $0 + 3].reduce(0, +) }
    return GradientReport(
      microBatchCounts: counts, gram: gram, squaredNorms: squares, alignments: sums,
      laggedAlignments: sums)
  }
}

extension GradientReport {
  /// The report of all gradients times the root of `factor`.
  fileprivate func scaled(by factor: Double) -> GradientReport {
    func scaled(_ values: [Double]?) -> [Double]? { values?.map { $0 * factor } }
    return GradientReport(
      microBatchCounts: microBatchCounts, gram: scaled(gram), squaredNorms: scaled(squaredNorms),
      alignments: scaled(alignments), laggedAlignments: scaled(laggedAlignments))
  }
}
