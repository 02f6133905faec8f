import Corpora
import Foundation
import Loading
import Testing
import Training

/// Runs that go on over a corpus that has changed.
@Suite(.timeLimit(.minutes(5)))
struct CarryOverTests {
  /// Packs the scratch corpus anew: alpha as it was, beta with more text, gamma gone, delta new.
  private func repack(_ scratch: RunScratch) throws {
    let more = (0..<60).map { "{\"text\": \"\($0) 01 11 10 01\"}\n" }.joined()
    for (name, text) in [("beta", more), ("delta", more + more)] {
      let path = "\(scratch.path)/\(name).jsonl"
      let old = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      try Data((old + text).utf8).write(to: URL(fileURLWithPath: path))
    }
    var plan = PackPlan(
      domains: ["alpha", "beta", "delta"].map {
        PackDomain(name: $0, inputs: ["\(scratch.path)/\($0).jsonl"])
      })
    plan.heldOutFraction = 0.2
    plan.maximumDocumentByteCount = 1 << 16
    try FileManager.default.removeItem(atPath: scratch.corpusPath)
    _ = try Packer(plan, resources: PackResources(memoryByteCount: 256 << 20, threadCount: 1))
      .pack(to: scratch.corpusPath)
  }

  private func stoppedRun(_ scratch: RunScratch, _ name: String, at step: Int) throws -> TrainingRun
  {
    let run = scratch.run(name, scratch.configuration())
    let witness = RunWitness()
    _ = try run.start(observer: witness, isStopping: { witness.steps.last ?? 0 == step })
    return run
  }

  @Test func aChangedCorpusIsRefusedUnlessItIsCarriedOver() throws {
    let scratch = try RunScratch()
    var run = try stoppedRun(scratch, "run", at: 6)
    try repack(scratch)
    let error = #expect(throws: RunError.self) { try run.start(resuming: true) }
    let text = error?.description ?? ""
    #expect(text.contains("added: delta; removed: gamma; re-packed or changed: beta"), "\(text)")

    run.corpusChange = .carryOver
    let witness = RunWitness()
    guard case .finished(let record) = try run.start(resuming: true, observer: witness) else {
      Issue.record("the run did not finish")
      return
    }
    #expect(witness.steps == Array(7...12))
    let said = witness.notices.map(\.description).joined(separator: "\n")
    #expect(said.contains("added: delta; removed: gamma") && said.contains("begins anew"))
    #expect(record.domains.map(\.name) == ["alpha", "beta", "delta"])
    #expect(record.tokenTotal == 768)
    let metrics = try RunMetrics(at: run.folder.metricsPath)
    #expect(metrics.domains == ["alpha", "beta", "delta"])
    #expect(metrics.steps.map(\.step) == Array(1...12))
    #expect(metrics.steps[0].tokenCounts[2] == 0 && metrics.steps[0].losses[2] == nil)
    #expect(metrics.steps.allSatisfy { $0.askedShares.count == 3 })
    #expect(metrics.steps[11].tokenCounts.reduce(0, +) == 64)
    let ledger = try Ledger(at: run.folder.ledgerPath)
    #expect(ledger.sections.map(\.lines.count) == [6, 6])
    #expect(ledger.header.corpusChange?.removed == ["gamma"])
  }

  @Test func aCarriedRunThatIsKilledAgainEndsTheSame() throws {
    let scratch = try RunScratch()
    var (one, other) = (
      try stoppedRun(scratch, "one", at: 5), try stoppedRun(scratch, "other", at: 5)
    )
    try repack(scratch)
    (one.corpusChange, other.corpusChange) = (.carryOver, .carryOver)
    _ = try one.start(resuming: true)
    for step in [6, 9] {
      let witness = RunWitness()
      _ = try other.start(
        resuming: true, observer: witness, isStopping: { witness.steps.last ?? 0 == step })
      // Once there is a checkpoint of the new corpus, nothing needs to be carried over.
      other.corpusChange = .refuse
    }
    _ = try other.start(resuming: true)
    #expect(try RunResult(one.folder) == RunResult(other.folder))
  }
}
