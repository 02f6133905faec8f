/// What is damaged in a Megatron `.idx` file, or does not fit the `.bin` beside it.
public enum MegatronFault: Sendable, Equatable {
  /// The file does not begin as an index does.
  case magic
  /// The index has another version.
  case version(found: UInt64)
  /// The index names integers that it cannot, or numbers that are no tokens.
  case tokenType(code: UInt8)
  /// A count does not fit the file.
  case count(field: String, found: UInt64, limit: Int)
  /// The file does not have the size that its counts give.
  case fileByteCount(expected: Int, found: Int)
  /// The `.bin` file does not have the size that the index gives.
  case dataByteCount(expected: Int, found: Int)
  /// A sequence has a length that none can have.
  case length(sequence: Int, found: Int)
  /// A sequence does not begin where the one before it ends.
  case offset(sequence: Int, expected: Int, found: Int)
  /// Documents do not begin at 0, in order, and end with the sequences.
  case document(boundary: Int, found: Int, allowed: ClosedRange<Int>)
}

extension MegatronFault: CustomStringConvertible {
  /// What is wrong, without the place.
  public var description: String {
    switch self {
    case .magic: "it does not begin with MMIDIDX"
    case .version(let found): "it has version \(found); this program reads version 1"
    case .tokenType(let code):
      "its numbers have the code \(code), which is none of uint8 1, int8 2, int16 3, int32 4, "
        + "int64 5 and uint16 8"
    case .count(let field, let found, let limit):
      "its number of \(field) is \(found), but at most \(limit) fit the file"
    case .fileByteCount(let expected, let found): "it has \(found) bytes, not \(expected)"
    case .dataByteCount(let expected, let found):
      "the .bin file has \(found) bytes, but its sequences take \(expected)"
    case .length(let sequence, let found): "sequence \(sequence) has the length \(found)"
    case .offset(let sequence, let expected, let found):
      "sequence \(sequence) begins at byte \(found), not at \(expected)"
    case .document(let boundary, let found, let allowed):
      "document boundary \(boundary) is sequence \(found), but must lie in "
        + "\(allowed.lowerBound)…\(allowed.upperBound)"
    }
  }
}
