import HeadraceTesting
import Mixing
import Testing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(5)))
struct MixtureTests {
  @Test(arguments: [1, 2, 3, 7, 22, 100, 1000])
  func everyMixtureSumsToOneAndIsItsOwnRounding(domainCount: Int) throws {
    var generator = TestGenerator(seed: UInt64(domainCount))
    for trial in 0..<20 {
      let weights = generator.weights(domainCount, zeros: trial % 2 == 1)
      let mixture = try Mixture(normalizing: weights)
      #expect(mixture.integerShares.reduce(0, +) == Mixture.one)
      for (share, weight) in zip(mixture.integerShares, weights) {
        #expect((share > 0) == (weight > 0))
      }
      // The weights are multiples of 2^-48 with sum 1, so both ways back are exact.
      #expect(try Mixture(weights: mixture.weights) == mixture)
      #expect(try Mixture(integerShares: mixture.integerShares) == mixture)
      for index in 0..<domainCount {
        #expect(mixture.weight(ofDomain: index) == mixture.weights[index])
      }
    }
  }

  @Test func codedAsIntegersAndBackBitForBit() throws {
    let mixture = try Mixture(normalizing: [1e-9, 0.3, 0, 7])
    let bytes = try JSONEncoder().encode(mixture)
    let list = mixture.integerShares.map(String.init).joined(separator: ",")
    #expect(String(decoding: bytes, as: UTF8.self) == "[\(list)]")
    #expect(try JSONDecoder().decode(Mixture.self, from: bytes) == mixture)
  }

  @Test(arguments: ["[]", "[1]", "[-1, 281474976710657]", "[281474976710656, 1]", "[0.5, 0.5]"])
  func damagedIntegersAreRefused(text: String) {
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(Mixture.self, from: Data(text.utf8))
    }
  }

  @Test func weightsAreCheckedByIndexAndValue() {
    expectError("a mixture needs at least one domain") { try Mixture(weights: []) }
    expectError("the weight of domain 1 is nan; weights are finite numbers") {
      try Mixture(weights: [1, .nan])
    }
    expectError("the weight of domain 0 is inf; weights are finite numbers") {
      try Mixture(normalizing: [.infinity, 1])
    }
    expectError("the weight of domain 2 is -0.5; weights are at least 0") {
      try Mixture(weights: [1, 0.5, -0.5])
    }
    expectError("the weights sum to 0.75, not 1 (within 1e-06); divide each by the sum") {
      try Mixture(weights: [0.5, 0.25])
    }
    expectError("all 2 weights are 0; at least one domain needs a positive weight") {
      try Mixture(normalizing: [0, 0])
    }
    expectError(
      "the sum of the weights is too large for a Double; divide them by a common number"
    ) {
      try Mixture(normalizing: [1e308, 1e308])
    }
  }

  @Test func aSumWithinTheToleranceIsTakenAsOne() throws {
    #expect(try Mixture(weights: [0.5, 0.5000009]).domainCount == 2)
    #expect(throws: MixingError.self) { try Mixture(weights: [0.5, 0.500002]) }
  }

  @Test func integerSharesAreChecked() {
    expectError("a mixture needs at least one domain") { try Mixture(integerShares: []) }
    expectError("the integer share of domain 1 is -1; shares are at least 0") {
      try Mixture(integerShares: [Mixture.one, -1])
    }
    expectError("the integer shares sum to 2^48 − 6, not 2^48") {
      try Mixture(integerShares: [Mixture.one - 7, 1])
    }
    expectError("the integer shares sum to at least 2^48 + 5, not 2^48") {
      try Mixture(integerShares: [Mixture.one, 5, .max])
    }
  }
}

/// Expects a ``MixingError`` with this text.
func expectError(
  _ text: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> some Any
) {
  do {
    _ = try body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch let error as MixingError {
    #expect(error.description == text, sourceLocation: sourceLocation)
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}
