internal import Kernels
package import Mixing

/// K linear regressions with one parameter vector: a world in which a run of training takes
/// milliseconds, to compare policies in.
///
///     y = ⟨x, θ*⟩ + σ_i e,   ℓ = (⟨x, θ⟩ − y)² / 2,   θ ← θ − η mean over the batch of ∇ℓ
///
/// - x: the inputs of a sample of domain i: Gaussian with the scales of the domain's
///   ``LinearScenario/Role``, 0 on the other domains' own parameters.
/// - θ: the parameters `[parameter]`, 0 at first; θ*: the true ones.
/// - e: Gaussian with variance 1.
///
/// A batch has one sample of every domain, and the others are drawn by the policy's mixture. The
/// score is the mean over the domains of the loss above the labels' noise, in expectation over all
/// inputs, which is known exactly:
///
///     excess_i = Σ_p scale_ip² (θ_p − θ*_p)² / 2
///
/// There is no loader and no language model: a policy sees the ``Feedback`` that it would see of
/// them, with one sample as a micro-batch.
package struct LinearWorld: Sendable {
  /// The sizes and the kind.
  package let configuration: LinearWorldConfiguration

  private let noise: LinearWorldNoise
  /// The seed of its random numbers.
  var seed: UInt64 { noise.seed }
  private let roles: [LinearScenario.Role]
  /// θ* `[parameter]`.
  private let truth: [Double]

  /// Creates the world of a seed.
  ///
  /// - Precondition: `noise` was made for these sizes; there are at least 2 domains and as many
  ///   samples as domains.
  package init(_ configuration: LinearWorldConfiguration, noise: LinearWorldNoise) {
    precondition(
      configuration.domainCount >= 2 && configuration.sampleCount >= configuration.domainCount,
      "\(configuration.sampleCount) samples for \(configuration.domainCount) domains")
    precondition(
      noise.draws.count == configuration.stepCount * configuration.sampleCount
        && noise.normals.count == noise.draws.count * (configuration.inputCount + 1)
        && noise.parameters.count == configuration.parameterCount
        && noise.roleOrder.count == configuration.domainCount, "noise for other sizes")
    self.configuration = configuration
    self.noise = noise
    let inOrder = configuration.scenario.roles(domainCount: configuration.domainCount)
    var roles = configuration.isPermuted ? noise.roleOrder.map { inOrder[$0] } : inOrder
    for index in roles.indices { roles[index].labelNoise *= configuration.labelNoiseFactor }
    self.roles = roles
    truth =
      configuration.isBalanced
      ? Self.balanced(noise.parameters, configuration) : noise.parameters
  }

  /// Creates the world of a seed with random numbers of its own.
  package init(_ configuration: LinearWorldConfiguration, seed: UInt64) {
    self.init(configuration, noise: LinearWorldNoise(seed: seed, for: configuration))
  }

  /// What a policy is told of the gradients.
  package enum Measurement: Sendable {
    /// What the step's samples say.
    case samples
    /// The gradients of the expected losses, as no trainer knows them; for oracles.
    case expectations
  }

  /// What became of a run.
  package struct Outcome: Sendable {
    /// The mean over the domains of the excess loss after the last step, nats being squares here.
    package var finalExcessLoss: Double
    /// The mixtures that the steps were drawn by, `[step][domain]`; empty unless asked for.
    package var mixtures: [[Double]] = []
    /// The excess loss after each step `[step]`; empty unless asked for.
    package var excessLosses: [Double] = []
  }

  /// The domains as a policy is told of them.
  package var context: PolicyContext {
    let names = (0..<configuration.domainCount).map { "domain-\($0)" }
    return PolicyContext(
      domainNames: names, sequenceCounts: names.map { _ in 1 << 20 },
      stepCount: configuration.stepCount, stepTokenCount: configuration.sampleCount)
  }

  /// Trains from the beginning with the mixtures of `policy`.
  ///
  /// - Parameters:
  ///   - policy: is driven as a loader drives it; it is left as it is after the last step.
  ///   - measurement: what the gradients that it reads are measured of.
  ///   - keepsTrajectory: whether the outcome has the mixtures and the losses of every step.
  /// - Returns: the score.
  /// - Throws: what the policy throws, and ``MixingError`` for feedback that is not finite.
  package func run(
    _ policy: inout some MixturePolicy, measuring measurement: Measurement = .samples,
    keepsTrajectory: Bool = false
  ) throws(MixingError) -> Outcome {
    var trainee = LinearTrainee(configuration)
    var recorder: GradientRecorder?
    var outcome = Outcome(finalExcessLoss: 0)
    for step in 1...configuration.stepCount {
      if policy.followsSteps {
        let tokenTotal = (step - 1) * configuration.sampleCount
        try policy.prepare(for: UpcomingStep(step: step, tokenTotal: tokenTotal))
      }
      let weights = policy.mixture.weights
      if keepsTrajectory { outcome.mixtures.append(weights) }
      let needs = policy.feedbackNeeds
      let expected = measurement == .expectations ? expectedGradients(at: trainee.parameters) : nil
      advance(&trainee, step: step, weights: weights, squaringGradients: needs.gradients)
      if !needs.isEmpty {
        var feedback = trainee.feedback(ofStep: step, drawnBy: weights, needs: needs)
        if needs.gradients {
          feedback.gradients =
            expected.map { GradientReport(expected: $0, domainCount: configuration.domainCount) }
            ?? measured(trainee, by: &recorder, needs)
        }
        try feedback.validate(domainCount: configuration.domainCount)
        try feedback.validate(needs: needs)
        policy.observe(feedback)
      }
      if keepsTrajectory { outcome.excessLosses.append(excessLoss(at: trainee.parameters)) }
    }
    outcome.finalExcessLoss = excessLoss(at: trainee.parameters)
    return outcome
  }

  /// What the step's samples say of the gradients.
  private func measured(
    _ trainee: LinearTrainee, by recorder: inout GradientRecorder?, _ needs: FeedbackNeeds
  ) -> GradientReport {
    do throws(GradientError) {
      let used: GradientRecorder
      if let recorder {
        used = recorder
      } else {
        used = try configuration.makeRecorder(needs: needs)
        recorder = used
      }
      precondition(
        used.needs.ofGradients == needs.ofGradients, "a policy that reads now this, now that")
      return try trainee.record(in: used)
    } catch {
      preconditionFailure("a world without measurable gradients: \(error)")
    }
  }

  // MARK: What is known exactly

  /// The mean over the domains of the excess loss at `parameters`.
  package func excessLoss(at parameters: [Double]) -> Double {
    var sum = 0.0
    for (domain, role) in roles.enumerated() {
      for place in 0..<configuration.inputCount {
        let parameter = configuration.parameter(place, ofDomain: domain)
        let error = scale(place, role) * (parameters[parameter] - truth[parameter])
        sum += error * error / 2
      }
    }
    return sum / Double(roles.count)
  }

  /// The gradients of the expected losses `[domain, parameter]` at `parameters`.
  package func expectedGradients(at parameters: [Double]) -> [Double] {
    var gradients = [Double](
      repeating: 0, count: configuration.domainCount * configuration.parameterCount)
    for (domain, role) in roles.enumerated() {
      for place in 0..<configuration.inputCount {
        let parameter = configuration.parameter(place, ofDomain: domain)
        let scale = scale(place, role)
        gradients[domain * configuration.parameterCount + parameter] =
          scale * scale * (parameters[parameter] - truth[parameter])
      }
    }
    return gradients
  }

  private func scale(_ place: Int, _ role: LinearScenario.Role) -> Double {
    place < configuration.sharedCount ? role.sharedScale : role.privateScale
  }

  // MARK: One step

  private func advance(
    _ trainee: inout LinearTrainee, step: Int, weights: [Double], squaringGradients: Bool
  ) {
    trainee.beginStep()
    var input = [Double](repeating: 0, count: configuration.inputCount)
    for sample in 0..<configuration.sampleCount {
      let place = (step - 1) * configuration.sampleCount + sample
      let domain =
        sample < configuration.domainCount
        ? sample : Self.domain(drawnBy: noise.draws[place], weights)
      let role = roles[domain]
      let start = place * (configuration.inputCount + 1)
      var residual =
        -role.labelNoise * Double(noise.normals[start + configuration.inputCount])
      for index in input.indices {
        input[index] = scale(index, role) * Double(noise.normals[start + index])
        let parameter = configuration.parameter(index, ofDomain: domain)
        residual += input[index] * (trainee.parameters[parameter] - truth[parameter])
      }
      trainee.add(
        input: input, residual: residual, ofDomain: domain, squaringGradient: squaringGradients)
    }
    trainee.endStep()
  }

  /// The domain whose part of (0, 1] holds `draw`.
  private static func domain(drawnBy draw: Double, _ weights: [Double]) -> Int {
    var sum = 0.0
    for (domain, weight) in weights.enumerated() {
      sum += weight
      if draw <= sum { return domain }
    }
    return weights.lastIndex { $0 > 0 } ?? 0
  }

  /// The true parameters with the norm √(block's size) in the shared block and in each own one.
  private static func balanced(
    _ parameters: [Double], _ configuration: LinearWorldConfiguration
  ) -> [Double] {
    var parameters = parameters
    var blocks = [0..<configuration.sharedCount]
    for domain in 0..<configuration.domainCount {
      let start = configuration.sharedCount + domain * configuration.privateCount
      blocks.append(start..<start + configuration.privateCount)
    }
    for block in blocks {
      let squares = parameters[block].reduce(0) { $0 + $1 * $1 }
      let factor = (Double(block.count) / max(squares, 1e-300)).squareRoot()
      for place in block { parameters[place] *= factor }
    }
    return parameters
  }
}

extension LinearWorldConfiguration {
  /// Which parameter input `place` of a domain's samples meets.
  func parameter(_ place: Int, ofDomain domain: Int) -> Int {
    place < sharedCount ? place : place + domain * privateCount
  }
}
