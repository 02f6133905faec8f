import Fitting
import Kernels
import Testing

// Covers: ModelRecipe.swift, FittedModel.swift, ParallelMap.swift, ModelFault.swift

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(5)))
struct CrossValidationTests {
  private let team = ThreadTeam(threadCount: 2)

  @Test(arguments: [4, 5, 23, 512])
  func everyRunIsHeldOutOnce(runCount: Int) throws {
    let validation = try CrossValidation(runCount: runCount, foldCount: 5, seed: 3)
    #expect(validation.foldCount == min(5, runCount))
    let sizes = (0..<validation.foldCount).map { fold in
      validation.folds.filter { $0 == fold }.count
    }
    #expect(sizes.reduce(0, +) == runCount)
    #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
    #expect(try CrossValidation(runCount: runCount, foldCount: 5, seed: 3) == validation)
  }

  @Test func tooFewRunsAreNamed() {
    let error = #expect(throws: FittingError.self) { try CrossValidation(runCount: 3) }
    #expect(
      "\(error.map { "\($0)" } ?? "")"
        == "3 runs are too few to cross-validate; at least 4 are needed")
  }

  /// A line is predicted exactly by lines; each prediction is made without its own run.
  @Test func heldOutRunsAreNotSeen() throws {
    let runs = syntheticRuns(count: 40, domainCount: 3, seed: 2)
    var losses = runs.shares.map { 2 + $0[0] }
    losses[7] = 100
    let outcomes = try CrossValidation(runCount: 40).outcomes(
      of: [.linear(penalty: 0)], shares: runs.shares, losses: [losses], fitter: ModelFitter(),
      on: team)
    // The other folds' runs lie on a line where the outlier is held out.
    expectClose(outcomes[0][0].predictions[7], 2 + runs.shares[7][0], within: 1e-9)
  }

  @Test func theModelOfTheRightFormIsChosenAndAveragesShareFits() throws {
    let runs = syntheticRuns(count: 60, domainCount: 3, seed: 5, noise: 0.01)
    let recipes: [ModelRecipe] = [
      .linear(penalty: 0.01), .powerLaw(.shared), .trees(BoostedTrees()),
      .average([.powerLaw(.shared), .linear(penalty: 0.01)]),
    ]
    let validation = try CrossValidation(runCount: 60)
    func outcomes(_ threads: Int) throws -> [CrossValidation.Outcome] {
      try validation.outcomes(
        of: recipes, shares: runs.shares, losses: runs.losses, fitter: ModelFitter(seed: 1),
        on: ThreadTeam(threadCount: threads))[0]
    }
    let found = try outcomes(2)
    #expect(try outcomes(1) == found)
    #expect(CrossValidation.best(of: found).recipe == .powerLaw(.shared))
    for run in 0..<60 {
      let mean = (found[1].predictions[run] + found[0].predictions[run]) / 2
      expectClose(found[3].predictions[run], mean, within: 1e-12)
    }
    #expect(try #require(found[1].score.rSquared) > 0.99)
  }

  /// By hand: errors 1, 0, −1 around a mean of 2 with spread 2: R² = 0, error sqrt(2/3).
  @Test func scoresAreWhatTheirFormulasSay() {
    let score = CrossValidation.Score(model: "m", predictions: [2, 2, 2], losses: [1, 2, 3])
    #expect(score.rSquared == 0 && score.spearman == nil)
    expectClose(score.rootMeanSquaredError, (2.0 / 3).squareRoot(), within: 1e-15)
    #expect(CrossValidation.Score(model: "m", predictions: [1], losses: [1]).rSquared == nil)
  }

  @Test func everyNameIsARecipeAndUnknownOnesAreNamed() throws {
    for name in ModelRecipe.names where name != "average" {
      #expect(try ModelRecipe(named: name).name == name)
    }
    let average = try ModelRecipe(named: "power-law+trees")
    #expect(average == .average([.powerLaw(.shared), .trees(BoostedTrees())]))
    #expect(try ModelRecipe(named: "average").name == "power-law+gaussian-process+trees")
    for name in ["power-lw", "power-law+", ""] {
      let error = #expect(throws: FittingError.self) { try ModelRecipe(named: name) }
      #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("unknown model '"))
    }
    let error = #expect(throws: FittingError.self) { try ModelRecipe(named: "power-lw") }
    #expect("\(error.map { "\($0)" } ?? "")".contains("did you mean 'power-law'"))
  }

  @Test(arguments: [
    "linear", "ridge", "power-law", "power-law-domains", "power-law-terms", "trees",
    "gaussian-process", "average",
  ])
  func modelsAreStoredAndPredictTheSame(name: String) throws {
    let runs = syntheticRuns(count: 50, domainCount: 3, seed: 7, noise: 0.1)
    let model = try ModelFitter().fit(
      ModelRecipe(named: name), shares: runs.shares, losses: runs.losses[0])
    let bytes = try JSONEncoder().encode(model)
    let back = try JSONDecoder().decode(FittedModel.self, from: bytes)
    #expect(back == model && back.domainCount == 3)
    #expect(runs.shares.allSatisfy { back.loss(of: $0) == model.loss(of: $0) })
  }

  @Test func lightGBMWithoutItsLibraryIsNamed() {
    let error = #expect(throws: FittingError.self) {
      try ModelFitter().fit(.lightGBM(BoostedTrees()), shares: [[1]], losses: [1])
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains(LightGBMLibrary.variable))
  }

  @Test func thePiecesOfAMapAreInOrderAndItsFirstErrorIsThrown() throws {
    let values = try ParallelMap.map(count: 1000, on: team) { (index) throws(FittingError) in
      index * index
    }
    #expect(values == (0..<1000).map { $0 * $0 })
    let error = #expect(throws: FittingError.self) {
      try ParallelMap.map(count: 100, on: team) { (index) throws(FittingError) -> Int in
        guard index % 7 != 5 else { throw .lossNotFinite(runIndex: index, value: .nan) }
        return index
      }
    }
    if case .lossNotFinite(let run, _)? = error { #expect(run == 5) } else { Issue.record("none") }
  }
}
