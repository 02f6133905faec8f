internal import Training

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

extension RunReport {
  /// e to the power of a loss.
  static func perplexity(ofLoss loss: Double) -> Double { exp(loss) }

  /// The report as one HTML page that needs nothing from elsewhere.
  public var page: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(Markup.escaped(heading))</title>
    <style>
    \(ChartStyle.chartRules)
    \(ChartStyle.pageRules)
    </style>
    </head>
    <body>
    <h1>\(Markup.escaped(heading))</h1>
    <p class="soft">\(Markup.escaped(subheading))</p>
    <p class="lead">\(Markup.escaped(lead))</p>
    \(figure(lossChart(tickCount: 8), lossChart(tickCount: 4), height: 430))
    <h2>After the last step</h2>
    <div class="scroll">
    \(finalTable)
    </div>
    <p class="soft">Losses are in nats per token on held-out text, lower is better; \
    perplexity is e to their power. Held-out text is the same in every evaluation and every run \
    over this corpus.</p>
    \(mixtureFigures)
    \(figure(shareChart(tickCount: 8), shareChart(tickCount: 4), height: 330))
    <h2>Configuration</h2>
    <dl>
    \(factList)
    </dl>
    </body>
    </html>

    """
  }

  private var heading: String { "Training on \(record.corpus)" }

  private var subheading: String {
    "\(policyText) · seed \(record.configuration.seed) · "
      + "\(ReportNumber.grouped(record.parameterCount)) parameters"
  }

  /// The result in a sentence.
  private var lead: String {
    let work =
      "\(ReportNumber.grouped(record.stepCount)) steps, \(ReportNumber.grouped(record.tokenTotal)) "
      + "tokens, \(ReportNumber.duration(record.timeInSeconds))"
    guard let mean = record.finalEvaluation?.unweightedMean else {
      return "\(work). No domain has held-out text."
    }
    let measured = record.finalEvaluation?.losses.compactMap { $0 }.count ?? 0
    return "After \(work), the held-out loss is \(ReportNumber.fixed(mean, digits: 3)) nats per "
      + "token, averaged over \(measured) domains "
      + "(perplexity \(ReportNumber.fixed(Self.perplexity(ofLoss: mean), digits: 2)))."
  }

  /// What an online policy did and what it learned from; nothing for a mixture that never changes.
  private var mixtureFigures: String {
    var figures: [String] = []
    if mixtureChanges {
      figures.append(figure(mixtureChart(tickCount: 8), mixtureChart(tickCount: 4), height: 380))
    }
    if let wide = rewardChart(tickCount: 8), let narrow = rewardChart(tickCount: 4) {
      figures.append(figure(wide, narrow, height: 330))
    }
    return figures.joined(separator: "\n")
  }

  private func figure(_ wide: LineChart, _ narrow: LineChart, height: Double) -> String {
    "<figure>\n\(wide.svg(width: 900, height: height, cssClass: "wide"))\n"
      + "\(narrow.svg(width: 400, height: height * 0.85, cssClass: "narrow"))\n</figure>"
  }

  private var finalTable: String {
    let head = columns.map { "<th>\($0)</th>" }.joined()
    let rows = cells.enumerated().map { index, cells in
      "<tr><td>\(key(index))\(Markup.escaped(cells[0]))</td>"
        + cells.dropFirst().map { "<td>\($0)</td>" }.joined() + "</tr>"
    }
    let mean = "<tr class=\"mean\">" + meanCells.map { "<td>\($0)</td>" }.joined() + "</tr>"
    return "<table>\n<tr>\(head)</tr>\n\(rows.joined(separator: "\n"))\n\(mean)\n</table>"
  }

  /// A piece of the domain's line, with its marker.
  private func key(_ index: Int) -> String {
    let dash = LineChart.dash(index)
    return "<svg class=\"chart key\" viewBox=\"0 0 26 12\" aria-hidden=\"true\">"
      + "<path class=\"series s\(index % ChartStyle.colorCount)\""
      + (dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"") + " d=\"M0 6h26\"/>"
      + LineChart.marker(index, x: 13, y: 6) + "</svg>"
  }
}
