// Covers: ChartScale.swift, ChartStyle.swift, LineChart.swift, ReportNumber.swift
// Covers: RunReport+Facts.swift, RunReport+Mixture.swift, RunReport+Page.swift

import Ablations
import Loading
import Mixing
import Testing
import Training

@Suite(.timeLimit(.minutes(5))) struct RunReportTests {
  /// Two domains, 40 steps of 100 tokens; losses fall from 5 to the given ones.
  private func report(
    names: [String] = ["code", "a<b>&\"prose\""], losses: [Double?] = [1.2345, 2.5],
    stepCount: Int = 40, changes: Bool = false, effective: [Double]? = nil,
    _ change: (inout RunConfiguration) -> Void = { _ in }
  ) -> RunReport {
    var metrics = RunMetrics(domains: names)
    let even = names.map { _ in 1 / Double(names.count) }
    for step in 1...stepCount {
      let moved = 0.8 * Double(step) / Double(stepCount)
      metrics.steps.append(
        StepMetrics(
          step: step, loss: 5 / Double(step), losses: names.map { _ in 1 }, learningRate: 0.1,
          gradientNorm: 1, tokenCounts: names.map { _ in 100 / names.count },
          tokenTotal: 100 * step, realizedShares: even,
          askedShares: changes ? [0.9 - moved, 0.1 + moved] : even,
          effectiveShares: effective, rewards: changes ? [-2e-7, 4e-7 / Double(step)] : nil,
          timeInSeconds: Double(step)))
    }
    metrics.evaluations = [(0, names.map { _ in 5 }), (stepCount, losses)].map {
      EvaluationMetrics(
        step: $0.0, tokenTotal: 100 * $0.0, losses: $0.1,
        heldOutTokenCounts: names.map { _ in 10 }, timeInSeconds: 1)
    }
    var configuration = RunConfiguration(
      corpusPath: "c", policyOptions: ["mixture": "uniform"], rows: 10,
      model: LanguageModelConfiguration(
        vocabularySize: 257, sequenceLength: 10, layerCount: 1, width: 8, headCount: 2),
      stepCount: stepCount, seed: 4711)
    change(&configuration)
    let record = RunRecord(
      toolVersion: "9.8.7", instructionSet: "avx2", corpus: "mill", configuration: configuration,
      parameterCount: 123_456, trainerChecksum: "0", end: .allSteps, stepCount: stepCount,
      tokenTotal: 100 * stepCount, timeInSeconds: 125,
      domains: zip(names, losses).map { name, loss in
        RunRecord.Domain(
          name: name, fingerprint: "00ff", askedShare: 1 / Double(names.count),
          realizedShare: 1 / Double(names.count), tokenCount: 100 * stepCount / names.count,
          epochs: 0.75, loss: loss, bestLoss: loss)
      }, evaluations: metrics.evaluations)
    return RunReport(record: record, metrics: metrics)
  }

  @Test func thePageHasTheRecordsNumbers() {
    let page = report().page
    for text in [
      "1.2345", "2.5000", "3.44", "12.18", "50.0 %", "2,000", "0.75", "1.867", "4711", "9.8.7",
      "avx2", "123,456", "2 min 5 s", "mixture uniform", "00ff",
    ] {
      #expect(page.contains(text), "\(text) is missing")
    }
    // Names from a corpus never become markup.
    #expect(page.contains("a&lt;b&gt;&amp;&quot;prose&quot;"))
    #expect(!page.contains("a<b>"))
  }

  @Test func nothingIsLoadedFromElsewhere() {
    for text in [report().page, report().picture] {
      let foreign = text.replacing("http://www.w3.org/2000/svg", with: "")
      #expect(
        !foreign.contains("http") && !foreign.contains("src=") && !foreign.contains("@import"))
      #expect(!text.contains("NaN") && !text.contains("inf\""))
      #expect(text.contains("prefers-color-scheme: dark"))
    }
  }

  @Test func everyElementThatOpensCloses() {
    for text in [report().page, report().picture] {
      for name in ["svg", "text", "table", "tr", "td", "dl", "dd", "figure", "style", "div"] {
        let opened = text.ranges(of: "<\(name) ").count + text.ranges(of: "<\(name)>").count
        #expect(opened == text.ranges(of: "</\(name)>").count, "\(name)")
      }
    }
  }

  @Test func aMixtureThatChangesIsDrawnWithItsRewards() throws {
    let changing = report(changes: true)
    let picture = try #require(changing.mixturePicture)
    #expect(picture.contains("Asked mixture over steps") && picture.contains("88.0 % to 10.0 %"))
    for name in ["svg", "text", "style"] {
      let opened = picture.ranges(of: "<\(name) ").count + picture.ranges(of: "<\(name)>").count
      #expect(opened == picture.ranges(of: "</\(name)>").count, "\(name)")
    }
    #expect(changing.page.contains("Rewards over steps") && changing.page.contains("−200e-9"))
    #expect(!changing.page.contains("NaN"))
    let lines = try #require(changing.mixtureTable).split(separator: "\n")
    #expect(lines.count == 3 && Set(lines.map(\.count)).count == 1)
    #expect(lines[1].contains("█▇") && lines[1].contains("88.0 %") && lines[1].contains("10.0 %"))
    #expect(lines[2].contains("▂") && lines[2].hasSuffix("42.8e-9"))
    let constant = report()
    #expect(constant.mixturePicture == nil && constant.mixtureTable == nil)
    #expect(!constant.page.contains("Asked mixture over steps"))
    #expect(!constant.page.contains("Rewards over steps"))
  }

  @Test func theEffectiveMixtureIsShownWhereItIsNotTheAskedOne() throws {
    let report = report(changes: true, effective: [0.25, 0.75])
    let table = report.table.split(separator: "\n")
    #expect(Set(table.map(\.count)).count == 1)
    #expect(table[0].contains("asked  effective  realized"))
    #expect(table[1].contains("50.0 %     25.0 %    50.0 %"))
    #expect(report.page.contains("<th>effective</th>"))
    let picture = try #require(report.mixturePicture)
    #expect(picture.contains("dotted: effective"))
    // Every dotted line has its domain's color.
    for color in ["s0", "s1"] {
      #expect(picture.contains("class=\"series \(color) thin faint\" stroke-dasharray=\"2 4\""))
    }
    #expect(!report.page.contains("class=\"series ink thin faint\" stroke-dasharray"))
    for same in [self.report(changes: true), self.report(effective: [0.5, 0.5])] {
      #expect(!same.table.contains("effective"))
      #expect(same.mixturePicture?.contains("effective") != true)
    }
    // A fixed mixture whose domains run out is drawn, too.
    #expect(self.report(effective: [0.5, 0.5]).mixturePicture == nil)
  }

  @Test func theConfigurationNamesWhatChangesTheDraw() {
    let page = report {
      $0.loader.grouping = .init(microBatchRows: 2, everyDomain: true)
      $0.loader.epochCaps = ["code": 0.25]
      $0.gradients = GradientSettings(watched: "hidden-output:0", projectionWidth: 4096)
    }.page
    for text in [
      "10 sequences of 10 tokens, in micro-batches of 2 of one domain, one for every domain",
      "<dd>code 0.25</dd>", "hidden-output:0, their gradients projected to 4,096 numbers",
    ] {
      #expect(page.contains(text), "\(text) is missing")
    }
    #expect(!report().page.contains("Watched"))
    #expect(!report().page.contains("Epoch caps"))
  }

  @Test func aScheduleIsShownInWords() throws {
    let schedule = MixtureSchedule(
      unit: .steps,
      stages: [
        .init(until: 1000, weights: ["code": 0.2, "prose": 0.8]),
        .init(until: 5000, ramp: 400, weights: ["code": 0.5, "prose": 0.5]),
        .init(ramp: 20, weights: ["code": 0.9, "prose": 0.1]),
      ], assumption: "late tokens <count> twice", source: "a test")
    let options = try PolicyRecipe.schedule(schedule).options
    let page = report {
      $0.policy = "schedule"
      $0.policyOptions = options.merging(["floor": "0.05"]) { $1 }
    }.page
    for text in [
      "schedule policy, floor 0.05", "to 1,000 steps: prose 80.0 %, code 20.0 %; ",
      "to 5,000 steps, the first 400 as a ramp: code 50.0 %, prose 50.0 %; ",
      "from there on, the first 20 steps as a ramp: code 90.0 %", "late tokens &lt;count&gt; twice",
      "a test",
    ] {
      #expect(page.contains(text), "\(text) is missing")
    }
    #expect(!page.contains("headrace-schedule"))
    let silent = try PolicyRecipe.schedule(
      MixtureSchedule(unit: .tokens, stages: [.init(weights: ["code": 1])]))
    #expect(
      report {
        $0.policy = "schedule"
        $0.policyOptions = silent.options
      }.page.contains("none is said"))
  }

  @Test func theTableIsAligned() {
    let lines = report(names: ["code", "prose"]).table.split(separator: "\n")
    #expect(lines.count == 4)
    #expect(Set(lines.map(\.count)).count == 1)
    #expect(lines[1].contains("1.2345") && lines[3].contains("1.867"))
  }

  @Test func missingLossesAndManyDomainsAndLongRunsAreDrawn() {
    let none = report(names: ["only"], losses: [nil], stepCount: 1)
    #expect(none.page.contains("No domain has held-out text"))
    #expect(none.table.contains("–"))
    let many = report(
      names: (0..<24).map { "domain-with-a-long-name-\($0)" },
      losses: (0..<24).map { 1 + Double($0) / 9 })
    #expect(many.picture.contains("domain-with-a-lon…"))
    // A long run's page is not longer than its charts need.
    #expect(report(stepCount: 20_000).page.utf8.count < 120_000)
  }
}
