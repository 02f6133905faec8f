import HeadraceTesting
import Mixing
import Testing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(5)))
struct ApportionmentTests {
  @Test func drawsAreThoseOfTheReference() throws {
    let vectors = try OrderVectors.read().credit_draws
    for run in vectors.changing {
      var state = Apportionment(domainCount: run.domain_count)
      for (row, step) in run.steps.enumerated() {
        let domain = state.nextDomain(try Mixture(normalizing: step.weights))
        #expect(domain == step.domain, "K = \(run.domain_count), row \(row)")
      }
      #expect(state.credits == run.credits)
    }
    let fixed = try Mixture(integerShares: vectors.fixed.shares)
    var state = Apportionment(domainCount: 4)
    let domains = (0..<vectors.fixed.count).map { _ in state.nextDomain(fixed) }
    #expect(Array(domains.prefix(vectors.fixed.head.count)) == vectors.fixed.head)
    #expect(state.credits == vectors.fixed.credits)
  }

  @Test func aForcedDrawOfEachDomainLeavesTheRestToTheMixture() throws {
    // 144 draws over 22 domains, one of each for certain: on average 1 + 122 α_i.
    func means(_ mixture: Mixture) -> [Double] {
      let batches = 500
      var state = Apportionment(domainCount: 22)
      var counts = [Double](repeating: Double(batches), count: 22)
      for _ in 0..<122 * batches { counts[state.nextDomain(mixture)] += 1 }
      return counts.map { $0 / Double(batches) }
    }
    // Totals are exact to one draw, means to 1/500.
    for mean in means(.uniform(domainCount: 22)) { #expect(abs(mean - 6.545) < 0.003) }
    let vertex = try Mixture(weights: [1] + [Double](repeating: 0, count: 21))
    #expect(means(vertex) == [123] + [Double](repeating: 1, count: 21))
    let uneven = try Mixture(normalizing: (1...22).map(Double.init))
    for (domain, mean) in means(uneven).enumerated() {
      #expect(abs(mean - (1 + 122 * Double(domain + 1) / 253)) < 0.003)
    }
  }

  @Test func aHalfAndTwoQuartersByHand() throws {
    // In quarters, after adding (2, 1, 1) and before the winner pays 4: (2, 1, 1) → 0; (0, 2, 2) →
    // 1, the lower of two; (2, -1, 3) → 2; (4, 0, 0) → 0; and nothing is owed.
    let mixture = try Mixture(weights: [0.5, 0.25, 0.25])
    var state = Apportionment(domainCount: 3)
    #expect((0..<4).map { _ in state.nextDomain(mixture) } == [0, 1, 2, 0])
    #expect(state.credits == [0, 0, 0])
  }

  /// Pours on those that were not picked yet: 1/K on all, then 1/(K − 1) on the rest, and so on.
  ///
  /// The last domain is then owed 1/K + 1/(K − 1) + … + 1/2 = H_K − 1. Shares are integers, so the
  /// exact statement is the same sum of them: Σ floor(2^48/n), n = 2…K, because a remainder goes to
  /// lower domains than the last. It is below 2^48·(H_K − 1) by less than 1 for each n that does
  /// not divide 2^48; the draw itself adds no error.
  @Test(arguments: [2, 3, 4, 10, 22])
  func theHarmonicAdversaryReachesItsBoundExactly(domainCount: Int) throws {
    var state = Apportionment(domainCount: domainCount)
    var waiting = Set(0..<domainCount)
    for _ in 1..<domainCount {
      let mixture = try Mixture(
        normalizing: (0..<domainCount).map { waiting.contains($0) ? 1 : 0 })
      let picked = state.nextDomain(mixture)
      #expect(waiting.remove(picked) != nil)
    }
    let last = try #require(waiting.first)
    #expect(last == domainCount - 1)
    let owed = (2...domainCount).reduce(Int64(0)) { $0 + Mixture.one / Int64($1) }
    #expect(state.credits[last] == owed)
    #expect(Harmonic(domainCount).allows(owed))
    // One unit per term more would be beyond the bound: the bound is reached up to the rounding.
    #expect(!Harmonic(domainCount).allows(owed + Int64(domainCount)))
  }

  @Test func randomHistoriesStayWithinTheBounds() throws {
    var generator = TestGenerator(seed: 17)
    for history in 0..<10_000 {
      let domainCount = Int.random(in: 2...22, using: &generator)
      let bound = Harmonic(domainCount)
      var state = Apportionment(domainCount: domainCount)
      var mixture = Mixture.uniform(domainCount: domainCount)
      var isWithin = true
      for row in 0..<60 {
        if row % 3 == 0 || history % 2 == 0 {
          mixture = try Mixture(normalizing: generator.weights(domainCount, zeros: false))
        }
        _ = state.nextDomain(mixture)
        // drawn − asked = −credit / 2^48 ≤ 1 − 1/K, and ≥ −(H_K − 1); all in integers.
        for credit in state.credits {
          isWithin = isWithin && Int64(domainCount) * -credit <= Int64(domainCount - 1) << 48
          isWithin = isWithin && bound.allows(credit)
        }
        isWithin = isWithin && state.credits.reduce(0, +) == 0
      }
      #expect(isWithin, "history \(history) of \(domainCount) domains")
    }
  }

  @Test func creditsAreWhatWasAskedLessWhatWasDrawn() throws {
    var generator = TestGenerator(seed: 3)
    var state = Apportionment(domainCount: 7)
    var asked = [Int64](repeating: 0, count: 7)
    var drawn = asked
    for row in 0..<2000 {
      let mixture = try Mixture(normalizing: generator.weights(7, zeros: true))
      let domain = state.nextDomain(mixture)
      #expect(mixture.integerShares[domain] > 0, "row \(row) went to a domain of weight 0")
      for index in 0..<7 { asked[index] += mixture.integerShares[index] }
      drawn[domain] += Mixture.one
      // 2000 rows of 2^48 stay below 2^59.
      #expect(state.credits == zip(asked, drawn).map { $0 - $1 })
    }
  }

  /// Halves on two domains, zeros elsewhere: the two whose credits are nearest, so that credits
  /// spread until all are half a draw apart, or two by chance.
  ///
  /// The first takes credits to about (K − 1)/4, beyond what is possible without zeros for K ≥ 10.
  @Test(arguments: [2, 3, 5, 10, 22])
  func pairAdversariesWithZerosStayWithinTheirBound(domainCount: Int) throws {
    let limit = 3 * Int64(domainCount - 1) * (Mixture.one / 2)
    var farthest: Int64 = 0
    for isNearest in [true, false] {
      var generator = TestGenerator(seed: 1)
      var state = Apportionment(domainCount: domainCount)
      for row in 0..<3000 {
        let credits = state.credits
        var order = (0..<domainCount).shuffled(using: &generator)
        if isNearest {
          order.sort { credits[$0] < credits[$1] }
          let gaps = zip(order, order.dropFirst()).map { credits[$1] - credits[$0] }
          let least = gaps.min() ?? 0
          let places = gaps.indices.filter { gaps[$0] == least }
          order.removeFirst(places.randomElement(using: &generator) ?? 0)
        }
        var weights = [Double](repeating: 0, count: domainCount)
        weights[order[0]] = 1
        weights[order[1]] = 1
        _ = state.nextDomain(try Mixture(normalizing: weights))
        try #require(
          state.credits.allSatisfy { abs($0) <= limit }, "nearest: \(isNearest), row \(row)")
        farthest = max(farthest, state.credits.max() ?? 0)
      }
      #expect(state.credits.reduce(0, +) == 0)
    }
    #expect(Harmonic(domainCount).allows(farthest) == (domainCount < 10))
  }

  @Test func aWeightOfABillionthGetsOneRowInABillion() throws {
    let mixture = try Mixture(weights: [1 - 1e-9, 1e-9])
    let share = mixture.integerShares[1]
    // Until its first row the small domain's credit is n·q after n rows, and it wins row n + 1 when
    // (n + 1)·q is more than what the other has then, 2^48 − (n + 1)·q.
    var state = Apportionment(domainCount: 2)
    for _ in 0..<100_000 { #expect(state.nextDomain(mixture) == 0) }
    #expect(state.credits == [-100_000 * share, 100_000 * share])

    let first = Mixture.one / 2 / share + 1
    #expect((400_000_000...600_000_000).contains(first))
    state = try Apportionment(credits: [-(first - 2) * share, (first - 2) * share])
    #expect(state.nextDomain(mixture) == 0)
    #expect(state.nextDomain(mixture) == 1)

    // Its second row comes 2^48/q rows later, a billion: none but one of the first billion is its.
    let period = Mixture.one / share
    #expect((999_999_000...1_000_001_000).contains(period))
    let owed = state.credits[1] + (period - 1) * share
    state = try Apportionment(credits: [-owed, owed])
    #expect((0..<3).map { _ in state.nextDomain(mixture) }.contains(1))
  }

  @Test func aDomainOfWeightZeroIsNotDrawnAndKeepsItsCredit() throws {
    var state = Apportionment(domainCount: 3)
    _ = state.nextDomain(.uniform(domainCount: 3))
    let owed = state.credits[2]
    let without = try Mixture(weights: [0.5, 0.5, 0])
    for _ in 0..<1000 { #expect(state.nextDomain(without) != 2) }
    #expect(state.credits[2] == owed)
  }

  @Test func oneDomainAndAThousand() throws {
    var one = Apportionment(domainCount: 1)
    for _ in 0..<10 { #expect(one.nextDomain(.uniform(domainCount: 1)) == 0) }
    #expect(one.credits == [0])

    var many = Apportionment(domainCount: 1000)
    let uniform = Mixture.uniform(domainCount: 1000)
    for _ in 0..<3 {
      #expect(Set((0..<1000).map { _ in many.nextDomain(uniform) }).count == 1000)
    }
  }

  @Test func aBlockIsTheSameAsSingleDrawsAndStopsWhereADomainRunsOut() throws {
    let mixture = try Mixture(weights: [0.5, 0.3, 0.2])
    var single = Apportionment(domainCount: 3)
    let expected = (0..<20).map { _ in Int32(single.nextDomain(mixture)) }

    var block = Apportionment(domainCount: 3)
    let (all, _) = block.drawBlock(20, mixture, drawsLeft: [.max, .max, .max])
    #expect(all == expected)
    #expect(block == single)

    var capped = Apportionment(domainCount: 3)
    let (some, left) = capped.drawBlock(20, mixture, drawsLeft: [.max, 3, 100])
    #expect(some == Array(expected.prefix(some.count)))
    #expect(some.last == 1 && some.filter { $0 == 1 }.count == 3)
    #expect(left == [.max, 0, 100 - Int64(some.filter { $0 == 2 }.count)])
  }

  @Test func creditsGoOutAndBackWithoutTheirArray() throws {
    var state = Apportionment(domainCount: 3)
    let mixture = try Mixture(weights: [0.5, 0.3, 0.2])
    _ = state.nextDomain(mixture)
    let earlier = state
    var copy = [Int64](repeating: 0, count: 3)
    copy.withUnsafeMutableBufferPointer { state.copyCredits(into: $0) }
    _ = state.nextDomain(mixture)
    copy.withUnsafeBufferPointer { state.setCredits(to: $0) }
    #expect(state == earlier)
  }

  @Test func codedAsIntegersAndChecked() throws {
    var state = Apportionment(domainCount: 3)
    for _ in 0..<4 { _ = state.nextDomain(try Mixture(weights: [0.5, 0.3, 0.2])) }
    let bytes = try JSONEncoder().encode(state)
    #expect(try JSONDecoder().decode(Apportionment.self, from: bytes) == state)
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(Apportionment.self, from: Data("[1, 0]".utf8))
    }
    expectError("the checkpoint has credits for 0 domains; they are kept for 1 to 4096") {
      try Apportionment(credits: [])
    }
    expectError("the credits of the checkpoint do not sum to 0") {
      try Apportionment(credits: [5, -4])
    }
    expectError(
      "the credit of domain 1 in the checkpoint is 4611686018427387904, which no run can reach"
    ) {
      try Apportionment(credits: [-(1 << 60), 1 << 62])
    }
  }

  // The sums of half the credits are more than an Int64 holds; those of all are 0.
  @Test func everyStateThatARunReachesIsTaken() throws {
    let most = Mixture.one / 2 * 3 * 4095
    let state = try Apportionment(
      credits: Array(repeating: most, count: 2048) + Array(repeating: -most, count: 2048))
    #expect(state.credits.count == 4096)
    let more = Mixture.one << 13
    expectError("the credits of the checkpoint owe 16777216 draws, which no run can reach") {
      try Apportionment(
        credits: Array(repeating: more, count: 2048) + Array(repeating: -more, count: 2048))
    }
  }

  // Eight domains are owed 2^61 each; seven of them are exhausted and hand it to the first.
  @Test func creditsThatNoRunReachesTrapNowhere() throws {
    let owed = Mixture.one << 13
    var state = try Apportionment(
      credits: Array(repeating: owed, count: 8) + Array(repeating: -owed, count: 8))
    let shares = [Mixture.one] + Array(repeating: Int64(0), count: 15)
    let isExhausted = (0..<16).map { (1..<8).contains($0) }
    for domain in 1..<8 {
      state.shareCredit(
        ofDomain: domain, asked: shares, effective: shares, isExhausted: isExhausted)
    }
    #expect(state.credits[1..<8].allSatisfy { $0 == 0 })
    #expect(state.credits.reduce(0, &+) == 0)
    #expect(state.nextDomain(try Mixture(integerShares: shares)) == 0)
  }

  @Test func theCreditOfAnExhaustedDomainIsSharedAsInTheReference() throws {
    for (place, vector) in try OrderVectors.read().credit_sharing.enumerated() {
      var state = try Apportionment(credits: vector.before)
      let isExhausted = vector.asked.indices.map { vector.exhausted.contains($0) }
      state.shareCredit(
        ofDomain: vector.domain, asked: vector.asked, effective: vector.effective,
        isExhausted: isExhausted)
      #expect(state.credits == vector.after, "case \(place)")
    }
  }
}

/// The bound H_K − 1 on a credit, compared without rounding.
private struct Harmonic {
  /// lcm(1…K), at most 232,792,560 for K = 22.
  let denominator: UInt64
  /// The bound's numerator over the denominator.
  let numerator: UInt64

  init(_ domainCount: Int) {
    var multiple: UInt64 = 1
    for n in 2...UInt64(domainCount) {
      var (a, b) = (multiple, n)
      while b > 0 { (a, b) = (b, a % b) }
      multiple = multiple / a * n
    }
    denominator = multiple
    numerator = (2...UInt64(domainCount)).reduce(0) { $0 + multiple / $1 }
  }

  /// Whether credit ≤ 2^48·(H_K − 1).
  func allows(_ credit: Int64) -> Bool {
    guard credit > 0 else { return true }
    let left = credit.magnitude.multipliedFullWidth(by: denominator)
    let right = UInt64(Mixture.one).multipliedFullWidth(by: numerator)
    return left.high != right.high ? left.high < right.high : left.low <= right.low
  }
}

extension Apportionment {
  fileprivate mutating func drawBlock(
    _ count: Int, _ mixture: Mixture, drawsLeft: [Int64]
  ) -> (domains: [Int32], drawsLeft: [Int64]) {
    var domains = [Int32](repeating: -1, count: count)
    var left = drawsLeft
    let made = mixture.integerShares.withUnsafeBufferPointer { shares in
      left.withUnsafeMutableBufferPointer { left in
        domains.withUnsafeMutableBufferPointer { domains in
          drawDomains(into: domains, shares: shares, drawsLeft: left)
        }
      }
    }
    return (Array(domains.prefix(made)), left)
  }
}
