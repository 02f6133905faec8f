package import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The four networks of ``PublishedActorCriticPolicy``, and how they learn.
///
/// `paper`, deterministic policy gradient with a scalar critic:
///
///     minimize mean (Q(s, a) − ρ − γ Q′(s′, μ′(s′)))²,   ρ = Σ_i a_i r_i;   climb mean Q(s, μ(s))
///
/// `released`, with one value for each domain, as the published code runs:
///
///     minimize mean_k (Q_k(s, a) − r_k − γ Q′_k(s′, μ′(s′)))²,   then move the *critic* to climb
///     mean_k Q_k(s, μ(s)); the actor is never moved
///
/// μ = softmax of the actor's outputs. Both: θ′ ← θ′ + τ (θ − θ′) after each update.
package struct PublishedLearner: Sendable {
  private static let momentDecays: (first: Float, second: Float) = (0.9, 0.999)

  private let configuration: PublishedConfiguration
  let domainCount: Int
  private let stepCount: Int
  var actor: DenseNetwork
  var critic: DenseNetwork
  var targetActor: DenseNetwork
  var targetCritic: DenseNetwork
  var actorMoments: Moments
  var criticMoments: Moments

  /// Adam's memory of one network.
  struct Moments: Sendable {
    private var storage: (first: FloatArray, second: FloatArray)
    /// The optimizer steps so far, which the learning rate follows too.
    var stepCount = 0

    init(_ network: DenseNetwork) {
      let count = network.shape.parameterCount
      storage = (FloatArray(count: count), FloatArray(count: count))
    }

    /// m `[parameter]`.
    var first: [Float] {
      get { storage.first.values }
      set { storage.first = FloatArray(newValue) }
    }

    /// v `[parameter]`.
    var second: [Float] {
      get { storage.second.values }
      set { storage.second = FloatArray(newValue) }
    }

    /// Changes both in place, after making them this value's own.
    mutating func withArrays(_ body: (_ first: FloatArray, _ second: FloatArray) -> Void) {
      if !isKnownUniquelyReferenced(&storage.first) {
        storage.first = FloatArray(storage.first.values)
      }
      if !isKnownUniquelyReferenced(&storage.second) {
        storage.second = FloatArray(storage.second.values)
      }
      body(storage.first, storage.second)
    }
  }

  package init(
    _ configuration: PublishedConfiguration, domainCount: Int, watchedCount: Int, stepCount: Int,
    using generator: inout SeededGenerator
  ) {
    self.configuration = configuration
    self.domainCount = domainCount
    self.stepCount = stepCount
    actor = DenseNetwork(
      configuration.actorShape(domainCount: domainCount, watchedCount: watchedCount),
      using: &generator)
    critic = DenseNetwork(
      configuration.criticShape(domainCount: domainCount, watchedCount: watchedCount),
      using: &generator)
    targetActor = actor
    targetCritic = critic
    actorMoments = Moments(actor)
    criticMoments = Moments(critic)
  }

  /// The numbers of a policy state.
  var stateWidth: Int { actor.shape.inputCount }

  /// μ(s) `[domain]`.
  package func action(of policyState: [Float]) -> [Double] {
    let context = KernelContext(threadCount: 1)
    let rows = Matrix(FloatArray(policyState), rowCount: 1, columnCount: stateWidth)
    return Self.actions(of: rows, actor, context).outputs.array.values.map(Double.init)
  }

  /// Q(s, a) `[output]`.
  package func values(of policyState: [Float], action: [Double]) -> [Double] {
    let context = KernelContext(threadCount: 1)
    let row = Self.joined(Self.matrix([policyState]), Self.matrix([action.map { Float($0) }]))
    return critic.forward(row, context).outputs.array.values.map(Double.init)
  }

  /// Makes the target networks equal to the others, as the end of the warm-up does.
  mutating func copyToTargets() {
    targetActor = actor
    targetCritic = critic
  }

  /// One update from transitions.
  ///
  /// - Parameters:
  ///   - transitions: what is learned from, at least one.
  ///   - isWarmUp: whether the critic regresses on (1 + γ) r and no actor is moved.
  package mutating func update(with transitions: [Transition], isWarmUp: Bool) {
    let context = KernelContext(threadCount: 1)
    let states = Self.matrix(transitions.map(\.policyState))
    let actions = Self.matrix(transitions.map { $0.action.map { Float($0) } })
    let goals = goals(transitions, isWarmUp: isWarmUp, context)
    let trace = critic.forward(Self.joined(states, actions), context)
    let factors = Matrix(rowCount: goals.rowCount, columnCount: goals.columnCount)
    let share = 2 / Float(goals.rowCount * goals.columnCount)
    for place in 0..<goals.rowCount * goals.columnCount {
      factors.start[place] = share * (trace.outputs.start[place] - goals.start[place])
    }
    moveCritic(critic.gradients(factors: factors, trace, context).parameters, context)
    if !isWarmUp || configuration.form == .released { climb(states, context) }
    guard !isWarmUp else { return }
    let rate = Float(configuration.softUpdateRate)
    targetActor.follow(actor, rate: rate)
    targetCritic.follow(critic, rate: rate)
  }

  /// What the critic's outputs should be `[transition, output]`.
  private func goals(
    _ transitions: [Transition], isWarmUp: Bool, _ context: KernelContext
  ) -> Matrix {
    let outputs = critic.shape.outputCount
    let goals = Matrix(rowCount: transitions.count, columnCount: outputs)
    for (row, transition) in transitions.enumerated() {
      let rewards =
        configuration.form == .paper
        ? [zip(transition.action, transition.rewards).reduce(0) { $0 + $1.0 * $1.1 }]
        : transition.rewards
      for (column, reward) in rewards.enumerated() {
        goals.start[row * outputs + column] =
          Float(isWarmUp ? (1 + configuration.discount) * reward : reward)
      }
    }
    guard !isWarmUp else { return goals }
    let states = Self.matrix(transitions.map(\.nextState))
    let actions = Self.actions(of: states, targetActor, context).outputs
    let future = targetCritic.forward(Self.joined(states, actions), context).outputs
    for place in 0..<transitions.count * outputs {
      goals.start[place] += Float(configuration.discount) * future.start[place]
    }
    return goals
  }

  /// The step that is meant for the actor: `paper` moves the actor, `released` the critic.
  private mutating func climb(_ states: Matrix, _ context: KernelContext) {
    let chosen = Self.actions(of: states, actor, context)
    let trace = critic.forward(Self.joined(states, chosen.outputs), context)
    let factors = Matrix(
      rowCount: states.rowCount, columnCount: critic.shape.outputCount)
    context.fill(factors, with: -1 / Float(factors.rowCount * factors.columnCount))
    let gradients = critic.gradients(factors: factors, trace, context)
    guard configuration.form == .paper else {
      return moveCritic(gradients.parameters, context)
    }
    let slopes = Matrix(rowCount: states.rowCount, columnCount: domainCount)
    for row in 0..<states.rowCount {
      for domain in 0..<domainCount {
        slopes.start[row * domainCount + domain] =
          gradients.rows.start[row * critic.shape.inputCount + stateWidth + domain]
      }
    }
    context.softmaxGradient(slopes, probabilities: chosen.outputs, factor: 1)
    let own = actor.gradients(factors: slopes, chosen, context).parameters
    Self.move(
      &actor, &actorMoments, gradient: own, rate: rate(actorMoments), decay: configuration.decay,
      context)
  }

  private mutating func moveCritic(_ gradient: FloatArray, _ context: KernelContext) {
    Self.move(
      &critic, &criticMoments, gradient: gradient, rate: rate(criticMoments),
      decay: configuration.decay, context)
  }

  /// Linear to the maximum over 2 % of the planned steps, then a cosine to the minimum.
  private func rate(_ moments: Moments) -> Double {
    let place = moments.stepCount + 1
    let warmUp = max(1, stepCount / 50)
    let maximum = configuration.learningRateMaximum
    guard place > warmUp else { return maximum * Double(place) / Double(warmUp) }
    let part = min(Double(place - warmUp) / Double(max(stepCount - warmUp, 1)), 1)
    let minimum = configuration.learningRateMinimum
    return minimum + (maximum - minimum) * (1 + cos(Double.pi * part)) / 2
  }

  private static func move(
    _ network: inout DenseNetwork, _ moments: inout Moments, gradient: FloatArray, rate: Double,
    decay: Double, _ context: KernelContext
  ) {
    moments.stepCount += 1
    let update = AdamWUpdate(
      learningRate: Float(rate), weightDecay: Float(decay), beta1: momentDecays.first,
      beta2: momentDecays.second, epsilon: 1e-8, step: moments.stepCount, gradientFactor: 1)
    network.withParameters { parameters in
      moments.withArrays { first, second in
        context.adamW(
          parameters, gradients: gradient, firstMoments: first, secondMoments: second,
          range: 0..<parameters.count, update: update)
      }
    }
  }

  /// μ of rows of states; the trace's outputs are the probabilities.
  private static func actions(
    of states: Matrix, _ actor: DenseNetwork, _ context: KernelContext
  ) -> DenseNetwork.Trace {
    let trace = actor.forward(states, context)
    context.softmax(trace.outputs)
    return trace
  }

  private static func matrix(_ rows: [[Float]]) -> Matrix {
    Matrix(
      FloatArray(rows.flatMap(\.self)), rowCount: rows.count, columnCount: rows.first?.count ?? 0)
  }

  /// The columns of two matrices side by side.
  private static func joined(_ left: Matrix, _ right: Matrix) -> Matrix {
    let width = left.columnCount + right.columnCount
    let joined = Matrix(rowCount: left.rowCount, columnCount: width)
    for row in 0..<left.rowCount {
      (joined.start + row * width).update(
        from: left.start + row * left.columnCount, count: left.columnCount)
      (joined.start + row * width + left.columnCount).update(
        from: right.start + row * right.columnCount, count: right.columnCount)
    }
    return joined
  }
}
