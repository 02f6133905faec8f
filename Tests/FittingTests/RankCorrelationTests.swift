import Fitting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct RankCorrelationTests {
  @Test func equalValuesShareTheAverageOfTheirRanks() {
    #expect(RankCorrelation.ranks(of: [3, 1, 3, 3, 2]) == [4, 1, 4, 4, 2])
    #expect(RankCorrelation.ranks(of: []) == [])
  }

  /// By hand: ranks (1, 2.5, 2.5, 4) and (1, 3, 2, 4); Σ d² = 0.5, and with ties
  /// r = 4.5 / sqrt(4.5 · 5).
  @Test func tiesAreNotBrokenByTheOrderOfTheRows() throws {
    let (x, y) = ([1.0, 2, 2, 3], [10.0, 30, 20, 40])
    let found = try #require(RankCorrelation.spearman(x, y))
    #expect(abs(found - 4.5 / (4.5 * 5.0).squareRoot()) < 1e-15)
    #expect(RankCorrelation.spearman([1, 2, 2, 3], [10, 20, 30, 40]) == found)
  }

  @Test func onlyTheOrderCounts() throws {
    var generator = TestGenerator(seed: 3)
    let x = (0..<50).map { _ in Double.random(in: 0..<1, using: &generator) }
    #expect(RankCorrelation.spearman(x, x.map { $0 * $0 * $0 }) == 1)
    #expect(RankCorrelation.spearman(x, x.map { -$0 }) == -1)
    let line = try #require(RankCorrelation.pearson(x, x.map { 3 - 2 * $0 }))
    #expect(abs(line + 1) < 1e-12)
  }

  @Test func whatHasNoOrderHasNoCorrelation() {
    #expect(RankCorrelation.spearman([1, 1, 1], [1, 2, 3]) == nil)
    #expect(RankCorrelation.spearman([0.1, 0.1, 0.1], [0.1, 0.2, 0.3]) == nil)
    #expect(RankCorrelation.spearman([1], [2]) == nil)
    #expect(RankCorrelation.pearson([], []) == nil)
    #expect(RankCorrelation.spearman([1, .nan], [1, 2]) == nil)
    #expect(RankCorrelation.pearson([1, .infinity], [1, 2]) == nil)
  }
}
