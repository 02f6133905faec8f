import Mixing
import Testing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(5)))
struct MixtureFileTests {
  private let context = PolicyContext(domainNames: ["code", "prose"], sequenceCounts: [2, 2])

  @Test func weightsAreReadAndProvenanceIsNot() throws {
    try withFile(#"{"weights": {"prose": 0.75, "code": 0.25}, "method": "regmix", "top": [1]}"#) {
      let mixture = try StaticMixture.regMix($0).mixture(in: context)
      #expect(mixture.weights == [0.25, 0.75])
      #expect(try StaticPolicy(.regMix($0), in: context).reason == "static regmix \($0)")
    }
  }

  @Test(arguments: [
    ("", ""), ("{", ""), ("[]", ""), ("{}", ": weights: missing"),
    (#"{"weights": {"code": "much"}}"#, ": weights.code: "),
    (#"{"weights": [1, 0]}"#, ": weights: "), ("\u{0}\u{1}", ""),
  ])
  func otherContentIsNamed(text: String, part: String) throws {
    try withFile(text) { path in
      let error = #expect(throws: MixingError.self) {
        try StaticMixture.regMix(path).mixture(in: context)
      }
      let found = error?.description ?? ""
      let start = #"\#(path): not a mixture file, {"weights": {"domain": weight, …}}: "#
      #expect(found.hasPrefix(start))
      #expect(found.contains(part))
    }
  }

  @Test func weightsThatAreNoMixtureAreNamedWithTheirFile() throws {
    try withFile(#"{"weights": {"code": 0.5, "pros": 0.5}}"#) { path in
      expectError("\(path): the corpus has no domain 'pros'; did you mean 'prose'?") {
        try StaticMixture.regMix(path).mixture(in: context)
      }
    }
  }

  @Test func filesThatCannotBeReadAreNamed() throws {
    expectError("/nowhere/mixture.json: cannot be read: No such file or directory") {
      try StaticMixture.regMix("/nowhere/mixture.json").mixture(in: context)
    }
    expectError("/: cannot be read: Is a directory") {
      try StaticMixture.regMix("/").mixture(in: context)
    }
    try withFile(String(repeating: " ", count: MixtureFile.byteLimit + 1)) { path in
      expectError("\(path): larger than 1048576 bytes, which no such file is") {
        try StaticMixture.regMix(path).mixture(in: context)
      }
    }
  }

  private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("mixture-\(UUID().uuidString).json")
    try Data(text.utf8).write(to: path)
    defer { try? FileManager.default.removeItem(at: path) }
    try body(path.path)
  }
}
