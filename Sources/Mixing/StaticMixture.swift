#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The ways to say which fixed mixture is meant, before the corpus is known.
public enum StaticMixture: Sendable, Equatable {
  /// In proportion to the whole sequences that each domain has, so that all last equally long.
  case natural

  /// The same weight for every domain.
  case uniform

  /// Between natural and uniform, by an exponent:
  ///
  ///     p_i ∝ n_i^τ
  ///
  /// - n_i: the whole sequences of one epoch of domain i.
  /// - τ: the associated value, in ``exponentRange``. τ = 1 is natural, τ = 0 uniform, τ > 1 favors
  ///   large domains. Papers that speak of a temperature T mean τ = 1/T (T5, mT5); those that speak
  ///   of an α mean τ = α (XLM-R).
  case temperature(Double)

  /// Weights by domain name: every domain of the corpus once, no other, summing to 1.
  case weights([String: Double])

  /// A `mixture.json`, as RegMix's search writes it, at a path; see ``MixtureFile``.
  case regMix(String)

  /// The exponents that ``temperature(_:)`` takes, [0, 10].
  ///
  /// At 10 a domain of one sequence beside one of 10^15 still has a weight that a `Double` can
  /// hold.
  public static let exponentRange = 0.0...10.0

  /// Returns the mixture that this means for a corpus.
  ///
  /// - Parameter context: the domains and their sequence counts.
  /// - Returns: the mixture in the order of the context's domains.
  /// - Throws: ``MixingError/exponentOutOfRange(value:)``; ``MixingError/unknownSizes(domains:)``
  ///   where a mixture follows from sizes and a domain's is not known; for weights what
  ///   ``PolicyContext/mixture(ofWeights:)`` throws; for files what ``MixtureFile`` throws.
  public func mixture(in context: PolicyContext) throws(MixingError) -> Mixture {
    switch self {
    case .natural:
      return try Mixture(normalizing: context.knownSequenceCounts().map(Double.init))
    case .uniform:
      return .uniform(domainCount: context.domainCount)
    case .temperature(let exponent):
      guard StaticMixture.exponentRange.contains(exponent) else {
        throw .exponentOutOfRange(value: exponent)
      }
      let counts = try context.knownSequenceCounts()
      return try Mixture(normalizing: counts.map { pow(Double($0), exponent) })
    case .weights(let weights):
      return try context.mixture(ofWeights: weights)
    case .regMix(let path):
      return try MixtureFile.mixture(atPath: path, in: context)
    }
  }

  /// A few words for the ledger, such as `natural`.
  public var summary: String {
    switch self {
    case .natural: "natural"
    case .uniform: "uniform"
    case .temperature(let exponent): "temperature \(exponent)"
    case .weights: "weights"
    case .regMix(let path): "regmix \(path)"
    }
  }
}
