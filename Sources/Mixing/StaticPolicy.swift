/// The policy that never changes its mixture.
///
/// The mixture comes from a ``StaticMixture``: natural or uniform shares, something between the
/// two, weights given by name, or the file that RegMix's search writes. It is what every online
/// policy is compared with.
///
/// Source: Liu et al. 2024, *RegMix: Data Mixture as Regression for Language Model Pre-training*
/// (arXiv:2407.01492), section 3: the mixture that the regression predicts to be best is used
/// unchanged for the whole run of the target model.
///
/// Departures from the source: none in the use of the mixture. The source's trainer draws each
/// sequence by chance; here the loader apportions by credit, so that the realized shares are the
/// asked ones.
public struct StaticPolicy: MixturePolicy {
  /// The fixed mixture, kept so that a resume with another one is noticed.
  public struct Checkpoint: Codable, Sendable, Equatable {
    /// The mixture of the run.
    public let mixture: Mixture
  }

  /// The name on the command line, `static`.
  public static let name = "static"

  /// The mixture of every step.
  public let mixture: Mixture

  /// How the mixture was given, such as `static natural`.
  public let reason: String

  /// Creates a policy with a mixture that is at hand already.
  ///
  /// - Parameters:
  ///   - mixture: the mixture of every step.
  ///   - reason: how it was found, in a few words, for the ledger.
  public init(_ mixture: Mixture, reason: String = "static") {
    self.mixture = mixture
    self.reason = reason
  }

  /// Creates a policy for a corpus.
  ///
  /// - Parameters:
  ///   - form: which mixture.
  ///   - context: the domains of the corpus.
  /// - Throws: what ``StaticMixture/mixture(in:)`` throws.
  public init(_ form: StaticMixture, in context: PolicyContext) throws(MixingError) {
    self.init(try form.mixture(in: context), reason: "static \(form.summary)")
  }

  /// Nothing has to be measured.
  public var feedbackNeeds: FeedbackNeeds { .nothing }

  /// The mixture.
  public var checkpoint: Checkpoint { Checkpoint(mixture: mixture) }

  /// Does nothing.
  ///
  /// - Parameter feedback: is not read.
  public mutating func observe(_ feedback: Feedback) {}

  /// Checks that the checkpoint holds the same mixture.
  ///
  /// A run whose static mixture shall change on resume starts the policy anew instead; the order of
  /// every domain is unaffected by that.
  ///
  /// - Parameter checkpoint: a checkpoint of a static policy.
  /// - Throws: ``MixingError/mixtureDomainCount(expected:found:)`` or
  ///   ``MixingError/checkpointOfOtherMixture(domainIndex:saved:configured:)``.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    let saved = checkpoint.mixture.integerShares
    guard saved.count == mixture.domainCount else {
      throw .mixtureDomainCount(expected: mixture.domainCount, found: saved.count)
    }
    for (index, share) in mixture.integerShares.enumerated() where share != saved[index] {
      throw .checkpointOfOtherMixture(
        domainIndex: index, saved: saved[index], configured: share)
    }
  }
}
