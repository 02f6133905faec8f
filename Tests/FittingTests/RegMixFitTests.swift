import Fitting
import Kernels
import Mixing
import Testing

// Covers: RegMixSettings.swift, RegMixWork.swift, FittedMixture.swift, StoredModels.swift

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(5)))
struct RegMixFitTests {
  private let team = ThreadTeam(threadCount: 2)

  private func settings(
    _ names: [String] = ["loss"], _ change: (inout RegMixSettings) -> Void = { _ in }
  ) -> RegMixSettings {
    var settings = RegMixSettings(targetLosses: names.map { .init(name: $0) })
    settings.model = "power-law"
    settings.candidateCount = 3000
    settings.keptCount = 30
    settings.drawCount = 5
    change(&settings)
    return settings
  }

  private func description(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch {
      return "\(error)"
    }
  }

  /// The first domain helps most, so that its share grows; the same seed gives the same file.
  @Test func theUsefulDomainIsRecommended() throws {
    let runs = syntheticRuns(count: 60, domainCount: 3, seed: 1, noise: 0.02)
    let fit = try RegMixFit(runs, settings: settings(), on: team)
    #expect(fit.recommended.shares[0] > 0.9)
    #expect(fit.candidates.map(\.name) == ["recommended", "prior", "uniform", "best run"])
    let values = fit.candidates.map(\.objective.value)
    #expect(values[0] == values.min())
    for candidate in fit.candidates {
      let lower = try #require(candidate.objective.lower)
      #expect(lower <= candidate.objective.value && candidate.losses[0] == candidate.objective)
    }
    let again = try RegMixFit(runs, settings: settings(), on: ThreadTeam(threadCount: 1))
    let (one, two) = (
      FittedMixture(fit, toolVersion: "1"), FittedMixture(again, toolVersion: "1")
    )
    #expect(try one.json() == two.json())
  }

  @Test func aStaticPolicyReadsTheFile() throws {
    let runs = syntheticRuns(count: 30, domainCount: 3, seed: 2)
    let fit = try RegMixFit(runs, settings: settings(), on: team)
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("mixture-\(UUID().uuidString).json")
    defer { try? FileManager.default.removeItem(at: path) }
    try Data(FittedMixture(fit, toolVersion: "1").json()).write(to: path)
    let context = PolicyContext(domainNames: ["d2", "d0", "d1"], sequenceCounts: [1, 1, 1])
    let mixture = try MixtureFile.mixture(atPath: path.path, in: context)
    expectClose(mixture.weight(ofDomain: 1), fit.recommended.shares[0], within: 1e-12)
    let read = try JSONDecoder().decode(FittedMixture.self, from: Data(contentsOf: path))
    #expect(read.runs == 30 && read.settings == fit.settings)
    #expect(read.losses[0].scores.map(\.model) == ["power-law"])
  }

  @Test func floorsCapsAndTokensHold() throws {
    let runs = syntheticRuns(count: 40, domainCount: 3, seed: 3)
    let fit = try RegMixFit(
      runs,
      settings: settings {
        $0.floors = ["d2": 0.1]
        $0.caps = ["d1": 0.5]
        $0.availableTokens = ["d0": 1e9]
        ($0.plannedTokens, $0.epochLimit) = (1e10, 4)
      }, on: team)
    expectClose(fit.recommended.shares[0], 0.4, within: 1e-6)
    #expect(fit.recommended.shares[2] >= 0.1 - 1e-12 && fit.recommended.shares[1] <= 0.5 + 1e-12)
    #expect(fit.box.caps == [0.4, 0.5, 1])
  }

  @Test func weightsOfLossesDecideTheMixture() throws {
    let runs = syntheticRuns(count: 50, domainCount: 2, seed: 4)
    let table = RunTable(
      domainNames: ["a", "b"], lossNames: ["for a", "for b"], writtenShares: runs.shares,
      losses: [runs.shares.map { 3 - $0[0] }, runs.shares.map { 3 - $0[1] }])
    func share(_ weights: (Double, Double)) throws -> Double {
      var settings = settings()
      settings.model = "linear"
      settings.targetLosses = [
        .init(name: "for a", weight: weights.0), .init(name: "for b", weight: weights.1),
      ]
      let fit = try RegMixFit(table, settings: settings, on: team)
      #expect(abs(fit.targetLosses.reduce(0) { $0 + $1.weight } - 1) < 1e-12)
      return fit.recommended.shares[0]
    }
    #expect(try share((3, 1)) > 0.95)
    #expect(try share((1, 3)) < 0.05)
  }

  @Test func whatIsAskedWronglyIsNamed() {
    let runs = syntheticRuns(count: 20, domainCount: 2, seed: 5)
    func refusal(_ change: (inout RegMixSettings) -> Void) -> String {
      description { _ = try RegMixFit(runs, settings: settings(["loss"], change), on: team) }
    }
    #expect(refusal { $0.targetLosses = [.init(name: "los")] }.contains("did you mean 'loss'"))
    #expect(refusal { $0.targetLosses = [] } != "")
    #expect(refusal { $0.targetLosses += $0.targetLosses }.contains("given twice"))
    #expect(refusal { $0.targetLosses = [.init(name: "loss", weight: -1)] }.contains("-1.0"))
    #expect(refusal { $0.caps = ["dd": 1] }.contains("no domain 'dd'"))
    #expect(refusal { $0.caps = ["d0": 0.3, "d1": 0.3] }.contains("caps sum to 0.6"))
    #expect(refusal { $0.floors = ["d0": 0.7, "d1": 0.7] }.contains("floors sum to 1.4"))
    #expect(refusal { $0.prior = ["d0": 1] }.contains("the prior of 'd1' is 0.0"))
    #expect(refusal { $0.availableTokens = ["d0": 1] }.contains("the tokens of the run"))
    #expect(refusal { $0.foldCount = 1 }.contains("the number of folds is 1.0"))
    #expect(refusal { $0.keptCount = 4000 }.contains("to average is 4000.0"))
    #expect(refusal { $0.model = "treees" }.contains("did you mean 'trees'"))
    #expect(refusal { $0.model = "lightgbm" }.contains(LightGBMLibrary.variable))
  }

  @Test(arguments: [1, 2, 3, 6])
  func fewRunsAreAnsweredOrNamed(count: Int) throws {
    let runs = syntheticRuns(count: count, domainCount: 2, seed: 6)
    let asked = settings { $0.model = nil }
    guard count > 1 else {
      let text = description { _ = try RegMixFit(runs, settings: asked, on: team) }
      #expect(text == "1 runs are too few to fit a model; at least 2 are needed")
      return
    }
    let fit = try RegMixFit(runs, settings: asked, on: team)
    #expect(fit.candidates.allSatisfy { $0.objective.value.isFinite })
    #expect(fit.outcomes.isEmpty == (count < 4))
    #expect(count >= 4 || fit.warnings.contains { $0.contains("too few to compare") })
  }

  @Test func equalLossesAndUnusedDomainsAreAnswered() throws {
    let runs = syntheticRuns(count: 30, domainCount: 2, seed: 7)
    let table = RunTable(
      domainNames: ["a", "b", "c"], lossNames: ["loss"],
      writtenShares: runs.shares.map { $0 + [0] }, losses: [[Double](repeating: 3, count: 30)])
    let fit = try RegMixFit(table, settings: settings { $0.model = nil }, on: team)
    expectClose(fit.recommended.objective.value, 3, within: 0.05)
    #expect(fit.warnings.contains { $0.contains("no run drew from 'c'") })
    _ = try FittedMixture(fit, toolVersion: "1").json()
    _ = try StoredModels(fit).json()
  }

  @Test func storedModelsPredictForTables() throws {
    let runs = syntheticRuns(count: 30, domainCount: 3, seed: 8)
    let table = RunTable(
      domainNames: runs.domainNames, lossNames: ["x", "y"], writtenShares: runs.shares,
      losses: [runs.losses[0], runs.losses[0].map { $0 + 1 }])
    let fit = try RegMixFit(table, settings: settings(["x", "y"]), on: team)
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("models-\(UUID().uuidString).json")
    defer { try? FileManager.default.removeItem(at: path) }
    try Data(StoredModels(fit, domainPrefix: "p_").json()).write(to: path)
    let models = try StoredModels(atPath: path.path)
    // Another order of columns, a prefix on two, a column that is none, rounded shares.
    let text = "note,p_d2,index,d0,p_d1\nhello,0.2,9,0.5,0.299\nyou,1,10,0,0\n"
    let mixtures = try CSVTable(bytes: Array(text.utf8), path: "m.csv")
    let found = try models.predictions(for: mixtures)
    #expect(found.runNames == ["9", "10"])
    let shares = [0.5, 0.299, 0.2].map { $0 / 0.999 }
    expectClose(found.losses[0][0], fit.models[0].loss(of: shares), within: 1e-12)
    expectClose(found.objectives[0], found.losses[0][0] + 0.5, within: 0.01)
    #expect(found.csv.hasPrefix("index,x,y,prediction\n9,\(found.losses[0][0]),"))
    let fewer = try CSVTable(bytes: Array("d0,d1\n1,0\n".utf8), path: "m.csv")
    #expect(
      description { _ = try models.predictions(for: fewer) }
        .hasPrefix("m.csv:1: no column for domain 'd2'"))
    try Data("{\"format\": \"other\"}".utf8).write(to: path)
    #expect(description { _ = try StoredModels(atPath: path.path) }.contains("not the models of a"))
  }

  /// What the published regression recommends, within the spread of its own procedure.
  @Test(.enabled(if: RegMixRuns.isPresent, SharedData.comment))
  func treesRecommendThePublishedMixture() throws {
    let table = try RegMixRuns.table("train")
    var settings = RegMixSettings(targetLosses: [.init(name: RegMixRuns.webLoss)])
    settings.model = "trees"
    settings.shareForm = .written
    (settings.foldCount, settings.drawCount, settings.roundCount) = (2, 0, 1)
    settings.prior = Dictionary(
      zip(table.domainNames, RegMixRuns.prior)
    ) { first, _ in first }
    let fit = try RegMixFit(table, settings: settings, on: team)
    let published = [
      0.0012046, 0.0014545, 0.0012316, 0.0031086, 0.0159326, 0.0003111, 0.0002286, 1.33e-5,
      0.0002955, 0.0016692, 0.0016125, 0.8701291, 0.0641773, 2.9e-6, 0.0119255, 0.0242443,
      0.0024587,
    ]
    let distance =
      zip(fit.recommended.shares, published).reduce(0) { $0 + abs($1.0 - $1.1) } / 2
    #expect(distance <= 0.07)
    #expect((0.85...0.92).contains(fit.recommended.shares[11]))
    #expect((0.04...0.10).contains(fit.recommended.shares[12]))
  }
}
