internal import Corpora
internal import Loading

/// A batch's tokens as a NumPy array file.
///
///     0   6   0x93 "NUMPY"
///     6   2   version 1, 0
///     8   2   bytes of the header, little-endian
///    10       the header: a Python dictionary of type, order and shape; blanks; a line feed, so
///             that the data begins at a multiple of 64
///     …       the tokens, little-endian, row after row
///
/// Source: NumPy Enhancement Proposal 1, *A Simple File Format for NumPy Arrays*.
///
/// Departures from the source: none.
enum TokenArrayFile {
  /// Writes the batch, `[B, T + 1]`, durably; what stands at `path` is replaced when the new file
  /// is whole.
  static func write(_ batch: Batch, type: TokenType, to path: String) throws {
    switch type {
    case .uint16: try write(batch, as: UInt16.self, name: "<u2", to: path)
    case .uint32: try write(batch, as: UInt32.self, name: "<u4", to: path)
    case .int32: try write(batch, as: Int32.self, name: "<i4", to: path)
    case .int64: try write(batch, as: Int64.self, name: "<i8", to: path)
    }
  }

  private static func write<Element: TokenElement>(
    _ batch: Batch, as type: Element.Type, name: String, to path: String
  ) throws {
    var file = try DurableFile(path: path)
    try file.write(header(name: name, rows: batch.rowCount, columns: batch.sequenceLength + 1))
    try batch.withTokens(as: type) { tokens throws(CorpusError) in
      // The tokens are little-endian in memory on every machine that Swift is built for.
      try file.write(UnsafeRawBufferPointer(tokens))
    }
    try file.commit()
  }

  private static func header(name: String, rows: Int, columns: Int) -> [UInt8] {
    var text = "{'descr': '\(name)', 'fortran_order': False, 'shape': (\(rows), \(columns)), }"
    let fixedByteCount = 10
    let padding = 63 - (fixedByteCount + text.utf8.count) % 64
    text += String(repeating: " ", count: padding) + "\n"
    var writer = ByteWriter()
    writer.bytes = [0x93] + Array("NUMPY".utf8) + [1, 0]
    writer.append(UInt16(text.utf8.count))
    writer.bytes += text.utf8
    return writer.bytes
  }
}
