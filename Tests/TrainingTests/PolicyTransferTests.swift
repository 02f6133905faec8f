import Corpora
import Loading
import Mixing
import Testing
import Training

/// What a policy learned in one run, in another one.
@Suite(.timeLimit(.minutes(5)))
struct PolicyTransferTests {
  private let scratch: RunScratch

  init() throws { scratch = try RunScratch() }

  private func bytes(_ path: String) throws -> [UInt8] {
    try FileReader.contents(of: path, limit: 1 << 24)
  }

  /// A run of twelve steps whose policy reads gradients.
  private func learn(_ name: String, to file: String?) throws -> TrainingRun {
    var run = scratch.learnerRun(name, scratch.learnerConfiguration(.gradients))
    run.savedPolicyPath = file
    _ = try run.start()
    return run
  }

  @Test func `a frozen policy asks for what it learned, and nothing is measured for it`() throws {
    let file = scratch.path + "/learned.policy"
    let first = try learn("first", to: file)
    #expect(try bytes(first.folder.savedPolicyPath) == bytes(file))
    let saved = try SavedPolicy(at: file)
    #expect(saved.policy == TestLearner.name && saved.domainNames == ["alpha", "beta", "gamma"])
    // Another size of model, and rows that are not grouped.
    var configuration = scratch.learnerConfiguration(.gradients)
    configuration.loader.grouping = nil
    configuration.model.width = 16
    configuration.policyOptions["from"] = file
    configuration.policyOptions["freeze"] = "true"
    let second = scratch.learnerRun("second", configuration)
    _ = try second.start()
    let lines = try Ledger(at: second.folder.ledgerPath).lines
    #expect(Set(lines.map(\.asked)).count == 1)
    #expect(lines[0].asked != Mixture.uniform(domainCount: 3).integerShares)
    #expect(lines.allSatisfy { $0.feedback.allSatisfy { $0.gradients == nil } })
  }

  @Test func `a run that starts from a saved policy goes on without the file`() throws {
    let file = scratch.path + "/learned.policy"
    _ = try learn("first", to: file)
    var configuration = scratch.learnerConfiguration(.gradients)
    configuration.policyOptions["from"] = file
    let whole = scratch.learnerRun("whole", configuration)
    _ = try whole.start()
    let cut = scratch.learnerRun("cut", configuration)
    let witness = RunWitness()
    _ = try cut.start(observer: witness, isStopping: { witness.steps.count == 5 })
    try scratch.damage(file, at: 40)
    _ = try cut.start(resuming: true, observer: witness)
    #expect(try RunResult(cut.folder) == RunResult(whole.folder))
    #expect(try bytes(cut.folder.savedPolicyPath) == bytes(whole.folder.savedPolicyPath))
    let other = scratch.learnerRun("other", configuration)
    #expect(throws: RunError.self) { try other.start() }
    #expect(try !scratch.names(in: scratch.path).contains("other"))
  }

  @Test func `what was learned is there after a stop, and of a run that had ended`() throws {
    let file = scratch.path + "/learned.policy"
    var run = scratch.learnerRun("run", scratch.learnerConfiguration(.losses))
    run.savedPolicyPath = file
    let witness = RunWitness()
    _ = try run.start(observer: witness, isStopping: { witness.steps.count == 5 })
    let half = try bytes(file)
    _ = try run.start(resuming: true, observer: witness)
    let whole = try bytes(file)
    #expect(half != whole)
    run.savedPolicyPath = file + "-again"
    guard case .alreadyFinished = try run.start(resuming: true) else {
      Issue.record("the run had not ended")
      return
    }
    #expect(try bytes(file + "-again") == whole)
  }

  @Test(arguments: [
    [:], ["state": "gram"], ["state": "paper"], ["floor": "0.05"],
    ["preset": "paper", "width": "8", "layers": "2"],
    ["preset": "released", "width": "8", "layers": "2"],
  ])
  func `what ac-odm learns is saved, whatever the preset`(options: [String: String]) throws {
    let file = scratch.path + "/learned.policy"
    var configuration = scratch.learnerConfiguration(.gradients)
    configuration.policy = "ac-odm"
    configuration.policyOptions = options
    var run = scratch.learnerRun("run", configuration)
    run.savedPolicyPath = file
    _ = try run.start()
    #expect(try SavedPolicy(at: file).policy == "ac-odm")
  }

  @Test(arguments: [
    ["state": "paper"], ["preset": "paper", "width": "8", "layers": "2"],
    ["preset": "released", "width": "8", "layers": "2"],
  ])
  func `a frozen ac-odm collects no gradients, whatever the preset`(
    options: [String: String]
  ) throws {
    let file = scratch.path + "/learned.policy"
    var configuration = scratch.learnerConfiguration(.gradients)
    configuration.policy = "ac-odm"
    configuration.policyOptions = options
    var first = scratch.learnerRun("first", configuration)
    first.savedPolicyPath = file
    _ = try first.start()
    let learned = try Ledger(at: first.folder.ledgerPath).lines
    #expect(learned.contains { $0.feedback.contains { $0.gradients != nil } })
    configuration.policyOptions = ["from": file, "freeze": "true"]
    configuration.loader.grouping = nil
    let second = scratch.learnerRun("second", configuration)
    _ = try second.start()
    let lines = try Ledger(at: second.folder.ledgerPath).lines
    #expect(lines.allSatisfy { $0.feedback.allSatisfy { $0.gradients == nil } })
    #expect(Set(lines.map(\.asked)).count > 1, "it decides by what it reads")
  }

  @Test func `networks that read other layers are refused before a step is made`() throws {
    let file = scratch.path + "/learned.policy"
    var configuration = scratch.learnerConfiguration(.gradients)
    configuration.policy = "ac-odm"
    configuration.policyOptions = ["preset": "paper", "width": "8", "layers": "2"]
    var first = scratch.learnerRun("first", configuration)
    first.savedPolicyPath = file
    _ = try first.start()
    configuration.policyOptions = ["from": file, "freeze": "true"]
    configuration.model.layerCount = 2
    let second = scratch.learnerRun("second", configuration)
    #expect {
      try second.start()
    } throws: { error in
      "\(error)".contains(
        "the policy ac-odm from \(file) cannot be trained with: its networks read")
        && "\(error)".contains("5 are watched")
    }
    #expect(try !scratch.names(in: scratch.path).contains("second"))
  }

  @Test func `a place that cannot be written is refused before a step is made`() throws {
    try scratch.makeFolder("folder")
    for path in [scratch.path + "/nowhere/learned.policy", scratch.path + "/folder"] {
      var run = scratch.learnerRun("run", scratch.learnerConfiguration(.losses))
      run.savedPolicyPath = path
      let witness = RunWitness()
      #expect {
        try run.start(observer: witness)
      } throws: { error in
        guard case RunError.corpus(.cannotOpen(let named, _)) = error else { return false }
        return named.hasPrefix(path)
      }
      #expect(witness.steps.isEmpty)
    }
    let names = try scratch.names(in: scratch.path)
    #expect(!names.contains("run") && !names.contains { $0.hasSuffix(".tmp") })
    #expect(try scratch.names(in: scratch.path + "/folder").isEmpty)
  }

  @Test func `a policy that learns nothing is refused before a step is made`() throws {
    var random = scratch.learnerConfiguration(.gradients)
    random.policy = "ac-odm"
    random.policyOptions = ["control": "frozen-random", "state": "paper"]
    for configuration in [
      scratch.configuration(), scratch.learnerConfiguration(.nothing), random,
    ] {
      var run = scratch.learnerRun("run", configuration)
      run.savedPolicyPath = scratch.path + "/none.policy"
      #expect {
        try run.start()
      } throws: { error in
        guard case RunError.policyLearnsNothing = error else { return false }
        return "\(error)".contains("--save-policy")
      }
      #expect(try !scratch.names(in: scratch.path).contains("run"))
    }
  }
}
