import Corpora
import Loading
import Mixing
import Testing
import Training

/// The policies that come with Headrace through whole runs: stopped, replayed, taken over.
@Suite(.timeLimit(.minutes(5)))
struct PolicyRunTests {
  private let scratch: RunScratch

  init() throws { scratch = try RunScratch() }

  /// A policy by name, so small and so soon past its warm-up that it decides within twelve steps.
  struct Case: Sendable, CustomTestStringConvertible {
    let policy: String
    let options: [String: String]

    init(_ policy: String, _ options: [String: String] = [:]) {
      self.policy = policy
      self.options = options
    }

    var testDescription: String {
      policy + options.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    }
  }

  static let learners = [
    Case("odm"), Case("odm", ["form": "paper"]), Case("odm", ["form": "exp3", "floor": "0.1"]),
    Case("alignment"), Case("alignment", ["form": "doge"]),
    Case("ac-odm", ["warm-up": "2"]),
    Case("ac-odm", ["warm-up": "2", "gamma": "0.5", "move-cost": "0.1"]),
    Case("ac-odm", ["warm-up": "2", "state": "gram"]),
    Case("ac-odm", ["warm-up": "2", "state": "paper", "largest-move": "0.1"]),
    Case("ac-odm", ["warm-up": "2", "control": "no-critic"]),
    Case("ac-odm", ["preset": "paper", "width": "8", "layers": "2", "warm-up": "2"]),
    Case("ac-odm", ["preset": "released", "width": "8", "layers": "2", "warm-up": "2"]),
  ]

  static let schedule = Case(
    "schedule",
    [
      // A step has 12 rows of 16 tokens.
      "unit": "tokens",
      "stages": "\(3 * 192):alpha=0.2,beta=0.3,gamma=0.5;+\(6 * 192):alpha=1,beta=0,gamma=0",
    ])

  private func configuration(_ policy: Case) -> RunConfiguration {
    var configuration = scratch.configuration()
    configuration.rows = 12
    configuration.policy = policy.policy
    configuration.policyOptions = policy.options
    configuration.loader.grouping = .init(microBatchRows: 2, everyDomain: true)
    return configuration
  }

  private func run(_ name: String, _ configuration: RunConfiguration) -> TrainingRun {
    TrainingRun(
      configuration, folder: RunFolder("\(scratch.path)/\(name)"), toolVersion: "test",
      registry: .complete)
  }

  private func bytes(_ path: String) throws -> [UInt8] {
    try FileReader.contents(of: path, limit: 1 << 24)
  }

  @Test(arguments: learners + [schedule])
  func `a run goes on exactly after any step`(policy: Case) throws {
    let whole = run("whole", configuration(policy))
    _ = try whole.start()
    let reference = try RunResult(whole.folder)
    #expect(Set(reference.metrics.steps.map(\.askedShares)).count > 1)
    for step in [1, 5, 8] {
      let cut = run("cut-\(step)", configuration(policy))
      let witness = RunWitness()
      _ = try cut.start(observer: witness, isStopping: { witness.steps.last ?? 0 == step })
      try scratch.append("{\"step\":", to: cut.folder.ledgerPath)
      _ = try cut.start(resuming: true, observer: witness)
      #expect(try RunResult(cut.folder) == reference, "stopped after step \(step)")
      if policy.policy == ActorCriticPolicy.name {
        #expect(try bytes(cut.folder.savedPolicyPath) == bytes(whole.folder.savedPolicyPath))
      }
    }
  }

  @Test(arguments: learners)
  func `a run is trained again from its mixtures alone`(policy: Case) throws {
    let online = run("online", configuration(policy))
    _ = try online.start()
    let reference = try RunResult(online.folder)
    let replay = run(
      "replay", configuration(Case("replay", ["ledger": online.folder.ledgerPath])))
    _ = try replay.start()
    var result = try RunResult(replay.folder)
    #expect(result.record.trainerChecksum == reference.record.trainerChecksum)
    for index in result.metrics.steps.indices {
      result.metrics.steps[index].rewards = reference.metrics.steps[index].rewards
    }
    #expect(result.metrics == reference.metrics)
    let lines = try Ledger(at: replay.folder.ledgerPath).lines
    let recorded = try Ledger(at: online.folder.ledgerPath).lines
    #expect(lines.map(\.asked) == recorded.map(\.asked))
    #expect(lines.allSatisfy { $0.feedback.allSatisfy { $0.gradients == nil } })
  }

  @Test func `a policy that learned beside a small model drives a wider one`() throws {
    let file = scratch.path + "/learned.policy"
    var small = run(
      "small", configuration(Case("ac-odm", ["state": "paper", "warm-up": "2"])))
    small.savedPolicyPath = file
    _ = try small.start()
    var frozen = configuration(Case("ac-odm", ["from": file, "freeze": "true"]))
    frozen.model.width = 16
    // Rows need no groups: no gradient is measured.
    frozen.loader.grouping = nil
    let wide = run("wide", frozen)
    _ = try wide.start()
    let reference = try RunResult(wide.folder)
    let lines = try Ledger(at: wide.folder.ledgerPath).lines
    #expect(lines.dropFirst().allSatisfy { $0.feedback.count == 1 })
    #expect(lines.allSatisfy { $0.feedback.allSatisfy { $0.gradients == nil } })
    #expect(Set(reference.metrics.steps.map(\.askedShares)).count > 1)
    #expect(try bytes(wide.folder.savedPolicyPath) == bytes(file))
    let cut = run("cut", frozen)
    let witness = RunWitness()
    _ = try cut.start(observer: witness, isStopping: { witness.steps.count == 5 })
    try scratch.damage(file, at: 40)
    _ = try cut.start(resuming: true, observer: witness)
    #expect(try RunResult(cut.folder) == reference)
  }
}
