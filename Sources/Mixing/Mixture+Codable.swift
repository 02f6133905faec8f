extension Mixture: Codable {
  /// Reads the integer shares, as ``encode(to:)`` wrote them, and checks them anew.
  ///
  /// - Parameter decoder: holds one array of integers.
  /// - Throws: `DecodingError.dataCorrupted` with the ``MixingError`` beneath it if the integers
  ///   are no mixture; any other `DecodingError` if there are no integers.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let shares = try container.decode([Int64].self)
    do {
      try self.init(integerShares: shares)
    } catch {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath, debugDescription: error.description,
          underlyingError: error))
    }
  }

  /// Writes the integer shares as one array, so that no rounding can come between.
  ///
  /// - Parameter encoder: takes one array of integers.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(integerShares)
  }
}
