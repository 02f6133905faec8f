public import ArgumentParser
internal import Corpora
public import Loading
internal import Mixing

/// The options of every command that opens a loader.
struct LoaderArguments: ParsableArguments {
  @Option(help: ArgumentHelp("B, the sequences in a batch.", valueName: "B"))
  var rows = 32

  @Option(help: ArgumentHelp("T, the tokens that a sequence predicts.", valueName: "T"))
  var sequenceLength = 512

  @Option(help: "The seed that every order and draw follows from.")
  var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp(
      "The policy: \(PolicyRegistry.complete.names.joined(separator: ", ")).", valueName: "name"))
  var policy = "static"

  @Option(
    help: ArgumentHelp(
      "The policy's mixture, or the first one of a policy that changes it: natural, uniform, "
        + "NAME=WEIGHT,NAME=WEIGHT,…, or the path of a mixture.json.", valueName: "mixture"))
  var mixture: String?

  @Option(
    help: ArgumentHelp(
      "An option of the policy, such as exponent=0.5; may be repeated. headrace explain "
        + "--policies lists them.", valueName: "name=value"))
  var option: [String] = []

  @Option(
    help: ArgumentHelp(
      "The most epochs that a domain is read, such as books=2.5; may be repeated.",
      valueName: "domain=epochs"))
  var epochCap: [String] = []

  @Option(
    help: ArgumentHelp(
      "P, the units of 2^18 tokens that are shuffled together.", valueName: "P"))
  var unitsPerPool = LoaderOptions().unitsPerPool

  @Option(
    help: ArgumentHelp(
      "How a mixture becomes rows: credits (exact shares) or multinomial.", valueName: "rule"))
  var draw = LoaderOptions().draw

  @Option(help: "The threads that decode ahead; with 0 the caller decodes.")
  var threads = LoaderOptions().threadCount

  @Option(
    help: ArgumentHelp(
      "What decoded pools and a batch may take, such as 256MiB or 1GB.", valueName: "bytes"))
  var byteBudget = ByteCount(bytes: LoaderOptions().byteBudget)

  @Flag(help: "Accept a sequence length that leaves the ends of frames unused.")
  var allowUnusedTails = false

  @Option(
    help: ArgumentHelp(
      "The frames that are skipped from the beginning; what verify --quarantine writes.",
      valueName: "file"))
  var quarantined: String?

  @Option(
    help: ArgumentHelp(
      "Rows come in micro-batches of this many rows of one domain.", valueName: "rows"))
  var grouping: Int?

  @Flag(help: "With --grouping: every domain gets one micro-batch of each batch.")
  var everyDomain = false

  func validate() throws {
    _ = try epochCaps()
    if everyDomain && grouping == nil {
      throw ValidationError("--every-domain needs --grouping: it gives micro-batches to domains")
    }
    do throws(MixingError) { _ = try recipe() } catch {
      // A run that goes on may have a copy of the file; whoever needs it says that it is gone.
      if case .fileUnreadable = error { return }
      throw ValidationError("\(error)")
    }
  }

  /// The shape of the batches.
  func batch(tokenType: TokenType = .int32) -> BatchConfiguration {
    BatchConfiguration(
      rows: rows, sequenceLength: sequenceLength, tokenType: tokenType,
      grouping: grouping.map {
        BatchConfiguration.Grouping(microBatchRows: $0, everyDomain: everyDomain)
      })
  }

  /// The loader's other settings.
  func options(split: Split = .train, ledgerPath: String? = nil) throws -> LoaderOptions {
    var options = LoaderOptions()
    options.split = split
    options.unitsPerPool = unitsPerPool
    options.draw = draw
    options.epochCaps = try epochCaps()
    options.byteBudget = byteBudget.bytes
    options.threadCount = threads
    options.allowsUnusedTails = allowUnusedTails
    if let quarantined { options.quarantined = try Quarantine(at: quarantined) }
    options.ledgerPath = ledgerPath
    return options
  }

  /// What sets the mixture.
  func recipe(
    from registry: PolicyRegistry = .complete
  ) throws(MixingError) -> PolicyRecipe {
    try registry.recipe(named: policy, options: policyOptions)
  }

  /// The policy's options by name, as they were given.
  var policyOptions: [String: String] {
    var options: [String: String] = [:]
    if let mixture {
      if mixture.contains("=") {
        options = ["mixture": "weights", "weights": mixture]
      } else if mixture.hasSuffix(".json") {
        options = ["mixture": "regmix", "file": mixture]
      } else {
        options = ["mixture": mixture]
      }
    }
    options.merge(Self.options(of: option)) { $1 }
    return options
  }

  /// Takes `name=value` apart; the last of one name counts.
  static func options(of texts: [String]) -> [String: String] {
    var options: [String: String] = [:]
    for text in texts {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      options[String(parts[0])] = parts.count == 2 ? String(parts[1]) : ""
    }
    return options
  }

  private func epochCaps() throws -> [String: Double] {
    var caps: [String: Double] = [:]
    for text in epochCap {
      let parts = text.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, let value = Double(parts[1]), value > 0 else {
        throw ValidationError("--epoch-cap is DOMAIN=EPOCHS, such as books=2.5, not \"\(text)\"")
      }
      guard caps.updateValue(value, forKey: String(parts[0])) == nil else {
        throw ValidationError("--epoch-cap names the domain \"\(parts[0])\" twice")
      }
    }
    return caps
  }
}

extension DrawRule: ExpressibleByArgument {}
extension TokenType: ExpressibleByArgument {}
