/// Where a document stands among all documents of its domain.
///
/// Shuffled, `high` is the keyed random number that the document's content decides, and `low` its
/// place in the input, which only breaks ties. Unshuffled, `high` is the number of its file and
/// `low` its place there.
package struct DocumentKey: Comparable, Sendable, Codable {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  static let zero = DocumentKey(high: 0, low: 0)
  static let greatest = DocumentKey(high: .max, low: .max)

  @inline(__always)
  package static func < (a: DocumentKey, b: DocumentKey) -> Bool {
    a.high != b.high ? a.high < b.high : a.low < b.low
  }
}

/// Which of 2^`bitCount` buckets a key belongs to: some bits of it, counted from the top.
package struct KeyBits: Sendable, Equatable {
  /// How many bits above the ones that count are the same for all keys.
  let skipped: Int
  let bitCount: Int

  /// The bits that split keys from `least` to `greatest`, at most `bitCount` of them, the first of
  /// which differs.
  package init(splitting least: DocumentKey, _ greatest: DocumentKey, bitCount: Int) {
    let high = least.high ^ greatest.high
    skipped =
      high != 0
      ? high.leadingZeroBitCount : 64 + (least.low ^ greatest.low).leadingZeroBitCount
    self.bitCount = min(bitCount, 128 - skipped)
  }

  /// The top `bitCount` bits.
  package init(bitCount: Int) {
    skipped = 0
    self.bitCount = bitCount
  }

  package var bucketCount: Int { 1 << bitCount }

  /// The bucket of `key`, ascending as keys are.
  package func bucket(of key: DocumentKey) -> Int {
    if bitCount == 0 { return 0 }
    let end = skipped + bitCount
    let mask = UInt64(bucketCount - 1)
    if end <= 64 { return Int((key.high >> UInt64(64 - end)) & mask) }
    let low = key.low >> UInt64(128 - end)
    let high = end - 64 < 64 ? key.high << UInt64(end - 64) : 0
    return Int((high | low) & mask)
  }
}

/// The keys of one domain's documents.
package struct DocumentKeys: Sendable {
  let stream: StreamKey
  /// A document is held out where its third word is below this.
  let heldOutLimit: UInt64
  let shuffles: Bool

  /// Creates the keys of a domain.
  package init(plan: PackPlan, domain: String) {
    stream = StreamKey(seed: plan.seed, purpose: .documents, name: domain)
    // x₂ / 2^32 < f, for an integer x₂, is x₂ < ⌈f·2^32⌉; both products are exact.
    heldOutLimit = UInt64((plan.heldOutFraction * 0x1p32).rounded(.up))
    shuffles = plan.shufflesDocuments
  }

  /// The key of a document and whether it is held out.
  ///
  /// Both come from nothing but the text, so equal documents fall on the same side, and adding a
  /// file moves no other document across.
  package func key(
    of text: UnsafeRawBufferPointer, file: Int, byteOffset: Int
  ) -> (key: DocumentKey, isHeldOut: Bool) {
    let block = Philox.block(key: stream, index: XXHash.hash64(text))
    let key =
      shuffles
      // 2^24 files of 2^40 bytes: beyond that a tie between different texts would not be broken.
      ? DocumentKey(
        high: block.lowPair,
        low: UInt64(file) << 40 | UInt64(byteOffset) & 0xFF_FFFF_FFFF)
      : DocumentKey(high: UInt64(file), low: UInt64(byteOffset))
    return (key, UInt64(block[2]) < heldOutLimit)
  }
}
