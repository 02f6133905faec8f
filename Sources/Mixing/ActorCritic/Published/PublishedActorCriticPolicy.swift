internal import Kernels

/// AC-ODM as published, to be compared with: presets `paper` and `released` of `ac-odm`.
///
/// An actor of five layers of 1024 units reads one state vector (``PublishedState``) and gives the
/// mixture of all K domains; a critic of the same size values state and mixture
/// (``PublishedLearner``). After a warm-up of 2 % of the planned steps the actor decides:
///
///     α = normalize(max(μ(s) − U/1000, 0)),   U ~ U(0, 1) for each domain
///
/// `released` does what the published code does. **Its actor is never trained**: after computing
/// the actor's gradient that code steps the critic's optimizer a second time, so that the mixture
/// is a function that random parameters made, with a share that depends on 100 · step / planned
/// steps more and more. Rewards are z-scores of Σ_{j≠i} ⟨g_i, g_j⟩ / (mean ‖g‖ + 1e-6). In the
/// warm-up the mixture is that of smoothed perplexity (``BanditPolicy``, form `code`).
///
/// `paper` does what the paper says: r_i ← ξ r_i + (1 − ξ) W_i / a_i, a scalar critic of
/// ρ = Σ_i a_i r_i, and an actor that climbs it. In the warm-up the mixture is the natural one with
/// Gaussian noise of standard deviation .02.
///
/// Source: Ma et al. 2025, *AC-ODM: Actor-Critic Online Data Mixing for Sample-Efficient LLM
/// Pretraining* (arXiv:2505.23878), and the repository DANG-ai/AC-ODM at e95863e,
/// `megatron/data/agent.py`.
///
/// Departures from the source:
/// - Nothing overflows: smoothed perplexities are kept as logarithms, and gradients are not scaled
///   by a loss scale.
/// - Noise never makes a weight negative; the source's can.
/// - The noise draws U for each domain; the source's length is fixed at 22.
/// - Update norms are those of the step. The source's code has those of all change since the first
///   recorded step, which a trainer would have to keep a copy of the parameters for.
/// - A transition's action is the shares that the step was drawn by, where they are known.
/// - The floor of one micro-batch for each domain is the loader's: group rows and ask for every
///   domain. It is no part of the policy.
/// - Where the warm-up's mixture is the natural one and a text domain's size is not known, the
///   policy is refused.
/// - `paper`: ξ is not published, and neither is a unit of W; ξ = .9 and the code's division by the
///   mean norm stand in. Time is step / planned steps. Learning begins in the warm-up.
/// - `released`: the actor's regression on the warm-up's weights is left out, since its gradient is
///   never used. Its learning-rate schedule covers the planned steps, so that the critic, which is
///   stepped twice, reaches the end at half of them, as there.
public struct PublishedActorCriticPolicy: MixturePolicy {
  /// The name on the command line, `ac-odm`.
  public static let name = ActorCriticPolicy.name

  /// The standard deviation of the noise on the natural mixture in the paper's warm-up.
  private static let warmUpNoise = 0.02

  /// The mixture that the next batch is drawn by.
  public private(set) var mixture: Mixture
  /// r `[domain]` of the last observed step; nil before one and where nothing is learned.
  public private(set) var rewards: [Double]?
  /// How it is set.
  public let configuration: PublishedConfiguration

  let context: PolicyContext
  private let stepCount: Int
  private let natural: Mixture
  private let saved: SavedPolicy?

  private var state: PublishedState
  /// What gives the mixture in the released code's warm-up.
  private var bandit: BanditPolicy
  private var replay: ReplayBuffer
  private var generator: SeededGenerator
  private var decisions = DecisionLog()
  private var policyState: [Float]?
  private var observedStepCount = 0
  /// Made at the first observation, which says how many layers are watched.
  private(set) var learner: PublishedLearner?

  /// Creates the policy for a corpus.
  ///
  /// - Parameters:
  ///   - configuration: how it is set.
  ///   - context: the domains, and the steps that are planned.
  ///   - saved: the networks to start from; nil for new ones.
  /// - Throws: ``MixingError/plannedStepsUnknown(policy:)``,
  ///   ``MixingError/unknownSizes(domains:)``, and
  ///   ``MixingError/savedPolicyDiffers(property:saved:configured:)``.
  public init(
    _ configuration: PublishedConfiguration, in context: PolicyContext,
    startingFrom saved: SavedPolicy? = nil
  ) throws(MixingError) {
    self.configuration = configuration
    self.context = context
    self.saved = saved
    stepCount = try context.knownStepCount(forPolicy: Self.name)
    natural = try StaticMixture.natural.mixture(in: context)
    mixture = natural
    state = PublishedState(domainCount: context.domainCount)
    bandit = try BanditPolicy(in: context)
    replay = ReplayBuffer(capacity: configuration.capacity)
    generator = SeededGenerator(seed: configuration.seed, stream: "ac-odm published")
    if let saved { learner = try Self.learner(from: saved, configuration, context, stepCount) }
  }

  /// Losses, norms and, while it learns, Gram matrices.
  public var feedbackNeeds: FeedbackNeeds {
    configuration.feedbackNeeds(watchedCount: learner?.watchedCount)
  }

  /// True: it notes by which state each step is drawn.
  public var followsSteps: Bool { true }

  /// The preset, and whether it warms up.
  public var reason: String {
    "ac-odm \(configuration.form.rawValue)"
      + (isWarmUp ? ", warm-up" : configuration.isFrozen ? ", frozen" : "")
  }

  /// The actor's parameters, for tests; nil before the first observation.
  package var actorParameters: [Float]? { learner?.actor.parameters }

  /// The critic's parameters, for tests; nil before the first observation.
  package var criticParameters: [Float]? { learner?.critic.parameters }

  private var isWarmUp: Bool {
    saved == nil && observedStepCount < configuration.warmUpStepCount ?? max(1, stepCount / 50)
  }

  /// Notes by which state the step is drawn.
  ///
  /// - Parameter upcoming: the step.
  /// - Throws: nothing.
  public mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {
    guard !configuration.isFrozen else { return }
    decisions.note(
      DecisionLog.Decision(
        firstStep: upcoming.step, observationCount: observedStepCount, policyState: policyState))
  }

  /// Learns from a step and decides on the next mixture.
  ///
  /// - Parameter feedback: what the step reported.
  public mutating func observe(_ feedback: Feedback) {
    let watchedCount = feedback.parameterNorms?.count ?? 0
    var learner = self.learner ?? makeLearner(watchedCount: watchedCount)
    precondition(
      watchedCount == learner.watchedCount && watchedCount == feedback.updateNorms?.count ?? 0,
      "feedback with norms of \(watchedCount) layers, and not of \(learner.watchedCount)")
    let before: [Float]? =
      if let decision = decisions.take(step: feedback.step) {
        decision.policyState?.values
      } else {
        policyState
      }
    let after = state.add(feedback, form: configuration.form, stepCount: stepCount)
    policyState = after
    self.learner = nil
    if !configuration.isFrozen { learn(&learner, before, after, feedback) }
    observedStepCount += 1
    if configuration.form == .released { bandit.observe(feedback) }
    self.learner = learner
    decide(learner, after)
  }

  private mutating func learn(
    _ learner: inout PublishedLearner, _ before: [Float]?, _ after: [Float], _ feedback: Feedback
  ) {
    let action = feedback.shares ?? mixture.weights
    let rewards = rewards(feedback, action: action)
    self.rewards = rewards
    guard let before else { return }
    replay.append(
      Transition(
        policyState: before, action: action, rewards: rewards,
        weights: feedback.losses.map { $0 == nil ? 0 : 1 }, nextState: after))
    let isWarmUp = isWarmUp
    learner.update(
      with: replay.draw(configuration.transitionsPerUpdate, using: &generator),
      isWarmUp: isWarmUp && configuration.form == .released)
    let isLastOfWarmUp =
      isWarmUp
      && observedStepCount + 1 == configuration.warmUpStepCount ?? max(1, stepCount / 50)
    if isLastOfWarmUp && configuration.form == .released { learner.copyToTargets() }
  }

  private func rewards(_ feedback: Feedback, action: [Double]) -> [Double] {
    let alignments = PublishedNumbers.alignments(
      gram: feedback.gradients?.gram ?? [], domainCount: context.domainCount)
    guard configuration.form == .paper else { return PublishedNumbers.scores(alignments) }
    let old = rewards ?? alignments.map { _ in 0 }
    let keep = configuration.rewardSmoothing
    return alignments.indices.map { domain in
      guard feedback.losses[domain] != nil, action[domain] > 0 else { return old[domain] }
      let weighted = (alignments[domain] / action[domain]).clamped(to: 999)
      return keep * old[domain] + (1 - keep) * weighted
    }
  }

  private mutating func decide(_ learner: PublishedLearner, _ after: [Float]) {
    var weights: [Double]
    if isWarmUp {
      weights =
        configuration.form == .paper
        ? natural.weights.map { $0 + Self.warmUpNoise * generator.nextNormal() }
        : bandit.mixture.weights
    } else {
      weights = learner.action(of: after)
      if !configuration.isFrozen {
        weights = PublishedNumbers.withNoise(weights, using: &generator)
      }
    }
    weights = weights.map { max($0, 0) }
    // Not finite, or all 0, where parameters have run away; the mixture then stays.
    if let next = try? Mixture(normalizing: weights) { mixture = next }
  }

  private mutating func makeLearner(watchedCount: Int) -> PublishedLearner {
    var initial = SeededGenerator(seed: configuration.seed, stream: "ac-odm published networks")
    return PublishedLearner(
      configuration, domainCount: context.domainCount, watchedCount: watchedCount,
      stepCount: stepCount, using: &initial)
  }
}

extension PublishedActorCriticPolicy {
  /// Everything that is remembered.
  public struct Checkpoint: Codable, Sendable, Equatable {
    // The first field, so that the checkpoint of another preset is known before it is read.
    let settings: PresetSettings<PublishedActorCriticPolicy>
    let mixture: Mixture
    let rewards: [Double]?
    let state: PublishedState
    let bandit: BanditPolicy.Checkpoint
    let replay: ReplayBuffer.Checkpoint
    let generator: SeededGenerator
    let decisions: DecisionLog
    let policyState: PackedArray<Float>?
    let observedStepCount: Int
    let learner: PublishedLearner.Checkpoint?
  }

  /// The options that the policy was made with.
  private var settings: PresetSettings<PublishedActorCriticPolicy> {
    PresetSettings(configuration.options, startsFromSaved: saved != nil)
  }

  /// What to store.
  public var checkpoint: Checkpoint {
    Checkpoint(
      settings: settings, mixture: mixture, rewards: rewards, state: state,
      bandit: bandit.checkpoint,
      replay: replay.checkpoint, generator: generator, decisions: decisions,
      policyState: policyState.map { PackedArray($0) }, observedStepCount: observedStepCount,
      learner: learner?.checkpoint)
  }

  /// Goes on from a checkpoint of a run with the same configuration.
  ///
  /// - Parameter checkpoint: what was stored.
  /// - Throws: ``MixingError/checkpointOfOtherSetting(policy:option:saved:configured:)``,
  ///   ``MixingError/mixtureDomainCount(expected:found:)``, or
  ///   ``MixingError/checkpointOfOtherShape(policy:array:expected:found:)``; nothing has changed
  ///   then.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    try PolicySettings.requireSame(
      saved: checkpoint.settings.options, configured: settings.options, policy: Self.name)
    let domainCount = context.domainCount
    for count in [
      checkpoint.mixture.domainCount, checkpoint.state.domainCount,
      checkpoint.rewards?.count ?? domainCount,
    ] where count != domainCount {
      throw .mixtureDomainCount(expected: domainCount, found: count)
    }
    let watchedCount = checkpoint.learner?.watchedCount ?? 0
    guard (0...PublishedLearner.watchedLimit).contains(watchedCount) else {
      throw .checkpointOfOtherShape(
        policy: Self.name, array: "watched layers", expected: 0, found: watchedCount)
    }
    let width = PublishedConfiguration.stateWidth(
      domainCount: domainCount, watchedCount: watchedCount)
    let states = [checkpoint.policyState?.values] + checkpoint.decisions.policyStates
    for state in states.compactMap({ $0 }) where state.count != width {
      throw .checkpointOfOtherShape(
        policy: Self.name, array: "policy state", expected: width, found: state.count)
    }
    let replay = try ReplayBuffer(
      checkpoint.replay, capacity: configuration.capacity, domainCount: domainCount,
      stateWidth: width, keepsNextStates: true, ofPolicy: Self.name)
    guard (0...1 << 60).contains(checkpoint.observedStepCount) else {
      throw .checkpointOfOtherShape(
        policy: Self.name, array: "steps", expected: 0, found: checkpoint.observedStepCount)
    }
    var learner: PublishedLearner?
    if let stored = checkpoint.learner {
      // Before networks are made that nobody stored.
      let expected = configuration.actorShape(
        domainCount: domainCount, watchedCount: watchedCount
      ).parameterCount
      guard stored.actor.values.count == expected else {
        throw .checkpointOfOtherShape(
          policy: Self.name, array: "actor", expected: expected, found: stored.actor.values.count)
      }
      learner = makeLearner(watchedCount: watchedCount)
      try learner?.restore(stored)
    }
    var bandit = bandit
    do throws(MixingError) { try bandit.restore(checkpoint.bandit) } catch {
      throw .checkpointMalformed(policy: Self.name, underlying: error)
    }
    self.bandit = bandit
    self.learner = learner
    self.replay = replay
    mixture = checkpoint.mixture
    rewards = checkpoint.rewards
    state = checkpoint.state
    generator = checkpoint.generator
    decisions = checkpoint.decisions
    policyState = checkpoint.policyState?.values
    observedStepCount = checkpoint.observedStepCount
  }
}
