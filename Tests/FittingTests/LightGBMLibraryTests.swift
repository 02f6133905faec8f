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
struct LightGBMLibraryTests {
  private static let isPresent = getenv(LightGBMLibrary.variable) != nil
  private static let comment: Comment =
    "needs LightGBM: set HEADRACE_LIGHTGBM to the lib_lightgbm.so of the Python package lightgbm"

  private let text = """
    tree
    version=v4
    max_feature_idx=1

    Tree=0
    num_leaves=3
    split_feature=1 0
    threshold=0.25 0.5
    decision_type=2 2
    left_child=1 -2
    right_child=-1 -3
    leaf_value=3 1 2
    shrinkage=1

    Tree=1
    num_leaves=1
    leaf_value=0.125

    end of trees

    feature_importances:
    """

  /// By hand: r1 ≤ .25 goes to the second node, where r0 ≤ .5 is leaf 1; each plus .125.
  @Test func itsTextIsReadIntoTrees() throws {
    let ensemble = try LightGBMText.ensemble(of: text, domainCount: 2)
    #expect(ensemble.treeCount == 2)
    #expect(ensemble.loss(of: [0.4, 0.6]) == 3.125)
    #expect(ensemble.loss(of: [0.5, 0.25]) == 1.125)
    #expect(ensemble.loss(of: [0.9, 0.1]) == 2.125)
  }

  @Test(arguments: [
    ("end of trees", "the end"), ("left_child=1 -2", "left_child=0 -2"),
    ("left_child=1 -2", "left_child=9 -2"), ("split_feature=1 0", "split_feature=1 7"),
    ("threshold=0.25 0.5", "threshold=0.25"), ("leaf_value=3 1 2", "leaf_value=3 1 x"),
    ("leaf_value=3 1 2", "leaf_value=3 1 inf"), ("decision_type=2 2", "decision_type=2 1"),
    ("Tree=", "Bush="),
  ])
  func textThatIsNotWholeIsRefused(from: String, to: String) {
    let error = #expect(throws: FittingError.self) {
      try LightGBMText.ensemble(of: text.replacing(from, with: to), domainCount: 2)
    }
    let found = error.map { "\($0)" } ?? ""
    #expect(found.hasPrefix("LightGBM's model cannot be read: "))
  }

  @Test func aLibraryThatIsNotThereIsNamed() {
    let missing = #expect(throws: FittingError.self) {
      try LightGBMLibrary(atPath: "/nowhere/lib_lightgbm.so")
    }
    let found = missing.map { "\($0)" } ?? ""
    #expect(found.hasPrefix("/nowhere/lib_lightgbm.so: cannot be opened as LightGBM's library"))
    #if canImport(Glibc)
      let other = #expect(throws: FittingError.self) { try LightGBMLibrary(atPath: "libm.so.6") }
      #expect(
        "\(other.map { "\($0)" } ?? "")".hasPrefix(
          "libm.so.6: has no function LGBM_DatasetCreateFromMat"))
    #endif
  }

  @Test(.enabled(if: isPresent, comment))
  func ourTreesOfItsModelPredictAsItDoes() throws {
    let library = try LightGBMLibrary()
    let runs = syntheticRuns(count: 200, domainCount: 6, seed: 5, noise: 0.1)
    let fit = try library.fit(BoostedTrees(), shares: runs.shares, losses: runs.losses[0])
    for (shares, prediction) in zip(runs.shares, fit.predictions) {
      // The library adds the trees in another order of rounding.
      expectClose(fit.ensemble.loss(of: shares), prediction, within: 1e-12)
    }
  }

  /// The same splits in almost every tree.
  ///
  /// Labels and gradients that are `Float` there leave
  /// differences of 1e-9 of the losses or so, and decide otherwise where two splits are equally
  /// good: that moves 4 of the 256 predictions, by .003 nats at most.
  @Test(.enabled(if: isPresent && RegMixRuns.isPresent, comment))
  func itReachesItsPublishedCorrelationAndOurTreesAreItsTrees() throws {
    let library = try LightGBMLibrary()
    let (train, test) = (try RegMixRuns.table("train"), try RegMixRuns.table("test"))
    let losses = try #require(train.losses(named: RegMixRuns.webLoss))
    let fit = try library.fit(BoostedTrees(), shares: train.writtenShares, losses: losses)
    let found = try RegMixRuns.correlation(
      fit.ensemble, test, loss: RegMixRuns.webLoss, written: true)
    expectClose(found, 98.92, within: 0.01)
    let own = BoostedTrees().fit(shares: train.writtenShares, losses: losses)
    let differences = test.writtenShares.map { shares in
      abs(own.loss(of: shares) - fit.ensemble.loss(of: shares))
    }
    #expect(differences.filter { $0 > 1e-7 }.count <= 10)
    #expect((differences.max() ?? 1) < 0.01)
  }

  @Test(.enabled(if: isPresent, comment))
  func whatItRefusesIsSaid() throws {
    let library = try LightGBMLibrary()
    var settings = BoostedTrees()
    settings.learningRate = -1
    let error = #expect(throws: FittingError.self) {
      try library.fit(settings, shares: [[0.5], [1]], losses: [1, 2])
    }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("LightGBM's LGBM_"))
  }
}
