import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// An implicit law fitted to runs: the floor, the hidden parts' shares, and their exponents.
///
///     min over c, a, T of Σ_n h(c + Σ_k s_k·exp(T_k · r_n) − L_n) + λ·Σ_k ‖T_k − mean T_k‖²
///
/// - s: the softmax of a.
/// - h: the Huber loss with threshold δ, ``Settings/huberThreshold``.
/// - λ: ``Settings/penalty``, small: it keeps the exponents of parts that count little from running
///   away.
///
/// The problem has many minima; the best of ``Settings/startCount`` seeded starts is taken. Where
/// the evaluation text's parts are known, a ``MixingLawFit`` of each predicts unseen mixtures
/// better.
///
/// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952), section on implicit domains.
///
/// Departures from the source: L-BFGS from several starts in place of AdamW within AdaBoost.
public struct ImplicitLawFit: Sendable, Equatable {
  /// How a law is fitted.
  public struct Settings: Sendable, Codable, Equatable {
    /// δ > 0, in nats per token.
    public var huberThreshold = 0.03
    /// λ ≥ 0, on the summed loss.
    public var penalty = 1e-5
    /// How many starts are tried, ≥ 1.
    public var startCount = 8
    /// What the starts are drawn with.
    public var seed: UInt64 = 0

    /// Creates the defaults: δ = 0.03, λ = 1e-5, 8 starts of seed 0.
    public init() {}
  }

  /// The law.
  public let law: ImplicitLaw
  /// What was minimized, at the least that was found.
  public let objective: Double
  /// How many coefficients the law has beyond what shows: 1 + (parts − 1) + parts · domains.
  public let coefficientCount: Int

  /// Fits a law.
  ///
  /// - Parameters:
  ///   - runs: the mixtures and losses.
  ///   - partCount: how many hidden parts there are, ≥ 1.
  ///   - settings: δ, λ and the starts.
  /// - Throws: ``FittingError/settingOutOfRange(setting:index:value:)``.
  public init(
    to runs: ObservedRuns, partCount: Int, settings: Settings = Settings()
  ) throws(FittingError) {
    for (setting, value, isGood) in [
      ("Huber threshold", settings.huberThreshold, settings.huberThreshold > 0),
      ("penalty", settings.penalty, settings.penalty >= 0),
      ("number of starts", Double(settings.startCount), settings.startCount >= 1),
      ("number of parts", Double(partCount), (1...1000).contains(partCount)),
    ] where !isGood || !value.isFinite {
      throw .settingOutOfRange(setting: setting, index: 0, value: value)
    }
    let function = ImplicitLoss(
      runs: runs, partCount: partCount, huber: HuberLoss(threshold: settings.huberThreshold),
      penalty: settings.penalty)
    let least = runs.losses.reduce(runs.losses[0], min)
    var generator = SeededGenerator(seed: settings.seed, stream: "implicit law")
    var solver = QuasiNewton()
    solver.stepLimit = 1500
    solver.gradientTolerance = 1e-9
    solver.reductionTolerance = 1e-13
    var best: Minimum?
    for _ in 0..<settings.startCount {
      let start =
        [least * (0.6 + 0.38 * generator.nextUniform())]
        + (0..<partCount).map { _ in 0.1 * generator.nextNormal() }
        + (0..<partCount * runs.domainCount).map { _ in 1.5 * generator.nextNormal() - 1 }
      let end = solver.minimize(
        function, from: start, in: .unbounded(count: start.count))
      if end.value < best?.value ?? .infinity { best = end }
    }
    let found = best?.parameters ?? [least] + [Double](repeating: 0, count: function.widthBeyond)
    law = ImplicitLaw(
      floor: found[0], logits: Array(found[1...partCount]),
      exponents: (0..<partCount).map { part in
        let begin = 1 + partCount + part * runs.domainCount
        return Array(found[begin..<begin + runs.domainCount])
      })
    objective = best?.value ?? .infinity
    coefficientCount = partCount * (runs.domainCount + 1)
  }
}

/// The sum that is minimized, as a function of (c, a, T).
private struct ImplicitLoss: SmoothFunction {
  let runs: ObservedRuns
  let partCount: Int
  let huber: HuberLoss
  let penalty: Double

  /// How many parameters there are besides c.
  var widthBeyond: Int { partCount * (runs.domainCount + 1) }

  func value(at p: [Double], gradient: inout [Double]) -> Double {
    let count = runs.domainCount
    for index in gradient.indices { gradient[index] = 0 }
    let law = ImplicitLaw(
      floor: 0, logits: Array(p[1...partCount]),
      exponents: [[Double]](
        repeating: [0], count: partCount))
    let shares = law.partShares
    /// Σ over runs of h′ times each part's power, and their mean under s.
    var slopes = [Double](repeating: 0, count: partCount)
    var powers = slopes
    var sum = 0.0
    for run in 0..<runs.runCount {
      var loss = p[0]
      for part in 0..<partCount {
        var exponent = 0.0
        for domain in 0..<count {
          exponent += p[1 + partCount + part * count + domain] * runs.shares[run * count + domain]
        }
        powers[part] = exp(min(max(exponent, -40), 20))
        loss += shares[part] * powers[part]
      }
      let residual = loss - runs.losses[run]
      sum += huber.value(residual)
      let slope = huber.slope(residual)
      gradient[0] += slope
      for part in 0..<partCount {
        slopes[part] += slope * powers[part]
        let factor = slope * shares[part] * powers[part]
        for domain in 0..<count {
          gradient[1 + partCount + part * count + domain] +=
            factor * runs.shares[run * count + domain]
        }
      }
    }
    let mean = zip(shares, slopes).reduce(0) { $0 + $1.0 * $1.1 }
    for part in 0..<partCount {
      gradient[1 + part] = shares[part] * (slopes[part] - mean)
      sum += penalize(p, from: 1 + partCount + part * count, &gradient)
    }
    return sum.isFinite ? sum : .infinity
  }

  /// Adds the slope of λ·‖T_k − mean T_k‖² of one part, and returns its value.
  private func penalize(_ p: [Double], from begin: Int, _ gradient: inout [Double]) -> Double {
    let places = begin..<begin + runs.domainCount
    let mean = places.reduce(0) { $0 + p[$1] } / Double(places.count)
    var sum = 0.0
    for place in places {
      let distance = p[place] - mean
      sum += penalty * distance * distance
      gradient[place] += 2 * penalty * distance
    }
    return sum
  }
}
