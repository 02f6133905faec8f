internal import Kernels
internal import Mixing

/// The gradients of a ``LinearWorld``'s domains as a trainer measures them: see ``GradientReport``.
///
/// The noise of the self term of W is taken off by
///
///     v_i c_i / z_i²,   v_i = EMA(n_i (s_i − H_ii)) / EMA(n_i − 1),
///     c_i ← β² c_i + (1 − β)² n_i
///
/// - v: the trace of the covariance of a single sample's gradient, as the samples' spread says.
/// - c/z²: by how much smoothing makes that smaller in ‖m_i/z_i‖².
struct LinearGradientRecorder {
  private let domainCount: Int
  private let width: Int
  /// m `[domain, width]`.
  private var smoothed: [Double]
  /// z `[domain]`.
  private var weights: [Double]
  /// c `[domain]`.
  private var squaredWeights: [Double]
  /// The numerator of v `[domain]`.
  private var spread: [Double]
  /// The denominator of v `[domain]`.
  private var freedom: [Double]

  init(_ configuration: LinearWorldConfiguration) {
    domainCount = configuration.domainCount
    width = configuration.projectionWidth ?? configuration.parameterCount
    smoothed = [Double](repeating: 0, count: domainCount * width)
    weights = [Double](repeating: 0, count: domainCount)
    squaredWeights = weights
    spread = weights
    freedom = weights
  }

  /// Takes in a step's gradients and returns what they say.
  mutating func record(_ trainee: LinearTrainee, needs: FeedbackNeeds) -> GradientReport {
    let means = trainee.meanGradients
    let norms = trainee.squaredNormSums.enumerated().map {
      $1 / Double(max(trainee.counts[$0], 1))
    }
    var report = GradientReport(microBatchCounts: trainee.counts)
    if needs.gram {
      report.gram = Self.products(means, means, domainCount: domainCount)
      report.squaredNorms = norms
    }
    if let smoothing = needs.smoothing {
      if needs.lagged { report.laggedAlignments = alignments(of: means) }
      smooth(means, counts: trainee.counts, squaredNorms: norms, smoothing)
      report.alignments = zip(alignments(of: smoothedMeans), noiseOfSelfTerms).map(-)
    }
    return report
  }

  /// What is reported where the gradients of the expected losses are known.
  static func report(
    expected gradients: [Double], _ configuration: LinearWorldConfiguration
  ) -> GradientReport {
    let domainCount = configuration.domainCount
    let gram = products(gradients, gradients, domainCount: domainCount)
    let rows = (0..<domainCount).map { row in
      gram[row * domainCount..<(row + 1) * domainCount].reduce(0, +)
    }
    // With two micro-batches that agree, the unbiased self term is the diagonal itself.
    return GradientReport(
      microBatchCounts: [Int](repeating: 2, count: domainCount), gram: gram,
      squaredNorms: (0..<domainCount).map { gram[$0 * domainCount + $0] }, alignments: rows,
      laggedAlignments: rows)
  }

  private mutating func smooth(
    _ means: [Double], counts: [Int], squaredNorms: [Double], _ smoothing: Double
  ) {
    let rest = 1 - smoothing
    for domain in 0..<domainCount {
      let count = Double(counts[domain])
      var square = 0.0
      for place in domain * width..<(domain + 1) * width {
        smoothed[place] = smoothing * smoothed[place] + rest * count * means[place]
        square += means[place] * means[place]
      }
      weights[domain] = smoothing * weights[domain] + rest * count
      squaredWeights[domain] =
        smoothing * smoothing * squaredWeights[domain] + rest * rest * count
      spread[domain] =
        smoothing * spread[domain] + rest * count * (squaredNorms[domain] - square)
      freedom[domain] = smoothing * freedom[domain] + rest * max(count - 1, 0)
    }
  }

  /// m_i/z_i `[domain, width]`.
  private var smoothedMeans: [Double] {
    var means = smoothed
    for domain in 0..<domainCount where weights[domain] > 0 {
      for place in domain * width..<(domain + 1) * width { means[place] /= weights[domain] }
    }
    return means
  }

  /// ⟨rows_i, Σ_j m_j/z_j⟩ `[domain]`.
  private func alignments(of rows: [Double]) -> [Double] {
    let means = smoothedMeans
    var sum = [Double](repeating: 0, count: width)
    for place in means.indices { sum[place % width] += means[place] }
    return Self.products(rows, sum, domainCount: domainCount, width: width)
  }

  private var noiseOfSelfTerms: [Double] {
    (0..<domainCount).map { domain in
      guard weights[domain] > 0, freedom[domain] > 1e-6 else { return 0 }
      return spread[domain] / freedom[domain] * squaredWeights[domain]
        / (weights[domain] * weights[domain])
    }
  }

  /// ⟨a_i, b_j⟩ `[domain, domain]`.
  private static func products(_ a: [Double], _ b: [Double], domainCount: Int) -> [Double] {
    let width = a.count / domainCount
    return (0..<domainCount).flatMap { column in
      // Symmetric where a is b, so that the order of the indices does not matter here.
      products(
        a, Array(b[column * width..<(column + 1) * width]), domainCount: domainCount, width: width)
    }
  }

  /// ⟨rows_i, vector⟩ `[domain]`.
  private static func products(
    _ rows: [Double], _ vector: [Double], domainCount: Int, width: Int
  ) -> [Double] {
    (0..<domainCount).map { domain in
      var sum = 0.0
      for place in 0..<width { sum += rows[domain * width + place] * vector[place] }
      return sum
    }
  }
}

/// A random projection of gradients, the same in every world of the same sizes.
struct LinearProjection {
  private let configuration: LinearWorldConfiguration
  private let width: Int
  /// `[parameter, width]`, with entries of variance 1/width.
  private let matrix: [Double]

  /// Creates the projection that is asked for; nil if none is.
  init?(_ configuration: LinearWorldConfiguration) {
    guard let width = configuration.projectionWidth else { return nil }
    precondition(width >= 1, "a projection to \(width) numbers")
    self.configuration = configuration
    self.width = width
    var generator = SeededGenerator(seed: 0, stream: "world projection")
    matrix = (0..<configuration.parameterCount * width).map { _ in
      generator.nextNormal() / Double(width).squareRoot()
    }
  }

  /// The squared norm of the projected inputs of a domain's sample.
  func squaredNorm(input: [Double], ofDomain domain: Int) -> Double {
    var sums = [Double](repeating: 0, count: width)
    for place in input.indices {
      let start = configuration.parameter(place, ofDomain: domain) * width
      for column in 0..<width { sums[column] += input[place] * matrix[start + column] }
    }
    return sums.reduce(0) { $0 + $1 * $1 }
  }

  /// The projected rows `[domain, width]` of `[domain, parameter]`.
  func rows(_ gradients: [Double]) -> [Double] {
    let parameterCount = configuration.parameterCount
    var rows = [Double](repeating: 0, count: configuration.domainCount * width)
    for domain in 0..<configuration.domainCount {
      for parameter in 0..<parameterCount {
        let gradient = gradients[domain * parameterCount + parameter]
        guard gradient != 0 else { continue }
        for column in 0..<width {
          rows[domain * width + column] += gradient * matrix[parameter * width + column]
        }
      }
    }
    return rows
  }
}
