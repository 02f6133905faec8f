extension FittingError: CustomStringConvertible {
  /// What was found, where, and what to do.
  public var description: String { faultText ?? runsText ?? optimumText }

  private var faultText: String? {
    switch self {
    case .table(let path, let line?, let fault): "\(path):\(line): \(fault)"
    case .table(let path, nil, let fault): "\(path): \(fault)"
    case .sampling(let fault): "\(fault)"
    case .model(let fault): "\(fault)"
    default: nil
    }
  }

  private var runsText: String? {
    switch self {
    case .noRuns:
      "there is nothing to fit: a fit needs at least one run and one domain"
    case .lossCount(let expected, let found):
      "\(found) losses are given for \(expected) mixtures; each run needs one of both"
    case .shareCount(let run, let expected, let found):
      "run \(run) has shares of \(found) domains, not of \(expected)"
    case .shareRefused(let run, let domain, let value):
      "run \(run) has a share of \(value) of domain \(domain); shares are finite and not negative"
    case .sharesDoNotSumToOne(let run, let sum, let tolerance):
      """
      the shares of run \(run) sum to \(sum), not 1 (within \(tolerance)); correct them, or ask \
      for them to be divided by their sum
      """
    case .lossNotFinite(let run, let value):
      "the loss of run \(run) is \(value); leave the run out"
    case .tooFewPositiveShares(let domain, let found, let needed):
      """
      \(found) runs have a positive share of domain \(domain), and this law, which is infinite at \
      0, needs \(needed); fit a mixing law instead
      """
    case .tooFewScales(let found, let needed):
      "a curve is to be fitted to \(found) different places; measure at \(needed) or more"
    default: nil
    }
  }

  private var optimumText: String {
    switch self {
    case .settingCount(let setting, let expected, let found):
      "\(setting): \(found) values are given, \(expected) are needed"
    case .settingOutOfRange(let setting, let index, let value):
      "\(setting): value \(index) is \(value), which is out of range"
    case .floorAboveCap(let domain, let floor, let cap):
      "domain \(domain) has a floor of \(floor) above its cap of \(cap); change one of them"
    case .boundsInfeasible(let floorSum, let capSum):
      floorSum > 1
        ? "the floors sum to \(floorSum), above 1: lower some"
        : "the caps sum to \(capSum), below 1: allow more epochs, or add data"
    default: "a fit failed"
    }
  }
}
