// Covers: CriticalShare.swift
// Covers: CountProgression.swift
import Fitting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct TwoDomainLawTests {
  @Test func theCriticalShareIsWhereTheOldLossComesBack() throws {
    let law = TwoDomainLaw(floor: 2.810341, slope: -3.740713, intercept: -1.693636)
    let share = try #require(law.criticalShare(keeping: 2.873368))
    expectClose(share, 0.286191, within: 1e-5)
    expectClose(law.loss(ofShare: share), 2.873368, within: 1e-12)
  }

  @Test func thereIsNoCriticalShareOfALossThatNoShareGives() {
    let law = TwoDomainLaw(floor: 2.8, slope: -3.7, intercept: -1.7)
    #expect(law.criticalShare(keeping: 2.8) == nil)
    #expect(law.criticalShare(keeping: 2.7) == nil)
    // All of the old text would not do, or none of it is needed.
    #expect(law.criticalShare(keeping: 2.8001) == nil)
    #expect(law.criticalShare(keeping: 4) == nil)
    #expect(
      TwoDomainLaw(floor: 1, slope: 0, intercept: 0).criticalShare(keeping: 2) == nil)
    #expect(law.criticalShare(keeping: .nan) == nil)
  }

  @Test func aMixingLawOfTwoDomainsIsOneOfAShare() throws {
    let law = MixingLaw(floor: 1.5, exponents: [-2, -0.25])
    for domain in 0..<2 {
      let line = try TwoDomainLaw(law, domainIndex: domain)
      let shares = domain == 0 ? [0.3, 0.7] : [0.7, 0.3]
      expectClose(line.loss(ofShare: 0.3), law.loss(of: shares), within: 1e-14)
    }
    #expect(throws: FittingError.settingCount(setting: "domains of a model", expected: 2, found: 4))
    {
      try TwoDomainLaw(SyntheticLaws.laws[0], domainIndex: 0)
    }
  }

  @Test func pointsOnACurveAreFitted() throws {
    // The floor is on the scan: 999·2/3 of the least loss.
    let truth = TwoDomainLaw(floor: 2, slope: -1.5, intercept: 0)
    let shares = [0.0, 0.25, 0.5, 0.75, 1]
    let losses = shares.map(truth.loss)
    let found = try TwoDomainLaw(scanning: shares, losses: losses)
    expectClose(found.floor, 2, within: 2e-3)
    expectClose(found.slope, -1.5, within: 2e-2)
    #expect(throws: FittingError.tooFewScales(found: 1, needed: 2)) {
      try TwoDomainLaw(scanning: [0.5, 0.5], losses: [1, 2])
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "shares", index: 1, value: 1.5)) {
      try TwoDomainLaw(scanning: [0.5, 1.5], losses: [1, 2])
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "losses", index: 0, value: 0)) {
      try TwoDomainLaw(scanning: [0.5, 1], losses: [0, 2])
    }
    let constant = try TwoDomainLaw(scanning: [0, 0.5, 1], losses: [2, 2, 2])
    expectClose(constant.loss(ofShare: 0.3), 2, within: 1e-6)
  }

  @Test(
    arguments: [
      (0.22524761, 0.26944345, -0.48139982, 0.2976), (0.7520627, 0.13720245, -1.06581937, 0.3489),
      (-2.36384831, -0.15125569, 1.59223649, 0.4143), (-2.5368197, -0.42071423, 0.84375368, 0.4783),
    ])
  func publishedRatiosOfContinualTrainingComeOut(
    factor: Double, exponent: Double, offset: Double, expected: Double
  ) {
    let law = CriticalMixtureRatio(factor: factor, exponent: exponent, offset: offset)
    expectClose(law.ratio(after: 100), expected, within: 1e-3)
  }

  @Test func publishedCountsGoOnAsAProgression() throws {
    // Times 7 and in billions of tokens, at budgets of 0.3, 0.6 and 1.2.
    let first = [1.55818971, 0.2, 1.1645966, 1.42333261, 1.49550525, 0.68184781, 0.47652801]
    let middle = [1.6537299, 0.2, 1.1988018, 1.27792191, 1.62120831, 0.7912898, 0.25704828]
    let second = [1.63121445, 0.2, 1.30180479, 1.21425702, 1.83266187, 0.62006189, 0.2]
    let counts = try CountProgression(
      first: zip(first, repeatElement(0.3, count: 7)).map { $0 * $1 / 7 },
      second: zip(second, repeatElement(1.2, count: 7)).map { $0 * $1 / 7 })
    let between = CountProgression.shares(of: counts.between)
    let found = CountProgression.shares(of: middle)
    let farthest = zip(between, found).reduce(0) { max($0, abs($1.0 - $1.1)) }
    expectClose(farthest, 0.0195, within: 1e-3)
    expectClose(
      CountProgression.shares(of: counts.next), [0.234, 0.027, 0.200, 0.142, 0.308, 0.077, 0.012],
      within: 1e-3)
    expectClose(counts.next.reduce(0, +), 5.0005, within: 1e-3)
    #expect(throws: FittingError.settingOutOfRange(setting: "counts", index: 0, value: 0)) {
      try CountProgression(first: [0], second: [1])
    }
  }
}

@Suite(.timeLimit(.minutes(5)), .enabled(if: SharedData.isPresent, SharedData.comment))
struct PublishedTwoDomainTests {
  /// Slope and intercept, GitHub before Pile-CC, each at 10,000, 20,000 and 30,000 steps.
  private static let printed: [String: [[Double]]] = [
    "70M": [
      [-2.4381, -0.5978], [-1.5473, -0.6506], [-1.6405, -0.6819],
      [-2.9041, -0.5333], [-2.2959, -0.5862], [-2.5189, -0.6257],
    ],
    "160M": [
      [-3.6654, -0.1843], [-1.685, -0.7528], [-1.6139, -0.776],
      [-0.1236, 1.307], [-2.4178, -0.5877], [-2.7239, -0.6131],
    ],
  ]

  @Test(arguments: ["70M", "160M"])
  func printedSlopesAndInterceptsComeOut(model: String) throws {
    let runs = try PublishedRun.read("2mix").filter { $0.model == model }
    var found: [TwoDomainLaw] = []
    for (index, domain) in ["Github", "Pile-CC"].enumerated() {
      for step in [10_000, 20_000, 30_000] {
        let rows = runs.filter { $0.step == step }
        #expect(rows.count == 5)
        found.append(
          try TwoDomainLaw(
            scanning: rows.map { $0.shares[index] },
            losses: rows.map { try #require($0.losses[domain]) }))
      }
    }
    for (law, printed) in zip(found, Self.printed[model] ?? []) {
      expectClose([law.slope, law.intercept], printed, within: 1e-3)
    }
  }

  @Test func theCriticalShareOfContinualTrainingComesOut() throws {
    let groups = try EvaluationGroups()
    let runs = try PublishedRun.read("ct")
    func overall(_ run: PublishedRun) throws -> Double {
      groups.overall(try #require(groups.losses(of: run)))
    }
    let before = try overall(try #require(runs.first { $0.step == 0 }))
    let fitted = runs.filter { $0.step == 10_000 && abs($0.shares[0] - 0.28515625) > 1e-9 }
    #expect(fitted.count == 4)
    let shares = fitted.map { $0.shares[0] }
    let losses = try fitted.map(overall)
    let law = try TwoDomainLaw(scanning: shares, losses: losses)
    let share = try #require(law.criticalShare(keeping: before))
    expectClose(share, 0.2862, within: 5e-4)
    let joint = try MixingLawFit(
      to: ObservedRuns(mixtures: shares.map { [$0, 1 - $0] }, losses: losses)
    ).law
    let other = try #require(
      TwoDomainLaw(joint, domainIndex: 0).criticalShare(keeping: before))
    expectClose(other, 0.28310, within: 5e-4)
  }
}
