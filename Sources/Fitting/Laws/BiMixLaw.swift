#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A domain's loss as a power law in its own share and in the length of training.
///
///     L(r, s) = r^−α · (B·(s/s₀)^−β + C)
///
/// - r: the share of the domain that the loss is measured on; the loss is infinite at 0.
/// - s: the steps or tokens trained for; s₀: ``unit``, what they are counted in.
/// - α: ``shareExponent``; β: ``lengthExponent``; dimensionless, ≥ 0.
/// - B: ``fallingLevel``; C: ``lastingLevel``; nats per token, > 0.
///
/// What other domains do to the loss is not in it: it suits domains that are unlike the others.
///
/// Source: Ge et al. 2024, *BiMix* (arXiv:2405.14908), equation 4.
///
/// Departures from the source: its factor A, which only scales B and C, is taken as 1; runs with a
/// share of 0 are left out of a fit.
public struct BiMixLaw: Sendable, Codable, Equatable {
  /// α ≥ 0.
  public let shareExponent: Double
  /// B > 0.
  public let fallingLevel: Double
  /// β ≥ 0.
  public let lengthExponent: Double
  /// C > 0.
  public let lastingLevel: Double
  /// s₀ > 0.
  public let unit: Double

  /// Creates a law.
  ///
  /// - Parameters:
  ///   - shareExponent: α.
  ///   - fallingLevel: B.
  ///   - lengthExponent: β.
  ///   - lastingLevel: C.
  ///   - unit: s₀.
  public init(
    shareExponent: Double, fallingLevel: Double, lengthExponent: Double, lastingLevel: Double,
    unit: Double = 1
  ) {
    self.shareExponent = shareExponent
    self.fallingLevel = fallingLevel
    self.lengthExponent = lengthExponent
    self.lastingLevel = lastingLevel
    self.unit = unit
  }

  /// Returns G(s) = B·(s/s₀)^−β + C, the loss of a model trained on the domain alone.
  ///
  /// - Parameter length: s > 0.
  /// - Returns: the level, in nats per token.
  public func level(after length: Double) -> Double {
    fallingLevel * pow(length / unit, -lengthExponent) + lastingLevel
  }

  /// Returns L(r, s).
  ///
  /// - Parameters:
  ///   - share: r, in [0, 1].
  ///   - length: s > 0.
  /// - Returns: the loss; infinite at a share of 0.
  public func loss(share: Double, after length: Double) -> Double {
    level(after: length) * (shareExponent == 0 ? 1 : pow(share, -shareExponent))
  }

  /// Returns the law at one length, as a model of the loss over mixtures.
  ///
  /// - Parameters:
  ///   - length: s > 0.
  ///   - domainIndex: which domain the law is of.
  ///   - domainCount: M.
  /// - Returns: the model, which is convex.
  public func model(after length: Double, domainIndex: Int, domainCount: Int) -> OwnShareLaw {
    OwnShareLaw(
      level: level(after: length), exponent: shareExponent, domainIndex: domainIndex,
      domainCount: domainCount)
  }

  /// Fits a law by least squares, from three starts.
  ///
  /// - Parameters:
  ///   - shares: r `[observation]`, those of the domain itself; rows of 0 are left out.
  ///   - lengths: s `[observation]`, > 0.
  ///   - losses: L `[observation]`, > 0.
  ///   - unit: s₀.
  ///   - domainIndex: what an error calls the domain.
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)``,
  ///   ``FittingError/settingOutOfRange(setting:index:value:)`` or
  ///   ``FittingError/tooFewPositiveShares(domainIndex:found:needed:)`` for fewer than 4.
  public init(
    fitting shares: [Double], lengths: [Double], losses: [Double], unit: Double,
    domainIndex: Int = 0
  ) throws(FittingError) {
    guard unit > 0, unit.isFinite else {
      throw .settingOutOfRange(setting: "unit of the lengths", index: 0, value: unit)
    }
    for (setting, values) in [("lengths", lengths), ("losses", losses)] {
      guard values.count == shares.count else {
        throw .settingCount(setting: setting, expected: shares.count, found: values.count)
      }
      for (index, value) in values.enumerated() where !(value > 0 && value.isFinite) {
        throw .settingOutOfRange(setting: setting, index: index, value: value)
      }
    }
    try MixtureConstraints.check(shares, "shares", count: shares.count)
    let kept = shares.indices.filter { shares[$0] > 0 }
    guard kept.count >= 4 else {
      throw .tooFewPositiveShares(domainIndex: domainIndex, found: kept.count, needed: 4)
    }
    let function = BiMixResiduals(
      logShares: kept.map { log(shares[$0]) }, logLengths: kept.map { log(lengths[$0] / unit) },
      losses: kept.map { losses[$0] })
    let mean = function.losses.reduce(0, +) / Double(kept.count)
    // α and β up to 10; the levels between e^−23 and e^23 times the mean loss.
    let center = log(mean)
    let box = ParameterBox(
      lower: [0, center - 23, 0, center - 23], upper: [10, center + 23, 10, center + 23])
    let ends = [0.2, 0.5, 1].map { exponent in
      LevenbergMarquardt().minimize(
        function, from: [0.05, log(0.2 * mean), exponent, log(0.8 * mean)], in: box)
    }
    let best = ends.reduce(ends[0]) { $1.value < $0.value ? $1 : $0 }.parameters
    self.init(
      shareExponent: best[0], fallingLevel: exp(best[1]), lengthExponent: best[2],
      lastingLevel: exp(best[3]), unit: unit)
  }
}

/// r^−α·(B·s^−β + C) − L as a function of (α, ln B, β, ln C).
private struct BiMixResiduals: ResidualFunction {
  let logShares: [Double]
  let logLengths: [Double]
  let losses: [Double]
  var residualCount: Int { losses.count }

  func evaluate(at p: [Double], residuals: inout [Double]) {
    for index in losses.indices {
      let level = exp(p[1] - p[2] * logLengths[index]) + exp(p[3])
      residuals[index] = exp(-p[0] * logShares[index]) * level - losses[index]
    }
  }

  func differentiate(at p: [Double], jacobian: inout [Double]) {
    for index in losses.indices {
      let power = exp(-p[0] * logShares[index])
      let falling = power * exp(p[1] - p[2] * logLengths[index])
      let lasting = power * exp(p[3])
      jacobian[4 * index] = -logShares[index] * (falling + lasting)
      jacobian[4 * index + 1] = falling
      jacobian[4 * index + 2] = -logLengths[index] * falling
      jacobian[4 * index + 3] = lasting
    }
  }
}
