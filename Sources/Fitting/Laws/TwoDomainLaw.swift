#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The mixing law of two domains, in the share of one of them.
///
///     L(r) = c + exp(k·r + b)
///
/// - r: the share of one domain, in [0, 1]; the other has 1 − r.
/// - c: ``floor``, nats per token; k: ``slope``; b: ``intercept``.
///
/// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952), equation 6, and the published
/// code for how it is fitted.
///
/// Departures from the source: k and b start from the least squares of the logarithm and not from a
/// grid of starts.
public struct TwoDomainLaw: Sendable, Codable, Equatable {
  /// c.
  public let floor: Double
  /// k, < 0 where the share helps.
  public let slope: Double
  /// b.
  public let intercept: Double

  /// Creates a law.
  ///
  /// - Parameters:
  ///   - floor: c.
  ///   - slope: k.
  ///   - intercept: b.
  public init(floor: Double, slope: Double, intercept: Double) {
    self.floor = floor
    self.slope = slope
    self.intercept = intercept
  }

  /// Creates the law of a domain's share from a mixing law of two domains.
  ///
  /// - Parameters:
  ///   - law: c and T.
  ///   - domainIndex: whose share r is, 0 or 1.
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)`` unless there are two domains.
  public init(_ law: MixingLaw, domainIndex: Int) throws(FittingError) {
    guard law.domainCount == 2 else {
      throw .settingCount(setting: "domains of a model", expected: 2, found: law.domainCount)
    }
    let other = law.exponents[1 - domainIndex]
    self.init(
      floor: law.floor, slope: law.exponents[domainIndex] - other, intercept: other)
  }

  /// Returns L(r).
  ///
  /// - Parameter share: r, in [0, 1].
  /// - Returns: the loss.
  public func loss(ofShare share: Double) -> Double {
    floor + exp(MixingLaw.clipped(slope * share + intercept))
  }

  /// Fits a law as the source does: first the floor, then the rest.
  ///
  /// Of 1000 floors from 0 to the least loss, the one is taken whose ln(L − c) is most nearly
  /// linear in the share, by its correlation; k and b then minimize the summed Huber loss. The
  /// floor is so only as fine as the scan; ``MixingLawFit`` fits all three together.
  ///
  /// - Parameters:
  ///   - shares: r `[run]`, at least two different ones.
  ///   - losses: L `[run]`, > 0.
  ///   - huberThreshold: δ > 0.
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)``,
  ///   ``FittingError/settingOutOfRange(setting:index:value:)`` or
  ///   ``FittingError/tooFewScales(found:needed:)``.
  public init(
    scanning shares: [Double], losses: [Double], huberThreshold: Double = 0.02
  ) throws(FittingError) {
    guard losses.count == shares.count else {
      throw .settingCount(setting: "losses", expected: shares.count, found: losses.count)
    }
    for (index, share) in shares.enumerated() where !(0...1).contains(share) {
      throw .settingOutOfRange(setting: "shares", index: index, value: share)
    }
    for (index, loss) in losses.enumerated() where !(loss > 0 && loss.isFinite) {
      throw .settingOutOfRange(setting: "losses", index: index, value: loss)
    }
    let different = Set(shares).count
    guard different >= 2 else { throw .tooFewScales(found: different, needed: 2) }
    let least = losses.reduce(losses[0], min)
    var best = (line: Line(shares, losses.map { log($0) }), floor: 0.0)
    for step in 1..<999 {
      let floor = least * Double(step) / 999
      let line = Line(shares, losses.map { log($0 - floor) })
      if line.correlation > best.line.correlation { best = (line, floor) }
    }
    let fit = LevenbergMarquardt().minimize(
      TwoDomainResiduals(
        shares: shares, heights: losses.map { $0 - best.floor },
        huber: HuberLoss(threshold: huberThreshold)),
      from: [best.line.slope, best.line.intercept], in: .unbounded(count: 2))
    self.init(floor: best.floor, slope: fit.parameters[0], intercept: fit.parameters[1])
  }
}

/// The line of least squares through points, and how well it describes them.
private struct Line {
  let slope: Double
  let intercept: Double
  /// The size of Pearson's correlation; 0 if one side is constant.
  let correlation: Double

  init(_ xs: [Double], _ ys: [Double]) {
    let count = Double(xs.count)
    let (meanX, meanY) = (xs.reduce(0, +) / count, ys.reduce(0, +) / count)
    var (xx, yy, xy) = (0.0, 0.0, 0.0)
    for (x, y) in zip(xs, ys) {
      xx += (x - meanX) * (x - meanX)
      yy += (y - meanY) * (y - meanY)
      xy += (x - meanX) * (y - meanY)
    }
    slope = xx > 0 ? xy / xx : 0
    intercept = meanY - slope * meanX
    correlation = xx > 0 && yy > 0 ? abs(xy) / (xx * yy).squareRoot() : 0
  }
}

/// Numbers whose half squares are the Huber losses of exp(k·r + b) − (L − c).
private struct TwoDomainResiduals: ResidualFunction {
  let shares: [Double]
  let heights: [Double]
  let huber: HuberLoss
  var residualCount: Int { shares.count }

  func evaluate(at p: [Double], residuals: inout [Double]) {
    for index in shares.indices {
      let error = exp(p[0] * shares[index] + p[1]) - heights[index]
      let size = (2 * huber.value(error)).squareRoot()
      residuals[index] = error < 0 ? -size : size
    }
  }

  func differentiate(at p: [Double], jacobian: inout [Double]) {
    for index in shares.indices {
      let power = exp(p[0] * shares[index] + p[1])
      let error = power - heights[index]
      let size = (2 * huber.value(error)).squareRoot()
      let part = abs(error) <= huber.threshold ? 1 : huber.threshold / size
      jacobian[2 * index] = part * power * shares[index]
      jacobian[2 * index + 1] = part * power
    }
  }
}
