import HeadraceTesting
import Mixing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The parts of `fixtures/order/vectors.json` that concern mixing.
///
/// They were computed by `fixtures/order/reference.py`, which shares no code with the package.
struct OrderVectors: Decodable {
  struct MixtureCase: Decodable {
    let weights: [Double]
    let shares: [Int64]
  }

  struct CreditDraws: Decodable {
    struct Changing: Decodable {
      struct Step: Decodable {
        let weights: [Double]
        let domain: Int
      }
      let domain_count: Int
      let steps: [Step]
      let credits: [Int64]
    }
    struct Fixed: Decodable {
      let shares: [Int64]
      let head: [Int]
      let count: Int
      let credits: [Int64]
    }
    let changing: [Changing]
    let fixed: Fixed
  }

  struct EffectiveCase: Decodable {
    let asked: [Int64]
    let exhausted: [Int]
    let sequences_left: [Int64]
    let effective: [Int64]?
  }

  struct SharingCase: Decodable {
    let asked: [Int64]
    let exhausted: [Int]
    let domain: Int
    let effective: [Int64]
    let before: [Int64]
    let after: [Int64]
  }

  struct Draws: Decodable {
    struct Batch: Decodable {
      let weights: [Double]?
      let domains: [Int]
      let effective: [Int64]
      let credits: [Int64]
      let positions: [Int64]
    }
    let note: String
    let sequence_counts: [Int64]
    let caps_in_epochs: [Int64?]
    let rows: Int
    let micro_batch: Int?
    let minimum_one: Bool
    let multinomial_seed: String?
    let batches: [Batch?]
  }

  let mixtures: [MixtureCase]
  let credit_draws: CreditDraws
  let effective: [EffectiveCase]
  let credit_sharing: [SharingCase]
  let draws: [Draws]

  static func read() throws -> OrderVectors {
    try JSONDecoder().decode(OrderVectors.self, from: Fixtures.data("order/vectors.json"))
  }
}

extension Apportionment {
  /// One draw, for tests that have arrays at hand.
  mutating func nextDomain(_ mixture: Mixture) -> Int {
    mixture.integerShares.withUnsafeBufferPointer { nextDomain(shares: $0) }
  }

  /// Hands out the credit of a domain, for tests that have arrays at hand.
  mutating func shareCredit(
    ofDomain domain: Int, asked: [Int64], effective: [Int64], isExhausted: [Bool]
  ) {
    asked.withUnsafeBufferPointer { asked in
      effective.withUnsafeBufferPointer { effective in
        isExhausted.withUnsafeBufferPointer { isExhausted in
          shareCredit(
            ofDomain: domain, asked: asked, effective: effective, isExhausted: isExhausted)
        }
      }
    }
  }
}

extension TestGenerator {
  /// Weights from 1e-9 to 1 before they are normalised, spread evenly over the orders of magnitude.
  mutating func weights(_ count: Int, zeros: Bool) -> [Double] {
    var weights = (0..<count).map { _ in
      let power = Int.random(in: 0...9, using: &self)
      let scale = (0..<power).reduce(1.0) { value, _ in value / 10 }
      return Double.random(in: 0.1...1, using: &self) * scale
    }
    if zeros {
      for index in weights.indices where Bool.random(using: &self) { weights[index] = 0 }
      if weights.allSatisfy({ $0 == 0 }) { weights[Int.random(in: 0..<count, using: &self)] = 1 }
    }
    return weights
  }
}
