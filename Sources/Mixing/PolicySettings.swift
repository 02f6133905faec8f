/// What policies with settings share: reading them from options, and finding them again in a
/// checkpoint.
package enum PolicySettings {
  /// What is wrong with a checkpoint that decodes.
  package enum Fault: Error, CustomStringConvertible {
    /// A number that no run leads to.
    case number

    package var description: String { "it holds a number that no run leads to" }
  }

  /// Checks that a checkpoint was made with the settings that a policy has.
  ///
  /// - Parameters:
  ///   - saved: the options in the checkpoint.
  ///   - configured: the policy's own.
  ///   - policy: the policy's name, for the error.
  /// - Throws: ``MixingError/checkpointOfOtherSetting(policy:option:saved:configured:)`` for the
  ///   first that differs, in alphabetical order.
  package static func requireSame(
    saved: [String: String], configured: [String: String], policy: String
  ) throws(MixingError) {
    for option in Set(saved.keys).union(configured.keys).sorted()
    where saved[option] != configured[option] {
      throw .checkpointOfOtherSetting(
        policy: policy, option: option, saved: saved[option], configured: configured[option])
    }
  }
}

extension PolicyOptions {
  /// Refuses an option that another one leaves without meaning.
  ///
  /// - Parameters:
  ///   - option: the option's name.
  ///   - other: the other option as it was given, such as `form=exp3`.
  /// - Throws: ``MixingError/unreadOption(policy:option:with:)`` if it was given.
  package func refuse(_ option: String, with other: String) throws(MixingError) {
    guard values[option] != nil else { return }
    throw .unreadOption(policy: policy, option: option, with: other)
  }

  /// Returns the initial mixture that the options of a ``StaticMixture`` say, or `fallback` where
  /// none of them is given.
  package func initialMixture(default fallback: StaticMixture) throws(MixingError)
    -> StaticMixture
  {
    let own = values.filter { StaticMixture.optionMeanings[$0.key] != nil }
    return own.isEmpty ? fallback : try StaticMixture(options: own, ofPolicy: policy)
  }
}
