/// What can be wrong with the gradients that a ``GradientRecorder`` is given.
public enum GradientError: Error, Equatable, Sendable {
  /// A micro-batch of a domain that does not exist.
  case domainOutOfRange(domain: Int, domainCount: Int)
  /// A gradient of another number of parameters.
  case sizeWrong(found: Int, expected: Int)
  /// A micro-batch or an end where no step was begun.
  case noStep
  /// Sums of a recorder of another shape.
  case sumsOfAnotherShape(name: String, found: Int, expected: Int)
  /// A number of the recorder's shape outside its range.
  case settingOutOfRange(name: String, value: Int, allowed: ClosedRange<Int>)
  /// A checkpoint of another length than its own header asks for.
  case checkpointByteCountWrong(found: Int, expected: Int)
  /// Bytes that do not begin like a checkpoint of smoothed gradients.
  case checkpointMagicUnknown
  /// A checkpoint of a format version that this program does not read.
  case checkpointVersionUnknown(found: Int, expected: Int)
  /// A checkpoint whose bytes do not match their checksum.
  case checkpointChecksumWrong(stored: UInt64, computed: UInt64)
  /// A checkpoint of a recorder of another shape.
  case checkpointOfAnotherShape(name: String, stored: String, expected: String)
  /// A checkpoint with a number that no recorder has.
  case checkpointNumberWrong(name: String, domain: Int)
}

extension GradientError: CustomStringConvertible {
  /// What happened, where, and what to do.
  public var description: String {
    switch self {
    case .domainOutOfRange(let domain, let count):
      "a gradient of domain \(domain); the domains are 0..<\(count)"
    case .sizeWrong(let found, let expected):
      "a gradient of \(found) parameters where \(expected) are watched; give all pieces, in order"
    case .noStep:
      "a micro-batch or an end without a begin(step:); begin every step"
    case .sumsOfAnotherShape(let name, let found, let expected):
      "the sums have \(name) \(found), this recorder \(expected); every rank needs the same recorder"
    case .settingOutOfRange(let name, let value, let allowed):
      "\(name) is \(value); it must lie in \(allowed.lowerBound)...\(allowed.upperBound)"
    case .checkpointByteCountWrong(let found, let expected):
      "the smoothed gradients have \(found) bytes where \(expected) are expected; they are cut "
        + "short or of another run"
    case .checkpointMagicUnknown:
      "these bytes are no smoothed gradients"
    case .checkpointVersionUnknown(let found, let expected):
      "the smoothed gradients have version \(found); this program reads version \(expected)"
    case .checkpointChecksumWrong(let stored, let computed):
      "the smoothed gradients are damaged: their checksum is \(computed), they say \(stored); use "
        + "an earlier checkpoint"
    case .checkpointOfAnotherShape(let name, let stored, let expected):
      "the smoothed gradients have \(name) \(stored), this run \(expected)"
    case .checkpointNumberWrong(let name, let domain):
      "the smoothed gradients' \(name) of domain \(domain) is a number that no run reaches"
    }
  }
}
