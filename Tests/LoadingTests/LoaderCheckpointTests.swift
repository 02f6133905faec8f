import Corpora
import Foundation
import HeadraceTesting
import Loading
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct LoaderCheckpointTests {
  private func corpus(_ change: (inout [SyntheticCorpus.Domain]) -> Void = { _ in }) throws
    -> SyntheticCorpus
  {
    var domains: [SyntheticCorpus.Domain] = [
      .init("code", shards: [9000], heldOut: [3000]),
      .init("prose", shards: [5000], heldOut: [3000]),
    ]
    change(&domains)
    return try SyntheticCorpus(domains)
  }

  private func loader(
    _ corpus: SyntheticCorpus, policy: PolicyRecipe = .manual(.uniform), seed: UInt64 = 17,
    sequenceLength: Int = 64, grouping: BatchConfiguration.Grouping? = nil,
    resumingFrom checkpoint: LoaderCheckpoint? = nil,
    _ change: (inout LoaderOptions) -> Void = { _ in }
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: policy,
      batch: .init(rows: 4, sequenceLength: sequenceLength, grouping: grouping), seed: seed,
      options: options(change), resumingFrom: checkpoint)
  }

  private func checkpoint() throws -> LoaderCheckpoint {
    let batch = try loader(corpus()).next()
    return try #require(batch).checkpoint()
  }

  @Test func encodingIsExactAndStable() throws {
    let checkpoint = try checkpoint()
    let bytes = checkpoint.encoded()
    #expect(try LoaderCheckpoint(bytes: bytes) == checkpoint)
    #expect(try LoaderCheckpoint(bytes: bytes).encoded() == bytes)
    // Two domains in a few hundred bytes, at step 1 as at step 10^7.
    #expect(bytes.count < 1000)
  }

  // MARK: What must be the same

  @Test func aCheckpointOfAnotherRunIsRefusedByName() throws {
    let checkpoint = try checkpoint()
    func refusal(
      _ field: String, recorded: String, configured: String, _ other: () throws -> Loader
    ) {
      let error = #expect(throws: LoadingError.self) { try other() }
      let text = error?.description ?? ""
      #expect(
        text.hasPrefix(
          "the checkpoint was made with \(field) \(recorded), this run has \(configured)."),
        "\(text)")
    }
    let corpus = try corpus()
    refusal("seed", recorded: "17", configured: "18") {
      try loader(corpus, seed: 18, resumingFrom: checkpoint)
    }
    refusal("sequence length", recorded: "64", configured: "128") {
      try loader(corpus, sequenceLength: 128, resumingFrom: checkpoint)
    }
    refusal("units per pool", recorded: "4", configured: "5") {
      try loader(corpus, resumingFrom: checkpoint) { $0.unitsPerPool = 5 }
    }
    refusal("draw", recorded: "credits", configured: "multinomial") {
      try loader(corpus, resumingFrom: checkpoint) { $0.draw = .multinomial }
    }
    refusal("split", recorded: "train", configured: "held_out") {
      try loader(corpus, resumingFrom: checkpoint) { $0.split = .heldOut }
    }
    refusal("grouping", recorded: "none", configured: "micro-batches of 2 rows") {
      try loader(corpus, grouping: .init(microBatchRows: 2), resumingFrom: checkpoint)
    }
    refusal(
      "epoch cap of domain prose, in sequences", recorded: "none", configured: "156"
    ) {
      // (5000 − 1) div 64 = 78 sequences, twice.
      try loader(corpus, resumingFrom: checkpoint) { $0.epochCaps = ["prose": 2] }
    }
    var future = checkpoint
    future.identity.orderVersion = 2
    refusal("order version", recorded: "2", configured: "1") {
      try loader(corpus, resumingFrom: future)
    }
  }

  @Test func aCheckpointOfAnotherPolicyIsRefusedByName() throws {
    let checkpoint = try checkpoint()
    let error = #expect(throws: LoadingError.self) {
      try loader(corpus(), policy: .static(.uniform), resumingFrom: checkpoint)
    }
    guard case .mixing(.checkpointOfOtherPolicy(expected: "static", found: "manual")) = error else {
      Issue.record("\(error?.description ?? "no error")")
      return
    }
  }

  @Test func aCorpusThatWasMovedIsTheSameCorpus() throws {
    let checkpoint = try checkpoint()
    // Another folder with the same content; thread count and budget are free.
    let resumed = try loader(corpus(), resumingFrom: checkpoint) {
      $0.threadCount = 2
      $0.byteBudget = 64 << 20
    }
    #expect(try resumed.next()?.step == 2)
  }

  // MARK: Damage

  @Test func contradictionsAreDamage() throws {
    let corpus = try corpus()
    for (name, checkpoint) in try hostileCheckpoints() {
      let bytes = checkpoint.encoded()
      #expect(throws: LoadingError.self, "\(name)") {
        _ = try loader(corpus, resumingFrom: LoaderCheckpoint(bytes: bytes)).next()
      }
    }
  }

  private func hostileCheckpoints() throws -> [(String, LoaderCheckpoint)] {
    let good = try checkpoint()
    var hostile: [(String, LoaderCheckpoint)] = []
    func add(_ name: String, _ change: (inout LoaderCheckpoint) -> Void) {
      var checkpoint = good
      change(&checkpoint)
      hostile.append((name, checkpoint))
    }
    addHostilePositions(add)
    add("more draws than rows") { $0.drawCount = 5 }
    add("a negative step") { $0.step = -1 }
    add("a negative ledger") { $0.ledgerByteCount = -1 }
    add("feedback from the future") { $0.lastObservedStep = 2 }
    add("no domains") {
      $0.identity.domains = []
      $0.positions = []
      $0.rowCounts = []
      $0.credits = []
      $0.rowTotal = 0
      $0.drawCount = 0
    }
    return hostile
  }

  private func addHostilePositions(
    _ add: (String, (inout LoaderCheckpoint) -> Void) -> Void
  ) {
    add("too few positions") { $0.positions.removeLast() }
    add("too many credits") { $0.credits.append(0) }
    add("a negative position") {
      $0.positions = [-1, 5]
      $0.rowCounts = [-1, 5]
    }
    add("credits that do not sum to 0") { $0.credits[0] += 1 }
    add("credits that overflow") { $0.credits = [.max, -.max] }
    add("positions that are not the rows") { $0.positions[0] += 1 }
    add("rows that are not the total") {
      $0.positions[0] += 1
      $0.rowCounts[0] += 1
    }
    add("too few rows") { $0.rowCounts.removeLast() }
    add("a departed domain without rows") {
      $0.departed = [DepartedDomain(name: "x", fingerprint: "y", rowCount: 0)]
    }
    add("a departed domain with less than none") {
      $0.departed = [DepartedDomain(name: "x", fingerprint: "y", rowCount: -4)]
      $0.positions[0] += 4
      $0.rowCounts[0] += 4
    }
    add("a header behind the ledger") { $0.ledgerHeaderByteOffset = 1 }
    add("two domains of one name") { $0.identity.domains[1].name = "code" }
    add("positions that overflow") {
      $0.positions = [.max, .max]
      $0.rowCounts = [.max, .max]
    }
    add("a row total that overflows") {
      $0.positions = [.max, 0]
      $0.rowCounts = [.max, 0]
      $0.rowTotal = .max
    }
  }

  @Test func whatIsNoCheckpointIsRefused() throws {
    let bytes = try checkpoint().encoded()
    for broken in [[], Array("{}".utf8), Array("[1]".utf8), Array(bytes.dropLast())] {
      let error = #expect(throws: LoadingError.self) {
        try LoaderCheckpoint(bytes: broken, path: "runs/7/checkpoint")
      }
      #expect(error?.description.contains("runs/7/checkpoint is damaged") == true)
    }
  }

  // A single wrong byte in the JSON itself: an error, or a checkpoint that a loader takes or
  // refuses; never a crash. (In a checkpoint file the checksum comes first.)
  @Test func noDamagedByteCrashesTheLoader() throws {
    let corpus = try corpus()
    let bytes = try checkpoint().encoded()
    for byteOffset in bytes.indices {
      for byte in [bytes[byteOffset] ^ 1, UInt8(ascii: "9"), UInt8(ascii: "-")] {
        var damaged = bytes
        damaged[byteOffset] = byte
        guard let checkpoint = try? LoaderCheckpoint(bytes: damaged),
          let loader = try? loader(corpus, resumingFrom: checkpoint)
        else { continue }
        _ = try? loader.next()
      }
    }
  }
}
