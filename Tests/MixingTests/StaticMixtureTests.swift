import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct StaticMixtureTests {
  private let context = PolicyContext(
    domainNames: ["code", "prose", "data"], sequenceCounts: [600, 300, 100])

  @Test func uniformSharesAreEqual() throws {
    #expect(try StaticPolicy(.uniform, in: context).mixture == .uniform(domainCount: 3))
  }

  @Test func temperatureLiesBetweenUniformAndNatural() throws {
    let natural = try StaticMixture.natural.mixture(in: context)
    #expect(try StaticMixture.temperature(1).mixture(in: context) == natural)
    #expect(
      try StaticMixture.temperature(0).mixture(in: context) == .uniform(domainCount: 3))
    // √900 : √400 : √100 = 3 : 2 : 1.
    let squares = PolicyContext(
      domainNames: ["a", "b", "c"], sequenceCounts: [900, 400, 100])
    #expect(
      try StaticMixture.temperature(0.5).mixture(in: squares) == Mixture(normalizing: [3, 2, 1]))
    // Far apart and steep: still no weight of 0.
    let steep = PolicyContext(domainNames: ["a", "b"], sequenceCounts: [1, 1_000_000_000_000_000])
    #expect(try StaticMixture.temperature(10).mixture(in: steep).integerShares[0] == 1)
  }

  @Test(arguments: [-0.1, .nan, .infinity])
  func aWeightThatIsNoneIsNamedWithItsDomain(value: Double) {
    let context = PolicyContext(domainNames: ["a", "b"], sequenceCounts: [1, 1])
    expectError("the weight of domain 'b' is \(value); weights are finite numbers of at least 0") {
      try StaticMixture.weights(["a": 1, "b": value]).mixture(in: context)
    }
  }

  @Test(arguments: [-0.1, 10.5, .nan, .infinity])
  func exponentsOutsideTheirRangeAreRefused(exponent: Double) {
    expectError(
      """
      the exponent of a temperature mixture is \(exponent); it lies in [0.0, 10.0], 0 is uniform \
      and 1 natural
      """
    ) { try StaticMixture.temperature(exponent).mixture(in: context) }
  }

  @Test func weightsAreGivenByName() throws {
    let weights = StaticMixture.weights(["data": 0.25, "code": 0.75, "prose": 0])
    #expect(
      try weights.mixture(in: context) == Mixture(weights: [0.75, 0, 0.25]))
    expectError("the corpus has no domain 'proze'; did you mean 'prose'?") {
      try StaticMixture.weights(["code": 0.5, "proze": 0.5]).mixture(in: context)
    }
    expectError("the corpus has no domain 'xyzzy'") {
      try StaticMixture.weights(["xyzzy": 1]).mixture(in: context)
    }
    expectError(
      "no weight is given for domain 'data'; a domain that shall not be drawn needs weight 0"
    ) { try StaticMixture.weights(["code": 0.5, "prose": 0.5]).mixture(in: context) }
    expectError(
      """
      no weight is given for domains 'prose', 'data'; a domain that shall not be drawn needs \
      weight 0
      """
    ) { try StaticMixture.weights(["code": 1]).mixture(in: context) }
    expectError("the weights sum to 0.9, not 1 (within 1e-06); divide each by the sum") {
      try StaticMixture.weights(["code": 0.9, "prose": 0, "data": 0]).mixture(in: context)
    }
  }
}
