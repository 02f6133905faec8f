/// What is remembered of the Gram matrices of past steps, by domain.
///
/// A row of the matrix is kept as its sum, in two parts with different noise:
///
///     cross_i = Σ_{j≠i} ⟨g_i, g_j⟩,   self_i = (n_i H_ii − s_i) / (n_i − 1)
///
/// - self_i is ``DomainGram/unbiasedSelfTerms``, which the noise of neither micro-batch biases. It
///   has no value at a step with n_i < 2.
/// - Letters are those of ``DomainGram``. Rows have a fast and a slow average of K numbers each,
///   where a ``GramAverage`` has K² numbers. Where domains were not seen, cross_i is what the
///   others say, scaled to K − 1 of them.
struct GramMemory: Sendable, Equatable, Codable {
  static let fastDecay = 0.8
  static let slowDecay = 0.95
  /// The standard error of a slow average of values with standard deviation 1 that are independent:
  /// √((1 − β)/(1 + β)).
  static let slowError = ((1 - slowDecay) / (1 + slowDecay)).squareRoot()
  /// How far beyond the usual size of a row a step's value counts, so that one step cannot drown
  /// the following hundred.
  static let outlierFactor = 50.0

  private var fastCross: RunningAverage
  private var fastSelf: RunningAverage
  private var slowCross: RunningAverage
  private var slowSelf: RunningAverage
  /// H_ii with its noise.
  private var rawSelf: RunningAverage
  /// The squared distance of a step's row from the slow average.
  private var squaredSpread: RunningAverage

  init(domainCount: Int) {
    fastCross = RunningAverage(placeCount: domainCount)
    fastSelf = fastCross
    slowCross = fastCross
    slowSelf = fastCross
    rawSelf = fastCross
    squaredSpread = fastCross
  }

  /// One step's Gram rows `[domain]`; 0 for a domain that was not seen.
  struct Rows {
    /// cross.
    var cross: [Double]
    /// self, or the slow average of it at a step that has none.
    var own: [Double]
    /// H_ii.
    var raw: [Double]

    /// The sum of a domain's row.
    func sum(_ domain: Int, _ selfTerm: SelfTerm) -> Double {
      switch selfTerm {
      case .cross: cross[domain] + own[domain]
      case .included: cross[domain] + raw[domain]
      case .excluded: cross[domain]
      }
    }
  }

  /// Takes in a step.
  ///
  /// - Parameters:
  ///   - step: its inner products.
  ///   - isSeen: whether a domain counts `[domain]`.
  ///   - scale: the usual size of a row; nil if that is not known yet.
  /// - Returns: the step's own rows.
  mutating func add(_ step: DomainGram, isSeen: [Bool], scale: Double?) -> Rows {
    let domainCount = isSeen.count
    let bound = scale.map { $0 * Self.outlierFactor } ?? .infinity
    let seenCount = isSeen.reduce(0) { $0 + ($1 ? 1 : 0) }
    let zeros = [Double](repeating: 0, count: domainCount)
    let unbiased = step.unbiasedSelfTerms
    var rows = Rows(cross: zeros, own: zeros, raw: zeros)
    for domain in 0..<domainCount where isSeen[domain] {
      var cross = 0.0
      for other in 0..<domainCount where other != domain && isSeen[other] {
        cross += step.gram[domain * domainCount + other]
      }
      if seenCount > 1 { cross *= Double(domainCount - 1) / Double(seenCount - 1) }
      rows.cross[domain] = min(max(cross, -bound), bound)
      rows.raw[domain] = min(step.gram[domain * domainCount + domain], bound)
      add(rows.cross[domain], raw: rows.raw[domain], ofDomain: domain)
      if let own = unbiased[domain] {
        rows.own[domain] = min(max(own, -bound), bound)
        let weight = (step.counts[domain] - 1) / step.counts[domain]
        fastSelf.add(rows.own[domain], weight: weight, at: domain, decay: Self.fastDecay)
        slowSelf.add(rows.own[domain], weight: weight, at: domain, decay: Self.slowDecay)
      } else {
        rows.own[domain] = slowSelf[domain]
      }
      let distance = rows.cross[domain] + rows.own[domain] - slowRow(domain)
      squaredSpread.add(distance * distance, at: domain, decay: Self.slowDecay)
    }
    return rows
  }

  private mutating func add(_ cross: Double, raw: Double, ofDomain domain: Int) {
    fastCross.add(cross, at: domain, decay: Self.fastDecay)
    slowCross.add(cross, at: domain, decay: Self.slowDecay)
    rawSelf.add(raw, at: domain, decay: Self.slowDecay)
  }

  /// The fast average of a domain's row sum.
  func fastRow(_ domain: Int) -> Double { fastCross[domain] + fastSelf[domain] }

  /// The slow average of a domain's row sum.
  func slowRow(_ domain: Int) -> Double { slowCross[domain] + slowSelf[domain] }

  /// The slow average of a domain's own part.
  func ownPart(_ domain: Int) -> Double { slowSelf[domain] }

  /// The slow average of H_ii.
  func rawOwnPart(_ domain: Int) -> Double { rawSelf[domain] }

  /// The standard error of ``slowRow(_:)``, as the rows' spread says.
  func slowRowError(_ domain: Int) -> Double {
    Self.slowError * max(squaredSpread[domain], 0).squareRoot()
  }

  private var averages: [RunningAverage] {
    [fastCross, fastSelf, slowCross, slowSelf, rawSelf, squaredSpread]
  }

  /// The sizes of all arrays.
  var arrayCounts: [Int] { averages.flatMap(\.arrayCounts) }

  var isFinite: Bool { averages.allSatisfy(\.isFinite) }
}
