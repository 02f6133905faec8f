internal import ArgumentParser
internal import Corpora
internal import Fitting
internal import Kernels

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// `headrace fit regmix`: a regression of losses on mixtures, and the mixture that it recommends.
struct FitRegMixCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "regmix",
    abstract: "Fits a regression of losses on mixtures, and searches the mixture with the least.",
    discussion: """
      The tables are CSV with a header: one row for each proxy run, a column of shares for each \
      domain in the one, a column for each loss in the other. They are joined on the column index, \
      or by row. One file may be both, with --domain-columns.

      Models are compared by cross-validation inside these runs, and the one with the least error \
      is fitted to all; or --model names one: \(ModelRecipe.names.joined(separator: ", ")), or \
      some of them with + between, for their average. lightgbm needs LightGBM's own library \
      (lib_lightgbm.so), named by --lightgbm or \(LightGBMLibrary.variable).

      Mixtures are then simulated around the prior, and those with the least predicted loss \
      averaged. The folder gets mixture.json, which a static policy reads, models.json, with which \
      headrace predict predicts, and held_out.csv, the predictions of the cross-validation.

      EXAMPLES
        headrace fit regmix --mixtures m.csv --losses l.csv --target web_loss -o fits/web
        headrace fit regmix --mixtures m.csv --losses l.csv --target web=2 --target code=1 -o fits/b
        headrace fit regmix --mixtures runs.csv --losses runs.csv --domain-columns web,code \\
          --target loss --available code=2e9 --tokens 1e10 --epochs 4 -o fits/capped
        headrace train corpora/web --policy static --option file=fits/web/mixture.json
      """)

  @Option(help: ArgumentHelp("The table of mixtures.", valueName: "file.csv"))
  var mixtures: String

  @Option(help: ArgumentHelp("The table of losses.", valueName: "file.csv"))
  var losses: String

  @Option(
    help: ArgumentHelp(
      "The column of a loss to make small, with its weight if there are several; may be repeated.",
      valueName: "column[=weight]"))
  var target: [String]

  @Option(name: [.short, .long], help: "The folder of what is found.")
  var output: String

  @Flag(help: "Replace the files of an earlier fit.")
  var force = false

  @OptionGroup(title: "TABLES")
  var tables: RunTableArguments

  @Option(help: ArgumentHelp("The model (default: auto, the best one).", valueName: "name"))
  var model = "auto"

  @Option(help: "The folds of the cross-validation.")
  var folds = 5

  @Flag(help: "Fit shares as they are written, as the paper does, and not divided by their sum.")
  var writtenShares = false

  @Option(help: ArgumentHelp("LightGBM's library.", valueName: "path"))
  var lightgbm: String?

  @Option(
    help: ArgumentHelp(
      "The prior share of a domain, in proportion; for all domains (default: the runs' mean).",
      valueName: "domain=share"))
  var prior: [NamedNumber] = []

  @Option(
    help: ArgumentHelp("The least share of a domain; repeated.", valueName: "domain=share"))
  var floor: [NamedNumber] = []

  @Option(
    help: ArgumentHelp("The largest share of a domain; repeated.", valueName: "domain=share"))
  var cap: [NamedNumber] = []

  @Option(
    help: ArgumentHelp(
      "The tokens that a domain has; with --tokens and --epochs, its cap.",
      valueName: "domain=tokens"))
  var available: [NamedNumber] = []

  @Option(help: "The tokens of the run that the mixture is for.")
  var tokens: Double?

  @Option(help: "How often a domain's tokens may be read.")
  var epochs = 4.0

  @Option(
    help: ArgumentHelp(
      "The nats of loss that one nat of divergence from the prior counts.", valueName: "nats"))
  var divergence = 0.0

  @Option(help: "The mixtures that are simulated.")
  var candidates = MixtureSearch().candidateCount

  @Option(help: "The best of those that are averaged.")
  var top = MixtureSearch().keptCount

  @Option(help: "The rounds of simulation, each around what the last one found; 1 is the paper's.")
  var rounds = MixtureSearch().roundCount

  @Option(help: "How near to the prior those of the first round are drawn.")
  var searchStrength = MixtureSearch().strength

  @Option(help: "The draws of runs that the intervals are from; 0 for no intervals.")
  var draws = 40

  @Option(help: "The seed.")
  var seed: UInt64 = 0

  @Option(help: "The threads (default: one per core); they change no result.")
  var threads: Int?

  @Flag(help: "Print mixture.json.")
  var json = false

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads is \(threads); it lies in 1...1024")
    }
    _ = try settings()
  }

  func run() throws {
    for name in FitFolder.fileNames where !force {
      if FileManager.default.fileExists(atPath: output + "/" + name) {
        throw ToolFailure("\(output)/\(name) stands there already. Give --force to replace it.")
      }
    }
    let settings = try settings()
    let table = try RunTable(
      mixturesPath: mixtures, lossesPath: losses,
      reading: tables.reading(lossColumns: settings.targetLosses.map(\.name)))
    var library: LightGBMLibrary?
    if let name = settings.model, try ModelRecipe(named: name).needsLibrary {
      library = try LightGBMLibrary(atPath: lightgbm)
    }
    var status = StatusLine()
    let team = ThreadTeam(threadCount: threads ?? min(Processors.onlineCount, 1024))
    defer { status.end(erasing: true) }
    let fit = try RegMixFit(table, settings: settings, library: library, on: team) { stage in
      if status.isTerminal { status.show(Self.text(of: stage, runCount: table.runCount)) }
    }
    status.end(erasing: true)
    let mixture = FittedMixture(fit, toolVersion: HeadraceCommand.configuration.version)
    let folder = FitFolder(output)
    try folder.write(
      mixture: mixture, models: StoredModels(fit, domainPrefix: tables.domainPrefix),
      heldOut: fit.heldOutTable)
    if json {
      print(String(decoding: try mixture.json(), as: UTF8.self), terminator: "")
    } else {
      print(RegMixReport(fit, folder: output).text)
    }
  }

  private static func text(of stage: RegMixFit.Stage, runCount: Int) -> String {
    switch stage {
    case .comparing: "comparing models on \(NumberText.counted(runCount, "run"))"
    case .fitting: "fitting"
    case .searching: "simulating mixtures"
    case .drawing: "fitting drawn runs, for intervals"
    }
  }

  private func settings() throws -> RegMixSettings {
    var settings = RegMixSettings(
      targetLosses: target.map { text in
        NamedNumber(argument: text).map { .init(name: $0.name, weight: $0.number) }
          ?? .init(name: text)
      })
    settings.model = model == "auto" ? nil : model
    settings.shareForm = writtenShares ? .written : .normalized
    settings.foldCount = folds
    settings.seed = seed
    settings.candidateCount = candidates
    settings.keptCount = top
    settings.roundCount = rounds
    settings.searchStrength = searchStrength
    settings.divergenceStrength = divergence
    settings.prior = prior.isEmpty ? nil : try NamedNumber.byName(prior, option: "--prior")
    settings.floors = try NamedNumber.byName(floor, option: "--floor")
    settings.caps = try NamedNumber.byName(cap, option: "--cap")
    settings.availableTokens = try NamedNumber.byName(available, option: "--available")
    settings.plannedTokens = tokens
    settings.epochLimit = epochs
    settings.drawCount = draws
    do {
      try settings.validate()
      if let name = settings.model { _ = try ModelRecipe(named: name) }
    } catch {
      throw ValidationError("\(error)")
    }
    return settings
  }
}
