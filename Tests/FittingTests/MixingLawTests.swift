// Covers: ObservedRuns.swift
import Fitting
import Kernels
import Testing

@Suite(.timeLimit(.minutes(5)))
struct MixingLawTests {
  @Test func printedCoefficientsPredictWhatTheSpecificationSays() {
    let shares = [0.25, 0.1875, 0.0625, 0.125, 0.375]
    let losses = FiveDomains.laws.map { $0.loss(of: shares) }
    expectClose(losses, [2.697989, 3.645034, 3.164789, 1.668360, 3.541186], within: 1e-6)
    expectClose(dot(FiveDomains.weights, losses), 3.031917, within: 1e-6)
    let uniform = FiveDomains.laws.map { $0.loss(of: [0.2, 0.2, 0.2, 0.2, 0.2]) }
    expectClose(dot(FiveDomains.weights, uniform), 3.066232, within: 1e-6)
  }

  @Test func aShiftBetweenFactorAndRatesChangesNothing() {
    // (k, t) and (k·e^−0.7, t + 0.7) are one function on the simplex.
    let law = MixingLaw(floor: 1.5, factor: 0.3, rates: [0.2, -1, -2, 0.4])
    let shifted = MixingLaw(
      floor: 1.5, factor: 0.3 * 0.49658530379140947, rates: [0.9, -0.3, -1.3, 1.1])
    expectClose(law.exponents, shifted.exponents, within: 1e-14)
    expectClose(
      law.loss(of: [0.1, 0.2, 0.3, 0.4]), shifted.loss(of: [0.1, 0.2, 0.3, 0.4]), within: 1e-14)
  }

  @Test func derivativesAreThoseOfFiniteDifferences() {
    for law in SyntheticLaws.laws { expectDerivatives(of: law, at: [0.3, 0.2, 0.4, 0.1]) }
  }

  @Test func hugeExponentsStayFinite() {
    let law = MixingLaw(floor: 1, exponents: [-4000, 4000])
    #expect(law.loss(of: [1, 0]) == 1)
    #expect(law.loss(of: [0, 1]).isFinite)
  }
}

@Suite(.timeLimit(.minutes(5)))
struct ObservedRunsTests {
  @Test func roundedSharesAreDividedByTheirSum() throws {
    let runs = try ObservedRuns(mixtures: [[0.502, 0.5], [1, 0]], losses: [1, 2])
    expectClose(runs.mixture(ofRun: 0), [0.502 / 1.002, 0.5 / 1.002], within: 1e-15)
    #expect(runs.zeroShareCounts == [0, 1])
    #expect(runs.selecting([1]).losses == [2])
  }

  @Test func whatIsNoMixtureIsNamed() {
    func error(_ mixtures: [[Double]], _ losses: [Double]) -> FittingError? {
      do throws(FittingError) {
        _ = try ObservedRuns(mixtures: mixtures, losses: losses)
        return nil
      } catch {
        return error
      }
    }
    #expect(error([], []) == .noRuns)
    #expect(error([[]], [1]) == .noRuns)
    #expect(error([[1], [1]], [1]) == .lossCount(expected: 2, found: 1))
    #expect(error([[1], [0.5, 0.5]], [1, 1]) == .shareCount(runIndex: 1, expected: 1, found: 2))
    #expect(
      error([[1.5, -0.5]], [1]) == .shareRefused(runIndex: 0, domainIndex: 1, value: -0.5))
    #expect(
      error([[0.6, 0.4199]], [1])
        == .sharesDoNotSumToOne(runIndex: 0, sum: 0.6 + 0.4199, tolerance: 0.01))
    #expect(
      error([[0, 0]], [1]) == .sharesDoNotSumToOne(runIndex: 0, sum: 0, tolerance: 0.01))
    #expect(error([[1]], [.infinity]) == .lossNotFinite(runIndex: 0, value: .infinity))
    #expect(error([[1]], [1e10]) == .lossNotFinite(runIndex: 0, value: 1e10))
    if case .shareRefused(0, 0, let value)? = error([[.nan, 1]], [1]) {
      #expect(value.isNaN)
    } else {
      Issue.record("a share that is NaN was taken")
    }
  }

  @Test func anySumIsTakenWhenAskedFor() throws {
    let runs = try ObservedRuns(mixtures: [[0.6, 0.6]], losses: [1], anySum: true)
    #expect(runs.shares == [0.5, 0.5])
  }
}

/// Mixtures of four domains with four decimals, and what a known law loses on them.
enum SyntheticRuns {
  static func mixtures(_ count: Int, domainCount: Int = 4, seed: UInt64) -> [[Double]] {
    var generator = SeededGenerator(seed: seed, stream: "mixtures")
    return (0..<count).map { _ in
      // Squared exponentials are near enough to a Dirichlet of strength below 1.
      let draws = (0..<domainCount).map { _ in
        let normal = generator.nextNormal()
        return normal * normal * generator.nextUniform()
      }
      let sum = draws.reduce(0, +)
      return draws.map { $0 / sum }
    }
  }

  static func noise(_ count: Int, deviation: Double, seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: seed, stream: "noise")
    return (0..<count).map { _ in deviation * generator.nextNormal() }
  }
}
