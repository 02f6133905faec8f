internal import Corpora
internal import Loading
internal import Mixing

/// What `headrace inspect` says of a checkpoint file.
struct InspectedCheckpoint: Encodable, CustomStringConvertible {
  struct Section: Encodable {
    let name: String
    let byteCount: Int
  }

  let kind = "checkpoint"
  let path: String
  let sections: [Section]
  /// The loader's state; nil if the file holds none.
  let loader: LoaderCheckpoint?

  init(path: String) throws {
    self.path = path
    let contents = try CheckpointFile.read(path)
    sections = contents.keys.sorted().map {
      Section(name: $0, byteCount: contents[$0, default: []].count)
    }
    loader = try contents[LoaderCheckpoint.sectionName].map {
      try LoaderCheckpoint(bytes: $0, path: path)
    }
  }

  var description: String {
    var table = TextTable(names: "section", numbers: ["bytes"])
    for section in sections {
      table.append([section.name, NumberText.grouped(section.byteCount)])
    }
    var parts = ["checkpoint \(path)", table.text]
    if let loader {
      parts.append(Self.facts(of: loader).text)
      parts.append(Self.domains(of: loader).text)
    }
    return parts.joined(separator: "\n\n")
  }

  private static func facts(of loader: LoaderCheckpoint) -> TextTable {
    TextTable(
      facts: [
        ("step", NumberText.grouped(loader.step)),
        ("rows given", NumberText.grouped(loader.rowTotal)),
        ("policy", loader.policy.policy),
        (
          "last observed step",
          loader.lastObservedStep == 0 ? "none" : NumberText.grouped(loader.lastObservedStep)
        ),
        ("refused feedback", NumberText.grouped(loader.refusedFeedbackCount)),
        ("frames in quarantine", NumberText.grouped(loader.quarantine.entries.count)),
        ("ledger bytes", NumberText.grouped(loader.ledgerByteCount)),
      ] + InspectedIdentity.facts(of: loader.identity))
  }

  private static func domains(of loader: LoaderCheckpoint) -> TextTable {
    var table = TextTable(
      [("domain", .left)]
        + ["position", "epochs", "cap", "credit"].map { ($0, .right) } + [("fingerprint", .left)])
    for (index, domain) in loader.identity.domains.enumerated() {
      let position = loader.positions[index]
      table.append([
        domain.name, NumberText.grouped(position),
        NumberText.fixed(Double(position) / Double(max(1, domain.sequenceCount)), digits: 3),
        domain.positionLimit.map(NumberText.grouped) ?? "none",
        NumberText.fixed(Double(loader.credits[index]) / Double(Mixture.one), digits: 3),
        domain.fingerprint,
      ])
    }
    // What is gone has no place in an order any more.
    for domain in loader.departed {
      table.append([
        domain.name + " (gone)", NumberText.grouped(domain.rowCount), "", "", "",
        domain.fingerprint,
      ])
    }
    return table
  }
}

/// What a run is known by, as checkpoints and ledgers record it.
enum InspectedIdentity {
  static func facts(of identity: LoaderIdentity) -> [(name: String, value: String)] {
    let grouping =
      identity.grouping.map {
        "micro-batches of \(NumberText.counted($0.microBatchRows, "row"))"
          + ($0.everyDomain ? ", at least one per domain" : "")
      } ?? "none"
    return [
      ("seed", "\(identity.seed)"), ("split", identity.split.rawValue),
      ("sequence length", NumberText.grouped(identity.sequenceLength)),
      ("units per pool", NumberText.grouped(identity.unitsPerPool)),
      ("draw", identity.draw.rawValue), ("grouping", grouping),
      ("order version", "\(identity.orderVersion)"),
    ]
  }
}
