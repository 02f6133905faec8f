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
      "preset":
        "repaired (default), paper or released (as published; its actor never learns); these two "
        + "take from, freeze, seed and the options that name them",
      "from":
        "the path of a saved policy to start from; preset, state and sizes are its own unless given",
    ]) { first, _ in first }
  ) { values throws(MixingError) in
    guard let path = values["from"] else { return try makeRecipe(values, startingFrom: nil) }
    let saved = try SavedPolicy(at: path)
    var own: [String: String]
    do throws(MixingError) { own = try saved.actorCriticOptions() } catch {
      throw .fileRefused(path: path, underlying: error)
    }
    if let preset = values["preset"], let other = own["preset"], preset != other {
      throw .fileRefused(
        path: path,
        underlying: .savedPolicyDiffers(property: .preset, saved: other, configured: preset))
    }
    own.merge(values) { $1 }
    let recipe = try makeRecipe(own, startingFrom: saved)
    return PolicyRecipe(name: ActorCriticPolicy.name, options: own) { context throws(MixingError) in
      do throws(MixingError) { return try recipe.makePolicy(in: context) } catch {
        throw .fileRefused(path: path, underlying: error)
      }
    }
  } savingDefaults: { values in
    // Another run's frozen actor shall need no gradients; a file that is gone on from has a state.
    let isOpen = values["preset", default: ActorCriticPolicy.preset] == ActorCriticPolicy.preset
    return isOpen && values["from"] == nil ? ["state": "paper"] : [:]
  }

  /// Reads the options of the preset that they name.
  private static func makeRecipe(
    _ values: [String: String], startingFrom saved: SavedPolicy?
  ) throws(MixingError) -> PolicyRecipe {
    let options = PolicyOptions(values, ofPolicy: ActorCriticPolicy.name)
    let preset = try options.choice("preset", default: ActorCriticPreset.repaired)
    try checkNames(of: values, in: preset)
    if saved == nil, try options.flag("freeze", default: false) {
      throw .missingOption(policy: ActorCriticPolicy.name, option: "from")
    }
    let recipe: PolicyRecipe
    switch preset {
    case .repaired:
      recipe = .actorCritic(try ActorCriticConfiguration(options), startingFrom: saved)
    case .paper, .released:
      recipe = .publishedActorCritic(
        try PublishedConfiguration(preset, options), startingFrom: saved)
    }
    return PolicyRecipe(name: ActorCriticPolicy.name, options: values) {
      context throws(MixingError) in
      try recipe.makePolicy(in: context)
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

extension SavedPolicy {
  /// The options of `ac-odm` that say what its networks are made for.
  fileprivate struct NetworkOptions: Decodable {
    let preset: String
    let state: ActorCriticConfiguration.StateForm?
    let unitCount: Int?
    let width: Int?
    let layerCount: Int?

    private enum CodingKeys: String, CodingKey {
      case preset, state, width
      case unitCount = "unit_count"
      case layerCount = "layer_count"
    }
  }

  /// What a file of `ac-odm` says by itself of the options that it was learned with.
  fileprivate func actorCriticOptions() throws(MixingError) -> [String: String] {
    let own = try contents(as: NetworkOptions.self, ofPolicy: ActorCriticPolicy.name)
    var options = ["preset": own.preset]
    options["state"] = own.state?.rawValue
    options["units"] = own.unitCount.map(String.init)
    options["width"] = own.width.map(String.init)
    options["layers"] = own.layerCount.map(String.init)
    return options
  }

  /// Checks which preset of `ac-odm` a policy was learned by, before anything else is read of it.
  ///
  /// - Throws: ``MixingError/savedPolicyDiffers(property:saved:configured:)``.
  func requirePreset(_ preset: String) throws(MixingError) {
    let own = try contents(as: NetworkOptions.self, ofPolicy: ActorCriticPolicy.name)
    guard own.preset == preset else {
      throw .savedPolicyDiffers(property: .preset, saved: own.preset, configured: preset)
    }
  }
}
