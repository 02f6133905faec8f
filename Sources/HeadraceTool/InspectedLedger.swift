internal import Loading
internal import Mixing

/// What `headrace inspect` says of a ledger: the run in sums.
struct InspectedLedger: Encodable, CustomStringConvertible {
  struct Domain: Encodable {
    let name: String
    let rows: Int
    let epochs: Double
    /// The mean of the policy's weights, by rows.
    let askedShare: Double
    /// The mean of the weights that were drawn by, by rows.
    let effectiveShare: Double
    let drawnShare: Double
    /// The largest distance, between any two steps, of the rows drawn from those that the effective
    /// mixture gives.
    let maximumDeviationInRows: Double
  }

  let kind = "ledger"
  let path: String
  let stepCount: Int
  let firstStep: Int?
  let lastStep: Int?
  let rows: Int
  let tokens: Int
  let mixtureChangeCount: Int
  let feedbackCount: Int
  let refusedFeedbackCount: Int
  let lastReason: String?
  let domains: [Domain]
  private let identity: LoaderIdentity

  init(path: String) throws {
    let ledger = try Ledger(at: path)
    let lines = ledger.lines
    let identity = ledger.header.identity
    self.identity = identity
    self.path = path
    stepCount = lines.count
    firstStep = lines.first?.step
    lastStep = lines.last?.step
    let rowTotal = lines.reduce(0) { $0 + $1.rows }
    rows = rowTotal
    tokens = rowTotal * identity.sequenceLength
    mixtureChangeCount = zip(lines, lines.dropFirst()).count { $0.asked != $1.asked }
    feedbackCount = lines.reduce(0) { $0 + $1.feedback.count }
    refusedFeedbackCount = lines.last?.refusedFeedbackCount ?? 0
    lastReason = lines.last?.reason
    let count = identity.domains.count
    for (index, line) in lines.enumerated()
    where [line.asked.count, line.effective.count, line.drawn.count, line.credits.count]
      .contains(where: { $0 != count })
    {
      throw LoadingError.ledgerDamaged(
        path: path, line: index + 2, reason: "it is not about \(count) domains")
    }
    domains = identity.domains.enumerated().map { index, domain in
      Self.domain(domain, index: index, lines: lines, rowTotal: rowTotal, identity: identity)
    }
  }

  private static func domain(
    _ domain: LoaderIdentity.Domain, index: Int, lines: [LedgerLine], rowTotal: Int,
    identity: LoaderIdentity
  ) -> Domain {
    let drawRows = Int128(identity.grouping?.microBatchRows ?? 1)
    // In parts of 2^48 rows, exact: 2^48 parts times 2^53 rows fit an Int128.
    var (asked, effective, deviation) = (Int128(0), Int128(0), Int128(0))
    var drawn = 0
    for line in lines {
      asked += Int128(line.rows) * Int128(line.asked[index])
      effective += Int128(line.rows) * Int128(line.effective[index])
      drawn += line.drawn[index]
      // A credit is what is owed exactly, also where a cap was reached in the middle of a batch; a
      // multinomial draw has none.
      let owed =
        identity.draw == .credits
        ? drawRows * Int128(line.credits[index])
        : effective - Int128(drawn) * Int128(Mixture.one)
      deviation = max(deviation, abs(owed))
    }
    let all = Double(max(1, rowTotal)) * Double(Mixture.one)
    return Domain(
      name: domain.name, rows: drawn, epochs: Double(drawn) / Double(max(1, domain.sequenceCount)),
      askedShare: Double(asked) / all, effectiveShare: Double(effective) / all,
      drawnShare: Double(drawn) / Double(max(1, rowTotal)),
      maximumDeviationInRows: Double(deviation) / Double(Mixture.one))
  }

  private enum CodingKeys: String, CodingKey {
    case kind, path, stepCount, firstStep, lastStep, rows, tokens, mixtureChangeCount
    case feedbackCount, refusedFeedbackCount, lastReason, domains, identity
  }

  var description: String {
    let steps =
      if let firstStep, let lastStep {
        "\(NumberText.grouped(stepCount)) (\(NumberText.grouped(firstStep)) to "
          + "\(NumberText.grouped(lastStep)))"
      } else {
        "none"
      }
    let facts = TextTable(
      facts: [
        ("ledger", path), ("steps", steps), ("rows", NumberText.grouped(rows)),
        ("tokens", NumberText.grouped(tokens)),
        ("mixture changes", NumberText.grouped(mixtureChangeCount)),
        ("last reason", lastReason ?? "none"),
        (
          "feedback",
          "\(NumberText.grouped(feedbackCount)) observed, \(NumberText.grouped(refusedFeedbackCount))"
            + " refused"
        ),
      ] + InspectedIdentity.facts(of: identity))
    var table = TextTable(
      names: "domain",
      numbers: ["rows", "epochs", "asked", "effective", "drawn", "largest deviation"])
    for domain in domains {
      table.append([
        domain.name, NumberText.grouped(domain.rows), NumberText.fixed(domain.epochs, digits: 3),
        NumberText.percent(domain.askedShare), NumberText.percent(domain.effectiveShare),
        NumberText.percent(domain.drawnShare),
        NumberText.fixed(domain.maximumDeviationInRows, digits: 2) + " rows",
      ])
    }
    return facts.text + "\n\n" + table.text
  }
}
