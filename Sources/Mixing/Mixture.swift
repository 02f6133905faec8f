/// The shares of the domains in what is drawn: non-negative weights that sum to 1.
///
/// A mixture is made of integers, once, when it is created, and never rounded again:
///
///     Σ q_i = 2^48,   weight_i = q_i / 2^48
///
/// - q_i: ``integerShares``, one per domain, in [0, 2^48].
/// - weight_i: ``weights``, exact in a `Double`.
///
/// So two mixtures are equal when they draw the same rows, and a mixture that was written down as
/// integers comes back bit for bit. A positive weight never becomes 0; a weight of 0 stays 0.
///
/// Invariants, checked by every initializer: there is at least one domain, no share is negative,
/// the shares sum to ``one``.
public struct Mixture: Sendable, Hashable {
  /// 2^48, the sum of the integer shares of every mixture.
  public static let one: Int64 = 1 << 48

  /// The largest distance from 1 that the sum of given weights may have, 1e-6.
  public static let sumTolerance = 1e-6

  /// q, the shares `[domain]` in parts of ``one``.
  public let integerShares: [Int64]

  /// Creates a mixture of weights that sum to 1 within ``sumTolerance``.
  ///
  /// The weights are divided by their sum before they become integers; see ``init(normalizing:)``.
  ///
  /// - Parameter weights: one finite weight ≥ 0 per domain.
  /// - Throws: ``MixingError/emptyMixture``, ``MixingError/weightNotFinite(domainIndex:value:)``,
  ///   ``MixingError/weightNegative(domainIndex:value:)`` or
  ///   ``MixingError/weightsDoNotSumToOne(sum:)``.
  public init(weights: [Double]) throws(MixingError) {
    let sum = try Mixture.checkedSum(weights)
    guard abs(sum - 1) <= Mixture.sumTolerance else {
      throw .weightsDoNotSumToOne(sum: sum)
    }
    self.init(checkedWeights: weights)
  }

  /// Creates a mixture in proportion to weights of any scale.
  ///
  ///     q_i = floor(w_i / Σ w · 2^48), and at least 1 where w_i > 0
  ///
  /// What is missing to 2^48 goes to the largest fractional parts, 1 each, the lower index on ties.
  /// What is too much (through the "at least 1") is taken from the largest q, 1 at a time.
  ///
  /// - Parameter weights: one finite weight ≥ 0 per domain, not all 0.
  /// - Throws: ``MixingError/emptyMixture``, ``MixingError/weightNotFinite(domainIndex:value:)``,
  ///   ``MixingError/weightNegative(domainIndex:value:)``,
  ///   ``MixingError/weightsAllZero(domainCount:)`` or ``MixingError/weightSumNotFinite``.
  public init(normalizing weights: [Double]) throws(MixingError) {
    let sum = try Mixture.checkedSum(weights)
    guard sum > 0 else { throw .weightsAllZero(domainCount: weights.count) }
    self.init(checkedWeights: weights)
  }

  /// Creates a mixture of shares that are integers already, as a ledger or a checkpoint holds them.
  ///
  /// - Parameter integerShares: q, one share ≥ 0 per domain, summing to ``one``.
  /// - Throws: ``MixingError/emptyMixture``, ``MixingError/shareNegative(domainIndex:value:)`` or
  ///   ``MixingError/sharesDoNotSumToOne(difference:)``.
  public init(integerShares: [Int64]) throws(MixingError) {
    guard !integerShares.isEmpty else { throw .emptyMixture }
    // Counting down from 2^48 cannot overflow: it stops below 0, and a share is at most 2^63 − 1.
    var left = Mixture.one
    for (index, share) in integerShares.enumerated() {
      guard share >= 0 else { throw .shareNegative(domainIndex: index, value: share) }
      left -= share
      guard left >= 0 else { throw .sharesDoNotSumToOne(difference: -left) }
    }
    guard left == 0 else { throw .sharesDoNotSumToOne(difference: -left) }
    self.integerShares = integerShares
  }

  /// Returns the mixture that gives every domain the same weight.
  ///
  /// - Parameter domainCount: K, the number of domains.
  /// - Returns: shares of 2^48/K, rounded up for the lowest domains where K does not divide 2^48.
  /// - Precondition: `domainCount` is at least 1.
  public static func uniform(domainCount: Int) -> Mixture {
    precondition(domainCount >= 1, "a mixture needs at least 1 domain, not \(domainCount)")
    return Mixture(checkedWeights: [Double](repeating: 1, count: domainCount))
  }

  /// K, the number of domains.
  public var domainCount: Int { integerShares.count }

  /// The weights `[domain]`, q_i / 2^48, each in [0, 1] and exact.
  ///
  /// - Complexity: O(K), with one allocation.
  public var weights: [Double] {
    integerShares.map { Double($0) / Double(Mixture.one) }
  }

  /// Returns the weight of one domain, exact, in [0, 1].
  ///
  /// - Parameter domainIndex: which domain, in 0..<``domainCount``.
  /// - Returns: q_i / 2^48.
  public func weight(ofDomain domainIndex: Int) -> Double {
    Double(integerShares[domainIndex]) / Double(Mixture.one)
  }

  private init(checkedWeights weights: [Double]) {
    integerShares = [Int64](unsafeUninitializedCapacity: weights.count) { shares, count in
      shares.initialize(repeating: 0)
      IntegerShares.round(count: weights.count, into: shares) { weights[$0] }
      count = weights.count
    }
  }

  /// The plain sum from the lowest index up, which is part of the order's definition.
  private static func checkedSum(_ weights: [Double]) throws(MixingError) -> Double {
    guard !weights.isEmpty else { throw .emptyMixture }
    var sum = 0.0
    for (index, weight) in weights.enumerated() {
      guard weight.isFinite else { throw .weightNotFinite(domainIndex: index, value: weight) }
      guard weight >= 0 else { throw .weightNegative(domainIndex: index, value: weight) }
      sum += weight
    }
    guard sum.isFinite else { throw .weightSumNotFinite }
    return sum
  }
}
