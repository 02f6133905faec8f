// Covers: HuberMixingLoss.swift
import Fitting
import Kernels
import Testing

@Suite(.timeLimit(.minutes(5)))
struct MixingLawFitTests {
  private let truth = SyntheticLaws.laws[0]

  @Test(arguments: [5, 6, 8, 16, 64])
  func noiseFreeRunsGiveTheLawBack(count: Int) throws {
    for (index, law) in SyntheticLaws.laws.enumerated() {
      // As many runs as coefficients may be met by two laws. With the vertices among them, their
      // weighted geometric mean above the floor is concave in the floor, and only one is.
      let vertices = (0..<4).map { vertex in (0..<4).map { $0 == vertex ? 1.0 : 0 } }
      let others = SyntheticRuns.mixtures(count - 4, seed: UInt64(100 + count + index))
      let mixtures = vertices + others
      let fit = try MixingLawFit(
        to: ObservedRuns(mixtures: mixtures, losses: mixtures.map(law.loss)))
      #expect(fit.isIdentified)
      expectClose(fit.law.floor, law.floor, within: 1e-8)
      expectClose(fit.law.exponents, law.exponents, within: 1e-8)
      expectClose(mixtures.map(fit.law.loss), mixtures.map(law.loss), within: 1e-10)
    }
  }

  /// The mean error over test mixtures is 0.22 σ at 64 runs and 0.11 σ at 256, over 24 seeds; a
  /// correct fit exceeds twice that with a probability far below 1e-6.
  @Test(arguments: [(64, 0.5), (256, 0.25)])
  func noiseIsAveragedOut(count: Int, limit: Double) throws {
    let held = SyntheticRuns.mixtures(400, seed: 9)
    for deviation in [0.001, 0.005, 0.02] {
      var sum = 0.0
      for seed in 0..<12 {
        let mixtures = SyntheticRuns.mixtures(count, seed: UInt64(1000 + seed))
        let noise = SyntheticRuns.noise(count, deviation: deviation, seed: UInt64(seed))
        let losses = zip(mixtures, noise).map { truth.loss(of: $0) + $1 }
        let law = try MixingLawFit(to: ObservedRuns(mixtures: mixtures, losses: losses)).law
        sum += meanAbsoluteError(held.map(law.loss), held.map(truth.loss))
      }
      #expect(sum / 12 < limit * deviation)
    }
  }

  @Test func oneGrossOutlierHardlyMovesTheLaw() throws {
    let mixtures = SyntheticRuns.mixtures(40, seed: 8)
    var losses = mixtures.map(truth.loss)
    losses[3] += 5
    let law = try MixingLawFit(to: ObservedRuns(mixtures: mixtures, losses: losses)).law
    #expect(meanAbsoluteError(mixtures.map(law.loss), mixtures.map(truth.loss)) < 0.002)
  }

  @Test func fewerRunsThanCoefficientsAreMetAndSaidToBe() throws {
    let mixtures = SyntheticRuns.mixtures(3, seed: 5)
    let fit = try MixingLawFit(
      to: ObservedRuns(mixtures: mixtures, losses: mixtures.map(truth.loss)))
    #expect(!fit.isIdentified)
    #expect(fit.rank == 3)
    expectClose(mixtures.map(fit.law.loss), mixtures.map(truth.loss), within: 1e-9)
    #expect(fit.distanceFromDesign(mixtures[1]) < 1e-12)
    #expect(fit.distanceFromDesign([0.25, 0.25, 0.25, 0.25]) > 1e-3)
  }

  @Test func anUnusedDomainHasNoExponent() throws {
    let mixtures = SyntheticRuns.mixtures(30, domainCount: 3, seed: 6).map {
      [$0[0], $0[1], 0, $0[2]]
    }
    let fit = try MixingLawFit(
      to: ObservedRuns(mixtures: mixtures, losses: mixtures.map(truth.loss)))
    #expect(!fit.isIdentified)
    #expect(fit.rank == 3)
    expectClose(fit.law.exponents[2], 0, within: 1e-12)
    expectClose(mixtures.map(fit.law.loss), mixtures.map(truth.loss), within: 1e-9)
    #expect(fit.zeroShareCounts == [0, 0, 30, 0])
    #expect(fit.distanceFromDesign([0, 0, 1, 0]) > 0.99)
  }

  @Test func mixturesOnALineAreFittedAlongIt() throws {
    let mixtures = (0..<12).map { index in
      let t = Double(index) / 11
      return [0.7 - 0.6 * t, 0.1 + 0.6 * t, 0.1, 0.1]
    }
    let fit = try MixingLawFit(
      to: ObservedRuns(mixtures: mixtures, losses: mixtures.map(truth.loss)))
    #expect(!fit.isIdentified)
    #expect(fit.rank == 2)
    expectClose(mixtures.map(fit.law.loss), mixtures.map(truth.loss), within: 1e-9)
  }

  @Test func oneMixtureRepeatedIsPredicted() throws {
    let mixture = [0.25, 0.25, 0.25, 0.25]
    let fit = try MixingLawFit(
      to: ObservedRuns(
        mixtures: [[Double]](repeating: mixture, count: 6), losses: [3, 3, 3, 3, 3, 3]))
    #expect(!fit.isIdentified)
    #expect(fit.rank == 1)
    expectClose(fit.law.loss(of: mixture), 3, within: 1e-12)
    let noisy = try MixingLawFit(
      to: ObservedRuns(mixtures: [[Double]](repeating: mixture, count: 3), losses: [2.99, 3, 3.01]))
    expectClose(noisy.law.loss(of: mixture), 3, within: 1e-9)
  }

  @Test func constantLossesHaveNothingToReduce() throws {
    let mixtures = SyntheticRuns.mixtures(20, seed: 11)
    let fit = try MixingLawFit(
      to: ObservedRuns(mixtures: mixtures, losses: mixtures.map { _ in 2.5 }))
    #expect(!fit.isIdentified)
    #expect(fit.law.floor == 2.5)
    expectClose(fit.law.loss(of: [1, 0, 0, 0]), 2.5, within: 1e-15)
  }

  @Test func aSingleDomainIsOnlyALevel() throws {
    let fit = try MixingLawFit(
      to: ObservedRuns(mixtures: [[1], [1], [1]], losses: [2, 2.01, 1.99]))
    #expect(!fit.isIdentified)
    expectClose(fit.law.loss(of: [1]), 2, within: 1e-9)
    let single = try MixingLawFit(to: ObservedRuns(mixtures: [[1]], losses: [0]))
    expectClose(single.law.loss(of: [1]), 0, within: 1e-12)
  }

  @Test func lossesThatRiseWithEveryShareAndNegativeOnesAreFitted() throws {
    // All T positive: every domain hurts, some more.
    let rising = MixingLaw(floor: 0.5, exponents: [0.2, 0.9, 1.4, 0.1])
    let mixtures = SyntheticRuns.mixtures(30, seed: 12)
    let fit = try MixingLawFit(
      to: ObservedRuns(mixtures: mixtures, losses: mixtures.map(rising.loss)))
    expectClose(fit.law.exponents, rising.exponents, within: 1e-8)
    // A figure of merit below 0 is no loss in nats, but a law of it can be had.
    let below = try MixingLawFit(
      to: ObservedRuns(mixtures: mixtures, losses: mixtures.map { rising.loss(of: $0) - 3 }))
    expectClose(below.law.floor, -2.5, within: 1e-7)
  }

  @Test func theFloorStaysAmongWhatLossesCanBe() throws {
    for seed in 0..<20 {
      let mixtures = SyntheticRuns.mixtures(7, seed: UInt64(seed))
      let losses = SyntheticRuns.noise(7, deviation: 0.3, seed: UInt64(seed)).map { 3 + $0 }
      let fit = try MixingLawFit(to: ObservedRuns(mixtures: mixtures, losses: losses))
      #expect(fit.law.floor <= losses.max() ?? 0)
      #expect(fit.law.floor >= 0)
      #expect(mixtures.allSatisfy { fit.law.loss(of: $0).isFinite })
    }
  }

  /// Whatever passes the checks is answered: extremes of losses and shares, in all laws.
  @Test func extremesAreAnswered() throws {
    let mixtures: [[Double]] = [[1, 0, 0], [0, 1e-307, 1], [1e-12, 1, 0], [0.5, 0.25, 0.25]]
    for losses in [[1e9, -1e9, 0, 1e-300], [1e-300, 2e-300, 3e-300, 1e-307], [0, 0, 0, 1e-9]] {
      let runs = try ObservedRuns(mixtures: mixtures, losses: losses)
      let fit = try MixingLawFit(to: runs)
      #expect(mixtures.allSatisfy { fit.law.loss(of: $0).isFinite })
      _ = try ImplicitLawFit(to: runs, partCount: 2)
      _ = try ConvexOptimum(
        minimizing: [WeightedLoss(fit.law)], under: MixtureConstraints(domainCount: 3))
      guard losses.allSatisfy({ $0 > 0 }) else { continue }
      _ = try AdditiveLawFit(to: runs)
    }
  }

  @Test func aPenaltyHoldsTheExponentsTogether() throws {
    let mixtures = SyntheticRuns.mixtures(12, seed: 14)
    let runs = try ObservedRuns(mixtures: mixtures, losses: mixtures.map(truth.loss))
    func spread(_ penalty: Double) throws -> Double {
      let exponents = try MixingLawFit(to: runs, settings: .init(penalty: penalty)).law.exponents
      return (exponents.max() ?? 0) - (exponents.min() ?? 0)
    }
    #expect(try spread(1e-3) < spread(1e-5))
    #expect(try spread(1e-5) < spread(0))
    #expect(try spread(1e3) < 0.01)
  }

  @Test func settingsOutOfRangeAreNamed() throws {
    let runs = try ObservedRuns(mixtures: [[1]], losses: [1])
    #expect(throws: FittingError.settingOutOfRange(setting: "Huber threshold", index: 0, value: 0))
    {
      try MixingLawFit(to: runs, settings: .init(huberThreshold: 0))
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "penalty", index: 0, value: -1)) {
      try MixingLawFit(to: runs, settings: .init(penalty: -1))
    }
  }

  @Test func theFitDoesNotDependOnTheRunsOrderUpToRounding() throws {
    let mixtures = SyntheticRuns.mixtures(30, seed: 15)
    let noise = SyntheticRuns.noise(30, deviation: 0.01, seed: 15)
    let losses = zip(mixtures, noise).map { truth.loss(of: $0) + $1 }
    let runs = try ObservedRuns(mixtures: mixtures, losses: losses)
    let there = try MixingLawFit(to: runs)
    let back = try MixingLawFit(to: runs.selecting((0..<30).reversed()))
    expectClose(there.law.exponents, back.law.exponents, within: 1e-6)
    #expect(try MixingLawFit(to: runs) == there)
  }
}
