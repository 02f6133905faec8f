public import ArgumentParser
public import Corpora
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Whether a signal has asked the command to stop; set by a signal handler, which may touch nothing
/// more.
private let stopIsAsked = Atomic(false)

/// `headrace pack`: text files become a corpus.
struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Turns text files into a corpus of zstd-compressed token shards.",
    discussion: """
      A domain is a name and the files and folders that hold its documents. In .jsonl and \
      .jsonl.zst files each line is a JSON object whose text field is a document; any other file \
      is one document, a .zst file when it is decompressed. Folders are read with all that is \
      below them, but for names that begin with a dot.

      Documents are shuffled, and split into train and held-out, by their content and the seed \
      alone. The corpus has the same bytes for every number of threads and every memory bound. A \
      run that is stopped, even by kill -9, goes on when the same command is given again.

      EXAMPLES
        headrace pack -o corpora/c --domain c=/usr/include --include 'c=*.h'
        headrace pack -o corpora/web --domain web=a.jsonl.zst,b.jsonl.zst
        headrace pack --print-example > plan.json
        headrace pack -o corpora/mix --plan plan.json --memory 2GiB --json
      """)

  @Option(name: [.short, .long], help: "The folder of the corpus; must not exist.")
  var output: String?

  @Option(
    help: ArgumentHelp(
      "A domain and its files and folders; may be repeated.", valueName: "name=path[,path...]"))
  var domain: [String] = []

  @Option(
    help: ArgumentHelp(
      "The files to take from a domain's folders, such as '*.py'; may be repeated.",
      valueName: "name=glob[,glob...]"))
  var include: [String] = []

  @Option(help: ArgumentHelp("A JSON file with domains and options.", valueName: "file.json"))
  var plan: String?

  @Flag(help: "Print a plan to start from, and stop.")
  var printExample = false

  @Option(help: "The corpus's name (default: the output folder's).")
  var name: String?

  @Option(help: "The tokenizer: bytes.")
  var tokenizer: String?

  @Option(help: "The share of documents to hold out, in [0, 1) (default: 0.01).")
  var heldOut: Double?

  @Option(help: "The seed of shuffle and split (default: 0).")
  var seed: UInt64?

  @Option(
    parsing: .unconditional,
    help: """
      The zstd level, 1 to 19, or -7 to -1: larger files that take less of the CPU to read \
      (default: 3).
      """)
  var level: Int?

  @Flag(help: "Keep documents in the order of paths, and of places in files.")
  var noShuffle = false

  @Option(help: "The bound on buffers, such as 256MiB or 2GiB.")
  var memory: ByteCount = ByteCount(bytes: 256 << 20)

  @Option(help: "The number of threads (default: one per core).")
  var threads: Int?

  @Option(help: "The field that holds the text in a line's JSON object (default: text).")
  var textField: String?

  @Option(help: "The number of tokens at which a shard ends (default: 67108864).")
  var shardTokens: Int?

  @Option(help: "The bits of a token, 16 or 32 (default: the least that the vocabulary needs).")
  var tokenWidth: Int?

  @Option(help: "What to do at a document that cannot be packed: fail or skip (default: fail).")
  var onBadDocument: BadDocumentRule?

  @Option(help: "The most bytes that a text file or a line may have (default: 16MiB).")
  var maximumDocumentBytes: ByteCount?

  @Flag(help: "Pack anew, and replace the corpus at the output once the new one is whole.")
  var force = false

  @Flag(help: "Print the counts as JSON.")
  var json = false

  func validate() throws {
    if printExample { return }
    if output == nil { throw ValidationError("name the corpus's folder with --output") }
    if plan != nil && !(domain.isEmpty && include.isEmpty) {
      throw ValidationError("domains stand in the plan or are given with --domain, not both")
    }
    if plan == nil && domain.isEmpty {
      throw ValidationError("name a domain with --domain NAME=PATH, or a plan with --plan")
    }
    if let tokenWidth, tokenWidth != 16, tokenWidth != 32 {
      throw ValidationError("--token-width is 16 or 32, not \(tokenWidth)")
    }
    if plan == nil { _ = try domains() }
  }

  func run() throws {
    if printExample {
      print(PackPlan.example.json)
      return
    }
    guard let output else { return }
    let resources = PackResources(
      memoryByteCount: memory.bytes,
      threadCount: threads ?? Processors.onlineCount)
    let packer = try Packer(try resolvedPlan(), resources: resources)
    listenToSignals()
    let display = PackDisplay()
    let report: PackReport
    do {
      report = try packer.pack(to: output, replacing: force, observer: display) {
        stopIsAsked.load(ordering: .relaxed)
      }
    } catch {
      display.end()
      throw error
    }
    display.end()
    print(json ? try JSONText.of(report) : PackTable.text(of: report))
  }

  /// The plan of the file or of the domains given, with the options given put in.
  private func resolvedPlan() throws -> PackPlan {
    var resolved: PackPlan
    if let plan {
      resolved = try PackPlan(contentsOf: plan)
    } else {
      resolved = PackPlan(domains: try domains())
    }
    if let name { resolved.name = name }
    if let tokenizer { resolved.tokenizer = tokenizer }
    if let heldOut { resolved.heldOutFraction = heldOut }
    if let seed { resolved.seed = seed }
    if let level { resolved.level = level }
    if noShuffle { resolved.shufflesDocuments = false }
    if let shardTokens { resolved.shardTokenCount = shardTokens }
    if let tokenWidth { resolved.tokenWidth = TokenWidth(rawValue: tokenWidth / 8) }
    if let onBadDocument { resolved.onBadDocument = onBadDocument }
    if let maximumDocumentBytes { resolved.maximumDocumentByteCount = maximumDocumentBytes.bytes }
    if let textField {
      for index in resolved.domains.indices { resolved.domains[index].textField = textField }
    }
    return resolved
  }

  private func domains() throws -> [PackDomain] {
    var domains = try domain.map { text in
      let (name, inputs) = try Self.assignment(text, option: "--domain")
      return PackDomain(name: name, inputs: inputs)
    }
    for text in include {
      let (name, patterns) = try Self.assignment(text, option: "--include")
      guard let index = domains.firstIndex(where: { $0.name == name }) else {
        throw ValidationError("--include names the domain \"\(name)\", which --domain does not")
      }
      domains[index].include += patterns
    }
    return domains
  }

  private static func assignment(
    _ text: String, option: String
  ) throws -> (name: String, values: [String]) {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    let values = parts.count == 2 ? parts[1].split(separator: ",").map(String.init) : []
    if parts.count < 2 || values.isEmpty {
      throw ValidationError("\(option) is NAME=VALUE[,VALUE...], not \"\(text)\"")
    }
    return (parts[0], values)
  }

  /// Lets the first signal stop the run at the next step; the second ends the process at once.
  private func listenToSignals() {
    stopIsAsked.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        stopIsAsked.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }
}

extension BadDocumentRule: ExpressibleByArgument {}
