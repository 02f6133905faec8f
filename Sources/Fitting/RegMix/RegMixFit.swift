package import Kernels
internal import Mixing

/// RegMix from the runs on: models of the losses, and the mixture that they recommend.
///
/// 1. For each loss, models are compared by cross-validation inside the runs and the best is fitted
///    to all of them.
/// 2. Mixtures are simulated around the prior, and those with the least predicted weighted loss
///    are averaged; further rounds around that average count if they gain more than the root mean
///    square of what held-out predictions of the weighted loss are off by.
/// 3. The models are fitted again to runs drawn with replacement. With s the standard deviation of
///    what they predict for a mixture, its interval is the prediction ± 1.96 s.
///
/// The interval says what other runs would have let the models say of this mixture. It does not
/// hold the noise of a single training, nor what is lost in going to a larger model; and since the
/// mixture is one for which the prediction is low, the prediction leans to the low side.
///
/// Source: Liu et al. 2024, *RegMix* (arXiv:2407.01492), section 3; Efron and Tibshirani 1993, *An
/// Introduction to the Bootstrap*, section 12 (standard normal intervals).
///
/// Departures from the source: the choice of models, the intervals.
package struct RegMixFit: Sendable {
  /// What was asked for.
  package let settings: RegMixSettings
  /// The runs.
  package let table: RunTable
  /// The losses of the objective, with parts that sum to 1 `[loss]`.
  package let targetLosses: [RegMixSettings.TargetLoss]
  /// What was compared `[loss][recipe]`; empty if there were too few runs to compare on.
  package let outcomes: [[CrossValidation.Outcome]]
  /// The recipe of each loss `[loss]`.
  package let recipes: [ModelRecipe]
  /// The model of each loss `[loss]`.
  package let models: [FittedModel]
  /// p `[domain]`, summing to 1.
  package let prior: [Double]
  /// Floors and caps.
  package let box: ShareBox
  /// What the search found.
  package let search: MixtureSearch.Outcome
  /// The recommended mixture and what it is compared with.
  package let candidates: [Candidate]

  /// A mixture and what is predicted for it.
  package struct Candidate: Sendable, Equatable {
    /// What it is: `recommended`, `prior`, `uniform` or `best run`.
    package let name: String
    /// The shares `[domain]`, summing to 1.
    package let shares: [Double]
    /// The objective, in nats per token.
    package var objective: Estimate
    /// The losses of the objective `[loss]`, in nats per token.
    package var losses: [Estimate]
  }

  /// A prediction and how sure it is.
  package struct Estimate: Sendable, Equatable, Codable {
    /// What is predicted, in nats per token.
    package var value: Double
    /// The lower end of the 95 % interval; nil without one.
    package var lower: Double?
    /// The upper end of the 95 % interval; nil without one.
    package var upper: Double?
  }

  /// What is being done now.
  package enum Stage: String, Sendable {
    /// Models are compared.
    case comparing
    /// The chosen ones are fitted.
    case fitting
    /// Mixtures are simulated.
    case searching
    /// Models are fitted to drawn runs.
    case drawing
  }

  /// Fits and searches.
  ///
  /// - Parameters:
  ///   - table: the runs, at least 2.
  ///   - settings: what is asked for.
  ///   - library: LightGBM, where a model needs it.
  ///   - team: the threads; they change no result.
  ///   - report: told what is being done.
  /// - Throws: ``FittingError/model(_:)`` and ``FittingError/sampling(_:)``.
  package init(
    _ table: RunTable, settings: RegMixSettings, library: LightGBMLibrary? = nil,
    on team: ThreadTeam, report: (Stage) -> Void = { _ in }
  ) throws(FittingError) {
    try settings.validate()
    guard table.runCount >= 2 else {
      throw .model(.tooFewRuns(found: table.runCount, needed: 2, purpose: "fit a model"))
    }
    let weightSum = settings.targetLosses.reduce(0) { $0 + $1.weight }
    targetLosses = settings.targetLosses.map { .init(name: $0.name, weight: $0.weight / weightSum) }
    let work = RegMixWork(
      settings: settings, fitter: ModelFitter(seed: settings.seed, library: library),
      shares: settings.shareForm == .written ? table.writtenShares : table.shares,
      losses: try Self.columns(targetLosses, of: table), weights: targetLosses.map(\.weight))
    let box = try settings.box(domainNames: table.domainNames)
    let prior = try settings.prior(of: table)
    report(.comparing)
    (outcomes, recipes) = try work.choose(on: team)
    report(.fitting)
    let models = try work.fit(recipes, on: team)
    report(.searching)
    var search = MixtureSearch()
    search.candidateCount = settings.candidateCount
    search.keptCount = settings.keptCount
    search.roundCount = settings.roundCount
    search.strength = settings.searchStrength
    search.divergenceStrength = settings.divergenceStrength
    search.seed = settings.seed
    search.tolerance = work.heldOutError(outcomes)
    self.search = search.run(prior: prior, box: box, on: team) { work.objective(models, $0) }
    let best = work.bestRun
    let uniform = [Double](repeating: 1 / Double(table.domainCount), count: table.domainCount)
    var candidates = [
      ("recommended", self.search.shares), ("prior", prior), ("uniform", uniform),
      ("best run", table.shares[best]),
    ].map { work.candidate($0.0, shares: $0.1, models: models) }
    if settings.drawCount > 1 {
      report(.drawing)
      try work.addIntervals(to: &candidates, recipes: recipes, models: models, on: team)
    }
    self.settings = settings
    self.table = table
    self.models = models
    self.prior = prior
    self.box = box
    self.candidates = candidates
  }

  /// The recommended mixture.
  package var recommended: Candidate { candidates[0] }

  private static func columns(
    _ targetLosses: [RegMixSettings.TargetLoss], of table: RunTable
  ) throws(FittingError) -> [[Double]] {
    var columns: [[Double]] = []
    for loss in targetLosses {
      guard let column = table.losses(named: loss.name) else {
        let near = NearNames.of(loss.name, in: table.lossNames)
        throw .model(.unknownLoss(name: loss.name, near: near, known: table.lossNames))
      }
      columns.append(column)
    }
    return columns
  }
}

extension RegMixFit {
  /// What was observed and what the chosen models predicted without having seen it, as CSV.
  ///
  /// A row for each run, two columns for each loss; only the header if there were too few runs.
  package var heldOutTable: String {
    let header = ["run"] + targetLosses.flatMap { [$0.name, $0.name + " held out"] }
    guard !outcomes.isEmpty else { return CSVTable.text(of: [header]) }
    let columns = targetLosses.indices.flatMap { loss in
      let observed = table.losses(named: targetLosses[loss].name) ?? []
      return [observed, CrossValidation.best(of: outcomes[loss]).predictions]
    }
    let rows = table.runNames.indices.map { run in
      [table.runNames[run]] + columns.map { "\($0[run])" }
    }
    return CSVTable.text(of: [header] + rows)
  }

  /// What a reader of the recommendation should know, as sentences; most fits have none.
  package var warnings: [String] {
    var warnings: [String] = []
    for (domain, name) in table.domainNames.enumerated() {
      let column = table.shares.map { $0[domain] }
      let (least, most) = (column.min() ?? 0, column.max() ?? 0)
      let share = recommended.shares[domain]
      if most == 0 {
        warnings.append("no run drew from '\(name)': the models know nothing of it")
      } else if share > most || share < least {
        let (from, to) = (Self.rounded(least), Self.rounded(most))
        warnings.append(
          "the recommended share of '\(name)', \(Self.rounded(share)), lies outside those of the "
            + "runs, \(from)…\(to)")
      }
    }
    for (outcomes, loss) in zip(outcomes, targetLosses) {
      let score = CrossValidation.best(of: outcomes).score
      if score.spearman ?? 0 < 0.5 {
        warnings.append(
          "held-out predictions of '\(loss.name)' hardly order the runs (rank correlation "
            + "\(score.spearman.map(Self.rounded) ?? "none")): more runs are needed")
      }
    }
    if outcomes.isEmpty {
      warnings.append(
        "\(table.runCount) runs are too few to compare models on: "
          + "\(recipes[0].name) was taken unseen")
    }
    if !table.unmatchedRuns.isEmpty {
      warnings.append(
        "\(table.unmatchedRuns.count) runs have only a mixture or only losses and are left out")
    }
    return warnings
  }

  private static func rounded(_ value: Double) -> String {
    "\((value * 1e4).rounded() / 1e4)"
  }
}
