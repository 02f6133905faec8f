import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct IntegerSharesTests {
  @Test func sharesAreThoseOfTheReference() throws {
    for vector in try OrderVectors.read().mixtures {
      let mixture = try Mixture(normalizing: vector.weights)
      #expect(mixture.integerShares == vector.shares, "weights \(vector.weights)")
    }
  }

  @Test func thirdsGiveTheRemainderToTheLowestDomain() throws {
    // 2^48 = 3 · 93824992236885 + 1.
    let third: Int64 = 93_824_992_236_885
    let mixture = try Mixture(weights: [1.0 / 3, 1.0 / 3, 1.0 / 3])
    #expect(mixture.integerShares == [third + 1, third, third])
    #expect(mixture == .uniform(domainCount: 3))
  }

  @Test func aPositiveWeightIsNeverRoundedToZero() throws {
    let mixture = try Mixture(weights: [.leastNonzeroMagnitude, 1, 0])
    #expect(mixture.integerShares == [1, Mixture.one - 1, 0])
    let many = try Mixture(normalizing: [Double](repeating: 1e-30, count: 99) + [1])
    #expect(many.integerShares == [Int64](repeating: 1, count: 99) + [Mixture.one - 99])
  }

  @Test func sharesStayWithinOneOfTheExactValue() throws {
    var generator = TestGenerator(seed: 5)
    for _ in 0..<100 {
      // No weight is so small that the rule of at least 1 moves another by more than 1.
      let weights = (0..<9).map { _ in Double.random(in: 0.01...1, using: &generator) }
      let sum = weights.reduce(0, +)
      let mixture = try Mixture(normalizing: weights)
      for (share, weight) in zip(mixture.integerShares, weights) {
        #expect(abs(Double(share) - weight / sum * Double(Mixture.one)) <= 1)
      }
    }
  }
}
