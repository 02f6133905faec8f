#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What can be wrong with a table of runs, or with a file that a fit left behind.
public enum TableFault: Error, Sendable, Equatable {
  /// The system does not give the file.
  case unreadable(errorNumber: Int32)
  /// More bytes than any such file has.
  case tooLarge(byteLimit: Int)
  /// No header.
  case empty
  /// Bytes that are no UTF-8.
  case notText
  /// A quoted cell that does not end.
  case openQuote
  /// A quote inside a cell that is not quoted, or something behind a closing quote.
  case strayQuote
  /// More lines than a table may have.
  case tooManyLines(limit: Int)
  /// More columns than a table may have.
  case tooManyColumns(limit: Int)
  /// A row with another number of cells than the header.
  case rowWidth(expected: Int, found: Int)
  /// A name that two columns have.
  case duplicateColumn(name: String)
  /// A column that is asked for and not there.
  case unknownColumn(name: String, near: [String])
  /// A cell that should hold a number.
  case noNumber(column: String, text: String)
  /// A number where it cannot be.
  case numberOutOfRange(column: String, value: Double, range: ClosedRange<Double>)
  /// Shares whose sum is too far from 1.
  case shareSum(sum: Double, tolerance: Double)
  /// No columns that could be domains, or losses.
  case noColumns
  /// No row, or none that the other table has, too.
  case noRuns
  /// A run that stands in the table twice.
  case duplicateRun(name: String)
  /// Only one of two tables has the column that joins them.
  case joinColumnMissing(name: String)
  /// Two tables that are joined by row have different numbers of rows.
  case rowCounts(found: Int, other: Int)
  /// Domains that are not those of the fit.
  case missingDomains(names: [String])
  /// A stored fit that this program cannot read.
  case storedFit(reason: String)
}

extension TableFault: CustomStringConvertible {
  /// What was found and what to do, without the file and the line.
  public var description: String {
    fileText ?? shapeText ?? cellText
  }

  private var fileText: String? {
    switch self {
    case .unreadable(let errorNumber): "cannot be read: \(String(cString: strerror(errorNumber)))"
    case .tooLarge(let limit): "larger than \(limit) bytes, the most that are read"
    case .empty: "empty; the first line has to name the columns"
    case .notText: "a cell is not UTF-8 text; save the table as UTF-8"
    case .openQuote: "a quote opens here and nowhere closes"
    case .strayQuote:
      "a quote in the middle of a cell; put the whole cell in quotes and double those inside"
    case .tooManyLines(let limit): "more than \(limit) lines, the most that are read"
    case .tooManyColumns(let limit): "more than \(limit) columns, the most that are read"
    case .storedFit(let reason): "not the models of a fit: \(reason)"
    default: nil
    }
  }

  private var shapeText: String? {
    switch self {
    case .rowWidth(let expected, let found):
      "\(found) cells, but the header names \(expected) columns"
    case .duplicateColumn(let name):
      name.isEmpty
        ? "two columns have no name; only one may, the index"
        : "two columns are named '\(name)'; rename one"
    case .unknownColumn(let name, let near):
      "no column '\(name)'" + (near.isEmpty ? "" : "; did you mean \(quoted(near, or: true))?")
    case .noColumns: "no column of shares or losses besides the index"
    case .noRuns: "no run that has both a mixture and a loss"
    case .duplicateRun(let name): "run '\(name)' stands here a second time; every run has one row"
    case .joinColumnMissing(let name):
      "no column '\(name)', by which the other table's runs are known; add it, or join by row"
    case .rowCounts(let found, let other):
      "\(found) rows, but the other table has \(other), and they are joined by row"
    case .missingDomains(let names):
      "no column for \(names.count == 1 ? "domain" : "domains") \(quoted(names, or: false)); "
        + "a domain that was not drawn has share 0"
    default: nil
    }
  }

  private var cellText: String {
    switch self {
    case .noNumber(let column, let text): "column '\(column)' has '\(text)', which is no number"
    case .numberOutOfRange(let column, let value, let range):
      "column '\(column)' has \(value), which is not in \(range.lowerBound)…\(range.upperBound)"
    case .shareSum(let sum, let tolerance):
      "the shares sum to \(sum), not 1 (within \(tolerance)); correct them, or allow a larger "
        + "distance if they are in proportion"
    default: ""
    }
  }

  private func quoted(_ names: [String], or: Bool) -> String {
    let shown = names.prefix(5).map { "'\($0)'" }.joined(separator: or ? " or " : ", ")
    return names.count > 5 ? shown + " and \(names.count - 5) more" : shown
  }
}
