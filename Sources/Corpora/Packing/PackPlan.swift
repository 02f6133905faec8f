/// What to do with a document whose text is not what it must be.
public enum BadDocumentRule: String, Sendable, Codable, CaseIterable {
  /// Stop, and name the document.
  case fail
  /// Leave it out, count it, and report the first ones.
  case skip
}

/// One domain of a ``PackPlan``.
public struct PackDomain: Sendable, Equatable, Codable {
  /// The domain's name, which becomes a folder's: letters, digits, `.`, `_`, `-`.
  public var name: String
  /// Files and folders; folders are read with all that is below them, but for names that begin with
  /// a dot.
  public var inputs: [String]
  /// Patterns of the files to take from folders, such as `*.py`; empty for all files.
  ///
  /// A pattern without a slash is compared with a file's name, any other with its path below the
  /// input folder.
  public var include: [String]
  /// The field of a line's JSON object that holds the text.
  public var textField: String

  enum CodingKeys: String, CodingKey, CaseIterable {
    case name, inputs, include
    case textField = "text_field"
  }

  /// Creates a domain.
  public init(
    name: String, inputs: [String], include: [String] = [], textField: String = "text"
  ) {
    self.name = name
    self.inputs = inputs
    self.include = include
    self.textField = textField
  }
}

/// Everything that decides which corpus packing makes.
///
/// Two runs of one plan over the same files give the same bytes, on any machine with the same
/// libzstd, for any number of threads and any memory bound.
public struct PackPlan: Sendable, Equatable, Codable {
  /// The corpus's name; nil for the name of the output folder.
  public var name: String?
  /// The domains, in the order that the corpus keeps.
  public var domains: [PackDomain]
  /// The tokenizer's name.
  public var tokenizer = "bytes"
  /// The share of documents, by count, that becomes the held-out split, in [0, 1).
  public var heldOutFraction = 0.01
  /// The seed of shuffle and split.
  public var seed: UInt64 = 0
  /// The zstd level, 1…19, or −7…−1: larger files that take less of the CPU to read.
  public var level = 3
  /// Whether documents are shuffled; otherwise they keep the order of paths and of places in files.
  public var shufflesDocuments = true
  /// A shard ends with the document that brings it to this many tokens.
  public var shardTokenCount = 1 << 26
  /// The token width, in JSON its bits; nil for the narrowest that holds the vocabulary.
  public var tokenWidth: TokenWidth?
  /// What happens at a document that cannot be packed.
  public var onBadDocument = BadDocumentRule.fail
  /// The most bytes that a text file or a line may have.
  public var maximumDocumentByteCount = 16 << 20

  enum CodingKeys: String, CodingKey, CaseIterable {
    case name, domains, tokenizer, seed, level
    case heldOutFraction = "held_out"
    case shufflesDocuments = "shuffle"
    case shardTokenCount = "shard_tokens"
    case tokenWidth = "token_width"
    case onBadDocument = "on_bad_document"
    case maximumDocumentByteCount = "maximum_document_bytes"
  }

  /// Creates a plan with the default options.
  public init(domains: [PackDomain]) { self.domains = domains }

  /// A plan to start from, as ``PackPlan/json`` would write it.
  public static var example: PackPlan {
    var plan = PackPlan(domains: [
      PackDomain(name: "code", inputs: ["/usr/lib/python3"], include: ["*.py"]),
      PackDomain(name: "web", inputs: ["web-00.jsonl.zst", "web-01.jsonl.zst"]),
    ])
    plan.name = "demo"
    return plan
  }
}

/// How much of the machine packing may use; none of it changes a byte of the corpus.
public struct PackResources: Sendable, Equatable {
  /// The bound on buffers, in bytes.
  public var memoryByteCount: Int
  /// The number of threads, the caller's included.
  public var threadCount: Int
  /// Plain files of lines are cut into ranges of this size, which threads read side by side.
  package var rangeByteCount = Portion.rangeByteCount

  /// Creates a bound.
  public init(memoryByteCount: Int = 256 << 20, threadCount: Int = 1) {
    self.memoryByteCount = memoryByteCount
    self.threadCount = threadCount
  }

  /// The least memory for documents of up to `maximumDocumentByteCount` bytes.
  ///
  /// A large document is there as its line, as its text, as tokens of four bytes and as the shard's
  /// tokens.
  static func leastMemory(maximumDocumentByteCount: Int) -> Int {
    (8 << 20) + 12 * maximumDocumentByteCount
  }
}

extension PackPlan {
  /// Names that stand beside the domains' folders.
  static let reservedNames: Set<String> = [CorpusManifest.fileName, PackSeal.fileName]

  /// The most domains of a corpus: a mixture is apportioned to no more.
  static let domainLimit = 1 << 12
  /// The largest vocabulary, so that a token is a positive Int32 as well.
  static let vocabularyLimit = 1 << 31

  /// Checks what a tokenizer says of itself; the tokens that it gives are checked one by one.
  static func check(_ tokenizer: some Tokenizer) throws(CorpusError) {
    let size = tokenizer.vocabularySize
    if (1...vocabularyLimit).contains(size), Int(tokenizer.endOfText) < size { return }
    throw .packing(
      .vocabulary(
        tokenizer: tokenizer.name, vocabularySize: size, endOfText: tokenizer.endOfText))
  }

  /// Checks every value once, so that the rest of packing can trust them.
  func check(_ resources: PackResources) throws(CorpusError) {
    if domains.isEmpty { throw .packing(.noDomains) }
    if domains.count > PackPlan.domainLimit {
      throw .packing(.tooManyDomains(count: domains.count, limit: PackPlan.domainLimit))
    }
    var names = PackPlan.reservedNames
    for domain in domains {
      let isNew = names.insert(domain.name.lowercased()).inserted
      if !isNew || !CorpusManifest.isPlainName(domain.name) {
        throw .packing(.domainName(domain.name))
      }
    }
    guard (-7...19).contains(level), level != 0 else {
      throw .packing(
        .option(name: "the zstd level", value: "\(level)", allowed: "in −7…−1 or 1…19"))
    }
    try expect("the tokens of a shard", shardTokenCount, in: 1...(1 << 40))
    try expect("the maximum document", maximumDocumentByteCount, in: 1...(1 << 28))
    try expect("the number of threads", resources.threadCount, in: 1...1024)
    if !(heldOutFraction >= 0 && heldOutFraction < 1) {
      throw .packing(
        .option(
          name: "the held-out fraction", value: "\(heldOutFraction)", allowed: "in [0, 1)"))
    }
    let least = PackResources.leastMemory(maximumDocumentByteCount: maximumDocumentByteCount)
    if resources.memoryByteCount < least {
      throw .packing(.memory(byteCount: resources.memoryByteCount, least: least))
    }
  }

  private func expect(
    _ name: String, _ value: Int, in allowed: ClosedRange<Int>
  ) throws(CorpusError) {
    if allowed.contains(value) { return }
    throw .packing(
      .option(
        name: name, value: "\(value)", allowed: "in \(allowed.lowerBound)…\(allowed.upperBound)"))
  }

  /// The width of the plan's tokens.
  func width(for tokenizer: some Tokenizer) throws(CorpusError) -> TokenWidth {
    let narrowest = TokenWidth.holding(vocabularySize: tokenizer.vocabularySize)
    guard let tokenWidth else { return narrowest }
    if tokenWidth.byteCount >= narrowest.byteCount { return tokenWidth }
    throw .packing(
      .option(
        name: "the token width", value: "\(8 * tokenWidth.byteCount) bits",
        allowed: "32 bits for a vocabulary of \(tokenizer.vocabularySize)"))
  }
}
