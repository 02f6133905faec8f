// Covers: RunLock.swift

import Foundation
import Testing
import Training

/// What must not cost a run: another process, damage, a lost file.
@Suite(.timeLimit(.minutes(5)))
struct RunSafetyTests {
  @Test func aFolderIsOneProcessesOnly() throws {
    let scratch = try RunScratch()
    let run = scratch.run("run", scratch.configuration())
    let witness = RunWitness()
    var refusal = ""
    _ = try run.start(
      observer: witness,
      isStopping: {
        // In the middle of the run, as a second process would.
        if witness.steps.count == 2, refusal.isEmpty {
          do {
            _ = try scratch.run("run", scratch.configuration()).start(resuming: true)
          } catch {
            refusal = "\(error)"
          }
        }
        return witness.steps.count == 5
      })
    #expect(refusal.contains("another process trains in \(run.folder.path)"))
    guard case .finished = try run.start(resuming: true) else {
      Issue.record("the folder stayed locked")
      return
    }
  }

  @Test func aDamagedNewerCheckpointNeverOutlivesWholeOnes() throws {
    let scratch = try RunScratch()
    var configuration = scratch.configuration(stepCount: 40)
    let run = scratch.run("run", configuration)
    let witness = RunWitness()
    _ = try run.start(observer: witness, isStopping: { witness.steps.count == 20 })
    // Steps 18 and 20 are there; the newer is damaged, and the next save keeps one only.
    try scratch.damage(run.folder.checkpointsPath + "/step-00000020.checkpoint", at: 3000)
    configuration.checkpoints.keepCount = 1
    let again = scratch.run("run", configuration)
    let second = RunWitness()
    _ = try again.start(resuming: true, observer: second, isStopping: { second.steps.count == 1 })
    #expect(try scratch.names(in: run.folder.checkpointsPath) == ["step-00000019.checkpoint"])
    guard case .finished = try again.start(resuming: true) else {
      Issue.record("the run did not go on")
      return
    }
  }

  @Test func aRunThatRanOutOfTextKeepsItsLastState() throws {
    let scratch = try RunScratch()
    var configuration = scratch.configuration(stepCount: 10_000)
    configuration.checkpoints.stepInterval = 1000
    configuration.loader.epochCaps = ["alpha": 0.1, "beta": 0.1, "gamma": 0.1]
    let run = scratch.run("run", configuration)
    guard case .finished(let record) = try run.start() else {
      Issue.record("the run did not finish")
      return
    }
    let digits = String(record.stepCount)
    let name = "step-" + String(repeating: "0", count: 8 - digits.count) + digits + ".checkpoint"
    #expect(try scratch.names(in: run.folder.checkpointsPath) == [name])
  }

  @Test func checkpointsWithoutTheirConfigurationAreNotContinued() throws {
    let scratch = try RunScratch()
    let run = scratch.run("run", scratch.configuration())
    let witness = RunWitness()
    _ = try run.start(observer: witness, isStopping: { witness.steps.count == 4 })
    try FileManager.default.removeItem(atPath: run.folder.configurationPath)
    #expect {
      try run.start(resuming: true)
    } throws: { error in
      "\(error)".contains("configuration.json")
    }
  }
}
