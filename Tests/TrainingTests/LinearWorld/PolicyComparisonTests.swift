import Mixing
import Testing
import Training

// Covers: PolicyArm.swift, PolicyArm+Proxy.swift
@Suite(.timeLimit(.minutes(5)))
struct PolicyComparisonTests {
  private static func comparison(
    _ arms: [PolicyArm], _ scenarios: [LinearScenario] = LinearScenario.allCases,
    isBalanced: Bool = false, seeds: Range<UInt64> = 5000..<5020
  ) -> PolicyComparison {
    PolicyComparison(
      arms: arms,
      worlds: scenarios.map { scenario in
        var configuration = LinearWorldConfiguration()
        configuration.scenario = scenario
        configuration.isBalanced = isBalanced
        return configuration
      }, seeds: Array(seeds))
  }

  private static func arm(
    _ options: [String: String] = [:], of policy: String = "ac-odm"
  ) throws -> PolicyArm {
    PolicyArm(policy, [try PolicyRegistry.builtIn.recipe(named: policy, options: options)])
  }

  /// What the orderings are asserted of.
  private enum Arm: CaseIterable {
    case vertexOracle, softOracle, randomMixture, bandit, paperBandit
    case plainSelfIn, plainSelfOut, plainCross, soft, softGram
    case learner, farSighted, paperState, gramState, selfIn, selfOut

    func make() throws -> PolicyArm {
      switch self {
      case .vertexOracle: .vertexOracle
      case .softOracle: .softOracle
      case .randomMixture: .frozenRandomMixture
      case .bandit: try arm(of: "odm")
      case .paperBandit: try arm(["form": "paper"], of: "odm")
      case .plainSelfIn: try plainAlignment("in")
      case .plainSelfOut: try plainAlignment("out")
      case .plainCross: try plainAlignment("cross")
      case .soft: try arm(of: "alignment")
      case .softGram: try arm(["memory": "gram", "rate": "2"], of: "alignment")
      case .learner: try arm()
      case .farSighted: try arm(["gamma": "0.95"])
      case .paperState: try arm(["state": "paper"])
      case .gramState: try arm(["state": "gram"])
      case .selfIn: try arm(["reward": "in"])
      case .selfOut: try arm(["reward": "out"])
      }
    }
  }

  /// The exponentiated step on plain alignments: bounded scores and a floor of 5 %.
  private static func plainAlignment(_ selfTerm: String) throws -> PolicyArm {
    try arm(
      [
        "form": "doge", "score-low": "-4", "score-high": "4", "uniform-share": "0.25",
        "self": selfTerm,
      ], of: "alignment")
  }

  /// The mean ratios of all arms in the four gaussian worlds, worked out once for all tests.
  private static let gaussian = Result {
    let result = try comparison(try Arm.allCases.map { try $0.make() }).run()
    return zip(LinearScenario.allCases, means(result)).reduce(into: Table()) { table, world in
      table[world.0] = Dictionary(uniqueKeysWithValues: zip(Arm.allCases, world.1))
    }
  }

  private typealias Table = [LinearScenario: [Arm: Double]]

  /// The mean ratio of an arm in a gaussian world; uniform's is 1.
  private func score(_ arm: Arm, _ scenario: LinearScenario) throws -> Double {
    try #require(try Self.gaussian.get()[scenario]?[arm])
  }

  /// The mean ratios `[world][arm]`.
  private static func means(_ result: PolicyComparison.Result) -> [[Double]] {
    result.ratios.map { world in world.map { SampleMean(of: $0).mean } }
  }

  @Test func scoresDoNotDependOnWhatElseIsCompared() throws {
    let alone = try Self.comparison([Self.arm()], [.transfer], seeds: 7..<9).run()
    let beside = try Self.comparison(
      [.vertexOracle, Self.arm()], [.unequal, .transfer], seeds: 6..<9
    ).run()
    #expect(alone.ratios[0][0] == Array(beside.ratios[1][1][1...]))
    #expect(alone.uniform[0] == Array(beside.uniform[1][1...]))
  }

  private static let gainful: [LinearScenario] = [.noisy, .transfer, .unequal]

  @Test(arguments: gainful)
  func theOraclesAreBetterThanUniformWhereThereIsSomethingToGain(in world: LinearScenario) throws {
    #expect(try score(.vertexOracle, world) < 0.9)
    #expect(try score(.softOracle, world) < 0.9)
  }

  @Test(arguments: LinearScenario.allCases)
  func aFrozenRandomMixtureIsWorseThanUniform(in world: LinearScenario) throws {
    #expect(try score(.randomMixture, world) > 1.02)
  }

  @Test func theReleasedCodeIsAFrozenRandomActorAndWorseThanUniform() throws {
    let released = try Self.arm(["preset": "released", "width": "64"])
    let result = try Self.comparison([released], seeds: 5000..<5005).run()
    #expect(Self.means(result).allSatisfy { $0[0] > 1.02 })
  }

  @Test func theBanditFollowsLossesThatCannotFall() throws {
    #expect(try score(.bandit, .noisy) > 3)
    #expect(try score(.paperBandit, .noisy) > 1.1)
  }

  @Test func plainAlignmentFailsAsItsSelfTermSays() throws {
    // The raw term takes noise for progress; without one, a domain that stands alone starves.
    #expect(try score(.plainSelfIn, .noisy) > score(.plainSelfOut, .noisy))
    #expect(try score(.plainCross, .noisy) < 1)
    #expect(try score(.plainSelfOut, .transfer) > 1)
    // None of them is the soft form, whose scores have no scale and are not summed up.
    for arm in [Arm.plainSelfIn, .plainSelfOut, .plainCross] {
      #expect(try score(arm, .transfer) > score(.soft, .transfer) + 0.1)
    }
  }

  @Test func theActorCriticLearnsWithinOneRun() throws {
    #expect(try score(.learner, .symmetric) <= 1.05)
    #expect(try score(.learner, .noisy) <= 1.00)
    #expect(try score(.learner, .transfer) <= 0.90)
    #expect(try score(.learner, .unequal) <= 0.80)
  }

  @Test func inTheBalancedWorldItIsNotMuchWorseThanUniform() throws {
    let result = try Self.comparison([Self.arm()], isBalanced: true).run()
    #expect(Self.means(result).allSatisfy { $0[0] <= 1.1 })
  }

  @Test func theActorCriticLearnsFromThePapersStateAlone() throws {
    // Its input has no alignment at all: what the losses say of it was learned within the run.
    #expect(try score(.paperState, .transfer) <= 0.90)
    #expect(try score(.paperState, .unequal) <= 0.80)
  }

  @Test(arguments: gainful)
  func withLossesAloneTheCriticBeatsTheBandit(in world: LinearScenario) throws {
    #expect(try score(.paperState, world) < score(.paperBandit, world) - 0.1)
  }

  @Test(arguments: [LinearScenario.transfer, .unequal])
  func withSmoothedGradientsTheCriticAddsNothing(in world: LinearScenario) throws {
    #expect(abs(try score(.learner, world) - score(.farSighted, world)) < 0.03)
    #expect(abs(try score(.learner, world) - score(.soft, world)) < 0.03)
  }

  @Test func withGramMatricesAloneTheCriticBeatsTheirAverage() throws {
    #expect(try score(.gramState, .noisy) < score(.softGram, .noisy) - 0.2)
    #expect(try score(.gramState, .transfer) < score(.softGram, .transfer) - 0.01)
    #expect(try score(.gramState, .unequal) < score(.softGram, .unequal) - 0.02)
  }

  @Test func theRawSelfTermRewardsNoise() throws {
    #expect(try score(.selfIn, .noisy) > 2)
    #expect(try score(.selfOut, .noisy) > 0.95)
  }

  @Test func otherSamplesAreOtherLuckAndNoOtherWorld() throws {
    let result = try Self.comparison([.uniformOfOtherSamples], [.unequal]).run()
    #expect(zip(result.excessLosses[0][0], result.uniform[0]).allSatisfy { $0 != $1 })
    #expect(abs(SampleRatio(of: result.excessLosses[0][0], to: result.uniform[0]).ratio - 1) < 0.05)
  }

  @Test(arguments: [5, 8])
  func aPolicyThatLearnedInSmallWorldsGuidesALargerOne(domainCount: Int) throws {
    for state in [ActorCriticConfiguration.StateForm.full, .paper] {
      var proxy = PolicyArm.Proxy()
      proxy.state = state
      let frozen = try PolicyArm.frozen("frozen", after: proxy)
      let worlds = [LinearScenario.transfer, .unequal].map { scenario in
        var world = LinearWorldConfiguration()
        world.scenario = scenario
        world.domainCount = domainCount
        return world
      }
      let result = try PolicyComparison(
        arms: [frozen], worlds: worlds, seeds: Array(5000..<5010)
      ).run()
      #expect(SampleMean(of: result.ratios[0][0]).mean < 0.97, "\(state)")
      #expect(SampleMean(of: result.ratios[1][0]).mean < 0.85, "\(state)")
    }
  }

  @Test func anArmIsTheMeanOfItsPolicies() throws {
    let recipe = { (name: String) in
      PolicyRecipe.custom(
        StaticPolicy(
          try Mixture(
            weights: name == "a" ? [0.6, 0.1, 0.1, 0.1, 0.1] : [0.1, 0.6, 0.1, 0.1, 0.1])))
    }
    let result = try Self.comparison(
      [
        PolicyArm("a", [recipe("a")]), PolicyArm("b", [recipe("b")]),
        PolicyArm("both", [recipe("a"), recipe("b")]),
      ], [.noisy], seeds: 1..<3
    ).run()
    for seed in 0..<2 {
      let scores = result.ratios[0].map { $0[seed] }
      #expect(abs(scores[2] - (scores[0] + scores[1]) / 2) < 1e-12)
      #expect(scores[0] != scores[1])
    }
  }

  @Test func theFirstErrorIsThrown() {
    let broken = PolicyArm(
      "broken",
      [PolicyRecipe(name: "broken") { _ throws(MixingError) in throw .emptyMixture }])
    // Before anything is run.
    #expect(throws: MixingError.self) {
      _ = try Self.comparison([broken], seeds: 1..<5).run { _ in Issue.record("a seed was run") }
    }
  }

  @Test func theTableHasEveryArmOnce() throws {
    let names = try PolicyArm.table().map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.contains("ac-odm") && names.contains("frozen random actor"))
  }
}
