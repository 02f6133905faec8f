#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A mixing law fitted to runs, with what the runs can and cannot say about it.
///
///     min over c, T of Σ_n h(c + exp(T · r_n) − L_n) + λ·‖T − mean T‖²
///
/// - h: the Huber loss with threshold δ, ``Settings/huberThreshold``, in nats per token.
/// - r_n, L_n: the mixture and the loss of run n.
/// - λ: ``Settings/penalty``, 0 unless few runs must be held together.
///
/// For a floor c the rest is linear: ln(L − c) = T · r. So the floor is scanned (40 gaps below the
/// least loss, evenly in their logarithm, and one just above 0); for each, T is the minimum-norm
/// least squares with weights L − c, which make errors of the logarithm into those of the loss. The
/// 4 best are started from with L-BFGS, and the best of these is brought to its last digits by
/// damped Newton steps.
///
/// The scan looks below the least loss; the descent may go above it, where the best floor of noisy
/// runs often is: on RegMix's 512 runs by 0.1 nats and more.
///
/// Of directions that no mixture points in, nothing can be known: T has no part there (it has the
/// least norm of all T with the same predictions), and ``isIdentified`` is false.
///
/// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952): the law and the Huber loss.
///
/// Departures from the source: the scan replaces thousands of random starts, and reaches objectives
/// as low or lower; c stays in [0, greatest loss] (for losses that are not positive, the lower end
/// is 32 spreads below the least); the last runs are not set aside to choose a start by.
public struct MixingLawFit: Sendable, Equatable {
  /// How a law is fitted.
  public struct Settings: Sendable, Codable, Equatable {
    /// δ > 0, the residual in nats per token from which on runs pull with constant force.
    public var huberThreshold = 0.02
    /// λ ≥ 0, on the summed loss: what holds T together where runs are few.
    public var penalty = 0.0

    /// Creates the defaults: δ = 0.02, no penalty.
    ///
    /// - Parameters:
    ///   - huberThreshold: δ.
    ///   - penalty: λ.
    public init(huberThreshold: Double = 0.02, penalty: Double = 0) {
      self.huberThreshold = huberThreshold
      self.penalty = penalty
    }
  }

  /// The law.
  public let law: MixingLaw
  /// What was minimized, at its least: the sum over the runs, not the mean.
  public let objective: Double
  /// How many independent directions the mixtures have, at most M.
  public let rank: Int
  /// Whether the runs determine c and every T.
  public let isIdentified: Bool
  /// In how many runs each domain has no share `[domain]`; the law is too low there.
  public let zeroShareCounts: [Int]
  private let design: [[Double]]

  /// Fits a law.
  ///
  /// - Parameters:
  ///   - runs: the mixtures and losses.
  ///   - settings: δ and λ.
  /// - Throws: ``FittingError/settingOutOfRange(setting:index:value:)`` for a δ or λ out of range.
  /// - Complexity: some hundred passes over runs × domains; 50 ms for 512 runs of 17 domains.
  public init(to runs: ObservedRuns, settings: Settings = Settings()) throws(FittingError) {
    guard settings.huberThreshold > 0, settings.huberThreshold.isFinite else {
      throw .settingOutOfRange(
        setting: "Huber threshold", index: 0, value: settings.huberThreshold)
    }
    guard settings.penalty >= 0, settings.penalty.isFinite else {
      throw .settingOutOfRange(setting: "penalty", index: 0, value: settings.penalty)
    }
    let design = LeastSquares(
      matrix: runs.shares, rowCount: runs.runCount, right: runs.losses, tolerance: 1e-9)
    let function = HuberMixingLoss(
      runs: runs, huber: HuberLoss(threshold: settings.huberThreshold), penalty: settings.penalty)
    let found = Self.minimum(function)
    let exponents =
      settings.penalty > 0 || design.rank == runs.domainCount
      ? Array(found.parameters.dropFirst())
      : design.projection(of: Array(found.parameters.dropFirst()))
    law = MixingLaw(floor: found.parameters[0], exponents: exponents)
    objective = found.value
    rank = design.rank
    isIdentified = Self.isIdentified(law, by: runs)
    zeroShareCounts = runs.zeroShareCounts
    self.design = (0..<design.rank).map { vector in
      Array(design.rowSpace[vector * runs.domainCount..<(vector + 1) * runs.domainCount])
    }
  }

  /// Returns how far a mixture lies from the flat that the runs' mixtures span.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: the Euclidean distance; 0, up to rounding, for every mixture if the design has full
  ///   rank. Beyond 1e-6 a prediction is a guess.
  public func distanceFromDesign(_ shares: [Double]) -> Double {
    var rest = shares
    for vector in design {
      let part = zip(vector, shares).reduce(0) { $0 + $1.0 * $1.1 }
      for domain in rest.indices { rest[domain] -= part * vector[domain] }
    }
    return rest.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  private static func minimum(_ function: HuberMixingLoss) -> Minimum {
    let losses = function.runs.losses
    let (least, greatest) = losses.reduce((losses[0], losses[0])) {
      (min($0.0, $1), max($0.1, $1))
    }
    let count = function.runs.domainCount
    guard greatest > least || function.penalty > 0 else {
      // All losses are the same: nothing is reducible.
      let exponents = [Double](repeating: -MixingLaw.exponentLimit, count: count)
      return Minimum(parameters: [least] + exponents, value: 0, steps: 0)
    }
    let span = max(greatest - least, 1e-6)
    let lowest = least > 0 ? 0 : least - 32 * span
    let box = ParameterBox(
      lower: [lowest] + [Double](repeating: -.infinity, count: count),
      upper: [greatest] + [Double](repeating: .infinity, count: count))
    var gradient = [Double](repeating: 0, count: count + 1)
    let starts = floors(least: least, span: span, lowest: lowest).map { floor in
      let parameters = [floor] + exponents(of: function.runs, above: floor)
      return Minimum(
        parameters: parameters, value: function.value(at: parameters, gradient: &gradient),
        steps: 0)
    }
    var solver = QuasiNewton()
    solver.stepLimit = 400
    let ends = starts.sorted { $0.value < $1.value }.prefix(4).map {
      let rough = solver.minimize(function, from: $0.parameters, in: box)
      return DampedNewton().minimize(function, from: rough.parameters, in: box)
    }
    return ends.min { $0.value < $1.value } ?? starts[0]
  }

  /// The floors that are scanned, always at least one: gaps from 0.001 to 31.6 spreads.
  private static func floors(least: Double, span: Double, lowest: Double) -> [Double] {
    let gaps = (0..<40).map { span * pow(10, -3 + 4.5 * Double($0) / 39) }
    let nearLowest = lowest + 1e-6 * (least - lowest)
    return gaps.map { least - $0 }.filter { $0 > nearLowest } + [nearLowest]
  }

  /// T of the weighted linear problem for a given floor.
  private static func exponents(of runs: ObservedRuns, above floor: Double) -> [Double] {
    var matrix = runs.shares
    var right = runs.losses
    for run in 0..<runs.runCount {
      let gap = runs.losses[run] - floor
      for place in run * runs.domainCount..<(run + 1) * runs.domainCount { matrix[place] *= gap }
      right[run] = gap * log(gap)
    }
    return LeastSquares(matrix: matrix, rowCount: runs.runCount, right: right).solution
  }

  /// Whether the predictions depend on all of c and T in independent ways.
  private static func isIdentified(_ law: MixingLaw, by runs: ObservedRuns) -> Bool {
    let count = runs.domainCount + 1
    guard runs.runCount >= count else { return false }
    var derivatives: [Double] = []
    for run in 0..<runs.runCount {
      let mixture = runs.mixture(ofRun: run)
      let reducible = law.reducibleLoss(of: mixture)
      derivatives += [1] + mixture.map { reducible * $0 }
    }
    // Columns of one size, so that the tolerance means the same for each.
    for column in 0..<count {
      let places = stride(from: column, to: derivatives.count, by: count)
      let norm = places.reduce(0) { $0 + derivatives[$1] * derivatives[$1] }.squareRoot()
      guard norm > 1e-12 else { return false }
      for place in places { derivatives[place] /= norm }
    }
    let fit = LeastSquares(
      matrix: derivatives, rowCount: runs.runCount, right: runs.losses, tolerance: 1e-9)
    return fit.rank == count
  }
}
