internal import Kernels

/// AC-ODM repaired: an actor-critic that learns the mixture inside one run.
///
/// After each step of training, with f the features of every domain (``PolicyStateEstimator``):
///
/// 1. The step's rewards w say what a gradient step on each domain was worth to all domains.
/// 2. (features that the step was drawn by, mixture, w, f) goes to the replay buffer.
/// 3. Some past transitions are drawn; the critic learns from them what features say of rewards,
///    the actor climbs α · q plus an entropy term (``ActorCriticLearner``).
/// 4. The actor's α(f) is the next mixture, a part ρ of it spread evenly.
///
/// Rewards are w_i = ⟨g_i(t), Σ_j m_j/z_j⟩ / s: the step's gradient of the domain against all
/// domains' smoothed gradients from before the step, in units of the usual alignment. Both factors
/// come from different batches, so that noise biases neither, the self term included. A batch
/// drawn by α lowers the mean loss by η Σ_i α_i W_i to first order, so the objective is the
/// progress of the run and Q(f, α) = α · q(f): it is linear in the action, its gradient is q, and
/// no exploration noise is needed, since every domain's gradient is seen at every step.
///
/// What it is worth, in the worlds of `headrace bench policies` with five domains and 40 seeds that
/// nothing was tuned on (0–19, 200–219): final excess loss as a part of the uniform mixture's, mean
/// ± standard error.
///
/// | gaussian | noisy | transfer | unequal |
/// | --- | --- | --- | --- |
/// | this | .880 ± .027 | .831 ± .015 | .710 ± .021 |
/// | `gamma=0.95` | .880 ± .035 | .836 ± .014 | .711 ± .021 |
/// | `control=no-critic` | .910 ± .033 | .830 ± .015 | .709 ± .021 |
/// | `alignment` | .913 ± .030 | .834 ± .014 | .707 ± .021 |
/// | `state=gram` | .966 ± .042 | .859 ± .016 | .729 ± .022 |
/// | `alignment`, Gram, rate 2 | 1.327 ± .047 | .887 ± .015 | .770 ± .024 |
/// | `state=paper` | .990 ± .031 | .838 ± .016 | .738 ± .022 |
/// | `odm`, paper | 1.504 ± .047 | .987 ± .002 | .976 ± .004 |
///
/// | balanced | noisy | transfer | unequal |
/// | --- | --- | --- | --- |
/// | this | 1.062 ± .025 | .960 ± .003 | .817 ± .003 |
/// | `gamma=0.95` | 1.051 ± .029 | .969 ± .003 | .819 ± .003 |
/// | `control=no-critic` | 1.080 ± .030 | .959 ± .003 | .817 ± .003 |
/// | `alignment` | 1.112 ± .034 | .969 ± .003 | .818 ± .003 |
/// | `state=gram` | 1.251 ± .065 | .983 ± .004 | .833 ± .003 |
/// | `alignment`, Gram, rate 2 | 1.585 ± .056 | 1.013 ± .004 | .874 ± .004 |
/// | `state=paper` | 1.204 ± .028 | .956 ± .003 | .836 ± .004 |
/// | `odm`, paper | 1.681 ± .041 | 1.004 ± .001 | 1.000 ± .001 |
///
/// What the critic adds, by the 95 % intervals of paired differences in the gaussian worlds, in the
/// order of the columns:
/// - Where smoothed gradients are seen: nothing that 40 seeds show. Against the actor that learns
///   from raw rewards −.029 [−.093, .034], .002 [−.001, .005] and .001 [−.002, .004]; against the
///   plain softmax of `alignment`, which learns nothing, −.033 [−.088, .021], −.002 [−.006, .002]
///   and .003 [−.001, .007]. Take `alignment` there. A future that is discounted adds nothing
///   either.
/// - Where a trainer keeps Gram matrices only (`state=gram`): it averages better than the softmax
///   of their average, −.361 [−.479, −.243], −.028 [−.033, −.023] and −.041 [−.048, −.035].
/// - Where the state has no alignment at all (`state=paper`): it learns within the run what losses
///   say of alignment, and beats what goes by losses without learning. Its rewards are measured
///   until it is frozen; then it needs no gradients.
///
/// Where it does harm: in the balanced noisy world, by 6 %, and with `state=gram` and `state=paper`
/// by 20 to 25 %. With nine domains nothing is above 1.03. A policy that learned in eight small
/// noisy worlds and is frozen with `state=paper` has 2.17 ± .06 in noisy (balanced 2.68 ± .07):
/// losses alone do not say what cannot be learned. The same worlds with other rounding errors in
/// the features gave 9 % and, frozen, .90 and 1.00: a run is as good as its chance.
///
/// Where excess loss is mostly the noise of the descent itself, alignment knows nothing of it and
/// the mean of ratios says little: with three domains in noisy this has 1.10 ± .14 (balanced 1.21 ±
/// .15), the oracle that follows the expected gradients 1.35 ± .20, and uniform itself with other
/// samples 1.64 ± .32, since a few lucky runs of uniform carry the mean. Mean loss over uniform's
/// mean loss is .89 ± .10 (.90 ± .09), and 1.05 ± .04 (1.08 ± .04) with 400 seeds and the other
/// rounding errors: neither gain nor loss that can be relied on.
///
/// In a language model it has gained nothing yet: six domains of text and code (`corpora/demo` of
/// `integration/demo.sh`), one layer of width 32, 600 steps of 32 × 64 tokens, five seeds; the mean
/// held-out loss over the domains, minus that of uniform with the same grouping and seed, in nats:
/// this .039 and `alignment` .046, both worse with every seed; `state=gram` .006, `state=paper`
/// −.001 and `reward=cross` −.002, within the seeds' spread. What we take to be the cause: smoothed
/// gradients are soon mostly noise, which in units of its own size is as large as a signal was, and
/// the lagged reward, which shares that noise, confirms it. With rewards from the step's gradients
/// alone, or without smoothed ones in the state, the critic finds that little can be told and
/// stays near uniform. But `reward=cross` has 1.58 ± .14 in the balanced noisy world (seeds
/// 5000–5019), so none is safe everywhere: run uniform beside it, and bound it (`largest-move`).
///
///     headrace bench policies --arm ac-odm --arm ac-odm:gamma=0.95 \
///       --arm ac-odm:control=no-critic --arm ac-odm:state=gram --arm ac-odm:state=paper \
///       --arm alignment --arm alignment:memory=gram,rate=2 --arm odm:form=paper \
///       --against ac-odm:control=no-critic --against alignment \
///       --against alignment:memory=gram,rate=2
///     headrace bench policies --domains 3 --permuted --arm ac-odm --arm alignment
///     headrace bench policies --domains 9 --permuted --arm ac-odm --arm alignment
///
///     for seed in 1 2 3 4 5; do headrace train corpora/demo --run-folder runs/learned-$seed \
///       --rows 32 --sequence-length 64 --layers 1 --width 32 --heads 2 --steps 600 \
///       --warm-up-steps 20 --learning-rate 0.005 --grouping 2 --every-domain \
///       --evaluation-tokens 8192 --policy ac-odm --seed $seed; done
///
/// What it learned can go on in another run (``savedPolicy()``), with another model and other
/// domains. Frozen there it learns nothing, and nothing is measured for it but losses and norms:
/// its state is `paper` then, or gradients are asked for (`measured=true`).
///
///     headrace train SMALL --policy ac-odm --save-policy FILE
///     headrace train LARGE --policy ac-odm --policy-from FILE --freeze
///
/// Source: Ma et al. 2025, *AC-ODM: Actor-Critic Online Data Mixing for Sample-Efficient LLM
/// Pretraining* (arXiv:2505.23878): the loop, the reward from gradient alignment and the paper's
/// state.
///
/// Departures from the source:
/// - The actor has an optimizer and takes its own steps; the published code never steps it.
/// - The objective weights values by the action. The source's mean over all values of a z-scored
///   reward is 0 whatever the policy does.
/// - The reward's self term is in and has no noise bias; the source leaves it out, which starves a
///   domain that stands alone.
/// - An entropy term and a floor: without them the best mixture is one domain.
/// - Networks of some hundred parameters that all domains share, instead of 17 million that fix K;
///   so a policy learns within hundreds of steps and transfers to another number of domains.
/// - Features are bounded, changes are from step to step, and time lies in [0, 1].
/// - γ = 0 unless asked for: a mixture's reward is immediate.
public struct ActorCriticPolicy: MixturePolicy {
  /// The name on the command line, `ac-odm`.
  public static let name = "ac-odm"

  /// The mixture that the next batch is drawn by.
  public private(set) var mixture: Mixture

  /// What the networks took the last observed step to be worth, `[domain]`, in units of the usual
  /// alignment; nil before the first observation and where nothing is learned.
  public private(set) var rewards: [Double]?

  /// How it sees, values, decides and learns.
  public let configuration: ActorCriticConfiguration

  let domainNames: [String]
  private var estimator: PolicyStateEstimator
  var learner: ActorCriticLearner
  private var replay: ReplayBuffer
  private var generator: SeededGenerator
  /// The features after the last observation; nil before the first.
  private var policyState: [Float]?
  private var observedStepCount = 0
  private var decisions = DecisionLog()
  private let isLoaded: Bool

  /// Creates the policy for a corpus.
  ///
  /// - Parameters:
  ///   - configuration: how it sees, values, decides and learns.
  ///   - context: the domains, and the steps that are planned.
  ///   - saved: the networks to start from; nil for new ones.
  /// - Throws: ``MixingError/plannedStepsUnknown(policy:)``,
  ///   ``MixingError/frozenPolicyReadsGradients(state:)``,
  ///   ``MixingError/unreadOption(policy:option:with:)`` for a random actor from a saved policy,
  ///   what the initial mixture throws, and what ``SavedPolicy`` says where its networks do not
  ///   fit.
  public init(
    _ configuration: ActorCriticConfiguration = ActorCriticConfiguration(),
    in context: PolicyContext, startingFrom saved: SavedPolicy? = nil
  ) throws(MixingError) {
    try configuration.checkStart(fromSaved: saved != nil)
    self.configuration = configuration
    domainNames = context.domainNames
    mixture = try configuration.initial.mixture(in: context)
    estimator = PolicyStateEstimator(
      configuration, domainCount: context.domainCount,
      stepCount: try context.knownStepCount(forPolicy: Self.name))
    generator = SeededGenerator(seed: configuration.seed, stream: "ac-odm networks")
    learner = ActorCriticLearner(
      configuration, domainCount: context.domainCount, using: &generator)
    generator = SeededGenerator(seed: configuration.seed, stream: "ac-odm replay")
    replay = ReplayBuffer(capacity: configuration.capacity)
    isLoaded = saved != nil
    if let saved { try load(saved) }
  }

  /// What the state and, while it learns, the reward read.
  public var feedbackNeeds: FeedbackNeeds { configuration.feedbackNeeds }

  /// True: it notes which features each step is drawn by, in case feedback comes late.
  public var followsSteps: Bool { true }

  /// What it does now: `warm-up`, `learning` or `frozen`, after its name.
  public var reason: String {
    "ac-odm repaired, " + (!decides ? "warm-up" : configuration.learns ? "learning" : "frozen")
  }

  /// What was learned from, for tests.
  package var transitions: ReplayBuffer { replay }

  /// Whether the actor, and not the initial mixture, decides.
  private var decides: Bool {
    isLoaded || !configuration.learns || observedStepCount > configuration.warmUpStepCount
  }

  /// Notes by which features the step is drawn.
  ///
  /// - Parameter upcoming: the step.
  /// - Throws: nothing.
  public mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {
    guard configuration.learns else { return }
    decisions.note(
      DecisionLog.Decision(
        firstStep: upcoming.step, observationCount: observedStepCount, policyState: policyState))
  }

  /// Learns from a step and decides on the next mixture.
  ///
  /// A step whose numbers overflow is dropped: nothing changes.
  ///
  /// - Parameter feedback: what the step reported.
  public mutating func observe(_ feedback: Feedback) {
    guard let observation = estimator.observe(feedback) else { return }
    let before: [Float]? =
      if let decision = decisions.take(step: feedback.step) {
        decision.policyState?.values
      } else {
        policyState
      }
    policyState = observation.features
    observedStepCount += 1
    rewards = configuration.learns ? observation.rewards : nil
    if configuration.learns {
      if let before { remember(before, observation, feedback) }
      if replay.count > 1 {
        for _ in 0..<configuration.updatesPerStep {
          learner.update(
            with: replay.draw(configuration.transitionsPerUpdate, using: &generator))
        }
      }
    }
    guard decides, let next = try? Mixture(normalizing: learner.action(of: observation.features))
    else { return }
    mixture = next
  }

  private mutating func remember(
    _ before: [Float], _ observation: PolicyStateEstimator.Observation, _ feedback: Feedback
  ) {
    replay.append(
      Transition(
        policyState: before, action: feedback.shares ?? mixture.weights,
        rewards: observation.rewards, weights: observation.weights,
        nextState: configuration.discount > 0 ? observation.features : []))
  }
}

extension ActorCriticPolicy {
  /// The networks, their optimizers, the replay buffer and everything else that is remembered.
  public struct Checkpoint: Codable, Sendable, Equatable {
    // The first field, so that the checkpoint of another preset is known before it is read.
    let settings: PresetSettings<ActorCriticPolicy>
    let mixture: Mixture
    let rewards: [Double]?
    let memory: PolicyStateEstimator.Memory
    let learner: ActorCriticLearner.Checkpoint
    let replay: ReplayBuffer.Checkpoint
    let generator: SeededGenerator
    let policyState: PackedArray<Float>?
    let observedStepCount: Int
    let decisions: DecisionLog
  }

  /// The options that the policy was made with.
  private var settings: PresetSettings<ActorCriticPolicy> {
    PresetSettings(configuration.options, startsFromSaved: isLoaded)
  }

  /// What to store.
  public var checkpoint: Checkpoint {
    Checkpoint(
      settings: settings, mixture: mixture, rewards: rewards, memory: estimator.memory,
      learner: learner.checkpoint,
      replay: replay.checkpoint, generator: generator,
      policyState: policyState.map { PackedArray($0) }, observedStepCount: observedStepCount,
      decisions: decisions)
  }

  /// Goes on from a checkpoint of a run with the same configuration.
  ///
  /// - Parameter checkpoint: what was stored.
  /// - Throws: ``MixingError/checkpointOfOtherSetting(policy:option:saved:configured:)``,
  ///   ``MixingError/mixtureDomainCount(expected:found:)`` or
  ///   ``MixingError/checkpointOfOtherShape(policy:array:expected:found:)``; nothing has changed
  ///   then.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    try PolicySettings.requireSame(
      saved: checkpoint.settings.options, configured: settings.options, policy: Self.name)
    let domainCount = mixture.domainCount
    guard checkpoint.mixture.domainCount == domainCount else {
      throw .mixtureDomainCount(expected: domainCount, found: checkpoint.mixture.domainCount)
    }
    guard (0...1 << 60).contains(checkpoint.observedStepCount) else {
      throw .checkpointOfOtherShape(
        policy: Self.name, array: "steps", expected: 0, found: checkpoint.observedStepCount)
    }
    if let rewards = checkpoint.rewards, rewards.count != domainCount {
      throw .mixtureDomainCount(expected: domainCount, found: rewards.count)
    }
    let width = domainCount * learner.featureCount
    let states = [checkpoint.policyState?.values] + checkpoint.decisions.policyStates
    for state in states.compactMap({ $0 }) where state.count != width {
      throw .checkpointOfOtherShape(
        policy: Self.name, array: "policy state", expected: width, found: state.count)
    }
    try checkpoint.memory.check(
      domainCount: domainCount, hasGram: feedbackNeeds.gram, ofPolicy: Self.name)
    let replay = try ReplayBuffer(
      checkpoint.replay, capacity: configuration.capacity, domainCount: domainCount,
      stateWidth: width, keepsNextStates: configuration.discount > 0,
      ofPolicy: Self.name)
    try learner.restore(checkpoint.learner, ofPolicy: Self.name)
    self.replay = replay
    estimator.restore(checkpoint.memory)
    mixture = checkpoint.mixture
    rewards = checkpoint.rewards
    generator = checkpoint.generator
    policyState = checkpoint.policyState?.values
    observedStepCount = checkpoint.observedStepCount
    decisions = checkpoint.decisions
  }
}
