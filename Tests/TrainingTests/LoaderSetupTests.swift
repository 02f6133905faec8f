import Corpora
import Loading
import Mixing
import Testing
import Training

/// What of a loader's settings follows from the policy.
@Suite(.timeLimit(.minutes(5)))
struct LoaderSetupTests {
  private let scratch: RunScratch

  init() throws { scratch = try RunScratch() }

  private func setup(
    _ policy: String, _ options: [String: String] = [:], rows: Int = 12, grouping: Int? = nil,
    _ change: (inout LoaderOptions) -> Void = { _ in }
  ) throws -> LoaderSetup {
    var loaderOptions = LoaderOptions()
    loaderOptions.stepCount = 12
    change(&loaderOptions)
    return LoaderSetup(
      policy: try PolicyRegistry.complete.recipe(named: policy, options: options),
      batch: BatchConfiguration(
        rows: rows, sequenceLength: 16, grouping: grouping.map { .init(microBatchRows: $0) }),
      seed: 17, options: loaderOptions)
  }

  private func settled(_ setup: LoaderSetup) throws -> LoaderSetup {
    var setup = setup
    try setup.settle(on: Corpus(at: scratch.corpusPath))
    return setup
  }

  /// A recorded run whose domain `beta` ends after two sequences.
  private func record(_ name: String) throws -> RunFolder {
    var configuration = scratch.configuration()
    configuration.rows = 12
    configuration.loader.grouping = .init(microBatchRows: 3)
    configuration.loader.epochCaps = ["beta": 0.05]
    let run = scratch.run(name, configuration)
    _ = try run.start()
    return run.folder
  }

  @Test func `rows are grouped for a policy that reads gradients, and for no other`() throws {
    let grouped = try settled(setup("ac-odm"))
    #expect(grouped.batch.grouping == .init(microBatchRows: 2, everyDomain: true))
    #expect(grouped.needs.gradients)
    #expect(
      grouped.notes.map(\.description) == [
        "the policy ac-odm reads gradients by domain: rows come in micro-batches of 2 of one domain, "
          + "one for every domain (--grouping 2 --every-domain)"
      ])
    // What was asked for stays.
    let own = try settled(setup("ac-odm", grouping: 3))
    #expect(own.batch.grouping == .init(microBatchRows: 3) && own.notes.isEmpty)
    for policy in ["static", "odm"] {
      let other = try settled(setup(policy))
      #expect(other.batch.grouping == nil && other.notes.isEmpty && !other.needs.gradients)
    }
  }

  @Test func `a batch that is too small for groups is refused`() throws {
    #expect {
      try settled(setup("ac-odm", rows: 5))
    } throws: { error in
      guard case RunError.rowsTooFew("ac-odm", domainCount: 3, rows: 5) = error else {
        return false
      }
      return "\(error)".contains("Give --rows 6 or more")
    }
  }

  @Test func `a recorded run is followed in its groups and caps`() throws {
    let folder = try record("run")
    let options = ["ledger": folder.ledgerPath]
    let followed = try settled(setup("replay", options))
    #expect(followed.batch.grouping == .init(microBatchRows: 3))
    let identity = try LoaderIdentity(
      of: Corpus(at: scratch.corpusPath), batch: followed.batch, seed: followed.seed,
      options: followed.options)
    #expect(try identity == RecordedRun(at: folder.path).identity)
    let limit = try #require(identity.domains[1].positionLimit)
    #expect(
      followed.notes == [
        .groupedAsRecorded(.init(microBatchRows: 3)), .cappedAsRecorded(["beta": limit]),
      ])
    // What was asked for stays, and is said to differ.
    let other = try settled(setup("replay", options, grouping: 2) { $0.epochCaps = ["alpha": 1] })
    #expect(other.notes == [.drawsOtherwise(differences: ["grouping", "epoch caps"])])
    #expect(other.options.epochCaps == ["alpha": 1])
  }

  @Test func `bounds around a recorded run are said`() throws {
    let folder = try record("run")
    let bounded = try settled(setup("replay", ["ledger": folder.path, "floor": "0.1"]))
    #expect(bounded.notes.last == .boundsRecorded(options: ["floor"]))
  }

  @Test func `a ledger of other domains is refused`() throws {
    let folder = try record("run")
    try scratch.replace("\"name\":\"alpha\"", with: "\"name\":\"omega\"", in: folder.ledgerPath)
    #expect {
      try settled(setup("replay", ["ledger": folder.path]))
    } throws: { error in
      "\(error)".contains("it lacks 'alpha', the corpus lacks 'omega'")
    }
  }
}
