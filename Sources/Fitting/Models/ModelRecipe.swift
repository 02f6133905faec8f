internal import Kernels
internal import Mixing

/// Which kind of model is fitted, and with which settings.
package indirect enum ModelRecipe: Sendable, Equatable {
  /// Least squares; with a penalty above 0, ridge.
  case linear(penalty: Double)
  /// A power law.
  case powerLaw(PowerLaw.Form)
  /// Trees of our own.
  case trees(BoostedTrees)
  /// LightGBM's trees.
  case lightGBM(BoostedTrees)
  /// A Gaussian process.
  case gaussianProcess
  /// The mean of the predictions of several.
  case average([ModelRecipe])

  /// The penalty of the paper's linear fit.
  package static let paperPenalty = 0.01

  /// The recipes by name, in the order in which they are listed.
  private static let named: [(name: String, recipe: ModelRecipe)] = [
    ("linear", .linear(penalty: 0)),
    ("ridge", .linear(penalty: paperPenalty)),
    ("power-law", .powerLaw(.shared)),
    ("power-law-domains", .powerLaw(.perDomain)),
    ("power-law-terms", .powerLaw(.twoTerms)),
    ("trees", .trees(BoostedTrees())),
    ("lightgbm", .lightGBM(BoostedTrees())),
    ("gaussian-process", .gaussianProcess),
    ("average", .average([.powerLaw(.shared), .gaussianProcess, .trees(BoostedTrees())])),
  ]

  /// The names of all recipes.
  package static var names: [String] { named.map(\.name) }

  /// What cross-validation chooses from: ridge, which needs the fewest runs, each model that needs
  /// no library of others, and the means of unlike ones.
  package static var candidates: [ModelRecipe] {
    let singles: [ModelRecipe] = [
      .linear(penalty: paperPenalty), .powerLaw(.shared), .powerLaw(.perDomain),
      .powerLaw(.twoTerms), .trees(BoostedTrees()), .gaussianProcess,
    ]
    let trees = ModelRecipe.trees(BoostedTrees())
    return singles + [
      .average([.powerLaw(.shared), trees]),
      .average([.powerLaw(.shared), .gaussianProcess, trees]),
      .average([.powerLaw(.twoTerms), .gaussianProcess, trees]),
    ]
  }

  /// Creates a recipe by name.
  ///
  /// - Parameter name: one of ``names``, or some of them with plus signs between, for their
  /// average.
  /// - Throws: ``FittingError/model(_:)`` for a name that is not known.
  package init(named name: String) throws(FittingError) {
    if let known = Self.named.first(where: { $0.name == name }) {
      self = known.recipe
      return
    }
    let parts = name.split(separator: "+", omittingEmptySubsequences: false)
    guard parts.count > 1 else {
      throw .model(
        .unknownModel(name: name, near: NearNames.of(name, in: Self.names), known: Self.names))
    }
    var recipes: [ModelRecipe] = []
    for part in parts { recipes.append(try ModelRecipe(named: String(part))) }
    self = .average(recipes)
  }

  /// The recipe's name.
  package var name: String {
    switch self {
    case .linear(let penalty): penalty == 0 ? "linear" : "ridge"
    case .powerLaw(.shared): "power-law"
    case .powerLaw(.perDomain): "power-law-domains"
    case .powerLaw(.twoTerms): "power-law-terms"
    case .trees: "trees"
    case .lightGBM: "lightgbm"
    case .gaussianProcess: "gaussian-process"
    case .average(let recipes): recipes.map(\.name).joined(separator: "+")
    }
  }

  /// The recipes that are fitted for this one: its own, or those of its parts.
  var parts: [ModelRecipe] {
    if case .average(let recipes) = self { recipes.flatMap(\.parts) } else { [self] }
  }

  /// Whether the recipe needs LightGBM's library.
  package var needsLibrary: Bool {
    parts.contains { if case .lightGBM = $0 { true } else { false } }
  }
}

/// Fits recipes.
package struct ModelFitter: Sendable {
  /// Seeds the starts of each fit, by the recipe's name.
  package var seed: UInt64
  /// LightGBM, where it is used.
  package var library: LightGBMLibrary?

  /// Creates a fitter.
  package init(seed: UInt64 = 0, library: LightGBMLibrary? = nil) {
    self.seed = seed
    self.library = library
  }

  /// Fits a recipe to runs.
  ///
  /// - Parameters:
  ///   - recipe: which model.
  ///   - shares: r `[run][domain]`, each ≥ 0; at least one run and one domain.
  ///   - losses: y `[run]`, finite.
  ///   - start: a model of the same recipe, fitted to other draws of the same runs, that a search
  ///     may begin at; nil for none.
  /// - Returns: the model.
  /// - Throws: ``FittingError/model(_:)`` for what LightGBM refuses.
  package func fit(
    _ recipe: ModelRecipe, shares: [[Double]], losses: [Double], start: FittedModel? = nil
  ) throws(FittingError) -> FittedModel {
    var generator = SeededGenerator(seed: seed, stream: "starts of \(recipe.name)")
    switch recipe {
    case .linear(let penalty):
      return .linear(LinearModel(shares: shares, losses: losses, penalty: penalty))
    case .powerLaw(let form):
      var law: PowerLaw?
      if case .powerLaw(let found) = start { law = found }
      return .powerLaw(
        PowerLaw(form, shares: shares, losses: losses, start: law, using: &generator))
    case .trees(let settings):
      return .trees(settings.fit(shares: shares, losses: losses))
    case .lightGBM(let settings):
      guard let library else {
        throw .model(.libraryNotNamed(variable: LightGBMLibrary.variable))
      }
      return .trees(try library.fit(settings, shares: shares, losses: losses).ensemble)
    case .gaussianProcess:
      var process: GaussianProcess?
      if case .gaussianProcess(let found) = start { process = found }
      return .gaussianProcess(
        GaussianProcess(shares: shares, losses: losses, start: process, using: &generator))
    case .average(let recipes):
      var starts: [FittedModel] = []
      if case .average(let found) = start { starts = found.models }
      var models: [FittedModel] = []
      for (index, part) in recipes.enumerated() {
        let start = starts.indices.contains(index) ? starts[index] : nil
        models.append(try fit(part, shares: shares, losses: losses, start: start))
      }
      return .average(ModelAverage(models))
    }
  }
}
