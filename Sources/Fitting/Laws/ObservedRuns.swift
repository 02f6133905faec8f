/// The mixtures of finished runs and one loss of each, checked: what a law is fitted to.
///
/// Invariants, checked by the initializer: there is at least one run and one domain, all mixtures
/// have the same domains, shares are finite, ≥ 0 and sum to 1, losses lie within ±``lossLimit``.
public struct ObservedRuns: Sendable, Equatable {
  /// How far from 1 a mixture's sum may be before it is refused, 0.01: three decimals a share, as
  /// published tables have them, stay within 0.01 at 20 domains.
  public static let sumTolerance = 0.01

  /// The largest size of a loss, 1e9: beyond it sums of squares lose their meaning.
  public static let lossLimit = 1e9

  /// M, the number of domains.
  public let domainCount: Int
  /// The shares `[run, domain]`, row-major; each row was divided by its sum.
  public let shares: [Double]
  /// The losses `[run]`, as a rule in nats per token.
  public let losses: [Double]

  /// Checks mixtures and losses.
  ///
  /// - Parameters:
  ///   - mixtures: the shares `[run][domain]`.
  ///   - losses: the losses `[run]`.
  ///   - anySum: whether mixtures whose sum is farther from 1 than ``sumTolerance`` are divided by
  ///     it, too, and not refused.
  /// - Throws: ``FittingError/noRuns``, ``FittingError/lossCount(expected:found:)``,
  ///   ``FittingError/shareCount(runIndex:expected:found:)``,
  ///   ``FittingError/shareRefused(runIndex:domainIndex:value:)``,
  ///   ``FittingError/sharesDoNotSumToOne(runIndex:sum:tolerance:)`` or
  ///   ``FittingError/lossNotFinite(runIndex:value:)``.
  public init(
    mixtures: [[Double]], losses: [Double], anySum: Bool = false
  ) throws(FittingError) {
    guard let domainCount = mixtures.first?.count, domainCount > 0 else { throw .noRuns }
    guard losses.count == mixtures.count else {
      throw .lossCount(expected: mixtures.count, found: losses.count)
    }
    var shares: [Double] = []
    shares.reserveCapacity(mixtures.count * domainCount)
    for (run, mixture) in mixtures.enumerated() {
      guard mixture.count == domainCount else {
        throw .shareCount(runIndex: run, expected: domainCount, found: mixture.count)
      }
      for (domain, share) in mixture.enumerated() where !(share >= 0 && share.isFinite) {
        throw .shareRefused(runIndex: run, domainIndex: domain, value: share)
      }
      let sum = mixture.reduce(0, +)
      let limit = anySum ? Double.greatestFiniteMagnitude : Self.sumTolerance
      guard sum > 0, abs(sum - 1) <= limit else {
        throw .sharesDoNotSumToOne(runIndex: run, sum: sum, tolerance: Self.sumTolerance)
      }
      shares += mixture.map { $0 / sum }
      guard abs(losses[run]) <= Self.lossLimit else {
        throw .lossNotFinite(runIndex: run, value: losses[run])
      }
    }
    self.domainCount = domainCount
    self.shares = shares
    self.losses = losses
  }

  private init(domainCount: Int, shares: [Double], losses: [Double]) {
    (self.domainCount, self.shares, self.losses) = (domainCount, shares, losses)
  }

  /// n, the number of runs.
  public var runCount: Int { losses.count }

  /// Returns the mixture of one run.
  ///
  /// - Parameter run: which, in 0..<``runCount``.
  /// - Returns: its shares `[domain]`.
  public func mixture(ofRun run: Int) -> [Double] {
    Array(shares[run * domainCount..<(run + 1) * domainCount])
  }

  /// Returns some of the runs, in the order given.
  ///
  /// - Parameter runs: which, each in 0..<``runCount``, at least one.
  /// - Returns: these runs.
  public func selecting(_ runs: [Int]) -> ObservedRuns {
    precondition(!runs.isEmpty, "a selection needs at least one run")
    return ObservedRuns(
      domainCount: domainCount, shares: runs.flatMap(mixture(ofRun:)),
      losses: runs.map { losses[$0] })
  }

  /// In how many runs each domain has a share of exactly 0 `[domain]`.
  ///
  /// Laws that are smooth at 0 predict too low a loss there: the loss of a text that was never seen
  /// is far above where the curve of small shares points.
  public var zeroShareCounts: [Int] {
    (0..<domainCount).map { domain in
      (0..<runCount).count { shares[$0 * domainCount + domain] == 0 }
    }
  }
}
