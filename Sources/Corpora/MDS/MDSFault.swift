/// What is wrong with an `index.json` of MDS.
public enum MDSIndexFault: Sendable, Equatable {
  /// Neither the folder nor any below it has an index.
  case missing
  /// A folder that was looked through holds a shard and no index.
  case missingBeside(shard: String)
  /// The folder has more folders, or deeper ones, than are looked through.
  case tooManyFolders(limit: Int)
  /// The shards are compressed by a codec that is not read.
  case compression(String)
  /// The arrays that describe the columns do not fit each other, or name a column twice.
  case columns(names: Int, encodings: Int, sizes: Int)
  /// A column's recorded size is not the one of its encoding; nil is a size that varies.
  case columnSize(column: String, encoding: String, recorded: Int?)
  /// A compressed file is recorded without a compression, or the other way round.
  case compressedFile(isRecorded: Bool)
  /// The recorded size is not the one that the samples have.
  case byteCount(recorded: Int, least: Int)
}

/// Why a column of MDS shards does not give tokens.
public enum MDSColumnFault: Sendable, Equatable {
  /// The shard has no such column.
  case unknown(known: [String])
  /// The encoding holds something other than integers.
  case noTokens(encoding: String)
  /// The column is pickled, and unpickling runs whatever program the file holds.
  case pickled
  /// The column holds bytes, and nothing says which integers they are.
  case undeclared
  /// The column's integers are not those that were declared.
  case declared(StoredTokenType, encoding: String)
  /// Each sample must be one sequence, and these two do not have the same number of tokens.
  case unequalSamples(sample: Int, tokenCount: Int, firstTokenCount: Int)
}

/// What is damaged in an MDS shard.
public enum MDSFault: Sendable, Equatable {
  /// The file's or its content's size is not the recorded one.
  case byteCount(recorded: Int, found: Int)
  /// The compressed content goes on after the recorded number of bytes.
  case longer(recorded: Int)
  /// The file's number of samples is not the recorded one.
  case sampleCount(recorded: Int, found: Int)
  /// A sample's offset lies before the one before it, or outside the file.
  case offset(found: Int, allowed: ClosedRange<Int>)
  /// The lengths of a sample's columns do not add up to the sample.
  case lengths(sum: Int, sampleByteCount: Int)
  /// The tokens' bytes are not a whole number of tokens.
  case tokenBytes(byteCount: Int, tokenByteCount: Int)
  /// An array's first bytes name numbers that are not those of its column.
  case arrayType(code: UInt8)
  /// An array's shape does not fit its bytes.
  case arrayShape(byteCount: Int)
  /// An array has several dimensions, where those before have one.
  case arrayDimensions
  /// libzstd found the damage, in a frame counted from 0.
  case compressed(TextFrameFault, frame: Int)
}

extension MDSIndexFault: CustomStringConvertible {
  /// What is wrong and what to do, without the place.
  public var description: String {
    switch self {
    case .missing:
      "there is no index.json, neither there nor in a folder below. Give the folder that the "
        + "MDS writer wrote to."
    case .missingBeside(let shard):
      "there is no index.json beside \(shard), and nothing in the folder would be read. Copy the "
        + "index that the MDS writer wrote, or move the folder elsewhere."
    case .tooManyFolders(let limit):
      "more than \(limit) folders were looked through for an index.json. Give the folder that the "
        + "MDS writer wrote to."
    case .compression(let name):
      "the shards are compressed with \"\(name)\"; zstd is read. Write them again with "
        + "compression=\"zstd\", or without compression."
    case .columns(let names, let encodings, let sizes):
      "\(names) names, \(encodings) encodings and \(sizes) sizes of columns do not describe 1 to "
        + "\(MDSShardEntry.columnLimit) columns of different names. Write the index again."
    case .columnSize(let column, let encoding, let recorded):
      "the column \"\(column)\" of encoding \(encoding) cannot have "
        + (recorded.map { "the size \($0)" } ?? "a size that varies") + ". Write the index again."
    case .compressedFile(let isRecorded):
      isRecorded
        ? "a compressed file is named, but no compression. Write the index again."
        : "a compression is named, but no compressed file. Write the index again."
    case .byteCount(let recorded, let least):
      "the shard has \(recorded) bytes, but its samples take at least \(least). Write the index "
        + "again."
    }
  }
}

extension MDSColumnFault: CustomStringConvertible {
  /// What is wrong and what to do, without the place.
  public var description: String {
    switch self {
    case .unknown(let known):
      "there is no such column; there is \(known.joined(separator: ", "))."
    case .noTokens(let encoding):
      "its encoding is \(encoding), which holds no tokens. Name a column of integers."
    case .pickled:
      "it is pickled, and unpickling runs whatever program the file holds, so it is never read. "
        + "Write the tokens as ndarray:int32 or as bytes."
    case .undeclared:
      "it holds bytes, and nothing in the shard says which integers they are. Declare the stored "
        + "token type: one of \(StoredTokenType.allCases.map(\.rawValue).joined(separator: ", "))."
    case .declared(let type, let encoding):
      "\(type.rawValue) was declared, but its encoding is \(encoding). Declare that, or nothing."
    case .unequalSamples(let sample, let tokenCount, let firstTokenCount):
      "sample \(sample) has \(tokenCount) tokens and sample 0 has \(firstTokenCount), but each is "
        + "to be a sequence. Read the samples joined."
    }
  }
}

extension MDSFault: CustomStringConvertible {
  /// What is wrong, without the place.
  public var description: String {
    switch self {
    case .byteCount(let recorded, let found): "it has \(found) bytes, not \(recorded)"
    case .longer(let recorded): "it goes on after the \(recorded) bytes that its index records"
    case .sampleCount(let recorded, let found): "it has \(found) samples, not \(recorded)"
    case .offset(let found, let allowed):
      "an offset is \(found), but only \(allowed.lowerBound)…\(allowed.upperBound) fits"
    case .lengths(let sum, let sampleByteCount):
      "the columns take \(sum) bytes, the sample \(sampleByteCount)"
    case .tokenBytes(let byteCount, let tokenByteCount):
      "\(byteCount) bytes are no whole number of tokens of \(tokenByteCount) bytes"
    case .arrayType(let code): "an array's numbers have the code \(code), which its column has not"
    case .arrayShape(let byteCount): "an array's shape does not fit its \(byteCount) bytes"
    case .arrayDimensions:
      "an array has several dimensions, where the first sample's has one"
    case .compressed(let fault, let frame): "zstd frame \(frame): \(fault)"
    }
  }
}
