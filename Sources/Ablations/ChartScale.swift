#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How values become places on an axis, and where its ticks stand.
struct ChartScale: Equatable {
  /// The values at the two ends of the axis.
  var range: ClosedRange<Double>
  /// Whether equal distances are equal ratios.
  var isLogarithmic = false
  /// The values that are marked.
  var ticks: [Double] = []

  /// A linear axis from 0, whose end is the largest value.
  static func fromZero(to maximum: Double, tickCount: Int) -> ChartScale {
    let end = maximum > 0 && maximum.isFinite ? maximum : 1
    return ChartScale(range: 0...end, ticks: roundTicks(in: 0...end, count: tickCount))
  }

  /// A linear axis for values of either sign.
  static func linear(_ values: [Double], tickCount: Int) -> ChartScale {
    let finite = values.filter(\.isFinite)
    guard let least = finite.min(), let most = finite.max() else {
      return fromZero(to: 1, tickCount: tickCount)
    }
    // A little room on both sides; a flat line still gets an axis.
    let span = most - least
    let room = span > 0 && span.isFinite ? span * 0.05 : max(abs(most) * 0.1, 1e-300)
    let range = (least - room)...(most + room)
    guard range.lowerBound.isFinite, range.upperBound.isFinite else {
      return fromZero(to: 1, tickCount: tickCount)
    }
    return ChartScale(range: range, ticks: roundTicks(in: range, count: tickCount))
  }

  /// An axis for positive values that span less or more than a decade, such as losses.
  static func logarithmic(_ values: [Double], tickCount: Int) -> ChartScale {
    let positive = values.filter { $0 > 0 && $0.isFinite }
    guard let least = positive.min(), let most = positive.max() else {
      return fromZero(to: 1, tickCount: tickCount)
    }
    // A little room on both sides; a flat line still gets an axis.
    let range = least / 1.04...max(most * 1.04, least * 1.1)
    let candidates: [[Double]] = [
      [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 7],
      [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9],
    ]
    var best: [Double] = []
    for steps in candidates {
      let ticks = decades(of: range).flatMap { decade in steps.map { $0 * decade } }
        .filter { range.contains($0) }
      if ticks.count <= tickCount + 2 { best = ticks }
    }
    if best.count < 3 { best = roundTicks(in: range, count: tickCount) }
    return ChartScale(range: range, isLogarithmic: true, ticks: best)
  }

  /// The place of a value, from 0 at the lower end to 1 at the upper.
  func place(of value: Double) -> Double {
    let (lower, upper) = (range.lowerBound, range.upperBound)
    guard isLogarithmic else { return (value - lower) / (upper - lower) }
    return log(max(value, lower / 10) / lower) / log(upper / lower)
  }

  private static func decades(of range: ClosedRange<Double>) -> [Double] {
    // A range that ends at infinity, as a damaged record can make it, has no decades.
    let first = Int(exactly: log10(range.lowerBound).rounded(.down)) ?? 0
    let last = Int(exactly: log10(range.upperBound).rounded(.up)) ?? first
    return (first...max(first, min(last, first + 40))).map { pow(10, Double($0)) }
  }

  /// Round numbers in a range, about `count` of them.
  static func roundTicks(in range: ClosedRange<Double>, count: Int) -> [Double] {
    let span = range.upperBound - range.lowerBound
    guard span > 0, span.isFinite else { return [range.lowerBound] }
    let rough = span / Double(max(1, count))
    let decade = pow(10, log10(rough).rounded(.down))
    let step = [1.0, 2, 2.5, 5, 10].map { $0 * decade }.first { $0 >= rough } ?? rough
    let first = (range.lowerBound / step).rounded(.up)
    return (0...(2 * count + 2)).map { (first + Double($0)) * step }
      .filter { range.contains($0) }
  }
}
