/// The policy that asks for what a recorded run asked for, step by step, exactly.
///
///     α_t(domain) = the recorded share of the domain of the same name at step t
///
/// It answers whether a trajectory did the work or the feedback: an online policy's trajectory,
/// replayed, is a run with other seeds or another model and the same mixtures. On the same corpus
/// with the same seed it makes the recorded run again, bit for bit.
///
/// Mixtures are looked up when a step is prepared for, so that a trajectory of any length takes the
/// memory of its ``MixtureTrajectory`` only. A step that was not recorded is an error at that step.
///
/// Source: none.
///
/// Departures from the source: none.
public struct ReplayPolicy: MixturePolicy {
  /// The mixture that was asked for last; the next ``prepare(for:)`` does not read it.
  public struct Checkpoint: Codable, Sendable, Equatable {
    /// The mixture.
    public let mixture: Mixture
  }

  /// The name on the command line, `replay`.
  public static let name = "replay"

  /// The recorded mixture of the step that was prepared for last, or of the first recorded one.
  public private(set) var mixture: Mixture

  private let trajectory: any MixtureTrajectory
  /// The names of the run's domains, and the index of each.
  private let domainIndexes: [String: Int]

  /// Creates a policy for a corpus.
  ///
  /// - Parameters:
  ///   - trajectory: the recorded mixtures.
  ///   - context: the domains of the corpus.
  /// - Throws: ``MixingError/trajectoryOfOtherDomains(source:missing:unknown:)``,
  ///   ``MixingError/trajectoryStepMissing(source:step:first:last:)`` if more steps are planned
  ///   than were recorded, and ``MixingError/trajectoryUnreadable(source:underlying:)``.
  public init(
    _ trajectory: any MixtureTrajectory, in context: PolicyContext
  ) throws(MixingError) {
    self.trajectory = trajectory
    let steps = trajectory.steps
    if let planned = context.stepCount, planned > steps.upperBound {
      throw .trajectoryStepMissing(
        source: trajectory.source, step: planned, first: steps.lowerBound, last: steps.upperBound)
    }
    domainIndexes = Dictionary(
      uniqueKeysWithValues: zip(context.domainNames, context.domainNames.indices))
    mixture = .uniform(domainCount: context.domainCount)
    try take(step: steps.lowerBound)
  }

  /// Where the trajectory is from.
  public var reason: String { "replay of \(trajectory.source)" }

  /// Nothing.
  public var feedbackNeeds: FeedbackNeeds { .nothing }

  /// True.
  public var followsSteps: Bool { true }

  /// Takes the recorded mixture of the step.
  ///
  /// - Parameter upcoming: which step comes next.
  /// - Throws: ``MixingError/trajectoryStepMissing(source:step:first:last:)``,
  ///   ``MixingError/trajectoryOfOtherDomains(source:missing:unknown:)`` or
  ///   ``MixingError/trajectoryUnreadable(source:underlying:)``.
  public mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {
    try take(step: upcoming.step)
  }

  private mutating func take(step: Int) throws(MixingError) {
    let steps = trajectory.steps
    guard steps.contains(step) else {
      throw .trajectoryStepMissing(
        source: trajectory.source, step: step, first: steps.lowerBound, last: steps.upperBound)
    }
    let recorded = try trajectory.recorded(atStep: step)
    var shares = [Int64](repeating: 0, count: domainIndexes.count)
    var unknown: [String] = []
    for (name, share) in zip(recorded.domainNames, recorded.mixture.integerShares) {
      if let index = domainIndexes[name] { shares[index] = share } else { unknown.append(name) }
    }
    let missing = Set(domainIndexes.keys).subtracting(recorded.domainNames)
    guard unknown.isEmpty, missing.isEmpty else {
      throw .trajectoryOfOtherDomains(
        source: trajectory.source, missing: missing.sorted(), unknown: unknown.sorted())
    }
    mixture = try Mixture(integerShares: shares)
  }

  /// Does nothing.
  ///
  /// - Parameter feedback: is not read.
  public mutating func observe(_ feedback: Feedback) {}

  /// The mixture.
  public var checkpoint: Checkpoint { Checkpoint(mixture: mixture) }

  /// Goes on with the mixture that was saved, until the next step is prepared for.
  ///
  /// - Parameter checkpoint: a checkpoint of a replay.
  /// - Throws: ``MixingError/mixtureDomainCount(expected:found:)``.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    guard checkpoint.mixture.domainCount == mixture.domainCount else {
      throw .mixtureDomainCount(
        expected: mixture.domainCount, found: checkpoint.mixture.domainCount)
    }
    mixture = checkpoint.mixture
  }
}

extension PolicyRecipe {
  /// Returns the recipe of a recorded trajectory.
  ///
  /// - Parameters:
  ///   - trajectory: the recorded mixtures.
  ///   - options: what the registry would be given for the same.
  /// - Returns: a recipe for a ``ReplayPolicy``.
  public static func replay(
    _ trajectory: any MixtureTrajectory, options: [String: String] = [:]
  ) -> PolicyRecipe {
    PolicyRecipe(name: ReplayPolicy.name, options: options) { context throws(MixingError) in
      try ReplayPolicy(trajectory, in: context)
    }
  }
}
