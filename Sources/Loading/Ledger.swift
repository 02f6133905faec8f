internal import Corpora
public import Mixing

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// A line of a ledger that says what the lines behind it are to be read with.
///
/// The first line is one. There is another wherever a run went on over a changed corpus.
public struct LedgerHeader: Sendable, Equatable, Codable {
  /// The ledger's format version.
  public var headraceLedger: Int
  /// The corpus and the configuration that decide order and draw.
  public var identity: LoaderIdentity
  /// The step behind which these lines follow; nil at the beginning of a run.
  public var resumedAfterStep: Int?
  /// How the domains differ from those that the run was begun or went on with before; nil if they
  /// do not.
  public var corpusChange: CorpusChange?

  // The version's key must stay the first in the order of the alphabet: readers look at the first
  // bytes of a line.
  private enum CodingKeys: String, CodingKey {
    case identity
    case headraceLedger = "headrace_ledger"
    case resumedAfterStep = "resumed_after_step"
    case corpusChange = "resumed_with_change"
  }

  /// What every header begins with.
  static let prefix = Array("{\"headrace_ledger\":".utf8)

  init(identity: LoaderIdentity, resumedAfterStep: Int = 0, corpusChange: CorpusChange? = nil) {
    headraceLedger = Ledger.version
    self.identity = identity
    self.resumedAfterStep = resumedAfterStep > 0 ? resumedAfterStep : nil
    self.corpusChange = corpusChange
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
  /// What the policy took each domain to be worth, `[domain]`, in its own unit; nil if it knew no
  /// such thing.
  public var rewards: [Double]?
  /// The damaged frames that were skipped, whole; nil for none.
  public var quarantine: Quarantine?

  private enum CodingKeys: String, CodingKey {
    case step, rows, asked, effective, positions, credits, drawn, reason, feedback, quarantine
    case rewards
    case drawCount = "draw_count"
    case lastObservedStep = "last_observed_step"
    case refusedFeedbackCount = "refused_feedback_count"
  }
}

/// What is wrong with a ledger line that decodes.
enum LedgerFault: Error, CustomStringConvertible {
  case version(found: Int, supported: Int)
  case step(found: Int, expected: Int)
  case domainCount(expected: Int)
  case shares
  case rows
  case header(String)
  case headerMissing

  var description: String {
    switch self {
    case .version(let found, let supported):
      "it has version \(found); this program reads version \(supported)"
    case .step(let found, let expected): "its step is \(found), but \(expected) must follow"
    case .domainCount(let expected): "its arrays do not all have \(expected) values, one per domain"
    case .headerMissing: "it is no header, with which a ledger begins"
    case .shares: "a mixture's parts are negative or do not sum to 2^48"
    case .header(let reason): "it does not follow from the lines before it: \(reason)"
    case .rows: "its rows, positions or draws contradict each other"
    }
  }

  /// What is wrong with a line, in words, whatever found it.
  static func reason(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    let (context, text): (DecodingError.Context, String?) =
      switch error {
      case .keyNotFound(let key, let context): (context, "it has no \"\(key.stringValue)\"")
      case .valueNotFound(_, let context), .typeMismatch(_, let context): (context, nil)
      case .dataCorrupted(let context):
        (context, context.codingPath.isEmpty ? "it is no JSON" : nil)
      @unknown default: (DecodingError.Context(codingPath: [], debugDescription: "\(error)"), nil)
      }
    let place = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
      .joined(separator: ".")
    return (place.isEmpty ? "" : "\(place): ") + (text ?? context.debugDescription)
  }
}

extension LedgerLine {
  /// Checks what a reader of all lines relies on: that steps follow each other, and each line.
  fileprivate func check(afterStep step: Int, domainCount: Int) throws(LedgerFault) {
    let expected = step + 1
    guard self.step == expected else { throw .step(found: self.step, expected: expected) }
    try check(domainCount: domainCount)
  }

  /// Checks what a reader of this line relies on: lengths and sums.
  func check(domainCount: Int) throws(LedgerFault) {
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
      && credits.reduce(0, &+) == 0 && quarantine?.isSound ?? true
      && rewards.map { $0.count == domainCount } ?? true
    guard isSound else { throw .rows }
  }
}

extension LedgerHeader {
  /// Checks what a reader relies on: that the header is sound, and follows from what stands before.
  fileprivate func check(after previous: LedgerHeader?, step: Int) throws {
    guard !identity.domains.isEmpty,
      Set(identity.domains.map(\.name)).count == identity.domains.count
    else { throw LedgerFault.header("its domains have no names of their own") }
    let resumed = resumedAfterStep ?? 0
    guard (0...Ledger.stepLimit).contains(resumed) else {
      throw LedgerFault.header("no run resumes after step \(resumed)")
    }
    guard let previous else { return }
    guard resumed == step else { throw LedgerFault.step(found: resumed, expected: step) }
    var found = try previous.identity.change(to: identity)
    found.lastFeedback = corpusChange?.lastFeedback ?? []
    guard !found.isEmpty, found == corpusChange else {
      throw LedgerFault.header("what it says has changed is not what has changed")
    }
  }
}

/// A recorded run, read whole.
public struct Ledger: Sendable {
  /// The lines between one header and the next.
  public struct Section: Sendable {
    /// What the lines are to be read with.
    public let header: LedgerHeader
    /// The steps, in order.
    public let lines: ArraySlice<LedgerLine>
  }

  /// The sections: one, unless the run went on over a changed corpus.
  public let sections: [Section]
  /// What the last lines are to be read with, and all of them where there is one section.
  public let header: LedgerHeader
  /// The steps of all sections, in order.
  public let lines: [LedgerLine]

  static let version = 1
  /// A larger step is taken for damage; one can be added to any other.
  fileprivate static let stepLimit = 1 << 60
  /// A longer line is taken for damage.
  static let lineByteLimit = 1 << 26

  /// Reads the ledger at `path`.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``LoadingError/ledgerDamaged(path:line:reason:)`` for a line that does not decode or
  ///   contradicts the header or the line before it, or ``LoadingError/corpus(_:)`` if the file
  ///   cannot be read. A torn last line, without its line feed, is left out.
  public init(at path: String) throws(LoadingError) {
    var lines: [LedgerLine] = []
    var headers: [(header: LedgerHeader, lineCount: Int)] = []
    try Self.forEachLine(of: path) { (line, number) throws(LoadingError) in
      do {
        let step = lines.last?.step ?? headers.first?.header.resumedAfterStep ?? 0
        guard let header = headers.last?.header, !line.starts(with: LedgerHeader.prefix) else {
          let header = try Self.header(from: Data(line))
          try header.check(after: headers.last?.header, step: step)
          headers.append((header, lines.count))
          return false
        }
        let decoded = try JSONDecoder().decode(LedgerLine.self, from: Data(line))
        try decoded.check(afterStep: step, domainCount: header.identity.domains.count)
        lines.append(decoded)
        return false
      } catch {
        throw .ledgerDamaged(path: path, line: number, reason: LedgerFault.reason(error))
      }
    }
    guard let last = headers.last else {
      throw .ledgerDamaged(path: path, line: 1, reason: "there is no whole line")
    }
    let ends = headers.dropFirst().map(\.lineCount) + [lines.count]
    sections = zip(headers, ends).map {
      Section(header: $0.header, lines: lines[$0.lineCount..<$1])
    }
    header = last.header
    self.lines = lines
  }

  /// The bytes that an inner product of gradients takes in a line on average, or somewhat more: 20
  /// to 24 were measured, with the comma.
  private static let numberByteCount = 18

  /// Refuses a ledger whose lines no reader would take, as far as that is known before the first
  /// step: K² inner products stand in each line if the policy reads them.
  ///
  /// - Parameters:
  ///   - path: the ledger.
  ///   - needs: what the policy reads of the feedback.
  ///   - domainCount: K.
  /// - Throws: ``LoadingError/ledgerLineTooLong(path:byteCount:limit:)``.
  package static func checkLineLength(
    ofLedgerAt path: String, needs: FeedbackNeeds, domainCount: Int
  ) throws(LoadingError) {
    guard needs.gram else { return }
    let byteCount = domainCount * domainCount * numberByteCount
    guard byteCount <= lineByteLimit else {
      throw .ledgerLineTooLong(path: path, byteCount: byteCount, limit: lineByteLimit)
    }
  }

  /// Calls `body` with every whole line, without its line feed, and its number from 1, until it
  /// returns that it has seen enough.
  static func forEachLine(
    of path: String, _ body: (ArraySlice<UInt8>, Int) throws(LoadingError) -> Bool
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
        guard try !body(pending[begin..<end], number) else { return }
        begin = end + 1
      }
      pending.removeFirst(begin)
      guard pending.count <= lineByteLimit else {
        throw .ledgerDamaged(path: path, line: number + 1, reason: "the line does not end")
      }
    }
  }

  /// Decodes a header; the version is looked at before anything else.
  static func header(from line: Data) throws -> LedgerHeader {
    struct Head: Codable {
      var headrace_ledger: Int?
    }
    guard let found = try JSONDecoder().decode(Head.self, from: line).headrace_ledger else {
      throw LedgerFault.headerMissing
    }
    guard found == version else { throw LedgerFault.version(found: found, supported: version) }
    return try JSONDecoder().decode(LedgerHeader.self, from: line)
  }

  /// Reads the header that begins at `byteOffset` of the ledger at `path`, of which `byteCount`
  /// bytes are valid.
  static func header(at path: String, byteOffset: Int, byteCount: Int) throws(LoadingError)
    -> LedgerHeader
  {
    var line: ArraySlice<UInt8> = []
    do throws(CorpusError) {
      let file = try FileReader(path: path)
      let limit = byteCount - byteOffset
      var count = 0
      repeat {
        count = min(limit, max(1 << 16, 2 * count))
        let bytes = try file.bytes(at: byteOffset, count: count)
        line = bytes.prefix { $0 != UInt8(ascii: "\n") }
      } while line.count == count && count < min(limit, lineByteLimit)
    } catch {
      throw .corpus(error)
    }
    do {
      return try header(from: Data(line))
    } catch {
      guard byteOffset > 0 else {
        throw .ledgerDamaged(path: path, line: 1, reason: LedgerFault.reason(error))
      }
      throw .ledgerHeaderDamaged(
        path: path, byteOffset: byteOffset, reason: LedgerFault.reason(error))
    }
  }
}
