import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct PolicyRecipeTests {
  private let context = PolicyContext(domainNames: ["code", "prose"], sequenceCounts: [100, 300])

  @Test func builtInRecipesSayTheirOptions() throws {
    let weights = PolicyRecipe.static(.weights(["prose": 0.75, "code": 0.25]))
    #expect(weights.name == "static")
    #expect(weights.options == ["mixture": "weights", "weights": "code=0.25,prose=0.75"])
    #expect(try weights.makePolicy(in: context).mixture.weights == [0.25, 0.75])

    let manual = PolicyRecipe.manual(.temperature(0))
    #expect(manual.options == ["mixture": "temperature", "exponent": "0.0"])
    let policy = try manual.makePolicy(in: context)
    #expect(policy.mixture == .uniform(domainCount: 2))
    #expect(policy.reason == "manual, initial temperature 0.0")
  }

  @Test func aReadyMadePolicyIsGivenAsItIs() throws {
    let recipe = PolicyRecipe.custom(GreedyPolicy(mixture: .uniform(domainCount: 2)))
    #expect(recipe.name == "greedy")
    #expect(recipe.options.isEmpty)
    #expect(try recipe.makePolicy(in: context) is GreedyPolicy)
  }

  @Test func aReadyMadePolicyForOtherDomainsIsRefused() {
    let recipe = PolicyRecipe.custom(GreedyPolicy(mixture: .uniform(domainCount: 5)))
    expectError("the mixture is for 5 domains, the run has 2") {
      try recipe.makePolicy(in: context)
    }
  }
}
