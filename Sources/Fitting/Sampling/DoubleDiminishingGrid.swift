package import Kernels

/// The candidate mixtures of the mixing laws' proxy runs: dense where shares are small.
///
/// Every domain's largest share is halved again and again:
///
///     v_j = {c_j, c_j/2, c_j/4, …, ≥ δ} ∪ {0},    c_j = ⌊min(1, A_j/D) / δ⌋ δ
///
/// The first K − 1 domains take all combinations of these values; the last one takes what is left,
/// if that is at least 0 and at most its own cap, min(1, A_K/D).
///
/// - A_j: the tokens that domain j has; D: those of the run, so that A_j/D is the cap of one epoch.
/// - δ: the grid's step, 1/16 in the paper.
///
/// Because losses are exponential in the shares, differences matter most at small ones. Mixtures
/// that hold a zero outnumber the others, so that the two kinds are sampled apart.
///
/// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952), Algorithm 2.
///
/// Departures from the source: the paper leaves open whether the last domain's share has to be one
/// of the values; here it has not, as in the mixture that it recommends. The enumeration has a
/// limit, beyond which it is refused.
package struct DoubleDiminishingGrid: Sendable, Equatable {
  /// δ, in (0, 1].
  package let step: Double
  /// The caps `[domain]` before rounding, in [0, 1].
  package let caps: [Double]

  /// The most mixtures that are enumerated.
  package static let mixtureLimit = 1 << 20

  /// Creates the grid.
  ///
  /// - Parameters:
  ///   - caps: min(1, A_j/D) `[domain]`.
  ///   - step: δ.
  /// - Precondition: there is a domain, caps are in [0, 1] and the step in (0, 1].
  package init(caps: [Double], step: Double = 1.0 / 16) {
    precondition(!caps.isEmpty && caps.allSatisfy { (0...1).contains($0) }, "caps are in [0, 1]")
    precondition(step > 0 && step <= 1, "a step of \(step) is not in (0, 1]")
    self.caps = caps
    self.step = step
  }

  /// Returns the values that a domain takes, largest first, 0 last.
  ///
  /// - Parameter domainIndex: which domain.
  /// - Returns: the shares.
  package func values(ofDomain domainIndex: Int) -> [Double] {
    // A cap that is a multiple of the step must not lose one to rounding.
    let largest = (caps[domainIndex] / step + 1e-9).rounded(.down) * step
    var values: [Double] = []
    var value = largest
    while value >= step - 1e-12 {
      values.append(value)
      value /= 2
    }
    return values + [0]
  }

  /// Enumerates the mixtures.
  ///
  /// - Returns: the mixtures `[mixture][domain]`, the first domain's largest share first.
  /// - Throws: ``FittingError/sampling(_:)`` if there are more than ``mixtureLimit``.
  package func mixtures() throws(FittingError) -> [[Double]] {
    let values = caps.indices.dropLast().map { self.values(ofDomain: $0) }
    // Not rounded down: the last domain takes what is left, not one of its values.
    let lastCap = caps[caps.count - 1]
    var found: [[Double]] = []
    // The most that the domains from here on can take, the last one among them.
    var reach = [lastCap]
    for domain in values.reversed() { reach.append((reach.last ?? 0) + domain[0]) }
    var partial: [(shares: [Double], left: Double)] = [([], 1)]
    for (index, domain) in values.enumerated() {
      let most = reach[values.count - index - 1]
      var next: [(shares: [Double], left: Double)] = []
      for prefix in partial {
        for value in domain where value <= prefix.left + 1e-9 {
          let left = max(0, prefix.left - value)
          guard left <= most + 1e-9 else { continue }
          next.append((prefix.shares + [value], left))
          guard next.count <= Self.mixtureLimit else {
            throw .sampling(.gridTooLarge(limit: Self.mixtureLimit))
          }
        }
      }
      partial = next
    }
    for prefix in partial where prefix.left <= lastCap + 1e-9 {
      found.append(prefix.shares + [prefix.left])
    }
    return found
  }

  /// Chooses mixtures without and with zeros, evenly within each kind.
  ///
  /// - Parameters:
  ///   - positiveCount: how many without a zero share.
  ///   - zeroCount: how many with one.
  ///   - generator: where randomness comes from.
  /// - Returns: those without, then those with.
  /// - Throws: ``FittingError/sampling(_:)`` if the grid has fewer, or is too large.
  package func sample(
    positiveCount: Int, zeroCount: Int, using generator: inout SeededGenerator
  ) throws(FittingError) -> [[Double]] {
    let all = try mixtures()
    let positive = all.filter { !$0.contains(0) }
    let zero = all.filter { $0.contains(0) }
    guard positive.count >= positiveCount else {
      throw .sampling(
        .gridTooSmall(wanted: positiveCount, found: positive.count, holdsZero: false))
    }
    guard zero.count >= zeroCount else {
      throw .sampling(.gridTooSmall(wanted: zeroCount, found: zero.count, holdsZero: true))
    }
    return Array(positive.shuffled(using: &generator).prefix(positiveCount))
      + zero.shuffled(using: &generator).prefix(zeroCount)
  }
}
