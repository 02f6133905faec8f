/// Exponential averages by domain, each over the steps at which the domain had a value.
///
///     a_i ← β a_i + (1 − β) w_i x_i,   b_i ← β b_i + (1 − β) w_i,   average_i = a_i / b_i
///
/// - x_i: a step's value; w_i: how much it counts, 0 where there is none.
struct RunningAverage: Sendable, Equatable, Codable {
  /// a `[domain]`.
  private var sums: PackedArray<Double>
  /// b `[domain]`.
  private var weights: PackedArray<Double>

  init(domainCount: Int) {
    sums = PackedArray([Double](repeating: 0, count: domainCount))
    weights = sums
  }

  /// Takes in a value; a domain without one keeps its average.
  mutating func add(_ value: Double, weight: Double = 1, ofDomain domain: Int, decay: Double) {
    guard weight > 0 else { return }
    sums.values[domain] = decay * sums.values[domain] + (1 - decay) * weight * value
    weights.values[domain] = decay * weights.values[domain] + (1 - decay) * weight
  }

  /// The average; 0 for a domain that never had a value.
  subscript(domain: Int) -> Double {
    // A denormal weight has too few bits to divide by.
    weights.values[domain] > .leastNormalMagnitude
      ? sums.values[domain] / weights.values[domain] : 0
  }

  /// The sizes of all arrays.
  var arrayCounts: [Int] { [sums.values.count, weights.values.count] }

  var isFinite: Bool { sums.values.allSatisfy(\.isFinite) && weights.values.allSatisfy(\.isFinite) }
}
