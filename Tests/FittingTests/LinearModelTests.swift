import Fitting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct LinearModelTests {
  /// L = 1 + 2 r0 − r1, exactly; shares that sum to 1 leave the coefficients open by a constant.
  @Test func anExactLineIsFound() {
    let shares = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]
    let losses = shares.map { 1 + 2 * $0[0] - $0[1] }
    let model = LinearModel(shares: shares, losses: losses)
    #expect(model.isIdentified)
    for (row, loss) in zip(shares, losses) { expectClose(model.loss(of: row), loss, within: 1e-12) }
    expectClose(model.coefficients.reduce(0, +), 0, within: 1e-12)
  }

  /// By hand: one domain, centered shares ±0.1, losses ±1: w = 0.2 / (0.02 + α).
  @Test(arguments: [0.0, 0.01, 1])
  func ridgeShrinksByItsPenalty(penalty: Double) {
    let model = LinearModel(shares: [[0.4], [0.6]], losses: [2, 4], penalty: penalty)
    expectClose(model.coefficients[0], 0.2 / (0.02 + penalty), within: 1e-11)
    expectClose(model.loss(of: [0.5]), 3, within: 1e-12)
  }

  @Test func runsThatLeaveCoefficientsOpenSaySo() {
    let same = LinearModel(shares: [[0.5, 0.5], [0.5, 0.5]], losses: [2, 3])
    #expect(!same.isIdentified)
    expectClose(same.loss(of: [0.1, 0.9]), 2.5, within: 1e-12)
    let unused = LinearModel(
      shares: [[0.5, 0.5, 0], [0.2, 0.8, 0], [1, 0, 0]], losses: [1, 2, 3], penalty: 0.01)
    #expect(!unused.isIdentified)
    expectClose(unused.coefficients[2], 0, within: 1e-12)
    #expect(LinearModel(shares: [[1]], losses: [2]).loss(of: [1]) == 2)
  }

  /// The published linear fits rest on the shares as written.
  @Test(.enabled(if: RegMixRuns.isPresent, SharedData.comment))
  func leastSquaresReachThePublishedCorrelations() throws {
    let (train, test) = (try RegMixRuns.table("train"), try RegMixRuns.table("test"))
    // Of the thirteen losses, in the table's order.
    let expected = [
      73.71, 77.47, 82.52, 88.10, 76.28, 83.58, 81.63, 89.00, 90.21, 76.63, 84.26, 92.23, 84.81,
    ]
    for (index, loss) in train.lossNames.enumerated() {
      let model = LinearModel(shares: train.writtenShares, losses: train.losses[index])
      let found = try RegMixRuns.correlation(model, test, loss: loss, written: true)
      expectClose(found, expected[index], within: 0.02)
    }
  }

  /// The paper's table says 512 runs; its linear row is that of these 872.
  @Test(.enabled(if: RegMixRuns.isPresent, SharedData.comment))
  func ridgeReachesThePapersLinearRow() throws {
    let (train, extra) = (try RegMixRuns.table("train"), try RegMixRuns.table("extra"))
    let losses = try #require(train.losses(named: RegMixRuns.webLoss))
    let more = try #require(extra.losses(named: RegMixRuns.webLoss))
    let shares = train.writtenShares + extra.writtenShares
    let model = LinearModel(
      shares: Array(shares[128...]), losses: Array((losses + more)[128...]),
      penalty: ModelRecipe.paperPenalty)
    let found = try RegMixRuns.correlation(
      model, RegMixRuns.table("test"), loss: RegMixRuns.webLoss, written: true)
    expectClose(found, 90.08, within: 0.02)
  }
}
