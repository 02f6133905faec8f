internal import Corpora
internal import Foundation
internal import Loading
internal import Mixing

/// One rank as a process of its own, for the tests: reads a ``RankScript``, does it, and writes a
/// line for every row and every digest.
@main
struct RankProcess {
  let script: RankScript
  let loader: Loader
  var lines: [String] = []

  static func main() throws {
    let path = CommandLine.arguments[1]
    let script = try JSONDecoder().decode(
      RankScript.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    var process = try RankProcess(script)
    for action in script.actions { try process.perform(action) }
    process.loader.close()
    try process.write()
  }

  init(_ script: RankScript) throws {
    self.script = script
    var options = LoaderOptions()
    options.rank = script.rank
    options.worldSize = script.worldSize
    options.threadCount = script.threadCount
    options.unitsPerPool = script.unitsPerPool
    options.draw = script.draw
    options.epochCaps = script.epochCaps
    options.ledgerPath = script.ledger
    if let path = script.quarantine { options.quarantined = try Quarantine(at: path) }
    loader = try Loader(
      Corpus(at: script.corpus), policy: .manual(.uniform),
      batch: .init(
        rows: script.rows, sequenceLength: script.sequenceLength, grouping: script.grouping),
      seed: script.seed, options: options,
      resumingFrom: script.checkpoint.map { try LoaderCheckpoint(at: $0) })
  }

  mutating func perform(_ action: RankScript.Action) throws {
    switch action {
    case .next:
      guard let batch = try loader.next() else {
        lines.append("end")
        return
      }
      append(batch)
    case .setMixture(let weights, let reason):
      try loader.setMixture(Mixture(normalizing: weights), reason: reason)
    case .setBatchRows(let rows): try loader.setBatchRows(rows)
    case .observe(let loss):
      let count = loader.identity.domains.count
      try loader.observe(
        Feedback(
          step: loader.step, losses: Array(repeating: loss, count: count),
          tokenCounts: Array(repeating: 1, count: count)))
    case .save(let path): try loader.saveCheckpoint(to: path)
    case .digest: lines.append("digest \(loader.step) \(try loader.digest())")
    case .limitFiles(let room): try limitFiles(room)
    case .fail:
      do throws(LoadingError) {
        if let batch = try loader.next() { append(batch) }
      } catch {
        lines.append("failed \(error)")
      }
    case .abort:
      try write()
      kill(getpid(), SIGKILL)
    }
  }

  private func limitFiles(_ room: Int?) throws {
    #if canImport(Glibc)
      let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
    #else
      let resource = RLIMIT_FSIZE
    #endif
    // Without that, a write beyond the limit ends the process.
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit()
    getrlimit(resource, &limit)
    limit.rlim_cur = limit.rlim_max
    if let room { limit.rlim_cur = rlim_t(try loader.checkpoint().ledgerByteCount + room) }
    setrlimit(resource, &limit)
  }

  /// Writes step, row over all ranks, domain, epoch and tokens of every row.
  private mutating func append(_ batch: Batch) {
    let facts = batch.facts
    batch.withTokens(as: Int32.self) { tokens in
      for row in 0..<facts.rowCount {
        let text = RankScript.text(
          of: tokens[row * (facts.sequenceLength + 1)..<(row + 1) * (facts.sequenceLength + 1)])
        lines.append(
          "row \(facts.step) \(facts.rows.lowerBound + row) \(facts.domainIndex(ofRow: row)) "
            + "\(facts.epoch(ofRow: row)) \(text)")
      }
    }
  }

  private func write() throws {
    try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: script.output))
  }
}
