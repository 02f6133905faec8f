public import Mixing
public import Testing

/// Checks that a policy stays on the simplex, finite and storable whatever valid feedback it gets.
///
/// Feedback is validated before each observation, as a loader does it; a policy that follows the
/// steps is prepared for each. At the end a policy made anew goes on from the checkpoint.
///
/// - Parameters:
///   - character: what the feedback is like.
///   - domainCount: K.
///   - steps: how many observations are made.
///   - sourceLocation: where a failure is reported.
///   - makeRecipe: how to make the policy for a corpus.
/// - Throws: what making, preparing, storing or restoring the policy throws.
public func expectWithstands(
  _ character: FeedbackScript.Character, domainCount: Int, steps: Int,
  sourceLocation: SourceLocation = #_sourceLocation,
  _ makeRecipe: (PolicyContext) throws -> PolicyRecipe
) throws {
  let context = PolicyContext.unequal(Array(0..<domainCount))
  let recipe = try makeRecipe(context)
  var policy = try recipe.makePolicy(in: context)
  var script = FeedbackScript(character, domainCount: domainCount)
  for step in 1...steps {
    let feedback = script.feedback(step: step)
    try feedback.validate(domainCount: domainCount)
    try feedback.validate(needs: policy.feedbackNeeds)
    try policy.advance(feedback)
    expectSound(policy, domainCount: domainCount, sourceLocation: sourceLocation)
  }
  var resumed = try recipe.makePolicy(in: context)
  try resumed.restore(from: try policy.erasedCheckpoint())
  #expect(resumed.mixture == policy.mixture, sourceLocation: sourceLocation)
}

/// Checks that the order of the domains decides nothing: permuted domains give permuted mixtures.
///
/// - Parameters:
///   - steps: how many observations are made.
///   - tolerance: how far weights may be apart, since sums are taken in another order.
///   - sourceLocation: where a failure is reported.
///   - makeRecipe: how to make the policy for a corpus.
/// - Throws: what making or preparing the policy throws.
public func expectPermutes(
  steps: Int = 60, within tolerance: Double = 1e-10,
  sourceLocation: SourceLocation = #_sourceLocation,
  _ makeRecipe: (PolicyContext) throws -> PolicyRecipe
) throws {
  let order = [3, 0, 4, 1, 2]
  let context = PolicyContext.unequal(Array(0..<order.count))
  let other = PolicyContext.unequal(order)
  var policy = try makeRecipe(context).makePolicy(in: context)
  var permuted = try makeRecipe(other).makePolicy(in: other)
  var script = FeedbackScript(.plain, domainCount: order.count, seed: 7)
  for step in 1...steps {
    let feedback = script.feedback(step: step)
    try policy.advance(feedback)
    try permuted.advance(feedback.permuted(order))
    for (place, domain) in order.enumerated() {
      let (found, expected) = (
        permuted.mixture.weight(ofDomain: place), policy.mixture.weight(ofDomain: domain)
      )
      #expect(
        abs(found - expected) <= tolerance, "step \(step), domain \(domain)",
        sourceLocation: sourceLocation)
    }
  }
}

/// Checks what a loader relies on between two steps; that a mixture sums to 1 it checks itself.
///
/// - Parameters:
///   - policy: the policy.
///   - domainCount: K.
///   - sourceLocation: where a failure is reported.
public func expectSound(
  _ policy: any MixturePolicy, domainCount: Int, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(policy.mixture.domainCount == domainCount, sourceLocation: sourceLocation)
  #expect(!policy.reason.isEmpty, sourceLocation: sourceLocation)
  guard let rewards = policy.rewards else { return }
  let isSound = rewards.count == domainCount && rewards.allSatisfy { $0.isFinite }
  #expect(isSound, "rewards \(rewards)", sourceLocation: sourceLocation)
}

extension PolicyContext {
  /// Returns the context of a corpus of domains d0, d1, … of unequal sizes, in an order.
  ///
  /// - Parameters:
  ///   - order: the numbers of the domains.
  ///   - stepCount: the planned steps.
  /// - Returns: the context.
  public static func unequal(_ order: [Int], stepCount: Int = 2_000_000) -> PolicyContext {
    PolicyContext(
      domainNames: order.map { "d\($0)" }, sequenceCounts: order.map { 100 + 37 * ($0 % 11) },
      stepCount: stepCount)
  }
}

extension MixturePolicy {
  /// Prepares for a step if the policy follows the steps, then observes its feedback.
  ///
  /// - Parameter feedback: the feedback of the step, before which 4096 tokens a step are counted.
  /// - Throws: what ``Mixing/MixturePolicy/prepare(for:)`` throws.
  public mutating func advance(_ feedback: Feedback) throws(MixingError) {
    if followsSteps {
      try prepare(for: UpcomingStep(step: feedback.step, tokenTotal: 4096 * (feedback.step - 1)))
    }
    observe(feedback)
  }
}
