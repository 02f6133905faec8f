import HeadraceTesting
import Mixing
import Testing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(1)))
struct StaticPolicyTests {
  private let context = PolicyContext(
    domainNames: ["code", "prose", "data"], sequenceCounts: [600, 300, 100])

  @Test func naturalSharesAreThoseOfTheSequences() throws {
    let policy = try StaticPolicy(.natural, in: context)
    #expect(policy.mixture == (try Mixture(normalizing: [600, 300, 100])))
    #expect(policy.reason == "static natural")
    #expect(!policy.readsFeedback)
  }

  @Test func uniformSharesAreEqual() throws {
    #expect(try StaticPolicy(.uniform, in: context).mixture == .uniform(domainCount: 3))
  }

  @Test func temperatureLiesBetweenUniformAndNatural() throws {
    let natural = try StaticMixture.natural.mixture(in: context)
    #expect(try StaticMixture.temperature(1).mixture(in: context) == natural)
    #expect(
      try StaticMixture.temperature(0).mixture(in: context) == .uniform(domainCount: 3))
    // √900 : √400 : √100 = 3 : 2 : 1.
    let squares = PolicyContext(
      domainNames: ["a", "b", "c"], sequenceCounts: [900, 400, 100])
    #expect(
      try StaticMixture.temperature(0.5).mixture(in: squares) == Mixture(normalizing: [3, 2, 1]))
    // Far apart and steep: still no weight of 0.
    let steep = PolicyContext(domainNames: ["a", "b"], sequenceCounts: [1, 1_000_000_000_000_000])
    #expect(try StaticMixture.temperature(10).mixture(in: steep).integerShares[0] == 1)
  }

  @Test(arguments: [-0.1, 10.5, .nan, .infinity])
  func exponentsOutsideTheirRangeAreRefused(exponent: Double) {
    expectError(
      """
      the exponent of a temperature mixture is \(exponent); it lies in [0.0, 10.0], 0 is uniform \
      and 1 natural
      """
    ) { try StaticMixture.temperature(exponent).mixture(in: context) }
  }

  @Test func weightsAreGivenByName() throws {
    let weights = StaticMixture.weights(["data": 0.25, "code": 0.75, "prose": 0])
    #expect(
      try weights.mixture(in: context) == Mixture(weights: [0.75, 0, 0.25]))
    expectError("the corpus has no domain 'proze'; did you mean 'prose'?") {
      try StaticMixture.weights(["code": 0.5, "proze": 0.5]).mixture(in: context)
    }
    expectError("the corpus has no domain 'xyzzy'") {
      try StaticMixture.weights(["xyzzy": 1]).mixture(in: context)
    }
    expectError(
      "no weight is given for domain 'data'; a domain that shall not be drawn needs weight 0"
    ) { try StaticMixture.weights(["code": 0.5, "prose": 0.5]).mixture(in: context) }
    expectError(
      """
      no weight is given for domains 'prose', 'data'; a domain that shall not be drawn needs \
      weight 0
      """
    ) { try StaticMixture.weights(["code": 1]).mixture(in: context) }
    expectError("the weights sum to 0.9, not 1 (within 1e-06); divide each by the sum") {
      try StaticMixture.weights(["code": 0.9, "prose": 0, "data": 0]).mixture(in: context)
    }
  }

  @Test func resumesExactlyAfterAnyStep() throws {
    let feedback = (1...5).map {
      Feedback(step: $0, losses: [3, 2, 1], tokenCounts: [8, 8, 8])
    }
    for form in [StaticMixture.natural, .uniform, .temperature(0.7)] {
      try expectResumesExactly(.static(form), in: context, observing: feedback)
    }
  }

  @Test func anotherMixtureOnResumeIsRefused() throws {
    let saved = try StaticPolicy(.natural, in: context).erasedCheckpoint()
    var other = try StaticPolicy(.uniform, in: context)
    expectError(
      """
      the checkpoint's static mixture gives domain 0 the share 168884986026393 of 2^48, the \
      configured one 93824992236886; resume with the same mixture or start the policy anew
      """
    ) { try other.restore(from: saved) }
    var smaller = StaticPolicy(.uniform(domainCount: 2))
    expectError("the mixture is for 3 domains, the run has 2") { try smaller.restore(from: saved) }
  }
}

@Suite(.timeLimit(.minutes(1)))
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
      expectError("\(path): larger than 1048576 bytes, which no mixture file is") {
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
