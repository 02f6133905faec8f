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

  /// Whether ``observe(_:)`` does anything. If not, nothing has to be measured for this policy.
  var readsFeedback: Bool { get }

  /// What to store in order to go on later.
  var checkpoint: Checkpoint { get }

  /// Takes in one step's feedback and updates ``mixture``.
  ///
  /// The caller has validated the feedback: shapes are right, numbers are finite, and the step is
  /// later than the last one observed. Steps may be left out.
  ///
  /// - Parameter feedback: what the step reported.
  mutating func observe(_ feedback: Feedback)

  /// Goes on from a checkpoint of the same policy.
  ///
  /// - Parameter checkpoint: what ``checkpoint`` was, in a policy of the same recipe.
  /// - Throws: ``MixingError`` if the checkpoint does not belong to this policy's configuration.
  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError)
}
