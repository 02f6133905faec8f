/// What a stream of keyed randomness is for; part of its key, so that no two uses share numbers.
package enum StreamPurpose: UInt32, Sendable, CaseIterable {
  /// The permutation of a domain's units in one epoch.
  case units = 1
  /// The permutation of the sequences in one pool.
  case sequences = 2
  /// The multinomial draw of domains.
  case draw = 3
  /// The place of a document in a packed domain, and its split.
  case documents = 4
}

/// The 64-bit Philox key of one purpose in one domain of one run.
///
///     h        = xxh64(UTF-8 of name, seed 0)
///     x₀…x₃    = Philox(key: (lo seed, hi seed), counter: (lo h, hi h, purpose, version))
///     streamKey = (x₀, x₁)
///
/// A domain's key depends on its *name*, never on its index: adding or removing another domain
/// changes no number of this one.
package struct StreamKey: Sendable, Equatable {
  /// The first key word, which the first multiplier's lane takes.
  package let low: UInt32
  /// The second key word.
  package let high: UInt32

  /// Creates a key from its two words.
  package init(low: UInt32, high: UInt32) {
    self.low = low
    self.high = high
  }

  /// Creates the key of `purpose` for the domain `name` under `seed`; `name` is empty for what
  /// belongs to no domain.
  package init(seed: UInt64, purpose: StreamPurpose, name: String) {
    let hash = XXHash.hash64(Array(name.utf8))
    let block = Philox.block(
      key: StreamKey(
        low: UInt32(truncatingIfNeeded: seed), high: UInt32(truncatingIfNeeded: seed >> 32)),
      counter: .init(
        UInt32(truncatingIfNeeded: hash), UInt32(truncatingIfNeeded: hash >> 32), purpose.rawValue,
        Philox.orderVersion))
    self.init(low: block[0], high: block[1])
  }
}

/// The counter-based generator from which every order, draw and shuffle is made.
///
/// A pure function of key and counter: the n-th number costs the same as the first, and nothing is
/// remembered between calls.
///
/// Source: Salmon, Moraes, Dror, Shaw 2011, *Parallel Random Numbers: As Easy as 1, 2, 3* (SC'11),
/// Philox4x32-10.
///
/// Departures from the source: none.
package enum Philox {
  /// The version of everything that is derived from these numbers: key layout, permutations, draws.
  package static let orderVersion: UInt32 = 1

  /// Returns the four words of the block at `counter`.
  @inline(__always)
  package static func block(key: StreamKey, counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var (c0, c1, c2, c3) = (counter[0], counter[1], counter[2], counter[3])
    var (k0, k1) = (key.low, key.high)
    for _ in 0..<10 {
      let first = UInt64(c0) &* 0xD251_1F53
      let second = UInt64(c2) &* 0xCD9E_8D57
      c0 = UInt32(truncatingIfNeeded: second >> 32) ^ c1 ^ k0
      c1 = UInt32(truncatingIfNeeded: second)
      c2 = UInt32(truncatingIfNeeded: first >> 32) ^ c3 ^ k1
      c3 = UInt32(truncatingIfNeeded: first)
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return SIMD4(c0, c1, c2, c3)
  }

  /// Returns the block whose counter is the 64-bit `index` followed by two more words.
  @inline(__always)
  package static func block(
    key: StreamKey, index: UInt64, _ third: UInt32 = 0, _ fourth: UInt32 = 0
  )
    -> SIMD4<UInt32>
  {
    block(
      key: key,
      counter: SIMD4(
        UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), third, fourth))
  }
}

extension SIMD4<UInt32> {
  /// Words 0 and 1 as one number, word 0 low.
  package var lowPair: UInt64 { UInt64(self[0]) | UInt64(self[1]) << 32 }
  /// Words 2 and 3 as one number, word 2 low.
  package var highPair: UInt64 { UInt64(self[2]) | UInt64(self[3]) << 32 }
}
