extension PublishedLearner {
  /// The most watched layers of networks that are read from a file.
  static let watchedLimit = 100_000

  /// Networks and moments as a checkpoint holds them.
  package struct Checkpoint: Codable, Sendable, Equatable {
    /// L, the watched layers whose norms the networks read.
    let watchedCount: Int
    let actor: PackedArray<Float>
    let critic: PackedArray<Float>
    let targetActor: PackedArray<Float>
    let targetCritic: PackedArray<Float>
    let actorMoments: [PackedArray<Float>]
    let criticMoments: [PackedArray<Float>]
    /// The optimizer steps of the actor and of the critic.
    let stepCounts: [Int]
  }

  /// L.
  var watchedCount: Int { (stateWidth - 1 - 3 * domainCount) / 2 }

  /// What to store.
  var checkpoint: Checkpoint {
    Checkpoint(
      watchedCount: watchedCount, actor: PackedArray(actor.parameters),
      critic: PackedArray(critic.parameters), targetActor: PackedArray(targetActor.parameters),
      targetCritic: PackedArray(targetCritic.parameters),
      actorMoments: [PackedArray(actorMoments.first), PackedArray(actorMoments.second)],
      criticMoments: [PackedArray(criticMoments.first), PackedArray(criticMoments.second)],
      stepCounts: [actorMoments.stepCount, criticMoments.stepCount])
  }

  /// Goes on from what was stored.
  ///
  /// - Throws: ``MixingError/checkpointOfOtherShape(policy:array:expected:found:)``; nothing has
  ///   changed then.
  mutating func restore(_ stored: Checkpoint) throws(MixingError) {
    let (own, value) = (actor.shape.parameterCount, critic.shape.parameterCount)
    try Self.check("actor", [stored.actor, stored.targetActor] + stored.actorMoments, 4, own)
    try Self.check("critic", [stored.critic, stored.targetCritic] + stored.criticMoments, 4, value)
    guard stored.stepCounts.count == 2, stored.stepCounts.allSatisfy({ (0...1 << 60).contains($0) })
    else {
      throw .checkpointOfOtherShape(
        policy: ActorCriticPolicy.name, array: "optimizer steps", expected: 2,
        found: stored.stepCounts.count)
    }
    actor.parameters = stored.actor.values
    critic.parameters = stored.critic.values
    targetActor.parameters = stored.targetActor.values
    targetCritic.parameters = stored.targetCritic.values
    actorMoments.first = stored.actorMoments[0].values
    actorMoments.second = stored.actorMoments[1].values
    criticMoments.first = stored.criticMoments[0].values
    criticMoments.second = stored.criticMoments[1].values
    actorMoments.stepCount = stored.stepCounts[0]
    criticMoments.stepCount = stored.stepCounts[1]
  }

  private static func check(
    _ name: String, _ arrays: [PackedArray<Float>], _ arrayCount: Int, _ parameterCount: Int
  ) throws(MixingError) {
    guard arrays.count == arrayCount else {
      throw .checkpointOfOtherShape(
        policy: ActorCriticPolicy.name, array: "\(name)'s arrays", expected: arrayCount,
        found: arrays.count)
    }
    for array in arrays where array.values.count != parameterCount {
      throw .checkpointOfOtherShape(
        policy: ActorCriticPolicy.name, array: name, expected: parameterCount,
        found: array.values.count)
    }
  }

  /// Takes over networks of the same shapes, dealing their domains anew.
  ///
  /// - Parameters:
  ///   - actor: the actor's parameters.
  ///   - critic: the critic's parameters.
  ///   - order: the place that domain i has in the networks, `[domain]`.
  mutating func load(actor: [Float], critic: [Float], order: [Int]) {
    let domainCount = order.count
    let shared = Array(3 * domainCount..<stateWidth)
    let stateOrder = (0..<3).flatMap { block in order.map { block * domainCount + $0 } } + shared
    self.actor.parameters = actor
    self.actor.permuteInputs(stateOrder)
    self.actor.permuteOutputs(order)
    self.critic.parameters = critic
    self.critic.permuteInputs(stateOrder + order.map { stateWidth + $0 })
    if self.critic.shape.outputCount == domainCount { self.critic.permuteOutputs(order) }
    copyToTargets()
  }
}
