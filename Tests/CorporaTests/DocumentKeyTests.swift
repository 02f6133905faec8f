import Corpora
import HeadraceTesting
import Testing

@Suite struct DocumentKeyTests {
  @Test(.timeLimit(.minutes(5)), arguments: 0..<200 as Range<UInt64>)
  func splitsAnyRangeOfKeysInOrderAndNeverIntoOneBucket(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    // Keys that agree in a random number of leading bits.
    let shared = Int.random(in: 0..<128, using: &generator)
    let keys = (0..<200).map { _ in
      var key = DocumentKey(
        high: UInt64.random(in: 0...UInt64.max, using: &generator),
        low: UInt64.random(in: 0...UInt64.max, using: &generator))
      key.high = shared >= 64 ? 0 : key.high & (UInt64.max >> UInt64(shared))
      if shared > 64 { key.low &= UInt64.max >> UInt64(shared - 64) }
      return key
    }.sorted()
    guard let least = keys.first, let greatest = keys.last, least != greatest else { return }
    let bits = KeyBits(splitting: least, greatest, bitCount: 6)
    let buckets = keys.map { bits.bucket(of: $0) }
    #expect(buckets == buckets.sorted(), "seed \(seed)")
    #expect(buckets.first != buckets.last, "seed \(seed)")
    #expect(buckets.allSatisfy { (0..<bits.bucketCount).contains($0) })
  }

  @Test func topBitsAreTheBucket() {
    let bits = KeyBits(bitCount: 3)
    #expect(bits.bucket(of: DocumentKey(high: 0, low: .max)) == 0)
    #expect(bits.bucket(of: DocumentKey(high: .max, low: 0)) == 7)
    #expect(bits.bucket(of: DocumentKey(high: 5 << 61, low: 0)) == 5)
    #expect(KeyBits(bitCount: 0).bucket(of: DocumentKey(high: .max, low: .max)) == 0)
  }

  @Test func theSplitIsAThresholdOnOneWord() {
    var plan = PackPlan(domains: [])
    let text = Array("some document".utf8)
    func isHeldOut(_ fraction: Double) -> Bool {
      plan.heldOutFraction = fraction
      let keys = DocumentKeys(plan: plan, domain: "a")
      return text.withUnsafeBytes { keys.key(of: $0, file: 0, byteOffset: 0).isHeldOut }
    }
    #expect(!isHeldOut(0))
    #expect(isHeldOut(0.999_999_999_9))
    // Larger fractions hold out what smaller ones do.
    let sides = (0...100).map { isHeldOut(Double($0) / 101) }
    #expect(sides == sides.sorted { !$0 && $1 })
  }
}
