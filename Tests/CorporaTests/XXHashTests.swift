import Corpora
import Testing

@Suite(.timeLimit(.minutes(5)))
struct XXHashTests {
  @Test func hashesAreThoseOfTheReference() throws {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: 131 * $0 + 7) }
    let vectors = try CorporaVectors.read().xxh64
    for vector in vectors.cases + vectors.seeded {
      let seed = vector.seed.flatMap(XXHash.value) ?? 0
      let hash = XXHash.hash64(Array(bytes[..<vector.size]), seed: seed)
      #expect(XXHash.text(hash) == vector.hash, "\(vector.size) bytes")
    }
  }

  @Test func theAddressDoesNotMatter() {
    let bytes = (0..<200).map { UInt8(truncatingIfNeeded: 7 * $0) }
    for begin in 0..<9 {
      let shifted = [UInt8](repeating: 0, count: begin) + bytes
      let hash = shifted.withUnsafeBytes {
        XXHash.hash64(UnsafeRawBufferPointer(rebasing: $0[begin...]))
      }
      #expect(hash == XXHash.hash64(bytes))
    }
  }

  @Test func textsAreSixteenDigits() {
    #expect(XXHash.text(0) == "0000000000000000")
    #expect(XXHash.text(.max) == "ffffffffffffffff")
    #expect(XXHash.value("00000000000000ff") == 255)
    for text in ["", "ff", "00000000000000fg", "0x000000000000ff", "00000000000000fff"] {
      #expect(XXHash.value(text) == nil)
    }
  }
}
