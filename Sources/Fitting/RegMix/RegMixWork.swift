internal import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The steps of a ``RegMixFit``, on shares of the form that was asked for.
struct RegMixWork: Sendable {
  let settings: RegMixSettings
  let fitter: ModelFitter
  /// `[run][domain]`.
  let shares: [[Double]]
  /// `[loss][run]`, in nats per token.
  let losses: [[Double]]
  /// The parts of the losses `[loss]`, summing to 1.
  let weights: [Double]

  /// Step 1: compares models where there are runs enough.
  func choose(
    on team: ThreadTeam
  ) throws(FittingError) -> (outcomes: [[CrossValidation.Outcome]], recipes: [ModelRecipe]) {
    var candidates = ModelRecipe.candidates
    if let name = settings.model { candidates = [try ModelRecipe(named: name)] }
    if candidates.contains(where: \.needsLibrary), fitter.library == nil {
      throw .model(.libraryNotNamed(variable: LightGBMLibrary.variable))
    }
    guard shares.count >= CrossValidation.runMinimum else {
      // The smooth law is the one that needs the fewest runs.
      let recipe = settings.model == nil ? ModelRecipe.powerLaw(.shared) : candidates[0]
      return ([], losses.map { _ in recipe })
    }
    let validation = try CrossValidation(
      runCount: shares.count, foldCount: settings.foldCount, seed: settings.seed)
    let outcomes = try validation.outcomes(
      of: candidates, shares: shares, losses: losses, fitter: fitter, on: team)
    return (outcomes, outcomes.map { CrossValidation.best(of: $0).recipe })
  }

  /// Fits every loss's recipe to all runs.
  func fit(_ recipes: [ModelRecipe], on team: ThreadTeam) throws(FittingError) -> [FittedModel] {
    try ParallelMap.map(count: losses.count, on: team) { (loss) throws(FittingError) in
      try fitter.fit(recipes[loss], shares: shares, losses: losses[loss])
    }
  }

  /// Σ ω L.
  func objective(_ models: [FittedModel], _ shares: [Double]) -> Double {
    zip(models, weights).reduce(0) { $0 + $1.1 * $1.0.loss(of: shares) }
  }

  /// The run with the least weighted loss.
  var bestRun: Int {
    let objectives = shares.indices.map { run in
      zip(losses, weights).reduce(0) { $0 + $1.1 * $1.0[run] }
    }
    return objectives.indices.min { objectives[$0] < objectives[$1] } ?? 0
  }

  /// The root mean squared error of the held-out weighted losses; 0 where nothing was held out.
  func heldOutError(_ outcomes: [[CrossValidation.Outcome]]) -> Double {
    guard !outcomes.isEmpty else { return 0 }
    let predictions = outcomes.map { CrossValidation.best(of: $0).predictions }
    let squares = shares.indices.map { run in
      let error = losses.indices.reduce(0) {
        $0 + weights[$1] * (predictions[$1][run] - losses[$1][run])
      }
      return error * error
    }
    let mean = squares.reduce(0, +) / Double(squares.count)
    return mean.isFinite ? mean.squareRoot() : 0
  }

  func candidate(
    _ name: String, shares: [Double], models: [FittedModel]
  ) -> RegMixFit.Candidate {
    RegMixFit.Candidate(
      name: name, shares: shares,
      objective: RegMixFit.Estimate(value: objective(models, shares)),
      losses: models.map { RegMixFit.Estimate(value: $0.loss(of: shares)) })
  }

  /// Step 3.
  func addIntervals(
    to candidates: inout [RegMixFit.Candidate], recipes: [ModelRecipe], models: [FittedModel],
    on team: ThreadTeam
  ) throws(FittingError) {
    let mixtures = candidates.map(\.shares)
    // One piece is one loss in one draw of the runs; all losses see the same draw.
    let pieces = try ParallelMap.map(
      count: settings.drawCount * losses.count, on: team
    ) { (piece) throws(FittingError) -> [Double] in
      let (draw, loss) = (piece / losses.count, piece % losses.count)
      var generator = SeededGenerator(seed: settings.seed, stream: "draw \(draw) of the runs")
      let runs = shares.map { _ in Int.random(in: 0..<shares.count, using: &generator) }
      let model = try fitter.fit(
        recipes[loss], shares: runs.map { shares[$0] }, losses: runs.map { losses[loss][$0] },
        start: models[loss])
      return mixtures.map { model.loss(of: $0) }
    }
    for index in candidates.indices {
      let columns = losses.indices.map { loss in
        (0..<settings.drawCount).map { pieces[$0 * losses.count + loss][index] }
      }
      for loss in losses.indices {
        Self.setInterval(of: &candidates[index].losses[loss], from: columns[loss])
      }
      let objectives = (0..<settings.drawCount).map { draw in
        zip(columns, weights).reduce(0) { $0 + $1.1 * $1.0[draw] }
      }
      Self.setInterval(of: &candidates[index].objective, from: objectives)
    }
  }

  private static func setInterval(of estimate: inout RegMixFit.Estimate, from values: [Double]) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    // 1.96: the normal distribution's 97.5 % point.
    let half = 1.96 * (squares / (count - 1)).squareRoot()
    estimate.lower = estimate.value - half
    estimate.upper = estimate.value + half
  }
}
