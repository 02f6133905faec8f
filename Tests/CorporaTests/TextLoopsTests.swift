// Covers: JSONCursor.swift
import CKernels
import HeadraceTesting
import Testing

/// The loops over text find and write the same as loops that look at one byte after the other.
@Suite(.timeLimit(.minutes(5)))
struct TextLoopsTests {
  /// Bytes of which about one in `rarity` is of the kind that the loops stop at.
  private func bytes(_ generator: inout TestGenerator, rarity: Int) -> [UInt8] {
    let special = Array("\"\\\\\\nt/rbfu".utf8) + [0x00, 0x0A, 0x1F, 0x20, 0x7F, 0x80, 0xC3, 0xFF]
    return (0..<Int.random(in: 0...150, using: &generator)).map { _ in
      Int.random(in: 0..<rarity, using: &generator) == 0
        ? special[Int.random(in: 0..<special.count, using: &generator)]
        : UInt8.random(in: 0x23...0x5B, using: &generator)
    }
  }

  private static func isSpecial(_ byte: UInt8) -> Bool {
    byte == 0x22 || byte == 0x5C || byte < 0x20
  }

  @Test(arguments: [1, 3, 20, 200])
  func theFirstSpecialByteIsFound(rarity: Int) {
    var generator = TestGenerator(seed: UInt64(rarity))
    for _ in 0..<2000 {
      let bytes = bytes(&generator, rarity: rarity)
      // From every alignment, and with bytes behind the end that must not be looked at.
      let start = Int.random(in: 0...16, using: &generator)
      let padded = [UInt8](repeating: 0x22, count: start) + bytes + [0x22, 0x80]
      let (plain, ascii) = padded.withUnsafeBufferPointer { padded in
        guard let base = padded.baseAddress else { return (-1, -1) }
        return (
          headrace_plain_json_count(base + start, bytes.count),
          headrace_ascii_count(base + start, bytes.count)
        )
      }
      #expect(plain == bytes.firstIndex(where: Self.isSpecial) ?? bytes.count)
      #expect(ascii == bytes.firstIndex { $0 >= 0x80 } ?? bytes.count)
    }
  }

  /// What one byte after the other gives: the bytes written, and how many were read.
  private func unescaped(_ bytes: [UInt8]) -> (written: [UInt8], readByteCount: Int) {
    let escapes: [UInt8: UInt8] = [
      0x6E: 0x0A, 0x22: 0x22, 0x5C: 0x5C, 0x74: 0x09, 0x2F: 0x2F, 0x72: 0x0D, 0x62: 0x08,
      0x66: 0x0C,
    ]
    var written: [UInt8] = []
    var position = 0
    while position < bytes.count {
      if !Self.isSpecial(bytes[position]) {
        written.append(bytes[position])
        position += 1
      } else if bytes[position] == 0x5C, position + 1 < bytes.count,
        let plain = escapes[bytes[position + 1]]
      {
        written.append(plain)
        position += 2
      } else {
        break
      }
    }
    return (written, position)
  }

  @Test(arguments: [1, 3, 20, 200])
  func escapesAreUndoneUpToWhatNeedsACloserLook(rarity: Int) {
    var generator = TestGenerator(seed: UInt64(rarity) + 10)
    for _ in 0..<2000 {
      let bytes = bytes(&generator, rarity: rarity)
      let expected = unescaped(bytes)
      let surplus = Int(HEADRACE_JSON_SURPLUS)
      // What lies behind the promised room stays as it was.
      var memory = [UInt8](repeating: 0xEE, count: expected.written.count + surplus + 8)
      var readByteCount = -1
      // A copy with a backslash and a letter behind its end, which are not to be read.
      let count = (bytes + [0x5C, 0x6E]).withUnsafeBufferPointer { source in
        memory.withUnsafeMutableBufferPointer { memory -> Int in
          guard let from = source.baseAddress, let to = memory.baseAddress else { return -1 }
          return headrace_unescape_json(to, from, bytes.count, &readByteCount)
        }
      }
      #expect(count == expected.written.count)
      #expect(readByteCount == expected.readByteCount)
      #expect(Array(memory.prefix(max(0, count))) == expected.written)
      #expect(memory.suffix(8).allSatisfy { $0 == 0xEE })
    }
  }
}
