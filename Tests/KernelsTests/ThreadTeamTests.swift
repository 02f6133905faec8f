import Kernels
import Testing

@Suite(.timeLimit(.minutes(5))) struct ThreadTeamTests {
  @Test(arguments: [1, 2, 3, 8], [0, 1, 2, 7, 1000])
  func everyTurnRunsExactlyOnce(threadCount: Int, count: Int) {
    let team = ThreadTeam(threadCount: threadCount)
    let turns = FloatArray(count: count)
    for _ in 0..<50 {
      team.run(count: count) { _, range in
        for index in range { turns.start[index] += 1 }
      }
    }
    #expect(turns.values.allSatisfy { $0 == 50 })
  }

  @Test func shortLoopsStayOnTheCaller() {
    let team = ThreadTeam(threadCount: 4)
    let parts = FloatArray(count: 4)
    team.run(count: 100, minimumPerThread: 60) { thread, range in
      parts.start[thread] = Float(range.count)
    }
    #expect(parts.values == [100, 0, 0, 0])
    team.run(count: 100, minimumPerThread: 40) { thread, range in
      parts.start[thread] = Float(range.count)
    }
    #expect(parts.values == [50, 50, 0, 0])
  }

  @Test func rangesFollowFromTheCountsAlone() {
    #expect(ThreadTeam.range(of: 0, among: 3, count: 10) == 0..<3)
    #expect(ThreadTeam.range(of: 1, among: 3, count: 10) == 3..<6)
    #expect(ThreadTeam.range(of: 2, among: 3, count: 10) == 6..<10)
  }

  @Test func teamsComeAndGo() {
    for threadCount in 1...20 {
      let team = ThreadTeam(threadCount: threadCount)
      let sums = FloatArray(count: threadCount)
      team.run(count: 100) { thread, range in sums.start[thread] = Float(range.count) }
      #expect(sums.values.reduce(0, +) == 100)
    }
  }
}
