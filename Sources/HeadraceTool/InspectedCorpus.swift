internal import Corpora

/// What `headrace inspect` says of a corpus.
struct InspectedCorpus: Encodable, CustomStringConvertible {
  struct Domain: Encodable {
    let name: String
    let fingerprint: String
    let splits: [Count]
    /// The format and how it is read; nil for native shards.
    let format: String?
    let reading: String?
  }

  struct Count: Encodable {
    let split: Split
    /// Of text nobody knows how much there is.
    let documentCount: Int?
    let tokenCount: Int?
    let shardCount: Int
    let byteCount: Int
    let bytesPerToken: Double?
    /// The shards in which nothing tells damage from data; nil if there is none.
    let unprotectedShardCount: Int?
  }

  let kind = "corpus"
  let name: String
  let folder: String
  let tokenizer: String
  let vocabularySize: Int
  let endOfText: Int
  let tokenWidthBits: Int
  let domains: [Domain]

  private let formats: String?

  private enum CodingKeys: String, CodingKey {
    case kind, name, folder, tokenizer, vocabularySize, endOfText, tokenWidthBits, domains
  }

  init(_ corpus: Corpus) throws {
    name = corpus.name
    folder = corpus.folder
    tokenizer = corpus.tokenizer.name
    vocabularySize = corpus.tokenizer.vocabularySize
    endOfText = corpus.tokenizer.endOfText
    tokenWidthBits = 8 * corpus.tokenWidth.byteCount
    formats = FormatText.table(of: corpus)?.text
    domains = try corpus.domains.enumerated().map { index, domain in
      let isNative = domain.format == .native
      return Domain(
        name: domain.name, fingerprint: domain.fingerprint,
        splits: try Split.allCases.compactMap { split in
          try Self.count(split, of: corpus, domainIndex: index)
        }, format: isNative ? nil : FormatText.name(of: domain),
        reading: isNative ? nil : FormatText.reading(of: domain))
    }
  }

  private static func count(_ split: Split, of corpus: Corpus, domainIndex: Int) throws -> Count? {
    let domain = corpus.domains[domainIndex]
    guard let shards = domain.shards[split], !shards.isEmpty else { return nil }
    let (tokens, bytes) = (domain.tokenCount(of: split), domain.byteCount(of: split))
    let unprotected = try corpus.unprotectedShardCount(of: split, domainIndex: domainIndex)
    let isKnown = !domain.isOpenEnded
    return Count(
      split: split, documentCount: isKnown ? domain.documentCount(of: split) : nil,
      tokenCount: isKnown ? tokens : nil, shardCount: shards.count, byteCount: bytes,
      bytesPerToken: isKnown ? Double(bytes) / Double(max(1, tokens)) : nil,
      unprotectedShardCount: unprotected > 0 ? unprotected : nil)
  }

  var description: String {
    let facts = TextTable(facts: [
      ("corpus", name),
      (
        "tokenizer",
        "\(tokenizer), \(NumberText.grouped(vocabularySize)) ids, end of text \(endOfText)"
      ),
      ("token width", "\(tokenWidthBits) bits"),
      ("domains", NumberText.grouped(domains.count)),
    ])
    var table = TextTable(
      [("domain", .left), ("split", .left)]
        + [
          "documents", "tokens", "shards", formats == nil ? "compressed bytes" : "bytes",
          "bytes/token",
        ].map { ($0, .right) }
        + [("fingerprint", .left)])
    for domain in domains {
      for (index, count) in domain.splits.enumerated() {
        table.append(
          [domain.name, count.split.rawValue] + Self.cells([count])
            + [index == 0 ? domain.fingerprint : ""])
      }
    }
    for split in Split.allCases where domains.count > 1 {
      let counts = domains.flatMap { $0.splits.filter { $0.split == split } }
      if !counts.isEmpty { table.append(["all", split.rawValue] + Self.cells(counts) + [""]) }
    }
    var parts = [facts.text]
    if let formats { parts.append(formats) }
    parts.append(table.text)
    let notes = domains.flatMap { domain in domain.splits.compactMap { note($0, of: domain) } }
    if !notes.isEmpty { parts.append(notes.joined(separator: "\n")) }
    return parts.joined(separator: "\n\n")
  }

  private func note(_ count: Count, of domain: Domain) -> String? {
    count.unprotectedShardCount.map {
      "warning: shards of domain \(domain.name), \(count.split.rawValue), without hash or checksum: "
        + "\($0) of \(count.shardCount). Damage in them may give wrong tokens unnoticed. Pack the "
        + "domain's text with `headrace pack`, or write its shards again with hashes."
    }
  }

  private static func cells(_ counts: [Count]) -> [String] {
    func sum(_ value: (Count) -> Int?) -> Int? {
      counts.reduce(0) { total, count in
        guard let total, let value = value(count) else { return nil }
        return total + value
      }
    }
    func text(_ count: Int?) -> String { count.map(NumberText.grouped) ?? "unknown until read" }
    let (tokens, bytes) = (sum(\.tokenCount), sum(\.byteCount) ?? 0)
    return [
      text(sum(\.documentCount)), text(tokens), text(sum(\.shardCount)), NumberText.grouped(bytes),
      tokens.map { NumberText.fixed(Double(bytes) / Double(max(1, $0)), digits: 3) } ?? "",
    ]
  }
}
