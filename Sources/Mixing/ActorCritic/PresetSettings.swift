/// A policy that stands for some of the presets of `ac-odm`.
protocol PresetPolicy: MixturePolicy {
  /// The presets that it can be.
  static var presets: [String] { get }
}

extension ActorCriticPolicy: PresetPolicy {
  static let presets = [preset]
}

extension PublishedActorCriticPolicy: PresetPolicy {
  static let presets = [ActorCriticPreset.paper, .released].map(\.rawValue)
}

/// The options in a checkpoint of `ac-odm`.
///
/// The policies of its presets share a name but no form of checkpoint. A checkpoint of a preset
/// that `Policy` cannot be is refused while it is read, for what it is.
struct PresetSettings<Policy: PresetPolicy>: Codable, Sendable, Equatable {
  /// The values by option name.
  let options: [String: String]

  /// Takes over the options of a policy.
  ///
  /// The path of a saved policy says nothing that the checkpoint does not replace; but one that
  /// started from a saved policy has no warm-up.
  init(_ options: [String: String], startsFromSaved: Bool) {
    self.options = startsFromSaved ? options.merging(["from": "a saved policy"]) { $1 } : options
  }

  init(from decoder: any Decoder) throws {
    options = try [String: String](from: decoder)
    guard let preset = options["preset"], Policy.presets.contains(preset) else {
      throw MixingError.checkpointOfOtherSetting(
        policy: Policy.name, option: "preset", saved: options["preset"],
        configured: Policy.presets.joined(separator: " or "))
    }
  }

  func encode(to encoder: any Encoder) throws { try options.encode(to: encoder) }
}
