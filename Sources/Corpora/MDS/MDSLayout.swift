/// Where in the samples of an MDS shard the tokens are.
///
///     sample   a 32-bit length for each column whose size varies, then the columns' values
///     array    [dtype code, where the encoding does not name it] [shape, likewise] values
///     shape    one byte, dimensions << 2 | w, then each dimension in 2^w bytes
struct MDSLayout: Sendable, Equatable {
  /// How the number of tokens in a sample is known.
  enum Counting: Sendable, Equatable {
    /// Every sample has as many.
    case constant(Int)
    /// The sample's size says it.
    case sampleSize
    /// Only the sample itself says it.
    case content
  }

  /// The column's name.
  let column: String
  /// What the shard's samples mean.
  let samples: SampleRule
  /// The integers that the values are; nil where each sample names its own.
  let type: StoredTokenType?
  /// Whether a value begins with a dtype code.
  let hasTypeCode: Bool
  /// Whether a value begins with its shape, after the code.
  let hasShape: Bool
  /// The sizes of the columns before the tokens' one, nil for those that vary.
  let sizesBefore: [Int?]
  /// The size of the tokens' column, nil where it varies.
  let tokenColumnByteCount: Int?
  /// How many columns vary in size.
  let variableCount: Int
  /// What the columns of fixed sizes take in a sample, in bytes.
  let fixedByteCount: Int
  /// How the number of tokens in a sample is known.
  let counting: Counting

  /// Finds the column in the shard that `entry` describes; `path` is the shard's, for errors.
  init(_ entry: MDSShardEntry, _ wanted: MDSColumn, path: String) throws(CorpusError) {
    guard let index = entry.columns.firstIndex(where: { $0.name == wanted.name }) else {
      let known = entry.columns.map { "\"\($0.name)\"" }
      throw .mdsColumn(path: path, column: wanted.name, .unknown(known: known))
    }
    let column = entry.columns[index]
    let (type, hasTypeCode, hasShape) = try Self.tokens(in: column, wanted, path: path)
    self.column = wanted.name
    samples = wanted.samples
    self.type = type
    self.hasTypeCode = hasTypeCode
    self.hasShape = hasShape
    sizesBefore = entry.columns[..<index].map(\.byteCount)
    tokenColumnByteCount = column.byteCount
    variableCount = entry.columns.count { $0.byteCount == nil }
    fixedByteCount = entry.columns.reduce(0) { $0 + ($1.byteCount ?? 0) }
    counting =
      if let byteCount = column.byteCount, let type {
        .constant(byteCount / type.byteCount)
      } else if variableCount == 1, type != nil {
        .sampleSize
      } else {
        .content
      }
  }

  /// What the encoding and the declaration together say of the column's values.
  private static func tokens(in column: MDSShardEntry.Column, _ wanted: MDSColumn, path: String)
    throws(CorpusError) -> (type: StoredTokenType?, hasTypeCode: Bool, hasShape: Bool)
  {
    func fault(_ fault: MDSColumnFault) -> CorpusError {
      .mdsColumn(path: path, column: wanted.name, fault)
    }
    let type: StoredTokenType?
    let declared = wanted.storedType
    switch MDSEncoding(column.encoding)?.content ?? .other {
    case .pickle: throw fault(.pickled)
    case .other: throw fault(.noTokens(encoding: column.encoding))
    case .bytes:
      guard let declared else { throw fault(.undeclared) }
      return (declared, false, false)
    case .integer(let integer): type = integer
    case .array(nil, _): return (declared, true, true)
    case .array(let item, let hasShape):
      if let declared, declared != item {
        throw fault(.declared(declared, encoding: column.encoding))
      }
      return (item, false, !hasShape)
    }
    if let declared, declared != type {
      throw fault(.declared(declared, encoding: column.encoding))
    }
    return (type, false, false)
  }

  /// The size of every sample; nil where samples differ.
  var sampleByteCount: Int? { variableCount == 0 ? fixedByteCount : nil }

  /// Whether samples hold nothing but tokens, so that a range of tokens is a range of bytes.
  var isBare: Bool {
    variableCount == 0 && sizesBefore.isEmpty && fixedByteCount == tokenColumnByteCount
  }

  /// The number of tokens in a sample of that size; nil where no sample of that size is whole.
  ///
  /// Arrays have one dimension here. Its number has the narrowest of 1, 2, 4 and 8 bytes, so that
  /// one width at most fits a size: those sizes lie in ranges that do not overlap.
  ///
  /// - Precondition: ``counting`` is not ``Counting/content``.
  func tokenCount(ofSampleByteCount byteCount: Int) -> Int? {
    if case .constant(let count) = counting { return count }
    guard let type else { return nil }
    let valueByteCount = byteCount - 4 - fixedByteCount - (hasTypeCode ? 1 : 0)
    guard hasShape else {
      return valueByteCount >= 0 && valueByteCount % type.byteCount == 0
        ? valueByteCount / type.byteCount : nil
    }
    for (width, allowed) in [(1, 1...255), (2, 256...65_535), (4, 65_536...Int(UInt32.max))] {
      let itemByteCount = valueByteCount - 1 - width
      if itemByteCount % type.byteCount == 0, allowed.contains(itemByteCount / type.byteCount) {
        return itemByteCount / type.byteCount
      }
    }
    return nil
  }
}
