internal import ArgumentParser
internal import Kernels
internal import Mixing

/// Times one update of a policy, and weighs what it remembers.
struct BenchPolicyCostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy-cost",
    abstract: "Measures what an update of a policy takes, in time and memory.",
    discussion: """
      The policy observes made-up feedback of as many domains, with everything that it reads, as \
      it would after each step of training. The loader keeps the policy of every batch that was \
      drawn, so a copy of the policy from before each update is kept here, too.

      Memory is what the process grew by from before the policy was made to its peak. The share is \
      of a training step of half a second, for which AC-ODM's authors say 0.4 %.

      EXAMPLES
        headrace bench policy-cost --policy ac-odm --domains 22
        headrace bench policy-cost --policy ac-odm --option preset=paper --domains 22 --updates 100
      """)

  @Option(help: "The policy.")
  var policy = "ac-odm"

  @Option(
    help: ArgumentHelp("An option of the policy; may be repeated.", valueName: "name=value"))
  var option: [String] = []

  @Option(help: ArgumentHelp("K, the domains.", valueName: "K"))
  var domains = 22

  @Option(help: "The updates that are timed, behind as many that are not.")
  var updates = 300

  @Option(help: "The layers whose norms are reported.")
  var layers = 9

  @Flag(help: "Leave out the header.")
  var bare = false

  @Flag(help: "Print the figures as JSON.")
  var json = false

  func validate() throws {
    guard (1...100_000).contains(domains), (1...10_000_000).contains(updates),
      (1...10_000).contains(layers)
    else { throw ValidationError("--domains, --updates and --layers are counts of at least 1") }
  }

  /// What one policy costs.
  private struct Figures: Encodable {
    var policy: String
    var options: [String]
    var domains: Int
    var updates: Int
    /// Of one update: its median, and the tenth that took longest from here on.
    var medianInMilliseconds: Double
    var slowestTenthInMilliseconds: Double
    var memoryInMebibytes: Double
    var checkpointInMebibytes: Double
  }

  func run() throws {
    let figures = try measure()
    if json { return print(try JSONText.of(figures)) }
    var table = TextTable(
      names: "policy", numbers: ["K", "ms", "slow ms", "of 0.5 s", "MiB", "stored MiB"])
    table.append([
      ([policy] + option).joined(separator: " "), "\(domains)",
      NumberText.fixed(figures.medianInMilliseconds, digits: 3),
      NumberText.fixed(figures.slowestTenthInMilliseconds, digits: 3),
      NumberText.fixed(figures.medianInMilliseconds / 5, digits: 3) + " %",
      NumberText.fixed(figures.memoryInMebibytes, digits: 1),
      NumberText.fixed(figures.checkpointInMebibytes, digits: 2),
    ])
    print(bare ? table.text.split(separator: "\n").dropFirst().joined(separator: "\n") : table.text)
  }

  private func measure() throws -> Figures {
    var source = FeedbackSource(domainCount: domains, layerCount: layers)
    let recipe = try PolicyRegistry.builtIn.recipe(
      named: policy, options: LoaderArguments.options(of: option))
    let context = PolicyContext(
      domainNames: (0..<domains).map { "domain-\($0)" },
      sequenceCounts: [Int](repeating: 1_000_000, count: domains), stepCount: 2 * updates)
    let before = try ProcessMemory.kibibytes("VmRSS")
    var policy = try recipe.makePolicy(in: context)
    var times: [Double] = []
    for step in 1...2 * updates {
      let feedback = source.feedback(ofStep: step, needs: policy.feedbackNeeds, policy.mixture)
      if policy.followsSteps {
        try policy.prepare(for: UpcomingStep(step: step, tokenTotal: step << 20))
      }
      let drawn = policy
      let watch = Stopwatch()
      policy.observe(feedback)
      let seconds = watch.wallInSeconds
      withExtendedLifetime(drawn) { if step > updates { times.append(seconds * 1e3) } }
    }
    let peak = try ProcessMemory.kibibytes("VmHWM")
    let stored = try policy.erasedCheckpoint()
    times.sort()
    return Figures(
      policy: self.policy, options: option, domains: domains, updates: updates,
      medianInMilliseconds: times[times.count / 2],
      slowestTenthInMilliseconds: times[times.count * 9 / 10],
      memoryInMebibytes: Double(peak - before) / 1024,
      checkpointInMebibytes: Double(stored.fields.count + stored.arrays.count) / 1_048_576)
  }
}

/// Makes up feedback: losses that fall, and the inner products of random gradients that share a
/// direction.
private struct FeedbackSource {
  let domainCount: Int
  let layerCount: Int
  private var generator = SeededGenerator(seed: 1, stream: "policy-cost")

  private static let width = 16

  init(domainCount: Int, layerCount: Int) {
    self.domainCount = domainCount
    self.layerCount = layerCount
  }

  mutating func feedback(
    ofStep step: Int, needs: FeedbackNeeds, _ mixture: Mixture
  ) -> Feedback {
    Feedback(
      step: step,
      losses: (0..<domainCount).map { _ in
        2 + 8 / Double(step + 2) + 0.1 * generator.nextNormal()
      },
      tokenCounts: [Int](repeating: 4096, count: domainCount), shares: mixture.weights,
      gradients: needs.gradients ? gradients() : nil,
      parameterNorms: (0..<layerCount).map { _ in 30 + 0.01 * abs(generator.nextNormal()) },
      updateNorms: (0..<layerCount).map { _ in 0.01 * (1 + abs(generator.nextNormal())) })
  }

  private mutating func gradients() -> GradientReport {
    let rows = (0..<domainCount).map { _ in
      (0..<Self.width).map { ($0 == 0 ? 1 : 0) + 0.5 * generator.nextNormal() }
    }
    let gram = rows.flatMap { a in rows.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } } }
    let sums = (0..<domainCount).map { row in
      (0..<domainCount).reduce(0) { $0 + gram[row * domainCount + $1] }
    }
    return GradientReport(
      microBatchCounts: [Int](repeating: 4, count: domainCount), gram: gram,
      squaredNorms: (0..<domainCount).map { 1.5 * gram[$0 * domainCount + $0] },
      alignments: sums, laggedAlignments: sums)
  }
}
