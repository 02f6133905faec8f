#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// Finds one step in a ledger without decoding the others.
///
/// Steps stand in increasing order, each in a line of its own that begins with its number; a header
/// line holds for the lines after it, up to the next header. So a search reads the file from its
/// beginning, looks at the first bytes of each line, and decodes two of them.
struct LedgerSearch {
  /// What was found.
  struct Finding {
    /// The header that holds for the step.
    var header: LedgerHeader
    /// The step's line.
    var line: LedgerLine
    /// The number of the step's line, counted from 1.
    var number: Int
  }

  private let path: String
  private let step: Int
  /// The bytes of the last header line, and its number.
  private var header: (bytes: [UInt8], number: Int)?
  private var lastStep: Int?
  private var found: Finding?

  private static let headerBeginning = Array("{\"headrace_ledger\"".utf8)
  private static let stepBeginning = Array("{\"step\":".utf8)

  /// Searches the ledger at `path` for `step`.
  ///
  /// - Throws: ``LoadingError/ledgerStepMissing(path:step:last:)``, or
  ///   ``LoadingError/ledgerDamaged(path:line:reason:)`` for the lines that it decodes.
  static func find(step: Int, inLedgerAt path: String) throws(LoadingError) -> Finding {
    var search = LedgerSearch(path: path, step: step)
    try Ledger.forEachLine(of: path) { (line, number) throws(LoadingError) in
      try search.look(at: line, number: number)
    }
    guard let found = search.found else {
      throw .ledgerStepMissing(path: path, step: step, last: search.lastStep)
    }
    return found
  }

  private init(path: String, step: Int) {
    self.path = path
    self.step = step
  }

  /// Takes in one line; true if no later one can be the step's.
  private mutating func look(at line: ArraySlice<UInt8>, number: Int) throws(LoadingError) -> Bool {
    if line.starts(with: Self.headerBeginning) {
      header = (Array(line), number)
      return false
    }
    guard let header else {
      throw .ledgerDamaged(path: path, line: number, reason: "it comes before any header")
    }
    let found = try Self.step(of: line, path: path, number: number)
    guard found >= step else {
      lastStep = found
      return false
    }
    guard found == step else { return true }
    do {
      let decoded = try JSONDecoder().decode(LedgerLine.self, from: Data(line))
      // Digits at the beginning may be those of a fraction, and a second key may follow.
      guard decoded.step == step else {
        throw LedgerFault.step(found: decoded.step, expected: step)
      }
      self.found = Finding(
        header: try Ledger.header(from: Data(header.bytes)), line: decoded, number: number)
    } catch {
      throw .ledgerDamaged(path: path, line: number, reason: LedgerFault.reason(error))
    }
    return true
  }

  /// Reads the number that a line begins with; a line of another writer is decoded for it.
  static func step(of line: ArraySlice<UInt8>, path: String, number: Int)
    throws(LoadingError) -> Int
  {
    struct Numbered: Codable {
      var step: Int
    }
    if line.starts(with: stepBeginning) {
      let digits = line.dropFirst(stepBeginning.count)
        .prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      if let step = Int(String(decoding: digits, as: UTF8.self)) { return step }
    }
    do {
      return try JSONDecoder().decode(Numbered.self, from: Data(line)).step
    } catch {
      throw .ledgerDamaged(path: path, line: number, reason: LedgerFault.reason(error))
    }
  }
}
