/// Exponential averages of several numbers, each over the steps at which it had a value.
///
///     a_i ← β a_i + (1 − β) w_i x_i,   b_i ← β b_i + (1 − β) w_i,   average_i = a_i / b_i
///
/// - i: a place: a domain, or an entry of a matrix.
/// - x_i: a step's value; w_i: how much it counts, 0 where there is none.
/// - β: the decay.
struct RunningAverage: Sendable, Equatable, Codable {
  /// a `[place]`.
  private var storedSums: PackedArray<Double>
  /// b `[place]`.
  private var storedWeights: PackedArray<Double>

  private enum CodingKeys: String, CodingKey {
    case storedSums = "sums"
    case storedWeights = "weights"
  }

  /// Creates averages of no values yet.
  init(placeCount: Int) {
    storedSums = PackedArray([Double](repeating: 0, count: placeCount))
    storedWeights = storedSums
  }

  /// a `[place]`.
  var sums: [Double] { storedSums.values }
  /// b `[place]`, in [0, 1] for weights up to 1.
  var weights: [Double] { storedWeights.values }

  /// Goes on from stored sums and weights.
  ///
  /// - Returns: false if they are of another number of places, and nothing changes.
  mutating func restore(sums: [Double], weights: [Double]) -> Bool {
    let count = storedSums.values.count
    guard sums.count == count, weights.count == count else { return false }
    storedSums = PackedArray(sums)
    storedWeights = PackedArray(weights)
    return true
  }

  /// Takes in a value; a place without one keeps its average.
  mutating func add(_ value: Double, weight: Double = 1, at place: Int, decay: Double) {
    guard weight > 0 else { return }
    storedSums.values[place] = decay * storedSums.values[place] + (1 - decay) * weight * value
    storedWeights.values[place] = decay * storedWeights.values[place] + (1 - decay) * weight
  }

  /// The average; 0 for a place that never had a value.
  subscript(place: Int) -> Double {
    // A denormal weight has too few bits to divide by.
    storedWeights.values[place] > .leastNormalMagnitude
      ? storedSums.values[place] / storedWeights.values[place] : 0
  }

  /// The sizes of all arrays.
  var arrayCounts: [Int] { [storedSums.values.count, storedWeights.values.count] }

  var isFinite: Bool { sums.allSatisfy(\.isFinite) && weights.allSatisfy(\.isFinite) }
}
