/// What one step taught: the policy state that its mixture came from, the mixture, and the rewards.
///
/// Immutable and shared, so that copies of a replay buffer copy references only.
package final class Transition: Sendable {
  /// The features `[domain, feature]` that the action was chosen by.
  package let policyState: [Float]
  /// The shares that the step was drawn by `[domain]`, summing to 1.
  package let action: [Double]
  /// What the step showed each domain to be worth `[domain]`; 0 where it was not seen.
  package let rewards: [Double]
  /// How much each reward counts `[domain]`, in [0, 1]; 0 where the domain was not seen.
  package let weights: [Double]
  /// The features after the step `[domain, feature]`; empty where the future is not valued.
  package let nextState: [Float]

  /// Creates a transition.
  package init(
    policyState: [Float], action: [Double], rewards: [Double], weights: [Double],
    nextState: [Float]
  ) {
    self.policyState = policyState
    self.action = action
    self.rewards = rewards
    self.weights = weights
    self.nextState = nextState
  }
}
