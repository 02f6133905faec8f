import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Schedules through a loader: what was asked for is what is drawn, from any step on.
@Suite(.timeLimit(.minutes(5)))
struct ScheduleRunTests {
  private static let sequenceLength = 512
  private static let rows = 12
  private static let stepCount = 60

  private func corpus() throws -> SyntheticCorpus {
    try SyntheticCorpus([
      .init("code", shards: [60_000, 4000]), .init("prose", shards: [9000, 30_000]),
      .init("data", shards: [16_000]),
    ])
  }

  /// Three stages with ramps that end within the run; in steps or in the tokens of as many.
  private func schedule(_ unit: MixtureSchedule.Unit) -> MixtureSchedule {
    let length = unit == .steps ? 1 : Self.rows * Self.sequenceLength
    return MixtureSchedule(
      unit: unit,
      stages: [
        .init(until: 15 * length, weights: ["code": 0.5, "prose": 0.3, "data": 0.2]),
        .init(
          until: 40 * length, ramp: 7 * length,
          weights: ["code": 0.1, "prose": 0.65, "data": 0.25]),
        .init(ramp: 12 * length, weights: ["code": 0.3, "prose": 0.3, "data": 0.4]),
      ])
  }

  private func loader(
    _ corpus: SyntheticCorpus, _ recipe: PolicyRecipe, caps: [String: Double] = [:],
    resumingFrom checkpoint: LoaderCheckpoint? = nil
  ) throws -> Loader {
    try Loader(
      corpus.open(), policy: recipe,
      batch: .init(rows: Self.rows, sequenceLength: Self.sequenceLength), seed: 3,
      options: options { $0.epochCaps = caps }, resumingFrom: checkpoint)
  }

  @Test(arguments: MixtureSchedule.Unit.allCases)
  func cumulativeSharesMatchWithinOneDraw(unit: MixtureSchedule.Unit) throws {
    let loader = try loader(try corpus(), try .schedule(schedule(unit)))
    var asked = [Double](repeating: 0, count: 3)
    var drawn = [Int](repeating: 0, count: 3)
    for step in 1...Self.stepCount {
      let batch = try #require(try loader.next())
      let weights = batch.facts.asked.weights
      for domain in 0..<3 { asked[domain] += Double(Self.rows) * weights[domain] }
      for row in batch.rows() { drawn[row.domain] += 1 }
      for domain in 0..<3 {
        #expect(abs(Double(drawn[domain]) - asked[domain]) < 1, "step \(step), domain \(domain)")
      }
    }
    // Stage 1: 15 steps of .5. Stage 2 comes from there in 7 steps with the mean of 3/7 of the way,
    // and holds for 18. Stage 3 the same in 12 steps with the mean of 11/24, and holds for 8.
    let stage2 = 7 * (0.5 - 0.4 * 3 / 7) + 18 * 0.1
    let stage3 = 12 * (0.1 + 0.2 * 11 / 24) + 8 * 0.3
    #expect(abs(asked[0] - 12 * (7.5 + stage2 + stage3)) < 1e-9)
  }

  @Test(arguments: MixtureSchedule.Unit.allCases)
  func aRestartAtAnyStepGivesTheSameBatches(unit: MixtureSchedule.Unit) throws {
    let corpus = try corpus()
    let recipe = try PolicyRecipe.schedule(schedule(unit))
    let whole = try loader(corpus, recipe)
    var batches: [[Row]] = []
    var checkpoints = [try whole.checkpoint()]
    for _ in 1...Self.stepCount {
      batches.append(try #require(try whole.next()).rows())
      checkpoints.append(try whole.checkpoint())
    }
    for (step, checkpoint) in checkpoints.enumerated() where step < Self.stepCount {
      let resumed = try loader(corpus, recipe, resumingFrom: checkpoint)
      for later in step..<min(step + 3, Self.stepCount) {
        #expect(try #require(try resumed.next()).rows() == batches[later])
      }
    }
  }

  @Test func realizedCountsNeverExceedCaps() throws {
    let corpus = try corpus()
    let loader = try loader(
      corpus, try .schedule(schedule(.steps)), caps: ["prose": 1, "data": 0.5])
    let limits = [Int.max, 75, 15]
    var drawn = [Int](repeating: 0, count: 3)
    for _ in 1...Self.stepCount {
      for row in try #require(try loader.next()).rows() { drawn[row.domain] += 1 }
      for domain in 0..<3 { #expect(drawn[domain] <= limits[domain]) }
    }
    // Both were asked for more than they may give.
    #expect(drawn[1] == 75 && drawn[2] == 15)
  }

  @Test func aRunBehindTheEndOfTheScheduleFailsAtThatStep() throws {
    var schedule = schedule(.tokens)
    schedule.stages[2].until = 55 * Self.rows * Self.sequenceLength
    let loader = try loader(try corpus(), try .schedule(schedule))
    for _ in 1...55 { _ = try #require(try loader.next()) }
    for _ in 1...2 {
      #expect(throws: LoadingError.self) { try loader.next() }
    }
    #expect(loader.step == 55)
  }

  @Test func theExplanationIsThatOfTheRun() throws {
    let corpus = try corpus()
    let recipe = try PolicyRecipe.schedule(schedule(.tokens))
    let explanation = try Explanation(
      corpus.open(), policy: recipe,
      batch: .init(rows: Self.rows, sequenceLength: Self.sequenceLength), seed: 3,
      length: .steps(Self.stepCount))
    #expect(explanation.followsSteps)
    let loader = try loader(corpus, recipe)
    var drawn = [Int](repeating: 0, count: 3)
    var asked = [Double](repeating: 0, count: 3)
    for _ in 1...Self.stepCount {
      let batch = try #require(try loader.next())
      for row in batch.rows() { drawn[row.domain] += 1 }
      for domain in 0..<3 { asked[domain] += batch.facts.asked.weights[domain] }
    }
    #expect(explanation.domains.map(\.rowCount) == drawn)
    for (domain, sum) in zip(explanation.domains, asked) {
      #expect(abs(domain.weight - sum / Double(Self.stepCount)) < 1e-12)
    }
    // A schedule that ends before the run is found before it.
    var short = schedule(.steps)
    short.stages[2].until = 55
    do {
      _ = try Explanation(
        corpus.open(), policy: try .schedule(short),
        batch: .init(rows: Self.rows, sequenceLength: Self.sequenceLength), seed: 3,
        length: .steps(Self.stepCount))
      Issue.record("nothing was thrown")
    } catch {
      #expect("\(error)".hasPrefix("the schedule ends after 55 steps, and a batch behind 59"))
    }
  }
}
