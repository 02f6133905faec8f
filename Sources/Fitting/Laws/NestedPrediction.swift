/// Losses of a large model after a long run, predicted for every mixture from small, short runs.
///
/// 1. The step law takes each size's losses to the length that is planned.
/// 2. The size law, one exponent for all mixtures and losses, takes those to the size that is
///    planned.
/// 3. A mixing law is then fitted to the losses predicted (``MixingLawFit``), and its optimum
/// found.
///
/// Where the first step ends hangs on its exponent, and a short range of steps hardly tells it. So
/// it is tied by ``StepExponent``, over all sizes and mixtures unless said otherwise, and ought to
/// be checked on one long run.
///
/// Source: Ye et al. 2024, *Data Mixing Laws* (arXiv:2403.16952), Algorithm 1.
///
/// Departures from the source: its step law has an exponent for each mixture and size; on its own
/// runs that is what predicts worst.
public struct NestedPrediction: Sendable, Equatable {
  /// What has one exponent of the step law in common.
  public enum StepExponent: Sendable, Codable, Equatable {
    /// The losses of one mixture at one size, as in the source.
    case perMixture
    /// All of one size.
    case perSize
    /// All.
    case shared
    /// All, and it is known.
    case fixed(Double)
  }

  /// The losses `[mixture][loss]` at the size and length that are planned.
  public let losses: [[Double]]
  /// The exponents of the step laws that were fitted, size by size.
  public let stepExponents: [Double]
  /// The exponent of the size law.
  public let sizeExponent: Double

  /// Predicts.
  ///
  /// - Parameters:
  ///   - losses: what was measured `[size][length][mixture][loss]`.
  ///   - sizes: the parameters of the models that are no embeddings `[size]`, at least 3.
  ///   - lengths: the tokens or steps at which it was measured `[length]`, at least 3.
  ///   - targetSize: the parameters that are planned.
  ///   - targetLength: the tokens or steps that are planned.
  ///   - stepExponent: what shares an exponent.
  /// - Throws: what ``ScaleLaw/init(scales:losses:exponents:)`` throws, and
  ///   ``FittingError/settingCount(setting:expected:found:)`` for tables that do not fit together.
  public init(
    losses: [[[[Double]]]], sizes: [Double], lengths: [Double], targetSize: Double,
    targetLength: Double, stepExponent: StepExponent = .shared
  ) throws(FittingError) {
    let (mixtureCount, lossCount) = try Self.shape(
      losses, sizeCount: sizes.count, lengthCount: lengths.count)
    for (setting, value) in [("planned size", targetSize), ("planned length", targetLength)]
    where !(value > 0 && value.isFinite) {
      throw .settingOutOfRange(setting: setting, index: 0, value: value)
    }
    let width = mixtureCount * lossCount
    /// The measured losses `[size][length][curve]`, a curve being a mixture and a loss.
    let curves = losses.map { $0.map { $0.flatMap { $0 } } }
    var exponents: [Double] = []
    /// The losses at the length that is planned `[size][curve]`.
    var long = [[Double]](repeating: [], count: sizes.count)
    func extend(
      _ rows: [[Double]], _ range: ClosedRange<Double> = ScaleLaw.exponentRange
    ) throws(FittingError) -> [Double] {
      let law = try StepLaw(scales: lengths, losses: rows, exponents: range)
      exponents.append(law.exponent)
      return law.losses(at: targetLength)
    }
    switch stepExponent {
    case .perMixture:
      for (size, rows) in curves.enumerated() {
        for mixture in 0..<mixtureCount {
          let columns = mixture * lossCount..<(mixture + 1) * lossCount
          long[size] += try extend(rows.map { Array($0[columns]) })
        }
      }
    case .perSize:
      for (size, rows) in curves.enumerated() { long[size] = try extend(rows) }
    case .shared, .fixed:
      var range = ScaleLaw.exponentRange
      if case .fixed(let exponent) = stepExponent { range = exponent...exponent }
      let joined = lengths.indices.map { length in curves.flatMap { $0[length] } }
      let all = try extend(joined, range)
      for size in sizes.indices { long[size] = Array(all[size * width..<(size + 1) * width]) }
    }
    let law = try SizeLaw(scales: sizes, losses: long)
    let predicted = law.losses(at: targetSize)
    self.losses = (0..<mixtureCount).map {
      Array(predicted[$0 * lossCount..<($0 + 1) * lossCount])
    }
    stepExponents = exponents
    sizeExponent = law.exponent
  }

  /// How many mixtures and losses there are, the same in all tables.
  private static func shape(
    _ losses: [[[[Double]]]], sizeCount: Int, lengthCount: Int
  ) throws(FittingError) -> (mixtures: Int, losses: Int) {
    guard let first = losses.first?.first, let row = first.first, !row.isEmpty else {
      throw .noRuns
    }
    func check(_ found: Int, _ expected: Int, _ setting: String) throws(FittingError) {
      guard found == expected else {
        throw .settingCount(setting: setting, expected: expected, found: found)
      }
    }
    try check(losses.count, sizeCount, "sizes")
    for table in losses {
      try check(table.count, lengthCount, "lengths")
      for mixtures in table {
        try check(mixtures.count, first.count, "mixtures")
        for values in mixtures { try check(values.count, row.count, "losses") }
      }
    }
    return (first.count, row.count)
  }
}
