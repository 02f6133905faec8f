/// Which lines of a chart are named beside their ends, and where the names stand.
///
/// 1. Few names stand 16 pixels apart.
/// 2. Where that is too much for the chart's height they are smaller, 13 pixels apart.
/// 3. Where that is too much, too, the chart becomes half as high again at most.
/// 4. Where even that is too little, the lines that end highest are named, and the number of the
///    others is said.
struct LineLabels {
  /// A line that is named.
  struct Label: Equatable {
    var name: String
    /// Which color and marker; nil for the color of the text.
    var style: Int?
    /// The value at the line's end.
    var end: Double
  }

  /// The lines that are named, the highest end first.
  let named: [Label]
  /// How many more have a name.
  let otherCount: Int
  /// The distance of two names, in pixels.
  let spacing: Double
  /// How much higher the chart has to be, in pixels.
  let growth: Double

  private static let spacings = (usual: 16.0, small: 13.0)
  private static let growthLimit = 0.5

  /// Whether names are smaller than the chart's other text.
  var isSmall: Bool { spacing < Self.spacings.usual }
  /// The width of the lines that lead from an end to a name: steep ones lie on each other.
  var leaderWidth: Double { isSmall ? 26 : 9 }
  /// What is said of the lines without a name; nil if there are none.
  var othersText: String? { otherCount > 0 ? "and \(otherCount) others" : nil }

  /// Chooses the names.
  ///
  /// - Parameters:
  ///   - series: the lines; those without a name or a point have no label.
  ///   - room: the height of the chart between its axes, in pixels.
  init(of series: [LineChart.Series], room: Double) {
    let all = series.compactMap { line in
      line.name.flatMap { name in
        line.points.last.map { Label(name: name, style: line.style, end: $0.y) }
      }
    }
    // A name may stand half above the highest value, and half below the lowest.
    let room = max(0, room) + 8
    func height(_ count: Int, _ spacing: Double) -> Double { Double(max(0, count - 1)) * spacing }
    let (usual, small) = Self.spacings
    spacing = height(all.count, usual) <= room ? usual : small
    let most = room * (1 + Self.growthLimit)
    let limit = Int(most / small) + 1
    // What has no color, such as the mean, is named first; the rest by height.
    let kept =
      height(all.count, spacing) <= most
      ? all
      : Array(
        (all.filter { $0.style == nil } + all.filter { $0.style != nil }.sorted { $0.end > $1.end })
          .prefix(limit - 1))
    named = kept.sorted { $0.end > $1.end }
    otherCount = all.count - kept.count
    let lineCount = kept.count + (otherCount > 0 ? 1 : 0)
    growth = max(0, height(lineCount, spacing) - room)
  }

  /// Moves the names apart.
  ///
  /// - Parameters:
  ///   - place: where a value lies, in pixels from above.
  ///   - top: where the first name may stand.
  ///   - bottom: where the last one may stand.
  /// - Returns: for each named line the place of its end and that of its name, from above.
  func places(
    of place: (Double) -> Double, from top: Double, to bottom: Double
  ) -> [(end: Double, y: Double)] {
    var places = named.map { (end: place($0.end), y: place($0.end)) }
    var least = top
    for index in places.indices {
      places[index].y = max(places[index].y, least)
      least = places[index].y + spacing
    }
    var most = bottom - (otherCount > 0 ? spacing : 0)
    for index in places.indices.reversed() {
      places[index].y = min(places[index].y, most)
      most = places[index].y - spacing
    }
    return places
  }
}
