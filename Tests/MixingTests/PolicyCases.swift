import HeadraceTesting
import Mixing
import Testing

/// One way to ask for a policy; ``PolicyRobustnessTests`` run on all of them.
///
/// A new policy adds its ways here; a policy of the registry without one fails the suite.
struct PolicyCase: Sendable, CustomTestStringConvertible {
  /// The policy's name.
  let policy: String
  /// What is special about the way, such as `form=code`.
  let label: String
  /// The options for domains of these names.
  private let options: @Sendable ([String]) -> [String: String]
  /// The updates of the longest test; fewer where each takes tens of microseconds.
  var updateCount = 1_000_000
  /// Whether permuted domains have permuted mixtures; not where a network has a place for each.
  var permutes = true

  private init(
    _ policy: String, _ label: String = "",
    options: @escaping @Sendable ([String]) -> [String: String]
  ) {
    self.policy = policy
    self.label = label
    self.options = options
  }

  /// A way that is the same for any domains: options as a command line gives them.
  private init(_ policy: String, _ options: String...) {
    self.init(policy, options.joined(separator: " ")) { _ in
      Dictionary(
        uniqueKeysWithValues: options.map { option in
          let parts = option.split(separator: "=", maxSplits: 1)
          return (String(parts[0]), String(parts[1]))
        })
    }
  }

  /// The same way, with another longest test.
  private func updates(_ count: Int) -> PolicyCase {
    var other = self
    other.updateCount = count
    return other
  }

  /// The same way, of a policy that tells its domains apart.
  private func telling() -> PolicyCase {
    var other = self
    other.permutes = false
    return other
  }

  var testDescription: String { label.isEmpty ? policy : "\(policy) \(label)" }

  static let all = [
    PolicyCase("static"),
    PolicyCase("manual", "mixture=uniform"),
    PolicyCase("odm"),
    PolicyCase("odm", "form=paper", "smoothing=0.9"),
    PolicyCase("odm", "form=exp3", "warm-up=3"),
    PolicyCase("odm", "bounded") { names in
      [
        "floor": "\(0.2 / Double(names.count))", "cap": "\(min(1, 1.5 / Double(names.count)))",
        "largest-move": "0.01", "prior-kl": "0.5", "mixture": "uniform",
      ]
    },
    PolicyCase("alignment"),
    PolicyCase("alignment", "memory=gram", "mixture=natural"),
    PolicyCase("alignment", "memory=gram", "self=in", "uniform-share=0"),
    PolicyCase("alignment", "memory=gram", "self=out", "warm-up=3"),
    PolicyCase("alignment", "form=doge"),
    PolicyCase("alignment", "form=doge", "rate=0.05", "score-low=-5", "largest-move=0.05"),
    PolicyCase("ac-odm").updates(10_000),
    PolicyCase("ac-odm", "state=gram", "updates=1", "transitions=1", "units=2"),
    PolicyCase("ac-odm", "state=paper", "control=frozen-random", "units=2").updates(200_000),
    PolicyCase("ac-odm", "updates=1", "transitions=1", "units=2", "warm-up=3").updates(200_000),
    PolicyCase("ac-odm", "gamma=0.9", "warm-up=3", "largest-move=0.05").updates(10_000),
    PolicyCase("ac-odm", "control=no-critic").updates(10_000),
    PolicyCase("ac-odm", "control=no-actor", "warm-up=3").updates(10_000),
    PolicyCase("ac-odm", "control=frozen-random").updates(200_000),
    PolicyCase(
      "ac-odm", "preset=paper", "width=4", "layers=2", "transitions=2", "capacity=8", "warm-up=3"
    ).updates(20_000).telling(),
    PolicyCase(
      "ac-odm", "preset=released", "width=4", "layers=2", "transitions=2", "capacity=8",
      "warm-up=3"
    ).updates(20_000).telling(),
    PolicyCase("schedule") { names in
      let even = names.map { "\($0)=\(1 / Double(names.count))" }.joined(separator: ",")
      let one = names.map { "\($0)=\($0 == "d0" ? 1 : 0)" }.joined(separator: ",")
      return ["stages": "3:\(even);9+4:\(one);+100:\(even)"]
    },
  ]

  /// The recipe, by name.
  func recipe(_ context: PolicyContext) throws -> PolicyRecipe {
    try PolicyRegistry.builtIn.recipe(named: policy, options: options(context.domainNames))
  }
}
