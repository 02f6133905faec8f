// Covers: PlannedSchedule.swift
// Covers: LawPathSchedule.swift
// Covers: MarginalUtilitySchedule.swift
// Covers: RecencySchedule.swift
// Covers: VertexModel.swift
import Fitting
import Mixing
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct ScheduleTests {
  private let losses = zip(SyntheticLaws.laws, SyntheticLaws.weights).map {
    WeightedLoss($0, weight: $1)
  }
  /// c = 1, T = (−1, 0.5) and (0.4, −2), each with weight 0.5.
  private let pair = [
    WeightedLoss(MixingLaw(floor: 1, exponents: [-1, 0.5]), weight: 0.5),
    WeightedLoss(MixingLaw(floor: 1, exponents: [0.4, -2]), weight: 0.5),
  ]

  @Test func thePathToAMovingOptimumMakesUpForTheStart() throws {
    let schedule = try PlannedSchedule(
      along: [[0.6, 0.4], [0.5, 0.5]], ends: [0.5, 1], under: MixtureConstraints(domainCount: 2))
    expectClose(schedule.mixtures[0], [0.6, 0.4], within: 1e-12)
    expectClose(schedule.mixtures[1], [0.4, 0.6], within: 1e-12)
    expectClose(schedule.cumulativeShares[1], [0.5, 0.5], within: 1e-12)
  }

  @Test func aPathToOneOptimumIsOneMixture() throws {
    let constraints = MixtureConstraints(domainCount: 4)
    let ends = [0.1, 0.4, 1]
    let targets = try PlannedSchedule.targets(
      of: [losses, losses, losses], ends: ends, under: constraints)
    let schedule = try PlannedSchedule(along: targets, ends: ends, under: constraints)
    for mixture in schedule.mixtures { expectClose(mixture, targets[0], within: 1e-9) }
  }

  @Test func aDomainThatRunsOutMidStageIsLeftOut() throws {
    // 0.3 of the run may be domain 0: the first stage draws 0.25, the second 0.05.
    let constraints = MixtureConstraints(domainCount: 2, floors: [0.2, 0], caps: [0.3, 1])
    let schedule = try PlannedSchedule(
      along: [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]], ends: [0.5, 0.75, 1], under: constraints)
    expectClose(schedule.mixtures[0], [0.5, 0.5], within: 1e-12)
    expectClose(schedule.mixtures[1], [0.2, 0.8], within: 1e-12)
    expectClose(schedule.mixtures[2], [0, 1], within: 1e-12)
    expectClose(schedule.cumulativeShares[2], [0.3, 0.7], within: 1e-12)
    #expect(throws: FittingError.boundsInfeasible(floorSum: 0, capSum: 0.75)) {
      try PlannedSchedule(
        along: [[0.5, 0.5]], ends: [1],
        under: MixtureConstraints(domainCount: 2, caps: [0.25, 0.5]))
    }
  }

  @Test func targetsAtAnEarlyBoundaryHaveTheCapsOfTheWholeRun() throws {
    // 0.1 of the run may be domain 3, which is 0.2 of its first half.
    let constraints = MixtureConstraints(domainCount: 4, caps: [1, 1, 1, 0.1])
    let targets = try PlannedSchedule.targets(
      of: [losses, losses], ends: [0.5, 1], under: constraints)
    expectClose(targets[0][3], 0.124902, within: 1e-6)
    expectClose(targets[1][3], 0.1, within: 1e-9)
    let schedule = try PlannedSchedule(along: targets, ends: [0.5, 1], under: constraints)
    expectClose(schedule.cumulativeShares[1][3], 0.1, within: 1e-9)
  }

  @Test func scarceTextGoesWhereItCountsMost() throws {
    let found = try RecencySchedule(
      minimizing: pair, ends: [0.8, 1], recencies: [1, 3], caps: [1, 0.1])
    expectClose(found.schedule.mixtures[0], [1, 0], within: 1e-8)
    expectClose(found.schedule.mixtures[1], [0.5, 0.5], within: 1e-8)
    expectClose(found.stageWeights, [0.571429, 0.428571], within: 1e-6)
    expectClose(found.objective, 1.69967215, within: 1e-8)
    #expect(found.gap < 1e-10)
  }

  @Test func equalRecencyIsOneMixtureForTheWholeRun() throws {
    for caps in [[1.0, 1, 1, 1], [1, 0.15, 0.2, 0.03], [0.3, 0.3, 0.3, 0.1]] {
      let whole = try ConvexOptimum(
        minimizing: losses, under: MixtureConstraints(domainCount: 4, caps: caps))
      let found = try RecencySchedule(
        minimizing: losses, ends: [0.2, 0.5, 1], recencies: [2, 2, 2], caps: caps)
      expectClose(found.objective, whole.objective, within: 1e-10)
      #expect(found.gap < 1e-9)
      expectClose(found.effectiveShares, whole.shares, within: 1e-5)
      for mixture in found.schedule.mixtures { expectClose(mixture, whole.shares, within: 1e-5) }
    }
  }

  @Test func recencyNeverDrawsBeyondCapsAndNeverLoses() throws {
    let caps = [1, 0.15, 0.2, 0.03]
    let whole = try ConvexOptimum(
      minimizing: losses, under: MixtureConstraints(domainCount: 4, caps: caps))
    var last = whole.objective
    for late in [1.5, 3, 10] {
      let found = try RecencySchedule(
        minimizing: losses, ends: [0.5, 0.9, 1], recencies: [1, 2, 2 * late], caps: caps)
      #expect(found.gap < 1e-9)
      // More of the run's effect lies where scarce text can be put.
      #expect(found.objective < last)
      last = found.objective
      let drawn = try #require(found.schedule.cumulativeShares.last)
      for domain in 0..<4 { #expect(drawn[domain] <= caps[domain] + 1e-12) }
      for mixture in found.schedule.mixtures {
        expectClose(mixture.reduce(0, +), 1, within: 1e-12)
        #expect(mixture.allSatisfy { $0 >= 0 })
      }
      let effective = (0..<4).map { domain in
        zip(found.stageWeights, found.schedule.mixtures).reduce(0) { $0 + $1.0 * $1.1[domain] }
      }
      expectClose(effective, found.effectiveShares, within: 1e-12)
    }
  }

  @Test func marginalUtilityIsTheDerivativeInCounts() {
    let counts = [30.0, 70]
    func total(_ counts: [Double]) -> Double {
      let sum = counts.reduce(0, +)
      // A step dependence of 2·s^−1/2 beside the laws.
      return pair.reduce(0) {
        $0 + $1.weight * ($1.model.loss(of: counts.map { $0 / sum }) + 2 / sum.squareRoot())
      }
    }
    let slope = -pow(100, -1.5)
    let found = MarginalUtility.utilities(
      laws: pair.compactMap { $0.model as? MixingLaw }, weights: [0.5, 0.5],
      lengthSlopes: [slope, slope], counts: counts)
    let step = 1e-3
    for domain in 0..<2 {
      var (above, below) = (counts, counts)
      above[domain] += step
      below[domain] -= step
      expectClose(found[domain], -(total(above) - total(below)) / (2 * step), within: 1e-8)
    }
    // Along the mixture itself, without a dependence on length, nothing changes.
    let flat = MarginalUtility.utilities(
      laws: pair.compactMap { $0.model as? MixingLaw }, weights: [0.5, 0.5], counts: counts)
    expectClose(dot(flat, counts), 0, within: 1e-15)
  }

  @Test func smallMovesLowerTheLossWithinBounds() throws {
    let start = [0.25, 0.25, 0.25, 0.25]
    let constraints = MixtureConstraints(
      domainCount: 4, floors: [0.01, 0.01, 0.01, 0.01], caps: [1, 1, 1, 0.2])
    let ends = (1...20).map { Double($0) / 20 }
    let schedule = try PlannedSchedule(
      climbing: SyntheticLaws.laws, weights: SyntheticLaws.weights, ends: ends, start: start,
      rate: 0.2, under: constraints)
    func loss(_ shares: [Double]) -> Double {
      losses.reduce(0) { $0 + $1.weight * $1.model.loss(of: shares) }
    }
    let cumulative = schedule.cumulativeShares
    #expect(loss(cumulative[19]) < loss(start) - 0.5 * (loss(start) - 2.8410155))
    #expect(cumulative[19][3] <= 0.2 + 1e-12)
    #expect(schedule.mixtures.allSatisfy { $0.allSatisfy { $0 >= 0.01 - 1e-12 } })
    for (one, next) in zip(schedule.mixtures, schedule.mixtures.dropFirst()) {
      for domain in 0..<3 { #expect(abs(log(next[domain] / one[domain])) < 0.5) }
    }
    let still = try PlannedSchedule(
      climbing: SyntheticLaws.laws, weights: SyntheticLaws.weights, ends: [0.5, 1], start: start,
      rate: 0, under: MixtureConstraints(domainCount: 4))
    expectClose(still.mixtures[1], start, within: 1e-12)
  }

  @Test func whatWasMeasuredMovesTheRest() throws {
    let laws = SyntheticLaws.laws
    let drawn = [0.1, 0.1, 0.1, 0.1]
    let constraints = MixtureConstraints(domainCount: 4)
    let sofar = [0.25, 0.25, 0.25, 0.25]
    let whole = try ConvexOptimum(minimizing: losses, under: constraints)
    // As predicted: nothing moves, and the rest makes up for the start.
    let same = try RecedingHorizon(
      laws: laws, weights: SyntheticLaws.weights, observed: laws.map { $0.loss(of: sofar) },
      drawn: drawn, under: constraints)
    let reached = zip(drawn, same.shares).map { $0 + 0.6 * $1 }
    expectClose(reached, whole.shares, within: 1e-6)
    expectClose(same.objective, whole.objective, within: 1e-9)
    #expect(same.gap < 1e-10)
    // Code is worse than predicted: its law is raised there, and it gets more.
    var observed = laws.map { $0.loss(of: sofar) }
    observed[1] += 0.5
    let more = try RecedingHorizon(
      laws: laws, weights: SyntheticLaws.weights, observed: observed, drawn: drawn,
      under: constraints)
    expectClose(more.laws[1].loss(of: sofar), observed[1], within: 1e-12)
    #expect(more.shares[1] > same.shares[1] + 0.01)
    // A loss below its floor moves nothing, and is said.
    observed[1] = 0.1
    let below = try RecedingHorizon(
      laws: laws, weights: SyntheticLaws.weights, observed: observed, drawn: drawn,
      under: constraints)
    #expect(below.unmovedLaws == [1])
    #expect(below.laws[1] == laws[1])
    // What is left of a domain caps the rest.
    let capped = try RecedingHorizon(
      laws: laws, weights: SyntheticLaws.weights, observed: nil, drawn: drawn,
      under: MixtureConstraints(domainCount: 4, caps: [1, 1, 1, 0.1]))
    expectClose(capped.shares[3], 0, within: 1e-12)
    #expect(
      throws: FittingError.settingOutOfRange(setting: "sum of the drawn shares", index: 0, value: 1)
    ) {
      try RecedingHorizon(
        laws: laws, weights: SyntheticLaws.weights, observed: nil, drawn: [1, 0, 0, 0],
        under: constraints)
    }
  }

  @Test func badSettingsAreNamed() {
    let constraints = MixtureConstraints(domainCount: 2)
    #expect(throws: FittingError.settingOutOfRange(setting: "ends of stages", index: 1, value: 0.5))
    {
      try PlannedSchedule(along: [[1, 0], [1, 0]], ends: [0.5, 0.5], under: constraints)
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "ends of stages", index: 0, value: 0.9))
    {
      try PlannedSchedule(along: [[1, 0]], ends: [0.9], under: constraints)
    }
    #expect(throws: FittingError.settingCount(setting: "ends of stages", expected: 2, found: 1)) {
      try PlannedSchedule(along: [[1, 0], [1, 0]], ends: [1], under: constraints)
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "recencies", index: 1, value: 0)) {
      try RecencySchedule(minimizing: pair, ends: [0.5, 1], recencies: [1, 0], caps: [1, 1])
    }
    #expect(throws: FittingError.boundsInfeasible(floorSum: 0, capSum: 0.75)) {
      try RecencySchedule(minimizing: pair, ends: [1], recencies: [1], caps: [0.5, 0.25])
    }
  }

  @Test func theFileHoldsTheStagesAndTheAssumption() throws {
    let found = try RecencySchedule(
      minimizing: pair, ends: [0.8, 1], recencies: [1, 3], caps: [1, 0.1])
    let file = try found.schedule.file(domains: ["code", "prose"], unit: .tokens, total: 1000)
    let read = try MixtureSchedule(json: file.json())
    #expect(read == file)
    #expect(read.stages.map(\.until) == [800, 1000])
    #expect(read.stages[0].weights["prose"] == 0)
    #expect(read.assumption?.contains("1.0, 3.0") == true)
    #expect(read.source == "headrace fit law, schedule S3")
    let fixed = try PlannedSchedule(fixed: [0.25, 0.75]).file(
      domains: ["code", "prose"], unit: .steps, total: 10)
    #expect(fixed.source?.hasSuffix("S0") == true)
    #expect(fixed.stages.count == 1)
    #expect(throws: FittingError.settingCount(setting: "names of domains", expected: 2, found: 1)) {
      try found.schedule.file(domains: ["a", "a"], unit: .steps, total: 10)
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "end of a stage", index: 1, value: 1)) {
      try found.schedule.file(domains: ["a", "b"], unit: .steps, total: 1)
    }
  }

  /// With a row a step, the draws of a schedule stay within the bounds that apportionment promises,
  /// and do not depend on where the run was cut.
  @Test func realizedCountsKeepToTheScheduleThroughAnyCut() throws {
    let caps = [1, 0.15, 0.2, 0.03]
    let found = try RecencySchedule(
      minimizing: losses, ends: [0.5, 0.9, 1], recencies: [1, 2, 6], caps: caps)
    let total = 1000
    let names = ["books", "code", "dialogue", "web"]
    let file = try found.schedule.file(domains: names, unit: .steps, total: total)
    let context = PolicyContext(
      domainNames: names, sequenceCounts: [1000, 1000, 1000, 1000], stepCount: total)
    func draw(cuts: Set<Int>) throws -> [Int] {
      var policy = try SchedulePolicy(file, in: context)
      var credits = Apportionment(domainCount: 4)
      var drawn: [Int] = []
      for step in 1...total {
        if cuts.contains(step) {
          policy = try SchedulePolicy(file, in: context)
          credits = try Apportionment(credits: credits.credits)
        }
        try policy.prepare(for: UpcomingStep(step: step, tokenTotal: step - 1))
        drawn.append(
          policy.mixture.integerShares.withUnsafeBufferPointer {
            credits.nextDomain(shares: $0)
          })
      }
      return drawn
    }
    let whole = try draw(cuts: [])
    #expect(try draw(cuts: [1, 2, 499, 500, 501, 777, 1000]) == whole)
    let planned = found.schedule.cumulativeShares
    for (end, shares) in zip([500, 900, 1000], planned) {
      for domain in 0..<4 {
        let count = Double(whole[..<end].count { $0 == domain })
        // H_4 − 1 = 1.08 below, 3·3/2 at most where weights are 0.
        #expect(abs(count - shares[domain] * Double(end)) < 1.1)
        #expect(count <= caps[domain] * Double(total) + 1)
      }
    }
  }
}
