import Mixing
import Testing
import Training

// Covers: LinearScenario.swift, LinearTrainee.swift, LinearProjection.swift
@Suite(.timeLimit(.minutes(5)))
struct LinearWorldTests {
  private func configuration(
    _ scenario: LinearScenario = .symmetric,
    _ change: (inout LinearWorldConfiguration) -> Void = { _ in }
  ) -> LinearWorldConfiguration {
    var configuration = LinearWorldConfiguration()
    configuration.scenario = scenario
    change(&configuration)
    return configuration
  }

  /// Keeps what it is shown, and always asks for the same mixture.
  private struct Watcher: MixturePolicy {
    static let name = "watcher"
    struct Checkpoint: Codable, Sendable, Equatable {}
    var mixture: Mixture
    var feedbackNeeds = FeedbackNeeds(
      losses: true, gram: true, smoothing: 0.9, lagged: true, norms: true)
    var seen: [Feedback] = []
    var prepared: [Int] = []
    var reason: String { "" }
    var followsSteps: Bool { true }
    var checkpoint: Checkpoint { Checkpoint() }
    mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {
      prepared.append(upcoming.step)
    }
    mutating func observe(_ feedback: Feedback) { seen.append(feedback) }
    mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {}
  }

  private func uniform(_ world: LinearWorld) throws -> LinearWorld.Outcome {
    var policy = StaticPolicy(.uniform(domainCount: world.configuration.domainCount))
    return try world.run(&policy, keepsTrajectory: true)
  }

  @Test func rolesOfFiveDomainsAreTheTables() {
    let scales = LinearScenario.unequal.roles(domainCount: 5).map(\.privateScale)
    for (scale, expected) in zip(scales, [1.5, 1.2, 0.9, 0.6, 0.4]) {
      #expect(abs(scale - expected) < 1e-12)
    }
    let nine = LinearScenario.unequal.roles(domainCount: 9).map(\.privateScale)
    #expect(abs(nine[1] - 1.35) < 1e-12 && abs(nine[8] - 0.4) < 1e-12)
    #expect(LinearScenario.noisy.roles(domainCount: 3).map(\.labelNoise) == [0.1, 0.1, 4])
    #expect(LinearScenario.transfer.roles(domainCount: 4).map(\.sharedScale) == [1.2, 0.5, 0.5, 0])
  }

  @Test(arguments: LinearScenario.allCases)
  func trainingLowersTheExcessLoss(scenario: LinearScenario) throws {
    let world = LinearWorld(configuration(scenario), seed: 5000)
    let losses = try uniform(world).excessLosses
    #expect(losses.count == 400)
    #expect(losses[399] < 0.6 * losses[0])
  }

  @Test func aSeedGivesTheSameRunAndAnotherSeedAnother() throws {
    let runs = try [3, 3, 4].map { try uniform(LinearWorld(configuration(), seed: $0)) }
    #expect(runs[0].excessLosses == runs[1].excessLosses)
    #expect(runs[0].finalExcessLoss != runs[2].finalExcessLoss)
  }

  @Test func balancedBlocksMakeEveryExcessKnownBeforehand() {
    // Untrained, every domain of `sym` is off by half the squared norm of two balanced blocks.
    let world = LinearWorld(configuration { $0.isBalanced = true }, seed: 8)
    #expect(abs(world.excessLoss(at: [Double](repeating: 0, count: 28)) - 6) < 1e-9)
  }

  @Test func expectedGradientsAreThoseOfTheExcessLoss() {
    let world = LinearWorld(configuration(.transfer), seed: 8)
    let parameters = (0..<28).map { Double($0) / 14 - 1 }
    let gradients = world.expectedGradients(at: parameters)
    for parameter in 0..<28 {
      var (above, below) = (parameters, parameters)
      above[parameter] += 1e-5
      below[parameter] -= 1e-5
      let difference = (world.excessLoss(at: above) - world.excessLoss(at: below)) / 2e-5
      let mean = (0..<5).reduce(0) { $0 + gradients[$1 * 28 + parameter] } / 5
      #expect(abs(difference - mean) < 1e-8)
    }
  }

  @Test func feedbackIsThatOfTheBatch() throws {
    let world = LinearWorld(configuration { $0.stepCount = 30 }, seed: 1)
    var policy = Watcher(mixture: try Mixture(weights: [0.4, 0.3, 0.2, 0.1, 0]))
    _ = try world.run(&policy)
    #expect(policy.seen.map(\.step) == Array(1...30))
    #expect(policy.prepared == Array(1...30))
    for feedback in policy.seen {
      #expect(feedback.tokenCounts.reduce(0, +) == 40)
      #expect(feedback.tokenCounts[4] == 1)
      #expect(feedback.shares?[4] == 1.0 / 40)
      #expect(abs((feedback.shares?[0] ?? 0) - (1 + 35 * 0.4) / 40) < 1e-12)
      let report = try #require(feedback.gradients)
      #expect(report.microBatchCounts == feedback.tokenCounts)
      let gram = try #require(report.gram)
      #expect(gram[1] == gram[5] && gram[7] == gram[11])
      // With one sample, the mean gradient is that sample's; its numbers become single precision.
      #expect(abs(gram[24] - (report.squaredNorms?[4] ?? 0)) <= 1e-6 * gram[24])
    }
    #expect(policy.seen[0].gradients?.laggedAlignments == [0, 0, 0, 0, 0])
  }

  /// The inner product of two rows of a matrix of 28 columns.
  private func product(_ rows: [Double], _ first: Int, _ second: Int) -> Double {
    var sum = 0.0
    for place in 0..<28 { sum += rows[first * 28 + place] * rows[second * 28 + place] }
    return sum
  }

  @Test func estimatesAreUnbiased() throws {
    // At the first step θ is known, so the expected Gram matrix is; the mean over many seeds of the
    // unbiased self terms and of the other products comes near it.
    let runs = 400
    var (own, cross, truth, crossTruth) = (0.0, 0.0, 0.0, 0.0)
    var squares = 0.0
    for seed in 0..<runs {
      let world = LinearWorld(
        configuration(.noisy) {
          $0.isBalanced = true; $0.stepCount = 1
        }, seed: UInt64(seed))
      var policy = Watcher(mixture: .uniform(domainCount: 5))
      _ = try world.run(&policy)
      let report = try #require(policy.seen[0].gradients)
      let (gram, norms, counts) = (
        try #require(report.gram), try #require(report.squaredNorms),
        try #require(report.microBatchCounts)
      )
      let count = Double(counts[4])
      if counts[4] > 1 {
        let value = (count * gram[24] - norms[4]) / (count - 1)
        own += value / Double(runs)
        squares += value * value / Double(runs)
      }
      cross += gram[1] / Double(runs)
      let expected = world.expectedGradients(at: [Double](repeating: 0, count: 28))
      truth += product(expected, 4, 4) / Double(runs)
      crossTruth += product(expected, 0, 1) / Double(runs)
    }
    // Domain 4: ‖g‖² = 4. Five standard errors, as the spread of the 400 values says.
    #expect(abs(truth - 4) < 1e-9)
    let error = ((squares - own * own) / Double(runs)).squareRoot()
    #expect(abs(own - truth) < 5 * error, "\(own) ± \(error)")
    #expect(abs(cross - crossTruth) < 0.15 * abs(crossTruth), "\(cross) for \(crossTruth)")
  }

  @Test func smoothedAlignmentsLoseTheNoiseOfTheirSelfTerms() throws {
    // The noisy domain has nothing in common with the others, so its alignment is its own squared
    // gradient, which vanishes as it is learned. With its noise it would be
    // σ² · 4 (1 − β)/(1 + β)/n ≈ 16 · 4 · 0.053 / 8 = 0.42.
    var means: [Double] = []
    for seed in 0..<40 {
      let world = LinearWorld(configuration(.noisy), seed: UInt64(seed))
      var policy = Watcher(mixture: .uniform(domainCount: 5))
      _ = try world.run(&policy)
      let last = policy.seen[200...].compactMap { $0.gradients?.alignments?[4] }
      means.append(last.reduce(0, +) / Double(last.count))
    }
    let mean = means.reduce(0, +) / Double(means.count)
    #expect(abs(mean) < 0.2, "\(mean)")
  }

  @Test func permutedRolesAreTheSameRolesInAnotherOrder() throws {
    var orders: Set<[Int]> = []
    for seed in 0..<20 {
      let noise = LinearWorldNoise(seed: UInt64(seed), for: configuration())
      #expect(noise.roleOrder.sorted() == [0, 1, 2, 3, 4])
      orders.insert(noise.roleOrder)
    }
    #expect(orders.count > 10)
    // The first step's expected squared gradients are 4 scale⁴ in a balanced world.
    let permuted = LinearWorld(
      configuration(.unequal) {
        $0.isPermuted = true; $0.isBalanced = true
      }, seed: 3)
    let gradients = permuted.expectedGradients(at: [Double](repeating: 0, count: 28))
    let scales = (0..<5).map { (product(gradients, $0, $0) / 4).squareRoot().squareRoot() }
    for (scale, expected) in zip(scales.sorted(), [0.4, 0.6, 0.9, 1.2, 1.5]) {
      #expect(abs(scale - expected) < 1e-9)
    }
    #expect(scales != scales.sorted(by: >))
  }

  @Test func aProjectionKeepsProductsOnAverage() throws {
    let world = LinearWorld(
      configuration(.transfer) {
        $0.projectionWidth = 400; $0.stepCount = 3
      }, seed: 2)
    let exact = LinearWorld(configuration(.transfer) { $0.stepCount = 3 }, seed: 2)
    var (a, b) = (
      Watcher(mixture: .uniform(domainCount: 5)), Watcher(mixture: .uniform(domainCount: 5))
    )
    _ = try world.run(&a)
    _ = try exact.run(&b)
    let (gram, expected) = (
      try #require(a.seen[2].gradients?.gram), try #require(b.seen[2].gradients?.gram)
    )
    for domain in 0..<5 {
      // The relative error of a squared norm is √(2/400) = 0.07.
      let place = domain * 6
      #expect(abs(gram[place] / expected[place] - 1) < 0.4)
    }
  }
}
