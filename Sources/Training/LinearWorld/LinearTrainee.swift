internal import Mixing

/// The parameters of a ``LinearWorld`` in training, and what its last step saw by domain.
struct LinearTrainee {
  private let configuration: LinearWorldConfiguration
  /// θ `[parameter]`.
  private(set) var parameters: [Double]
  /// The samples of each domain in the step `[domain]`.
  private(set) var counts: [Int]
  /// The sums of the samples' gradients `[domain, parameter]`.
  private var gradientSums: [Double]
  /// The sums of the samples' squared gradient norms, projected where that is asked for,
  /// `[domain]`.
  private var squaredNormSums: [Double]
  private var lossSums: [Double]
  /// ‖θ‖ after the step.
  private var parameterNorm = 0.0
  /// ‖what the step added to θ‖.
  private var updateNorm = 0.0
  private let projection: LinearProjection?

  init(_ configuration: LinearWorldConfiguration) {
    self.configuration = configuration
    parameters = [Double](repeating: 0, count: configuration.parameterCount)
    counts = [Int](repeating: 0, count: configuration.domainCount)
    gradientSums = [Double](
      repeating: 0, count: configuration.domainCount * configuration.parameterCount)
    squaredNormSums = [Double](repeating: 0, count: configuration.domainCount)
    lossSums = [Double](repeating: 0, count: configuration.domainCount)
    projection = LinearProjection(configuration)
  }

  mutating func beginStep() {
    for domain in counts.indices {
      counts[domain] = 0
      squaredNormSums[domain] = 0
      lossSums[domain] = 0
    }
    for place in gradientSums.indices { gradientSums[place] = 0 }
  }

  /// Adds a sample: its gradient is `residual` times its input.
  mutating func add(
    input: [Double], residual: Double, ofDomain domain: Int, squaringGradient: Bool
  ) {
    counts[domain] += 1
    lossSums[domain] += residual * residual / 2
    let start = domain * configuration.parameterCount
    var squares = 0.0
    for place in input.indices {
      let gradient = residual * input[place]
      gradientSums[start + configuration.parameter(place, ofDomain: domain)] += gradient
      squares += gradient * gradient
    }
    guard squaringGradient else { return }
    if let projection {
      squares = projection.squaredNorm(input: input, ofDomain: domain) * residual * residual
    }
    squaredNormSums[domain] += squares
  }

  /// Moves θ against the mean gradient of the batch.
  mutating func endStep() {
    let factor = -configuration.learningRate / Double(counts.reduce(0, +))
    var (squares, updateSquares) = (0.0, 0.0)
    for parameter in parameters.indices {
      var sum = 0.0
      for domain in counts.indices {
        sum += gradientSums[domain * configuration.parameterCount + parameter]
      }
      let update = factor * sum
      parameters[parameter] += update
      squares += parameters[parameter] * parameters[parameter]
      updateSquares += update * update
    }
    parameterNorm = squares.squareRoot()
    updateNorm = updateSquares.squareRoot()
  }

  /// What the samples' gradients add up to, projected where that is asked for.
  var sums: GradientSums {
    let rows = projection?.rows(gradientSums) ?? gradientSums
    let width = rows.count / counts.count
    return GradientSums(
      halves: counts.indices.map { domain in
        let row =
          counts[domain] > 0 ? rows[domain * width..<(domain + 1) * width].map { Float($0) } : []
        return [GradientSums.Half(microBatchCount: counts[domain], row: row)]
      }, squares: squaredNormSums)
  }

  /// What a policy is told of the step, without the gradients.
  func feedback(ofStep step: Int, drawnBy weights: [Double], needs: FeedbackNeeds) -> Feedback {
    let total = Double(configuration.sampleCount)
    let drawn = total - Double(configuration.domainCount)
    var feedback = Feedback(
      step: step,
      losses: counts.indices.map { counts[$0] > 0 ? lossSums[$0] / Double(counts[$0]) : nil },
      tokenCounts: counts, shares: weights.map { (1 + drawn * $0) / total })
    if needs.norms {
      feedback.parameterNorms = [parameterNorm]
      feedback.updateNorms = [updateNorm]
    }
    return feedback
  }
}
