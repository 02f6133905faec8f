internal import Corpora
public import Mixing

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif
#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
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
enum LedgerFault: Error, CustomStringConvertible {
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
  /// Checks what a reader of all lines relies on: that steps follow each other, and each line.
  fileprivate func check(after previous: LedgerLine?, domainCount: Int) throws(LedgerFault) {
    let expected = (previous?.step ?? 0) + 1
    guard step == expected else { throw .step(found: step, expected: expected) }
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
  static let lineByteLimit = 1 << 26

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
  static func header(from line: Data) throws -> LedgerHeader {
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

/// Appends lines to a ledger.
///
/// A line is one `write`. It becomes durable with ``synchronize()``, which a checkpoint that speaks
/// of it must come after.
final class LedgerWriter {
  let path: String
  private(set) var byteCount: Int
  private let descriptor: Int32
  private var buffer: [UInt8] = []

  /// Begins a ledger at `path`, where none may stand.
  init(newAt path: String, identity: LoaderIdentity) throws(LoadingError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    if descriptor < 0, errno == EEXIST { throw .ledgerExists(path: path) }
    guard descriptor >= 0 else { throw .corpus(.cannotOpen(path: path, code: errno)) }
    self.path = path
    self.descriptor = descriptor
    byteCount = 0
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let header = LedgerHeader(headraceLedger: Ledger.version, identity: identity)
      buffer = Array(try encoder.encode(header))
    } catch {
      preconditionFailure("a ledger header did not encode: \(error)")
    }
    buffer.append(UInt8(ascii: "\n"))
    do throws(LoadingError) {
      try flush()
      do throws(CorpusError) { try DurableFile.synchronizeFolder(of: path) } catch {
        throw .corpus(error)
      }
    } catch {
      // What never was a ledger must not keep the next attempt from beginning one.
      unlink(path)
      throw error
    }
  }

  /// Goes on with the ledger at `path` after `byteCount` bytes; what stands behind them is cut off.
  ///
  /// - Returns: Through `cutByteCount`, how many bytes were cut off, and whether the last line was
  ///   torn.
  init(
    resuming path: String, identity: LoaderIdentity, byteCount: Int,
    cut: inout (byteCount: Int, isTorn: Bool)
  ) throws(LoadingError) {
    let descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else { throw .corpus(.cannotOpen(path: path, code: errno)) }
    self.path = path
    self.descriptor = descriptor
    self.byteCount = byteCount
    let size = Int(lseek(descriptor, 0, SEEK_END))
    guard size >= byteCount, byteCount > 0, lastByte(at: byteCount) == UInt8(ascii: "\n") else {
      throw .ledgerTooShort(path: path, byteCount: size, recorded: byteCount)
    }
    let header = try Ledger.header(at: path, byteCount: byteCount)
    do throws(LoadingError) {
      try header.identity.requireSame(as: identity)
    } catch {
      guard case .checkpointDiffers(let field, let recorded, let configured) = error else {
        throw error
      }
      throw .ledgerDiffers(path: path, field: field, recorded: recorded, configured: configured)
    }
    cut = (size - byteCount, size > byteCount && lastByte(at: size) != UInt8(ascii: "\n"))
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw .corpus(.cannotWrite(path: path, byteOffset: byteCount, code: errno))
    }
  }

  deinit {
    close(descriptor)
  }

  /// The byte before `end`.
  private func lastByte(at end: Int) -> UInt8? {
    var byte: UInt8 = 0
    return pread(descriptor, &byte, 1, off_t(end - 1)) == 1 ? byte : nil
  }

  /// Appends the line of the step that `batch` describes; numbers are written without allocating.
  func append(
    _ batch: BatchStorage, creditsBefore: UnsafeMutableBufferPointer<Int64>, drawCount: Int,
    feedback: [Feedback]
  )
    throws(LoadingError)
  {
    buffer.removeAll(keepingCapacity: true)
    appendField("{\"step\":", batch.step)
    appendField(",\"rows\":", batch.rowCount)
    appendField(",\"draw_count\":", drawCount)
    appendArray(",\"asked\":[", batch.moment.mixture.integerShares)
    appendArray(",\"effective\":[", batch.effectiveShares)
    appendArray(",\"positions\":[", batch.positionsBefore)
    appendArray(",\"credits\":[", creditsBefore)
    appendArray(",\"drawn\":[", batch.rowCounts)
    append(",\"reason\":")
    appendQuoted(batch.moment.reason)
    appendField(",\"last_observed_step\":", batch.lastObservedStep)
    appendField(",\"refused_feedback_count\":", batch.refusedFeedbackCount)
    append(",\"feedback\":[")
    for (index, report) in feedback.enumerated() {
      if index > 0 { append(",") }
      appendFeedback(report)
    }
    append("]}\n")
    try flush()
  }

  /// Makes all lines so far durable.
  func synchronize() throws(LoadingError) {
    guard fsync(descriptor) == 0 else {
      throw .corpus(.cannotWrite(path: path, byteOffset: byteCount, code: errno))
    }
  }

  private func flush() throws(LoadingError) {
    do throws(CorpusError) {
      try writeAll(buffer, to: descriptor, path: path, at: byteCount)
    } catch {
      // Half a line must not stay: the next one would be glued to it.
      _ = ftruncate(descriptor, off_t(byteCount))
      throw .corpus(error)
    }
    byteCount += buffer.count
  }

  private func append(_ text: StaticString) {
    text.withUTF8Buffer { buffer.append(contentsOf: $0) }
  }

  private func appendField(_ name: StaticString, _ value: Int) {
    append(name)
    appendNumber(Int64(value))
  }

  private func appendArray<Values: Sequence>(_ name: StaticString, _ values: Values)
  where Values.Element: BinaryInteger {
    append(name)
    var isFirst = true
    for value in values {
      if !isFirst { buffer.append(UInt8(ascii: ",")) }
      isFirst = false
      appendNumber(Int64(value))
    }
    buffer.append(UInt8(ascii: "]"))
  }

  private func appendNumber(_ value: Int64) {
    if value < 0 { buffer.append(UInt8(ascii: "-")) }
    // From the highest digit on: reversing a slice in place would copy the whole line.
    let magnitude = value.magnitude
    var unit: UInt64 = 1
    while magnitude / unit >= 10 { unit *= 10 }
    while unit > 0 {
      buffer.append(UInt8(ascii: "0") + UInt8(magnitude / unit % 10))
      unit /= 10
    }
  }

  private func appendQuoted(_ text: String) {
    buffer.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        buffer.append(UInt8(ascii: "\\"))
        buffer.append(byte)
      case 0..<0x20:
        append("\\u00")
        let digits = Array("0123456789abcdef".utf8)
        buffer.append(digits[Int(byte >> 4)])
        buffer.append(digits[Int(byte & 15)])
      default: buffer.append(byte)
      }
    }
    buffer.append(UInt8(ascii: "\""))
  }

  private func appendFeedback(_ feedback: Feedback) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    do {
      buffer += try encoder.encode(feedback)
    } catch {
      // Feedback is validated before it comes here, so every number is finite.
      preconditionFailure("feedback did not encode: \(error)")
    }
  }
}
