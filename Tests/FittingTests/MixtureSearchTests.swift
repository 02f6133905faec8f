import Fitting
import Kernels
import Testing

@Suite(.timeLimit(.minutes(5)))
struct MixtureSearchTests {
  private let team = ThreadTeam(threadCount: 2)

  private func search(_ change: (inout MixtureSearch) -> Void = { _ in }) -> MixtureSearch {
    var search = MixtureSearch()
    search.candidateCount = 4000
    search.keptCount = 32
    change(&search)
    return search
  }

  private func freeBox(_ count: Int) -> ShareBox {
    ShareBox(
      floors: [Double](repeating: 0, count: count), caps: [Double](repeating: 1, count: count))
  }

  /// Σ (r − c)² is least at c.
  @Test func theLeastLossIsFoundInTheMiddleOfTheSimplex() {
    let center = [0.3, 0.1, 0.2, 0.05, 0.05, 0.1, 0.1, 0.1]
    let found = search().run(
      prior: [Double](repeating: 1, count: 8), box: freeBox(8), on: team
    ) { shares in zip(shares, center).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
    expectClose(found.shares, center, within: 0.02)
    #expect(abs(found.shares.reduce(0, +) - 1) < 1e-12)
    #expect(found.leastObjective <= found.keptObjective)
  }

  /// The same loss: one round of few candidates is far off; a tolerance above what more rounds gain
  /// leaves it.
  @Test func furtherRoundsCountWhereTheyGainEnough() {
    let center = [0.3, 0.1, 0.2, 0.05, 0.05, 0.1, 0.1, 0.1]
    let loss: @Sendable ([Double]) -> Double = { shares in
      zip(shares, center).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    let prior = [Double](repeating: 1, count: 8)
    func found(_ rounds: Int, _ tolerance: Double) -> [Double] {
      search { ($0.roundCount, $0.tolerance) = (rounds, tolerance) }.run(
        prior: prior, box: freeBox(8), on: team, loss: loss
      ).shares
    }
    let one = found(1, 0)
    #expect(loss(found(4, 0)) < 0.5 * loss(one))
    #expect(found(4, 1) == one)
  }

  @Test func floorsAndCapsHoldWhateverTheLossWants() {
    let box = ShareBox(floors: [0, 0.1, 0.05], caps: [0.4, 1, 1])
    let found = search().run(prior: [0.9, 0.05, 0.05], box: box, on: team) { 1 - $0[0] }
    expectClose(found.shares[0], 0.4, within: 1e-9)
    #expect(found.shares[1] >= 0.1 - 1e-12 && found.shares[2] >= 0.05 - 1e-12)
  }

  @Test func aStrongDivergenceHoldsTheMixtureAtThePrior() {
    let prior = [0.5, 0.3, 0.2]
    let free = search().run(prior: prior, box: freeBox(3), on: team) { 1 - $0[2] }
    #expect(free.shares[2] > 0.97)
    let held = search { $0.divergenceStrength = 100 }.run(
      prior: prior, box: freeBox(3), on: team
    ) { 1 - $0[2] }
    expectClose(held.shares, prior, within: 0.02)
  }

  @Test func threadsChangeNothingAndSeedsDo() {
    let loss: @Sendable ([Double]) -> Double = { $0[0] * $0[1] - $0[2] * $0[0] }
    let one = search().run(
      prior: [1, 1, 1], box: freeBox(3), on: ThreadTeam(threadCount: 1), loss: loss)
    let two = search().run(prior: [1, 1, 1], box: freeBox(3), on: team, loss: loss)
    #expect(one == two)
    let other = search { $0.seed = 1 }.run(
      prior: [1, 1, 1], box: freeBox(3), on: team, loss: loss)
    #expect(one != other)
  }

  @Test func lossesThatAreNoNumbersAreNeverKept() {
    let found = search().run(prior: [1, 1], box: freeBox(2), on: team) {
      $0[0] > 0.5 ? .nan : 1 - $0[0]
    }
    #expect(found.shares[0] <= 0.5 && found.leastObjective.isFinite)
    let none = search().run(prior: [1, 1], box: freeBox(2), on: team) { _ in .nan }
    #expect(abs(none.shares.reduce(0, +) - 1) < 1e-12)
  }

  @Test func oneDomainIsTheWholeMixture() {
    let found = search { ($0.candidateCount, $0.keptCount) = (1, 1) }.run(
      prior: [1], box: freeBox(1), on: team
    ) { $0[0] }
    #expect(found.shares == [1])
  }
}
