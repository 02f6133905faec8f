// Covers: SavedPolicy.swift, SmallFile.swift

import Mixing
import Testing

/// The bytes of a saved policy.
@Suite(.timeLimit(.minutes(5)))
struct SavedPolicyFileTests {
  private struct Contents: Codable, Equatable {
    var name = "wheel"
    var numbers = PackedArray<Float>([1, -0.0, .infinity, .nan])
  }

  private func saved() throws -> SavedPolicy {
    try SavedPolicy(policy: "mill", domainNames: ["a", "b"], contents: Contents())
  }

  @Test func `what was saved comes back, bit for bit`() throws {
    let saved = try saved()
    let read = try SavedPolicy(bytes: try saved.bytes(), path: "file")
    #expect(read == saved && read.domainNames == ["a", "b"])
    let contents = try read.contents(as: Contents.self, ofPolicy: "mill")
    #expect(contents.name == "wheel")
    #expect(
      contents.numbers.values.map(\.bitPattern) == Contents().numbers.values.map(\.bitPattern))
    #expect(throws: MixingError.self) {
      try read.contents(as: Contents.self, ofPolicy: "another")
    }
    #expect(throws: MixingError.self) { try read.contents(as: Int.self, ofPolicy: "mill") }
  }

  @Test func `damage anywhere is found`() throws {
    let good = try saved().bytes()
    for place in good.indices {
      var bad = good
      bad[place] ^= 0x10
      #expect(throws: MixingError.self) { try SavedPolicy(bytes: bad, path: "file") }
    }
    for count in good.indices {
      #expect(throws: MixingError.self) {
        try SavedPolicy(bytes: Array(good[..<count]), path: "file")
      }
    }
    #expect(throws: MixingError.self) { try SavedPolicy(bytes: good + [0], path: "file") }
    #expect(throws: MixingError.self) { try SavedPolicy(at: "/nowhere/at/all") }
  }
}
