#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension TwoDomainLaw {
  /// Returns the least share of the old domain with which continual training keeps its old loss.
  ///
  ///     r = (ln(L₀ − c) − b) / k
  ///
  /// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952), section on continual training.
  ///
  /// Departures from the source: none.
  ///
  /// - Parameter loss: L₀, the loss on the old domain before.
  /// - Returns: the share, in [0, 1]; nil if none gives that loss, because it is not above the
  ///   floor, the crossing lies outside [0, 1], or the share changes nothing. Nothing is clamped.
  public func criticalShare(keeping loss: Double) -> Double? {
    guard loss > floor, slope != 0 else { return nil }
    let share = (log(loss - floor) - intercept) / slope
    return (0...1).contains(share) ? share : nil
  }
}

/// How the share of new text that a model can take in grows with the length of training.
///
///     R(T) = a·T^s + b
///
/// - T: the tokens of continual training, in units of the fit (0.2 billion in the source).
/// - a, s, b: ``factor``, ``exponent``, ``offset``.
///
/// Source: Gu et al. 2024, *CMR Scaling Law* (arXiv:2407.17467), Table 5.
///
/// Departures from the source: none.
public struct CriticalMixtureRatio: Sendable, Codable, Equatable {
  /// a.
  public let factor: Double
  /// s.
  public let exponent: Double
  /// b.
  public let offset: Double

  /// Creates a law.
  ///
  /// - Parameters:
  ///   - factor: a.
  ///   - exponent: s.
  ///   - offset: b.
  public init(factor: Double, exponent: Double, offset: Double) {
    self.factor = factor
    self.exponent = exponent
    self.offset = offset
  }

  /// Returns R(T).
  ///
  /// - Parameter length: T > 0.
  /// - Returns: the share of new text.
  public func ratio(after length: Double) -> Double { factor * pow(length, exponent) + offset }
}
