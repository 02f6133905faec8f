internal import Corpora
internal import Dispatch
package import Mixing

/// Arms × worlds × seeds: every arm is driven through the same worlds, so that scores are paired.
package struct PolicyComparison: Sendable {
  /// What is compared; the uniform mixture, which scores are divided by, comes on top.
  package let arms: [PolicyArm]
  /// The worlds; their sizes may differ.
  package let worlds: [LinearWorldConfiguration]
  /// The seeds of the worlds' random numbers.
  package let seeds: [UInt64]

  /// Creates a comparison.
  package init(arms: [PolicyArm], worlds: [LinearWorldConfiguration], seeds: [UInt64]) {
    self.arms = arms
    self.worlds = worlds
    self.seeds = seeds
  }

  /// Every arm's score as a part of the uniform mixture's with the same seed.
  package struct Result: Sendable {
    /// The excess loss of the uniform mixture `[world][seed]`.
    package let uniform: [[Double]]
    /// The final excess losses `[world][arm][seed]`.
    package let excessLosses: [[[Double]]]
    /// Final excess loss / uniform's, `[world][arm][seed]`.
    package var ratios: [[[Double]]] {
      zip(excessLosses, uniform).map { world, uniform in
        world.map { arm in zip(arm, uniform).map { $0 / $1 } }
      }
    }
  }

  /// Runs everything, seed by seed on all cores.
  ///
  /// - Parameter progress: is told how many of the seeds are done, from any thread, one at a time.
  /// - Returns: the same whatever the number of cores.
  /// - Throws: what the making of an arm's policies throws, before anything is run; else the error
  ///   of the lowest seed that has one.
  package func run(progress: @Sendable (Int) -> Void = { _ in }) throws(MixingError) -> Result {
    try checkArms()
    let table = Locked(Table(seedCount: seeds.count))
    DispatchQueue.concurrentPerform(iterations: seeds.count) { index in
      let column = Swift.Result { () throws(MixingError) in try scores(ofSeed: seeds[index]) }
      table.withLock { table in
        table.columns[index] = column
        table.doneCount += 1
        progress(table.doneCount)
      }
    }
    var columns: [Scores] = []
    for column in table.withLock({ $0.columns }) {
      guard let column else { preconditionFailure("a seed was left out") }
      columns.append(try column.get())
    }
    return Result(
      uniform: worlds.indices.map { world in columns.map { $0.uniform[world] } },
      excessLosses: worlds.indices.map { world in
        arms.indices.map { arm in columns.map { $0.arms[world][arm] } }
      })
  }

  /// Makes every arm's policies once, so that a missing file is named before the first seed's runs
  /// and not behind them.
  private func checkArms() throws(MixingError) {
    guard let seed = seeds.first else { return }
    for configuration in worlds {
      let world = LinearWorld(configuration, seed: seed)
      for arm in arms { _ = try arm.makePolicies(world) }
    }
  }

  /// The excess losses of one seed.
  private struct Scores: Sendable {
    /// `[world]`.
    var uniform: [Double] = []
    /// `[world][arm]`.
    var arms: [[Double]] = []
  }

  private struct Table {
    var columns: [Swift.Result<Scores, MixingError>?]
    var doneCount = 0

    init(seedCount: Int) {
      columns = [Swift.Result<Scores, MixingError>?](repeating: nil, count: seedCount)
    }
  }

  private func scores(ofSeed seed: UInt64) throws(MixingError) -> Scores {
    var scores = Scores()
    for configuration in worlds {
      let world = LinearWorld(configuration, seed: seed)
      let uniform = Mixture.uniform(domainCount: configuration.domainCount)
      scores.uniform.append(try Self.score(StaticPolicy(uniform), .samples, in: world))
      var row: [Double] = []
      for arm in arms {
        let policies = try arm.makePolicies(world)
        var sum = 0.0
        let seen = arm.isRedrawn ? Self.redrawn(configuration, seed: seed) : world
        for policy in policies { sum += try Self.score(policy, arm.measurement, in: seen) }
        row.append(sum / Double(policies.count))
      }
      scores.arms.append(row)
    }
    return scores
  }

  private static func redrawn(
    _ configuration: LinearWorldConfiguration, seed: UInt64
  ) -> LinearWorld {
    LinearWorld(
      configuration, noise: LinearWorldNoise(seed: seed, for: configuration, isRedrawn: true))
  }

  private static func score(
    _ policy: some MixturePolicy, _ measurement: LinearWorld.Measurement, in world: LinearWorld
  ) throws(MixingError) -> Double {
    var policy = policy
    return try world.run(&policy, measuring: measurement).finalExcessLoss
  }
}
