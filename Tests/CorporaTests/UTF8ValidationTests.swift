import Corpora
import Testing

@Suite struct UTF8ValidationTests {
  private func offset(_ bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBytes { UTF8Validation.firstInvalidOffset($0) }
  }

  @Test(.timeLimit(.minutes(5)))
  func agreesWithTheStandardLibraryOnEveryShortSequence() {
    var differences = 0
    for first in UInt8(0x80)...0xFF {
      for second in UInt8.min...UInt8.max {
        for third in [UInt8(0x41), 0x7F, 0x80, 0x9F, 0xBF, 0xC0] {
          for fourth: UInt8 in [0x7F, 0x80, 0xBF] {
            let bytes = [first, second, third, fourth]
            let isValid = String(validating: bytes, as: UTF8.self) != nil
            if isValid != (offset(bytes) == nil) { differences += 1 }
          }
        }
      }
    }
    #expect(differences == 0)
  }

  @Test(.timeLimit(.minutes(5)), arguments: [0, 1, 7, 8, 31, 32, 33, 63, 64, 100])
  func namesTheFirstByteOfTheFirstBadSequence(prefixLength: Int) {
    let prefix = [UInt8](repeating: 0x61, count: prefixLength)
    let good: [[UInt8]] = [
      [], [0xC2, 0x80], [0xEF, 0xBF, 0xBF], [0xF4, 0x8F, 0xBF, 0xBF], [0x00], [0xED, 0x9F, 0xBF],
    ]
    let bad: [[UInt8]] = [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xE0, 0x9F, 0x80], [0xED, 0xA0, 0x80],
      [0xF0, 0x8F, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82],
      [0xFF],
    ]
    for good in good {
      #expect(offset(prefix + good) == nil)
      #expect(offset(prefix + good + prefix) == nil)
      for bad in bad {
        #expect(offset(prefix + good + bad) == prefix.count + good.count)
        #expect(offset(prefix + good + bad + prefix) == prefix.count + good.count)
      }
    }
  }
}
