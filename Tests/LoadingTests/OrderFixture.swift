import Corpora
import HeadraceTesting

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The parts of `fixtures/order/vectors.json` that concern loading.
///
/// They were computed by `fixtures/order/reference.py`, which shares no code with the package.
struct OrderFixture: Decodable {
  struct Permutation: Decodable {
    let key: [UInt32]
    let epoch: String
    let block: Int
    let count: Int
    let head: [Int]
    let digest: String?
  }

  struct Order: Decodable {
    struct Far: Decodable {
      let position: Int
      let sequence: [Int]
    }
    let note: String
    let seed: String
    let name: String
    let frame_tokens: Int
    let sequence_length: Int
    let pool_units: Int
    let shard_tokens: [Int]
    let frames_per_unit: Int
    let unit_size: Int
    let full_units: Int
    let whole_units: Int
    let sequence_count: Int
    let epochs: Int
    let head: [[Int]]
    let second_epoch_head: [[Int]]
    let digest: String
    let far: [Far]
  }

  struct Multinomial: Decodable {
    struct Far: Decodable {
      let draw: Int
      let domain: Int
    }
    let seed: String
    let shares: [Int64]
    let head: [Int]
    let count: Int
    let digest: String
    let far: [Far]
  }

  struct Draws: Decodable {
    struct Batch: Decodable {
      let weights: [Double]?
      let domains: [Int]
      let effective: [Int64]
      let credits: [Int64]
      let positions: [Int]
    }
    let note: String
    let sequence_counts: [Int]
    let caps_in_epochs: [Double?]
    let rows: Int
    let micro_batch: Int?
    let minimum_one: Bool
    let multinomial_seed: String?
    let batches: [Batch?]
  }

  struct RankSlices: Decodable {
    let rows: Int
    let world_size: Int
    let micro_batch: Int
    let slices: [[Int]]
  }

  let order_version: Int
  let permutations: [Permutation]
  let orders: [Order]
  let multinomial: [Multinomial]
  let draws: [Draws]
  let rank_slices: [RankSlices]

  static func read() throws -> OrderFixture {
    try JSONDecoder().decode(OrderFixture.self, from: Fixtures.data("order/vectors.json"))
  }

  /// The digest of integers, as the fixture's program makes it.
  static func digest(_ values: [Int]) -> String {
    var bytes: [UInt8] = []
    for value in values {
      withUnsafeBytes(of: Int64(value).littleEndian) { bytes.append(contentsOf: $0) }
    }
    return XXHash.text(XXHash.hash64(bytes))
  }
}

/// The number that 16 hexadecimal digits of the fixture stand for.
func word(_ text: String) -> UInt64 { XXHash.value(text) ?? 0 }
