internal import Kernels

/// The smoothed domain gradients of a ``GradientRecorder``, whose comment has the formulas.
///
/// M_i is kept as a mean, so that a domain that is not seen for long keeps its direction and
/// nothing underflows.
struct GradientSmoothing {
  /// What is remembered of a domain besides M_i.
  struct Memory: Equatable {
    /// z_i; 0 while the domain was never seen.
    var weight = 0.0
    /// c_i.
    var squaredWeight = 0.0
    /// The averages of n_i (s_i − |g_i|²) and of max(n_i − 1, 0).
    var noise = 0.0
    var noiseWeight = 0.0
  }

  /// β.
  let beta: Double
  let rowWidth: Int
  /// `[domain]`.
  private(set) var memories: [Memory]
  /// M `[domain]`; nil while a domain was never seen.
  private(set) var means: [FloatArray?]
  /// Σ_j M_j; nil while it is to be made anew.
  private var sum: FloatArray?

  init(beta: Double, domainCount: Int, rowWidth: Int) {
    self.beta = beta
    self.rowWidth = rowWidth
    memories = [Memory](repeating: Memory(), count: domainCount)
    means = [FloatArray?](repeating: nil, count: domainCount)
  }

  var floatCount: Int {
    (means.count { $0 != nil } + (sum == nil ? 0 : 1)) * rowWidth
  }

  /// ⟨a_i, Σ_j M_j⟩ `[domain]` for a_i = scale_i · row_i; 0 where there is no row.
  mutating func alignments(
    ofRows rows: [FloatArray?], scales: [Double], context: KernelContext
  ) -> [Double] {
    let sum = currentSum(context)
    let seen = rows.indices.filter { rows[$0] != nil }
    let products = context.innerProducts(sum, seen.compactMap { rows[$0] })
    var results = [Double](repeating: 0, count: rows.count)
    for (domain, product) in zip(seen, products) { results[domain] = scales[domain] * product }
    return results
  }

  /// W `[domain]`, without the noise in its self term; 0 for a domain that was never seen.
  mutating func alignments(context: KernelContext) -> [Double] {
    var results = alignments(
      ofRows: means, scales: [Double](repeating: 1, count: means.count), context: context)
    for (domain, memory) in memories.enumerated() where memory.weight > 0 {
      guard memory.noiseWeight > 0 else { continue }
      let trace = memory.noise / memory.noiseWeight
      results[domain] -= trace * memory.squaredWeight / (memory.weight * memory.weight)
    }
    return results
  }

  /// Takes in the gradients of a step, which are finite.
  mutating func take(
    _ step: StepSums, _ stepMeans: StepMeans, factor: Double, context: KernelContext
  ) {
    sum = nil
    let scales = step.scales(factor: factor)
    for (domain, row) in step.rows.enumerated() {
      let count = Double(step.counts[domain])
      memories[domain].take(
        count: count, noise: count * (stepMeans.squaredNorms[domain] - stepMeans.norms[domain]),
        beta: beta)
      guard let row else { continue }
      let mean = means[domain] ?? FloatArray(count: rowWidth)
      means[domain] = mean
      context.move(
        mean, toward: row, factor: Float(scales[domain]),
        weight: Float((1 - beta) * count / memories[domain].weight))
    }
  }

  private mutating func currentSum(_ context: KernelContext) -> FloatArray {
    if let sum { return sum }
    let sum = FloatArray(count: rowWidth)
    let view = Matrix(sum, rowCount: 1, columnCount: rowWidth)
    for mean in means.compactMap({ $0 }) {
      context.add(Matrix(mean, rowCount: 1, columnCount: rowWidth), to: view)
    }
    self.sum = sum
    return sum
  }

  /// Goes back to what ``memories`` and ``means`` were.
  mutating func restore(_ memories: [Memory], means: [FloatArray?]) {
    self.memories = memories
    self.means = means
    sum = nil
  }
}

extension GradientSmoothing.Memory {
  /// Below this a weight to which nothing is added decays no more: what comes later is larger by
  /// far, and the ratios stay what they are instead of becoming 0 / 0.
  private static let leastWeight = 1e-100

  /// Averages one step in.
  mutating func take(count: Double, noise newNoise: Double, beta: Double) {
    if count > 1 || noiseWeight * beta >= Self.leastWeight {
      noise = beta * noise + (1 - beta) * newNoise
      noiseWeight = beta * noiseWeight + (1 - beta) * max(count - 1, 0)
    }
    if count > 0 || weight * beta >= Self.leastWeight {
      weight = beta * weight + (1 - beta) * count
      squaredWeight = beta * beta * squaredWeight + (1 - beta) * (1 - beta) * count
    }
  }

  /// Whether these are numbers that ``take(count:noise:beta:)`` can leave.
  var isSound: Bool {
    let values = [weight, squaredWeight, noise, noiseWeight]
    return values.allSatisfy(\.isFinite) && weight >= 0 && squaredWeight >= 0 && noiseWeight >= 0
      && (weight > 0) == (squaredWeight > 0)
  }
}
