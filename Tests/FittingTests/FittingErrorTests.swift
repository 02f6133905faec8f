// Covers: FittingError+Description.swift
import Fitting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct FittingErrorTests {
  @Test(
    arguments: [
      (FittingError.noRuns, "at least one run"),
      (.lossCount(expected: 3, found: 2), "2 losses are given for 3 mixtures"),
      (.shareCount(runIndex: 4, expected: 3, found: 2), "run 4 has shares of 2 domains, not of 3"),
      (.shareRefused(runIndex: 4, domainIndex: 1, value: -0.5), "-0.5 of domain 1"),
      (.sharesDoNotSumToOne(runIndex: 4, sum: 1.02, tolerance: 0.01), "run 4 sum to 1.02"),
      (.lossNotFinite(runIndex: 7, value: .nan), "the loss of run 7 is nan"),
      (.tooFewPositiveShares(domainIndex: 2, found: 1, needed: 4), "1 runs have a positive share"),
      (.tooFewScales(found: 1, needed: 3), "measure at 3 or more"),
      (.settingCount(setting: "caps", expected: 3, found: 2), "caps: 2 values are given"),
      (.settingOutOfRange(setting: "caps", index: 3, value: -1), "caps: value 3 is -1.0"),
      (.floorAboveCap(domainIndex: 2, floor: 0.5, cap: 0.25), "domain 2 has a floor of 0.5"),
      (.boundsInfeasible(floorSum: 1.5, capSum: 2), "the floors sum to 1.5"),
      (.boundsInfeasible(floorSum: 0, capSum: 0.5), "the caps sum to 0.5"),
    ])
  func theTextSaysWhatAndWhere(error: FittingError, part: String) {
    #expect("\(error)".contains(part), "\(error)")
  }
}
