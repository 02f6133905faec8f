// Covers: FileHash.swift
import CKernels
import Corpora
import HeadraceTesting
import Testing

/// Stored integers become tokens, and hashes of pieces are those of the whole.
@Suite(.timeLimit(.minutes(5)))
struct StoredTokensTests {
  @Test(arguments: StoredTokenType.allCases, TokenWidth.allCases)
  func everyTypeIsConvertedAndChecked(type: StoredTokenType, width: TokenWidth) {
    let largest = type.byteCount == 1 ? 100 : 30_000
    for count in [0, 1, 15, 16, 33, 200] {
      let numbers = (0..<count).map { ($0 * 7919 + 3) % largest }
      // One byte in front: nothing may rest on alignment.
      let source = [0xAA] + type.bytes(numbers)
      var memory = [UInt8](repeating: 0, count: count * width.byteCount + 1)
      func convert(_ vocabularySize: Int) -> Int? {
        source.withUnsafeBytes { source in
          memory.withUnsafeMutableBytes { memory -> Int? in
            guard let from = source.baseAddress, let to = memory.baseAddress else { return nil }
            return type.convert(
              from + 1, count: count, into: to + 1, width: width, vocabularySize: vocabularySize)
          }
        }
      }
      #expect(convert(1 << 31) == nil)
      #expect(tokens(of: Array(memory.dropFirst()), width) == numbers)
      for limit in [1, largest / 2, largest] {
        #expect(convert(limit) == numbers.firstIndex { $0 >= limit })
      }
    }
  }

  @Test func aNegativeNumberIsInNoVocabulary() {
    for type in [StoredTokenType.int8, .int16, .int32, .int64] {
      let source = type.bytes([3, 4, -1])
      var memory = [UInt8](repeating: 0, count: 12)
      source.withUnsafeBytes { source in
        memory.withUnsafeMutableBytes { memory in
          guard let from = source.baseAddress, let to = memory.baseAddress else { return }
          let found = type.convert(
            from, count: 3, into: to, width: .uint32, vocabularySize: 1 << 31)
          #expect(found == 2)
          #expect(type.value(at: 2, of: from) == -1)
        }
      }
    }
  }

  /// Of "abc", from the standards of the functions and the xxHash specification.
  @Test(arguments: [
    (HashAlgorithm.xxh64, "44bc2cf5ad770999"),
    (.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (.md5, "900150983cd24fb0d6963f7d28e17f72"),
  ])
  func knownHashes(algorithm: HashAlgorithm, text: String) {
    var hash = RunningHash(algorithm)
    for byte in Array("abc".utf8) { withUnsafeBytes(of: byte) { hash.add($0) } }
    #expect(hash.text == text)
    #expect(hash.text == text)
  }

  @Test(arguments: HashAlgorithm.allCases) func piecesHashAsTheWhole(algorithm: HashAlgorithm) {
    let bytes = (0..<500).map { UInt8(truncatingIfNeeded: $0 &* $0 &+ 3) }
    for total in [0, 1, 31, 32, 33, 64, 100, 500] {
      var whole = RunningHash(algorithm)
      bytes[..<total].withUnsafeBytes { whole.add($0) }
      if algorithm == .xxh64 {
        #expect(whole.text == XXHash.text(XXHash.hash64(Array(bytes[..<total]))))
      }
      for piece in [1, 5, 31, 32, 33, 70] {
        var hash = RunningHash(algorithm)
        for first in stride(from: 0, to: total, by: piece) {
          bytes[first..<min(first + piece, total)].withUnsafeBytes { hash.add($0) }
        }
        #expect(hash.text == whole.text, "\(total) bytes by \(piece)")
      }
    }
  }

  @Test func theCheapestKnownHashIsTaken() {
    #expect(HashAlgorithm.best(of: ["md5", "SHA1", "xxh3_64"]) == .sha1)
    #expect(HashAlgorithm.best(of: ["sha256", "xxh64"]) == .xxh64)
    #expect(HashAlgorithm.best(of: ["xxh3_64", "blake2b"]) == nil)
  }
}
