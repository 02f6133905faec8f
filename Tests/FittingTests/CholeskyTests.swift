import Fitting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct CholeskyTests {
  @Test func factorsAMatrixWorkedByHand() throws {
    // [4 2; 2 5] = [2 0; 1 2]·[2 1; 0 2].
    let factor = try #require(Cholesky([4, 2, 2, 5], count: 2))
    #expect(factor.lower[0] == 2)
    #expect(factor.lower[2] == 1)
    #expect(factor.lower[3] == 2)
    expectClose(factor.solve([10, 13]), [1.5, 2], within: 1e-15)
  }

  @Test func refusesWhatIsNotPositiveDefinite() {
    #expect(Cholesky([1, 2, 2, 1], count: 2) == nil)
    #expect(Cholesky([0], count: 1) == nil)
    #expect(Cholesky([.nan], count: 1) == nil)
    #expect(Cholesky([.infinity], count: 1) == nil)
  }

  @Test func anEmptySystemHasAnEmptySolution() throws {
    #expect(try #require(Cholesky([], count: 0)).solve([]) == [])
  }
}
