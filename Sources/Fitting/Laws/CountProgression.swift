/// Optimal token counts at two budgets, from which those of others follow.
///
///     N3_j = N2_j² / N1_j,    between: N_j = sqrt(N1_j · N2_j)
///
/// - N1, N2: ``first``, ``second``, the optimal counts `[domain]` at two budgets.
/// - N3: the counts one step further on; its budget is their sum.
///
/// Each domain's optimal count grows by the same factor from step to step, a factor of its own.
///
/// Source: Kang et al. 2024, *AutoScale* (arXiv:2407.20177), Algorithm 2.
///
/// Departures from the source: none.
public struct CountProgression: Sendable, Codable, Equatable {
  /// N1 `[domain]`, > 0.
  public let first: [Double]
  /// N2 `[domain]`, > 0.
  public let second: [Double]

  /// Creates a progression.
  ///
  /// - Parameters:
  ///   - first: N1.
  ///   - second: N2.
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)`` or
  ///   ``FittingError/settingOutOfRange(setting:index:value:)``.
  public init(first: [Double], second: [Double]) throws(FittingError) {
    guard first.count == second.count else {
      throw .settingCount(setting: "counts", expected: first.count, found: second.count)
    }
    for counts in [first, second] {
      for (index, count) in counts.enumerated() where !(count > 0 && count.isFinite) {
        throw .settingOutOfRange(setting: "counts", index: index, value: count)
      }
    }
    self.first = first
    self.second = second
  }

  /// N3 `[domain]`.
  public var next: [Double] { zip(first, second).map { $1 * $1 / $0 } }

  /// The counts half-way between, in their logarithm `[domain]`.
  public var between: [Double] { zip(first, second).map { ($0 * $1).squareRoot() } }

  /// Returns counts as shares.
  ///
  /// - Parameter counts: `[domain]`.
  /// - Returns: each by their sum.
  public static func shares(of counts: [Double]) -> [Double] {
    let sum = counts.reduce(0, +)
    return counts.map { $0 / sum }
  }
}
