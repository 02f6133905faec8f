import Mixing
import Testing
import Training

// Covers: PolicyArm.swift, PolicyArm+Proxy.swift
@Suite(.timeLimit(.minutes(5)))
struct PolicyComparisonTests {
  private func comparison(
    _ arms: [PolicyArm], _ scenarios: [LinearScenario] = LinearScenario.allCases,
    seeds: Range<UInt64> = 5000..<5020
  ) -> PolicyComparison {
    PolicyComparison(
      arms: arms,
      worlds: scenarios.map { scenario in
        var configuration = LinearWorldConfiguration()
        configuration.scenario = scenario
        return configuration
      }, seeds: Array(seeds))
  }

  private func arm(_ options: [String: String] = [:]) throws -> PolicyArm {
    PolicyArm("ac-odm", [try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: options)])
  }

  @Test func scoresDoNotDependOnWhatElseIsCompared() throws {
    let alone = try comparison([arm()], [.transfer], seeds: 7..<9).run()
    let beside = try comparison(
      [.vertexOracle, arm()], [.unequal, .transfer], seeds: 6..<9
    ).run()
    #expect(alone.ratios[0][0] == Array(beside.ratios[1][1][1...]))
    #expect(alone.uniform[0] == Array(beside.uniform[1][1...]))
  }

  @Test func theOraclesAreBetterThanUniformWhereThereIsSomethingToGain() throws {
    let result = try comparison(
      [.vertexOracle, .softOracle, .frozenRandomMixture], [.noisy, .transfer, .unequal]
    ).run()
    for world in result.ratios {
      let means = world.map { SampleMean(of: $0).mean }
      #expect(means[0] < 0.9 && means[1] < 0.9)
      #expect(means[2] > 1.02)
    }
  }

  @Test func theActorCriticLearnsWithinOneRun() throws {
    let result = try comparison([arm()]).run()
    let means = result.ratios.map { SampleMean(of: $0[0]).mean }
    #expect(means[0] <= 1.05, "sym")
    #expect(means[1] <= 1.00, "noisy")
    #expect(means[2] <= 0.90, "transfer")
    #expect(means[3] <= 0.80, "unequal")
  }

  @Test func theActorCriticLearnsFromThePapersStateAlone() throws {
    // Its input has no alignment at all: what the losses say of it was learned within the run.
    let result = try comparison([arm(["state": "paper"])], [.transfer, .unequal]).run()
    #expect(SampleMean(of: result.ratios[0][0]).mean <= 0.90)
    #expect(SampleMean(of: result.ratios[1][0]).mean <= 0.80)
  }

  @Test func theRawSelfTermRewardsNoise() throws {
    let result = try comparison([arm(["reward": "in"]), arm(["reward": "out"])], [.noisy]).run()
    #expect(SampleMean(of: result.ratios[0][0]).mean > 2)
    #expect(SampleMean(of: result.ratios[0][1]).mean > 0.95)
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
    let result = try comparison(
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
      _ = try comparison([broken], seeds: 1..<5).run { _ in Issue.record("a seed was run") }
    }
  }

  @Test func theTableHasEveryArmOnce() throws {
    let names = try PolicyArm.table().map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.contains("ac-odm") && names.contains("frozen random actor"))
  }
}
