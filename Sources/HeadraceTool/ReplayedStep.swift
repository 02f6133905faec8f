internal import Corpora
internal import Loading
internal import Mixing

/// What `headrace replay` says of a batch.
struct ReplayedStep: Encodable, CustomStringConvertible {
  struct Domain: Encodable {
    let name: String
    /// The sequences that the domain had given before the batch.
    let position: Int
    let askedShare: Double
    let effectiveShare: Double
    let rows: Int
  }

  struct Row: Encodable {
    let row: Int
    let domain: String
    let epoch: Int
    let position: Int
    let shard: String
    let tokenOffset: Int
    /// The document in which the row begins, counted in the shard from 0; nil where the shard does
    /// not count its documents.
    let document: Int?
    let offsetInDocument: Int?
    /// The documents that the row touches.
    let documentCount: Int?
    /// The row's first tokens.
    let tokens: [Int64]
    /// The same and more as text, where that was asked for.
    let text: String?
  }

  let ledger: String
  let step: Int
  let rowCount: Int
  let sequenceLength: Int
  let reason: String
  let lastObservedStep: Int
  /// The XXH64 of all tokens as little-endian Int64.
  let tokenHash: String
  /// The file that the tokens were written to, if any.
  let tokensPath: String?
  let domains: [Domain]
  let rows: [Row]

  private static let tokenLimit = 8
  private static let textByteLimit = 120
  private static let textLimit = 48

  /// Describes `rows` of `batch`.
  init(
    _ batch: Batch, of replay: StepReplay, corpus: Corpus, type: TokenType, rows: Range<Int>,
    showsText: Bool, tokensPath: String?
  ) throws {
    let facts = batch.facts
    ledger = replay.path
    step = batch.step
    rowCount = batch.rowCount
    sequenceLength = batch.sequenceLength
    reason = facts.reason
    lastObservedStep = facts.lastObservedStep
    self.tokensPath = tokensPath
    let tokens = Self.wideTokens(of: batch, type: type)
    tokenHash = XXHash.text(tokens.withUnsafeBytes { XXHash.hash64($0) })
    domains = corpus.domains.enumerated().map { index, domain in
      Domain(
        name: domain.name, position: facts.position(ofDomain: index),
        askedShare: facts.asked.weight(ofDomain: index),
        effectiveShare: Double(facts.effectiveShares[index]) / Double(Mixture.one),
        rows: facts.rowCount(ofDomain: index))
    }
    let finder = try DocumentFinder(corpus, split: replay.header.identity.split)
    self.rows = try rows.map { row in
      let begin = row * (batch.sequenceLength + 1)
      return try Self.row(
        row, of: batch, tokens: tokens[begin..<begin + batch.sequenceLength + 1], corpus: corpus,
        finder: finder, showsText: showsText)
    }
  }

  private static func row(
    _ row: Int, of batch: Batch, tokens: ArraySlice<Int64>, corpus: Corpus, finder: DocumentFinder,
    showsText: Bool
  ) throws -> Row {
    guard let origin = batch.facts.origin(ofRow: row) else {
      // A replay refuses the only rows that have no origin: those of text that is not packed.
      throw ToolFailure("row \(row) of the batch has no place in the corpus")
    }
    let isCounted = corpus.domains[origin.domainIndex].format == .native
    let found =
      isCounted
      ? try finder.documents(of: origin, sequenceLength: batch.sequenceLength) : nil
    let text =
      showsText
      ? ByteTokenText.line(
        of: tokens.prefix(textByteLimit), endOfText: Int64(corpus.tokenizer.endOfText),
        limit: textLimit) : nil
    return Row(
      row: row, domain: corpus.domains[origin.domainIndex].name, epoch: origin.epoch,
      position: origin.position, shard: origin.shardPath, tokenOffset: origin.tokenOffset,
      document: found?.documents.lowerBound, offsetInDocument: found?.offsetInFirst,
      documentCount: found?.documents.count, tokens: Array(tokens.prefix(tokenLimit)), text: text)
  }

  /// The batch's tokens as little-endian Int64.
  private static func wideTokens(of batch: Batch, type: TokenType) -> [Int64] {
    switch type {
    case .uint16: batch.withTokens(as: UInt16.self) { $0.map { Int64($0).littleEndian } }
    case .uint32: batch.withTokens(as: UInt32.self) { $0.map { Int64($0).littleEndian } }
    case .int32: batch.withTokens(as: Int32.self) { $0.map { Int64($0).littleEndian } }
    case .int64: batch.withTokens(as: Int64.self) { $0.map { $0.littleEndian } }
    }
  }

  var description: String {
    let facts = TextTable(
      facts: [
        ("ledger", ledger), ("step", NumberText.grouped(step)),
        (
          "batch",
          NumberText.counted(rowCount, "row") + " of "
            + NumberText.counted(sequenceLength, "token")
        ),
        ("reason", ByteTokenText.escaped(reason)),
        (
          "last observed step",
          lastObservedStep == 0 ? "none" : NumberText.grouped(lastObservedStep)
        ),
        ("XXH64 of the tokens", tokenHash),
      ] + (tokensPath.map { [("tokens written to", $0)] } ?? []))
    var domainTable = TextTable(
      names: "domain", numbers: ["position", "asked", "effective", "rows"])
    for domain in domains {
      domainTable.append([
        domain.name, NumberText.grouped(domain.position), NumberText.percent(domain.askedShare),
        NumberText.percent(domain.effectiveShare), NumberText.grouped(domain.rows),
      ])
    }
    return [facts.text, domainTable.text, rowTable.text].joined(separator: "\n\n")
  }

  private var rowTable: TextTable {
    let showsText = rows.contains { $0.text != nil }
    var table = TextTable([
      ("row", .right), ("domain", .left), ("epoch", .right), ("position", .right),
      ("shard", .left), ("token offset", .right), ("document", .right), ("offset in it", .right),
      ("documents", .right), (showsText ? "text" : "first tokens", .left),
    ])
    for row in rows {
      let beginning = row.text ?? row.tokens.map { "\($0)" }.joined(separator: " ") + " …"
      table.append([
        NumberText.grouped(row.row), row.domain, NumberText.grouped(row.epoch),
        NumberText.grouped(row.position), row.shard, NumberText.grouped(row.tokenOffset),
        row.document.map(NumberText.grouped) ?? "–",
        row.offsetInDocument.map(NumberText.grouped) ?? "–",
        row.documentCount.map(NumberText.grouped) ?? "–", beginning,
      ])
    }
    return table
  }
}
