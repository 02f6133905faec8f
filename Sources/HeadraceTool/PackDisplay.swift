import Corpora

/// Shows on standard error how packing goes.
final class PackDisplay: PackObserver {
  private let bar = Locked(ProgressBar())

  func packing(_ progress: PackProgress) {
    let phase =
      switch progress.phase {
      case .listing: "listing"
      case .scattering: "reading"
      case .gathering: "writing"
      case .finishing: "finishing"
      }
    let state = ProgressBar.State(
      label: progress.domain.isEmpty ? phase : "\(progress.domain) \(phase)",
      fraction: progress.fraction, totalByteCount: progress.totalByteCount,
      detail: NumberText.counted(progress.documentCount, "document") + ", "
        + NumberText.counted(progress.tokenCount, "token") + " written",
      isLast: progress.phase == .finishing)
    bar.withLock { $0.show(state) }
  }

  func packing(notice: PackNotice) {
    let line =
      switch notice {
      case .resumed(let domains):
        domains.isEmpty
          ? "going on with an interrupted run"
          : "going on with an interrupted run; finished: " + domains.joined(separator: ", ")
      case .startedAnew(let path):
        "\(path) was left by another plan or over other inputs: starting anew"
      case .damaged(let path):
        "\(path) is missing, or is not whole: packing the corpus again"
      case .kept(let path):
        "\(path) holds files that packing did not make, so it was not removed"
      case .danglingLink(let path):
        "left out: \(path) is a link that leads to nothing"
      case .skipped(let fault, let place):
        "left out: \(place): \(fault)"
      }
    bar.withLock { $0.note(line) }
  }

  /// Leaves the bar behind.
  func end() { bar.withLock { $0.end() } }
}

/// The table at the end of packing.
enum PackTable {
  /// Returns the counts of each domain, and of all.
  static func text(of report: PackReport) -> String {
    var table = TextTable(
      names: "domain",
      numbers: ["documents", "tokens", "held-out tokens", "compressed bytes", "ratio"])
    for domain in report.domains { table.append(row(domain)) }
    if report.domains.count > 1 { table.append(sum(of: report.domains)) }
    var lines = [table.text]
    let skipped = report.domains.reduce(0) { $0 + $1.skippedDocumentCount }
    let empty = report.domains.reduce(0) { $0 + $1.emptyDocumentCount }
    if empty > 0 {
      lines.append(
        "\(NumberText.counted(empty, "empty document")) \(empty == 1 ? "was" : "were") left out")
    }
    if skipped > 0 {
      lines.append(
        "\(NumberText.counted(skipped, "bad document")) \(skipped == 1 ? "was" : "were") left out")
    }
    lines.append(
      report.wasPacked ? "\(report.output) was already packed" : "packed \(report.output)")
    return lines.joined(separator: "\n")
  }

  private static func row(_ domain: PackDomainReport) -> [String] {
    [
      domain.name, NumberText.grouped(domain.documentCount + domain.heldOutDocumentCount),
      NumberText.grouped(domain.tokenCount), NumberText.grouped(domain.heldOutTokenCount),
      NumberText.grouped(domain.compressedByteCount),
      NumberText.fixed(domain.compressionRatio, digits: 2),
    ]
  }

  private static func sum(of domains: [PackDomainReport]) -> [String] {
    func sum(_ value: (PackDomainReport) -> Int) -> Int { domains.reduce(0) { $0 + value($1) } }
    let compressed = sum(\.compressedByteCount)
    let ratio = Double(sum(\.textByteCount)) / Double(max(1, compressed))
    return [
      "all", NumberText.grouped(sum { $0.documentCount + $0.heldOutDocumentCount }),
      NumberText.grouped(sum(\.tokenCount)), NumberText.grouped(sum(\.heldOutTokenCount)),
      NumberText.grouped(compressed), NumberText.fixed(ratio, digits: 2),
    ]
  }
}
