import Testing
import Training

@Suite(.timeLimit(.minutes(5)))
struct SampleRatioTests {
  @Test func threePairsByHand() throws {
    let ratio = SampleRatio(of: [1, 2, 6], to: [2, 2, 2])
    // R = 9/6; without each pair 8/4, 7/4 and 3/4, whose mean is 1.5; squares .25 + .0625 + .5625.
    #expect(ratio.ratio == 1.5)
    #expect(abs(try #require(ratio.standardError) - (0.875 * 2 / 3).squareRoot()) < 1e-12)
  }

  @Test func proportionalPairsLeaveNoDoubt() throws {
    let ratio = SampleRatio(of: [1, 2, 3], to: [2, 4, 6])
    #expect(ratio.ratio == 0.5)
    #expect(try #require(ratio.standardError) < 1e-12)
  }

  @Test func aSinglePairHasNoError() {
    #expect(SampleRatio(of: [4], to: [8]).standardError == nil)
  }

  @Test func noiseInTheDenominatorDoesNotCarryIt() {
    // Half of the denominators are small by chance: the ratios' mean is 2.55, that of means is 1.
    let ratio = SampleRatio(of: [1, 1, 1, 1], to: [0.25, 1.75, 0.25, 1.75])
    #expect(ratio.ratio == 1)
    #expect(SampleMean(of: [4, 1 / 1.75, 4, 1 / 1.75]).mean > 2)
  }
}
