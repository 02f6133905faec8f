import Fitting
import Testing

// Covers: TreeEnsemble.swift, TreeGrower.swift, BinnedShares.swift

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(5)))
struct BoostedTreesTests {
  /// By hand: one split between 0.2 and 0.6, leaves −η·mean residual: with η = 1 and one round the
  /// prediction is the mean of each side.
  @Test func oneRoundOfOneSplitIsTheMeanOfEachSide() {
    var settings = BoostedTrees()
    (settings.roundCount, settings.learningRate, settings.rowMinimum) = (1, 1, 3)
    settings.leafLimit = 2
    let shares = [0.1, 0.1, 0.2, 0.6, 0.7, 0.7].map { [$0, 1 - $0] }
    let ensemble = settings.fit(shares: shares, losses: [1, 2, 3, 7, 8, 9])
    #expect(ensemble.treeCount == 2)
    expectClose(ensemble.loss(of: [0.2, 0.8]), 2, within: 1e-12)
    expectClose(ensemble.loss(of: [0.6, 0.4]), 8, within: 1e-12)
    expectClose(ensemble.thresholds, [0.4], within: 1e-15)
  }

  /// Every leaf holds at least so many runs, and no tree has more leaves than allowed.
  @Test(arguments: [1, 5, 20])
  func leavesHaveTheirLeastRows(rowMinimum: Int) throws {
    let runs = syntheticRuns(count: 150, domainCount: 5, seed: UInt64(rowMinimum), noise: 0.3)
    var settings = BoostedTrees()
    (settings.roundCount, settings.leafLimit, settings.rowMinimum) = (20, 9, rowMinimum)
    let ensemble = settings.fit(shares: runs.shares, losses: runs.losses[0])
    #expect(ensemble.treeCount == 21)
    #expect(ensemble.values.count <= 1 + 20 * 9)
    var counts = [Int](repeating: 0, count: ensemble.values.count)
    for shares in runs.shares {
      for root in ensemble.roots {
        var node = Int(root)
        while node >= 0 {
          let goesLeft = shares[Int(ensemble.domains[node])] <= ensemble.thresholds[node]
          node = Int(goesLeft ? ensemble.left[node] : ensemble.right[node])
        }
        counts[-1 - node] += 1
      }
    }
    #expect(counts.dropFirst().allSatisfy { $0 >= rowMinimum })
  }

  @Test func manyRoundsFitTheRunsAndFewAreSmooth() {
    let runs = syntheticRuns(count: 200, domainCount: 3, seed: 4)
    var settings = BoostedTrees()
    (settings.learningRate, settings.rowMinimum) = (0.1, 2)
    func error(_ rounds: Int) -> Double {
      settings.roundCount = rounds
      let ensemble = settings.fit(shares: runs.shares, losses: runs.losses[0])
      return zip(runs.shares, runs.losses[0]).reduce(0) {
        $0 + abs(ensemble.loss(of: $1.0) - $1.1)
      }
    }
    let errors = [1, 10, 100, 500].map(error)
    #expect(errors == errors.sorted(by: >))
    #expect(errors[3] < 0.02 * errors[0])
  }

  @Test func degenerateRunsGiveTheirMean() {
    let cases: [(shares: [[Double]], losses: [Double])] = [
      ([[1]], [3]), ([[0.5, 0.5], [0.2, 0.8]], [2, 4]),
      ([[Double]](repeating: [0.5, 0.5], count: 100), [Double](repeating: 3, count: 100)),
      (
        (0..<100).map { [Double($0) / 100, 1 - Double($0) / 100] }, .init(repeating: 3, count: 100)
      ),
    ]
    for (shares, losses) in cases {
      let ensemble = BoostedTrees().fit(shares: shares, losses: losses)
      let mean = losses.reduce(0, +) / Double(losses.count)
      expectClose(ensemble.loss(of: shares[0]), mean, within: 1e-12)
      #expect(ensemble.treeCount == 1)
    }
  }

  @Test func boostingStopsWhereAnErrorNoLongerFalls() {
    let runs = syntheticRuns(count: 120, domainCount: 4, seed: 6, noise: 0.8)
    let held = syntheticRuns(count: 60, domainCount: 4, seed: 7, noise: 0.8)
    var settings = BoostedTrees()
    (settings.roundCount, settings.learningRate) = (1000, 0.3)
    let stopped = settings.fit(
      shares: runs.shares, losses: runs.losses[0],
      stoppingOn: .init(shares: held.shares, losses: held.losses[0]))
    #expect(stopped.treeCount < 200)
    // The trees that are kept are those of a fit of as many rounds.
    settings.roundCount = stopped.treeCount - 1
    #expect(
      stopped.treeCount == 1 || settings.fit(shares: runs.shares, losses: runs.losses[0]) == stopped
    )
  }

  @Test func treesAreStoredWholeOrRefused() throws {
    let runs = syntheticRuns(count: 100, domainCount: 3, seed: 1)
    var settings = BoostedTrees()
    settings.roundCount = 5
    let ensemble = settings.fit(shares: runs.shares, losses: runs.losses[0])
    let bytes = try JSONEncoder().encode(ensemble)
    #expect(try JSONDecoder().decode(TreeEnsemble.self, from: bytes) == ensemble)
    let cyclic = """
      {"domain_count": 1, "roots": [0], "domains": [0], "thresholds": [0.5], "left": [0],
       "right": [-1], "values": [1, 2]}
      """
    for text in [
      cyclic, cyclic.replacing("[0], \"right\"", with: "[-3], \"right\""),
      cyclic.replacing("\"domains\": [0]", with: "\"domains\": [1]"),
      cyclic.replacing("[1, 2]", with: "[1]"),
    ] {
      #expect(throws: DecodingError.self) {
        try JSONDecoder().decode(TreeEnsemble.self, from: Data(text.utf8))
      }
    }
  }

  /// LightGBM with these settings reaches 98.92 and 98.95.
  @Test(.enabled(if: RegMixRuns.isPresent, SharedData.comment))
  func publishedRunsAreOrderedAsByLightGBM() throws {
    let (train, test) = (try RegMixRuns.table("train"), try RegMixRuns.table("test"))
    var sum = 0.0
    for (index, loss) in train.lossNames.enumerated() {
      let ensemble = BoostedTrees().fit(
        shares: train.writtenShares, losses: train.losses[index])
      let found = try RegMixRuns.correlation(ensemble, test, loss: loss, written: true)
      sum += found
      guard loss == RegMixRuns.webLoss else { continue }
      expectClose(found, 98.92, within: 0.02)
      let squares = zip(test.writtenShares, test.losses[index]).map { shares, loss in
        (ensemble.loss(of: shares) - loss) * (ensemble.loss(of: shares) - loss)
      }
      #expect(squares.reduce(0, +) / Double(test.runCount) <= 0.0033)
    }
    expectClose(sum / Double(train.lossNames.count), 98.95, within: 0.02)
  }

  /// The paper's own split: rows 1 to 128 of a thousand stop the boosting, the others are fitted.
  @Test(.enabled(if: RegMixRuns.isPresent, SharedData.comment))
  func thePapersSplitStopsAtItsRound() throws {
    let (train, extra) = (try RegMixRuns.table("train"), try RegMixRuns.table("extra"))
    let losses = try #require(train.losses(named: RegMixRuns.webLoss))
    let more = try #require(extra.losses(named: RegMixRuns.webLoss))
    let shares = train.writtenShares + extra.writtenShares
    var settings = BoostedTrees()
    settings.roundCount = 1000
    let ensemble = settings.fit(
      shares: Array(shares[128...]), losses: Array((losses + more)[128...]),
      stoppingOn: .init(shares: Array(shares[..<128]), losses: Array(losses[..<128])))
    let found = try RegMixRuns.correlation(
      ensemble, RegMixRuns.table("test"), loss: RegMixRuns.webLoss, written: true)
    expectClose(found, 99.05, within: 0.02)
    // LightGBM stops at 553; one tree more is the mean that boosting starts from.
    #expect(ensemble.treeCount == 553 + 1)
  }
}
