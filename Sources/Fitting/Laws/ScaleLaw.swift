#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Losses that fall as one power of a scale towards floors of their own.
///
///     L_d(x) = C_d + K_d · x^−a
///
/// - x: the scale: tokens (or steps) trained on, or the parameters of the model that are no
///   embeddings; any unit, > 0.
/// - d: what was measured: an evaluation loss, of one mixture or of several.
/// - C_d: ``floors``, K_d: ``factors``, ≥ 0; a: ``exponent``, the same for all d.
///
/// One exponent for all curves is what makes a short range of scales tell anything about a far one:
/// where a prediction ends depends on it more than on all else. A run that is annealed at its end
/// does not lie on the curve of one that is not.
///
/// For a given a the rest is linear, so that a is searched alone: 120 values evenly in their
/// logarithm, then golden section between the neighbors of the best. A curve that would rise is
/// fitted by its mean, one with a floor below 0 has the floor 0.
///
/// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952), the step law C + (D₀/D)^a and the
/// size law C + (N₀/N)^a.
///
/// Departures from the source: K = x₀^a in place of x₀; least squares over all points, none kept
/// back, in place of many starts; the step law's exponent may be shared by mixtures, too.
public struct ScaleLaw: Sendable, Codable, Equatable {
  /// a > 0.
  public let exponent: Double
  /// C `[curve]`, in nats per token.
  public let floors: [Double]
  /// K `[curve]`, in nats per token times the unit of the scale to the power a.
  public let factors: [Double]
  /// The sum of the squared errors over all points.
  public let squaredError: Double

  /// The exponents that are searched, 0.02 to 3.
  public static let exponentRange = 0.02...3.0

  /// Fits curves.
  ///
  /// - Parameters:
  ///   - scales: x `[point]`, at least 3, or 2 if the exponent is given.
  ///   - losses: L `[point][curve]`.
  ///   - exponents: the range of a; one that is a single number gives a.
  /// - Throws: ``FittingError/tooFewScales(found:needed:)``,
  ///   ``FittingError/settingCount(setting:expected:found:)`` or
  ///   ``FittingError/settingOutOfRange(setting:index:value:)``.
  public init(
    scales: [Double], losses: [[Double]], exponents: ClosedRange<Double> = exponentRange
  ) throws(FittingError) {
    guard exponents.lowerBound > 0, exponents.upperBound.isFinite else {
      throw .settingOutOfRange(setting: "exponent", index: 0, value: exponents.lowerBound)
    }
    for (index, scale) in scales.enumerated() where !(scale > 0 && scale.isFinite) {
      throw .settingOutOfRange(setting: "scales", index: index, value: scale)
    }
    let isGiven = exponents.lowerBound == exponents.upperBound
    let different = Set(scales).count
    guard different >= (isGiven ? 2 : 3) else {
      throw .tooFewScales(found: different, needed: isGiven ? 2 : 3)
    }
    guard losses.count == scales.count else {
      throw .settingCount(setting: "losses", expected: scales.count, found: losses.count)
    }
    let width = losses[0].count
    for (point, row) in losses.enumerated() {
      guard row.count == width else {
        throw .settingCount(setting: "curves", expected: width, found: row.count)
      }
      for value in row where !value.isFinite {
        throw .lossNotFinite(runIndex: point, value: value)
      }
    }
    let center = exp(scales.reduce(0) { $0 + log($1) } / Double(scales.count))
    let curves = CenteredCurves(scales: scales.map { $0 / center }, losses: losses)
    let best = isGiven ? exponents.lowerBound : curves.bestExponent(in: exponents)
    let fitted = curves.fit(best)
    exponent = best
    floors = fitted.floors
    factors = fitted.factors.map { $0 * pow(center, best) }
    squaredError = fitted.squaredError
  }

  /// Returns the losses at a scale.
  ///
  /// - Parameter scale: x > 0, in the unit of the fit.
  /// - Returns: L `[curve]`.
  public func losses(at scale: Double) -> [Double] {
    let power = pow(scale, -exponent)
    return zip(floors, factors).map { $0 + $1 * power }
  }
}

/// A ``ScaleLaw`` in tokens or steps: what a longer run of the same model will reach.
public typealias StepLaw = ScaleLaw

/// A ``ScaleLaw`` in parameters that are no embeddings: what a larger model will reach.
public typealias SizeLaw = ScaleLaw

/// Curves over scales whose geometric mean is 1, where the linear problem is well scaled.
private struct CenteredCurves {
  let scales: [Double]
  let losses: [[Double]]

  struct Fit {
    var floors: [Double] = []
    var factors: [Double] = []
    var squaredError = 0.0
  }

  func fit(_ exponent: Double) -> Fit {
    let powers = scales.map { pow($0, -exponent) }
    let count = Double(powers.count)
    let mean = powers.reduce(0, +) / count
    let spread = powers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let squares = powers.reduce(0) { $0 + $1 * $1 }
    var fit = Fit()
    for curve in losses[0].indices {
      let values = losses.map { $0[curve] }
      let level = values.reduce(0, +) / count
      let product = zip(powers, values).reduce(0) { $0 + ($1.0 - mean) * $1.1 }
      var factor = spread > 0 ? product / spread : 0
      var floor = level - factor * mean
      if factor < 0 {
        (floor, factor) = (level, 0)
      } else if floor < 0 {
        (floor, factor) = (0, zip(powers, values).reduce(0) { $0 + $1.0 * $1.1 } / squares)
      }
      fit.floors.append(floor)
      fit.factors.append(factor)
      for (power, value) in zip(powers, values) {
        let error = value - floor - factor * power
        fit.squaredError += error * error
      }
    }
    return fit
  }

  func bestExponent(in range: ClosedRange<Double>) -> Double {
    let (low, high) = (log(range.lowerBound), log(range.upperBound))
    let grid = (0..<120).map { exp(low + (high - low) * Double($0) / 119) }
    let errors = grid.map { fit($0).squaredError }
    let best = errors.indices.reduce(0) { errors[$1] < errors[$0] ? $1 : $0 }
    var (a, b) = (grid[max(best - 1, 0)], grid[min(best + 1, 119)])
    let golden = (5.0.squareRoot() - 1) / 2
    var (c, d) = (b - golden * (b - a), a + golden * (b - a))
    var (atC, atD) = (fit(c).squaredError, fit(d).squaredError)
    while b - a > 1e-10 * b {
      if atC <= atD {
        (b, d, atD) = (d, c, atC)
        c = b - golden * (b - a)
        atC = fit(c).squaredError
      } else {
        (a, c, atC) = (c, d, atD)
        d = a + golden * (b - a)
        atD = fit(d).squaredError
      }
      guard c > a, d < b, c < d else { break }
    }
    return (a + b) / 2
  }
}
