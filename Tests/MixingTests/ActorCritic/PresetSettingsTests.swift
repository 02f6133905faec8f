import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct PresetSettingsTests {
  private static let context = PolicyContext(
    domainNames: ["a", "b", "c"], sequenceCounts: [10, 20, 30], stepCount: 100)

  /// An option, what else both policies are given, and its value in the one and in the other.
  struct Difference: Sendable, CustomTestStringConvertible {
    let option: String
    var shared: [String: String] = [:]
    /// nil for the default.
    var saved: String?
    let configured: String

    func options(_ value: String?) -> [String: String] {
      var options = shared
      options[option] = value
      return options
    }

    var testDescription: String { "\(shared["preset"] ?? "repaired") \(option)" }
  }

  static let repaired = [
    Difference(option: "control", configured: "no-critic"),
    Difference(option: "gamma", configured: "0.5"),
    Difference(option: "tau", shared: ["gamma": "0.5"], configured: "0.5"),
    Difference(option: "entropy", configured: "1"),
    Difference(option: "move-cost", configured: "1"),
    Difference(option: "uniform-share", configured: "0.1"),
    Difference(option: "warm-up", configured: "3"),
    Difference(option: "mixture", configured: "natural"),
    Difference(
      option: "exponent", shared: ["mixture": "temperature"], saved: "0.5", configured: "0.7"),
    Difference(
      option: "weights", shared: ["mixture": "weights"], saved: "a=0.5,b=0.25,c=0.25",
      configured: "a=0.25,b=0.5,c=0.25"),
    Difference(option: "learning-rate", configured: "0.1"),
    Difference(option: "decay", configured: "0"), Difference(option: "updates", configured: "3"),
    Difference(option: "transitions", configured: "2"),
    Difference(option: "units", configured: "8"), Difference(option: "capacity", configured: "5"),
    Difference(option: "smoothing", configured: "0.5"),
    Difference(option: "half-weight", configured: "0.5"),
    Difference(option: "reward", configured: "in"),
    Difference(
      option: "state", shared: ["reward": "cross", "half-weight": "1"], configured: "gram"),
    Difference(option: "seed", configured: "4"),
  ]

  static let published = ["paper", "released"].flatMap { preset in
    [
      ("width", "8"), ("layers", "1"), ("learning-rate-minimum", "0.002"),
      ("reward-smoothing", "0.5"), ("gamma", "0.5"), ("tau", "0.5"), ("learning-rate", "0.1"),
      ("decay", "0"), ("capacity", "5"), ("transitions", "2"), ("warm-up", "3"), ("seed", "4"),
    ].filter { preset == "paper" || $0.0 != "reward-smoothing" }.map { option, value in
      Difference(
        option: option,
        shared: ["preset": preset, "width": "6", "layers": "2"].filter { $0.key != option },
        saved: ["width": "6", "layers": "2"][option], configured: value)
    }
  }

  private func policy(_ options: [String: String]) throws -> any MixturePolicy {
    try PolicyRegistry.builtIn.recipe(named: "ac-odm", options: options)
      .makePolicy(in: Self.context)
  }

  /// The option for which a policy refuses a checkpoint; nil if it takes it.
  private func refusal(
    of checkpoint: PolicyCheckpoint, by policy: any MixturePolicy
  ) throws -> String? {
    var policy = policy
    do throws(MixingError) {
      try policy.restore(from: checkpoint)
      return nil
    } catch {
      guard case .checkpointOfOtherSetting("ac-odm", let option, _, _) = error else { throw error }
      return option
    }
  }

  @Test(arguments: repaired + published)
  func everyOptionIsKeptAndAnotherValueOfItIsRefusedByName(difference: Difference) throws {
    let saved = try policy(difference.options(difference.saved)).erasedCheckpoint()
    let other = try policy(difference.options(difference.configured))
    #expect(try refusal(of: saved, by: other) == difference.option)
    let same = try policy(difference.options(difference.saved))
    #expect(try refusal(of: saved, by: same) == nil)
  }

  @Test func noOptionIsLeftOut() throws {
    let entry = try #require(PolicyRegistry.builtIn.entries.first { $0.name == "ac-odm" })
    let tested = Set((Self.repaired + Self.published).map(\.option))
    // The first four have tests of their own here; a file is told apart as weights are.
    #expect(
      tested.union(["from", "freeze", "measured", "preset", "file"]) == Set(entry.options.keys))
  }

  @Test func aCheckpointOfAnotherPresetIsRefusedAsThat() throws {
    let small = ["width": "6", "layers": "2"]
    let presets: [[String: String]] = [
      [:], small.merging(["preset": "paper"]) { $1 }, small.merging(["preset": "released"]) { $1 },
    ]
    for (place, options) in presets.enumerated() {
      let saved = try policy(options).erasedCheckpoint()
      for (other, options) in presets.enumerated() {
        let refusal = try refusal(of: saved, by: policy(options))
        #expect(refusal == (place == other ? nil : "preset"), "\(place) \(other)")
      }
    }
    var repaired = try policy([:])
    let paper = try policy(presets[1]).erasedCheckpoint()
    expectError(
      """
      the checkpoint of policy 'ac-odm' was made with preset = paper, the run has repaired; resume \
      with the same or start the policy anew
      """
    ) { try repaired.restore(from: paper) }
    var bounded = try policy(["floor": "0.1"])
    let other = try policy(presets[2].merging(["floor": "0.1"]) { $1 }).erasedCheckpoint()
    expectError(
      """
      the checkpoint of policy 'ac-odm' was made with preset = released, the run has repaired; \
      resume with the same or start the policy anew
      """
    ) { try bounded.restore(from: other) }
  }

  @Test func whetherItIsFrozenOrCameFromAFileIsKept() throws {
    var configuration = ActorCriticConfiguration()
    let plain = try ActorCriticPolicy(configuration, in: Self.context)
    let file = try plain.savedPolicy()
    let loaded = try ActorCriticPolicy(configuration, in: Self.context, startingFrom: file)
    configuration.isFrozen = true
    configuration.isMeasuredWhenFrozen = true
    let frozen = try ActorCriticPolicy(configuration, in: Self.context, startingFrom: file)
    #expect(try refusal(of: plain.erasedCheckpoint(), by: loaded) == "from")
    #expect(try refusal(of: loaded.erasedCheckpoint(), by: plain) == "from")
    #expect(try refusal(of: loaded.erasedCheckpoint(), by: frozen) == "freeze")
    #expect(try refusal(of: frozen.erasedCheckpoint(), by: frozen) == nil)
  }
}
