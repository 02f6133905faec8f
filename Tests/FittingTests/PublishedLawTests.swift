// Covers: MixingLawFit.swift
import Fitting
import Testing

@Suite(.timeLimit(.minutes(5)), .enabled(if: SharedData.isPresent, SharedData.comment))
struct PublishedLawTests {
  /// The 26 mixtures at 70M and 30,000 steps.
  private func fiveDomainRuns() throws -> (mixtures: [[Double]], groups: [[Double]]) {
    let groups = try EvaluationGroups()
    let runs = try PublishedRun.read("5mix").filter {
      $0.model == "70M" && $0.step == 30000 && (Int($0.id) ?? 0) <= 900
    }
    return (runs.map(\.shares), try runs.map { try #require(groups.losses(of: $0)) })
  }

  @Test func fiveDomainObjectivesAreAtLeastAsLowAsThePublished() throws {
    let (mixtures, groups) = try fiveDomainRuns()
    #expect(mixtures.count == 26)
    let weights = try EvaluationGroups().weights
    expectClose(weights, FiveDomains.weights, within: 1e-11)
    let huber = HuberLoss(threshold: FiveDomains.huberThreshold)
    var predicted = [Double](repeating: 0, count: mixtures.count)
    for index in weights.indices {
      let losses = groups.map { $0[index] }
      let printed = FiveDomains.laws[index]
      let mean =
        zip(mixtures, losses).reduce(0) { $0 + huber.value(printed.loss(of: $1.0) - $1.1) } / 26
      let published = FiveDomains.printedObjectives[index]
      expectClose(mean / published, 1, within: 1e-4)
      let fit = try MixingLawFit(
        to: ObservedRuns(mixtures: mixtures, losses: losses),
        settings: .init(huberThreshold: FiveDomains.huberThreshold))
      #expect(fit.objective / 26 <= published * (1 + 1e-5))
      for run in mixtures.indices {
        predicted[run] += weights[index] * fit.law.loss(of: mixtures[run])
      }
    }
    let overall = groups.map { dot(weights, $0) }
    expectClose(meanAbsoluteError(overall, predicted), 0.01161, within: 1e-4)
  }

  @Test func fiveDomainsLeftOutOneByOne() throws {
    let (mixtures, groups) = try fiveDomainRuns()
    let weights = try EvaluationGroups().weights
    var predicted = [Double](repeating: 0, count: mixtures.count)
    for index in weights.indices {
      let runs = try ObservedRuns(mixtures: mixtures, losses: groups.map { $0[index] })
      let held = try leaveOneOut(runs) { kept in
        try MixingLawFit(
          to: kept, settings: .init(huberThreshold: FiveDomains.huberThreshold)
        ).law
      }
      for run in mixtures.indices { predicted[run] += weights[index] * held[run] }
    }
    let overall = groups.map { dot(weights, $0) }
    expectClose(meanAbsoluteError(overall, predicted), 0.0212, within: 5e-4)
  }

  @Test(arguments: [("Github", 0.0051), ("Books3", 0.0058), ("Pile-CC", 0.0056)])
  func threeDomainsWithoutZeroSharesAreFittedFinely(domain: String, error: Double) throws {
    let runs = try PublishedRun.read("3mix").filter {
      $0.model == "410M" && $0.step == 60000 && $0.shares.allSatisfy { $0 > 0 }
    }
    #expect(runs.count == 20)
    let observed = try ObservedRuns(
      mixtures: runs.map(\.shares), losses: runs.map { try #require($0.losses[domain]) })
    let held = try leaveOneOut(observed) { try MixingLawFit(to: $0).law }
    expectClose(meanAbsoluteError(observed.losses, held), error, within: 5e-4)
  }

  /// 20 mixtures of seven domains, two others with no ArXiv among the 20 that are predicted.
  @Test(arguments: [(0.0, 0.0419), (1e-4, 0.0214)])
  func aPenaltyHelpsWhereRunsAreFew(penalty: Double, error: Double) throws {
    let groups = try EvaluationGroups()
    let runs = try PublishedRun.read("redpajama").filter { $0.losses.count == 22 }
    let fitted = Set(runs.filter { $0.model == "410M" }.map(\.id))
    let small = runs.filter {
      $0.model == "70M" && $0.step == 30_000 && !["998", "999"].contains($0.id)
    }
    #expect(small.count == 40)
    let known = small.filter { fitted.contains($0.id) }
    let held = small.filter { !fitted.contains($0.id) }
    var predicted = [Double](repeating: 0, count: held.count)
    for (index, weight) in groups.weights.enumerated() {
      let law = try MixingLawFit(
        to: ObservedRuns(
          mixtures: known.map(\.shares), losses: known.map { try groups.required($0)[index] }),
        settings: .init(penalty: penalty)
      ).law
      for run in held.indices { predicted[run] += weight * law.loss(of: held[run].shares) }
    }
    let observed = try held.map { groups.overall(try groups.required($0)) }
    expectClose(meanAbsoluteError(observed, predicted), error, within: 5e-4)
  }

  @Test func syntheticRunsGiveTheirLawsBack() throws {
    let rows = try PublishedRun.table("mixinglaws/synthetic_m4.csv").dropFirst().map { row in
      try row.map { try #require(Double($0)) }
    }
    let mixtures = rows.map { Array($0[1..<5]) }
    for (index, law) in SyntheticLaws.laws.enumerated() {
      let clean = try MixingLawFit(
        to: ObservedRuns(mixtures: mixtures, losses: rows.map { $0[5 + index] }))
      expectClose(clean.law.floor, law.floor, within: 1e-8)
      expectClose(clean.law.exponents, law.exponents, within: 1e-8)
      let noisy = try MixingLawFit(
        to: ObservedRuns(mixtures: mixtures, losses: rows.map { $0[9 + index] }))
      // σ = 0.005 and 40 runs: about 0.28 σ.
      let error = meanAbsoluteError(mixtures.map(noisy.law.loss), rows.map { $0[5 + index] })
      #expect(error < 0.5 * 0.005)
    }
  }

  /// The floors that an independent implementation found on the 512 runs of RegMix, by target.
  private static let floors = [
    "arxiv": 4.073695544575845, "freelaw": 4.348802829161193, "pubmed_central": 4.306006181893764,
    "wikipedia_en": 5.039630011228666, "dm_mathematics": 2.0897604985646945,
    "github": 4.243806743166778, "stackexchange": 4.450225771606114,
    "gutenberg_pg_19": 4.86757430977108, "pile_cc": 5.232348305092421,
    "ubuntu_irc": 5.340412874382269, "hackernews": 4.954941176580358,
    "pubmed_abstracts": 4.745893606220276, "uspto_backgrounds": 4.4049920837337275,
  ]

  @Test func regMixRunsAreRankedOnUnseenMixtures() throws {
    let train = try RegMixTable(split: "train")
    let test = try RegMixTable(split: "test")
    #expect(train.mixtures.count == 512)
    #expect(test.mixtures.count == 256)
    var (fits, agreements) = (0.0, 0.0)
    for (target, floor) in Self.floors {
      let losses = try #require(train.losses[target])
      let law = try MixingLawFit(
        to: ObservedRuns(mixtures: train.mixtures, losses: losses)
      ).law
      expectClose(law.floor, floor, within: 1e-3)
      let held = try ObservedRuns(
        mixtures: test.mixtures, losses: try #require(test.losses[target]))
      let predicted = (0..<256).map { law.loss(of: held.mixture(ofRun: $0)) }
      fits += determination(held.losses, predicted) / 13
      agreements += rankAgreement(held.losses, predicted) / 13
    }
    #expect(fits >= 0.91)
    #expect(agreements >= 0.970)
  }
}

/// A table of RegMix's runs at 1M parameters.
struct RegMixTable {
  var mixtures: [[Double]] = []
  /// The losses by target.
  var losses: [String: [Double]] = [:]

  init(split: String) throws {
    let shares = try PublishedRun.table("regmix/\(split)_mixture_1m.csv")
    let rows = try PublishedRun.table("regmix/\(split)_pile_loss_1m.csv")
    let byIndex = Dictionary(uniqueKeysWithValues: rows.dropFirst().map { ($0[0], $0) })
    let domains = shares[0].dropFirst()
    let order = domains.enumerated().sorted { $0.element < $1.element }.map(\.offset)
    for row in shares.dropFirst() {
      let line = try #require(byIndex[row[0]])
      mixtures.append(try order.map { try #require(Double(row[$0 + 1])) })
      for (column, value) in zip(rows[0], line).dropFirst() {
        let name = column.replacing("metric/the_pile_", with: "").replacing("_val_loss", with: "")
        losses[name, default: []].append(try #require(Double(value)))
      }
    }
  }
}
