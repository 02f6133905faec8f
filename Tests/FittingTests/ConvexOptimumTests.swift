// Covers: CappedSimplex.swift
// Covers: MixtureObjective.swift
// Covers: ProjectedGradient.swift
// Covers: ActiveSetNewton.swift
import Fitting
import Kernels
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct ConvexOptimumTests {
  private func optimum(
    _ laws: [any ConvexLossModel], _ weights: [Double], floors: [Double]? = nil,
    caps: [Double]? = nil, prior: [Double]? = nil, strength: Double = 0
  ) throws -> ConvexOptimum {
    try ConvexOptimum(
      minimizing: zip(laws, weights).map { WeightedLoss($0, weight: $1) },
      under: MixtureConstraints(
        domainCount: laws[0].domainCount, floors: floors, caps: caps, prior: prior,
        priorStrength: strength))
  }

  @Test func twoDomainsMeetWhereTheirSlopesDo() throws {
    // r* = (ln(w1 k1 a1) − ln(w2 k2 a2) + a2) / (a1 + a2).
    let laws = [
      MixingLaw(floor: 1, factor: 0.9, rates: [-2, 0]),
      MixingLaw(floor: 2, factor: 1.7, rates: [0, -3.5]),
    ]
    let found = try optimum(laws, [0.6, 0.4])
    expectClose(found.shares[0], 0.49270191880959, within: 1e-9)
    expectClose(found.objective, 1.7167619120768, within: 1e-12)
    #expect(found.gap < 1e-10)
    #expect(found.isCertified)
  }

  @Test func domainsThatHelpOnlyThemselvesAreFilledLikeWater() throws {
    // r_i = ln(w_i k_i a_i / λ) / a_i.
    let (rates, factors) = ([4.0, 3, 5], [0.36, 0.4, 0.4])
    let laws = (0..<3).map { index in
      MixingLaw(
        floor: 0, factor: factors[index], rates: (0..<3).map { $0 == index ? -rates[index] : 0 })
    }
    let found = try optimum(laws, [1, 1, 1])
    expectClose(found.shares, [0.31757650, 0.36266148, 0.31976202], within: 1e-7)
    expectClose(found.objective, 0.31668115, within: 1e-8)
    // λ, the price of share, is what each law falls by with its own domain.
    for (law, rate) in zip(laws, rates) {
      expectClose(rate * law.loss(of: found.shares), 0.40427381, within: 1e-7)
    }
    #expect(found.gap < 1e-10)
  }

  @Test func symmetryGivesUniformAndOneHelperAVertex() throws {
    let laws = (0..<4).map { index in
      MixingLaw(floor: 1, exponents: (0..<4).map { $0 == index ? -2 : 0 })
    }
    expectClose(
      try optimum(laws, [1, 1, 1, 1]).shares, [0.25, 0.25, 0.25, 0.25], within: 1e-9)
    let single = try optimum([MixingLaw(floor: 1, exponents: [-0.5, -0.1, -2, 0.3])], [1])
    expectClose(single.shares, [0, 0, 1, 0], within: 1e-12)
    #expect(single.gap < 1e-12)
  }

  @Test func aGaugeShiftMovesNoOptimum() throws {
    let shifted = SyntheticLaws.laws.map { law in
      MixingLaw(
        floor: law.floor, factor: exp(-0.7), rates: law.exponents.map { $0 + 0.7 })
    }
    let (one, other) = (
      try optimum(SyntheticLaws.laws, SyntheticLaws.weights),
      try optimum(shifted, SyntheticLaws.weights)
    )
    expectClose(one.shares, other.shares, within: 1e-7)
    expectClose(one.objective, other.objective, within: 1e-13)
  }

  @Test func printedFiveDomainLawHasTheOptimumOfTheSpecification() throws {
    let free = try optimum(FiveDomains.laws, FiveDomains.weights)
    expectClose(
      free.shares, [0.275827, 0.136627, 0.064418, 0.115525, 0.407603], within: 1e-6)
    expectClose(free.objective, 3.029958, within: 1e-6)
    #expect(free.gap < 1e-10)
    let capped = try optimum(
      FiveDomains.laws, FiveDomains.weights, caps: [0.5, 0.1, 0.05, 0.1, 0.4])
    expectClose(capped.shares, [0.35, 0.1, 0.05, 0.1, 0.4], within: 1e-9)
    expectClose(capped.objective, 3.035142, within: 1e-6)
    #expect(capped.gap < 1e-10)
  }

  @Test func syntheticLawsHaveTheirKnownOptima() throws {
    let free = try optimum(SyntheticLaws.laws, SyntheticLaws.weights)
    expectClose(
      free.shares,
      [0.35104597324965237, 0.30151505913065035, 0.22253658632955495, 0.12490238129014251],
      within: 1e-6)
    expectClose(free.objective, 2.8410155057991484, within: 1e-9)
    #expect(free.gap < 1e-10)
    let capped = try optimum(
      SyntheticLaws.laws, SyntheticLaws.weights, caps: [1, 0.15, 0.2, 0.03])
    expectClose(capped.shares, [0.6521343988543041, 0.15, 0.167865601145696, 0.03], within: 1e-6)
    expectClose(capped.objective, 2.8839913394976473, within: 1e-9)
    #expect(capped.gap < 1e-10)
  }

  @Test func boundsThatLeaveOneMixtureGiveIt() throws {
    let laws = SyntheticLaws.laws
    let weights = SyntheticLaws.weights
    let fixed = [0.1, 0.2, 0.3, 0.4]
    expectClose(
      try optimum(laws, weights, floors: fixed, caps: fixed).shares, fixed, within: 1e-12)
    let tight = [0.5, 0.25, 0.25, 0]
    expectClose(try optimum(laws, weights, caps: tight).shares, tight, within: 1e-12)
    let without = try optimum(laws, weights, caps: [1, 0, 1, 1])
    #expect(without.shares[1] == 0)
    #expect(without.gap < 1e-10)
    let raised = try optimum(laws, weights, floors: [0, 0, 0, 0.3])
    expectClose(raised.shares[3], 0.3, within: 1e-12)
    #expect(raised.gap < 1e-10)
    #expect(throws: FittingError.boundsInfeasible(floorSum: 0, capSum: 0.75)) {
      try optimum(laws, weights, caps: [0.25, 0.25, 0.25, 0])
    }
    #expect(try optimum([MixingLaw(floor: 1, exponents: [-1])], [1]).shares == [1])
  }

  @Test func aPriorDrawsTheMixture() throws {
    let prior = [0.7, 0.1, 0.1, 0.1]
    var last = 1.0
    for strength in [1e-3, 1e-2, 0.1, 1, 10] {
      let found = try optimum(
        SyntheticLaws.laws, SyntheticLaws.weights, prior: prior, strength: strength)
      let distance = zip(found.shares, prior).reduce(0) { $0 + abs($1.0 - $1.1) }
      #expect(distance < last)
      #expect(found.gap < 1e-10)
      #expect(found.objective >= found.loss)
      last = distance
    }
    expectClose(last, 0, within: 0.1)
  }

  @Test func withNothingButAPriorTheMixtureIsThePrior() throws {
    let flat = MixingLaw(floor: 1, exponents: [0, 0, 0])
    let found = try optimum([flat], [1], prior: [0.5, 0.3, 0.2], strength: 0.05)
    expectClose(found.shares, [0.5, 0.3, 0.2], within: 1e-9)
    // What the prior gives nothing to stays out, and the others keep their proportions.
    let capped = try optimum(
      [flat], [1], caps: [0.25, 1, 1], prior: [0.5, 0.5, 0], strength: 0.05)
    expectClose(capped.shares, [0.25, 0.75, 0], within: 1e-9)
  }

  @Test func aWeakPriorLeavesTinySharesAndAProof() throws {
    // The free optimum is a vertex; at λ = 0.05 the others have shares e^−40 of it.
    let law = MixingLaw(floor: 0, exponents: [-1, 1, 1])
    let found = try optimum(
      [law], [5], prior: [1.0 / 3, 1.0 / 3, 1.0 / 3], strength: 0.05)
    #expect(found.shares[0] > 0.999999)
    #expect(found.gap < 1e-10)
  }

  @Test func interchangeableDomainsShareEvenlyEveryTime() throws {
    let laws = [
      MixingLaw(floor: 1, exponents: [-1, -1, 0.5, 0.2]),
      MixingLaw(floor: 1, exponents: [0.3, 0.3, -2, 0]),
    ]
    let found = try optimum(laws, [0.5, 0.5])
    expectClose(found.shares[0], found.shares[1], within: 1e-9)
    #expect(found.gap < 1e-10)
    #expect(try optimum(laws, [0.5, 0.5]) == found)
  }

  @Test func noMixtureOfManyIsBetter() throws {
    var generator = SeededGenerator(seed: 31)
    for trial in 0..<20 {
      let count = 2 + trial % 7
      let laws = (0..<1 + trial % 4).map { _ in
        MixingLaw(
          floor: 1, exponents: (0..<count).map { _ in 3 * generator.nextNormal() - 1 })
      }
      let weights = laws.map { _ in generator.nextUniform() }
      let found = try optimum(laws, weights)
      #expect(found.gap < 1e-9, "trial \(trial)")
      expectClose(found.shares.reduce(0, +), 1, within: 1e-12)
      for shares in SyntheticRuns.mixtures(50, domainCount: count, seed: UInt64(trial)) {
        let other = zip(laws, weights).reduce(0) { $0 + $1.1 * $1.0.loss(of: shares) }
        #expect(other >= found.objective - found.gap - 1e-12)
      }
    }
  }

  @Test func wrongModelsAndWeightsAreNamed() throws {
    #expect(throws: FittingError.settingCount(setting: "domains of a model", expected: 3, found: 4))
    {
      try ConvexOptimum(
        minimizing: [WeightedLoss(SyntheticLaws.laws[0])],
        under: MixtureConstraints(domainCount: 3))
    }
    #expect(
      throws: FittingError.settingOutOfRange(
        setting: "weights of the losses", index: 0, value: -1)
    ) {
      try optimum(SyntheticLaws.laws, [-1, 1, 1, 1])
    }
  }
}
