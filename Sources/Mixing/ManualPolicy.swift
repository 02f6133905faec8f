/// The policy whose mixture the calling program sets, at any step.
///
/// What was set last, and why, is in the checkpoint, so that a resumed run goes on with it.
///
/// Source: none; it is the way in for mixtures that are decided outside.
///
/// Departures from the source: none.
public struct ManualPolicy: SettablePolicy {
  /// The mixture that was set last and the reason that was given.
  public struct Checkpoint: Codable, Sendable, Equatable {
    /// The mixture that was set last, or the initial one.
    public let mixture: Mixture
    /// The reason that was given with it.
    public let reason: String
  }

  /// The name on the command line, `manual`.
  public static let name = "manual"

  /// The mixture that was set last, or the initial one.
  public private(set) var mixture: Mixture

  /// The reason that was given with the mixture.
  public private(set) var reason: String

  /// Creates the policy with the mixture that holds until another is set.
  ///
  /// - Parameters:
  ///   - initial: the first mixture.
  ///   - reason: why it is the first, for the ledger.
  public init(initial: Mixture, reason: String = "manual, initial") {
    mixture = initial
    self.reason = reason
  }

  /// Sets the mixture from the next batch on.
  ///
  /// - Parameters:
  ///   - mixture: the new mixture.
  ///   - reason: why, in a few words, for the ledger.
  /// - Throws: ``MixingError/mixtureDomainCount(expected:found:)`` if it is for another number of
  ///   domains; the old mixture stays.
  public mutating func setMixture(_ mixture: Mixture, reason: String) throws(MixingError) {
    try check(mixture)
    self.mixture = mixture
    self.reason = reason
  }

  /// Nothing: feedback reaches the calling program without the policy.
  public var feedbackNeeds: FeedbackNeeds { .nothing }

  /// The mixture and its reason.
  public var checkpoint: Checkpoint { Checkpoint(mixture: mixture, reason: reason) }

  /// Does nothing.
  ///
  /// - Parameter feedback: is not read.
  public mutating func observe(_ feedback: Feedback) {}

  /// Sets the mixture and the reason that were saved.
  ///
  /// - Parameter checkpoint: a checkpoint of a manual policy.
  /// - Throws: ``MixingError/mixtureDomainCount(expected:found:)``.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    try check(checkpoint.mixture)
    mixture = checkpoint.mixture
    reason = checkpoint.reason
  }

  private func check(_ other: Mixture) throws(MixingError) {
    guard other.domainCount == mixture.domainCount else {
      throw .mixtureDomainCount(expected: mixture.domainCount, found: other.domainCount)
    }
  }
}
