import Corpora
import Testing

@Suite(.timeLimit(.minutes(5)))
struct PhiloxTests {
  @Test func blocksAreThoseOfTheReference() throws {
    let vectors = try CorporaVectors.read()
    #expect(vectors.order_version == Philox.orderVersion)
    for vector in vectors.philox {
      let block = Philox.block(
        key: StreamKey(low: vector.key[0], high: vector.key[1]),
        counter: SIMD4(
          vector.counter[0], vector.counter[1], vector.counter[2], vector.counter[3]))
      // Each word as eight digits: the low half of a 16-digit text.
      let words = (0..<4).map { XXHash.text(UInt64(block[$0])).suffix(8) }.joined()
      #expect(words == vector.words)
    }
  }

  @Test func streamKeysAreThoseOfTheReference() throws {
    for vector in try CorporaVectors.read().stream_keys {
      let seed = try #require(XXHash.value(vector.seed))
      let purpose = try #require(StreamPurpose(rawValue: vector.purpose))
      let key = StreamKey(seed: seed, purpose: purpose, name: vector.name)
      #expect([key.low, key.high] == vector.key, "\(vector.name), \(purpose)")
    }
  }

  @Test func pairsAreLowWordFirst() {
    let block = SIMD4<UInt32>(1, 2, 3, 4)
    #expect(block.lowPair == 0x0000_0002_0000_0001)
    #expect(block.highPair == 0x0000_0004_0000_0003)
    let key = StreamKey(low: 5, high: 6)
    #expect(
      Philox.block(key: key, index: 0x0000_0008_0000_0007, 9, 10)
        == Philox.block(key: key, counter: SIMD4(7, 8, 9, 10)))
  }

  @Test func documentKeysAreThoseOfTheReference() throws {
    for vector in try CorporaVectors.read().documents {
      var plan = PackPlan(domains: [])
      plan.seed = try #require(XXHash.value(vector.seed))
      func key(heldOut fraction: Double) -> (key: DocumentKey, isHeldOut: Bool) {
        plan.heldOutFraction = fraction
        return Array(vector.text.utf8).withUnsafeBytes {
          DocumentKeys(plan: plan, domain: vector.name).key(of: $0, file: 3, byteOffset: 9)
        }
      }
      #expect(XXHash.text(key(heldOut: 0).key.high) == vector.sort_key)
      // x / 2^32 is exact in Double: held out from the next fraction on.
      #expect(!key(heldOut: Double(vector.split_word) / 0x1p32).isHeldOut)
      #expect(key(heldOut: (Double(vector.split_word) + 1) / 0x1p32).isHeldOut)
    }
  }
}
