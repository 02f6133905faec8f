/// The presets of `ac-odm`.
public enum ActorCriticPreset: String, Sendable, CaseIterable, Codable {
  /// The form that learns; see ``ActorCriticPolicy``.
  case repaired
  /// What the paper says; see ``PublishedActorCriticPolicy``.
  case paper
  /// What the published code does; see ``PublishedActorCriticPolicy``.
  case released
}

extension PolicyRecipe {
  /// Returns the recipe of the actor-critic that learns.
  ///
  /// - Parameters:
  ///   - configuration: how it sees, values, decides and learns.
  ///   - saved: the networks to start from; nil for new ones.
  /// - Returns: a recipe for an ``ActorCriticPolicy``.
  public static func actorCritic(
    _ configuration: ActorCriticConfiguration = ActorCriticConfiguration(),
    startingFrom saved: SavedPolicy? = nil
  ) -> PolicyRecipe {
    PolicyRecipe(name: ActorCriticPolicy.name) { context throws(MixingError) in
      try ActorCriticPolicy(configuration, in: context, startingFrom: saved)
    }
  }

  /// Returns the recipe of the actor-critic as published.
  ///
  /// - Parameters:
  ///   - configuration: how it is set.
  ///   - saved: the networks to start from; nil for new ones.
  /// - Returns: a recipe for a ``PublishedActorCriticPolicy``.
  public static func publishedActorCritic(
    _ configuration: PublishedConfiguration, startingFrom saved: SavedPolicy? = nil
  ) -> PolicyRecipe {
    PolicyRecipe(name: ActorCriticPolicy.name) { context throws(MixingError) in
      try PublishedActorCriticPolicy(configuration, in: context, startingFrom: saved)
    }
  }
}

extension PolicyRegistry.Entry {
  /// The entry of `ac-odm`.
  static let actorCritic = PolicyRegistry.Entry(
    name: ActorCriticPolicy.name,
    summary: "An actor-critic on the domains' gradient alignment (AC-ODM).",
    options: ActorCriticConfiguration.optionMeanings.merging(
      PublishedConfiguration.optionMeanings
    ) { first, _ in first }.merging([
      "preset": "repaired (default), paper or released (as published; its actor never learns)",
      "from": "the path of a saved policy to start from",
    ]) { first, _ in first }
  ) { values throws(MixingError) in
    let options = PolicyOptions(values, ofPolicy: ActorCriticPolicy.name)
    let preset = try options.choice("preset", default: ActorCriticPreset.repaired)
    try checkNames(of: values, in: preset)
    let recipe: @Sendable (SavedPolicy?) -> PolicyRecipe
    switch preset {
    case .repaired:
      let configuration = try ActorCriticConfiguration(options)
      recipe = { .actorCritic(configuration, startingFrom: $0) }
    case .paper, .released:
      let configuration = try PublishedConfiguration(preset, options)
      recipe = { .publishedActorCritic(configuration, startingFrom: $0) }
    }
    let path = values["from"]
    if path == nil, try options.flag("freeze", default: false) {
      throw .missingOption(policy: ActorCriticPolicy.name, option: "from")
    }
    return PolicyRecipe(name: ActorCriticPolicy.name, options: values) {
      context throws(MixingError) in
      guard let path else { return try recipe(nil).makePolicy(in: context) }
      let saved = try SavedPolicy(at: path)
      do throws(MixingError) {
        return try recipe(saved).makePolicy(in: context)
      } catch {
        throw .fileRefused(path: path, underlying: error)
      }
    }
  }

  /// Refuses options of another preset.
  private static func checkNames(
    of values: [String: String], in preset: ActorCriticPreset
  ) throws(MixingError) {
    let known =
      preset == .repaired
      ? Set(ActorCriticConfiguration.optionMeanings.keys).union(["preset", "from"])
      : PublishedConfiguration.sharedOptions.union(PublishedConfiguration.optionMeanings.keys)
    guard let unknown = values.keys.filter({ !known.contains($0) }).min() else { return }
    throw .unknownOption(
      policy: "\(ActorCriticPolicy.name) with preset=\(preset.rawValue)", option: unknown, near: [],
      known: known.sorted())
  }
}
