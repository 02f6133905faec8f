internal import Corpora
public import Training

/// What a finished run came to, as a page, a picture and a table.
///
/// Made from `record.json` and `metrics.jsonl` only, so that it can be made again at any time.
public struct RunReport: Sendable {
  /// What the run left behind.
  public let record: RunRecord
  /// Its metrics by step.
  public let metrics: RunMetrics

  /// The most points of a line; longer series are drawn as means over equal stretches.
  static let pointLimit = 300

  /// Creates a report of what was read.
  ///
  /// - Parameters:
  ///   - record: what the run left behind.
  ///   - metrics: its metrics, of the same domains.
  public init(record: RunRecord, metrics: RunMetrics) {
    precondition(
      record.domains.map(\.name) == metrics.domains, "the metrics are those of other domains")
    self.record = record
    self.metrics = metrics
  }

  /// Reads record and metrics of a finished run.
  ///
  /// - Parameter folder: the run's folder.
  /// - Throws: ``RunError`` if one of them is missing, damaged, or not of the same domains.
  public init(of folder: RunFolder) throws(RunError) {
    let record = try RunRecord.read(from: folder.recordPath)
    let metrics = try RunMetrics(at: folder.metricsPath)
    guard record.domains.map(\.name) == metrics.domains else {
      throw .fileDamaged(
        path: folder.metricsPath,
        reason: "its domains, \(metrics.domains.joined(separator: ", ")), are not the record's")
    }
    self.init(record: record, metrics: metrics)
  }

  /// Writes `report.html` and `report.svg` into a run folder, and `mixture.svg` where the mixture
  /// changed.
  ///
  /// - Parameter folder: the run's folder.
  /// - Throws: ``RunError/corpus(_:)`` if they cannot be written.
  public func write(to folder: RunFolder) throws(RunError) {
    do throws(CorpusError) {
      try DurableFile.write(Array(picture.utf8), to: folder.picturePath)
      if let mixturePicture {
        try DurableFile.write(Array(mixturePicture.utf8), to: folder.mixturePicturePath)
      }
      try DurableFile.write(Array(page.utf8), to: folder.reportPath)
    } catch {
      throw .corpus(error)
    }
  }

  /// The loss curves as an SVG picture that stands alone, on light and on dark.
  public var picture: String {
    lossChart(tickCount: 8).svg(
      width: 900, height: 430, cssClass: "wide", style: ChartStyle.chartRules) + "\n"
  }

  /// The final table for a terminal.
  public var table: String {
    let rows = [columns] + cells + [meanCells]
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return column == 0 ? row[column] + padding : padding + row[column]
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  // MARK: The table's cells

  /// The mean over the steps of the effective share of each domain `[domain]`; nil where it is what
  /// was asked for.
  var effectiveShares: [Double]? {
    guard effectiveDiffers else { return nil }
    return metrics.domains.indices.map { domain in
      metrics.steps.reduce(0) { $0 + $1.drawnShares[domain] } / Double(metrics.steps.count)
    }
  }

  /// Whether a batch was drawn by another mixture than the policy asked for: where every domain has
  /// its micro-batch, and behind an epoch cap.
  var effectiveDiffers: Bool {
    metrics.steps.contains { step in
      zip(step.askedShares, step.drawnShares).contains { abs($0 - $1) >= 0.0005 }
    }
  }

  var columns: [String] {
    ["domain", "held-out loss", "perplexity", "asked"]
      + (effectiveDiffers ? ["effective"] : []) + ["realized", "tokens", "epochs"]
  }

  /// The cells of every domain's row.
  var cells: [[String]] {
    let effective = effectiveShares
    return record.domains.enumerated().map { index, domain in
      [
        domain.name, ReportNumber.fixed(domain.loss, digits: 4),
        ReportNumber.fixed(domain.perplexity, digits: 2), ReportNumber.percent(domain.askedShare),
      ] + (effective.map { [ReportNumber.percent($0[index])] } ?? []) + [
        ReportNumber.percent(domain.realizedShare), ReportNumber.grouped(domain.tokenCount),
        domain.epochs.map { ReportNumber.fixed($0, digits: 2) } ?? "unknown",
      ]
    }
  }

  var meanCells: [String] {
    let mean = record.finalEvaluation?.unweightedMean
    return [
      "mean of domains", ReportNumber.fixed(mean, digits: 4),
      ReportNumber.fixed(mean.map(Self.perplexity(ofLoss:)), digits: 2), "",
    ] + (effectiveDiffers ? [""] : []) + ["", ReportNumber.grouped(record.tokenTotal), ""]
  }

  // MARK: Charts

  /// Training loss and held-out losses over the tokens of the run.
  func lossChart(tickCount: Int) -> LineChart {
    // Stretches of eight steps or more: a batch's own loss says more of its rows than of the model.
    let training = Self.means(
      of: metrics.steps.map { (Double($0.tokenTotal), $0.loss) },
      limit: max(20, min(120, metrics.steps.count / 8)))
    var series = [LineChart.Series(name: "training", points: training)]
    for (index, name) in metrics.domains.enumerated() {
      let points = metrics.evaluations.compactMap { evaluation in
        evaluation.losses[index].map { (Double(evaluation.tokenTotal), $0) }
      }
      series.append(
        LineChart.Series(
          name: name, points: Self.thinned(points, limit: 60), style: index, hasMarkers: true))
    }
    let values = series.flatMap { $0.points.map(\.y) }
    return LineChart(
      title: "Loss over tokens",
      summary: "Held-out loss of each domain, and the training loss. "
        + record.domains.map { "\($0.name) ends at \(ReportNumber.fixed($0.loss, digits: 3))" }
        .joined(separator: ", ") + ".",
      xTitle: "tokens trained on", yTitle: "nats per token, held-out by domain (log scale)",
      xScale: .fromZero(to: Double(record.tokenTotal), tickCount: tickCount),
      yScale: .logarithmic(values, tickCount: 7), xText: ReportNumber.short,
      yText: ReportNumber.trimmed, series: series)
  }

  /// Realized and effective shares over the steps of the run.
  func shareChart(tickCount: Int) -> LineChart {
    var series: [LineChart.Series] = []
    // Stretches long enough that a share is not the coin toss of a batch.
    let limit = min(30, max(1, metrics.steps.count / 20))
    for (index, name) in metrics.domains.enumerated() {
      let drawn = metrics.steps.map { (Double($0.step), $0.drawnShares[index]) }
      let realized = metrics.steps.map { (Double($0.step), $0.realizedShares[index]) }
      series.append(
        LineChart.Series(
          name: nil, points: Self.thinned(drawn, limit: Self.pointLimit), style: index,
          isReference: true))
      series.append(
        LineChart.Series(
          name: name, points: Self.means(of: realized, limit: limit), style: index,
          hasMarkers: true))
    }
    let most = series.flatMap { $0.points.map(\.y) }.max() ?? 1
    return LineChart(
      title: "Shares over steps",
      summary: "Realized share of each domain beside the effective one, by which it was drawn.",
      xTitle: "step", yTitle: "share of rows; dotted: effective, by which they were drawn",
      xScale: .fromZero(to: Double(record.stepCount), tickCount: tickCount),
      yScale: .fromZero(to: min(1, most * 1.1), tickCount: 5), xText: ReportNumber.short,
      yText: { ReportNumber.trimmed(100 * $0) + " %" }, series: series)
  }

  /// Means over at most `limit` equal stretches, each at its last place.
  static func means(
    of points: [(x: Double, y: Double)], limit: Int
  ) -> [(x: Double, y: Double)] {
    let count = min(limit, points.count)
    return (0..<count).map { index in
      let stretch = points[(index * points.count / count)..<((index + 1) * points.count / count)]
      let sum = stretch.reduce(0) { $0 + $1.y }
      return (stretch[stretch.endIndex - 1].x, sum / Double(stretch.count))
    }
  }

  /// At most `limit` of the points, the first and the last among them.
  static func thinned(
    _ points: [(x: Double, y: Double)], limit: Int
  ) -> [(x: Double, y: Double)] {
    guard points.count > limit, limit > 1 else { return points }
    return (0..<limit).map { points[$0 * (points.count - 1) / (limit - 1)] }
  }
}

extension StepMetrics {
  /// The shares that the step's rows were drawn by: the effective ones, or the asked ones where the
  /// metrics do not say.
  var drawnShares: [Double] { effectiveShares ?? askedShares }
}
