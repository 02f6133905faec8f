// Covers: AdditiveLawFit.swift
import Fitting
import Testing

@Suite(.timeLimit(.minutes(2)))
struct AdditiveLawTests {
  private let truth = AdditiveLaw(
    floor: 1.5, factors: [0.9, 0.4, 0.2], exponents: [0.4, 0.7, 0.3],
    sizeTerm: .init(factor: 400, exponent: 0.34), tokenTerm: .init(factor: 410, exponent: 0.28))

  @Test func evaluatesItsFormula() {
    let law = AdditiveLaw(
      floor: 1, factors: [2, 1], exponents: [0.5, 1],
      sizeTerm: .init(factor: 3, exponent: 0.5), tokenTerm: .init(factor: 8, exponent: 1))
    // 1 + 1/(2·½ + ¾) + 3/√9 + 8/4, but for ε.
    expectClose(law.loss(of: [0.25, 0.75]), 1 + 1 / 1.75, within: 1e-8)
    expectClose(
      law.loss(of: [0.25, 0.75], parameterCount: 9, tokenCount: 4), 4 + 1 / 1.75, within: 1e-8)
    #expect(law.loss(of: [0, 1]).isFinite)
  }

  @Test func derivativesAreThoseOfFiniteDifferences() {
    expectDerivatives(of: truth, at: [0.3, 0.5, 0.2])
    expectDerivatives(
      of: AdditiveLaw(floor: 1, factors: [0.5, 2], exponents: [1.7, 0.2]), at: [0.4, 0.6])
  }

  @Test func theOptimumIsProvedWhereTheLawIsConvex() throws {
    let found = try ConvexOptimum(
      minimizing: [WeightedLoss(truth)], under: MixtureConstraints(domainCount: 3))
    #expect(found.isCertified)
    #expect(found.gap < 1e-9)
    #expect(
      SyntheticRuns.mixtures(200, domainCount: 3, seed: 1).allSatisfy {
        truth.loss(of: $0) >= found.loss - 1e-9
      })
    let bent = AdditiveLaw(floor: 1, factors: [1, 1], exponents: [2, 0.5])
    let other = try ConvexOptimum(
      minimizing: [WeightedLoss(bent)], under: MixtureConstraints(domainCount: 2))
    #expect(!other.isCertified)
  }

  @Test func aKnownLawIsPredictedFromNoiseFreeRuns() throws {
    let mixtures = SyntheticRuns.mixtures(60, domainCount: 3, seed: 21)
    let held = SyntheticRuns.mixtures(100, domainCount: 3, seed: 22)
    let fit = try AdditiveLawFit(
      to: ObservedRuns(mixtures: mixtures, losses: mixtures.map(truth.loss)))
    #expect(fit.isIdentified)
    #expect(meanAbsoluteError(held.map(fit.law.loss), held.map(truth.loss)) < 1e-4)
  }

  @Test func degenerateRunsAreAnswered() throws {
    let two = try AdditiveLawFit(
      to: ObservedRuns(mixtures: [[1, 0, 0], [0, 1, 0]], losses: [2, 3]))
    #expect(!two.isIdentified)
    #expect(two.zeroShareCounts == [1, 1, 2])
    #expect(two.law.loss(of: [0, 0, 1]).isFinite)
    let constant = try AdditiveLawFit(
      to: ObservedRuns(
        mixtures: SyntheticRuns.mixtures(20, seed: 3), losses: [Double](repeating: 2, count: 20)))
    expectClose(constant.law.loss(of: [0.25, 0.25, 0.25, 0.25]), 2, within: 1e-3)
    #expect(throws: FittingError.settingOutOfRange(setting: "losses", index: 1, value: 0)) {
      try AdditiveLawFit(to: ObservedRuns(mixtures: [[1], [1]], losses: [1, 0]))
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "Huber threshold", index: 0, value: 0))
    {
      try AdditiveLawFit(to: ObservedRuns(mixtures: [[1]], losses: [1]), huberThreshold: 0)
    }
  }

  @Test(
    .enabled(if: SharedData.isPresent, SharedData.comment),
    arguments: [("Github", 0.0695), ("Books3", 0.0091), ("Pile-CC", 0.0044)])
  func threePublishedDomainsLeftOutOneByOne(domain: String, reference: Double) throws {
    let runs = try PublishedRun.read("3mix").filter { $0.model == "410M" && $0.step == 60000 }
    let observed = try ObservedRuns(
      mixtures: runs.map(\.shares), losses: runs.map { try #require($0.losses[domain]) })
    let held = try leaveOneOut(observed) { try AdditiveLawFit(to: $0).law }
    #expect(meanAbsoluteError(observed.losses, held) < 1.1 * reference)
  }

  @Test(.enabled(if: SharedData.isPresent, SharedData.comment))
  func regMixRunsArePredictedOnUnseenMixtures() throws {
    let train = try RegMixTable(split: "train")
    let test = try RegMixTable(split: "test")
    var (fits, errors, agreements) = (0.0, 0.0, 0.0)
    for (target, losses) in train.losses {
      let law = try AdditiveLawFit(
        to: ObservedRuns(mixtures: train.mixtures, losses: losses)
      ).law
      let held = try ObservedRuns(
        mixtures: test.mixtures, losses: try #require(test.losses[target]))
      let predicted = (0..<256).map { law.loss(of: held.mixture(ofRun: $0)) }
      fits += determination(held.losses, predicted) / Double(train.losses.count)
      errors += meanAbsoluteError(held.losses, predicted) / Double(train.losses.count)
      agreements += rankAgreement(held.losses, predicted) / Double(train.losses.count)
    }
    // An independent fit has 0.0613, 0.9834 and 0.9918.
    #expect(errors < 0.065)
    #expect(fits > 0.98)
    #expect(agreements > 0.99)
  }
}
