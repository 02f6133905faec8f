package import Kernels
internal import Mixing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Samples the mixtures of proxy runs around the domains' token shares.
///
/// For each of at most `oversampling · n` draws:
///
/// 1. w is drawn from Dirichlet(s·q), with q_i ∝ p_i^T and s one of `strengthCount` values in equal
///    ratios from the least to the largest strength, all equally likely.
/// 2. It is rejected if a w_i is above its cap u_i.
/// 3. Shares below m become 0, the rest is divided by its sum and rounded to multiples of m.
///
/// Of what is left, mixtures that are nearly equal (ℓ1 distance ≤ 1e-5) count once, and n of the
/// rest are chosen evenly. Each is divided by its sum.
///
/// - p: the prior, token shares `[domain]`, > 0.
/// - T: the temperature, in (0, 1]; 1 keeps the prior, smaller is flatter.
/// - s: the strength, > 0; larger stays nearer to the base mixture q.
/// - u: caps `[domain]`, by default min(1, U·p_i), so that a run of D tokens over a corpus of N
///   reads no domain more than U·D/N times; or by available tokens.
/// - m: the least share that is not 0.
///
/// Source: Liu et al. 2024, *RegMix* (arXiv:2407.01492), section 3 and its published sampler.
///
/// Departures from the source: randomness is one seeded generator; a strength is chosen before its
/// draw and not after one draw of each (the same distribution); shares are divided by their sum
/// after rounding, since a run needs shares that sum to 1; near-equal mixtures are found among all
/// and not among neighbors after sorting; a domain may have a floor, then draws lie in what is left
/// above the floors; a draw without any share of at least m is rejected; too few mixtures are an
/// error that names the acceptance rate.
package struct MixtureSampler: Sendable, Equatable, Codable {
  /// T, in (0, 1].
  package var temperature = 0.5
  /// The least s, > 0.
  package var strengthMinimum = 0.1
  /// The largest s, at least the least.
  package var strengthMaximum = 5.0
  /// How many strengths there are, at least 1.
  package var strengthCount = 15
  /// U: how many times its prior share a domain may have, where ``caps`` are not given.
  package var usageLimit = 15.0
  /// u `[domain]`, the largest shares; nil for min(1, U·p_i).
  package var caps: [Double]?
  /// The least shares `[domain]`; nil for 0.
  package var floors: [Double]?
  /// m, in [0, 0.5]; 0 for no rounding.
  package var shareMinimum = 2e-4
  /// How many draws there may be for each mixture that is wanted, in 1...1,000,000.
  package var oversampling = 100
  /// Whether near-equal mixtures count once.
  package var dropsDuplicates = true

  /// The ℓ1 distance up to which mixtures count as equal.
  package static let duplicateDistance = 1e-5

  /// Creates the paper's settings.
  package init() {}

  /// What came out.
  package struct Outcome: Sendable, Equatable {
    /// The mixtures `[n][domain]`, each summing to 1 up to rounding.
    package let mixtures: [[Double]]
    /// How many were drawn.
    package let drawnCount: Int
    /// How many of those were under the caps.
    package let acceptedCount: Int
    /// How many of those were different.
    package let distinctCount: Int

    /// The part of the draws that was under the caps.
    package var acceptanceRate: Double { Double(acceptedCount) / Double(max(1, drawnCount)) }
  }

  /// Samples mixtures.
  ///
  /// - Parameters:
  ///   - count: n, at least 1.
  ///   - prior: p `[domain]`, > 0, in proportion.
  ///   - domainNames: the names `[domain]`, for errors.
  ///   - generator: where randomness comes from.
  /// - Returns: the mixtures, and how many draws they took.
  /// - Throws: ``FittingError/sampling(_:)``.
  package func sample(
    _ count: Int, prior: [Double], domainNames: [String], using generator: inout SeededGenerator
  ) throws(FittingError) -> Outcome {
    try validate(count: count, prior: prior, domainNames: domainNames)
    let sum = prior.reduce(0, +)
    let prior = prior.map { $0 / sum }
    let box = ShareBox(
      floors: floors ?? prior.map { _ in 0 }, caps: caps ?? prior.map { min(1, usageLimit * $0) })
    do throws(SamplingFault) {
      try box.validate(domainNames: domainNames)
    } catch {
      throw .sampling(error)
    }
    let samplers = self.samplers(prior: prior)
    var pool = MixturePool(distance: dropsDuplicates ? Self.duplicateDistance : nil)
    var refusals = [Int](repeating: 0, count: prior.count)
    var acceptedCount = 0
    let drawnCount = count * oversampling
    for _ in 0..<drawnCount {
      let sampler = samplers[Int.random(in: 0..<samplers.count, using: &generator)]
      let drawn = box.liftedOverFloors(sampler.draw(using: &generator))
      let refusing = drawn.indices.filter { drawn[$0] > box.caps[$0] }
      for domain in refusing { refusals[domain] += 1 }
      guard refusing.isEmpty, let rounded = rounded(drawn, floors: box.floors) else { continue }
      acceptedCount += 1
      pool.insert(rounded)
    }
    guard pool.mixtures.count >= count else {
      let worst = refusals.indices.max { refusals[$0] < refusals[$1] } ?? 0
      throw .sampling(
        .tooFewAccepted(
          wanted: count, found: pool.mixtures.count, drawn: drawnCount, accepted: acceptedCount,
          worstDomain: domainNames[worst]))
    }
    return Outcome(
      mixtures: Array(pool.mixtures.shuffled(using: &generator).prefix(count)),
      drawnCount: drawnCount, acceptedCount: acceptedCount, distinctCount: pool.mixtures.count)
  }

  private func samplers(prior: [Double]) -> [DirichletSampler] {
    let tempered = prior.map { pow($0, temperature) }
    let sum = tempered.reduce(0, +)
    return (0..<strengthCount).map { index in
      let part = strengthCount == 1 ? 0 : Double(index) / Double(strengthCount - 1)
      let strength = strengthMinimum * pow(strengthMaximum / strengthMinimum, part)
      return DirichletSampler(concentrations: tempered.map { strength * $0 / sum })
    }
  }

  /// Step 3; nil if nothing is left.
  func rounded(_ shares: [Double], floors: [Double]) -> [Double]? {
    guard shareMinimum > 0 else { return shares }
    // A floor below m is kept: it was asked for by name.
    let kept = zip(shares, floors).map { $0 < shareMinimum && $1 == 0 ? 0 : $0 }
    let sum = kept.reduce(0, +)
    guard sum > 0 else { return nil }
    let grid = zip(kept, floors).map { share, floor in
      max(floor, (share / sum / shareMinimum).rounded() * shareMinimum)
    }
    let gridSum = grid.reduce(0, +)
    return gridSum > 0 ? grid.map { $0 / gridSum } : nil
  }

  private func validate(
    count: Int, prior: [Double], domainNames: [String]
  ) throws(FittingError) {
    precondition(prior.count == domainNames.count, "one name for each domain")
    precondition(floors.map { $0.count == prior.count } ?? true, "one floor for each domain")
    precondition(caps.map { $0.count == prior.count } ?? true, "one cap for each domain")
    func require(
      _ isMet: Bool, _ name: String, _ value: Double, _ expected: String
    ) throws(FittingError) {
      guard isMet else {
        throw .sampling(.settingOutOfRange(name: name, value: value, expected: expected))
      }
    }
    for (share, name) in zip(prior, domainNames) {
      try require(
        share > 0 && share.isFinite, "the prior share of '\(name)'", share, "above 0 and finite")
    }
    try require(count >= 1 && count <= 1 << 20, "the number of mixtures", Double(count), "1…2^20")
    try require(
      temperature > 0 && temperature <= 1, "the temperature", temperature, "above 0, at most 1")
    try require(
      strengthMinimum > 0 && strengthMinimum.isFinite, "the least strength", strengthMinimum,
      "above 0")
    try require(
      strengthMaximum >= strengthMinimum && strengthMaximum.isFinite, "the largest strength",
      strengthMaximum, "at least the least one, \(strengthMinimum)")
    try require(
      (1...1000).contains(strengthCount), "the number of strengths", Double(strengthCount), "1…1000"
    )
    try require(usageLimit > 0, "the usage limit", usageLimit, "above 0")
    try require(
      (0...0.5).contains(shareMinimum), "the least share", shareMinimum, "in [0, 0.5]")
    try require(
      (1...1_000_000).contains(oversampling), "the draws for each mixture", Double(oversampling),
      "1…1,000,000")
  }
}

/// Mixtures of which near-equal ones are kept once.
private struct MixturePool {
  private(set) var mixtures: [[Double]] = []
  private let distance: Double?
  /// Kept mixtures by their cell in a grid of the largest share, in which near ones are neighbors.
  private var cells: [Int: [Int]] = [:]

  private static let cellCount = 1e5

  init(distance: Double?) { self.distance = distance }

  mutating func insert(_ mixture: [Double]) {
    if let distance {
      // Near mixtures have near norms, so that they lie in the same cell or in the next.
      let cell = Int((mixture.reduce(0) { $0 + $1 * $1 } * Self.cellCount).rounded(.down))
      let isNear = (cell - 2...cell + 2).contains { neighbor in
        (cells[neighbor] ?? []).contains { index in
          zip(mixtures[index], mixture).reduce(0) { $0 + abs($1.0 - $1.1) } <= distance
        }
      }
      guard !isNear else { return }
      cells[cell, default: []].append(mixtures.count)
    }
    mixtures.append(mixture)
  }
}
