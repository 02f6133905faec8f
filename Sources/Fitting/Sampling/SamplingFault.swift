/// What can be wrong with a request for mixtures.
public enum SamplingFault: Error, Sendable, Equatable {
  /// The largest shares of all domains sum to less than 1.
  case capsBelowOne(sum: Double)
  /// The least shares of all domains sum to more than 1.
  case floorsAboveOne(sum: Double)
  /// A domain whose least share is above its largest.
  case floorAboveCap(domain: String, floor: Double, cap: Double)
  /// Too few draws fit under the caps.
  case tooFewAccepted(wanted: Int, found: Int, drawn: Int, accepted: Int, worstDomain: String)
  /// The grid has more mixtures than are enumerated.
  case gridTooLarge(limit: Int)
  /// The grid has fewer mixtures than are wanted.
  case gridTooSmall(wanted: Int, found: Int, holdsZero: Bool)
  /// A setting outside its range.
  case settingOutOfRange(name: String, value: Double, expected: String)
}

extension SamplingFault: CustomStringConvertible {
  /// What was found and what to do.
  public var description: String {
    switch self {
    case .capsBelowOne(let sum):
      "the domains' caps sum to \(sum), below 1: there is not enough text for the tokens that are "
        + "wanted; allow more epochs, or fewer tokens"
    case .floorsAboveOne(let sum): "the domains' floors sum to \(sum), above 1; lower them"
    case .floorAboveCap(let domain, let floor, let cap):
      "domain '\(domain)' has the floor \(floor) above its cap \(cap); lower the one or raise the other"
    case .tooFewAccepted(let wanted, let found, let drawn, let accepted, let worst):
      "\(drawn) draws gave \(accepted) mixtures under the caps, \(found) of them different, and "
        + "\(wanted) are wanted; '\(worst)' is refused most often: raise its cap, draw more, or "
        + "use a larger strength"
    case .gridTooLarge(let limit):
      "the grid has more than \(limit) mixtures; use a coarser grid or fewer domains"
    case .gridTooSmall(let wanted, let found, let holdsZero):
      "the grid has \(found) mixtures \(holdsZero ? "with" : "without") a zero share, and \(wanted) "
        + "are wanted; ask for fewer, or use a finer grid"
    case .settingOutOfRange(let name, let value, let expected):
      "\(name) is \(value); it has to be \(expected)"
    }
  }
}
