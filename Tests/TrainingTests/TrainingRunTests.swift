// Covers: Evaluator.swift, MetricsWriter.swift, ResolvedRun.swift, RunError.swift, RunFolder.swift
// Covers: RunObserver.swift, RunSession.swift, Trainer.swift

import Loading
import Mixing
import Testing
import Training

@Suite(.timeLimit(.minutes(5))) struct TrainingRunTests {
  @Test func aRunLeavesACompleteFolder() throws {
    let scratch = try RunScratch()
    let run = scratch.run("run", scratch.configuration())
    let witness = RunWitness()
    guard case .finished(let record) = try run.start(observer: witness) else {
      Issue.record("the run did not finish")
      return
    }
    #expect(witness.steps == Array(1...12))
    #expect(witness.evaluations.map(\.step) == [0, 4, 8, 12])
    #expect(witness.checkpoints == [3, 6, 9, 12])
    #expect(witness.notices.isEmpty)
    #expect(
      try scratch.names(in: run.folder.path) == [
        "checkpoints", "configuration.json", "ledger.jsonl", "metrics.jsonl", "mixture.json",
        "record.json",
      ])
    #expect(
      try scratch.names(in: run.folder.checkpointsPath) == [
        "step-00000009.checkpoint", "step-00000012.checkpoint",
      ])
    // 12 steps of 4 rows of 16 tokens.
    #expect(record.tokenTotal == 768)
    #expect(record.domains.reduce(0) { $0 + $1.tokenCount } == 768)
    #expect(record.domains.allSatisfy { $0.loss != nil && $0.perplexity != nil })
    #expect(record.evaluations == witness.evaluations)
    #expect(try TrainingRun.configuration(of: run.folder) == run.configuration)
    // Text of three letters is learned within the run.
    #expect(try #require(record.finalEvaluation?.unweightedMean) < 5)
    #expect(abs(record.domains.reduce(0) { $0 + $1.askedShare } - 1) < 1e-9)
    #expect(try Ledger(at: run.folder.ledgerPath).lines.count == 12)
  }

  @Test func resumesExactlyAfterAnyStep() throws {
    let scratch = try RunScratch()
    let whole = scratch.run("whole", scratch.configuration())
    _ = try whole.start()
    let reference = try RunResult(whole.folder)
    for step in 0..<12 {
      let cut = scratch.run("cut-\(step)", scratch.configuration())
      let witness = RunWitness()
      let outcome = try cut.start(
        observer: witness, isStopping: { witness.steps.last ?? 0 == step })
      guard case .stopped(step, let checkpoint) = outcome else {
        Issue.record("not stopped after step \(step) but \(outcome)")
        continue
      }
      #expect((checkpoint == nil) == (step == 0))
      // What a killed process may have left behind the checkpoint.
      try scratch.append("{\"step\":", to: cut.folder.ledgerPath)
      try scratch.append("{\"kind\":\"step\"}\n{\"ki", to: cut.folder.metricsPath)
      _ = try cut.start(resuming: true, observer: witness)
      #expect(try RunResult(cut.folder) == reference, "stopped after step \(step)")
      #expect(witness.steps == Array(1...12))
    }
  }

  @Test func goesOnAfterAnyNumberOfStops() throws {
    let scratch = try RunScratch()
    let whole = scratch.run("whole", scratch.configuration())
    _ = try whole.start()
    let often = scratch.run("often", scratch.configuration())
    for _ in 0..<12 {
      let witness = RunWitness()
      _ = try often.start(
        resuming: true, observer: witness, isStopping: { witness.steps.count == 1 })
    }
    #expect(try RunResult(often.folder) == RunResult(whole.folder))
  }

  @Test(arguments: [(0, 1, 1), (1, 2, 2), (3, 3, 5)])
  func threadsAndCheckpointsChangeNothing(decode: Int, compute: Int, interval: Int) throws {
    let scratch = try RunScratch()
    let plain = scratch.run("plain", scratch.configuration())
    _ = try plain.start()
    var configuration = scratch.configuration()
    configuration.loader.decodeThreadCount = decode
    configuration.loader.byteBudget = 64 << 20
    configuration.threadCount = compute
    configuration.checkpoints = .init(stepInterval: interval, keepCount: 1)
    let other = scratch.run("other", configuration)
    _ = try other.start()
    #expect(try RunResult(other.folder) == RunResult(plain.folder))
  }

  @Test func aDamagedNewestCheckpointIsNamedAndTheOneBeforeIsUsed() throws {
    let scratch = try RunScratch()
    let whole = scratch.run("whole", scratch.configuration())
    _ = try whole.start()
    let run = scratch.run("run", scratch.configuration())
    let witness = RunWitness()
    _ = try run.start(observer: witness, isStopping: { witness.steps.count == 7 })
    let newest = run.folder.checkpointsPath + "/step-00000007.checkpoint"
    try scratch.damage(newest, at: 5000)
    _ = try run.start(resuming: true, observer: witness)
    let damaged = witness.notices.contains {
      if case .checkpointDamaged(newest, _) = $0 { return true }
      return false
    }
    #expect(damaged)
    #expect(
      witness.notices.contains(
        .resumed(step: 6, checkpoint: run.folder.checkpointsPath + "/step-00000006.checkpoint")))
    #expect(try RunResult(run.folder) == RunResult(whole.folder))
  }

  @Test func aRunWithoutAWholeCheckpointIsNotDoneAgainUnasked() throws {
    let scratch = try RunScratch()
    let run = scratch.run("run", scratch.configuration())
    let witness = RunWitness()
    _ = try run.start(observer: witness, isStopping: { witness.steps.count == 1 })
    try scratch.damage(run.folder.checkpointsPath + "/step-00000001.checkpoint", at: 100)
    #expect {
      try run.start(resuming: true)
    } throws: { error in
      guard case RunError.noWholeCheckpoint = error else { return false }
      return "\(error)".contains("step-00000001.checkpoint")
    }
  }

  @Test func aChangedConfigurationIsRefusedByField() throws {
    let scratch = try RunScratch()
    let run = scratch.run("run", scratch.configuration())
    let witness = RunWitness()
    _ = try run.start(observer: witness, isStopping: { witness.steps.count == 2 })
    let changes: [(String, (inout RunConfiguration) -> Void)] = [
      ("seed", { $0.seed = 18 }), ("rows", { $0.rows = 5 }), ("step_count", { $0.stepCount = 13 }),
      ("model.width", { $0.model.width = 12 }),
      ("schedule.learning_rate_maximum", { $0.schedule.learningRateMaximum = 1 }),
      ("evaluation.step_interval", { $0.evaluation.stepInterval = 5 }),
      ("policy_options.mixture", { $0.policyOptions = ["mixture": "uniform"] }),
      ("loader.draw", { $0.loader.draw = .multinomial }),
      ("loader.epoch_caps.beta", { $0.loader.epochCaps["beta"] = 2 }),
    ]
    for (field, change) in changes {
      var configuration = scratch.configuration()
      change(&configuration)
      #expect {
        try scratch.run("run", configuration).start(resuming: true)
      } throws: { error in
        guard case RunError.configurationDiffers(_, field, _, _) = error else { return false }
        return true
      }
    }
  }

  @Test func anotherFolderIsNeverOverwritten() throws {
    let scratch = try RunScratch()
    let run = scratch.run("run", scratch.configuration())
    _ = try run.start()
    #expect { try run.start() } throws: { error in
      guard case RunError.folderHasRun = error else { return false }
      return true
    }
    guard case .alreadyFinished(let record) = try run.start(resuming: true) else {
      Issue.record("a finished run was not recognized")
      return
    }
    #expect(record.stepCount == 12)
    let corpus = TrainingRun(
      scratch.configuration(), folder: RunFolder(scratch.corpusPath + "/"), toolVersion: "test")
    for resuming in [false, true] {
      #expect { try corpus.start(resuming: resuming) } throws: { error in
        guard case RunError.folderIsNoRun(scratch.corpusPath, "alpha") = error else {
          return false
        }
        return true
      }
    }
  }

  @Test func aRunThatWasKilledBeforeItsFirstCheckpointBeginsAgain() throws {
    let scratch = try RunScratch()
    let whole = scratch.run("whole", scratch.configuration())
    _ = try whole.start()
    let run = scratch.run("run", scratch.configuration())
    _ = try run.start(isStopping: { true })
    #expect(try scratch.names(in: run.folder.checkpointsPath).isEmpty)
    let witness = RunWitness()
    _ = try run.start(resuming: true, observer: witness)
    #expect(witness.notices == [.beginsAgain(folder: run.folder.path)])
    #expect(try RunResult(run.folder) == RunResult(whole.folder))
  }

  @Test func aTrainerOfOnesOwnFitsAndItsFailureNamesTheStep() throws {
    let scratch = try RunScratch()
    let whole = scratch.run("whole", scratch.configuration())
    func start(_ run: TrainingRun, failingStep: Int) throws -> TrainingRun.Outcome {
      try run.start(resuming: true, observer: SilentRunObserver(), isStopping: { false }) {
        CountingTrainer(failingStep: failingStep)
      }
    }
    _ = try start(whole, failingStep: .max)
    let run = scratch.run("run", scratch.configuration())
    #expect { try start(run, failingStep: 8) } throws: { error in
      let text = "\(error)"
      return text.contains("step 8") && text.contains("the wheel is stuck")
        && text.contains("step-00000006.checkpoint")
    }
    _ = try start(run, failingStep: .max)
    #expect(try RunResult(run.folder) == RunResult(whole.folder))
  }

  @Test func aLossThatIsNotFiniteNamesTheStep() throws {
    let scratch = try RunScratch()
    var configuration = scratch.configuration()
    configuration.schedule.learningRateMaximum = 1e30
    configuration.optimizer.gradientNormMaximum = nil
    #expect {
      try scratch.run("run", configuration).start()
    } throws: { error in
      switch error {
      case RunError.stepFailed(let step, _, _): step > 1 && "\(error)".contains("step \(step)")
      case RunError.evaluationFailed: true
      default: false
      }
    }
  }

  @Test func aSequenceLengthThatLeavesTailsUnusedIsEvaluatedToo() throws {
    let scratch = try RunScratch()
    var configuration = scratch.configuration(stepCount: 2)
    configuration.model.sequenceLength = 15
    configuration.sequenceLength = 15
    #expect(throws: RunError.self) { try scratch.run("refused", configuration).start() }
    configuration.loader.allowsUnusedTails = true
    guard case .finished(let record) = try scratch.run("run", configuration).start() else {
      Issue.record("the run did not finish")
      return
    }
    #expect(record.domains.allSatisfy { $0.loss != nil })
  }

  @Test func epochCapsEndARunAtTheLastWholeBatch() throws {
    let scratch = try RunScratch()
    var configuration = scratch.configuration(stepCount: 10_000)
    configuration.evaluation.stepInterval = 100
    configuration.checkpoints.stepInterval = 7
    configuration.loader.epochCaps = ["alpha": 0.1, "beta": 0.1, "gamma": 0.1]
    let whole = scratch.run("whole", configuration)
    let witness = RunWitness()
    guard case .finished(let record) = try whole.start(observer: witness) else {
      Issue.record("the run did not finish")
      return
    }
    #expect(record.end == .domainsExhausted)
    #expect(record.stepCount < 10_000)
    #expect(record.finalEvaluation?.step == record.stepCount)
    let cut = scratch.run("cut", configuration)
    let cutWitness = RunWitness()
    _ = try cut.start(
      observer: cutWitness, isStopping: { cutWitness.steps.last == record.stepCount })
    _ = try cut.start(resuming: true)
    #expect(try RunResult(cut.folder) == RunResult(whole.folder))
  }
}
