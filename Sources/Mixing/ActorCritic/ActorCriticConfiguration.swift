/// How the `repaired` preset of `ac-odm` sees, values, decides and learns; see
/// ``ActorCriticPolicy``.
public struct ActorCriticConfiguration: Sendable {
  /// What the networks are shown of each domain.
  public enum StateForm: String, Sendable, CaseIterable, Codable {
    /// Smoothed gradients, Gram matrices, losses, counts, time and norms.
    case full
    /// The same without smoothed gradients: what a trainer knows that keeps Gram matrices only.
    case gram
    /// What AC-ODM's paper shows its networks: losses, their changes, counts, time and norms.
    case paper
  }

  /// How a step's gradients become rewards.
  public enum RewardForm: Sendable, Equatable, RawRepresentable, CaseIterable {
    /// The step's gradients against the smoothed ones from before it.
    case lagged
    /// The step's own Gram row with a self term.
    case row(SelfTerm)

    /// All forms.
    public static let allCases = [lagged] + SelfTerm.allCases.map(row)

    /// `lagged`, or the name of the self term.
    public var rawValue: String {
      switch self {
      case .lagged: "lagged"
      case .row(let selfTerm): selfTerm.rawValue
      }
    }

    /// Finds the form of a name; nil if there is none.
    public init?(rawValue: String) {
      guard let form = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
      self = form
    }
  }

  /// Which part is put out of action, to see what it is good for.
  public enum Control: String, Sendable, CaseIterable, Codable {
    /// None.
    case none
    /// The actor stays as random parameters made it; nothing is learned.
    case frozenRandom = "frozen-random"
    /// The actor learns from the rewards as they were measured.
    case noCritic = "no-critic"
    /// The mixture is the softmax of the critic's values.
    case noActor = "no-actor"
  }

  /// What the networks are shown of each domain.
  public var state = StateForm.full
  /// How a step's gradients become rewards; nil for the row with an unbiased self
  /// term with ``StateForm/gram``, else `lagged`.
  public var reward: RewardForm?
  /// Which part is put out of action.
  public var control = Control.none

  /// γ, the discount of what later steps bring, in [0, 1).
  public var discount = 0.0
  /// τ, by how much the target network follows the critic at an update, in (0, 1].
  public var softUpdateRate = 0.01
  /// λ, what a nat of the mixture's entropy is worth in units of reward, > 0.
  public var entropyWorth = 0.25
  /// κ, what a nat of distance from the action that was taken costs, ≥ 0.
  public var moveCost = 0.0
  /// ρ, the part of the mixture that is spread evenly over the domains, in [0, 1].
  public var uniformShare = 0.25
  /// The observed steps before the actor decides, ≥ 0.
  public var warmUpStepCount = 20
  /// The mixture before the actor decides.
  public var initial = StaticMixture.uniform

  /// v, the variance of a domain's recent rewards at which the critic gives them half the weight,
  /// c = 1 / (1 + variance / v), > 0; nil for 0.15 with ``StateForm/gram``, and else for weights
  /// of 1.
  ///
  /// Gram matrices alone tell the noise of a domain, and its rewards are noisiest there. Without
  /// that feature the critic has to learn from noisy rewards that they are noise.
  public var halfWeightVariance: Double?

  /// η of both networks, > 0.
  public var learningRate = 0.01
  /// The decoupled decay of both networks' parameters, ≥ 0.
  public var decay = 0.5
  /// Updates of both networks per observed step.
  public var updatesPerStep = 2
  /// Transitions per update.
  public var transitionsPerUpdate = 16
  /// The units of each network's hidden layer.
  public var unitCount = 16
  /// The transitions that are remembered.
  public var capacity = 4096

  /// β, the smoothing of the gradients that a trainer is asked for, in [0, 1).
  public var smoothing = 0.9
  /// The seed of initial parameters and of what is replayed.
  public var seed: UInt64 = 0
  /// Whether nothing is learned; for a policy that was saved.
  public var isFrozen = false
  /// Whether the gradients that the state reads are measured for a frozen policy, too.
  ///
  /// Without it only a policy with ``StateForm/paper`` can be frozen: a run with a frozen policy
  /// collects no gradients.
  public var isMeasuredWhenFrozen = false

  /// Creates the configuration of the preset.
  public init() {}

  /// The reward that is learned from.
  var rewardForm: RewardForm { reward ?? (state == .gram ? .row(.cross) : .lagged) }

  /// The variance that halves a reward's weight; infinite where all count the same.
  var noiseVariance: Double { halfWeightVariance ?? (state == .gram ? 0.15 : .infinity) }

  /// Whether parameters change.
  var learns: Bool { !isFrozen && control != .frozenRandom }

  /// What has to be measured.
  var feedbackNeeds: FeedbackNeeds {
    let readsLagged = learns && rewardForm == .lagged
    let readsGram = state != .paper || (learns && rewardForm != .lagged)
    return FeedbackNeeds(
      losses: true, gram: readsGram, smoothing: state == .full || readsLagged ? smoothing : nil,
      lagged: readsLagged, norms: true)
  }

  /// Checks that nothing contradicts a start from a saved policy.
  ///
  /// - Throws: ``MixingError/unreadOption(policy:option:with:)`` for the random actor, which would
  ///   become the saved one, and ``MixingError/frozenPolicyReadsGradients(state:)``.
  func checkStart(fromSaved: Bool) throws(MixingError) {
    if fromSaved, control == .frozenRandom {
      throw .unreadOption(
        policy: ActorCriticPolicy.name, option: "from", with: "control=\(control.rawValue)")
    }
    if isFrozen, !isMeasuredWhenFrozen, feedbackNeeds.gradients {
      throw .frozenPolicyReadsGradients(state: state.rawValue)
    }
  }
}
