// Covers: NestedPrediction.swift
import Fitting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct ScaleLawTests {
  @Test func aKnownCurveIsFoundAgain() throws {
    let scales = (1...11).map { Double($0) * 1e9 }
    func losses(_ x: Double) -> [Double] {
      [2 + 30 * pow(x, -0.3), 1.5 + 700 * pow(x, -0.3), 0.5 + 5 * pow(x, -0.3)]
    }
    let law = try StepLaw(scales: scales, losses: scales.map(losses))
    expectClose(law.exponent, 0.3, within: 1e-6)
    expectClose(law.floors, [2, 1.5, 0.5], within: 1e-6)
    expectClose(law.losses(at: 1e11), losses(1e11), within: 1e-7)
    #expect(law.squaredError < 1e-12)
    let given = try StepLaw(
      scales: [1e9, 1e10], losses: [losses(1e9), losses(1e10)], exponents: 0.3...0.3)
    expectClose(given.losses(at: 1e11), losses(1e11), within: 1e-10)
  }

  @Test func risingCurvesAreLevelAndFloorsStayAbove0() throws {
    let law = try SizeLaw(
      scales: [1, 2, 4, 8], losses: [[1, 8], [2, 2], [3, 0.5], [4, 0.125]])
    #expect(law.factors[0] == 0)
    expectClose(law.losses(at: 100)[0], 2.5, within: 1e-12)
    #expect(law.floors[1] >= 0)
  }

  @Test func tooLittleToFitIsNamed() {
    #expect(throws: FittingError.tooFewScales(found: 2, needed: 3)) {
      try StepLaw(scales: [1, 2, 2], losses: [[1], [1], [1]])
    }
    #expect(throws: FittingError.settingOutOfRange(setting: "scales", index: 0, value: 0)) {
      try StepLaw(scales: [0, 1, 2], losses: [[1], [1], [1]])
    }
    #expect(throws: FittingError.settingCount(setting: "losses", expected: 3, found: 2)) {
      try StepLaw(scales: [1, 2, 3], losses: [[1], [1]])
    }
    #expect(throws: FittingError.settingCount(setting: "curves", expected: 1, found: 2)) {
      try StepLaw(scales: [1, 2, 3], losses: [[1], [1, 2], [1]])
    }
    #expect(throws: FittingError.lossNotFinite(runIndex: 2, value: .infinity)) {
      try StepLaw(scales: [1, 2, 3], losses: [[1], [1], [.infinity]])
    }
    #expect(throws: FittingError.noRuns) {
      try NestedPrediction(
        losses: [], sizes: [], lengths: [], targetSize: 1, targetLength: 1)
    }
    #expect(throws: FittingError.settingCount(setting: "mixtures", expected: 1, found: 2)) {
      try NestedPrediction(
        losses: [[[[1]]], [[[1], [1]]]], sizes: [1, 2], lengths: [1], targetSize: 1,
        targetLength: 1)
    }
  }

  @Test(
    arguments: [
      NestedPrediction.StepExponent.perMixture, .perSize, .shared, .fixed(0.4),
    ])
  func aWorldThatObeysBothLawsIsPredicted(tie: NestedPrediction.StepExponent) throws {
    // The floor of the steps falls with the size by its own power.
    func loss(_ size: Double, _ length: Double, _ mixture: Int, _ target: Int) -> Double {
      let (a, b) = (Double(mixture), Double(target))
      return 1 + 0.1 * a + 0.3 * b + (5 + a) * pow(size, -0.2) + (20 + b) * pow(length, -0.4)
    }
    let (sizes, lengths) = ([1e2, 3e2, 1e3, 2e3], [10.0, 12, 15, 20, 30])
    let cube = sizes.map { size in
      lengths.map { length in
        (0..<3).map { mixture in (0..<2).map { loss(size, length, mixture, $0) } }
      }
    }
    let found = try NestedPrediction(
      losses: cube, sizes: sizes, lengths: lengths, targetSize: 1e4, targetLength: 100,
      stepExponent: tie)
    for mixture in 0..<3 {
      expectClose(
        found.losses[mixture], (0..<2).map { loss(1e4, 100, mixture, $0) }, within: 1e-5)
    }
    expectClose(found.sizeExponent, 0.2, within: 1e-5)
    #expect(
      found.stepExponents.count == [12, 4, 1, 1][tie == .perMixture ? 0 : tie == .perSize ? 1 : 2])
  }
}

@Suite(.timeLimit(.minutes(5)), .enabled(if: SharedData.isPresent, SharedData.comment))
struct PublishedScaleTests {
  private static let tokensPerStep = 4096.0 * 256
  private static let sizes = ["70M", "160M", "305M", "410M"]
  /// Parameters that are no embeddings.
  private static let parameterCounts = [18_915_328.0, 85_056_000, 201_541_632, 302_311_424]
  private static let billion = 805_736_448.0

  private func groupLosses(
    _ runs: [PublishedRun], _ model: String, _ id: String, _ step: Int
  ) throws -> [Double] {
    let run = try #require(
      runs.first {
        $0.model == model && $0.id == id && $0.step == step && $0.losses.count == 22
      }, "\(model) \(id) \(step)")
    return try #require(EvaluationGroups().losses(of: run))
  }

  @Test func sizesPredictOneBillionParametersAtTwentyThousandSteps() throws {
    let groups = try EvaluationGroups()
    let red = try PublishedRun.read("redpajama")
    let five = try PublishedRun.read("5mix")
    let cases =
      [("5", "5"), ("8", "8"), ("18", "997")].map { (red, $0, $1) }
      + ["17", "21", "23", "24"].map { (five, $0, $0) }
    let losses = try Self.sizes.map { size in
      try cases.flatMap { try groupLosses($0.0, size, $0.1, 20000) }
    }
    let law = try SizeLaw(scales: Self.parameterCounts, losses: losses)
    expectClose(law.exponent, 0.14553883, within: 1e-5)
    let predicted = law.losses(at: Self.billion)
    // By an independent implementation.
    let expected = [2.977651, 2.932490, 2.967989, 2.512771, 2.536708, 2.571288, 2.497910]
    for (index, row) in cases.enumerated() {
      let overall = groups.overall(Array(predicted[5 * index..<5 * index + 5]))
      let observed = groups.overall(try groupLosses(row.0, "1B", row.2, 20000))
      expectClose(overall, observed, within: 0.03)
      expectClose(overall, expected[index], within: 1e-5)
    }
  }

  @Test(arguments: [("70M", 0.0015), ("160M", 0.0014), ("1B", 0.0281)])
  func stepsPredictLongRuns(model: String, error: Double) throws {
    let groups = try EvaluationGroups()
    let runs = try PublishedRun.read("redpajama").filter {
      $0.model == model && $0.id == "999" && $0.losses.count == 22
    }
    let early = runs.filter { (10_000...30_000).contains($0.step) }
    let law = try StepLaw(
      scales: early.map { Double($0.step) * Self.tokensPerStep },
      losses: try early.map { try #require(groups.losses(of: $0)) })
    let long = try #require(runs.first { $0.step == 100_000 })
    let observed = groups.overall(try #require(groups.losses(of: long)))
    let predicted = groups.overall(law.losses(at: 1e5 * Self.tokensPerStep))
    expectClose(predicted - observed, error, within: 2e-4)
  }

  @Test(
    arguments: [
      (NestedPrediction.StepExponent.perMixture, -0.199), (.perSize, -0.129), (.shared, -0.093),
      (.fixed(0.6), -0.024), (.fixed(0.75), 0.011),
    ])
  func theEndPointHangsOnTheStepExponent(
    tie: NestedPrediction.StepExponent, error: Double
  ) throws {
    let groups = try EvaluationGroups()
    let runs = try PublishedRun.read("redpajama").filter { $0.losses.count == 22 }
    let ids = Set(runs.filter { $0.model == "410M" }.map(\.id)).sorted {
      (Int($0) ?? 0) < (Int($1) ?? 0)
    }
    #expect(ids.count == 20)
    let table = Dictionary(
      runs.map { ("\($0.model)/\($0.id)/\($0.step)", $0) }, uniquingKeysWith: { $1 })
    let steps = Set(
      runs.filter { $0.model == "410M" && (10_000...30_000).contains($0.step) }.map(\.step)
    ).sorted()
    let cube = try Self.sizes.map { size in
      try steps.map { step in
        try ids.map { id in
          try groups.required(table["\(size)/\(id)/\(step)"])
        }
      }
    }
    let found = try NestedPrediction(
      losses: cube, sizes: Self.parameterCounts,
      lengths: steps.map { Double($0) * Self.tokensPerStep }, targetSize: Self.billion,
      targetLength: 1e5 * Self.tokensPerStep, stepExponent: tie)
    let index = try #require(ids.firstIndex(of: "18"))
    let observed = groups.overall(try groups.required(table["1B/997/100000"]))
    expectClose(observed, 2.6787, within: 1e-4)
    expectClose(groups.overall(found.losses[index]) - observed, error, within: 1e-3)
  }
}
