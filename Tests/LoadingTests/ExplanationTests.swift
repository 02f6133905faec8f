// Covers: Explanation+Warning.swift
import Corpora
import Foundation
import Loading
import Mixing
import Testing

@Suite struct ExplanationTests {
  /// A corpus of domains of so many tokens each, removed with the value.
  private final class TinyCorpus {
    let folder: String
    let corpus: Corpus

    init(_ tokenCounts: [(name: String, train: Int, heldOut: Int)]) throws {
      folder = FileManager.default.temporaryDirectory.path + "/explain-" + UUID().uuidString
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let folder = folder
      let domains = try tokenCounts.map { domain in
        var splits: [Split: [ShardDescription]] = [:]
        for (split, count) in [(Split.train, domain.train), (.heldOut, domain.heldOut)]
        where count > 0 {
          let name = "\(domain.name)-\(split.rawValue).tokens.zst"
          splits[split] = [try Self.writeShard(count, to: folder, name: name)]
        }
        return DomainManifest(name: domain.name, splits: splits)
      }
      try CorpusManifest(
        name: "tiny",
        tokenizer: TokenizerDescription(name: "bytes", vocabularySize: 257, endOfText: 256),
        tokenWidth: .uint16, domains: domains
      ).write(to: folder + "/corpus.json")
      corpus = try Corpus(at: folder)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static func writeShard(
      _ tokenCount: Int, to folder: String, name: String
    ) throws -> ShardDescription {
      let encoder = try FrameEncoder(tokenWidth: .uint16, level: 1, endOfText: 256)
      var writer = try ShardWriter(path: folder + "/" + name, tokenWidth: .uint16)
      var rest = tokenCount
      while rest > 0 {
        let tokens = (0..<min(rest, tokensPerFrame)).map { UInt16($0 % 256) }
        try writer.append(tokens.withUnsafeBytes { try encoder.encode($0) })
        rest -= tokens.count
      }
      return try writer.finish(manifestPath: name)
    }
  }

  private let batch = BatchConfiguration(rows: 8, sequenceLength: 128)

  /// Runs the loader as far as the explanation says, and compares rows, epochs and the end.
  private func expectHolds(
    _ explanation: Explanation, corpus: Corpus, policy: PolicyRecipe,
    batch: BatchConfiguration, options: LoaderOptions
  ) throws {
    let loader = try Loader(corpus, policy: policy, batch: batch, seed: 5, options: options)
    var rowCounts = [Int](repeating: 0, count: corpus.domains.count)
    for _ in 0..<explanation.stepCount {
      let next = try #require(try loader.next())
      for row in 0..<next.rowCount { rowCounts[next.facts.domainIndex(ofRow: row)] += 1 }
    }
    #expect(rowCounts == explanation.domains.map(\.rowCount))
    if explanation.stepCount < explanation.askedStepCount {
      #expect(try loader.next() == nil)
    }
  }

  @Test(.timeLimit(.minutes(5)), arguments: DrawRule.allCases, [false, true])
  func rowsAreThoseOfTheRun(draw: DrawRule, isGrouped: Bool) throws {
    let tiny = try TinyCorpus([("a", 30_000, 500), ("b", 9_000, 500), ("c", 70_000, 500)])
    var batch = batch
    if isGrouped { batch.grouping = .init(microBatchRows: 2, everyDomain: true) }
    var options = LoaderOptions()
    options.draw = draw
    options.epochCaps = ["b": 1.5, "c": 0.25]
    let policy = PolicyRecipe.static(.weights(["a": 0.2, "b": 0.3, "c": 0.5]))
    let explanation = try Explanation(
      tiny.corpus, policy: policy, batch: batch, seed: 5, options: options, length: .steps(80))
    #expect(explanation.stepCount == 80)
    #expect(explanation.domains[0].exhaustedAtStep == nil)
    #expect(explanation.domains[1].exhaustedAtStep != nil)
    #expect(explanation.domains[2].exhaustedAtStep != nil)
    try expectHolds(
      explanation, corpus: tiny.corpus, policy: policy, batch: batch, options: options)
  }

  @Test(.timeLimit(.minutes(5)))
  func theEndOfTheDataIsForeseen() throws {
    let tiny = try TinyCorpus([("a", 30_000, 500), ("b", 9_000, 500)])
    var options = LoaderOptions()
    options.epochCaps = ["a": 1, "b": 2]
    let explanation = try Explanation(
      tiny.corpus, policy: .static(.uniform), batch: batch, seed: 5, options: options,
      length: .steps(1000))
    // a: floor(29 999 / 128) = 234 sequences, b: 70, twice; 374 rows are 46 batches of 8 and a
    // rest.
    #expect(explanation.domains.map(\.sequenceCount) == [234, 70])
    #expect(explanation.stepCount == 46)
    #expect(explanation.warnings.contains(.dataEnds(afterStep: 46, askedStepCount: 1000)))
    try expectHolds(
      explanation, corpus: tiny.corpus, policy: .static(.uniform), batch: batch, options: options)
  }

  @Test func capsAreReachedInTheStepThatIsNamed() throws {
    let tiny = try TinyCorpus([("a", 30_000, 500), ("b", 9_000, 500)])
    var options = LoaderOptions()
    options.epochCaps = ["b": 1]
    let explanation = try Explanation(
      tiny.corpus, policy: .static(.uniform), batch: batch, seed: 5, options: options,
      length: .steps(100))
    // Four rows of each batch are b's, whose 70 sequences are used up in batch 18.
    #expect(explanation.domains[1].exhaustedAtStep == 18)
    #expect(explanation.domains[1].rowCount == 70)
    #expect(explanation.domains[0].rowCount == 730)
  }

  // a has 2 full frames of 2048 sequences and 590 in the short one; the second frame is damaged.
  @Test(.timeLimit(.minutes(5)), arguments: [nil, 0.5, 1.5])
  func aQuarantineListIsSubtracted(cap: Double?) throws {
    let tiny = try TinyCorpus([("a", 600_000, 500), ("b", 9_000, 500)])
    let path = tiny.folder + "/a-\(Split.train.rawValue).tokens.zst"
    let frame = try tiny.corpus.openShard(0, of: .train, domainIndex: 0).index.frames[1]
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[frame.byteOffset + frame.byteCount / 2] ^= 4
    try bytes.write(to: URL(fileURLWithPath: path))
    var options = LoaderOptions()
    options.quarantined = Quarantine(try Verification(tiny.corpus).run(), of: tiny.corpus)
    #expect(options.quarantined.entries.map(\.frame) == [1])
    options.epochCaps = ["a": cap, "b": 3].compactMapValues(\.self)
    let policy = PolicyRecipe.static(.natural)
    let one = try Explanation(
      tiny.corpus, policy: policy, batch: batch, seed: 5, options: options)
    #expect(one.domains.map(\.sequenceCount) == [2639, 70])
    #expect(one.domains.map(\.quarantinedSequenceCount) == [2048, 0])
    #expect(one.askedStepCount == (2639 + 70 + 7) / 8)
    let long = try Explanation(
      tiny.corpus, policy: policy, batch: batch, seed: 5, options: options, length: .steps(900))
    let a = long.domains[0]
    #expect(a.epochs == Double(a.rowCount) / 2639)
    #expect((a.rowLimit == nil) == (cap == nil))
    if let limit = a.rowLimit { #expect(a.rowCount <= limit && limit <= a.rowCount + 7) }
    try expectHolds(
      long, corpus: tiny.corpus, policy: policy, batch: batch, options: options)
  }

  @Test func lengthsAreRoundedUpToWholeBatches() throws {
    let tiny = try TinyCorpus([("a", 30_000, 500)])
    func steps(_ length: Explanation.Length) throws -> Int {
      try Explanation(
        tiny.corpus, policy: .static(.natural), batch: batch, seed: 5, length: length
      ).stepCount
    }
    #expect(try steps(.tokens(1)) == 1)
    #expect(try steps(.tokens(1024)) == 1)
    #expect(try steps(.tokens(1025)) == 2)
    // 234 sequences in batches of 8.
    #expect(try steps(.oneEpoch) == 30)
    #expect(throws: LoadingError.self) { try steps(.tokens(.max)) }
    #expect(throws: LoadingError.self) { try steps(.steps(0)) }
  }

  @Test func everyWarningIsGivenWhereItIsDue() throws {
    let tiny = try TinyCorpus([("a", 600_000, 0), ("b", 140, 500), ("c", 9_000, 500)])
    var options = LoaderOptions()
    options.byteBudget = 6 << 20
    let policy = PolicyRecipe.static(.weights(["a": 0.9 - 1e-6, "b": 0.1, "c": 1e-6]))
    let explanation = try Explanation(
      tiny.corpus, policy: policy, batch: batch, seed: 5, options: options, length: .steps(100))
    let kinds = explanation.warnings.map { warning in
      switch warning {
      case .repeated(let domain, _): "repeated \(domain)"
      case .unprotected(let domain, _, _): "unprotected \(domain)"
      case .withoutRow(let domain, _, _): "without row \(domain)"
      case .unused(let domain, _): "unused \(domain)"
      case .fewPools(let poolLimit, let domainCount, _): "pools \(poolLimit) \(domainCount)"
      case .withoutHeldOut(let domain): "without held-out \(domain)"
      case .dataEnds: "ends"
      }
    }
    #expect(
      kinds == [
        "without held-out a", "repeated b", "unused b", "without row c", "pools 2 3",
      ])
    #expect(explanation.memory.leastByteBudget <= options.byteBudget)
    #expect(explanation.memory.totalByteCount <= options.byteBudget)
  }
}
