package import Corpora

/// A permutation of 0..<count that is computed element by element, from a key and a counter.
///
/// A four-round Feistel network permutes the b-bit numbers, b the bit width of count − 1 but at
/// least 10; values that fall outside are permuted again until they fall inside (cycle walking),
/// which takes 2^b / count turns on average: fewer than two, and for small counts 1,024 for all
/// values together. Halves of fewer than five bits would favor some orders over others.
///
///     x = (L, R), R the ⌊b/2⌋ low bits
///     rounds 0, 2:  L ← L ⊕ F(kᵣ, R)        rounds 1, 3:  R ← R ⊕ F(kᵣ, L)
///     F(k, v) = the SplitMix64 finalizer of v + k, cut to the half's bits
///
/// The round keys k₀…k₃ come from two Philox blocks:
///
///     (k₀, k₁), (k₂, k₃) = Philox(streamKey, counter: (block, lo epoch, hi epoch, 0 and 1)),
///     each key two words, the lower word first
///
/// Source: Black, Rogaway 2002, *Ciphers with Arbitrary Finite Domains* (cycle walking); Steele,
/// Lea, Flood 2014, *Fast Splittable Pseudorandom Number Generators* (the finalizer).
///
/// Departures from the source: the halves differ by one bit when b is odd; the round function is a
/// mixer, not a cipher, since a shuffle has no adversary.
package struct KeyedPermutation: Sendable {
  /// How many values are permuted.
  package let count: Int

  private let roundKeys: (UInt64, UInt64, UInt64, UInt64)
  private let lowBitCount: UInt64
  private let lowMask: UInt64
  private let highMask: UInt64

  /// Creates the permutation of `count` values that belongs to `block` of `epoch`.
  ///
  /// - Precondition: `count` is at least 1.
  package init(key: StreamKey, epoch: Int, block: Int, count: Int) {
    precondition(count >= 1, "a permutation has at least 1 value, not \(count)")
    self.count = count
    let bitCount = UInt64(max(10, Int.bitWidth - (count - 1).leadingZeroBitCount))
    lowBitCount = bitCount / 2
    lowMask = (1 << lowBitCount) - 1
    highMask = (1 << (bitCount - lowBitCount)) - 1
    let epoch = UInt64(epoch)
    let counter = SIMD4(
      UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: epoch),
      UInt32(truncatingIfNeeded: epoch >> 32), 0)
    let first = Philox.block(key: key, counter: counter)
    let second = Philox.block(key: key, counter: counter &+ SIMD4(0, 0, 0, 1))
    roundKeys = (first.lowPair, first.highPair, second.lowPair, second.highPair)
  }

  /// Returns the value at `position`.
  ///
  /// - Precondition: `position` is in 0..<``count``.
  @inline(__always)
  package subscript(position: Int) -> Int {
    guard count > 1 else { return 0 }
    var value = UInt64(position)
    repeat {
      var low = value & lowMask
      var high = value >> lowBitCount
      high ^= Self.mix(low &+ roundKeys.0) & highMask
      low ^= Self.mix(high &+ roundKeys.1) & lowMask
      high ^= Self.mix(low &+ roundKeys.2) & highMask
      low ^= Self.mix(high &+ roundKeys.3) & lowMask
      value = high << lowBitCount | low
    } while value >= UInt64(count)
    return Int(value)
  }

  /// Returns the position at which `value` stands: the inverse of the subscript.
  ///
  /// - Precondition: `value` is in 0..<``count``.
  package func position(of value: Int) -> Int {
    guard count > 1 else { return 0 }
    var position = UInt64(value)
    repeat {
      var low = position & lowMask
      var high = position >> lowBitCount
      low ^= Self.mix(high &+ roundKeys.3) & lowMask
      high ^= Self.mix(low &+ roundKeys.2) & highMask
      low ^= Self.mix(high &+ roundKeys.1) & lowMask
      high ^= Self.mix(low &+ roundKeys.0) & highMask
      position = high << lowBitCount | low
    } while position >= UInt64(count)
    return Int(position)
  }

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
