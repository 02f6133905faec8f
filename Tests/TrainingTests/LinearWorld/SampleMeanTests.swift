import Testing
import Training

@Suite(.timeLimit(.minutes(5)))
struct SampleMeanTests {
  @Test func fourValuesByHand() {
    let mean = SampleMean(of: [1, 2, 3, 6])
    // Mean 3; squares 4 + 1 + 0 + 9 = 14; error √(14 / 3 / 4) = 1.080123; t with 3 degrees is
    // 3.182446.
    #expect(mean.mean == 3)
    #expect(abs((mean.standardError ?? 0) - 1.0801234) < 1e-6)
    let reach = ((mean.interval?[1] ?? 0) - 3) / 1.0801234
    #expect(abs(reach / 3.182446 - 1) < 0.01)
  }

  @Test(arguments: [(2, 12.7062), (3, 4.30265), (6, 2.570582), (20, 2.093024), (40, 2.022691)])
  func intervalsAreStudents(count: Int, quantile: Double) throws {
    let mean = SampleMean(of: (0..<count).map { Double($0 * $0) })
    let (interval, error) = (try #require(mean.interval), try #require(mean.standardError))
    #expect(abs((interval[1] - mean.mean) / error / quantile - 1) < 0.002)
    #expect(abs(interval[0] + interval[1] - 2 * mean.mean) < 1e-9)
  }

  @Test func oneValueHasNoError() {
    #expect(SampleMean(of: [4]) == SampleMean(of: [4]))
    #expect(SampleMean(of: [4]).standardError == nil)
    #expect(SampleMean(of: [4]).interval == nil)
  }
}
