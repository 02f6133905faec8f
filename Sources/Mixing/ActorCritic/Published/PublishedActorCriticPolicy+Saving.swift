internal import Kernels

extension PublishedActorCriticPolicy {
  /// The networks as a file hands them on.
  private struct Contents: Codable {
    let preset: ActorCriticPreset
    let watchedCount: Int
    let width: Int
    let layerCount: Int
    let actor: PackedArray<Float>
    let critic: PackedArray<Float>

    private enum CodingKeys: String, CodingKey {
      case preset, width, actor, critic
      case watchedCount = "watched_count"
      case layerCount = "layer_count"
    }
  }

  /// True, although there is nothing to save before the first observation.
  public var isSavable: Bool { true }

  /// Returns the actor and the critic, which a run with the same domains can start from.
  ///
  /// - Returns: nil before the first observation.
  /// - Throws: ``MixingError/checkpointNotEncodable(policy:underlying:)``.
  public func savedPolicy() throws(MixingError) -> SavedPolicy? {
    guard let learner else { return nil }
    return try SavedPolicy(
      policy: Self.name, domainNames: context.domainNames,
      contents: Contents(
        preset: configuration.form, watchedCount: learner.watchedCount,
        width: configuration.width, layerCount: configuration.layerCount,
        actor: PackedArray(learner.actor.parameters),
        critic: PackedArray(learner.critic.parameters)))
  }

  /// Makes networks of a saved policy, its domains brought into the order of `context`.
  static func learner(
    from saved: SavedPolicy, _ configuration: PublishedConfiguration, _ context: PolicyContext,
    _ stepCount: Int
  ) throws(MixingError) -> PublishedLearner {
    try saved.requirePreset(configuration.form.rawValue)
    let contents = try saved.contents(as: Contents.self, ofPolicy: name)
    func check(
      _ property: SavedPolicyProperty, _ saved: String, _ configured: String
    ) throws(MixingError) {
      guard saved == configured else {
        throw .savedPolicyDiffers(property: property, saved: saved, configured: configured)
      }
    }
    try check(
      .networks, "\(contents.layerCount) layers of \(contents.width)",
      "\(configuration.layerCount) layers of \(configuration.width)")
    try check(
      .domains, saved.domainNames.sorted().joined(separator: ", "),
      context.domainNames.sorted().joined(separator: ", "))
    guard (0...PublishedLearner.watchedLimit).contains(contents.watchedCount) else {
      throw .savedPolicyDiffers(
        property: .layers, saved: "\(contents.watchedCount)",
        configured: "at most \(PublishedLearner.watchedLimit)")
    }
    let shapes = (
      configuration.actorShape(
        domainCount: context.domainCount, watchedCount: contents.watchedCount),
      configuration.criticShape(
        domainCount: context.domainCount, watchedCount: contents.watchedCount)
    )
    // Before networks are made that nobody saved.
    try check(
      .networks, "\(contents.actor.values.count) and \(contents.critic.values.count) parameters",
      "\(shapes.0.parameterCount) and \(shapes.1.parameterCount) parameters")
    var generator = SeededGenerator(seed: configuration.seed, stream: "ac-odm published networks")
    var learner = PublishedLearner(
      configuration, domainCount: context.domainCount, watchedCount: contents.watchedCount,
      stepCount: stepCount, using: &generator)
    let order = context.domainNames.compactMap { saved.domainNames.firstIndex(of: $0) }
    learner.load(actor: contents.actor.values, critic: contents.critic.values, order: order)
    return learner
  }
}
