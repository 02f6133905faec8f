/// A line chart as SVG, each series with a color, a dash, markers and its name beside its end.
struct LineChart {
  /// One line.
  struct Series {
    /// What stands beside its end; nil for none.
    var name: String?
    /// The points, from left to right.
    var points: [(x: Double, y: Double)]
    /// Which color, dash and marker; nil for the color of the text.
    var style: Int?
    /// Whether points are marked.
    var hasMarkers = false
    /// Every how many points one is marked, beginning with the last.
    var markerStride = 1
    /// Whether the line is dotted whatever its style says, and thin; its color is the style's.
    var isReference = false
  }

  /// What the chart shows, above it.
  var title: String
  /// What the chart says, for those who cannot see it.
  var summary: String
  var xTitle: String
  var yTitle: String
  var xScale: ChartScale
  var yScale: ChartScale
  var xText: (Double) -> String
  var yText: (Double) -> String
  var series: [Series]

  /// Returns the chart as an `svg` element.
  ///
  /// - Parameters:
  ///   - width: in pixels.
  ///   - height: in pixels; the chart is higher where the names of its lines need that.
  ///   - cssClass: a class of the element beside `chart`.
  ///   - style: rules for a picture that stands alone; nil within a page.
  /// - Returns: the markup.
  func svg(width: Double, height: Double, cssClass: String, style: String? = nil) -> String {
    let labels = LineLabels(of: series, room: height - Self.top - Self.bottom)
    let height = height + labels.growth
    let frame = Frame(
      left: valueWidth, top: Self.top, right: width - labelWidth(labels, width: width),
      bottom: height - Self.bottom)
    var parts = [
      """
      <svg class="chart \(cssClass)" xmlns="http://www.w3.org/2000/svg" \
      viewBox="0 0 \(ReportNumber.trimmed(width)) \(ReportNumber.trimmed(height))" role="img" \
      aria-label="\(Markup.escaped(title + ". " + summary))">
      """
    ]
    if let style {
      parts.append("<style>\(style)</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>")
    }
    parts.append("<text class=\"title\" x=\"8\" y=\"20\">\(Markup.escaped(title))</text>")
    parts.append("<text class=\"soft\" x=\"8\" y=\"40\">\(Markup.escaped(yTitle))</text>")
    parts += axes(frame, width: width)
    for line in series { parts.append(path(line, frame)) }
    parts += names(labels, frame, width: width)
    parts.append("</svg>")
    return parts.joined(separator: "\n")
  }

  /// The room above and below the lines.
  private static let (top, bottom) = (52.0, 46.0)

  private struct Frame {
    var left: Double
    var top: Double
    var right: Double
    var bottom: Double
  }

  /// How many letters of a name fit beside the lines.
  private func letterLimit(for width: Double) -> Int { width < 600 ? 11 : 18 }

  /// The room for the numbers of the y axis, and a blank.
  private var valueWidth: Double {
    let letters = yScale.ticks.map { yText($0).count }.max() ?? 0
    return max(52, 16 + 7.4 * Double(letters))
  }

  private func labelWidth(_ labels: LineLabels, width: Double) -> Double {
    let limit = letterLimit(for: width)
    let counts = labels.named.map { min($0.name.count, limit) }
    let most = (counts + [labels.othersText?.count ?? 0]).max() ?? 0
    return 25 + labels.leaderWidth + (labels.isSmall ? 6.4 : 7.4) * Double(most)
  }

  private func x(_ value: Double, _ frame: Frame) -> Double {
    frame.left + xScale.place(of: value) * (frame.right - frame.left)
  }

  private func y(_ value: Double, _ frame: Frame) -> Double {
    frame.bottom - min(1.02, max(-0.02, yScale.place(of: value))) * (frame.bottom - frame.top)
  }

  private func axes(_ frame: Frame, width: Double) -> [String] {
    var parts: [String] = []
    for tick in yScale.ticks {
      let place = Markup.number(y(tick, frame))
      parts.append(
        "<path class=\"grid\" d=\"M\(Markup.number(frame.left)) \(place)H\(Markup.number(frame.right))\"/>"
          + "<text class=\"soft\" x=\"\(Markup.number(frame.left - 8))\" y=\"\(place)\" dy=\"4\" "
          + "text-anchor=\"end\">\(yText(tick))</text>")
    }
    for tick in xScale.ticks {
      let place = Markup.number(x(tick, frame))
      parts.append(
        "<path class=\"grid\" d=\"M\(place) \(Markup.number(frame.bottom))v5\"/>"
          + "<text class=\"soft\" x=\"\(place)\" y=\"\(Markup.number(frame.bottom + 19))\" "
          + "text-anchor=\"middle\">\(xText(tick))</text>")
    }
    let middle = Markup.number((frame.left + frame.right) / 2)
    parts.append(
      "<text class=\"soft\" x=\"\(middle)\" y=\"\(Markup.number(frame.bottom + 37))\" "
        + "text-anchor=\"middle\">\(Markup.escaped(xTitle))</text>")
    return parts
  }

  private func path(_ line: Series, _ frame: Frame) -> String {
    guard !line.points.isEmpty else { return "" }
    let places = line.points.map { (x: x($0.x, frame), y: y($0.y, frame)) }
    let data = places.enumerated().map { index, place in
      "\(index == 0 ? "M" : "L")\(Markup.number(place.x)) \(Markup.number(place.y))"
    }.joined()
    let color = line.style.map { "s\($0 % ChartStyle.colorCount)" } ?? "ink"
    let dash = line.isReference ? "2 4" : Self.dash(line.style)
    let weight = line.isReference ? " thin faint" : line.style == nil ? " thin" : ""
    var text = "<path class=\"series \(color)\(weight)\""
    if !dash.isEmpty { text += " stroke-dasharray=\"\(dash)\"" }
    text += " d=\"\(data)\"/>"
    if line.hasMarkers, let style = line.style {
      for index in stride(from: places.count - 1, through: 0, by: -max(1, line.markerStride)) {
        text += Self.marker(style, x: places[index].x, y: places[index].y)
      }
    }
    return text
  }

  /// The names beside the lines' ends, moved apart where they would lie on each other.
  private func names(_ labels: LineLabels, _ frame: Frame, width: Double) -> [String] {
    let places = labels.places(of: { y($0, frame) }, from: frame.top - 4, to: frame.bottom + 4)
    let left = frame.right
    let cssClass = labels.isSmall ? " class=\"small\"" : ""
    func text(_ name: String, y: Double) -> String {
      "<text\(cssClass) x=\"\(Markup.number(left + labels.leaderWidth + 18))\" "
        + "y=\"\(Markup.number(y))\" dy=\"4\">\(Markup.escaped(name))</text>"
    }
    var parts = zip(labels.named, places).map { label, place in
      let beside = left + labels.leaderWidth
      return "<path class=\"leader\" d=\"M\(Markup.number(left + 2)) \(Markup.number(place.end))"
        + "L\(Markup.number(beside + 2)) \(Markup.number(place.y))\"/>"
        + (label.style.map { Self.marker($0, x: beside + 9, y: place.y) }
          ?? "<path class=\"series ink thin\" d=\"M\(Markup.number(beside + 4)) "
          + "\(Markup.number(place.y))h10\"/>")
        + text(Markup.shortened(label.name, to: letterLimit(for: width)), y: place.y)
    }
    if let others = labels.othersText {
      parts.append(text(others, y: (places.last?.y ?? frame.top) + labels.spacing))
    }
    return parts
  }

  /// The dash pattern of a style; the ink line is solid.
  static func dash(_ style: Int?) -> String {
    guard let style else { return "" }
    return ChartStyle.dashes[(style + style / ChartStyle.colorCount) % ChartStyle.dashes.count]
  }

  /// A small shape around a point; six shapes go with the six colors, and change places once all
  /// dashes are used.
  static func marker(_ style: Int, x: Double, y: Double) -> String {
    let lookCount = ChartStyle.colorCount * ChartStyle.dashes.count
    let shape =
      switch (style + style / lookCount) % 6 {
      case 0: "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z"
      case 1: "m-3.2 -3.2h6.4v6.4h-6.4z"
      case 2: "m0 -4.2l4 7h-8z"
      case 3: "m0 -4.5l4.2 4.5l-4.2 4.5l-4.2 -4.5z"
      case 4: "m0 4.2l4 -7h-8z"
      default: "m-4 -1.3h2.7v-2.7h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7z"
      }
    return "<path class=\"f\(style % ChartStyle.colorCount)\" "
      + "d=\"M\(Markup.number(x)) \(Markup.number(y))\(shape)\"/>"
  }
}

/// Text and numbers as markup wants them.
enum Markup {
  /// The text with the characters that mean something in HTML replaced.
  static func escaped(_ text: String) -> String {
    var result = ""
    // Scalar by scalar: with a combining mark behind it, a quote is another character.
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\u{0}"..<"\u{20}": result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A coordinate, to a tenth of a pixel.
  static func number(_ value: Double) -> String {
    let tenths = Int((max(-1e6, min(1e6, value.isFinite ? value : 0)) * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
  }

  /// The text, cut where it is too long.
  static func shortened(_ text: String, to limit: Int) -> String {
    text.count <= limit ? text : text.prefix(limit - 1) + "…"
  }
}
