internal import Kernels
internal import Mixing

/// Proxy runs: what each drew from every domain, and the losses that it ended with.
///
/// Shares come from people's tables and are rounded, so that they seldom sum to 1 exactly. Both
/// forms are kept: what was written, because published fits used that, and what it means.
package struct RunTable: Sendable, Equatable {
  /// The names of the runs `[run]`: what the joining column says, or the row, counted from 1.
  package let runNames: [String]
  /// The names of the domains `[domain]`, in the order of the mixtures' columns.
  package let domainNames: [String]
  /// The names of the losses `[loss]`.
  package let lossNames: [String]
  /// The shares as written `[run][domain]`, each in [0, 1 + tolerance].
  package let writtenShares: [[Double]]
  /// The shares divided by their sum `[run][domain]`, each in [0, 1].
  package let shares: [[Double]]
  /// The losses in nats per token `[loss][run]`.
  package let losses: [[Double]]
  /// Runs that only one of the two tables has, in the tables' order; they are left out.
  package let unmatchedRuns: [String]
  /// The files that the table is from.
  package let sources: [SourceFile]

  /// A file that was read, for provenance.
  package struct SourceFile: Sendable, Equatable, Codable {
    /// Where it was.
    package let path: String
    /// Its size.
    package let byteCount: Int
    /// XXH64 of its bytes, 16 hexadecimal digits.
    package let xxh64: String

    init(_ table: CSVTable) {
      path = table.path
      byteCount = table.byteCount
      let digits = String(table.fileChecksum, radix: 16)
      xxh64 = String(repeating: "0", count: 16 - digits.count) + digits
    }
  }

  /// How far from 1 the sum of written shares may be.
  ///
  /// Seventeen shares rounded to .001 are off by at most .0085; a row at 1.02 is a mistake.
  package static let sumTolerance = 0.01

  /// The largest loss that is believed, 1e6 nats per token.
  package static let lossLimit = 1e6

  /// Creates a table of numbers.
  ///
  /// - Parameters:
  ///   - runNames: the runs `[run]`; nil for their numbers from 1.
  ///   - domainNames: the domains `[domain]`, at least one.
  ///   - lossNames: the losses `[loss]`.
  ///   - writtenShares: `[run][domain]`, finite, ≥ 0, none all 0.
  ///   - losses: `[loss][run]`.
  /// - Precondition: the shapes agree and the shares are such.
  package init(
    runNames: [String]? = nil, domainNames: [String], lossNames: [String],
    writtenShares: [[Double]], losses: [[Double]]
  ) {
    precondition(losses.count == lossNames.count, "one row of losses for each name")
    precondition(losses.allSatisfy { $0.count == writtenShares.count }, "one loss for each run")
    self.runNames = runNames ?? writtenShares.indices.map { "\($0 + 1)" }
    precondition(self.runNames.count == writtenShares.count, "one name for each run")
    self.domainNames = domainNames
    self.lossNames = lossNames
    self.writtenShares = writtenShares
    shares = writtenShares.map { row in
      precondition(row.count == domainNames.count, "one share for each domain")
      let sum = row.reduce(0, +)
      precondition(sum > 0 && sum.isFinite, "shares sum to \(sum)")
      return row.map { $0 / sum }
    }
    self.losses = losses
    unmatchedRuns = []
    sources = []
  }

  private init(
    runNames: [String], mixtures: MixtureColumns, rows: [Int], lossNames: [String],
    losses: [[Double]], unmatchedRuns: [String], sources: [SourceFile]
  ) {
    self.runNames = runNames
    domainNames = mixtures.domainNames
    self.lossNames = lossNames
    writtenShares = rows.map { mixtures.written[$0] }
    shares = rows.map { row in
      let sum = mixtures.written[row].reduce(0, +)
      return mixtures.written[row].map { $0 / sum }
    }
    self.losses = losses
    self.unmatchedRuns = unmatchedRuns
    self.sources = sources
  }

  /// The number of runs.
  package var runCount: Int { runNames.count }
  /// K, the number of domains.
  package var domainCount: Int { domainNames.count }

  /// Returns the losses of one name.
  ///
  /// - Parameter name: one of ``lossNames``.
  /// - Returns: the losses `[run]`; nil if there is no such name.
  package func losses(named name: String) -> [Double]? {
    lossNames.firstIndex(of: name).map { losses[$0] }
  }

  /// Returns a table of some of the runs, in the order given.
  ///
  /// - Parameter runs: indexes in 0..<``runCount``; one may stand there again.
  /// - Returns: the table of those.
  package func selecting(_ runs: some Sequence<Int>) -> RunTable {
    let runs = Array(runs)
    return RunTable(
      runNames: runs.map { runNames[$0] }, domainNames: domainNames, lossNames: lossNames,
      writtenShares: runs.map { writtenShares[$0] },
      losses: losses.map { column in runs.map { column[$0] } })
  }
}

extension RunTable {
  /// How the rows of two tables find each other.
  package enum Join: Sendable, Equatable {
    /// By the column `index`, or the first column if it has no name; by row if neither table has
    /// one.
    case automatic
    /// By the column of this name.
    case column(String)
    /// The first row with the first, and so on.
    case row
  }

  /// Which columns of the tables are read, and how strictly.
  package struct Reading: Sendable {
    /// How the rows find each other.
    package var join = Join.automatic
    /// The columns of shares; nil for all of the mixtures' table but the joining one.
    package var domainColumns: [String]?
    /// The columns of losses; nil for all of the losses' table but the joining one.
    package var lossColumns: [String]?
    /// What is taken off the beginning of the domains' names where it stands there.
    package var domainPrefix = ""
    /// How far from 1 the sum of written shares may be.
    package var sumTolerance = RunTable.sumTolerance

    /// Creates the defaults.
    package init() {}
  }

  /// Reads a table of mixtures and one of losses; the two may be the same file.
  ///
  /// - Parameters:
  ///   - mixturesPath: the table with one column of shares for each domain.
  ///   - lossesPath: the table with one column for each loss.
  ///   - reading: which columns, and how strictly.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with the file, the line and the column.
  package init(
    mixturesPath: String, lossesPath: String, reading: Reading = Reading()
  ) throws(FittingError) {
    let mixtures = try CSVTable(atPath: mixturesPath)
    let losses = lossesPath == mixturesPath ? mixtures : try CSVTable(atPath: lossesPath)
    try self.init(mixtures: mixtures, losses: losses, reading: reading)
  }

  /// Joins a table of mixtures and one of losses.
  ///
  /// - Parameters:
  ///   - mixtures: has one column of shares for each domain.
  ///   - losses: has one column for each loss.
  ///   - reading: which columns, and how strictly.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with the file, the line and the column.
  package init(
    mixtures: CSVTable, losses: CSVTable, reading: Reading = Reading()
  ) throws(FittingError) {
    let join = try RunJoin(mixtures: mixtures, losses: losses, join: reading.join)
    let columns = try MixtureColumns(mixtures, reading: reading, indexColumn: join.mixtureIndex)
    let lossColumns = try Self.lossColumns(losses, reading: reading, index: join.lossIndex)
    guard !join.pairs.isEmpty else {
      throw .table(path: losses.path, line: nil, fault: .noRuns)
    }
    var values: [[Double]] = []
    for column in lossColumns {
      var one: [Double] = []
      one.reserveCapacity(join.pairs.count)
      for pair in join.pairs {
        one.append(try losses.number(row: pair.loss, column: column, in: 0...RunTable.lossLimit))
      }
      values.append(one)
    }
    let files = mixtures.path == losses.path ? [mixtures] : [mixtures, losses]
    self.init(
      runNames: join.pairs.map(\.name), mixtures: columns, rows: join.pairs.map(\.mixture),
      lossNames: lossColumns.map { losses.header[$0] }, losses: values,
      unmatchedRuns: join.unmatchedRuns, sources: files.map(SourceFile.init))
  }

  private static func lossColumns(
    _ table: CSVTable, reading: Reading, index: Int?
  ) throws(FittingError) -> [Int] {
    var columns = Array(table.header.indices).filter { $0 != index }
    if let names = reading.lossColumns {
      columns = []
      for name in names { columns.append(try table.column(name)) }
    } else if let domains = reading.domainColumns {
      columns.removeAll { domains.contains(table.header[$0]) }
    }
    guard !columns.isEmpty else { throw .table(path: table.path, line: 1, fault: .noColumns) }
    return columns
  }
}

/// The shares of one table, checked.
package struct MixtureColumns: Sendable {
  /// The names of the domains `[domain]`, without the prefix.
  package let domainNames: [String]
  /// The shares as written `[row][domain]`.
  package let written: [[Double]]

  /// Reads the columns of shares.
  ///
  /// - Parameters:
  ///   - table: what they stand in.
  ///   - reading: which columns, and how strictly.
  ///   - indexColumn: the column that names the runs, which is none of shares.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with the line and the column.
  package init(
    _ table: CSVTable, reading: RunTable.Reading, indexColumn: Int?
  ) throws(FittingError) {
    var columns = Array(table.header.indices).filter { $0 != indexColumn }
    if let names = reading.domainColumns {
      columns = []
      for name in names { columns.append(try table.column(name)) }
    }
    guard !columns.isEmpty else { throw .table(path: table.path, line: 1, fault: .noColumns) }
    let prefix = reading.domainPrefix
    domainNames = columns.map { column in
      let name = table.header[column]
      return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }
    if let name = Self.repeated(domainNames) {
      throw .table(path: table.path, line: 1, fault: .duplicateColumn(name: name))
    }
    let range = 0...1 + reading.sumTolerance
    var written: [[Double]] = []
    written.reserveCapacity(table.rows.count)
    for row in table.rows.indices {
      var shares: [Double] = []
      shares.reserveCapacity(columns.count)
      for column in columns {
        shares.append(try table.number(row: row, column: column, in: range))
      }
      let sum = shares.reduce(0, +)
      guard abs(sum - 1) <= reading.sumTolerance, sum > 0 else {
        throw .table(
          path: table.path, line: table.lines[row],
          fault: .shareSum(sum: sum, tolerance: reading.sumTolerance))
      }
      written.append(shares)
    }
    self.written = written
  }

  private static func repeated(_ names: [String]) -> String? {
    var seen: Set<String> = []
    return names.first { !seen.insert($0).inserted }
  }
}

/// Which row of one table belongs to which of another.
struct RunJoin {
  /// A run's name, its row among the mixtures, and its row among the losses.
  let pairs: [(name: String, mixture: Int, loss: Int)]
  /// Runs that one table lacks.
  let unmatchedRuns: [String]
  /// The column of the mixtures' table that names its runs; nil if it has none.
  let mixtureIndex: Int?
  /// The column of the losses' table that names its runs; nil if it has none.
  let lossIndex: Int?

  init(mixtures: CSVTable, losses: CSVTable, join: RunTable.Join) throws(FittingError) {
    mixtureIndex = try Self.indexColumn(of: mixtures, join: join)
    lossIndex = try Self.indexColumn(of: losses, join: join)
    guard join != .row, mixtureIndex != nil || lossIndex != nil else {
      guard mixtures.rows.count == losses.rows.count else {
        let fault = TableFault.rowCounts(
          found: losses.rows.count, other: mixtures.rows.count)
        throw .table(path: losses.path, line: nil, fault: fault)
      }
      pairs = mixtures.rows.indices.map { ("\($0 + 1)", $0, $0) }
      unmatchedRuns = []
      return
    }
    guard let mixtureIndex, let lossIndex else {
      let (lacking, other, column) =
        mixtureIndex == nil ? (mixtures, losses, lossIndex) : (losses, mixtures, mixtureIndex)
      let name = column.map { other.header[$0] } ?? ""
      throw .table(path: lacking.path, line: 1, fault: .joinColumnMissing(name: name))
    }
    let lossRows = try Self.rows(of: losses, byColumn: lossIndex)
    let mixtureRows = try Self.rows(of: mixtures, byColumn: mixtureIndex)
    var pairs: [(name: String, mixture: Int, loss: Int)] = []
    var unmatched: [String] = []
    for (row, cells) in mixtures.rows.enumerated() {
      let name = cells[mixtureIndex]
      if let loss = lossRows[name] {
        pairs.append((name, row, loss))
      } else {
        unmatched.append(name)
      }
    }
    unmatched += losses.rows.map { $0[lossIndex] }.filter { mixtureRows[$0] == nil }
    self.pairs = pairs
    unmatchedRuns = unmatched
  }

  /// The column that names a table's runs.
  static func indexColumn(
    of table: CSVTable, join: RunTable.Join
  ) throws(FittingError) -> Int? {
    if case .column(let name) = join { return try table.column(name) }
    // An index is no share even where it does not join.
    if let named = table.header.firstIndex(of: "index") { return named }
    return table.header.firstIndex(of: "")
  }

  private static func rows(
    of table: CSVTable, byColumn column: Int
  ) throws(FittingError) -> [String: Int] {
    var rows: [String: Int] = [:]
    for (row, cells) in table.rows.enumerated() {
      guard rows.updateValue(row, forKey: cells[column]) == nil else {
        throw .table(
          path: table.path, line: table.lines[row], fault: .duplicateRun(name: cells[column]))
      }
    }
    return rows
  }
}
