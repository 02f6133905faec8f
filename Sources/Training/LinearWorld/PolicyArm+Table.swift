package import Mixing

extension PolicyArm {
  /// How many random actors the frozen actor's arm is the mean of.
  private static let randomActorCount = 8

  /// The arms that `headrace bench policies` compares unless others are asked for.
  ///
  /// - Parameter registry: the policies at hand; arms of others are left out.
  /// - Returns: oracles and controls first.
  /// - Throws: what the registry throws for options that a policy no longer has.
  package static func table(from registry: PolicyRegistry = .builtIn) throws(MixingError)
    -> [PolicyArm]
  {
    var arms = [vertexOracle, softOracle, uniformOfOtherSamples, frozenRandomMixture]
    func add(_ name: String, _ policy: String, _ options: [[String: String]]) throws(MixingError) {
      guard registry.names.contains(policy) else { return }
      var recipes: [PolicyRecipe] = []
      for options in options {
        recipes.append(try registry.recipe(named: policy, options: options))
      }
      arms.append(PolicyArm(name, recipes))
    }
    try add(
      "frozen random actor", "ac-odm",
      (0..<randomActorCount).map { ["control": "frozen-random", "seed": "\($0)"] })
    try add("odm, published code", "odm", [["form": "code"]])
    try add("odm, paper", "odm", [["form": "paper"]])
    try add("alignment, doge", "alignment", [["form": "doge"]])
    try add("alignment, soft, gram", "alignment", [["memory": "gram"]])
    try add("alignment, soft, gram, rate 2", "alignment", [["memory": "gram", "rate": "2"]])
    try add("alignment, soft", "alignment", [[:]])
    try add("ac-odm", "ac-odm", [[:]])
    try add("ac-odm, gamma .95", "ac-odm", [["gamma": "0.95"]])
    try add("ac-odm, no critic", "ac-odm", [["control": "no-critic"]])
    try add("ac-odm, no actor", "ac-odm", [["control": "no-actor"]])
    try add("ac-odm, paper state", "ac-odm", [["state": "paper"]])
    try add("ac-odm, gram state", "ac-odm", [["state": "gram"]])
    try add("ac-odm, self term in", "ac-odm", [["reward": "in"]])
    try add("ac-odm, self term out", "ac-odm", [["reward": "out"]])
    try add("ac-odm paper, 5 x 64", "ac-odm", [["preset": "paper", "width": "64"]])
    try add("ac-odm released, 5 x 64", "ac-odm", [["preset": "released", "width": "64"]])
    return arms + [try frozen("ac-odm frozen", after: Proxy()), try frozenPaperState()]
  }

  private static func frozenPaperState() throws(MixingError) -> PolicyArm {
    var proxy = Proxy()
    proxy.state = .paper
    return try frozen("ac-odm frozen, paper state", after: proxy)
  }
}
