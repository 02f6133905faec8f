internal import Foundation
import FuzzParsers
import HeadraceTesting
import Kernels
import Testing

/// Every parser of file bytes is given its seeds and what comes of them by chance: a short pass,
/// without sanitizers, of what `integration/fuzz.sh` does for as long as it is let.
///
/// What does not hold ends the process, with a line that says what it was.
@Suite(.timeLimit(.minutes(5)))
struct ParserTests {
  /// How many damaged inputs a parser is given.
  private static let inputCount = 400

  @Test(arguments: FuzzedParser.all.map(\.name))
  func `seeds are accepted, and what comes of them is answered`(name: String) throws {
    let parser = try #require(FuzzedParser.all.first { $0.name == name })
    let folder = FuzzFolder(
      NSTemporaryDirectory() + "/headrace-parsers-\(ProcessInfo.processInfo.processIdentifier)-"
        + name)
    defer { folder.remove() }
    let seeds = try seeds(of: name)
    for (number, seed) in seeds.enumerated() {
      #expect(parser.take(FuzzInput(seed), in: folder), "seed \(number) is refused")
    }
    var generator = SeededGenerator(seed: 1, stream: name)
    var refusedCount = 0
    for number in 0..<Self.inputCount {
      let input = damaged(seeds[number % seeds.count], seeds, &generator)
      refusedCount += parser.take(FuzzInput(input), in: folder) ? 0 : 1
    }
    #expect(refusedCount > 0, "no damage was noticed")
  }

  /// The files below `fixtures/fuzz`, by their names.
  private func seeds(of name: String) throws -> [[UInt8]] {
    let folder = Fixtures.path("fuzz/" + name)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    try #require(!names.isEmpty)
    return try names.map { Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0))) }
  }

  /// One to four changes: of a bit, of a byte or number to one that limits are made of, of the
  /// length, or of a part for that of another seed.
  private func damaged(
    _ seed: [UInt8], _ seeds: [[UInt8]], _ generator: inout SeededGenerator
  ) -> [UInt8] {
    let limits: [UInt8] = [0x00, 0x01, 0x7F, 0x80, 0xFF, 0x22, 0x30, 0x5C]
    var bytes = seed
    for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      let end = Int.random(in: place...min(bytes.count, place + 64), using: &generator)
      switch Int.random(in: 0..<7, using: &generator) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1: bytes[place] = limits[Int.random(in: 0..<limits.count, using: &generator)]
      case 2:
        let limit = limits[Int.random(in: 0..<limits.count, using: &generator)]
        for index in place..<min(bytes.count, place + 8) { bytes[index] = limit }
      case 3: bytes.removeSubrange(place..<end)
      case 4: bytes.removeLast(bytes.count - place)
      case 5: bytes.insert(contentsOf: bytes[place..<end], at: place)
      default:
        let other = seeds[Int.random(in: 0..<seeds.count, using: &generator)]
        let from = min(place, other.count)
        bytes.replaceSubrange(place..<end, with: other[from..<min(other.count, from + 64)])
      }
    }
    return bytes
  }
}
