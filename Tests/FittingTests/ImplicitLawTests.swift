// Covers: ImplicitLawFit.swift
import Fitting
import Testing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(5)))
struct ImplicitLawTests {
  @Test func onePartIsAMixingLaw() {
    let law = ImplicitLaw(floor: 2, logits: [17], exponents: [[-1, 0.5]])
    let explicit = MixingLaw(floor: 2, exponents: [-1, 0.5])
    #expect(law.partShares == [1])
    expectClose(law.loss(of: [0.3, 0.7]), explicit.loss(of: [0.3, 0.7]), within: 1e-15)
  }

  @Test func derivativesAreThoseOfFiniteDifferencesAndTheOptimumIsProved() throws {
    let law = ImplicitLaw(
      floor: 1, logits: [0.3, -1, 800], exponents: [[-3, 0, 1], [1, -2, 0], [0, 0.5, -1]])
    let near = ImplicitLaw(
      floor: 1, logits: [0.3, -1, 0], exponents: [[-3, 0, 1], [1, -2, 0], [0, 0.5, -1]])
    #expect(law.partShares == [0, 0, 1])
    expectDerivatives(of: near, at: [0.2, 0.5, 0.3])
    let found = try ConvexOptimum(
      minimizing: [WeightedLoss(near)], under: MixtureConstraints(domainCount: 3))
    #expect(found.gap < 1e-10)
  }

  private struct Network: Decodable {
    var in_weight: [[Double]]
    var in_bias: [Double]
    var out_weight: [Double]
    var out_bias: Double

    var law: ImplicitLaw {
      ImplicitLaw(
        floor: out_bias, logits: out_weight,
        exponents: zip(in_weight, in_bias).map { row, bias in row.map { $0 + bias } })
    }
  }

  private func publishedLaw(_ partCount: Int) throws -> ImplicitLaw {
    let bytes = Data(try SharedData.bytes("mixinglaws/published_implicit_5mix.json"))
    let all = try JSONDecoder().decode([String: Entry].self, from: bytes)
    return try #require(all["\(partCount)"]?.network).law
  }

  /// A network, or the text beside them.
  private struct Entry: Decodable {
    var network: Network?

    init(from decoder: any Decoder) throws { network = try? Network(from: decoder) }
  }

  @Test(
    .enabled(if: SharedData.isPresent, SharedData.comment),
    arguments: [(1, 3.091963), (3, 3.039304), (5, 3.050929), (10, 3.051425), (30, 3.053446)])
  func publishedCoefficientsPredictWhatTheSpecificationSays(
    partCount: Int, expected: Double
  ) throws {
    let law = try publishedLaw(partCount)
    #expect(law.partShares.count == partCount)
    expectClose(law.loss(of: [0.25, 0.1875, 0.0625, 0.125, 0.375]), expected, within: 1e-5)
  }

  @Test(
    .enabled(if: SharedData.isPresent, SharedData.comment),
    arguments: [(1, 0.0267), (3, 0.0102), (10, 0.0037), (30, 0.0029)])
  func publishedCoefficientsFitTheRuns(partCount: Int, error: Double) throws {
    let groups = try EvaluationGroups()
    let runs = try PublishedRun.read("5mix").filter {
      $0.model == "70M" && $0.step == 30000 && (Int($0.id) ?? 0) <= 900
    }
    let law = try publishedLaw(partCount)
    let observed = try runs.map { groups.overall(try #require(groups.losses(of: $0))) }
    expectClose(
      meanAbsoluteError(observed, runs.map { law.loss(of: $0.shares) }), error, within: 5e-5)
  }

  @Test func aKnownLawIsPredictedFromNoiseFreeRuns() throws {
    let truth = ImplicitLaw(
      floor: 2, logits: [0, 0.5], exponents: [[-2, 0.5, 0], [0.3, -1, -3]])
    let mixtures = SyntheticRuns.mixtures(60, domainCount: 3, seed: 41)
    let held = SyntheticRuns.mixtures(100, domainCount: 3, seed: 42)
    let runs = try ObservedRuns(mixtures: mixtures, losses: mixtures.map(truth.loss))
    let fit = try ImplicitLawFit(to: runs, partCount: 2)
    #expect(meanAbsoluteError(held.map(fit.law.loss), held.map(truth.loss)) < 2e-3)
    #expect(fit.coefficientCount == 8)
    #expect(try ImplicitLawFit(to: runs, partCount: 2) == fit)
    #expect(throws: FittingError.settingOutOfRange(setting: "number of parts", index: 0, value: 0))
    {
      try ImplicitLawFit(to: runs, partCount: 0)
    }
  }

  @Test(
    .enabled(if: SharedData.isPresent, SharedData.comment),
    arguments: [(1, 0.0213), (3, 0.0102)])
  func publishedRunsAreFittedAsWellAsByAnIndependentFit(partCount: Int, error: Double) throws {
    let groups = try EvaluationGroups()
    let runs = try PublishedRun.read("5mix").filter {
      $0.model == "70M" && $0.step == 30000 && (Int($0.id) ?? 0) <= 900
    }
    let observed = try ObservedRuns(
      mixtures: runs.map(\.shares),
      losses: runs.map { groups.overall(try #require(groups.losses(of: $0))) })
    let law = try ImplicitLawFit(to: observed, partCount: partCount).law
    let predicted = runs.map { law.loss(of: $0.shares) }
    #expect(meanAbsoluteError(observed.losses, predicted) < error + 1e-3)
  }
}
