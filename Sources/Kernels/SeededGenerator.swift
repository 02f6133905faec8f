import CKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A small seeded generator for initial parameters: SplitMix64, with named streams.
///
/// The order of the loader does not come from here; it is counter-based and versioned.
///
/// Source: Steele, Lea and Flood 2014, *Fast Splittable Pseudorandom Number Generators* (OOPSLA),
/// figure 17.
///
/// Departures from the source: a stream is keyed by a hash of its name and not split off another,
/// so that a new stream changes no other.
package struct SeededGenerator: RandomNumberGenerator, Sendable, Equatable, Codable {
  /// The counter that the next draw is a hash of.
  private var position: UInt64

  /// Creates the stream `name` of `seed`.
  package init(seed: UInt64, stream name: String = "") {
    position = checksum(of: Array(name.utf8), seed: seed)
  }

  /// The next 64 random bits.
  package mutating func next() -> UInt64 {
    position &+= 0x9E37_79B9_7F4A_7C15
    var bits = position
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }

  /// A draw from the uniform distribution on (0, 1].
  package mutating func nextUniform() -> Double {
    Double((next() >> 11) + 1) * 0x1p-53
  }

  /// A draw from the standard normal distribution, by Box and Muller's cosine branch.
  package mutating func nextNormal() -> Double {
    let radius = (-2 * log(nextUniform())).squareRoot()
    return radius * cos(2 * Double.pi * nextUniform())
  }
}

/// XXH64 of `bytes`, as the xxHash specification defines it.
package func checksum(of bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
  headrace_xxh64(bytes.baseAddress, bytes.count, seed)
}

/// XXH64 of `bytes`, as the xxHash specification defines it.
package func checksum(of bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
  bytes.withUnsafeBytes { checksum(of: $0, seed: seed) }
}
