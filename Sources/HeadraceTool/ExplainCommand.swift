internal import ArgumentParser
internal import Corpora
internal import Loading
internal import Mixing
internal import Training

/// `headrace explain`: what a run will read, before it.
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Says what a run will read of each domain, and what it will take, before it.",
    discussion: """
      The run is drawn by the rule that training draws by, without reading a token: rows, \
      tokens, epochs, and the steps at which epoch caps are reached are those of the run. For a \
      policy that changes its mixture on feedback they are what it draws without any. A schedule \
      and a replay are followed step by step. Rows are grouped, and a recorded run is followed, as \
      training does it; what training refuses is refused.

      EXAMPLES
        headrace explain corpora/web --rows 32 --sequence-length 512
        headrace explain mixed.json --mixture uniform --steps 1000
        headrace explain corpora/web --mixture code=0.7,prose=0.3 --steps 1000
        headrace explain corpora/web --mixture uniform --epoch-cap prose=2
        headrace explain corpora/web --option exponent=0.5 --tokens 100000000
        headrace explain corpora/web --policy schedule --option file=stages.json --steps 5000
        headrace explain corpora/web --byte-budget 64MiB --threads 2 --json
        headrace explain corpora/web --quarantined damaged.json
        headrace explain --policies
      """)

  @Argument(help: "The corpus's folder, or a spec.")
  var corpus: String?

  @Flag(help: "List the policies and their options instead.")
  var policies = false

  @OptionGroup(title: "Loader options")
  var loader: LoaderArguments

  @Option(
    help: "The run's length in steps (default: the tokens of one epoch of every domain).")
  var steps: Int?

  @Option(help: "The run's length in tokens, rounded up to whole batches.")
  var tokens: Int?

  @Flag(help: "Print the same as JSON.")
  var json = false

  func validate() throws {
    if corpus == nil && !policies {
      throw ValidationError("name the corpus's folder or a spec, or ask for --policies")
    }
    if steps != nil && tokens != nil {
      throw ValidationError("the run's length is given by --steps or by --tokens, not both")
    }
    for (name, value) in [("--steps", steps), ("--tokens", tokens)] {
      if let value, value < 1 { throw ValidationError("\(name) is at least 1, not \(value)") }
    }
  }

  func run() throws {
    guard let corpus, !policies else { return print(PolicyText.list(.complete)) }
    let source = try Corpus(at: corpus)
    let length: Explanation.Length =
      if let steps { .steps(steps) } else if let tokens { .tokens(tokens) } else { .oneEpoch }
    var options = try loader.options()
    options.stepCount = steps
    var setup = LoaderSetup(
      policy: try PolicyRegistry.complete.recipe(
        named: loader.policy, options: RunFolder.withPolicyFiles(loader.policyOptions)),
      batch: loader.batch(), seed: loader.seed, options: options)
    try setup.settle(on: source)
    let explanation = try Explanation(
      source, policy: setup.policy, batch: setup.batch, seed: setup.seed, options: setup.options,
      length: length)
    for note in setup.notes { StandardError.write("\(note)\n") }
    print(
      json
        ? try JSONText.of(ExplainRecord(explanation))
        : ExplainText.of(explanation, corpus: source))
  }
}

/// An explanation as a page of text.
private enum ExplainText {
  static func of(_ explanation: Explanation, corpus: Corpus) -> String {
    var parts = [heading(explanation, corpus: corpus)]
    if let formats = FormatText.table(of: corpus) { parts.append(formats.text) }
    parts.append(run(explanation).text)
    let caps = explanation.domains.compactMap(cap)
    if !caps.isEmpty { parts.append(caps.joined(separator: "\n")) }
    let losses = explanation.domains.compactMap(loss)
    if !losses.isEmpty { parts.append(losses.joined(separator: "\n")) }
    parts.append(data(explanation, corpus).text)
    parts.append(memory(explanation.memory))
    if !explanation.warnings.isEmpty {
      parts.append(
        explanation.warnings.map { "warning: \($0.description)" }.joined(separator: "\n"))
    }
    return parts.joined(separator: "\n\n")
  }

  private static func heading(_ explanation: Explanation, corpus: Corpus) -> String {
    let batchTokens = explanation.rows * explanation.sequenceLength
    let tokens = explanation.stepCount * batchTokens
    var lines = [
      "corpus \(corpus.name): \(NumberText.counted(corpus.domains.count, "domain")), tokenizer "
        + "\(corpus.tokenizer.name)",
      "\(NumberText.counted(explanation.stepCount, "step")) of "
        + "\(NumberText.counted(explanation.rows, "row")) of "
        + "\(NumberText.counted(explanation.sequenceLength, "token")): "
        + "\(NumberText.counted(tokens, "token"))",
      explanation.reason.hasPrefix(explanation.policy)
        ? "policy: \(explanation.reason)"
        : "policy: \(explanation.policy), \(explanation.reason)",
    ]
    if let grouping = explanation.grouping { lines.append("rows come in \(grouping.text)") }
    if explanation.readsFeedback {
      lines.append("the policy changes its mixture on feedback; below stands what it draws without")
    } else if explanation.followsSteps {
      lines.append("the mixture follows the steps; the weights below are means over the run")
    }
    return lines.joined(separator: "\n")
  }

  /// What the run reads.
  private static func run(_ explanation: Explanation) -> TextTable {
    var table = TextTable(
      names: "domain", numbers: ["weight", "rows", "share", "tokens", "epochs", "cap reached"])
    let rowTotal = max(1, explanation.domains.reduce(0) { $0 + $1.rowCount })
    for domain in explanation.domains {
      let capReached =
        domain.rowLimit == nil
        ? "no cap"
        : domain.exhaustedAtStep.map { "step \(NumberText.grouped($0))" } ?? "not reached"
      table.append([
        domain.name, NumberText.percent(domain.weight), NumberText.grouped(domain.rowCount),
        NumberText.percent(Double(domain.rowCount) / Double(rowTotal)),
        NumberText.grouped(domain.tokenCount),
        domain.epochs.map { NumberText.fixed($0, digits: 3) } ?? "unknown",
        capReached,
      ])
    }
    return table
  }

  private static func cap(_ domain: Explanation.Domain) -> String? {
    guard let step = domain.exhaustedAtStep, let limit = domain.rowLimit else { return nil }
    return "domain \(domain.name) reaches its cap of \(NumberText.counted(limit, "row")) in step "
      + "\(NumberText.grouped(step)); from the next row on the others share its weight in "
      + "proportion to theirs"
  }

  /// What quarantine takes out.
  private static func loss(_ domain: Explanation.Domain) -> String? {
    let count = domain.quarantinedSequenceCount
    guard count > 0 else { return nil }
    return "quarantine takes \(NumberText.counted(count, "sequence")) of "
      + "\(NumberText.grouped(domain.sequenceCount + count)) out of domain \(domain.name)"
  }

  /// What there is to read.
  private static func data(_ explanation: Explanation, _ corpus: Corpus) -> TextTable {
    var table = TextTable(
      names: "domain",
      numbers: [
        "tokens", "sequences", "unused tokens", "units", "pools", "shuffle span", "held-out tokens",
      ])
    for (domain, source) in zip(explanation.domains, corpus.domains) {
      guard !source.isOpenEnded else {
        table.append(
          [domain.name, "unknown until read", "", "", "", ""]
            + [NumberText.grouped(domain.shuffleSpanTokenCount), ""])
        continue
      }
      let unused = Double(domain.unusedTokenCount) / Double(max(1, domain.splitTokenCount))
      table.append([
        domain.name, NumberText.grouped(domain.splitTokenCount),
        NumberText.grouped(domain.sequenceCount),
        NumberText.grouped(domain.unusedTokenCount) + " (\(NumberText.percent(unused)))",
        NumberText.grouped(domain.unitCount), NumberText.grouped(domain.poolCount),
        NumberText.grouped(domain.shuffleSpanTokenCount),
        NumberText.grouped(domain.heldOutTokenCount),
      ])
    }
    return table
  }

  private static func memory(_ memory: Explanation.Memory) -> String {
    "memory: \(NumberText.counted(memory.poolLimit, "pool")) of "
      + "\(NumberText.bytes(memory.poolByteCount)) and a batch of "
      + "\(NumberText.bytes(memory.batchByteCount))"
      + (memory.heldTextByteCount > 0
        ? ", frames of text of \(NumberText.bytes(memory.heldTextByteCount))" : "")
      + ": at most "
      + "\(NumberText.bytes(memory.totalByteCount)) of a budget of "
      + "\(NumberText.bytes(memory.byteBudget)); the least budget is "
      + "\(NumberText.bytes(memory.leastByteBudget))"
  }
}

/// What `headrace explain --json` prints.
private struct ExplainRecord: Encodable {
  struct Domain: Encodable {
    let name: String
    let weight: Double
    let rows: Int
    let tokens: Int
    let epochs: Double?
    let sequenceCount: Int
    let quarantinedSequenceCount: Int?
    let rowLimit: Int?
    let exhaustedAtStep: Int?
    let splitTokenCount: Int
    let unusedTokenCount: Int
    let unitCount: Int
    let poolCount: Int
    let shuffleSpanTokenCount: Int
    let heldOutTokenCount: Int
  }

  struct Memory: Encodable {
    let byteBudget: Int
    let leastByteBudget: Int
    let poolByteCount: Int
    let poolLimit: Int
    let batchByteCount: Int
    let heldTextByteCount: Int
    let totalByteCount: Int
  }

  let policy: String
  let reason: String
  let readsFeedback: Bool
  let followsSteps: Bool
  let rows: Int
  let sequenceLength: Int
  let grouping: BatchConfiguration.Grouping?
  let stepCount: Int
  let askedStepCount: Int
  let domains: [Domain]
  let memory: Memory
  let warnings: [String]

  init(_ explanation: Explanation) {
    policy = explanation.policy
    reason = explanation.reason
    readsFeedback = explanation.readsFeedback
    followsSteps = explanation.followsSteps
    rows = explanation.rows
    sequenceLength = explanation.sequenceLength
    grouping = explanation.grouping
    stepCount = explanation.stepCount
    askedStepCount = explanation.askedStepCount
    domains = explanation.domains.map {
      Domain(
        name: $0.name, weight: $0.weight, rows: $0.rowCount, tokens: $0.tokenCount,
        epochs: $0.epochs, sequenceCount: $0.sequenceCount,
        quarantinedSequenceCount: $0.quarantinedSequenceCount > 0
          ? $0.quarantinedSequenceCount : nil,
        rowLimit: $0.rowLimit,
        exhaustedAtStep: $0.exhaustedAtStep, splitTokenCount: $0.splitTokenCount,
        unusedTokenCount: $0.unusedTokenCount, unitCount: $0.unitCount, poolCount: $0.poolCount,
        shuffleSpanTokenCount: $0.shuffleSpanTokenCount, heldOutTokenCount: $0.heldOutTokenCount)
    }
    let memory = explanation.memory
    self.memory = Memory(
      byteBudget: memory.byteBudget, leastByteBudget: memory.leastByteBudget,
      poolByteCount: memory.poolByteCount, poolLimit: memory.poolLimit,
      batchByteCount: memory.batchByteCount, heldTextByteCount: memory.heldTextByteCount,
      totalByteCount: memory.totalByteCount)
    warnings = explanation.warnings.map(\.description)
  }
}
