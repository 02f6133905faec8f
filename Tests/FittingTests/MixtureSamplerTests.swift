import Fitting
import Kernels
import Testing

// Covers: DirichletSampler.swift, ShareBox.swift, DoubleDiminishingGrid.swift

@Suite(.timeLimit(.minutes(5)))
struct MixtureSamplerTests {
  private let names = RegMixRuns.prior.indices.map { "d\($0)" }

  /// The means of ten thousand draws: a share of mean m and concentration S has the variance
  /// m (1 − m) / (S + 1), so that five deviations of the mean fail once in two million.
  @Test(arguments: [0.05, 1, 30])
  func dirichletDrawsHaveTheirMeansAndVariances(strength: Double) {
    let base = [0.5, 0.3, 0.15, 0.05]
    let sampler = DirichletSampler(concentrations: base.map { strength * $0 })
    var generator = SeededGenerator(seed: 11)
    let count = 10_000
    let draws = (0..<count).map { _ in sampler.draw(using: &generator) }
    #expect(draws.allSatisfy { abs($0.reduce(0, +) - 1) < 1e-12 && $0.allSatisfy { $0 >= 0 } })
    for (domain, mean) in base.enumerated() {
      let column = draws.map { $0[domain] }
      let found = column.reduce(0, +) / Double(count)
      let variance = mean * (1 - mean) / (strength + 1)
      #expect(abs(found - mean) < 5 * (variance / Double(count)).squareRoot())
      let squares = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
      // A variance's own deviation is at most sqrt(kurtosis / n) of it; .25 is wide.
      #expect(abs(squares - variance) < 0.25 * variance)
    }
  }

  @Test func tinyConcentrationsStillDrawMixtures() {
    let sampler = DirichletSampler(concentrations: [1e-8, 0, 1e-9, 1e-8])
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<200 {
      let shares = sampler.draw(using: &generator)
      #expect(abs(shares.reduce(0, +) - 1) < 1e-12 && shares[1] == 0)
    }
  }

  /// What a faithful sampler of the paper's constants gives: acceptance .57 ± .01, 11.0 ± .2 zeros
  /// a mixture, mean largest share .697 ± .01, over 4000 accepted draws.
  @Test func thePapersConstantsGiveThePapersMixtures() throws {
    var sampler = MixtureSampler()
    sampler.dropsDuplicates = false
    sampler.oversampling = 2
    var generator = SeededGenerator(seed: 5)
    let outcome = try sampler.sample(
      4000, prior: RegMixRuns.prior, domainNames: names, using: &generator)
    let count = Double(outcome.mixtures.count)
    let zeros = outcome.mixtures.reduce(0) { $0 + $1.filter { $0 == 0 }.count }
    let largest = outcome.mixtures.reduce(0) { $0 + ($1.max() ?? 0) }
    #expect(abs(outcome.acceptanceRate - 0.57) < 0.01)
    #expect(abs(Double(zeros) / count - 11.0) < 0.2)
    #expect(abs(largest / count - 0.697) < 0.01)
  }

  @Test(arguments: [0, 1, 2])
  func mixturesAreUnderTheirCapsAndOnTheGrid(seed: UInt64) throws {
    var sampler = MixtureSampler()
    sampler.shareMinimum = 1e-3
    sampler.caps = names.indices.map { $0 < 8 ? 0.3 : 0.8 }
    sampler.floors = names.indices.map { $0 == 2 ? 0.05 : 0 }
    var generator = SeededGenerator(seed: seed)
    let outcome = try sampler.sample(
      64, prior: RegMixRuns.prior, domainNames: names, using: &generator)
    #expect(outcome.mixtures.count == 64)
    for mixture in outcome.mixtures {
      #expect(abs(mixture.reduce(0, +) - 1) < 1e-12)
      // Rounding and dividing by the sum move a share by a few grid steps.
      #expect(mixture[2] > 0.05 * 0.98 && mixture[..<8].allSatisfy { $0 < 0.3 + 0.005 })
      #expect(mixture.allSatisfy { $0 == 0 || $0 > 0.5e-3 })
    }
    for (index, one) in outcome.mixtures.enumerated() {
      for other in outcome.mixtures[..<index] {
        #expect(zip(one, other).contains { abs($0 - $1) > 1e-7 }, "two are equal")
      }
    }
    var again = SeededGenerator(seed: seed)
    #expect(
      try sampler.sample(64, prior: RegMixRuns.prior, domainNames: names, using: &again)
        == outcome)
  }

  @Test func tooFewMixturesAreAnErrorWithTheRate() throws {
    var sampler = MixtureSampler()
    sampler.caps = [0.4, 0.3, 0.3001]
    sampler.oversampling = 10
    var generator = SeededGenerator(seed: 0)
    let error = #expect(throws: FittingError.self) {
      try sampler.sample(20, prior: [1, 1, 1], domainNames: ["a", "b", "c"], using: &generator)
    }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("200 draws gave "))
    sampler.caps = [0.25, 0.25, 0.25]
    let infeasible = #expect(throws: FittingError.self) {
      try sampler.sample(20, prior: [1, 1, 1], domainNames: ["a", "b", "c"], using: &generator)
    }
    #expect("\(infeasible.map { "\($0)" } ?? "")".hasPrefix("the domains' caps sum to 0.75"))
  }

  @Test func settingsOutOfRangeAreNamed() {
    var generator = SeededGenerator(seed: 0)
    func expectRefused(_ name: String, _ change: (inout MixtureSampler) -> Void) {
      var sampler = MixtureSampler()
      change(&sampler)
      let error = #expect(throws: FittingError.self) {
        try sampler.sample(4, prior: [1, 2], domainNames: ["a", "b"], using: &generator)
      }
      #expect("\(error.map { "\($0)" } ?? "")".hasPrefix(name))
    }
    expectRefused("the temperature is 0.0") { $0.temperature = 0 }
    expectRefused("the least strength is -1.0") { $0.strengthMinimum = -1 }
    expectRefused("the largest strength is 0.01") { $0.strengthMaximum = 0.01 }
    expectRefused("the least share is 0.7") { $0.shareMinimum = 0.7 }
    expectRefused("domain 'b' has the floor 0.5") { ($0.floors, $0.caps) = ([0, 0.5], [1, 0.4]) }
    expectRefused("the domains' floors sum to 1.2") {
      ($0.floors, $0.caps) = ([0.6, 0.6], [1, 1])
    }
  }

  @Test func oneDomainHasOneMixture() throws {
    var sampler = MixtureSampler()
    sampler.usageLimit = 1
    var generator = SeededGenerator(seed: 0)
    let one = try sampler.sample(1, prior: [3], domainNames: ["a"], using: &generator)
    #expect(one.mixtures == [[1]] && one.distinctCount == 1)
    #expect(throws: FittingError.self) {
      try sampler.sample(2, prior: [3], domainNames: ["a"], using: &generator)
    }
  }

  /// By hand: 0.8 scaled to 0.5 leaves .5 for 0.1 and 0.1, which keep their proportions.
  @Test func theNearestMixtureOfABoxKeepsProportions() {
    let box = ShareBox(floors: [0, 0, 0], caps: [0.5, 1, 1])
    expectClose(box.projected([0.8, 0.15, 0.05]), [0.5, 0.375, 0.125], within: 1e-12)
    #expect(box.projected([0.5, 0.3, 0.2]) == [0.5, 0.3, 0.2])
    let floors = ShareBox(floors: [0.2, 0.2, 0], caps: [1, 1, 1])
    expectClose(floors.projected([1, 0, 0]), [0.8, 0.2, 0], within: 1e-12)
    let tight = ShareBox(floors: [0, 0, 0], caps: [0.4, 0.5, 0.3])
    expectClose(tight.projected([1, 0, 0]), [0.4, 0.375, 0.225], within: 1e-12)
  }

  /// The published optimum is on the grid; its size is that of the authors' enumeration as others
  /// have read it.
  @Test func theGridOfTheMixingLawsIsEnumerated() throws {
    let caps = [1, 1, 0.5857, 0.2588, 0.2254, 0.1779, 0.1727]
    let grid = DoubleDiminishingGrid(caps: caps)
    #expect(grid.values(ofDomain: 2) == [0.5625, 0.28125, 0.140625, 0.0703125, 0])
    let all = try grid.mixtures()
    #expect(all.count == 854)
    #expect(all.contains([0.125, 0.25, 0.140625, 0.25, 0.09375, 0.125, 0.015625]))
    for mixture in all {
      #expect(abs(mixture.reduce(0, +) - 1) < 1e-12)
      #expect(zip(mixture, caps).allSatisfy { $0 >= 0 && $0 <= $1 + 1e-9 })
    }
    var generator = SeededGenerator(seed: 2)
    let chosen = try grid.sample(positiveCount: 30, zeroCount: 10, using: &generator)
    #expect(chosen.count == 40 && Set(chosen).count == 40)
    #expect(chosen[..<30].allSatisfy { !$0.contains(0) })
    #expect(chosen[30...].allSatisfy { $0.contains(0) })
    #expect(throws: FittingError.self) {
      try grid.sample(positiveCount: 1000, zeroCount: 0, using: &generator)
    }
  }

  @Test func aGridThatIsTooLargeIsRefusedAndASmallOneIsWhole() throws {
    #expect(throws: FittingError.self) {
      try DoubleDiminishingGrid(caps: [Double](repeating: 1, count: 30), step: 1e-6).mixtures()
    }
    #expect(try DoubleDiminishingGrid(caps: [1]).mixtures() == [[1]])
    #expect(try DoubleDiminishingGrid(caps: [0.5, 0.5], step: 0.25).mixtures() == [[0.5, 0.5]])
    #expect(try DoubleDiminishingGrid(caps: [0.4, 0.4]).mixtures().isEmpty)
  }
}
