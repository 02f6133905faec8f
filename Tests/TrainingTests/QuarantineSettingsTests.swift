import Corpora
import Foundation
import HeadraceTesting
import Loading
import Testing
import Training

/// Training runs over damaged frames.
@Suite(.timeLimit(.minutes(5)))
struct QuarantineSettingsTests {
  private static let heldOut = [tokensPerFrame + 3000]

  private func corpus() throws -> SyntheticCorpus {
    try SyntheticCorpus(
      [
        .init("code", shards: [tokensPerFrame + 5000, 6000], heldOut: Self.heldOut),
        .init("prose", shards: [9000], heldOut: [3000]),
      ], content: .runs(300))
  }

  private func damage(_ corpus: SyntheticCorpus, _ split: Split, frame: Int) throws {
    let name = corpus.path(domain: 0, split: split, shard: 0)
    let entry = try corpus.open().openShard(0, of: split, domainIndex: 0).index.frames[frame]
    let place = entry.byteOffset + entry.byteCount / 2
    corpus.folder.patch(name, at: place, with: [try corpus.folder.bytes(of: name)[place] ^ 4])
  }

  private func run(
    _ corpus: SyntheticCorpus, _ name: String, rule: QuarantineRule = .off,
    list: Quarantine = Quarantine()
  ) -> TrainingRun {
    var configuration = RunConfiguration(
      corpusPath: corpus.folder.path, rows: 4,
      model: LanguageModelConfiguration(
        vocabularySize: corpus.vocabularySize, sequenceLength: 256, layerCount: 1, width: 8,
        headCount: 2),
      stepCount: 12, seed: 17)
    configuration.evaluation = .init(stepInterval: 4, tokenLimit: 1 << 20)
    configuration.checkpoints = .init(stepInterval: 3, keepCount: 2)
    var options = LoaderOptions()
    (options.quarantine, options.quarantined) = (rule, list)
    configuration.loader = .init(options)
    return TrainingRun(
      configuration, folder: RunFolder("\(corpus.folder.path)/runs/\(name)"), toolVersion: "test")
  }

  private func start(
    _ run: TrainingRun, resuming: Bool = false, _ witness: RunWitness = RunWitness(),
    until step: Int = .max
  ) throws -> TrainingRun.Outcome {
    try run.start(
      resuming: resuming, observer: witness, isStopping: { witness.steps.last ?? 0 == step },
      makeTrainer: { () throws(RunError) in CountingTrainer() })
  }

  @Test func aRunCollectsDamageSaysSoAndIsResumed() throws {
    let corpus = try corpus()
    try damage(corpus, .train, frame: 0)
    let error = #expect(throws: RunError.self) { try start(run(corpus, "off")) }
    #expect(error?.description.contains("frame 0") == true)

    let whole = run(corpus, "whole", rule: .collect)
    let witness = RunWitness()
    guard case .finished = try start(whole, witness) else {
      Issue.record("the run did not finish")
      return
    }
    let said = witness.notices.map(\.description).joined(separator: "\n")
    #expect(said.contains("frame 0 of code/train-0.tokens.zst in domain code joined"), "\(said)")
    #expect(try Ledger(at: whole.folder.ledgerPath).lines.last?.quarantine?.entries.count == 1)

    let stopped = run(corpus, "stopped", rule: .collect)
    _ = try start(stopped, until: 5)
    let recorded = try TrainingRun.configuration(of: stopped.folder)
    #expect(recorded == stopped.configuration && recorded.loader.quarantine?.rule == .collect)
    let resumed = TrainingRun(recorded, folder: stopped.folder, toolVersion: "test")
    _ = try start(resumed, resuming: true)
    #expect(try RunResult(resumed.folder) == RunResult(whole.folder))
  }

  @Test func aListIsKeptAndHoldsForEvaluationsToo() throws {
    let corpus = try corpus()
    try damage(corpus, .train, frame: 0)
    try damage(corpus, .heldOut, frame: 0)
    let opened = try corpus.open()
    let list = Quarantine(try Verification(opened).run(), of: opened)
    #expect(list.entries.count == 2)
    #expect(throws: RunError.self) { try start(run(corpus, "collecting", rule: .collect)) }

    let listed = run(corpus, "listed", list: list)
    _ = try start(listed, until: 5)
    #expect(try TrainingRun.configuration(of: listed.folder) == listed.configuration)
    let other = TrainingRun(
      run(corpus, "other").configuration, folder: listed.folder, toolVersion: "test")
    let error = #expect(throws: RunError.self) { try start(other, resuming: true) }
    #expect(error?.description.contains("loader.quarantine.list") == true)
    guard case .finished(let record) = try start(listed, resuming: true) else {
      Issue.record("the run did not finish")
      return
    }
    #expect(record.evaluations.allSatisfy { $0.losses.allSatisfy { $0 != nil } })
    #expect(record.configuration.loader.quarantine?.list == list)
  }

  @Test func aListLosesItsEntriesOfADomainThatWasPackedAgainWhenARunIsCarriedOver() throws {
    let corpus = try corpus()
    try damage(corpus, .train, frame: 0)
    let opened = try corpus.open()
    let list = Quarantine(try Verification(opened).run(), of: opened)
    let listed = run(corpus, "listed", list: list)
    _ = try start(listed, until: 5)

    // Other tokens in shards of the same sizes, so that the natural mixture stays.
    let mended = try SyntheticCorpus(
      [
        .init("code", shards: [tokensPerFrame + 5000, 6000], heldOut: Self.heldOut),
        .init("prose", shards: [9000], heldOut: [3000]),
      ], content: .runs(200))
    var configuration = try TrainingRun.configuration(of: listed.folder)
    configuration.corpusPath = mended.folder.path
    var carried = TrainingRun(configuration, folder: listed.folder, toolVersion: "test")
    carried.corpusChange = .carryOver
    guard case .finished(let record) = try start(carried, resuming: true) else {
      Issue.record("the run did not finish")
      return
    }
    #expect(record.configuration.loader.quarantine?.list == Quarantine())
  }

  @Test func settingsAreOmittedByDefaultAndCheckedWhenTheyAreRead() throws {
    let corpus = try corpus()
    try damage(corpus, .train, frame: 1)
    let plain = run(corpus, "plain").configuration
    #expect(plain.loader.quarantine == nil)
    let text = String(decoding: try JSONEncoder().encode(plain), as: UTF8.self)
    #expect(!text.contains("quarantine"))

    let opened = try corpus.open()
    let settings = QuarantineSettings(
      rule: .collect, list: Quarantine(try Verification(opened).run(), of: opened))
    let encoded = String(decoding: try JSONEncoder().encode(settings), as: UTF8.self)
    func read(_ text: String) throws -> QuarantineSettings {
      try JSONDecoder().decode(QuarantineSettings.self, from: Data(text.utf8))
    }
    #expect(try read(encoded) == settings)
    for (old, new) in [
      ("\"frame\":1", "\"frame\":-1"), ("\"shardIndex\":0", "\"shardIndex\":-1"),
      ("\"collect\"", "\"gather\""),
    ] {
      #expect(encoded.contains(old), "\(encoded)")
      #expect(throws: DecodingError.self) {
        try read(encoded.replacingOccurrences(of: old, with: new))
      }
    }
  }
}
