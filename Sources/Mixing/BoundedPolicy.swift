/// A policy whose mixtures are kept within bounds.
///
/// The policy beneath learns from the mixtures that were really drawn by: feedback says the
/// effective shares, and where it does not they are the bounded mixture. It has the policy's own
/// name; the bounds are in the checkpoint.
///
/// Each observation is one update; where the policy beneath follows the steps and reads no
/// feedback, each step that it is prepared for is one. ``MixtureBounds/largestMove`` holds for
/// each. Preparing the same step again moves nothing. A mixture that a program sets is one update,
/// too: further moves towards it are made when it is set again.
///
/// Source: none; see ``MixtureBounds`` for the formulas.
///
/// Departures from the source: none.
public struct BoundedPolicy<Base: MixturePolicy>: MixturePolicy {
  /// What the policy beneath remembers, and the mixtures that a move is measured from.
  public struct Checkpoint: Codable, Sendable, Equatable {
    /// The bounds that the policy was made with.
    public let bounds: [String: String]
    /// What the policy beneath remembers.
    public let base: Base.Checkpoint
    /// The mixture that is asked for.
    public let mixture: Mixture
    /// The mixture before the last update.
    public let last: Mixture
    /// The last step that was prepared for; 0 if none.
    public let preparedStep: Int

    private enum CodingKeys: String, CodingKey {
      case bounds, base
      // Not the key of any policy's own mixture, so that a policy without bounds refuses this.
      case mixture = "bounded_mixture"
      case last = "last_mixture"
      case preparedStep = "prepared_step"
    }
  }

  /// The name of the policy beneath.
  public static var name: String { Base.name }

  /// The bounded mixture.
  public private(set) var mixture: Mixture
  /// The policy beneath.
  public private(set) var base: Base
  private let projection: BoundsProjection
  /// What the last update moved from.
  private var last: Mixture
  private var preparedStep = 0

  /// Puts bounds around a policy as it is before the first step.
  ///
  /// - Parameters:
  ///   - base: the policy.
  ///   - bounds: the bounds.
  ///   - context: the domains of the corpus.
  /// - Throws: ``MixingError/floorAboveCap(floor:cap:)``,
  ///   ``MixingError/floorInfeasible(floor:domainCount:)``,
  ///   ``MixingError/capInfeasible(cap:domainCount:)``,
  ///   ``MixingError/priorWithoutDomain(name:)``, and what ``StaticMixture/mixture(in:)`` throws
  ///   for the prior.
  public init(
    _ base: Base, bounds: MixtureBounds, in context: PolicyContext
  ) throws(MixingError) {
    self.base = base
    projection = try bounds.projection(in: context)
    mixture = projection.settled(base.mixture)
    last = mixture
  }

  /// The reason of the policy beneath, and whether a bound binds.
  public var reason: String {
    mixture == base.mixture ? base.reason : base.reason + ", bounded"
  }

  /// Those of the policy beneath.
  public var feedbackNeeds: FeedbackNeeds { base.feedbackNeeds }

  /// That of the policy beneath.
  public var followsSteps: Bool { base.followsSteps }

  /// Those of the policy beneath.
  public var rewards: [Double]? { base.rewards }

  /// Prepares the policy beneath, and moves towards its mixture unless observations do that.
  ///
  /// - Parameter upcoming: which step comes next, and what came before it.
  /// - Throws: what the policy beneath throws.
  public mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {
    try base.prepare(for: upcoming)
    guard base.followsSteps, !base.readsFeedback else { return }
    if upcoming.step > preparedStep {
      last = mixture
      preparedStep = upcoming.step
    }
    mixture = projection.mixture(base.mixture, after: last)
  }

  /// Lets the policy beneath observe, and moves towards its mixture.
  ///
  /// - Parameter feedback: validated; without shares it is given the bounded mixture's.
  public mutating func observe(_ feedback: Feedback) {
    var feedback = feedback
    feedback.shares = feedback.shares ?? mixture.weights
    base.observe(feedback)
    update()
  }

  private mutating func update() {
    last = mixture
    mixture = projection.mixture(base.mixture, after: last)
  }

  /// That of the policy beneath.
  public var isSavable: Bool { base.isSavable }

  /// Returns what the policy beneath has learned.
  ///
  /// - Returns: what the policy beneath returns.
  /// - Throws: what the policy beneath throws.
  public func savedPolicy() throws(MixingError) -> SavedPolicy? { try base.savedPolicy() }

  /// What the policy beneath remembers, and the mixtures.
  public var checkpoint: Checkpoint {
    Checkpoint(
      bounds: projection.bounds.options, base: base.checkpoint, mixture: mixture, last: last,
      preparedStep: preparedStep)
  }

  /// Goes on with what was saved.
  ///
  /// - Parameter checkpoint: a checkpoint of the same policy within the same bounds.
  /// - Throws: ``MixingError/checkpointOfOtherSetting(policy:option:saved:configured:)``,
  ///   ``MixingError/mixtureDomainCount(expected:found:)``, and what the policy beneath throws.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    try PolicySettings.requireSame(
      saved: checkpoint.bounds, configured: projection.bounds.options, policy: Self.name)
    for saved in [checkpoint.mixture, checkpoint.last] {
      guard saved.domainCount == mixture.domainCount else {
        throw .mixtureDomainCount(expected: mixture.domainCount, found: saved.domainCount)
      }
    }
    try base.restore(checkpoint.base)
    mixture = checkpoint.mixture
    last = checkpoint.last
    preparedStep = checkpoint.preparedStep
  }
}

/// A policy whose mixture a program may set.
public protocol SettablePolicy: MixturePolicy {
  /// Sets the mixture from the next batch on.
  ///
  /// - Parameters:
  ///   - mixture: the new mixture.
  ///   - reason: why, in a few words, for the ledger.
  /// - Throws: ``MixingError/mixtureDomainCount(expected:found:)`` if it is for another number of
  ///   domains; the old mixture stays.
  mutating func setMixture(_ mixture: Mixture, reason: String) throws(MixingError)
}

extension BoundedPolicy: SettablePolicy where Base: SettablePolicy {
  /// Sets the mixture of the policy beneath, and moves towards it.
  ///
  /// - Parameters:
  ///   - mixture: the new mixture.
  ///   - reason: why, in a few words, for the ledger.
  /// - Throws: ``MixingError/mixtureDomainCount(expected:found:)``.
  public mutating func setMixture(_ mixture: Mixture, reason: String) throws(MixingError) {
    try base.setMixture(mixture, reason: reason)
    update()
  }
}

extension PolicyRecipe {
  /// Returns the recipe of the same policy within bounds.
  ///
  /// - Parameter bounds: the bounds.
  /// - Returns: this recipe if nothing is bounded, else one for a ``BoundedPolicy``.
  public func bounded(by bounds: MixtureBounds) -> PolicyRecipe {
    guard !bounds.isEmpty else { return self }
    return PolicyRecipe(name: name, options: options.merging(bounds.options) { $1 }) {
      context throws(MixingError) in
      func wrap(_ base: some MixturePolicy) throws(MixingError) -> any MixturePolicy {
        try BoundedPolicy(base, bounds: bounds, in: context)
      }
      return try wrap(try makePolicy(in: context))
    }
  }
}
