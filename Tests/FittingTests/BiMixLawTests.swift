// Covers: OwnShareLaw.swift
// Covers: BiMixOptimum.swift
import Fitting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct BiMixLawTests {
  private func law(_ level: Double, _ exponent: Double = 0.3) -> BiMixLaw {
    BiMixLaw(shareExponent: exponent, fallingLevel: 0, lengthExponent: 0, lastingLevel: level)
  }

  @Test func evaluatesItsFormula() {
    // 0.25^−0.5 · (0.8·4^−0.5 + 2) = 2·2.4.
    let law = BiMixLaw(
      shareExponent: 0.5, fallingLevel: 0.8, lengthExponent: 0.5, lastingLevel: 2, unit: 10_000)
    expectClose(law.loss(share: 0.25, after: 40_000), 4.8, within: 1e-14)
    #expect(law.loss(share: 0, after: 1) == .infinity)
    #expect(law.model(after: 40_000, domainIndex: 1, domainCount: 2).loss(of: [1, 0]) == .infinity)
    expectClose(
      law.model(after: 40_000, domainIndex: 1, domainCount: 2).loss(of: [0.75, 0.25]), 4.8,
      within: 1e-14)
  }

  @Test func derivativesAreThoseOfFiniteDifferences() {
    expectDerivatives(
      of: OwnShareLaw(level: 2.5, exponent: 0.3, domainIndex: 2, domainCount: 3),
      at: [0.3, 0.3, 0.4])
  }

  @Test func equalExponentsHaveTheClosedForm() throws {
    let laws = [law(2), law(1), law(0.5)]
    let found = try BiMixOptimum(
      of: laws, weights: [1, 1, 1], after: 1, under: MixtureConstraints(domainCount: 3))
    expectClose(found.shares, [0.51787106, 0.30385061, 0.17827834], within: 1e-8)
    expectClose(found.loss, 4.7048075, within: 1e-7)
  }

  @Test func theGeneralSolverAgreesWithAndWithoutBounds() throws {
    let laws = [law(2, 0.1), law(1, 0.4), law(0.5, 0.9), law(3, 0.05)]
    let weights = [1, 0.5, 2, 0.25]
    for constraints in [
      MixtureConstraints(domainCount: 4, floors: [1e-6, 1e-6, 1e-6, 1e-6]),
      MixtureConstraints(domainCount: 4, floors: [0.1, 0.02, 0.01, 0.2], caps: [1, 0.2, 0.3, 1]),
      MixtureConstraints(domainCount: 4, floors: [0, 0, 0, 0.01], caps: [0.1, 0.6, 0.2, 0.3]),
    ] {
      let closed = try BiMixOptimum(of: laws, weights: weights, after: 1, under: constraints)
      let solved = try ConvexOptimum(
        minimizing: laws.indices.map {
          WeightedLoss(
            laws[$0].model(after: 1, domainIndex: $0, domainCount: 4), weight: weights[$0])
        }, under: constraints)
      expectClose(solved.shares, closed.shares, within: 1e-6)
      expectClose(solved.objective, closed.loss, within: 1e-9)
      #expect(solved.gap < 1e-10)
    }
  }

  @Test func domainsWithoutEffectTakeWhatIsLeft() throws {
    let laws = [law(2), law(1, 0), law(1, 0)]
    let free = try BiMixOptimum(
      of: laws, weights: [1, 1, 1], after: 1, under: MixtureConstraints(domainCount: 3))
    expectClose(free.shares, [1, 0, 0], within: 1e-12)
    let capped = try BiMixOptimum(
      of: laws, weights: [1, 1, 1], after: 1,
      under: MixtureConstraints(domainCount: 3, caps: [0.5, 0.1, 1]))
    expectClose(capped.shares, [0.5, 0.1, 0.4], within: 1e-12)
  }

  @Test func aPriorAndWrongCountsAreRefused() {
    #expect(
      throws: FittingError.settingOutOfRange(
        setting: "strength of the prior", index: 0, value: 0.1)
    ) {
      try BiMixOptimum(
        of: [law(1), law(1)], weights: [1, 1], after: 1,
        under: MixtureConstraints(domainCount: 2, prior: [0.5, 0.5], priorStrength: 0.1))
    }
    #expect(throws: FittingError.settingCount(setting: "laws", expected: 2, found: 1)) {
      try BiMixOptimum(
        of: [law(1)], weights: [1], after: 1, under: MixtureConstraints(domainCount: 2))
    }
  }

  @Test func aKnownLawIsFoundAgain() throws {
    let truth = BiMixLaw(
      shareExponent: 0.08, fallingLevel: 0.7, lengthExponent: 0.45, lastingLevel: 2.2,
      unit: 10_000)
    var (shares, lengths): ([Double], [Double]) = ([0], [10_000])
    for share in [0.05, 0.1, 0.3, 0.6, 1] {
      for length in [10_000.0, 14_000, 20_000, 30_000] {
        shares.append(share)
        lengths.append(length)
      }
    }
    // The row with a share of 0 is left out, whatever its loss.
    let losses = zip(shares, lengths).map { $0 > 0 ? truth.loss(share: $0, after: $1) : 99 }
    let found = try BiMixLaw(
      fitting: shares, lengths: lengths, losses: losses, unit: 10_000)
    expectClose(
      [found.shareExponent, found.fallingLevel, found.lengthExponent, found.lastingLevel],
      [0.08, 0.7, 0.45, 2.2], within: 1e-6)
    #expect(throws: FittingError.tooFewPositiveShares(domainIndex: 3, found: 1, needed: 4)) {
      try BiMixLaw(
        fitting: [0, 0.5], lengths: [1, 1], losses: [1, 1], unit: 1, domainIndex: 3)
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "lengths", index: 1, value: 0)) {
      try BiMixLaw(fitting: [1, 1], lengths: [1, 0], losses: [1, 1], unit: 1)
    }
  }

  @Test(.enabled(if: SharedData.isPresent, SharedData.comment))
  func publishedRunsGiveWhatAnIndependentFitGives() throws {
    let groups = try EvaluationGroups()
    let runs = try PublishedRun.read("5mix").filter {
      $0.model == "70M" && (10_000...30_000).contains($0.step) && $0.losses.count == 22
    }
    // α, B, β, C and the mean relative error at 30,000 steps, by an independent implementation.
    let expected = [
      [0.05322634583240948, 0.6346361611337776, 0.5064512546017276, 2.182656913636172, 0.00295],
      [0.011487202508820937, 0.8200036435543038, 0.3743205476256365, 3.0435591269418625, 0.00927],
      [0.03166684263737017, 1.065499421858425, 0.2719260249818957, 2.0961355607885017, 0.01093],
      [0.07815392829963626, 0.555897095075372, 0.44870019993208515, 1.0929248887453993, 0.00430],
      [0.03646962776541663, 0.6654608178279801, 0.5212584444473821, 3.0574507309018815, 0.00224],
    ]
    var laws: [BiMixLaw] = []
    for (index, row) in expected.enumerated() {
      let known = try runs.filter { $0.shares[index] > 0 }.map {
        (share: $0.shares[index], step: $0.step, loss: try #require(groups.losses(of: $0))[index])
      }
      let early = known.filter { $0.step <= 22_000 }
      let law = try BiMixLaw(
        fitting: early.map(\.share), lengths: early.map { Double($0.step) },
        losses: early.map(\.loss), unit: 10_000, domainIndex: index)
      expectClose(
        [law.shareExponent, law.fallingLevel, law.lengthExponent, law.lastingLevel],
        Array(row[..<4]), within: 1e-3)
      let late = known.filter { $0.step == 30_000 }
      let error = late.reduce(0) {
        $0 + abs(law.loss(share: $1.share, after: 30_000) - $1.loss) / $1.loss
      }
      expectClose(error / Double(late.count), row[4], within: 2e-5)
      laws.append(law)
    }
    let optimum = try BiMixOptimum(
      of: laws, weights: FiveDomains.weights, after: 30_000,
      under: MixtureConstraints(domainCount: 5))
    expectClose(optimum.shares, [0.4053, 0.0542, 0.0424, 0.1285, 0.3696], within: 1e-3)
  }
}
