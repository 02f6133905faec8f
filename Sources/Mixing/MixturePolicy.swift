/// A rule that turns what training reports into the mixture for the next step.
///
/// One value drives one run. Its whole memory is ``checkpoint``: a policy that is made anew from
/// the same recipe, given the checkpoint by ``restore(_:)``, and shown the same feedback gives the
/// same mixtures, bit for bit. The suite `expectResumesExactly` checks that for any policy.
///
/// A policy has value semantics: a batch keeps a copy of the policy by which it was drawn, and its
/// checkpoint is made from that copy later, whatever the policy has learned since.
public protocol MixturePolicy: Sendable {
  /// Everything the policy remembers between steps.
  associatedtype Checkpoint: Codable & Sendable & Equatable

  /// The name on the command line and in checkpoints, such as `static` or `ac-odm`.
  static var name: String { get }

  /// The mixture that the loader draws from now, always of the same number of domains.
  var mixture: Mixture { get }

  /// Why the mixture is what it is, in a few words, for the ledger.
  var reason: String { get }

  /// What ``observe(_:)`` reads of a step's feedback; only that has to be measured.
  var feedbackNeeds: FeedbackNeeds { get }

  /// Whether the mixture depends on the step or on the tokens so far, so that ``prepare(for:)`` has
  /// to be called before every batch.
  var followsSteps: Bool { get }

  /// What the policy took each domain to be worth at the last step that it observed, `[domain]`, in
  /// the policy's own unit; nil if it knows no such thing, or not yet.
  var rewards: [Double]? { get }

  /// What to store in order to go on later.
  var checkpoint: Checkpoint { get }

  /// Brings ``mixture`` to the batch that is about to be drawn.
  ///
  /// The loader calls this before each batch if the policy ``followsSteps``, in the order of steps;
  /// for the same step again if that could not be drawn, and after a resume. What it changes
  /// follows from `upcoming` and from what was observed, not from how often it was called.
  ///
  /// - Parameter upcoming: which step comes next, and what came before it.
  /// - Throws: ``MixingError`` if the policy has no mixture for that step.
  mutating func prepare(for upcoming: UpcomingStep) throws(MixingError)

  /// Takes in one step's feedback and updates ``mixture``.
  ///
  /// The caller has validated the feedback: shapes are right, numbers are finite, what
  /// ``feedbackNeeds`` names is there, and the step is later than the last one observed. Steps may
  /// be left out.
  ///
  /// - Parameter feedback: what the step reported.
  mutating func observe(_ feedback: Feedback)

  /// Goes on from a checkpoint of the same policy.
  ///
  /// - Parameter checkpoint: what ``checkpoint`` was, in a policy of the same recipe.
  /// - Throws: ``MixingError`` if the checkpoint does not belong to this policy's configuration.
  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError)

  /// Whether the policy learns what another run could use, from the beginning to the end of a run.
  var isSavable: Bool { get }

  /// Returns what the policy has learned, for other runs to start from.
  ///
  /// - Returns: nil if the policy is not savable, or has not learned anything yet.
  /// - Throws: ``MixingError/checkpointNotEncodable(policy:underlying:)``.
  func savedPolicy() throws(MixingError) -> SavedPolicy?
}

extension MixturePolicy {
  /// False: the mixture changes by observations alone.
  public var followsSteps: Bool { false }

  /// Does nothing.
  ///
  /// - Parameter upcoming: is not read.
  /// - Throws: nothing.
  public mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {}

  /// False: the policy learns nothing.
  public var isSavable: Bool { false }

  /// nil: the policy learns nothing.
  ///
  /// - Returns: nil.
  /// - Throws: nothing.
  public func savedPolicy() throws(MixingError) -> SavedPolicy? { nil }

  /// nil: the policy values no domain.
  public var rewards: [Double]? { nil }

  /// Whether ``observe(_:)`` does anything; if not, nothing has to be measured for this policy.
  public var readsFeedback: Bool { !feedbackNeeds.isEmpty }
}

/// The batch that is about to be drawn, as a policy that follows the steps is told of it.
public struct UpcomingStep: Sendable, Equatable {
  /// The step that the batch is for, counted from 1.
  public var step: Int
  /// The target tokens of all batches before it, over all ranks.
  public var tokenTotal: Int

  /// Creates the place of a batch in its run.
  ///
  /// - Parameters:
  ///   - step: the step that the batch is for, counted from 1.
  ///   - tokenTotal: the target tokens of all batches before it.
  public init(step: Int, tokenTotal: Int) {
    self.step = step
    self.tokenTotal = tokenTotal
  }
}
