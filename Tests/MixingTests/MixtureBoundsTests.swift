// Covers: MixtureBounds+Options.swift
import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct MixtureBoundsTests {
  private func context(_ count: Int) -> PolicyContext {
    PolicyContext(
      domainNames: (0..<count).map { "d\($0)" },
      sequenceCounts: (0..<count).map { 100 * ($0 + 1) })
  }

  private func settled(_ weights: [Double], _ bounds: MixtureBounds) throws -> [Double] {
    let projection = try bounds.projection(in: context(weights.count))
    return projection.settled(try Mixture(weights: weights)).weights
  }

  @Test func theFloorTakesFromTheOthersInProportion() throws {
    // Raised to .1; the others share .9 as 6 to 3.
    expectNear(try settled([0.6, 0.37, 0.03], .init(floor: 0.1)), [0.556701, 0.343299, 0.1])
    expectNear(try settled([0.64, 0.32, 0.04], .init(floor: 0.1)), [0.6, 0.3, 0.1], within: 1e-12)
    // One that was above falls to the floor, too.
    expectNear(
      try settled([0.9, 0.1, 0, 0], .init(floor: 0.1)), [0.7, 0.1, 0.1, 0.1], within: 1e-12)
    #expect(
      try settled([0.5, 0.3, 0.2], .init(floor: 0.1))
        == (try Mixture(weights: [0.5, 0.3, 0.2])).weights)
  }

  @Test func theCapGivesToTheOthersInProportion() throws {
    expectNear(try settled([0.7, 0.2, 0.1], .init(cap: 0.4)), [0.4, 0.4, 0.2], within: 1e-12)
    // What is 0 stays 0 while the others can take the rest …
    #expect(try settled([0.7, 0.3, 0], .init(cap: 0.6))[2] == 0)
    // … and else takes the rest itself, evenly.
    expectNear(try settled([1, 0, 0], .init(cap: 0.5)), [0.5, 0.25, 0.25], within: 1e-12)
    expectNear(
      try settled([1, 0, 0, 0], .init(floor: 0.1, cap: 0.4)), [0.4, 0.2, 0.2, 0.2], within: 1e-12)
  }

  @Test func boundsThatLeaveOneMixtureGiveIt() throws {
    expectNear(try settled([0.9, 0.1, 0], .init(floor: 1 / 3.0)), [1 / 3.0, 1 / 3.0, 1 / 3.0])
    expectNear(try settled([0.9, 0.1, 0], .init(cap: 1 / 3.0)), [1 / 3.0, 1 / 3.0, 1 / 3.0])
    #expect(try settled([1], .init(floor: 1)) == [1])
    expectNear(
      try settled([0.9, 0.1, 0], .init(priorDivergence: 0, prior: .uniform)),
      [1 / 3.0, 1 / 3.0, 1 / 3.0])
  }

  @Test func theProjectionIsTheNearestMixtureInTheBox() throws {
    var generator = TestGenerator(seed: 21)
    for _ in 0..<300 {
      let count = Int.random(in: 2...8, using: &generator)
      let floor = Double.random(in: 0...1, using: &generator) / Double(count)
      let cap = 1 / Double(count) + Double.random(in: 0...0.5, using: &generator)
      let asked = try Mixture(normalizing: random(count, &generator)).weights
      let bounds = MixtureBounds(floor: floor, cap: min(1, cap))
      let found = try settled(asked, bounds)
      #expect(found.allSatisfy { $0 >= floor - 1e-13 && $0 <= cap + 1e-13 })
      // Against other mixtures in the box: pairs of weights moved as far as the box allows.
      let own = Simplex.divergence(found, from: asked)
      let ownDistance = Simplex.totalVariation(found, asked)
      for _ in 0..<20 {
        var other = found
        let (i, j) = (
          Int.random(in: 0..<count, using: &generator), Int.random(in: 0..<count, using: &generator)
        )
        let room = min(found[i] - floor, bounds.cap - found[j])
        guard i != j, room > 0 else { continue }
        let part = room * Double.random(in: 0...1, using: &generator)
        other[i] -= part
        other[j] += part
        #expect(Simplex.divergence(other, from: asked) >= own - 1e-12)
        #expect(Simplex.totalVariation(other, asked) >= ownDistance - 1e-12)
      }
    }
  }

  @Test func allBoundsHoldTogetherForAnyRequests() throws {
    var generator = TestGenerator(seed: 22)
    for _ in 0..<30 {
      let count = Int.random(in: 2...8, using: &generator)
      let bounds = MixtureBounds(
        floor: 0.3 / Double(count), cap: min(1, 2.5 / Double(count)), largestMove: 0.05,
        priorDivergence: 0.1, prior: .natural)
      let context = context(count)
      let projection = try bounds.projection(in: context)
      let prior = try MixtureBounds(floor: bounds.floor, cap: bounds.cap)
        .projection(in: context).settled(try StaticMixture.natural.mixture(in: context)).weights
      var last = projection.settled(try Mixture(normalizing: random(count, &generator)))
      for _ in 0..<100 {
        let asked = try Mixture(normalizing: random(count, &generator))
        let next = projection.mixture(asked, after: last)
        #expect(next.weights.allSatisfy { $0 >= bounds.floor - 1e-12 && $0 <= bounds.cap + 1e-12 })
        #expect(Simplex.totalVariation(next.weights, last.weights) <= 0.05 + 1e-12)
        #expect(Simplex.divergence(next.weights, from: prior) <= 0.1 + 1e-12)
        last = next
      }
    }
  }

  @Test func theDivergenceBoundIsReachedAndNotPassed() throws {
    let found = try settled(
      [0.9, 0.05, 0.05], .init(priorDivergence: 0.1, prior: .uniform))
    let divergence = Simplex.divergence(found, from: [1 / 3.0, 1 / 3.0, 1 / 3.0])
    #expect(divergence <= 0.1 + 1e-12 && divergence > 0.1 - 1e-9)
    // On the segment from the prior: what is equal stays equal.
    #expect(abs(found[1] - found[2]) < 1e-12)
  }

  @Test func aMoveIsAsLongAsItMayBe() throws {
    let projection = try MixtureBounds(largestMove: 0.1).projection(in: context(2))
    let half = Mixture.uniform(domainCount: 2)
    let far = try Mixture(weights: [1, 0])
    expectNear(projection.mixture(far, after: half).weights, [0.6, 0.4], within: 1e-12)
    let near = try Mixture(weights: [0.55, 0.45])
    #expect(projection.mixture(near, after: half) == near)
  }

  @Test func whatCannotBeIsRefusedByName() {
    func refuse(_ bounds: MixtureBounds, _ text: String) {
      expectError(text) { try bounds.projection(in: context(4)) }
    }
    refuse(
      .init(floor: 0.3),
      "4 domains cannot all have the floor of 0.3: together that is more than 1; the floor is at most "
        + "1/4")
    refuse(
      .init(cap: 0.2),
      "4 domains under the cap of 0.2 do not reach 1 together; the cap is at least 1/4")
    refuse(
      .init(floor: 0.2500001),
      "4 domains cannot all have the floor of 0.2500001: together that is more than 1; the floor is "
        + "at most 1/4")
    refuse(.init(floor: 0.2, cap: 0.1), "the floor of 0.2 is above the cap of 0.1")
    let prior = StaticMixture.weights(["d0": 0.5, "d1": 0.5, "d2": 0, "d3": 0])
    refuse(
      .init(priorDivergence: 0.1, prior: prior),
      """
      the prior gives domain 'd2' nothing, so that the divergence of any mixture with it is \
      infinite; give the prior a weight for it, or set a floor
      """)
    #expect(throws: Never.self) {
      _ = try MixtureBounds(floor: 0.01, priorDivergence: 0.1, prior: prior)
        .projection(in: context(4))
    }
  }

  @Test func everyPolicyTakesTheOptions() throws {
    let options = [
      "floor": "0.05", "cap": "0.9", "largest-move": "0.1", "prior-kl": "0.2",
      "prior": "d0=0.5,d1=0.5",
    ]
    for name in ["alignment", "manual", "odm", "static"] {
      let recipe = try PolicyRegistry.builtIn.recipe(named: name, options: options)
      for (option, value) in options { #expect(recipe.options[option] == value) }
      let again = try PolicyRegistry.builtIn.recipe(named: name, options: recipe.options)
      #expect(again.options == recipe.options)
      let policy = try recipe.makePolicy(in: context(2))
      #expect(type(of: policy).name == name)
    }
    #expect(
      try PolicyRegistry.builtIn.recipe(
        named: "static", options: ["prior-kl": "0.1", "prior": "0.5"]
      ).options["prior"] == "0.5")
    func refuse(_ options: [String: String], _ text: String) {
      expectError(text) { try PolicyRegistry.builtIn.recipe(named: "static", options: options) }
    }
    refuse(["prior": "uniform"], "policy 'static' needs the option 'prior-kl' here")
    refuse(
      ["floor": "nan"], "option 'floor' of policy 'static' is 'nan'; expected: a number in [0, 1]")
    refuse(
      ["prior-kl": "0.1", "prior": "flat"],
      """
      option 'prior' of policy 'static' is 'flat'; expected: natural, uniform, an exponent, \
      domain=weight,…, or a mixture.json
      """)
  }

  private func random(_ count: Int, _ generator: inout TestGenerator) -> [Double] {
    var weights = (0..<count).map { _ in
      Int.random(in: 0...3, using: &generator) == 0
        ? 0 : Double.random(in: 0...1, using: &generator)
    }
    weights[Int.random(in: 0..<count, using: &generator)] = 1
    return weights
  }
}
