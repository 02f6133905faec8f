/// Gradient boosting of regression trees, as the regression of RegMix is set up.
///
/// The prediction starts as the mean loss. Each round fits a tree to the residuals g_i = L(r_i) −
/// y_i and adds it:
///
///     leaf value = −η · Σ g / n
///     gain of a split = G_L² / n_L + G_R² / n_R − (G_L + G_R)² / (n_L + n_R)
///
/// A tree grows leaf by leaf: the leaf with the largest gain is split next, until there are 31 or
/// none can be split with at least 20 rows on each side.
///
/// With rows to stop on, mean absolute and mean squared error are watched: when one of the two has
/// not fallen for `patience` rounds, boosting stops and the best round of that error is kept. The
/// paper watches the rows that it then reports on. Here nobody but the caller names such rows.
///
/// - r_i, y_i: shares `[domain]` and loss of run i, in nats per token.
/// - η: the learning rate; G, n: sum of g and number of rows on a side.
///
/// Source: Liu et al. 2024, *RegMix* (arXiv:2407.01492), section 3 and its published notebook; Ke
/// et al. 2017, *LightGBM*, whose defaults it uses.
///
/// Departures from the source: arithmetic is in `Double` throughout (LightGBM keeps labels and
/// gradients as `Float`); one bin as in ``BinnedShares``. On equal gains the lower domain and the
/// higher threshold win, as there: but for rounding, the trees are LightGBM's own.
package struct BoostedTrees: Sendable, Equatable, Codable {
  /// The most rounds, each a tree; at least 1.
  package var roundCount = 600
  /// η, in (0, 1].
  package var learningRate = 0.01
  /// The most leaves of a tree, at least 2.
  package var leafLimit = 31
  /// The least rows of a leaf, at least 1.
  package var rowMinimum = 20
  /// How many rounds without improvement stop boosting, where rows to stop on are given.
  package var patience = 3

  /// Creates the paper's settings, with the rounds that its stopping comes to on average.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case roundCount = "round_count"
    case learningRate = "learning_rate"
    case leafLimit = "leaf_limit"
    case rowMinimum = "row_minimum"
    case patience
  }

  /// Rows that boosting stops on.
  package struct StoppingRows: Sendable {
    let shares: [[Double]]
    let losses: [Double]

    /// Creates them.
    ///
    /// - Parameters:
    ///   - shares: `[row][domain]`, at least one row.
    ///   - losses: `[row]`, in nats per token.
    package init(shares: [[Double]], losses: [Double]) {
      precondition(shares.count == losses.count && !losses.isEmpty, "one loss for each row")
      self.shares = shares
      self.losses = losses
    }
  }

  /// Fits trees to runs.
  ///
  /// - Parameters:
  ///   - shares: r `[run][domain]`, at least one run and one domain.
  ///   - losses: y `[run]`, finite.
  ///   - stopping: rows to stop on; nil to boost all rounds.
  /// - Returns: the trees; with fewer runs than two leaves need, the mean alone.
  package func fit(
    shares: [[Double]], losses: [Double], stoppingOn stopping: StoppingRows? = nil
  ) -> TreeEnsemble {
    precondition(shares.count == losses.count && !shares.isEmpty, "one loss for each run")
    precondition(roundCount >= 1 && leafLimit >= 2 && rowMinimum >= 1, "settings of no tree")
    var ensemble = TreeEnsemble(domainCount: shares[0].count)
    let mean = losses.reduce(0, +) / Double(losses.count)
    var start = TreeEnsemble.Tree()
    start.values = [mean]
    ensemble.append(start)
    var grower = TreeGrower(
      BinnedShares(shares, domainCount: shares[0].count), settings: self)
    var residuals = losses.map { mean - $0 }
    var watch = stopping.map { StoppingWatch($0, start: mean, patience: patience) }
    for round in 1...roundCount {
      guard let tree = grower.grow(residuals: &residuals) else { break }
      ensemble.append(tree)
      if let best = watch?.add(tree, round: round) {
        ensemble.keepFirst(best + 1)
        return ensemble
      }
    }
    return ensemble
  }
}

/// The errors on rows that boosting stops on.
private struct StoppingWatch {
  private let rows: BoostedTrees.StoppingRows
  private var predictions: [Double]
  private let patience: Int
  private var bestErrors = (absolute: Double.infinity, squared: Double.infinity)
  private var bestRounds = (absolute: 0, squared: 0)

  init(_ rows: BoostedTrees.StoppingRows, start: Double, patience: Int) {
    self.rows = rows
    self.patience = patience
    predictions = rows.losses.map { _ in start }
  }

  /// Takes in a round's tree; returns the best round once boosting shall stop.
  mutating func add(_ tree: TreeEnsemble.Tree, round: Int) -> Int? {
    var one = TreeEnsemble(domainCount: rows.shares[0].count)
    one.append(tree)
    var (absolute, squared) = (0.0, 0.0)
    for index in predictions.indices {
      predictions[index] += one.loss(of: rows.shares[index])
      let error = predictions[index] - rows.losses[index]
      absolute += abs(error)
      squared += error * error
    }
    if absolute < bestErrors.absolute {
      (bestErrors.absolute, bestRounds.absolute) = (absolute, round)
    }
    if squared < bestErrors.squared { (bestErrors.squared, bestRounds.squared) = (squared, round) }
    if round - bestRounds.absolute >= patience { return bestRounds.absolute }
    if round - bestRounds.squared >= patience { return bestRounds.squared }
    return nil
  }
}
