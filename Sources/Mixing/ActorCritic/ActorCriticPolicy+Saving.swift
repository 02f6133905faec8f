extension ActorCriticPolicy {
  /// The networks as a file hands them on.
  private struct Contents: Codable {
    let preset: String
    let state: ActorCriticConfiguration.StateForm
    let unitCount: Int
    let critic: PackedArray<Double>
    let actor: PackedArray<Double>

    private enum CodingKeys: String, CodingKey {
      case preset, state, critic, actor
      case unitCount = "unit_count"
    }
  }

  /// The name of this preset of `ac-odm`.
  static let preset = ActorCriticPreset.repaired.rawValue

  /// True but for the random actor, which nothing was learned by.
  public var isSavable: Bool { configuration.control != .frozenRandom }

  /// Returns the two networks, which any number of domains can start from.
  ///
  /// - Returns: what ``init(_:in:startingFrom:)`` takes; nil for the random actor.
  /// - Throws: ``MixingError/checkpointNotEncodable(policy:underlying:)``.
  public func savedPolicy() throws(MixingError) -> SavedPolicy? {
    guard isSavable else { return nil }
    let networks = learner.checkpoint
    return try SavedPolicy(
      policy: Self.name, domainNames: domainNames,
      contents: Contents(
        preset: Self.preset, state: configuration.state, unitCount: configuration.unitCount,
        critic: networks.critic, actor: networks.actor))
  }

  /// Takes over the networks of a saved policy.
  mutating func load(_ saved: SavedPolicy) throws(MixingError) {
    try saved.requirePreset(Self.preset)
    let contents = try saved.contents(as: Contents.self, ofPolicy: Self.name)
    func check(
      _ property: SavedPolicyProperty, _ saved: String, _ configured: String
    ) throws(MixingError) {
      guard saved == configured else {
        throw .savedPolicyDiffers(property: property, saved: saved, configured: configured)
      }
    }
    try check(.state, contents.state.rawValue, configuration.state.rawValue)
    try check(.networks, "\(contents.unitCount) units", "\(configuration.unitCount) units")
    let count = learner.critic.parameters.count
    for network in [contents.critic, contents.actor] {
      try check(
        .networks, "\(network.values.count) parameters", "\(count) parameters")
      guard network.values.allSatisfy(\.isFinite) else {
        throw .savedPolicyDiffers(
          property: .networks, saved: "parameters that are not finite", configured: "finite ones")
      }
    }
    learner.setParameters(critic: contents.critic.values, actor: contents.actor.values)
  }
}
