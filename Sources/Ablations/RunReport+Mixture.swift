internal import Training

/// What an online policy asked for, step by step, and what it learned from.
extension RunReport {
  /// Whether the policy asked for more than one mixture, or batches were drawn by more than one.
  var mixtureChanges: Bool {
    metrics.steps.contains {
      $0.askedShares != metrics.steps[0].askedShares
        || $0.drawnShares != metrics.steps[0].drawnShares
    }
  }

  /// The asked mixture over the steps, and the effective one where that differs, as an SVG picture
  /// that stands alone, on light and on dark; nil if neither ever changed.
  public var mixturePicture: String? {
    guard mixtureChanges else { return nil }
    return mixtureChart(tickCount: 8).svg(
      width: 900, height: 380, cssClass: "wide", style: ChartStyle.chartRules) + "\n"
  }

  /// The asked mixture over the steps for a terminal, a line for each domain; nil if it never
  /// changed.
  ///
  /// A bar is the mean over a stretch of steps; the highest is the largest of all domains.
  public var mixtureTable: String? {
    guard mixtureChanges else { return nil }
    let limit = 32
    let bars = metrics.domains.indices.map { domain in
      Self.means(of: askedShares(ofDomain: domain), limit: limit).map(\.y)
    }
    let most = bars.joined().max() ?? 1
    var rows = [["domain", "asked over the steps", "first", "least", "most", "last"]]
    if hasRewards { rows[0].append("mean reward") }
    for (domain, name) in metrics.domains.enumerated() {
      let shares = askedShares(ofDomain: domain).map(\.y)
      let numbers = [shares.first, shares.min(), shares.max(), shares.last]
      rows.append(
        [name, bars[domain].map { Self.bar($0 / most) }.joined()]
          + numbers.map { ReportNumber.percent($0 ?? 0) })
      if hasRewards {
        let rewards = metrics.steps.compactMap { $0.rewards?[domain] }
        let mean = rewards.reduce(0, +) / Double(max(1, rewards.count))
        rows[rows.count - 1].append(ReportNumber.scientific(mean))
      }
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return column < 2 ? row[column] + padding : padding + row[column]
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  private var hasRewards: Bool { metrics.steps.contains { $0.rewards != nil } }

  private func askedShares(ofDomain domain: Int) -> [(x: Double, y: Double)] {
    metrics.steps.map { (Double($0.step), $0.askedShares[domain]) }
  }

  /// One of eight bars for a part of the highest.
  private static func bar(_ part: Double) -> String {
    let bars = Array("▁▂▃▄▅▆▇█")
    let index = Int((part * 8).rounded(.up)) - 1
    return String(bars[max(0, min(7, index))])
  }

  /// The asked mixture over the steps of the run, and dotted the effective one where it differs.
  func mixtureChart(tickCount: Int) -> LineChart {
    let asked = metrics.domains.enumerated().map { domain, name in
      let points = Self.thinned(askedShares(ofDomain: domain), limit: Self.pointLimit)
      return LineChart.Series(
        name: name, points: points, style: domain, hasMarkers: true,
        markerStride: max(1, points.count / 12))
    }
    var drawn: [LineChart.Series] = []
    for domain in metrics.domains.indices where effectiveDiffers {
      let points = metrics.steps.map { (x: Double($0.step), y: $0.drawnShares[domain]) }
      drawn.append(
        LineChart.Series(
          points: Self.thinned(points, limit: Self.pointLimit), style: domain, isReference: true))
    }
    let series = drawn + asked
    let most = series.flatMap { $0.points.map(\.y) }.max() ?? 1
    let ends = zip(metrics.domains, asked).map { name, line in
      "\(name) from \(ReportNumber.percent(line.points.first?.y ?? 0)) to "
        + ReportNumber.percent(line.points.last?.y ?? 0)
    }
    return LineChart(
      title: "Asked mixture over steps",
      summary: "The share of each domain that the policy asked for: "
        + ends.joined(separator: ", ") + ".",
      xTitle: "step",
      yTitle: "share that the policy asked for"
        + (drawn.isEmpty ? "" : "; dotted: effective, by which rows were drawn"),
      xScale: .fromZero(to: Double(record.stepCount), tickCount: tickCount),
      yScale: .fromZero(to: min(1, most * 1.1), tickCount: 5), xText: ReportNumber.short,
      yText: { ReportNumber.trimmed(100 * $0) + " %" }, series: series)
  }

  /// The rewards by domain, and their mean weighted by the effective shares; nil without rewards.
  func rewardChart(tickCount: Int) -> LineChart? {
    guard hasRewards else { return nil }
    // A reward is as noisy as a batch is small: stretches, as for the training loss.
    let limit = max(20, min(80, metrics.steps.count / 8))
    var series = metrics.domains.enumerated().map { domain, name in
      let points = metrics.steps.compactMap { step in
        step.rewards.map { (Double(step.step), $0[domain]) }
      }
      return LineChart.Series(
        name: name, points: Self.means(of: points, limit: limit), style: domain, hasMarkers: true,
        markerStride: max(1, min(points.count, limit) / 12))
    }
    let means = metrics.steps.compactMap { step in
      step.meanReward.map { (Double(step.step), $0) }
    }
    series.append(LineChart.Series(name: "mean", points: Self.means(of: means, limit: limit)))
    let values = series.flatMap { $0.points.map(\.y) }
    return LineChart(
      title: "Rewards over steps",
      summary: "What the policy took each domain to be worth, and the mean by effective share.",
      xTitle: "step", yTitle: "reward, in the policy's own unit",
      xScale: .fromZero(to: Double(record.stepCount), tickCount: tickCount),
      yScale: .linear(values, tickCount: 5), xText: ReportNumber.short,
      yText: ReportNumber.scientific, series: series)
  }
}
