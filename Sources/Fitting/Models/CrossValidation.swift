package import Kernels

/// Compares models by what they predict for runs that they were not fitted to.
///
/// The runs are dealt into folds once, by a seeded permutation. For each fold every model is fitted
/// to the runs of the others and predicts those of the fold. All held-out predictions of a model
/// together give
///
///     R² = 1 − Σ (ŷ_i − y_i)² / Σ (y_i − ȳ)²
///
/// and its rank correlation. The model with the least squared error is chosen; on a tie, the one
/// that stands first. Rows of a test set are no part of this.
///
/// - ŷ_i, y_i: held-out prediction and loss of run i, in nats per token.
///
/// Source: Stone 1974, *Cross-Validatory Choice and Assessment of Statistical Predictions*.
///
/// Departures from the source: none.
package struct CrossValidation: Sendable, Equatable {
  /// How many folds there are, at most one for each run.
  package let foldCount: Int
  /// The fold of each run `[run]`.
  package let folds: [Int]

  /// Fewer runs than this cannot be compared on.
  package static let runMinimum = 4

  /// Deals runs into folds.
  ///
  /// - Parameters:
  ///   - runCount: how many runs there are, at least ``runMinimum``.
  ///   - foldCount: how many folds are wanted, at least 2.
  ///   - seed: of the permutation.
  /// - Throws: ``FittingError/model(_:)`` for too few runs.
  package init(runCount: Int, foldCount: Int = 5, seed: UInt64 = 0) throws(FittingError) {
    precondition(foldCount >= 2, "\(foldCount) folds leave nothing to fit")
    guard runCount >= Self.runMinimum else {
      throw .model(
        .tooFewRuns(found: runCount, needed: Self.runMinimum, purpose: "cross-validate"))
    }
    let count = min(foldCount, runCount)
    var generator = SeededGenerator(seed: seed, stream: "folds")
    var folds = [Int](repeating: 0, count: runCount)
    for (place, run) in (0..<runCount).shuffled(using: &generator).enumerated() {
      folds[run] = place % count
    }
    self.foldCount = count
    self.folds = folds
  }

  /// How well a recipe predicts one loss.
  package struct Score: Sendable, Equatable, Codable {
    /// The recipe's name.
    package let model: String
    /// R², at most 1; nil if all losses are equal.
    package let rSquared: Double?
    /// The square root of the mean squared error, in nats per token.
    package let rootMeanSquaredError: Double
    /// Spearman's ρ; nil if it has no value.
    package let spearman: Double?
    /// Pearson's r; nil if it has no value.
    package let pearson: Double?

    private enum CodingKeys: String, CodingKey {
      case model, spearman, pearson
      case rSquared = "r_squared"
      case rootMeanSquaredError = "root_mean_squared_error"
    }

    /// Compares predictions with losses.
    ///
    /// - Parameters:
    ///   - model: the recipe's name.
    ///   - predictions: ŷ `[run]`.
    ///   - losses: y `[run]`, at least one.
    package init(model: String, predictions: [Double], losses: [Double]) {
      let count = Double(losses.count)
      let mean = losses.reduce(0, +) / count
      let squares = zip(predictions, losses).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let spread = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      self.model = model
      rSquared = losses.contains { $0 != losses[0] } ? 1 - squares / spread : nil
      rootMeanSquaredError = (squares / count).squareRoot()
      spearman = RankCorrelation.spearman(predictions, losses)
      pearson = RankCorrelation.pearson(predictions, losses)
    }
  }

  /// A recipe's score and what it rests on.
  package struct Outcome: Sendable, Equatable {
    /// The recipe.
    package let recipe: ModelRecipe
    /// How well it predicts.
    package let score: Score
    /// ŷ, the held-out predictions `[run]`, in nats per token.
    package let predictions: [Double]
  }

  /// Compares recipes on several losses.
  ///
  /// - Parameters:
  ///   - recipes: which models; what averages share is fitted once.
  ///   - shares: r `[run][domain]`.
  ///   - losses: `[loss][run]`.
  ///   - fitter: fits them.
  ///   - team: the threads.
  /// - Returns: the outcomes `[loss][recipe]`.
  /// - Throws: ``FittingError/model(_:)`` for what LightGBM refuses.
  package func outcomes(
    of recipes: [ModelRecipe], shares: [[Double]], losses: [[Double]], fitter: ModelFitter,
    on team: ThreadTeam
  ) throws(FittingError) -> [[Outcome]] {
    precondition(shares.count == folds.count, "folds of \(folds.count) runs")
    var parts: [ModelRecipe] = []
    for part in recipes.flatMap(\.parts) where !parts.contains(part) { parts.append(part) }
    let fixed = parts
    // One piece is one part on one fold of one loss.
    let pieceCount = losses.count * fixed.count * foldCount
    let pieces = try ParallelMap.map(count: pieceCount, on: team) {
      (piece) throws(FittingError) -> [Double] in
      let fold = piece % foldCount
      let part = fixed[piece / foldCount % fixed.count]
      let column = losses[piece / foldCount / fixed.count]
      let kept = folds.indices.filter { folds[$0] != fold }
      let model = try fitter.fit(
        part, shares: kept.map { shares[$0] }, losses: kept.map { column[$0] })
      return folds.indices.filter { folds[$0] == fold }.map { model.loss(of: shares[$0]) }
    }
    return losses.indices.map { loss in
      let predictions = fixed.indices.map { part in
        let first = (loss * fixed.count + part) * foldCount
        return gathered(Array(pieces[first..<first + foldCount]))
      }
      return recipes.map { recipe in
        let mean = Self.mean(of: recipe) { part in
          predictions[fixed.firstIndex(of: part) ?? 0]
        }
        return Outcome(
          recipe: recipe,
          score: Score(model: recipe.name, predictions: mean, losses: losses[loss]),
          predictions: mean)
      }
    }
  }

  /// Returns the outcome with the least squared error, the first on a tie.
  ///
  /// - Parameter outcomes: of one loss, at least one.
  /// - Returns: one of them.
  package static func best(of outcomes: [Outcome]) -> Outcome {
    precondition(!outcomes.isEmpty, "nothing to choose from")
    return outcomes.dropFirst().reduce(outcomes[0]) { best, outcome in
      // An error that is no number is never the least.
      outcome.score.rootMeanSquaredError < best.score.rootMeanSquaredError
        || best.score.rootMeanSquaredError.isNaN ? outcome : best
    }
  }

  /// Puts the predictions of all folds in the order of the runs.
  private func gathered(_ pieces: [[Double]]) -> [Double] {
    var taken = [Int](repeating: 0, count: foldCount)
    return folds.map { fold in
      defer { taken[fold] += 1 }
      return pieces[fold][taken[fold]]
    }
  }

  private static func mean(
    of recipe: ModelRecipe, predictions: (ModelRecipe) -> [Double]
  ) -> [Double] {
    guard case .average(let recipes) = recipe else { return predictions(recipe) }
    let columns = recipes.map { mean(of: $0, predictions: predictions) }
    return columns[0].indices.map { run in
      columns.reduce(0) { $0 + $1[run] } / Double(columns.count)
    }
  }
}
