internal import CKernels

/// XXH64, the hash behind index checksums, fingerprints and document keys.
package enum XXHash {
  /// Returns the XXH64 of `bytes`.
  package static func hash64(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    headrace_xxh64(bytes.baseAddress, bytes.count, seed)
  }

  /// Returns the XXH64 of `bytes`.
  package static func hash64(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
    bytes.withUnsafeBytes { hash64($0, seed: seed) }
  }

  /// Returns `hash` as 16 lowercase hexadecimal digits, the form in which manifests and ledgers
  /// carry it.
  package static func text(_ hash: UInt64) -> String {
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }

  /// Returns the number that ``text(_:)`` wrote as `text`, or nil if it is not 16 hexadecimal
  /// digits.
  package static func value(_ text: String) -> UInt64? {
    text.utf8.count == 16 ? UInt64(text, radix: 16) : nil
  }
}
