package import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The critic and the actor of ``ActorCriticPolicy``, and how they learn from transitions.
///
/// The critic C gives every domain a value, q_i = C(f_i), by regression:
///
///     minimize mean c_i Huber(q_i − y_i),   y_i = w_i + γ Σ_j α′_j q′_j
///
/// The actor A gives every domain a score, π = softmax(A(f)), α = (1 − ρ) π + ρ/K, and climbs
///
///     Σ_i π_i q_i + λ H(π) − κ KL(π ‖ a)
///
/// whose gradient by the scores is π_i (h_i − Σ_j π_j h_j) with
/// h_i = q_i − λ ln π_i − κ (ln π_i − ln a_i).
///
/// - f_i: the features of domain i `[feature]`; w: the rewards; a: the action that was taken.
/// - c_i: how much the reward counts, see ``ActorCriticConfiguration/halfWeightVariance``; 0 for a
///   domain that was not seen.
/// - q′, α′: the values by the target network, and the mixture by the actor, after the step.
/// - Huber's function bends at 1. λ, κ, ρ, γ: see ``ActorCriticConfiguration``.
///
/// Each network has its own optimizer: the critic's step reads no actor where γ = 0, and the
/// actor's step moves no critic.
package struct ActorCriticLearner: Sendable {
  private static let huberBend = 1.0
  /// The standard deviation of the random actor's output parameters.
  private static let randomSpread = 0.5

  private let configuration: ActorCriticConfiguration
  private let domainCount: Int
  package private(set) var critic: RowNetwork
  package private(set) var actor: RowNetwork
  /// The critic that values the future; the critic itself where γ = 0.
  package private(set) var targetCritic: RowNetwork
  package private(set) var criticOptimizer: AdamOptimizer
  package private(set) var actorOptimizer: AdamOptimizer

  /// Creates networks; the random actor's control gets random scores, all others none.
  package init(
    _ configuration: ActorCriticConfiguration, domainCount: Int,
    using generator: inout SeededGenerator
  ) {
    self.configuration = configuration
    self.domainCount = domainCount
    let featureCount = PolicyStateEstimator.featureCount(of: configuration.state)
    let isRandom = configuration.control == .frozenRandom
    critic = RowNetwork(
      featureCount: featureCount, unitCount: configuration.unitCount, using: &generator)
    actor = RowNetwork(
      featureCount: featureCount, unitCount: configuration.unitCount,
      spread: isRandom ? Self.randomSpread : 0, using: &generator)
    targetCritic = critic
    criticOptimizer = AdamOptimizer(parameterCount: critic.parameters.count)
    actorOptimizer = AdamOptimizer(parameterCount: actor.parameters.count)
  }

  /// The number of features of a domain.
  package var featureCount: Int { critic.featureCount }

  // MARK: Deciding

  /// π `[domain]`, the actor's choice before the floor.
  package func choice(of policyState: [Float]) -> [Double] {
    logChoice(of: policyState.map(Double.init)).map { exp($0) }
  }

  /// q `[domain]`, what the critic takes the domains to be worth.
  package func values(of policyState: [Float]) -> [Double] {
    critic(policyState.map(Double.init)).outputs
  }

  /// α `[domain]`: the choice with the floor under it.
  package func action(of policyState: [Float]) -> [Double] {
    Simplex.mixedWithUniform(choice(of: policyState), share: configuration.uniformShare)
  }

  /// ln π `[domain]` of one step's rows `[domain, feature]`.
  private func logChoice(of rows: [Double]) -> [Double] {
    let scores =
      configuration.control == .noActor
      ? critic(rows).outputs.map { $0 / configuration.entropyWorth } : actor(rows).outputs
    return Simplex.logSoftmax(scores)
  }

  // MARK: Learning

  /// One update of the critic, then one of the actor.
  package mutating func update(with transitions: [Transition]) {
    let rows = transitions.flatMap { $0.policyState.map(Double.init) }
    if configuration.control != .noCritic { updateCritic(transitions, rows: rows) }
    if configuration.control != .noActor { updateActor(transitions, rows: rows) }
  }

  /// Moves the critic towards what the transitions brought, and nothing else.
  package mutating func updateCritic(_ transitions: [Transition], rows: [Double]) {
    let (values, hidden) = critic(rows)
    let share = 1 / Double(values.count)
    var factors = [Double](repeating: 0, count: values.count)
    for (index, transition) in transitions.enumerated() {
      let future =
        configuration.discount > 0 ? configuration.discount * worth(after: transition) : 0
      for domain in 0..<domainCount where transition.weights[domain] > 0 {
        let place = index * domainCount + domain
        let error = values[place] - transition.rewards[domain] - future
        factors[place] =
          transition.weights[domain] * error.clamped(to: Self.huberBend) * share
      }
    }
    let gradient = critic.gradient(factors: factors, rows: rows, hidden: hidden)
    criticOptimizer.step(
      &critic.parameters, gradient: gradient, learningRate: configuration.learningRate,
      decay: configuration.decay)
    guard configuration.discount > 0 else { return }
    for place in targetCritic.parameters.indices {
      targetCritic.parameters[place] +=
        configuration.softUpdateRate
        * (critic.parameters[place] - targetCritic.parameters[place])
    }
  }

  /// Σ_j α′_j q′_j after a transition.
  private func worth(after transition: Transition) -> Double {
    let rows = transition.nextState.map(Double.init)
    let action = Simplex.mixedWithUniform(
      logChoice(of: rows).map { exp($0) }, share: configuration.uniformShare)
    return zip(action, targetCritic(rows).outputs).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// Moves the actor up its objective by the critic's values, and nothing else.
  package mutating func updateActor(_ transitions: [Transition], rows: [Double]) {
    let (scores, hidden) = actor(rows)
    let values =
      configuration.control == .noCritic ? transitions.flatMap(\.rewards) : critic(rows).outputs
    var factors = [Double](repeating: 0, count: scores.count)
    for (index, transition) in transitions.enumerated() {
      let domains = index * domainCount..<(index + 1) * domainCount
      let slopes = ascent(
        scores: Array(scores[domains]), values: Array(values[domains]), transition)
      for domain in 0..<domainCount {
        factors[index * domainCount + domain] = -slopes[domain] / Double(transitions.count)
      }
    }
    let gradient = actor.gradient(factors: factors, rows: rows, hidden: hidden)
    actorOptimizer.step(
      &actor.parameters, gradient: gradient, learningRate: configuration.learningRate,
      decay: configuration.decay)
  }

  /// The gradient of the actor's objective by the scores `[domain]`.
  package func ascent(
    scores: [Double], values: [Double], _ transition: Transition
  ) -> [Double] {
    let logs = Simplex.logSoftmax(scores)
    let choice = logs.map { exp($0) }
    var values = values
    if configuration.control == .noCritic {
      // A domain that was not seen shall neither gain nor lose: it counts as the others' mean.
      let seen = values.indices.filter { transition.weights[$0] > 0 }
      let mass = seen.reduce(0) { $0 + choice[$1] }
      let mean = mass > 0 ? seen.reduce(0) { $0 + choice[$1] * values[$1] } / mass : 0
      for domain in values.indices where transition.weights[domain] == 0 {
        values[domain] = mean
      }
    }
    let worths = values.indices.map { domain in
      values[domain] - configuration.entropyWorth * logs[domain]
        - configuration.moveCost * (logs[domain] - transition.action[domain].naturalLog)
    }
    let mean = zip(choice, worths).reduce(0) { $0 + $1.0 * $1.1 }
    return zip(choice, worths).map { $0 * ($1 - mean) }
  }
}

extension ActorCriticLearner {
  /// The networks and their optimizers as a checkpoint holds them.
  package struct Checkpoint: Codable, Sendable, Equatable {
    package let critic: PackedArray<Double>
    package let actor: PackedArray<Double>
    let targetCritic: PackedArray<Double>
    let criticOptimizer: AdamOptimizer
    let actorOptimizer: AdamOptimizer

    private enum CodingKeys: String, CodingKey {
      case critic, actor
      case targetCritic = "target_critic"
      case criticOptimizer = "critic_optimizer"
      case actorOptimizer = "actor_optimizer"
    }
  }

  /// What to store.
  package var checkpoint: Checkpoint {
    Checkpoint(
      critic: PackedArray(critic.parameters), actor: PackedArray(actor.parameters),
      targetCritic: PackedArray(targetCritic.parameters), criticOptimizer: criticOptimizer,
      actorOptimizer: actorOptimizer)
  }

  /// Goes on from what was stored.
  ///
  /// - Throws: ``MixingError/checkpointOfOtherShape(policy:array:expected:found:)`` if it is of
  ///   networks of other sizes; nothing has changed then.
  package mutating func restore(
    _ checkpoint: Checkpoint, ofPolicy policy: String
  ) throws(MixingError) {
    let expected = critic.parameters.count
    let arrays = [
      ("critic", checkpoint.critic), ("actor", checkpoint.actor),
      ("target critic", checkpoint.targetCritic),
      ("critic's first moments", checkpoint.criticOptimizer.firstMoments),
      ("critic's second moments", checkpoint.criticOptimizer.secondMoments),
      ("actor's first moments", checkpoint.actorOptimizer.firstMoments),
      ("actor's second moments", checkpoint.actorOptimizer.secondMoments),
    ]
    for (name, array) in arrays where array.values.count != expected {
      throw .checkpointOfOtherShape(
        policy: policy, array: name, expected: expected, found: array.values.count)
    }
    for count in [checkpoint.criticOptimizer.updateCount, checkpoint.actorOptimizer.updateCount]
    where !(0...1 << 60).contains(count) {
      throw .checkpointOfOtherShape(
        policy: policy, array: "updates", expected: 0, found: count)
    }
    setParameters(critic: checkpoint.critic.values, actor: checkpoint.actor.values)
    targetCritic.parameters = checkpoint.targetCritic.values
    criticOptimizer = checkpoint.criticOptimizer
    actorOptimizer = checkpoint.actorOptimizer
  }

  /// Takes over the parameters of other networks of the same sizes.
  package mutating func setParameters(critic: [Double], actor: [Double]) {
    precondition(
      critic.count == self.critic.parameters.count && actor.count == self.actor.parameters.count,
      "networks of other sizes")
    self.critic.parameters = critic
    self.actor.parameters = actor
    targetCritic.parameters = critic
  }
}
