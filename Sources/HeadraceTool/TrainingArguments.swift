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
      "Start from what a policy learned in another run (--save-policy); the same as --option from.",
      valueName: "file"))
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
  /// that other options name the run folder keeps copies.
  private static func resolvedOptions(of recipe: PolicyRecipe, corpus: Corpus) throws
    -> [String: String]
  {
    let context = PolicyContext(
      domainNames: corpus.domainNames, sequenceCounts: corpus.domains.map { _ in 1 })
    func weights(atPath path: String) throws -> String {
      let weights = try MixtureFile.mixture(atPath: path, in: context).weights
      return zip(corpus.domainNames, weights).map { "\($0)=\($1)" }.joined(separator: ",")
    }
    var options = recipe.options
    if let path = options.removeValue(forKey: "file") {
      options["mixture"] = "weights"
      options["weights"] = try weights(atPath: path)
    }
    if let prior = options["prior"], prior.hasSuffix(".json") {
      options["prior"] = try weights(atPath: prior)
    }
    return options
  }

  /// Returns the fully resolved configuration of a run on the corpus at `corpusPath`.
  func configuration(
    corpusPath: String, loader: LoaderArguments, skipsDamage: Bool, savesPolicy: Bool
  ) throws -> RunConfiguration {
    let corpus = try Corpus(at: corpusPath)
    var loader = loader
    if let policyFrom { loader.option.append("from=\(policyFrom)") }
    if freeze { loader.option.append("freeze=true") }
    if savesPolicy {
      let defaults = loader.optionsForSaving()
      loader.option += defaults
      for option in defaults {
        StandardError.write(
          "the policy \(loader.policy) is saved for other runs: it learns with --option \(option), "
            + "so that no gradients are collected where it is frozen\n")
      }
    }
    let recipe = try loader.recipe()
    let batchTokens = max(1, loader.rows).multipliedReportingOverflow(
      by: max(1, loader.sequenceLength))
    let perStep = batchTokens.overflow ? Int.max : batchTokens.partialValue
    let stepCount = steps ?? tokens.map { ($0 - 1) / perStep + 1 } ?? 1000
    var configuration = RunConfiguration(
      corpusPath: URL(fileURLWithPath: corpusPath).standardizedFileURL.path, policy: recipe.name,
      policyOptions: try Self.resolvedOptions(of: recipe, corpus: corpus),
      rows: loader.rows,
      model: LanguageModelConfiguration(
        vocabularySize: corpus.tokenizer.vocabularySize, sequenceLength: loader.sequenceLength,
        layerCount: layers, width: width, headCount: heads),
      stepCount: stepCount, learningRate: learningRate, seed: loader.seed)
    var options = try loader.options()
    options.quarantine = skipsDamage ? .collect : .off
    configuration.loader = RunConfiguration.LoaderSettings(
      options, grouping: loader.batch().grouping)
    try followRecordedRun(in: &configuration, corpus: corpus)
    try resolveGradients(in: &configuration, recipe: recipe, corpus: corpus)
    configuration.optimizer.weightDecay = weightDecay
    if let warmUpSteps { configuration.schedule.warmUpStepCount = warmUpSteps }
    if let evaluationInterval { configuration.evaluation.stepInterval = evaluationInterval }
    configuration.evaluation.tokenLimit = max(evaluationTokens, loader.sequenceLength)
    if let checkpointInterval { configuration.checkpoints.stepInterval = checkpointInterval }
    configuration.checkpoints.keepCount = keepCheckpoints
    configuration.threadCount = computeThreads ?? min(1024, Processors.onlineCount)
    return configuration
  }

  /// Groups rows as the run did whose ledger the policy replays, and says in what else that run
  /// differs: its batches come out again only where nothing does.
  private func followRecordedRun(
    in configuration: inout RunConfiguration, corpus: Corpus
  ) throws {
    guard let path = configuration.policyOptionsWithPaths["ledger"] else { return }
    let ledger = try Ledger(at: path)
    let recorded = ledger.header.identity
    if configuration.loader.grouping == nil, let grouping = recorded.grouping {
      configuration.loader.grouping = grouping
      StandardError.write(
        "the recorded run had rows in micro-batches of \(grouping.microBatchRows) of one domain: "
          + "this one, too\n")
    }
    let names = corpus.domains.map(\.name)
    guard recorded.domains.map(\.name) == names else {
      throw ToolFailure(
        "the run of \(path) had the domains "
          + "\(recorded.domains.map(\.name).joined(separator: ", ")), this corpus has "
          + "\(names.joined(separator: ", ")). Replay it on its own corpus.")
    }
    let differences = [
      ("data", recorded.domains.map(\.fingerprint) != corpus.domains.map(\.fingerprint)),
      ("rows", ledger.lines.contains { $0.rows != configuration.rows }),
      ("sequence length", recorded.sequenceLength != configuration.sequenceLength),
      ("seed", recorded.seed != configuration.seed),
      ("units per pool", recorded.unitsPerPool != configuration.loader.unitsPerPool),
      ("draw", recorded.draw != configuration.loader.draw),
      ("grouping", recorded.grouping != configuration.loader.grouping),
    ].filter(\.1).map(\.0)
    guard !differences.isEmpty else { return }
    StandardError.write(
      "note: the recorded run differs in \(differences.joined(separator: ", ")); the mixtures are "
        + "its own, but the batches are not\n")
  }

  /// Settles how gradients by domain are measured, where the policy reads them.
  private func resolveGradients(
    in configuration: inout RunConfiguration, recipe: PolicyRecipe, corpus: Corpus
  ) throws {
    let context = PolicyContext(
      domainNames: corpus.domainNames,
      sequenceCounts: corpus.domains.map {
        $0.tokenCount(of: .train) / max(1, configuration.sequenceLength)
      }, stepCount: max(1, configuration.stepCount))
    let options = configuration.policyOptionsWithPaths
    let needs = try PolicyRegistry.complete.recipe(named: recipe.name, options: options)
      .makePolicy(in: context).feedbackNeeds
    guard needs.gradients || needs.norms else {
      guard gradients == nil, gradientProjection == nil else {
        throw ToolFailure(
          "the policy \(recipe.name) reads no gradients, so that there is nothing for --gradients "
            + "and --gradient-projection to say. Leave them out.")
      }
      return
    }
    configuration.gradients = GradientSettings(
      watched: gradients ?? WatchedParameters.all.text, projectionWidth: gradientProjection)
    guard needs.gradients, configuration.loader.grouping == nil else { return }
    let domainCount = corpus.domains.count
    guard
      let grouping = BatchConfiguration.Grouping.forGradients(
        rows: configuration.rows, domainCount: domainCount)
    else {
      throw ToolFailure(
        "the policy \(recipe.name) reads the gradients of single domains, for which each of "
          + "\(domainCount) needs two rows of a batch of \(configuration.rows). Give --rows "
          + "\(2 * domainCount) or more, or group the rows yourself (--grouping 1 --every-domain).")
    }
    configuration.loader.grouping = grouping
    StandardError.write(
      "the policy \(recipe.name) reads gradients by domain: rows come in micro-batches of "
        + "\(grouping.microBatchRows) of one domain, one for every domain (--grouping "
        + "\(grouping.microBatchRows) --every-domain)\n")
  }
}
