/// Rows of text under a header, in aligned columns with two spaces between them.
struct TextTable {
  /// Which side of its column a cell stands on.
  enum Alignment {
    case left
    case right
  }

  private let alignments: [Alignment]
  private var rows: [[String]]

  /// Creates a table of one column for each header; names go left, numbers right.
  init(_ columns: [(header: String, alignment: Alignment)]) {
    alignments = columns.map(\.alignment)
    rows = [columns.map(\.header)]
  }

  /// Creates a table whose first column is names and whose others are numbers.
  init(names: String, numbers: [String]) {
    self.init([(names, .left)] + numbers.map { ($0, .right) })
  }

  /// Creates a table of names and what is known by them, without headers.
  init(facts: [(name: String, value: String)]) {
    alignments = [.left, .left]
    rows = facts.map { [$0.name, $0.value] }
  }

  /// Adds a row with one cell for each column.
  mutating func append(_ row: [String]) {
    precondition(row.count == alignments.count, "\(row.count) cells, \(alignments.count) columns")
    rows.append(row)
  }

  /// The table, without a line feed at the end and without blanks at the ends of lines.
  var text: String {
    let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        if column > 0 { line += "  " }
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += alignments[column] == .left ? cell + padding : padding + cell
      }
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }
}
