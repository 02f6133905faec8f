internal import Corpora

/// What `headrace inspect` says of a corpus.
struct InspectedCorpus: Encodable, CustomStringConvertible {
  struct Domain: Encodable {
    let name: String
    let fingerprint: String
    let splits: [Count]
  }

  struct Count: Encodable {
    let split: Split
    let documentCount: Int
    let tokenCount: Int
    let shardCount: Int
    let byteCount: Int
    let bytesPerToken: Double
  }

  let kind = "corpus"
  let name: String
  let folder: String
  let tokenizer: String
  let vocabularySize: Int
  let endOfText: Int
  let tokenWidthBits: Int
  let domains: [Domain]

  init(_ corpus: Corpus) {
    name = corpus.name
    folder = corpus.folder
    tokenizer = corpus.tokenizer.name
    vocabularySize = corpus.tokenizer.vocabularySize
    endOfText = corpus.tokenizer.endOfText
    tokenWidthBits = 8 * corpus.tokenWidth.byteCount
    domains = corpus.domains.map { domain in
      Domain(
        name: domain.name, fingerprint: domain.fingerprint,
        splits: Split.allCases.compactMap { split in
          guard let shards = domain.shards[split], !shards.isEmpty else { return nil }
          let (tokens, bytes) = (domain.tokenCount(of: split), domain.byteCount(of: split))
          return Count(
            split: split, documentCount: domain.documentCount(of: split), tokenCount: tokens,
            shardCount: shards.count, byteCount: bytes,
            bytesPerToken: Double(bytes) / Double(max(1, tokens)))
        })
    }
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
        + ["documents", "tokens", "shards", "compressed bytes", "bytes/token"].map { ($0, .right) }
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
    return facts.text + "\n\n" + table.text
  }

  private static func cells(_ counts: [Count]) -> [String] {
    func sum(_ value: (Count) -> Int) -> Int { counts.reduce(0) { $0 + value($1) } }
    let (tokens, bytes) = (sum(\.tokenCount), sum(\.byteCount))
    return [
      NumberText.grouped(sum(\.documentCount)), NumberText.grouped(tokens),
      NumberText.grouped(sum(\.shardCount)), NumberText.grouped(bytes),
      NumberText.fixed(Double(bytes) / Double(max(1, tokens)), digits: 3),
    ]
  }
}
