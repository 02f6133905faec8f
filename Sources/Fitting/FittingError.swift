/// What can be wrong with a table of runs, with a fit, or with what an optimum is asked for.
///
/// The cases hold data; the text is made in `FittingError+Description.swift`.
public enum FittingError: Error, Sendable, Equatable {
  // Tables, samplers and models.

  /// A table of runs, or a file that a fit left behind, that cannot be used.
  case table(path: String, line: Int?, fault: TableFault)
  /// Mixtures that cannot be sampled as asked.
  case sampling(SamplingFault)
  /// A model that cannot be fitted or used as asked.
  case model(ModelFault)

  // Runs.

  /// A fit over no runs, or over no domains.
  case noRuns
  /// A number of losses that is not the number of mixtures.
  case lossCount(expected: Int, found: Int)
  /// A mixture of another number of domains than the first run's, or than the model's.
  case shareCount(runIndex: Int, expected: Int, found: Int)
  /// A share that is NaN, infinite or below 0.
  case shareRefused(runIndex: Int, domainIndex: Int, value: Double)
  /// Shares whose sum is too far from 1.
  case sharesDoNotSumToOne(runIndex: Int, sum: Double, tolerance: Double)
  /// A loss that is NaN, infinite or beyond ``ObservedRuns/lossLimit``.
  case lossNotFinite(runIndex: Int, value: Double)
  /// Too few runs with a positive share of a domain, for a law that is infinite at 0.
  case tooFewPositiveShares(domainIndex: Int, found: Int, needed: Int)
  /// Too few different scales, lengths or shares for a curve.
  case tooFewScales(found: Int, needed: Int)

  // Optima and schedules.

  /// A list of another length than there are domains, or stages.
  case settingCount(setting: String, expected: Int, found: Int)
  /// A number outside its range.
  case settingOutOfRange(setting: String, index: Int, value: Double)
  /// A floor above the same domain's cap.
  case floorAboveCap(domainIndex: Int, floor: Double, cap: Double)
  /// Floors that sum to more than 1, or caps that sum to less: there is no such mixture.
  case boundsInfeasible(floorSum: Double, capSum: Double)
}
