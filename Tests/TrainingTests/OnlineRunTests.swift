// Covers: GradientGrouping.swift

import Corpora
import Loading
import Mixing
import Testing
import Training

/// Runs whose policy learns from what the trainer reports.
@Suite(.timeLimit(.minutes(5)))
struct OnlineRunTests {
  private let scratch: RunScratch

  init() throws { scratch = try RunScratch() }

  @Test func `mixtures and rewards stand in the metrics, and feedback in the ledger`() throws {
    let run = scratch.learnerRun("run", scratch.learnerConfiguration(.gradients))
    _ = try run.start()
    let metrics = try RunMetrics(at: run.folder.metricsPath)
    let lines = try Ledger(at: run.folder.ledgerPath).lines
    #expect(Set(metrics.steps.map(\.askedShares)).count > 6)
    for (step, line) in zip(metrics.steps, lines) {
      #expect(step.effectiveShares == line.effective.map { Double($0) / Double(Mixture.one) })
      // A domain's micro-batch is drawn whatever was asked.
      #expect(step.realizedShares.allSatisfy { $0 >= 2.0 / 12 })
    }
    // What the policy thought of a step is known to the line behind it.
    #expect(lines.dropFirst().map(\.rewards) == metrics.steps.dropLast().map(\.rewards))
    #expect(try #require(metrics.steps.last?.rewards).allSatisfy { $0 != 0 })
    let shares = try #require(metrics.steps.last?.effectiveShares)
    let rewards = try #require(metrics.steps.last?.rewards)
    let mean = zip(shares, rewards).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(metrics.steps.last?.meanReward == mean)
    let gradients = try #require(lines.last?.feedback.first?.gradients)
    #expect(gradients.microBatchCounts?.reduce(0, +) == 6)
    #expect(gradients.gram?.count == 9 && gradients.alignments?.count == 3)
    #expect(gradients.halfProducts == nil)
  }

  @Test func `the mean of the asked mixtures is a mixture that another run can have`() throws {
    let run = scratch.learnerRun("run", scratch.learnerConfiguration(.gradients))
    _ = try run.start()
    let record = try RunRecord.read(from: run.folder.recordPath)
    let steps = try RunMetrics(at: run.folder.metricsPath).steps
    let context = PolicyContext(
      domainNames: record.domains.map(\.name), sequenceCounts: record.domains.map { _ in 1 })
    let mixture = try StaticMixture.regMix(run.folder.meanMixturePath).mixture(in: context)
    for domain in record.domains.indices {
      let mean = steps.reduce(0) { $0 + $1.askedShares[domain] } / Double(steps.count)
      // Shares are whole parts of 2^48; some rounding, and that of the sum, come on top.
      #expect(abs(mixture.weights[domain] - mean) < 0x1p-46)
    }
    #expect(mixture != .uniform(domainCount: 3))
  }

  @Test(arguments: [TestLearner.Reading.gradients, .norms, .halfway, .losses])
  func `a run goes on exactly after any step`(reading: TestLearner.Reading) throws {
    let whole = scratch.learnerRun("whole", scratch.learnerConfiguration(reading))
    _ = try whole.start()
    let reference = try RunResult(whole.folder)
    for step in [1, 4, 5, 6, 7, 11] {
      let cut = scratch.learnerRun("cut-\(step)", scratch.learnerConfiguration(reading))
      let witness = RunWitness()
      _ = try cut.start(observer: witness, isStopping: { witness.steps.last ?? 0 == step })
      try scratch.append("{\"step\":", to: cut.folder.ledgerPath)
      var configuration = scratch.learnerConfiguration(reading)
      configuration.threadCount = 2
      let resumed = scratch.learnerRun("cut-\(step)", configuration)
      _ = try resumed.start(resuming: true, observer: witness)
      #expect(try RunResult(cut.folder) == reference, "stopped after step \(step)")
    }
  }

  @Test func `a projection is part of the run`() throws {
    var configuration = scratch.learnerConfiguration(.gradients)
    configuration.gradients = GradientSettings(watched: "hidden-output", projectionWidth: 50)
    let whole = scratch.learnerRun("whole", configuration)
    _ = try whole.start()
    let cut = scratch.learnerRun("cut", configuration)
    let witness = RunWitness()
    _ = try cut.start(observer: witness, isStopping: { witness.steps.count == 5 })
    _ = try cut.start(resuming: true, observer: witness)
    #expect(try RunResult(cut.folder) == RunResult(whole.folder))
    let plain = scratch.learnerRun("plain", scratch.learnerConfiguration(.gradients))
    _ = try plain.start()
    #expect(try RunResult(plain.folder).metrics != RunResult(whole.folder).metrics)
    configuration.gradients?.projectionWidth = 51
    #expect(throws: RunError.self) {
      try scratch.learnerRun("cut", configuration).start(resuming: true)
    }
  }

  @Test(arguments: [TestLearner.Reading.losses, .gradients])
  func `a recorded trajectory is trained again with the same losses`(
    reading: TestLearner.Reading
  ) throws {
    let online = scratch.learnerRun("online", scratch.learnerConfiguration(reading))
    _ = try online.start()
    let reference = try RunResult(online.folder)
    var configuration = scratch.learnerConfiguration(reading)
    configuration.policy = RecordedMixtures.name
    configuration.policyOptions = ["ledger": online.folder.path]
    let replay = scratch.learnerRun("replay", configuration)
    _ = try replay.start()
    let cut = scratch.learnerRun("replay-cut", configuration)
    let witness = RunWitness()
    _ = try cut.start(observer: witness, isStopping: { witness.steps.count == 5 })
    // The copy in the run folder is what it goes on with.
    try scratch.damage(online.folder.ledgerPath, at: 5)
    _ = try cut.start(resuming: true, observer: witness)
    for folder in [replay.folder, cut.folder] {
      var result = try RunResult(folder)
      #expect(result.record.trainerChecksum == reference.record.trainerChecksum)
      #expect(result.record.evaluations == reference.record.evaluations)
      for index in result.metrics.steps.indices {
        #expect(result.metrics.steps[index].rewards == nil)
        result.metrics.steps[index].rewards = reference.metrics.steps[index].rewards
      }
      #expect(result.metrics == reference.metrics)
      // It measured nothing of gradients, since its policy reads nothing.
      let lines = try Ledger(at: folder.ledgerPath).lines
      #expect(lines.allSatisfy { $0.feedback.allSatisfy { $0.gradients == nil } })
    }
  }

  @Test func `a policy that reads gradients is refused without groups, before a folder is made`()
    throws
  {
    var configuration = scratch.learnerConfiguration(.gradients)
    configuration.loader.grouping = nil
    let run = scratch.learnerRun("run", configuration)
    #expect {
      try run.start()
    } throws: { error in
      guard case RunError.feedbackRefused(TestLearner.name, _) = error else { return false }
      return "\(error)".contains("--grouping 2 --every-domain")
    }
    #expect(try !scratch.names(in: scratch.path).contains("run"))
  }

  @Test func `a trainer of one's own measures losses unless it says more`() throws {
    let run = scratch.learnerRun("run", scratch.learnerConfiguration(.gradients))
    #expect {
      try run.start(resuming: false, observer: SilentRunObserver(), isStopping: { false }) {
        CountingTrainer()
      }
    } throws: { error in
      "\(error)".contains("which this trainer does not measure")
    }
    let losses = scratch.learnerRun("losses", scratch.learnerConfiguration(.losses))
    _ = try losses.start(resuming: false, observer: SilentRunObserver(), isStopping: { false }) {
      CountingTrainer()
    }
  }

  @Test func `files that a policy was given are kept in the folder`() throws {
    let online = scratch.learnerRun("online", scratch.learnerConfiguration(.losses))
    _ = try online.start()
    var configuration = scratch.learnerConfiguration(.losses)
    configuration.policy = RecordedMixtures.name
    configuration.policyOptions = ["ledger": online.folder.ledgerPath]
    let replay = scratch.learnerRun("replay", configuration)
    _ = try replay.start()
    #expect(try scratch.names(in: replay.folder.path).contains("policy-ledger"))
    let limit = 1 << 24
    #expect(
      try FileReader.contents(of: replay.folder.path + "/policy-ledger", limit: limit)
        == FileReader.contents(of: online.folder.ledgerPath, limit: limit))
    configuration.policyOptions = ["ledger": scratch.path + "/nowhere"]
    #expect(throws: RunError.self) { try scratch.learnerRun("none", configuration).start() }
    #expect(try !scratch.names(in: scratch.path).contains("none"))
  }

  @Test func `a schedule that ends too early is refused before a folder is made`() throws {
    var configuration = scratch.configuration()
    configuration.policy = SchedulePolicy.name
    // The run has 64 tokens a step, and its last step begins behind 704.
    configuration.policyOptions = [
      "unit": "tokens", "stages": "704:alpha=0.5,beta=0.25,gamma=0.25",
    ]
    let run = scratch.run("run", configuration)
    #expect {
      try run.start()
    } throws: { error in
      "\(error)".hasPrefix("the schedule ends after 704 tokens, and a batch behind 704")
    }
    #expect(try !scratch.names(in: scratch.path).contains("run"))
    // Nothing stands in the way of a shorter run.
    configuration.stepCount = 11
    let shorter = scratch.run("run", configuration)
    let witness = RunWitness()
    _ = try shorter.start(resuming: true, observer: witness)
    #expect(witness.steps == Array(1...11))
  }

  @Test func `steps are kept where the policy has no mixture for the next one`() throws {
    var configuration = scratch.configuration(stepCount: 11)
    let recorded = scratch.run("recorded", configuration)
    _ = try recorded.start()
    configuration.policy = RecordedMixtures.name
    configuration.policyOptions = ["ledger": recorded.folder.path]
    configuration.stepCount = 12
    let run = scratch.learnerRun("run", configuration)
    #expect(throws: RunError.self) { try run.start() }
    let names = try scratch.names(in: run.folder.checkpointsPath)
    #expect(names == ["step-00000009.checkpoint", "step-00000011.checkpoint"])
  }

  @Test func `micro-batches are as large as two for each domain allow`() {
    typealias Grouping = BatchConfiguration.Grouping
    let cases = [
      (32, 6, 2), (12, 6, 1), (24, 3, 4), (7, 3, 1), (30, 5, 3), (100, 1, 50), (2, 1, 1),
    ]
    for (rows, domains, expected) in cases {
      let grouping = Grouping.forGradients(rows: rows, domainCount: domains)
      #expect(grouping == Grouping(microBatchRows: expected, everyDomain: true))
    }
    #expect(Grouping.forGradients(rows: 11, domainCount: 6) == nil)
    #expect(Grouping.forGradients(rows: 1, domainCount: 1) == nil)
  }
}
