internal import ArgumentParser
internal import Corpora
internal import Foundation
internal import Loading
internal import Mixing
internal import Training

/// The options that describe a model and its training.
struct TrainingArguments: ParsableArguments {
  @Option(help: "The steps of the run (default: 1000, or as many as --tokens needs).")
  var steps: Int?

  @Option(help: "The tokens of the run, instead of --steps.")
  var tokens: Int?

  @Option(help: "The layers of the model.")
  var layers = 4

  @Option(help: "The width of the model; a multiple of twice the heads.")
  var width = 128

  @Option(help: "The attention heads of a layer.")
  var heads = 4

  @Option(help: "The largest learning rate; it falls to a tenth of it.")
  var learningRate = 2e-3

  @Option(help: "The steps until the learning rate is largest (default: a fiftieth, at most 200).")
  var warmUpSteps: Int?

  @Option(help: "The decay of AdamW, applied to matrices.")
  var weightDecay: Float = 0.1

  @Option(help: "The steps between evaluations (default: a twentieth of the run).")
  var evaluationInterval: Int?

  @Option(help: "The most held-out tokens of each domain that an evaluation reads.")
  var evaluationTokens = 1 << 15

  @Option(help: "The steps between checkpoints (default: a tenth of the run).")
  var checkpointInterval: Int?

  @Option(help: "The newest checkpoints that are kept.")
  var keepCheckpoints = 2

  @Option(help: "The threads that compute (default: one per core); they change no result.")
  var computeThreads: Int?

  @Option(
    help: ArgumentHelp(
      "For a policy that reads gradients by domain, the parameters that are watched: all, or such "
        + "as hidden-output, hidden-output:2,3 or attention-output:3+head (default: all).",
      valueName: "parameters"))
  var gradients: String?

  @Option(
    help: ArgumentHelp(
      "Project the watched gradients to so many numbers, by the run's seed; inner products then "
        + "have an error of at most sqrt(2 / width) of the norms' product, in root mean square.",
      valueName: "width"))
  var gradientProjection: Int?

  @Option(
    help: ArgumentHelp(
      "Start from what a policy learned in another run: its folder, or what --save-policy wrote; the "
        + "same as --option from.", valueName: "path"))
  var policyFrom: String?

  @Flag(
    help: """
      With --policy-from: the policy learns nothing more, and no gradients are measured for it \
      (unless --option measured=true has them measured); the same as --option freeze=true.
      """)
  var freeze = false

  func validate() throws {
    if steps != nil && tokens != nil {
      throw ValidationError("--steps and --tokens say the same; give one of them")
    }
    let counts = [
      ("--steps", steps), ("--tokens", tokens), ("--evaluation-interval", evaluationInterval),
      ("--checkpoint-interval", checkpointInterval), ("--compute-threads", computeThreads),
    ]
    for (name, value) in counts {
      if let value, value < 1 {
        throw ValidationError("\(name) is \(value), but must be at least 1")
      }
    }
    guard learningRate > 0, learningRate.isFinite else {
      throw ValidationError("--learning-rate is \(learningRate), but must be a positive number")
    }
    if freeze && policyFrom == nil {
      throw ValidationError("--freeze goes with --policy-from: it keeps what was learned before")
    }
    if let warmUpSteps, warmUpSteps < 0 {
      throw ValidationError("--warm-up-steps is \(warmUpSteps), but must be at least 0")
    }
  }

  /// The options of a policy, with the weights in place of the files that they come from: a file
  /// may change or go, the run folder is complete by itself.
  ///
  /// `file` is that of a policy's fixed or first mixture, `prior` that of the bounds. Of the files
  /// that other options name the run folder keeps copies; they stand as they were `given`.
  private static func resolvedOptions(
    of recipe: PolicyRecipe, given: [String: String], corpus: Corpus
  ) throws -> [String: String] {
    let context = PolicyContext(
      domainNames: corpus.domainNames, sequenceCounts: corpus.domains.map { _ in 1 })
    func weights(atPath path: String) throws -> String {
      let weights = try MixtureFile.mixture(atPath: path, in: context).weights
      // In the order in which such options are written where they come from weights.
      return zip(corpus.domainNames, weights).sorted { $0.0 < $1.0 }.map { "\($0)=\($1)" }
        .joined(separator: ",")
    }
    var options = recipe.options
    if let path = options.removeValue(forKey: "file") {
      options["mixture"] = "weights"
      options["weights"] = try weights(atPath: path)
    }
    if let prior = options["prior"], prior.hasSuffix(".json") {
      options["prior"] = try weights(atPath: prior)
    }
    for option in PolicyRegistry.pathOptions where options[option] != nil {
      options[option] = given[option] ?? options[option]
    }
    return options
  }

  /// Returns the fully resolved configuration of a run on the corpus at `corpusPath`.
  ///
  /// `begun` is the folder of a run that goes on: what it keeps of the policy's files is read in
  /// place of them.
  func configuration(
    corpusPath: String, loader: LoaderArguments, skipsDamage: Bool, savesPolicy: Bool,
    begun: RunFolder?
  ) throws -> RunConfiguration {
    let corpus = try Corpus(at: corpusPath)
    let given = try policyOptions(loader, savesPolicy: savesPolicy, begun: begun)
    let recipe = try PolicyRegistry.complete.recipe(
      named: loader.policy, options: RunFolder.withPolicyFiles(given, keptIn: begun))
    let batchTokens = max(1, loader.rows).multipliedReportingOverflow(
      by: max(1, loader.sequenceLength))
    let perStep = batchTokens.overflow ? Int.max : batchTokens.partialValue
    let stepCount = steps ?? tokens.map { ($0 - 1) / perStep + 1 } ?? 1000
    var configuration = RunConfiguration(
      corpusPath: URL(fileURLWithPath: corpusPath).standardizedFileURL.path, policy: recipe.name,
      policyOptions: try Self.resolvedOptions(of: recipe, given: given, corpus: corpus),
      rows: loader.rows,
      model: LanguageModelConfiguration(
        vocabularySize: corpus.tokenizer.vocabularySize, sequenceLength: loader.sequenceLength,
        layerCount: layers, width: width, headCount: heads),
      stepCount: stepCount, learningRate: learningRate, seed: loader.seed)
    configuration.optimizer.weightDecay = weightDecay
    if let warmUpSteps { configuration.schedule.warmUpStepCount = warmUpSteps }
    if let evaluationInterval { configuration.evaluation.stepInterval = evaluationInterval }
    configuration.evaluation.tokenLimit = max(evaluationTokens, loader.sequenceLength)
    if let checkpointInterval { configuration.checkpoints.stepInterval = checkpointInterval }
    configuration.checkpoints.keepCount = keepCheckpoints
    configuration.threadCount = computeThreads ?? min(1024, Processors.onlineCount)
    var options = try loader.options()
    options.quarantine = skipsDamage ? .collect : .off
    options.stepCount = stepCount
    try settle(
      &configuration, on: corpus, batch: loader.batch(), options: options, begun: begun)
    return configuration
  }

  /// The policy's options by name: those given, and what makes a saved policy useful elsewhere.
  private func policyOptions(
    _ loader: LoaderArguments, savesPolicy: Bool, begun: RunFolder?
  ) throws -> [String: String] {
    var options = loader.policyOptions
    if let policyFrom { options["from"] = policyFrom }
    if freeze { options["freeze"] = "true" }
    if let begun { options = try begun.keptOptions(options, ofPolicy: loader.policy) }
    guard savesPolicy else { return options }
    let added = PolicyRegistry.complete.optionsForSaving(named: loader.policy, options: options)
    for (name, value) in added.sorted(by: { $0.key < $1.key }) {
      options[name] = value
      StandardError.write(
        "the policy \(loader.policy) is saved for other runs: it learns with --option "
          + "\(name)=\(value), so that no gradients are collected where it is frozen\n")
    }
    return options
  }

  /// Settles what follows from the policy, and says so once nothing of it is refused.
  private func settle(
    _ configuration: inout RunConfiguration, on corpus: Corpus, batch: BatchConfiguration,
    options: LoaderOptions, begun: RunFolder?
  ) throws {
    let recipe = try PolicyRegistry.complete.recipe(
      named: configuration.policy, options: configuration.policyOptions(keptIn: begun))
    var setup = LoaderSetup(
      policy: recipe, batch: batch, seed: configuration.seed, options: options)
    try setup.settle(on: corpus)
    configuration.loader = RunConfiguration.LoaderSettings(
      setup.options, grouping: setup.batch.grouping)
    if setup.needs.gradients || setup.needs.norms {
      configuration.gradients = GradientSettings(
        watched: gradients ?? WatchedParameters.all.text, projectionWidth: gradientProjection)
    } else if gradients != nil || gradientProjection != nil {
      throw ValidationError(
        "the policy \(recipe.name) reads no gradients, so that there is nothing for --gradients "
          + "and --gradient-projection to say. Leave them out.")
    }
    try configuration.validate()
    for note in setup.notes { StandardError.write("\(note)\n") }
  }
}
