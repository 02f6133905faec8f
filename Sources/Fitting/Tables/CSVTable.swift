internal import Kernels
internal import Mixing

/// A text table with a header, as spreadsheets and data frames write it.
///
/// Cells are separated by commas and lines end in LF or CRLF, the last one perhaps in nothing. A
/// cell in double quotes may hold commas, line ends and, doubled, quotes. A byte order mark at the
/// beginning and blank lines at the end are skipped. Cells stay text until a number is asked for.
package struct CSVTable: Sendable, Equatable {
  /// The largest file that is read, 256 MiB.
  package static let byteLimit = 1 << 28
  /// The most columns, 2^16.
  package static let columnLimit = 1 << 16
  /// The most lines, 2^22.
  package static let lineLimit = 1 << 22

  /// Where the table is from, for errors.
  package let path: String
  /// The names of the columns `[column]`; an unnamed one, as indexes often are, is empty.
  package let header: [String]
  /// The cells `[row][column]`, every row as wide as the header.
  package let rows: [[String]]
  /// The line of the file, counted from 1, on which each row begins `[row]`.
  package let lines: [Int]
  /// The number of bytes that the table was read from.
  package let byteCount: Int
  /// XXH64 of those bytes.
  package let fileChecksum: UInt64

  /// Reads a file.
  ///
  /// - Parameter path: where it is.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with what is wrong and the line.
  package init(atPath path: String) throws(FittingError) {
    try self.init(bytes: TableFile.read(path, byteLimit: Self.byteLimit), path: path)
  }

  /// Reads the bytes of a file.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - path: where they are from, for errors.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with what is wrong and the line.
  package init(bytes: [UInt8], path: String) throws(FittingError) {
    var reader = CSVReader(bytes: bytes, path: path)
    var header: [String]?
    var rows: [[String]] = []
    var lines: [Int] = []
    while let (cells, line) = try reader.nextRow() {
      guard let header else {
        try Self.validate(header: cells, path: path, line: line)
        header = cells
        continue
      }
      guard cells.count == header.count else {
        let fault = TableFault.rowWidth(expected: header.count, found: cells.count)
        throw .table(path: path, line: line, fault: fault)
      }
      rows.append(cells)
      lines.append(line)
    }
    guard let header else { throw .table(path: path, line: nil, fault: .empty) }
    self.path = path
    self.header = header
    self.rows = rows
    self.lines = lines
    byteCount = bytes.count
    fileChecksum = checksum(of: bytes)
  }

  private static func validate(
    header: [String], path: String, line: Int
  ) throws(FittingError) {
    var seen: Set<String> = []
    for name in header where !seen.insert(name).inserted {
      throw .table(path: path, line: line, fault: .duplicateColumn(name: name))
    }
  }

  /// Returns the place of a column.
  ///
  /// - Parameter name: its name in the header.
  /// - Returns: its index.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with the names that are near.
  package func column(_ name: String) throws(FittingError) -> Int {
    guard let index = header.firstIndex(of: name) else {
      let near = NearNames.of(name, in: header)
      throw .table(path: path, line: nil, fault: .unknownColumn(name: name, near: near))
    }
    return index
  }

  /// Returns a cell as a finite number in a range.
  ///
  /// - Parameters:
  ///   - row: which row, counted from 0.
  ///   - column: which column, counted from 0.
  ///   - range: where the number has to lie.
  /// - Returns: the number.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with the column and what stands there.
  package func number(
    row: Int, column: Int, in range: ClosedRange<Double>
  ) throws(FittingError) -> Double {
    let cell = rows[row][column]
    let name = header[column]
    guard let value = Double(Self.trimmed(cell)) else {
      throw .table(path: path, line: lines[row], fault: .noNumber(column: name, text: cell))
    }
    guard range.contains(value) else {
      let fault = TableFault.numberOutOfRange(column: name, value: value, range: range)
      throw .table(path: path, line: lines[row], fault: fault)
    }
    return value
  }

  private static func trimmed(_ text: String) -> Substring {
    var part = text[...]
    while let first = part.first, first == " " || first == "\t" { part.removeFirst() }
    while let last = part.last, last == " " || last == "\t" { part.removeLast() }
    return part
  }
}

extension CSVTable {
  /// Returns rows as the text of a table; cells that need quotes get them.
  ///
  /// - Parameter rows: the header first.
  /// - Returns: a line for each row, every one ended.
  package static func text(of rows: [[String]]) -> String {
    rows.map { $0.map(quoted).joined(separator: ",") + "\n" }.joined()
  }

  private static func quoted(_ cell: String) -> String {
    let needing: [UInt8] = [
      UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"),
    ]
    guard cell.utf8.contains(where: { needing.contains($0) }) else { return cell }
    let parts = cell.split(separator: "\"", omittingEmptySubsequences: false)
    return "\"" + parts.joined(separator: "\"\"") + "\""
  }
}

/// Takes the rows off a table's bytes, one after the other.
private struct CSVReader {
  private let bytes: [UInt8]
  private let path: String
  private var offset = 0
  private var line = 1

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
  private static let (comma, quote, lineFeed, carriageReturn) =
    (UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"))

  init(bytes: [UInt8], path: String) {
    self.bytes = bytes
    self.path = path
    if bytes.starts(with: Self.byteOrderMark) { offset = Self.byteOrderMark.count }
  }

  /// The next row and the line on which it begins; nil behind the last.
  mutating func nextRow() throws(FittingError) -> (cells: [String], line: Int)? {
    skipBlankEnd()
    guard offset < bytes.count else { return nil }
    let first = line
    guard first <= CSVTable.lineLimit else {
      throw fault(.tooManyLines(limit: CSVTable.lineLimit))
    }
    var cells: [String] = []
    while true {
      cells.append(try nextCell())
      guard cells.count <= CSVTable.columnLimit else {
        throw fault(.tooManyColumns(limit: CSVTable.columnLimit))
      }
      guard offset < bytes.count, bytes[offset] == Self.comma else { break }
      offset += 1
    }
    skipLineEnd()
    return (cells, first)
  }

  private func fault(_ fault: TableFault, line other: Int? = nil) -> FittingError {
    .table(path: path, line: other ?? line, fault: fault)
  }

  /// Goes to the end if nothing but line ends is left.
  private mutating func skipBlankEnd() {
    var end = offset
    while end < bytes.count, bytes[end] == Self.lineFeed || bytes[end] == Self.carriageReturn {
      end += 1
    }
    if end == bytes.count { offset = end }
  }

  private mutating func skipLineEnd() {
    if offset < bytes.count, bytes[offset] == Self.carriageReturn { offset += 1 }
    if offset < bytes.count, bytes[offset] == Self.lineFeed { offset += 1 }
    line += 1
  }

  /// Whether a cell may end here: at a comma, a line end, or the end.
  private var isAtCellEnd: Bool {
    guard offset < bytes.count else { return true }
    return [Self.comma, Self.lineFeed, Self.carriageReturn].contains(bytes[offset])
  }

  private mutating func nextCell() throws(FittingError) -> String {
    if offset < bytes.count, bytes[offset] == Self.quote { return try quotedCell() }
    let start = offset
    while !isAtCellEnd {
      guard bytes[offset] != Self.quote else { throw fault(.strayQuote) }
      offset += 1
    }
    return try text(Array(bytes[start..<offset]), line: line)
  }

  private mutating func quotedCell() throws(FittingError) -> String {
    let first = line
    var content: [UInt8] = []
    offset += 1
    while true {
      guard offset < bytes.count else { throw fault(.openQuote, line: first) }
      let byte = bytes[offset]
      offset += 1
      if byte == Self.quote {
        guard offset < bytes.count, bytes[offset] == Self.quote else { break }
        offset += 1
      }
      if byte == Self.lineFeed { line += 1 }
      content.append(byte)
    }
    guard isAtCellEnd else { throw fault(.strayQuote) }
    return try text(content, line: first)
  }

  private func text(_ content: [UInt8], line: Int) throws(FittingError) -> String {
    guard let text = String(validating: content, as: UTF8.self) else {
      throw fault(.notText, line: line)
    }
    return text
  }
}
