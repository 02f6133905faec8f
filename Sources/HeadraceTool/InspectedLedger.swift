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

  struct Change: Encodable {
    let afterStep: Int
    let change: CorpusChange
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
  /// The damaged frames that the last step skipped.
  let quarantine: Quarantine
  /// Where the run went on over a changed corpus.
  let corpusChanges: [Change]
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
    quarantine = lines.last?.quarantine ?? Quarantine()
    corpusChanges = ledger.sections.compactMap { section in
      section.header.corpusChange.map {
        Change(afterStep: section.header.resumedAfterStep ?? 0, change: $0)
      }
    }
    // Domains that were removed stand behind those that are left.
    var domains = identity.domains
    for section in ledger.sections.reversed() {
      domains += section.header.identity.domains.filter { domain in
        !domains.contains { $0.name == domain.name }
      }
    }
    self.domains = domains.map {
      Self.domain($0, sections: ledger.sections, rowTotal: rowTotal, identity: identity)
    }
  }

  private static func domain(
    _ domain: LoaderIdentity.Domain, sections: [Ledger.Section], rowTotal: Int,
    identity: LoaderIdentity
  ) -> Domain {
    let drawRows = Int128(identity.grouping?.microBatchRows ?? 1)
    // In parts of 2^48 rows, exact: 2^48 parts times 2^53 rows fit an Int128.
    var (asked, effective, deviation) = (Int128(0), Int128(0), Int128(0))
    var drawn = 0
    for section in sections {
      let names = section.header.identity.domains.map(\.name)
      guard let index = names.firstIndex(of: domain.name) else { continue }
      for line in section.lines {
        asked += Int128(line.rows) * Int128(line.asked[index])
        effective += Int128(line.rows) * Int128(line.effective[index])
        drawn += line.drawn[index]
        // A credit is what is owed exactly, also where a cap was reached in the middle of a batch;
        // a multinomial draw has none.
        let owed =
          identity.draw == .credits
          ? drawRows * Int128(line.credits[index])
          : effective - Int128(drawn) * Int128(Mixture.one)
        deviation = max(deviation, abs(owed))
      }
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
    case feedbackCount, refusedFeedbackCount, lastReason, quarantine, corpusChanges, domains,
      identity
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
        ("frames in quarantine", NumberText.grouped(quarantine.entries.count)),
        (
          "feedback",
          "\(NumberText.grouped(feedbackCount)) observed, \(NumberText.grouped(refusedFeedbackCount))"
            + " refused"
        ),
      ]
        + corpusChanges.map {
          ("changed after step \($0.afterStep)", $0.change.description)
        } + InspectedIdentity.facts(of: identity))
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
