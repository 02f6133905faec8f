import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct GramAverageTests {
  private func gram(_ counts: [Int], _ gram: [Double], _ squares: [Double]) throws -> DomainGram {
    try #require(
      DomainGram(
        GradientReport(microBatchCounts: counts, gram: gram, squaredNorms: squares),
        domainCount: counts.count))
  }

  @Test func entriesAreWeightedByWhatTheyWereMeasuredFrom() throws {
    var average = GramAverage(domainCount: 2, smoothing: 0.9, selfTerm: .cross)
    #expect(average.rowSums == [0, 0])
    average.add(try gram([2, 4], [2, 0.5, 0.5, 3], [3, 4]))
    // Cross terms (2·2 − 3)/1 = 1 and (4·3 − 4)/3 = 8/3.
    expectNear(average.selfTerms.compactMap { $0 }, [1, 2.666667])
    expectNear(average.rowSums, [1.5, 3.166667])
    average.add(try gram([1, 2], [1, -0.25, -0.25, 5], [2, 9]))
    // Off the diagonal (.9·.5 − .25)/1.9 = 2/19. Domain 0 had one micro-batch and keeps its 1;
    // domain 1 has (.9·¾·8/3 + ½·1)/(.9·¾ + ½) with the cross term 10 − 9 = 1.
    expectNear(average.selfTerms.compactMap { $0 }, [1, 1.957447])
    expectNear(average.rowSums, [1.105263, 2.062710])
  }

  @Test func anUnseenDomainKeepsItsEntries() throws {
    var average = GramAverage(domainCount: 2, smoothing: 0.5, selfTerm: .included)
    average.add(try gram([1, 1], [4, 1, 1, 9], [4, 9]))
    let before = average
    average.add(try gram([0, 1], [0, 0, 0, 3], [0, 3]))
    #expect(average.selfTerms == [4, 5])
    #expect(average.rowSums[0] == before.rowSums[0])
    for _ in 0..<100_000 { average.add(try gram([0, 1], [0, 0, 0, 3], [0, 3])) }
    #expect(average.rowSums == [5, 4])
  }

  @Test func theSelfTermMayBeLeftOut() throws {
    var average = GramAverage(domainCount: 2, smoothing: 0.9, selfTerm: .excluded)
    average.add(try gram([3, 3], [4, 1, 1, 9], [4, 9]))
    #expect(average.rowSums == [1, 1])
    #expect(average.selfTerms == [nil, nil])
  }

  @Test func whatWasStoredMustHaveTheShape() {
    var average = GramAverage(domainCount: 2, smoothing: 0.9, selfTerm: .cross)
    let isShort = average.restore(sums: [1], sumWeights: [1])
    let isRight = average.restore(sums: [1, 2, 3, 4], sumWeights: [1, 1, 1, 1])
    #expect(!isShort && isRight)
    #expect(average.rowSums == [3, 7])
  }
}
