package import Kernels

/// The last so many transitions, oldest out first.
///
/// A value: a copy shares all transitions and, but for one small block, the references to them, so
/// that a policy can be copied at every step however long its memory is.
package struct ReplayBuffer: Sendable {
  /// The references that a block holds: what a write into a shared copy copies.
  private static let blockSize = 64

  /// The most transitions that are kept, at least 1.
  package let capacity: Int
  /// Transition n, counted from 0 since the run's beginning, stands in slot n mod capacity.
  private var blocks: [[Transition]] = []
  /// The transitions that were ever stored.
  package private(set) var total = 0

  /// Creates an empty buffer.
  package init(capacity: Int) {
    precondition(capacity >= 1, "a replay buffer of \(capacity) transitions")
    self.capacity = capacity
  }

  /// The transitions that are kept now.
  package var count: Int { min(total, capacity) }

  /// Stores a transition in place of the oldest one if the buffer is full.
  package mutating func append(_ transition: Transition) {
    let slot = total % capacity
    let (block, place) = slot.quotientAndRemainder(dividingBy: Self.blockSize)
    if block == blocks.count { blocks.append([]) }
    if place == blocks[block].count {
      blocks[block].append(transition)
    } else {
      blocks[block][place] = transition
    }
    total += 1
  }

  /// The transition that was stored as the `age`-th last one, 0 being the newest.
  package subscript(age age: Int) -> Transition {
    precondition(age >= 0 && age < count, "no transition of age \(age) among \(count)")
    return self[slot: (total - 1 - age) % capacity]
  }

  private subscript(slot slot: Int) -> Transition {
    blocks[slot / Self.blockSize][slot % Self.blockSize]
  }

  /// Draws so many of the kept transitions, each with the same probability and independently.
  ///
  /// - Precondition: at least one is kept.
  package func draw(_ drawCount: Int, using generator: inout SeededGenerator) -> [Transition] {
    (0..<drawCount).map { _ in self[slot: Int.random(in: 0..<count, using: &generator)] }
  }
}

extension ReplayBuffer {
  /// A replay buffer as a checkpoint holds it: kept transitions, in the order of their slots.
  package struct Checkpoint: Codable, Sendable, Equatable {
    /// The transitions that were ever stored.
    package let total: Int
    let policyStates: PackedArray<Float>
    let actions: PackedArray<Double>
    let rewards: PackedArray<Double>
    let weights: PackedArray<Double>
    let nextStates: PackedArray<Float>
  }

  /// What to store.
  package var checkpoint: Checkpoint {
    let kept = (0..<count).map { self[slot: $0] }
    return Checkpoint(
      total: total, policyStates: PackedArray(kept.flatMap(\.policyState)),
      actions: PackedArray(kept.flatMap(\.action)),
      rewards: PackedArray(kept.flatMap(\.rewards)),
      weights: PackedArray(kept.flatMap(\.weights)),
      nextStates: PackedArray(kept.flatMap(\.nextState)))
  }

  /// Creates the buffer that was stored.
  ///
  /// - Throws: ``MixingError/checkpointOfOtherShape(policy:array:expected:found:)`` if the arrays
  ///   are not those of so many domains and of states of that width.
  package init(
    _ checkpoint: Checkpoint, capacity: Int, domainCount: Int, stateWidth: Int,
    keepsNextStates: Bool, ofPolicy policy: String
  ) throws(MixingError) {
    self.init(capacity: capacity)
    let kept = min(max(checkpoint.total, 0), capacity)
    let width = stateWidth
    let nextWidth = keepsNextStates ? width : 0
    func check(_ array: String, _ found: Int, _ expected: Int) throws(MixingError) {
      guard found == expected else {
        throw .checkpointOfOtherShape(
          policy: policy, array: array, expected: expected, found: found)
      }
    }
    // Far from where counting on could overflow.
    guard (0...1 << 60).contains(checkpoint.total) else {
      throw .checkpointOfOtherShape(
        policy: policy, array: "replay total", expected: kept, found: checkpoint.total)
    }
    try check("replay states", checkpoint.policyStates.values.count, kept * width)
    try check("replay actions", checkpoint.actions.values.count, kept * domainCount)
    try check("replay rewards", checkpoint.rewards.values.count, kept * domainCount)
    try check("replay weights", checkpoint.weights.values.count, kept * domainCount)
    try check("replay next states", checkpoint.nextStates.values.count, kept * nextWidth)
    for slot in 0..<kept {
      let domains = slot * domainCount..<(slot + 1) * domainCount
      append(
        Transition(
          policyState: Array(checkpoint.policyStates.values[slot * width..<(slot + 1) * width]),
          action: Array(checkpoint.actions.values[domains]),
          rewards: Array(checkpoint.rewards.values[domains]),
          weights: Array(checkpoint.weights.values[domains]),
          nextState: Array(
            checkpoint.nextStates.values[slot * nextWidth..<(slot + 1) * nextWidth])))
    }
    total = checkpoint.total
  }
}
