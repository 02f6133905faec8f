import Fitting
import Testing

/// The published proxy runs of RegMix, read once.
enum RegMixRuns {
  /// Whether the tables are there.
  static let isPresent: Bool =
    SharedData.isPresent && (try? SharedData.bytes("regmix/README.md")) != nil

  /// The domain and the loss that the paper reports.
  static let webLoss = "metric/the_pile_pile_cc_val_loss"

  /// The token shares of the corpus, in the tables' order of domains.
  static let prior = [
    0.113285273, 0.079608651, 0.003913491, 0.185375901, 0.051081359, 0.015962925, 0.101750772,
    0.003707518, 0.066529351, 0.001750772, 0.027085479, 0.236869207, 0.01184346, 0.007929969,
    0.008032956, 0.038825953, 0.046446962,
  ]

  /// Reads `train`, `test` or `extra`.
  static func table(_ name: String) throws -> RunTable {
    let folder = try #require(SharedData.folder) + "/regmix/"
    return try RunTable(
      mixturesPath: folder + name + "_mixture_1m.csv",
      lossesPath: folder + name + "_pile_loss_1m.csv")
  }

  /// 100 times Spearman's ρ of a model's predictions.
  static func correlation(
    _ model: some LossModel, _ table: RunTable, loss: String, written: Bool = false
  ) throws -> Double {
    let shares = written ? table.writtenShares : table.shares
    let losses = try #require(table.losses(named: loss))
    return 100
      * (try #require(RankCorrelation.spearman(shares.map { model.loss(of: $0) }, losses)))
  }
}

/// Runs whose losses follow a law that is known: L = 2 + 0.5·exp of what the shares say.
func syntheticRuns(count: Int, domainCount: Int, seed: UInt64, noise: Double = 0) -> RunTable {
  var generator = TestGenerator(seed: seed)
  func uniform() -> Double { Double.random(in: 0.001..<1, using: &generator) }
  let shares = (0..<count).map { _ in
    let parts = (0..<domainCount).map { _ in uniform() * uniform() }
    let sum = parts.reduce(0, +)
    return parts.map { $0 / sum }
  }
  let losses = shares.map { row in
    let useful = row.enumerated().reduce(0.05) { $0 + $1.element / Double($1.offset + 1) }
    return 2 + 1 / useful.squareRoot() + noise * (uniform() - 0.5)
  }
  return RunTable(
    domainNames: (0..<domainCount).map { "d\($0)" }, lossNames: ["loss"], writtenShares: shares,
    losses: [losses])
}

/// A small seeded generator: SplitMix64.
struct TestGenerator: RandomNumberGenerator {
  private var position: UInt64

  init(seed: UInt64) { position = seed }

  mutating func next() -> UInt64 {
    position &+= 0x9E37_79B9_7F4A_7C15
    var bits = position
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }
}
