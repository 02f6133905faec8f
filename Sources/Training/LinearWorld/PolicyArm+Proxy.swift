package import Mixing

extension PolicyArm {
  /// How a policy learns beside small models before it is frozen.
  package struct Proxy: Sendable {
    /// What the policy sees.
    package var state = ActorCriticConfiguration.StateForm.full
    /// K of the small worlds.
    package var domainCount = 5
    /// The seeds of the small runs, each of which goes on from the last one's networks.
    package var seeds: [UInt64] = Array(1000..<1008)

    /// Creates eight runs with five domains and the full state.
    package init() {}
  }

  /// The arm of a policy that learned in small worlds of the same scenario and learns no more.
  ///
  /// The small worlds have half the parameters in every block.
  ///
  /// - Parameters:
  ///   - name: what the table calls it.
  ///   - proxy: how it learned.
  /// - Returns: an arm whose policies measure what their state reads only.
  /// - Throws: ``MixingError``; none is known.
  package static func frozen(_ name: String, after proxy: Proxy) throws(MixingError) -> PolicyArm {
    var saved: [LinearScenario: SavedPolicy] = [:]
    for scenario in LinearScenario.allCases {
      saved[scenario] = try learned(in: scenario, proxy)
    }
    var configuration = ActorCriticConfiguration()
    configuration.state = proxy.state
    configuration.isFrozen = true
    configuration.isMeasuredWhenFrozen = proxy.state != .paper
    return PolicyArm(name) { [saved, configuration] world throws(MixingError) in
      try ActorCriticPolicy(
        configuration, in: world.context, startingFrom: saved[world.configuration.scenario])
    }
  }

  private static func learned(
    in scenario: LinearScenario, _ proxy: Proxy
  ) throws(MixingError) -> SavedPolicy? {
    var small = LinearWorldConfiguration()
    small.scenario = scenario
    small.domainCount = proxy.domainCount
    small.sharedCount /= 2
    small.privateCount /= 2
    var configuration = ActorCriticConfiguration()
    configuration.state = proxy.state
    var saved: SavedPolicy?
    for seed in proxy.seeds {
      let world = LinearWorld(small, seed: seed)
      var policy = try ActorCriticPolicy(configuration, in: world.context, startingFrom: saved)
      _ = try world.run(&policy)
      saved = try policy.savedPolicy()
    }
    return saved
  }
}
