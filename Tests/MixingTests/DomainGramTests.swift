import HeadraceTesting
import Mixing
import Testing

/// Three domains with the losses ‖θ − c_i‖² / 2 in two dimensions, at θ = 0, so that g_i = −c_i.
enum ThreeQuadratics {
  /// c.
  static let centers: [[Double]] = [[1, 0], [0.6, 0.8], [-1, 0]]
  /// H_ij = ⟨c_i, c_j⟩.
  static let gram: [Double] = [1, 0.6, -1, 0.6, 1, -0.6, -1, -0.6, 1]

  /// The report of gradients without noise, from one micro-batch each.
  static func report(scale: Double = 1) -> GradientReport {
    GradientReport(
      microBatchCounts: [1, 1, 1], gram: gram.map { $0 * scale * scale },
      squaredNorms: [1, 1, 1].map { $0 * scale * scale })
  }
}

@Suite(.timeLimit(.minutes(5)))
struct DomainGramTests {
  @Test func rowSumsAreThoseOfTheClosedForm() throws {
    let gram = try #require(DomainGram(ThreeQuadratics.report(), domainCount: 3))
    let included = gram.rowSums(.included)
    let excluded = gram.rowSums(.excluded)
    expectNear(included, [0.6, 1.0, -0.6], within: 1e-12)
    expectNear(excluded, [-0.4, 0, -1.6], within: 1e-12)
    // Σ W incl = ‖Σ g‖² and Σ W excl = ‖Σ g‖² − Σ ‖g_i‖².
    expectNear([included.reduce(0, +), excluded.reduce(0, +)], [1, -2], within: 1e-12)
    #expect(gram.norms == [1, 1, 1])
    #expect(gram.meanNorm == 1)
    // From one micro-batch nothing is known of the self term but what is handed on, or the square.
    #expect(gram.unbiasedSelfTerms == [nil, nil, nil])
    #expect(gram.rowSums(.cross) == included)
    let handedOn = gram.rowSums(.cross, fallback: [0, nil, 0])
    #expect(handedOn == [excluded[0], included[1], excluded[2]])
  }

  @Test func aStepAlongAMixtureLowersTheMeanLossAsTheRowSumsSay() {
    let rate = 0.01
    let included = [0.6, 1.0, -0.6]
    let mixtures: [[Double]] = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3.0, 1 / 3.0, 1 / 3.0]]
    let drops = mixtures.map { mixture -> Double in
      // θ = η Σ α_i c_i.
      let point = (0..<2).map { axis in
        rate * zip(mixture, ThreeQuadratics.centers).reduce(0) { $0 + $1.0 * $1.1[axis] }
      }
      let squares = point[0] * point[0] + point[1] * point[1]
      let predicted = rate / 3 * zip(mixture, included).reduce(0) { $0 + $1.0 * $1.1 }
      let losses = ThreeQuadratics.centers.map { center in
        ((point[0] - center[0]) * (point[0] - center[0])
          + (point[1] - center[1]) * (point[1] - center[1])) / 2
      }
      let drop = (1.5 - losses.reduce(0, +)) / 3
      // The loss is a quadratic of curvature 1, so that the second order is all of the rest.
      expectNear([drop], [predicted - squares / 2], within: 1e-15)
      return drop
    }
    expectNear(drops, [0.00195, 0.00328333, -0.00205, 0.00110556], within: 1e-8)
  }

  @Test func theSurrogateOfTheInteractionPeaksAtAVertexWhereThereIsNone() throws {
    let gram = try #require(DomainGram(ThreeQuadratics.report(), domainCount: 3))
    let excluded = gram.rowSums(.excluded)
    func interaction(_ weights: [Double]) -> Double {
      var sum = 0.0
      for i in 0..<3 {
        for j in 0..<3 where j != i { sum += weights[i] * weights[j] * gram.gram[3 * i + j] }
      }
      return sum
    }
    let uniform = [Double](repeating: 1 / 3.0, count: 3)
    expectNear([interaction(uniform)], [-2 / 9.0], within: 1e-12)
    let points: [([Double], Double, Double)] = [
      ([0.5, 0.5, 0], 0.3, 0.088889), ([0.25, 0.5, 0.25], -0.125, -0.111111),
      ([1, 0, 0], 0, -0.044444), ([0, 1, 0], 0, 0.222222),
    ]
    for (weights, energy, linear) in points {
      let proxy = zip(weights, excluded).reduce(0) { $0 + $1.0 * $1.1 }
      let expansion = 2 / 3.0 * proxy - interaction(uniform)
      expectNear([interaction(weights), expansion], [energy, linear])
      let offset = zip(weights, uniform).map { $0 - $1 }
      expectNear([interaction(weights) - expansion], [interaction(offset)], within: 1e-12)
    }
    #expect(excluded.firstIndex(of: excluded.max() ?? 0) == 1)
    #expect(interaction([0, 1, 0]) == 0)
  }

  @Test func theCrossTermIsTheMeanOverPairsOfDifferentMicroBatches() throws {
    // Micro-batches 3 and 5 in one dimension: mean 4, H = 16, s = 17, and the pair's product 15.
    let gram = try #require(
      DomainGram(
        GradientReport(microBatchCounts: [2], gram: [16], squaredNorms: [17]), domainCount: 1))
    #expect(gram.unbiasedSelfTerms == [15])
    #expect(gram.rowSums(.cross) == [15])
  }

  @Test func noiseBiasesTheSquareButNeitherTheCrossTermNorTheProducts() throws {
    // Two domains in 6 dimensions, n = 4 and 2 micro-batches, noise of standard deviation 2.
    let truth: [[Double]] = [[1, 0, 0, 1, 0, 0], [0.5, 0.5, 0, 0, 0, -1]]
    let counts = [4, 2]
    var generator = TestGenerator(seed: 11)
    func normal() -> Double {
      // The sum of twelve uniforms has variance 1.
      (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &generator) }
    }
    let trials = 20_000
    var sums = [[Double]](repeating: [], count: 5)
    for _ in 0..<trials {
      var means: [[Double]] = []
      var squares: [Double] = []
      for (gradient, count) in zip(truth, counts) {
        let batches: [[Double]] = (0..<count).map { _ in gradient.map { $0 + 2 * normal() } }
        means.append((0..<6).map { axis in batches.reduce(0.0) { $0 + $1[axis] } / Double(count) })
        squares.append(
          batches.reduce(0.0) { sum, batch in sum + batch.reduce(0.0) { $0 + $1 * $1 } }
            / Double(count))
      }
      func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
      let report = GradientReport(
        microBatchCounts: counts,
        gram: [
          dot(means[0], means[0]), dot(means[0], means[1]), dot(means[1], means[0]),
          dot(means[1], means[1]),
        ], squaredNorms: squares)
      let gram = try #require(DomainGram(report, domainCount: 2))
      let own = gram.unbiasedSelfTerms.compactMap { $0 }
      let values: [Double] = [gram.gram[0], gram.gram[3], gram.gram[1], own[0], own[1]]
      for (place, value) in values.enumerated() { sums[place].append(value) }
    }
    // ‖g‖² = 2 and 1.5, ⟨g_1, g_2⟩ = .5; the trace of the noise is 24, so the squares are larger by
    // 24/4 and 24/2. Three standard errors: 1 in 370 per number if all is right; the seed is fixed.
    let expectations: [Double] = [2 + 6, 1.5 + 12, 0.5, 2, 1.5]
    for (values, expected) in zip(sums, expectations) {
      let mean = values.reduce(0, +) / Double(trials)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(trials)
      #expect(abs(mean - expected) < 3 * (variance / Double(trials)).squareRoot())
    }
  }

  @Test func whatIsNotThereIsNotMadeUp() {
    #expect(DomainGram(nil, domainCount: 3) == nil)
    var report = ThreeQuadratics.report()
    report.squaredNorms = nil
    #expect(DomainGram(report, domainCount: 3) == nil)
  }

  @Test func hugeProductsStayFinite() throws {
    let report = GradientReport(
      microBatchCounts: [.max, 2], gram: [1.7e308, -1.7e308, -1.7e308, 1.7e308],
      squaredNorms: [0, 1.7e308])
    let gram = try #require(DomainGram(report, domainCount: 2))
    for term in [SelfTerm.cross, .included, .excluded] {
      let sums = gram.rowSums(term)
      #expect(sums.allSatisfy { $0.isFinite })
    }
  }
}
