internal import Kernels
package import Mixing

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// One way of setting mixtures that a ``PolicyComparison`` drives through its worlds.
package struct PolicyArm: Sendable {
  /// What the table calls it.
  package let name: String

  /// What its policies are told of the gradients.
  let measurement: LinearWorld.Measurement

  /// Whether its runs see other samples than all other arms' runs.
  let isRedrawn: Bool

  /// Makes the policies for a world; the arm's score is their mean.
  let makePolicies: @Sendable (LinearWorld) throws(MixingError) -> [any MixturePolicy]

  /// Creates the arm of a policy that is asked for by name.
  ///
  /// - Parameters:
  ///   - name: what the table calls it.
  ///   - recipes: how its policies are made; more than one where the arm is their mean.
  package init(_ name: String, _ recipes: [PolicyRecipe]) {
    self.name = name
    measurement = .samples
    isRedrawn = false
    makePolicies = { world throws(MixingError) in
      var policies: [any MixturePolicy] = []
      for recipe in recipes { policies.append(try recipe.makePolicy(in: world.context)) }
      return policies
    }
  }

  /// Creates an arm of one policy for each world.
  init(
    _ name: String, measuring measurement: LinearWorld.Measurement = .samples,
    isRedrawn: Bool = false,
    make: @escaping @Sendable (LinearWorld) throws(MixingError) -> any MixturePolicy
  ) {
    self.name = name
    self.measurement = measurement
    self.isRedrawn = isRedrawn
    makePolicies = { world throws(MixingError) in [try make(world)] }
  }

  /// The same mixture at every step, drawn by the world's seed: a softmax of scores with a standard
  /// deviation of .4.
  package static let frozenRandomMixture = PolicyArm(
    "frozen random mixture"
  ) { world throws(MixingError) in
    var generator = SeededGenerator(seed: world.seed, stream: "frozen random mixture")
    let weights = world.context.domainNames.map { _ in exp(0.4 * generator.nextNormal()) }
    return StaticPolicy(try Mixture(normalizing: weights))
  }

  /// The uniform mixture once more with other inputs and other label noise: what ratios are worth
  /// where a policy changes nothing but the luck of the samples.
  package static let uniformOfOtherSamples = PolicyArm(
    "uniform, other samples", isRedrawn: true
  ) { StaticPolicy(.uniform(domainCount: $0.configuration.domainCount)) }

  /// The best domain by the expected gradients, above a floor.
  package static let vertexOracle = PolicyArm("oracle, best domain", measuring: .expectations) {
    OraclePolicy(domainCount: $0.configuration.domainCount, sharpness: .infinity)
  }

  /// A softmax of the expected alignments, above a floor.
  package static let softOracle = PolicyArm("oracle, softmax", measuring: .expectations) {
    OraclePolicy(domainCount: $0.configuration.domainCount, sharpness: 4)
  }
}

/// What knows the gradients of the expected losses; as good as following gradients can be.
///
///     α = (1 − ρ) softmax(κ W / mean|W|) + ρ/K,   ρ = .25
///
/// Source: none; it is the upper bound in the tables.
///
/// Departures from the source: none.
struct OraclePolicy: MixturePolicy {
  /// Nothing is remembered but the mixture.
  struct Checkpoint: Codable, Sendable, Equatable { let mixture: Mixture }

  static let name = "oracle"
  private static let uniformShare = 0.25

  private(set) var mixture: Mixture
  /// κ; infinite for the best domain alone.
  private let sharpness: Double

  init(domainCount: Int, sharpness: Double) {
    mixture = .uniform(domainCount: domainCount)
    self.sharpness = sharpness
  }

  var reason: String { "oracle" }

  var feedbackNeeds: FeedbackNeeds { FeedbackNeeds(smoothing: 0) }

  var checkpoint: Checkpoint { Checkpoint(mixture: mixture) }

  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    guard checkpoint.mixture.domainCount == mixture.domainCount else {
      throw .mixtureDomainCount(
        expected: mixture.domainCount, found: checkpoint.mixture.domainCount)
    }
    mixture = checkpoint.mixture
  }

  mutating func observe(_ feedback: Feedback) {
    guard let alignments = feedback.gradients?.alignments, let largest = alignments.max() else {
      return
    }
    let size = alignments.reduce(0) { $0 + abs($1) } / Double(alignments.count)
    guard size > 0 else { return }
    // Infinitely sharp times no distance is no number.
    let logits = alignments.map { $0 == largest ? 0 : sharpness * ($0 - largest) / size }
    mixture = Mixture(
      learned: Simplex.mixedWithUniform(Simplex.softmax(logits), share: Self.uniformShare))
  }
}
