import Ablations
import Testing
import Training

/// Names beside the lines of a picture, as many as there are.
@Suite(.timeLimit(.minutes(5))) struct LineLabelsTests {
  /// The mixture of a run over so many domains, as a picture.
  private func picture(domainCount: Int) throws -> String {
    let names = (0..<domainCount).map { "domain-\($0)" }
    var metrics = RunMetrics(domains: names)
    for step in 1...20 {
      // Most lines end in a heap.
      let weights = names.indices.map { domain in
        1 / Double(1 + (domain * 7 + step) % (3 * domainCount))
      }
      let sum = weights.reduce(0, +)
      metrics.steps.append(
        StepMetrics(
          step: step, loss: 1, losses: names.map { _ in 1 }, learningRate: 0.1, gradientNorm: 1,
          tokenCounts: names.map { _ in 10 }, tokenTotal: 10 * domainCount * step,
          realizedShares: weights.map { $0 / sum }, askedShares: weights.map { $0 / sum },
          timeInSeconds: 1))
    }
    metrics.evaluations = [
      EvaluationMetrics(
        step: 20, tokenTotal: 1000, losses: names.map { _ in 1 },
        heldOutTokenCounts: names.map { _ in 10 }, timeInSeconds: 1)
    ]
    let record = RunRecord(
      toolVersion: "1", instructionSet: "avx2", corpus: "mill",
      configuration: RunConfiguration(
        corpusPath: "c", rows: 10,
        model: LanguageModelConfiguration(
          vocabularySize: 257, sequenceLength: 10, layerCount: 1, width: 8, headCount: 2),
        stepCount: 20),
      parameterCount: 1, trainerChecksum: "0", end: .allSteps, stepCount: 20, tokenTotal: 1000,
      timeInSeconds: 1,
      domains: names.map {
        RunRecord.Domain(
          name: $0, fingerprint: "0", askedShare: 0, realizedShare: 0, tokenCount: 1, epochs: 1,
          loss: 1, bestLoss: 1)
      }, evaluations: metrics.evaluations)
    return try #require(RunReport(record: record, metrics: metrics).mixturePicture)
  }

  /// The heights of the names in a picture, and that of the picture.
  private func heights(_ picture: String) throws -> (names: [Double], total: Double, all: String) {
    let view = try #require(picture.firstMatch(of: /viewBox="0 0 900 ([0-9.]+)"/))
    let names = picture.matches(of: /<text[^>]* y="([-0-9.]+)" dy="4">(domain-|and )/)
      .compactMap { Double($0.output.1) }
    return (names, try #require(Double(view.output.1)), picture)
  }

  @Test(arguments: [2, 5, 12, 17, 18, 22, 23, 33, 34, 40, 100, 1000])
  func `names stay within the picture and apart, and the rest is counted`(count: Int) throws {
    let (names, height, text) = try heights(picture(domainCount: count))
    let others = text.firstMatch(of: /and ([0-9]+) others/).flatMap { Int($0.output.1) } ?? 0
    let named = names.count - (others > 0 ? 1 : 0)
    #expect(named + others == count)
    #expect(try #require(names.min()) >= 48 && #require(names.max()) <= height - 42 + 0.05)
    // Coordinates are rounded to tenths.
    let apart = zip(names, names.dropFirst()).map { $1 - $0 }.min() ?? 16
    #expect(apart >= (count <= 18 ? 16 : 13) - 0.11)
    // The picture grows before names are left out, and not beyond half of what its lines have.
    #expect(count <= 23 ? height <= 381 : height > 381)
    #expect(height <= 380 + 0.5 * 290 + 1)
    #expect(others == 0 || named >= 30)
  }

  @Test func `the largest shares keep their names`() throws {
    let picture = try picture(domainCount: 100)
    let last = (0..<100).map { 1 / Double(1 + ($0 * 7 + 20) % 300) }
    let shown = picture.matches(of: /dy="4">domain-([0-9]+)</).compactMap { Int($0.output.1) }
    let least = try #require(shown.map { last[$0] }.min())
    #expect(shown == shown.sorted { last[$0] > last[$1] })
    #expect((0..<100).allSatisfy { shown.contains($0) || last[$0] <= least })
  }

  @Test func `no two of 144 lines look alike`() throws {
    let color = ##"class="series (s[0-5])"( stroke-dasharray="[^"]*")?"##
    let marker = ##"<path class="f[0-5]" d="M[^m]*([^"]*)""##
    let line = try Regex(
      color + ".*?" + marker, as: (Substring, Substring, Substring?, Substring).self)
    let looks = try picture(domainCount: 144).split(separator: "\n")
      .compactMap { $0.firstMatch(of: line)?.output }
      .map { "\($0.1) \($0.2 ?? "") \($0.3)" }
    #expect(looks.count == 144 && Set(looks).count == 144)
  }
}
