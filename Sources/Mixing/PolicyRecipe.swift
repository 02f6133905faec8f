/// How to make a policy once the corpus is known; what a loader is given.
///
/// A program writes `.static(.natural)`; the command makes the same from a name and options through
/// the ``PolicyRegistry``. A policy of one's own adds a static function here in an extension, or is
/// passed ready-made by ``custom(_:)``.
public struct PolicyRecipe: Sendable {
  /// The ``MixturePolicy/name`` of the policy that is made.
  public let name: String

  /// The options that say the same by name, for the record of a run.
  ///
  /// Empty if there are none.
  public let options: [String: String]

  private let make: @Sendable (PolicyContext) throws(MixingError) -> any MixturePolicy

  /// Creates a recipe.
  ///
  /// - Parameters:
  ///   - name: the name of the policy that `make` returns.
  ///   - options: what the registry would be given for the same policy.
  ///   - make: makes the policy for a corpus.
  public init(
    name: String, options: [String: String] = [:],
    make: @escaping @Sendable (PolicyContext) throws(MixingError) -> any MixturePolicy
  ) {
    self.name = name
    self.options = options
    self.make = make
  }

  /// Makes the policy for a corpus.
  ///
  /// - Parameter context: the domains and how much each holds.
  /// - Returns: a policy whose mixture has one weight per domain of the context.
  /// - Throws: ``MixingError/mixtureDomainCount(expected:found:)`` if the mixture is for another
  ///   number of domains, and what the policy's own initializer throws.
  public func makePolicy(in context: PolicyContext) throws(MixingError) -> any MixturePolicy {
    let policy = try make(context)
    guard policy.mixture.domainCount == context.domainCount else {
      throw .mixtureDomainCount(
        expected: context.domainCount, found: policy.mixture.domainCount)
    }
    return policy
  }

  /// Returns the recipe of a fixed mixture.
  ///
  /// - Parameter form: which mixture.
  /// - Returns: a recipe for a ``StaticPolicy``.
  public static func `static`(_ form: StaticMixture) -> PolicyRecipe {
    PolicyRecipe(name: StaticPolicy.name, options: form.options) {
      context throws(MixingError) in
      try StaticPolicy(form, in: context)
    }
  }

  /// Returns the recipe of a mixture that the program sets itself.
  ///
  /// - Parameter initial: the mixture until another is set.
  /// - Returns: a recipe for a ``ManualPolicy``.
  public static func manual(_ initial: StaticMixture) -> PolicyRecipe {
    PolicyRecipe(name: ManualPolicy.name, options: initial.options) {
      context throws(MixingError) in
      ManualPolicy(
        initial: try initial.mixture(in: context), reason: "manual, initial \(initial.summary)")
    }
  }

  /// Returns the recipe of a policy that is at hand already.
  ///
  /// - Parameter policy: the policy, as it shall be at the first step.
  /// - Returns: a recipe that gives a copy of it.
  public static func custom(_ policy: any MixturePolicy) -> PolicyRecipe {
    PolicyRecipe(name: type(of: policy).name) { _ throws(MixingError) in policy }
  }
}
