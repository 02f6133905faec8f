import Corpora
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Shows on standard error how packing goes: a bar on a terminal, a line every few seconds
/// elsewhere.
final class PackDisplay: PackObserver {
  private struct Shown {
    var lastTime: ContinuousClock.Instant?
    /// The share that was done when this run began: what an earlier run has done takes no time.
    var firstFraction = 0.0
    var firstTime: ContinuousClock.Instant?
    var hasBar = false
  }

  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let shown = Mutex(Shown())
  private static let barWidth = 24

  func packing(_ progress: PackProgress) {
    let now = ContinuousClock.now
    let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(5)
    shown.withLock { shown in
      guard let first = shown.firstTime, let last = shown.lastTime else {
        shown.firstTime = now
        shown.lastTime = now
        shown.firstFraction = progress.fraction
        return
      }
      if now - last < interval && progress.phase != .finishing { return }
      shown.lastTime = now
      let seconds = (now - first) / .seconds(1)
      let line = Self.line(
        progress, seconds: seconds, firstFraction: shown.firstFraction, withBar: isTerminal)
      show(isTerminal ? "\r\u{1B}[K" + line : line + "\n")
      shown.hasBar = isTerminal
    }
  }

  func packing(notice: PackNotice) {
    shown.withLock { shown in
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
      show((shown.hasBar ? "\r\u{1B}[K" : "") + line + "\n")
      shown.hasBar = false
    }
  }

  /// Leaves the bar behind.
  func end() {
    shown.withLock { shown in
      if shown.hasBar { show("\n") }
      shown.hasBar = false
    }
  }

  private static func line(
    _ progress: PackProgress, seconds: Double, firstFraction: Double, withBar: Bool
  ) -> String {
    let phase =
      switch progress.phase {
      case .listing: "listing"
      case .scattering: "reading"
      case .gathering: "writing"
      case .finishing: "finishing"
      }
    var line = "\(progress.domain) \(phase) "
    if withBar {
      let filled = Int(progress.fraction * Double(barWidth))
      line += "[" + String(repeating: "#", count: filled)
      line += String(repeating: "-", count: barWidth - filled) + "] "
    }
    line += "\(Int(progress.fraction * 100)) %"
    let done = progress.fraction - firstFraction
    if seconds > 0, done > 0 {
      let rate = done * Double(progress.totalByteCount) / seconds
      line += ", \(PackTable.fixed(rate / 1e6, digits: 1)) MB/s"
      line += ", \(duration(seconds * (1 - progress.fraction) / done)) left"
    }
    line += ", \(PackTable.grouped(progress.documentCount)) documents"
    return line + ", \(PackTable.grouped(progress.tokenCount)) tokens written"
  }

  private static func duration(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 1e9).rounded())
    let rest = whole % 60
    return "\(whole / 60):" + (rest < 10 ? "0\(rest)" : "\(rest)")
  }

  private func show(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      // A display that cannot be shown must not stop the packing.
      _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count)
    }
  }
}

/// The table at the end of packing.
enum PackTable {
  /// Returns the counts of each domain, and of all.
  static func text(of report: PackReport) -> String {
    var rows = [
      ["domain", "documents", "tokens", "held-out tokens", "compressed bytes", "ratio"]
    ]
    for domain in report.domains { rows.append(row(domain)) }
    if report.domains.count > 1 { rows.append(sum(of: report.domains)) }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return column == 0 ? row[column] + padding : padding + row[column]
      }.joined(separator: "  ")
    }
    let skipped = report.domains.reduce(0) { $0 + $1.skippedDocumentCount }
    let empty = report.domains.reduce(0) { $0 + $1.emptyDocumentCount }
    if empty > 0 { lines.append(leftOut(empty, "empty")) }
    if skipped > 0 { lines.append(leftOut(skipped, "bad")) }
    lines.append(
      report.wasPacked ? "\(report.output) was already packed" : "packed \(report.output)")
    return lines.joined(separator: "\n")
  }

  private static func leftOut(_ count: Int, _ kind: String) -> String {
    count == 1
      ? "1 \(kind) document was left out" : "\(grouped(count)) \(kind) documents were left out"
  }

  private static func row(_ domain: PackDomainReport) -> [String] {
    [
      domain.name, grouped(domain.documentCount + domain.heldOutDocumentCount),
      grouped(domain.tokenCount), grouped(domain.heldOutTokenCount),
      grouped(domain.compressedByteCount), fixed(domain.compressionRatio, digits: 2),
    ]
  }

  private static func sum(of domains: [PackDomainReport]) -> [String] {
    func sum(_ value: (PackDomainReport) -> Int) -> Int { domains.reduce(0) { $0 + value($1) } }
    let compressed = sum(\.compressedByteCount)
    return [
      "all", grouped(sum { $0.documentCount + $0.heldOutDocumentCount }),
      grouped(sum(\.tokenCount)), grouped(sum(\.heldOutTokenCount)), grouped(compressed),
      fixed(Double(sum(\.textByteCount)) / Double(max(1, compressed)), digits: 2),
    ]
  }

  /// A count with commas between its thousands.
  static func grouped(_ count: Int) -> String {
    var text = ""
    for (index, digit) in String(count).reversed().enumerated() {
      if index > 0, index % 3 == 0 { text = "," + text }
      text = String(digit) + text
    }
    return text
  }

  /// A number that is not negative, with so many digits behind the point.
  static func fixed(_ number: Double, digits: Int) -> String {
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((min(number, 1e12) * Double(scale)).rounded())
    let rest = String(scaled % scale)
    return "\(scaled / scale)." + String(repeating: "0", count: digits - rest.count) + rest
  }
}
