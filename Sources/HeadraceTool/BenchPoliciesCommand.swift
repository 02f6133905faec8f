internal import ArgumentParser
internal import Corpora
internal import Mixing
internal import Training

/// Compares policies on small synthetic worlds.
struct BenchPoliciesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policies",
    abstract: "Compares policies on synthetic worlds of linear regressions.",
    discussion: """
      Every policy trains the same small models from the same seeds. The numbers are final excess
      loss as a part of the uniform mixture's: the mean over the seeds and its standard error; less
      is better. With --against, the paired differences from another arm follow, with their 95 %
      intervals. Scenarios: sym (domains alike), noisy (one mostly noise), transfer (one helps the
      others), unequal (learned at different speeds). Worlds: gaussian, and balanced, where every
      domain begins equally far from its optimum.

      EXAMPLES
        headrace bench policies
        headrace bench policies --domains 9 --permuted --against 'alignment, soft'
        headrace bench policies --arm ac-odm --arm ac-odm:gamma=0.5,seed=3 --seeds 7-26
      """)

  @Option(help: ArgumentHelp("The seeds, such as 0-19,200-219.", valueName: "ranges"))
  var seeds = SeedRanges("0-19,200-219")

  @Option(help: ArgumentHelp("K, the number of domains.", valueName: "K"))
  var domains = 5

  @Option(help: "A scenario; may be repeated (default: all).")
  var scenario: [LinearScenario] = []

  @Option(help: "A world, gaussian or balanced; may be repeated (default: both).")
  var world: [World] = []

  @Option(
    help: ArgumentHelp(
      "A policy with options in place of the table's; may be repeated.",
      valueName: "policy:option=value,…"))
  var arm: [String] = []

  @Option(help: ArgumentHelp("Print differences from this arm; may be repeated.", valueName: "arm"))
  var against: [String] = []

  @Option(help: "The steps of a run.")
  var steps = LinearWorldConfiguration().stepCount

  @Option(help: "The parameters that all domains share.")
  var shared = LinearWorldConfiguration().sharedCount

  @Option(help: "The parameters that each domain has to itself.")
  var own = LinearWorldConfiguration().privateCount

  @Option(help: "Multiplies the noise of the labels.")
  var labelNoise = 1.0

  @Option(
    help: ArgumentHelp("Project the measured gradients to so many numbers.", valueName: "width"))
  var projection: Int?

  @Flag(help: "Deal the scenario's roles to the domains by the seed.")
  var permuted = false

  @Flag(help: "Print JSON.")
  var json = false

  /// The two kinds of true parameters.
  enum World: String, CaseIterable, ExpressibleByArgument {
    case gaussian
    case balanced
  }

  func validate() throws {
    try require((2...100).contains(domains), "--domains is \(domains); it must lie in 2...100")
    try require((1...100_000).contains(steps), "--steps is \(steps); it must lie in 1...100000")
    try require(
      (0...1000).contains(shared) && (1...1000).contains(own),
      "--shared must lie in 0...1000, --own in 1...1000")
    try require((0...1000).contains(labelNoise), "--label-noise must lie in 0...1000")
    try require(
      projection.map { (1...10_000).contains($0) } ?? true, "--projection must lie in 1...10000")
    do throws(MixingError) { _ = try arms() } catch { throw ValidationError("\(error)") }
    let names = try arms().map(\.name) + ["uniform"]
    for name in against where !names.contains(name) {
      throw ValidationError(
        "--against names \"\(name)\"; the arms are \(names.map { "\"\($0)\"" }.joined(separator: ", "))"
      )
    }
  }

  func run() throws {
    let comparison = PolicyComparison(arms: try arms(), worlds: worlds, seeds: seeds.values)
    let line = Locked(StatusLine())
    let result = try comparison.run { [count = seeds.values.count] done in
      line.withLock { $0.show("\(done) of \(count) seeds") }
    }
    line.withLock { $0.end(erasing: true) }
    let report = PolicyReport(comparison, result, against: against)
    if json {
      print(try JSONText.of(report))
    } else {
      print(report.text)
    }
  }

  private func require(_ isMet: Bool, _ text: String) throws {
    guard isMet else { throw ValidationError(text) }
  }

  private func arms() throws(MixingError) -> [PolicyArm] {
    guard !arm.isEmpty else { return try PolicyArm.table() }
    var arms: [PolicyArm] = []
    for text in arm { arms.append(try Self.arm(text)) }
    return arms
  }

  /// Reads `policy:option=value,option=value`.
  private static func arm(_ text: String) throws(MixingError) -> PolicyArm {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let options = parts.count > 1 ? parts[1].split(separator: ",").map(String.init) : []
    let recipe = try PolicyRegistry.builtIn.recipe(
      named: String(parts[0]), options: LoaderArguments.options(of: options))
    return PolicyArm(text, [recipe])
  }

  private var worlds: [LinearWorldConfiguration] {
    let kinds = world.isEmpty ? World.allCases : world
    let scenarios = scenario.isEmpty ? LinearScenario.allCases : scenario
    return kinds.flatMap { kind in
      scenarios.map { scenario in
        var configuration = LinearWorldConfiguration()
        configuration.scenario = scenario
        configuration.isBalanced = kind == .balanced
        configuration.domainCount = domains
        configuration.sampleCount = max(configuration.sampleCount, 2 * domains)
        configuration.stepCount = steps
        configuration.sharedCount = shared
        configuration.privateCount = own
        configuration.labelNoiseFactor = labelNoise
        configuration.projectionWidth = projection
        configuration.isPermuted = permuted
        return configuration
      }
    }
  }
}

extension LinearScenario: ExpressibleByArgument {}
