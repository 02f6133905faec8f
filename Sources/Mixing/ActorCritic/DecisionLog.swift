/// By which policy state each step was drawn whose feedback is still to come.
///
/// One entry stands for all steps from its first one to the next entry's, so that there are no more
/// entries than observations made since the oldest step that is still waited for.
struct DecisionLog: Sendable, Equatable, Codable {
  /// The state that a step and those after it were drawn by.
  struct Decision: Sendable, Equatable, Codable {
    /// The first step that was drawn by it.
    let firstStep: Int
    /// The observations that the state was made of, which tell states apart.
    let observationCount: Int
    /// `[domain, feature]`; nil before the first observation.
    let policyState: PackedArray<Float>?

    init(firstStep: Int, observationCount: Int, policyState: [Float]?) {
      self.firstStep = firstStep
      self.observationCount = observationCount
      self.policyState = policyState.map { PackedArray($0) }
    }
  }

  /// In the order of their steps.
  private var entries: [Decision] = []

  /// Notes that a step, and those that follow, are drawn by a state.
  mutating func note(_ decision: Decision) {
    // A step that could not be drawn is prepared again, perhaps by a newer state.
    entries.removeAll { $0.firstStep >= decision.firstStep }
    guard entries.last?.observationCount != decision.observationCount else { return }
    entries.append(decision)
  }

  /// Returns what is known of a step's draw, and forgets what is known of earlier steps.
  ///
  /// - Returns: nil if nobody noted it.
  mutating func take(step: Int) -> Decision? {
    guard let place = entries.lastIndex(where: { $0.firstStep <= step }) else { return nil }
    entries.removeFirst(place)
    return entries.first
  }

  /// The states `[entry]`.
  var policyStates: [[Float]?] { entries.map { $0.policyState?.values } }
}
