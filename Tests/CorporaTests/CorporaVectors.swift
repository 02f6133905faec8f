import Corpora
import HeadraceTesting

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The parts of `fixtures/order/vectors.json` that concern keys and hashes.
///
/// They were computed by `fixtures/order/reference.py`, which shares no code with the package.
struct CorporaVectors: Decodable {
  struct Block: Decodable {
    let key: [UInt32]
    let counter: [UInt32]
    let words: String
  }

  struct Hashes: Decodable {
    struct Case: Decodable {
      let size: Int
      let seed: String?
      let hash: String
    }
    let cases: [Case]
    let seeded: [Case]
  }

  struct Key: Decodable {
    let seed: String
    let purpose: UInt32
    let name: String
    let key: [UInt32]
  }

  struct Document: Decodable {
    let seed: String
    let name: String
    let text: String
    let sort_key: String
    let split_word: UInt32
  }

  let order_version: UInt32
  let philox: [Block]
  let xxh64: Hashes
  let stream_keys: [Key]
  let documents: [Document]

  static func read() throws -> CorporaVectors {
    try JSONDecoder().decode(CorporaVectors.self, from: Fixtures.data("order/vectors.json"))
  }
}
