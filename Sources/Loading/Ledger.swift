internal import Corpora
public import Mixing

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// The first line of a ledger: what every line is to be read with.
public struct LedgerHeader: Sendable, Equatable, Codable {
  /// The ledger's format version.
  public var headraceLedger: Int
  /// The corpus and the configuration that decide order and draw.
  public var identity: LoaderIdentity

  private enum CodingKeys: String, CodingKey {
    case identity
    case headraceLedger = "headrace_ledger"
  }
}

/// One step in a ledger.
///
/// One line makes its batch again; all lines make the run again.
public struct LedgerLine: Sendable, Equatable, Codable {
  /// The step, counted from 1.
  public var step: Int
  /// B, the rows of the batch.
  public var rows: Int
  /// The draws of the run before this step, for the multinomial draw.
  public var drawCount: Int
  /// The asked mixture, in parts of 2^48, `[domain]`.
  public var asked: [Int64]
  /// The effective mixture at the beginning of the batch, in parts of 2^48, `[domain]`.
  public var effective: [Int64]
  /// How many sequences each domain had given before this step, `[domain]`.
  public var positions: [Int]
  /// What each domain was owed before this step, in parts of 2^48 draws, `[domain]`.
  public var credits: [Int64]
  /// The rows that each domain gave, `[domain]`.
  public var drawn: [Int]
  /// Why the mixture was what it was.
  public var reason: String
  /// The step of the last feedback that the policy had observed; 0 if none.
  public var lastObservedStep: Int
  /// The feedback that was observed since the line before.
  public var feedback: [Feedback]
  /// How often invalid feedback had been refused.
  public var refusedFeedbackCount: Int

  private enum CodingKeys: String, CodingKey {
    case step, rows, asked, effective, positions, credits, drawn, reason, feedback
    case drawCount = "draw_count"
    case lastObservedStep = "last_observed_step"
    case refusedFeedbackCount = "refused_feedback_count"
  }
}

/// What is wrong with a ledger line that decodes.
private enum LedgerFault: Error, CustomStringConvertible {
  case version(found: Int, supported: Int)
  case step(found: Int, expected: Int)
  case domainCount(expected: Int)
  case shares
  case rows

  var description: String {
    switch self {
    case .version(let found, let supported):
      "it has version \(found); this program reads version \(supported)"
    case .step(let found, let expected): "its step is \(found), but \(expected) must follow"
    case .domainCount(let expected): "its arrays do not all have \(expected) values, one per domain"
    case .shares: "a mixture's parts are negative or do not sum to 2^48"
    case .rows: "its rows, positions or draws contradict each other"
    }
  }
}

extension LedgerLine {
  /// Checks what a reader relies on: lengths, sums, and that steps follow each other.
  fileprivate func check(after previous: LedgerLine?, domainCount: Int) throws(LedgerFault) {
    let expected = (previous?.step ?? 0) + 1
    guard step == expected else { throw .step(found: step, expected: expected) }
    let lengths = [asked.count, effective.count, positions.count, credits.count, drawn.count]
    guard lengths.allSatisfy({ $0 == domainCount }) else {
      throw .domainCount(expected: domainCount)
    }
    for shares in [asked, effective] {
      let isMixture =
        shares.allSatisfy { (0...Mixture.one).contains($0) }
        && shares.reduce(0, &+) == Mixture.one
      guard isMixture else { throw .shares }
    }
    let isSound =
      rows >= 1 && drawCount >= 0 && positions.allSatisfy { $0 >= 0 }
      && drawn.allSatisfy { (0...rows).contains($0) } && drawn.reduce(0, &+) == rows
      && credits.reduce(0, &+) == 0
    guard isSound else { throw .rows }
  }
}

/// A recorded run, read whole.
public struct Ledger: Sendable {
  /// What every line is to be read with.
  public let header: LedgerHeader
  /// The steps, in order.
  public let lines: [LedgerLine]

  static let version = 1
  /// A longer line is taken for damage.
  private static let lineByteLimit = 1 << 26

  /// Reads the ledger at `path`.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``LoadingError/ledgerDamaged(path:line:reason:)`` for a line that does not decode or
  ///   contradicts the header or the line before it, or ``LoadingError/corpus(_:)`` if the file
  ///   cannot be read. A torn last line, without its line feed, is left out.
  public init(at path: String) throws(LoadingError) {
    var lines: [LedgerLine] = []
    var header: LedgerHeader?
    try Self.forEachLine(of: path) { (line, number) throws(LoadingError) in
      do {
        guard let header else {
          header = try Self.header(from: Data(line))
          return
        }
        let decoded = try JSONDecoder().decode(LedgerLine.self, from: Data(line))
        try decoded.check(after: lines.last, domainCount: header.identity.domains.count)
        lines.append(decoded)
      } catch {
        throw .ledgerDamaged(path: path, line: number, reason: "\(error)")
      }
    }
    guard let header else {
      throw .ledgerDamaged(path: path, line: 1, reason: "there is no whole line")
    }
    self.header = header
    self.lines = lines
  }

  /// Calls `body` with every whole line, without its line feed, and its number from 1.
  private static func forEachLine(
    of path: String, _ body: (ArraySlice<UInt8>, Int) throws(LoadingError) -> Void
  ) throws(LoadingError) {
    let file: FileReader
    do throws(CorpusError) { file = try FileReader(path: path) } catch { throw .corpus(error) }
    var pending: [UInt8] = []
    var (position, number) = (0, 0)
    while position < file.byteCount {
      let count = min(1 << 20, file.byteCount - position)
      do throws(CorpusError) { pending += try file.bytes(at: position, count: count) } catch {
        throw .corpus(error)
      }
      position += count
      var begin = 0
      while let end = pending[begin...].firstIndex(of: UInt8(ascii: "\n")) {
        number += 1
        try body(pending[begin..<end], number)
        begin = end + 1
      }
      pending.removeFirst(begin)
      guard pending.count <= lineByteLimit else {
        throw .ledgerDamaged(path: path, line: number + 1, reason: "the line does not end")
      }
    }
  }

  /// Decodes a header; the version is looked at before anything else.
  private static func header(from line: Data) throws -> LedgerHeader {
    struct Head: Codable {
      var headrace_ledger: Int
    }
    let found = try JSONDecoder().decode(Head.self, from: line).headrace_ledger
    guard found == version else { throw LedgerFault.version(found: found, supported: version) }
    return try JSONDecoder().decode(LedgerHeader.self, from: line)
  }

  /// Reads the first line of the ledger at `path`, of which `byteCount` bytes are valid.
  static func header(at path: String, byteCount: Int) throws(LoadingError) -> LedgerHeader {
    var line: ArraySlice<UInt8> = []
    do throws(CorpusError) {
      let file = try FileReader(path: path)
      var count = 0
      repeat {
        count = min(byteCount, max(1 << 16, 2 * count))
        let bytes = try file.bytes(at: 0, count: count)
        line = bytes.prefix { $0 != UInt8(ascii: "\n") }
      } while line.count == count && count < byteCount
    } catch {
      throw .corpus(error)
    }
    do {
      return try header(from: Data(line))
    } catch {
      throw .ledgerDamaged(path: path, line: 1, reason: "\(error)")
    }
  }
}
