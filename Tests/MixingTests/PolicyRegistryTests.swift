import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct PolicyRegistryTests {
  private let registry = PolicyRegistry.builtIn
  private let context = PolicyContext(
    domainNames: ["code", "a=b"], sequenceCounts: [100, 300], stepCount: 1000)

  @Test func theBuiltInPoliciesAreListed() {
    #expect(
      registry.names == ["ac-odm", "alignment", "manual", "odm", "schedule", "static"])
    #expect(registry.entries.allSatisfy { !$0.summary.isEmpty })
  }

  @Test func unknownNamesAreAnsweredWithTheNearOnes() {
    expectError(
      """
      unknown policy 'statik'; did you mean 'static'?; known policies: ac-odm, \
      alignment, manual, odm, schedule, static
      """
    ) { try registry.recipe(named: "statik") }
    expectError(
      """
      unknown policy 'xyzzy'; known policies: ac-odm, alignment, manual, odm, schedule, static
      """
    ) { try registry.recipe(named: "xyzzy") }
  }

  @Test func unknownOptionsAreAnsweredWithTheNearOnes() {
    expectError(
      """
      policy 'static' has no option 'mixtur'; did you mean 'mixture'?; its options: cap, \
      exponent, file, floor, largest-move, mixture, prior, prior-kl, weights
      """
    ) { try registry.recipe(named: "static", options: ["mixtur": "natural"]) }
    expectError(
      "policy 'static with mixture=natural' has no option 'exponent'; its options: mixture"
    ) {
      try registry.recipe(
        named: "static", options: ["mixture": "natural", "exponent": "1"])
    }
  }

  @Test func optionValuesAreChecked() {
    expectError(
      """
      option 'mixture' of policy 'manual' is 'even'; expected: natural, uniform, temperature, \
      weights or regmix
      """
    ) { try registry.recipe(named: "manual", options: ["mixture": "even"]) }
    expectError("policy 'static' needs the option 'exponent' here") {
      try registry.recipe(named: "static", options: ["mixture": "temperature"])
    }
    expectError(
      "option 'exponent' of policy 'static' is 'warm'; expected: a number in [0.0, 10.0]"
    ) { try registry.recipe(named: "static", options: ["exponent": "warm"]) }
    expectError("option 'exponent' of policy 'static' is '-1'; expected: a number in [0.0, 10.0]") {
      try registry.recipe(named: "static", options: ["exponent": "-1"])
    }
    expectError("option 'weights' of policy 'static' is 'code'; expected: domain=weight") {
      try registry.recipe(named: "static", options: ["weights": "code"])
    }
    expectError("option 'weights' of policy 'static' is ''; expected: domain=weight") {
      try registry.recipe(named: "static", options: ["weights": "code=1,"])
    }
    expectError("domain 'code' is given a weight twice") {
      try registry.recipe(named: "static", options: ["weights": "code=0.5,code=0.5"])
    }
  }

  @Test(arguments: [
    [:], ["mixture": "natural"], ["mixture": "uniform"],
    ["mixture": "temperature", "exponent": "0.5"],
    ["mixture": "weights", "weights": "a=b=0.25,code=0.75"],
  ])
  func everyFormIsMadeByNameAndNamesItselfAgain(options: [String: String]) throws {
    for name in ["alignment", "manual", "odm", "static"] {
      let recipe = try registry.recipe(named: name, options: options)
      #expect(recipe.name == name)
      let policy = try recipe.makePolicy(in: context)
      #expect(type(of: policy).name == name)
      let again = try registry.recipe(named: name, options: recipe.options)
      #expect(again.options == recipe.options)
      #expect(try again.makePolicy(in: context).mixture == policy.mixture)
    }
  }

  @Test func aFormMayBeImpliedByItsOption() throws {
    let recipe = try registry.recipe(named: "static", options: ["weights": "code=0.5,a=b=0.5"])
    #expect(try recipe.makePolicy(in: context).mixture == .uniform(domainCount: 2))
    #expect(
      try registry.recipe(named: "static", options: ["file": "m.json"]).options
        == ["mixture": "regmix", "file": "m.json"])
  }

  @Test func aPolicyOfOnesOwnIsAddedOnce() throws {
    var own = registry
    let entry = PolicyRegistry.Entry(name: "greedy", summary: "All on the worst.", options: [:]) {
      _ throws(MixingError) in .custom(GreedyPolicy(mixture: .uniform(domainCount: 2)))
    }
    try own.register(entry)
    #expect(
      own.names == ["ac-odm", "alignment", "greedy", "manual", "odm", "schedule", "static"])
    #expect(registry.names == PolicyRegistry.builtIn.names)
    expectError("a policy with the name 'greedy' is registered already; names are unique") {
      try own.register(entry)
    }
    #expect(try own.recipe(named: "greedy").makePolicy(in: context) is GreedyPolicy)
    expectError(
      "policy 'greedy' has no option 'x'; its options: cap, floor, largest-move, prior, prior-kl"
    ) {
      try own.recipe(named: "greedy", options: ["x": "1"])
    }
  }

  @Test(arguments: PolicyRegistry.builtIn.names)
  func oddValuesAreRefusedOrMeanSomething(name: String) throws {
    let values = [
      "", "0", "1", "-1", "0.5", "nan", "inf", "-inf", "1e-400", "1e400", "9223372036854775807",
      "99999999999999999999", "0x1p-60", "=", "a=", "code=nan", "code=1,a=b=0",
      "code=1e308,a=b=1e308",
      "1:code=1,a=b=0;code=0,a=b=1", "1+1:code=1,a=b=0", "+:code=1,a=b=0", ";;", "{}", "/",
      "uniform",
      "natural", "exp3", "paper", "doge", "gram", "out", "tokens", "\u{0}",
    ]
    let entry = try #require(registry.entries.first { $0.name == name })
    let options = (Array(entry.options.keys) + Array(PolicyRegistry.boundsOptions.keys)).sorted()
    var generator = TestGenerator(seed: 31)
    var madeCount = 0
    for _ in 0..<4000 {
      var given: [String: String] = [:]
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let option = options[Int.random(in: 0..<options.count, using: &generator)]
        given[option] = values[Int.random(in: 0..<values.count, using: &generator)]
      }
      do throws(MixingError) {
        let recipe = try registry.recipe(named: name, options: given)
        let policy = try recipe.makePolicy(in: context)
        madeCount += 1
        let again = try registry.recipe(named: name, options: recipe.options)
        #expect(try again.makePolicy(in: context).mixture == policy.mixture, "\(given)")
      } catch {
        #expect(!error.description.isEmpty)
      }
    }
    #expect(madeCount > 5)
  }
}
