import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct EffectiveSharesTests {
  @Test func sharesAreThoseOfTheReference() throws {
    for (place, vector) in try OrderVectors.read().effective.enumerated() {
      let effective = EffectiveShares.mixture(
        asked: try Mixture(integerShares: vector.asked),
        isExhausted: vector.asked.indices.map { vector.exhausted.contains($0) },
        sequencesLeft: vector.sequences_left)
      #expect(effective?.integerShares == vector.effective, "case \(place)")
    }
  }

  @Test func nothingChangesWhileNothingIsExhausted() throws {
    let asked = try Mixture(weights: [0.5, 0, 0.3, 0.2])
    let effective = EffectiveShares.mixture(
      asked: asked, isExhausted: [false, false, false, false], sequencesLeft: [1, 1, 1, 1])
    #expect(effective == asked)
  }

  @Test func theRestKeepsItsProportions() throws {
    // 0.2 is shared 5 to 3; so 0.5 becomes 0.625 and 0.3 becomes 0.375, up to the rounding.
    let effective = try #require(
      EffectiveShares.mixture(
        asked: Mixture(weights: [0.5, 0.3, 0.2]), isExhausted: [false, false, true],
        sequencesLeft: [9, 9, 0]))
    #expect(abs(effective.weight(ofDomain: 0) - 0.625) < 1e-14)
    #expect(abs(effective.weight(ofDomain: 1) - 0.375) < 1e-14)
    #expect(effective.integerShares[2] == 0)
  }

  @Test func withoutAskedWeightTheRestSharesBySequencesLeft() throws {
    let effective = try #require(
      EffectiveShares.mixture(
        asked: Mixture(weights: [1, 0, 0]), isExhausted: [true, false, false],
        sequencesLeft: [0, 1, 3]))
    #expect(effective.weights == [0, 0.25, 0.75])
  }

  @Test func nothingIsLeftWhenAllAreExhausted() throws {
    let asked = Mixture.uniform(domainCount: 2)
    #expect(
      EffectiveShares.mixture(
        asked: asked, isExhausted: [true, true], sequencesLeft: [0, 0]) == nil)
  }

  @Test func randomMixturesAlwaysSumToOne() throws {
    var generator = TestGenerator(seed: 9)
    for trial in 0..<2000 {
      let count = Int.random(in: 1...30, using: &generator)
      let asked = try Mixture(normalizing: generator.weights(count, zeros: true))
      let isExhausted = (0..<count).map { _ in Bool.random(using: &generator) }
      let left = isExhausted.map { $0 ? 0 : Int64.random(in: 1...1 << 50, using: &generator) }
      // The result is a checked mixture, so that it sums to 2^48; nil only if nothing is left.
      let effective = EffectiveShares.mixture(
        asked: asked, isExhausted: isExhausted, sequencesLeft: left)
      #expect((effective == nil) == isExhausted.allSatisfy { $0 }, "trial \(trial)")
      guard let effective else { continue }
      for index in 0..<count where isExhausted[index] {
        #expect(effective.integerShares[index] == 0)
      }
    }
  }
}
