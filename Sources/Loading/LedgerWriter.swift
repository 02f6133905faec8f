internal import Corpora
internal import Mixing

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

/// Appends lines to a ledger.
///
/// A line is one `write`. It becomes durable with ``synchronize()``, which a checkpoint that speaks
/// of it must come after.
///
/// Of several ranks only the first writes. The others count the bytes that it writes, so that
/// checkpoints are the same on all of them.
final class LedgerWriter {
  let path: String
  private(set) var byteCount: Int
  /// Where the last header begins.
  private(set) var headerByteOffset = 0
  /// The open file; nil where bytes are only counted.
  private let descriptor: Int32?
  private var buffer: [UInt8] = []
  /// Whether the file may hold a part of a line behind its whole ones.
  private var isTorn = false
  /// The quarantine list of the last line, and its text.
  private var quarantine: (list: Quarantine, text: [UInt8]) = (Quarantine(), [])

  /// Begins a ledger at `path`, where none may stand.
  init(newAt path: String, header: LedgerHeader) throws(LoadingError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    if descriptor < 0, errno == EEXIST { throw .ledgerExists(path: path) }
    guard descriptor >= 0 else { throw .corpus(.cannotOpen(path: path, code: errno)) }
    self.path = path
    self.descriptor = descriptor
    byteCount = 0
    do throws(LoadingError) {
      try append(header)
      do throws(CorpusError) { try DurableFile.synchronizeFolder(of: path) } catch {
        throw .corpus(error)
      }
    } catch {
      // What never was a ledger must not keep the next attempt from beginning one.
      unlink(path)
      throw error
    }
  }

  /// Goes on with the ledger of a checkpoint at `path`; what stands behind its last line is cut
  /// off.
  ///
  /// - Returns: Through `cutByteCount`, how many bytes were cut off, and whether the last line was
  ///   torn.
  init(
    resuming path: String, from checkpoint: LoaderCheckpoint,
    cut: inout (byteCount: Int, isTorn: Bool)
  ) throws(LoadingError) {
    let byteCount = checkpoint.ledgerByteCount
    let descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else { throw .corpus(.cannotOpen(path: path, code: errno)) }
    self.path = path
    self.descriptor = descriptor
    self.byteCount = byteCount
    headerByteOffset = checkpoint.ledgerHeaderByteOffset
    let size = Int(lseek(descriptor, 0, SEEK_END))
    guard size >= byteCount, byteCount > 0,
      Self.lastByte(of: descriptor, at: byteCount) == UInt8(ascii: "\n")
    else {
      throw .ledgerTooShort(path: path, byteCount: size, recorded: byteCount)
    }
    let header = try Ledger.header(
      at: path, byteOffset: headerByteOffset, byteCount: byteCount)
    do throws(LoadingError) {
      try header.identity.requireSame(as: checkpoint.identity)
    } catch {
      switch error {
      case .checkpointDiffers(let field, let recorded, let configured):
        throw .ledgerDiffers(path: path, field: field, recorded: recorded, configured: configured)
      case .corpusChanged(let change): throw .ledgerCorpusDiffers(path: path, change)
      default: throw error
      }
    }
    cut = (
      size - byteCount,
      size > byteCount && Self.lastByte(of: descriptor, at: size) != UInt8(ascii: "\n")
    )
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw .corpus(.cannotWrite(path: path, byteOffset: byteCount, code: errno))
    }
  }

  /// Counts the bytes of the ledger that another rank writes to `path`, on from a checkpoint's.
  init(countingFrom checkpoint: LoaderCheckpoint?, path: String) {
    self.path = path
    descriptor = nil
    byteCount = checkpoint?.ledgerByteCount ?? 0
    headerByteOffset = checkpoint?.ledgerHeaderByteOffset ?? 0
  }

  deinit {
    if let descriptor { close(descriptor) }
  }

  /// The byte before `end`.
  private static func lastByte(of descriptor: Int32, at end: Int) -> UInt8? {
    var byte: UInt8 = 0
    return pread(descriptor, &byte, 1, off_t(end - 1)) == 1 ? byte : nil
  }

  /// Appends a header, with which the lines behind it are to be read.
  func append(_ header: LedgerHeader) throws(LoadingError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      buffer = Array(try encoder.encode(header))
    } catch {
      preconditionFailure("a ledger header did not encode: \(error)")
    }
    buffer.append(UInt8(ascii: "\n"))
    let byteOffset = byteCount
    try flush()
    headerByteOffset = byteOffset
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
    appendField(",\"rows\":", batch.globalRowCount)
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
      appendJSON(report)
    }
    append("]")
    if let rewards = batch.moment.rewards {
      append(",\"rewards\":")
      appendJSON(rewards)
    }
    if !batch.quarantine.isEmpty {
      append(",\"quarantine\":")
      appendQuarantine(batch.quarantine)
    }
    append("}\n")
    guard buffer.count <= Ledger.lineByteLimit else {
      throw .ledgerLineTooLong(
        path: path, byteCount: buffer.count, limit: Ledger.lineByteLimit)
    }
    try flush()
  }

  /// Makes all lines so far durable.
  func synchronize() throws(LoadingError) {
    guard let descriptor else { return }
    guard fsync(descriptor) == 0 else {
      throw .corpus(.cannotWrite(path: path, byteOffset: byteCount, code: errno))
    }
  }

  private func flush() throws(LoadingError) {
    if let descriptor {
      // Half a line must not stay: the next one would be glued to it.
      if isTorn, ftruncate(descriptor, off_t(byteCount)) != 0 {
        throw .corpus(.cannotWrite(path: path, byteOffset: byteCount, code: errno))
      }
      isTorn = false
      do throws(CorpusError) {
        try writeAll(buffer, to: descriptor, path: path, at: byteCount)
      } catch {
        isTorn = ftruncate(descriptor, off_t(byteCount)) != 0
        throw .corpus(error)
      }
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

  /// Appends the list, which is encoded when it has changed.
  private func appendQuarantine(_ list: Quarantine) {
    if list != quarantine.list { quarantine = (list, Self.encoded(list)) }
    buffer += quarantine.text
  }

  private static func encoded(_ list: Quarantine) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(list))
    } catch {
      // Integers and strings always encode.
      preconditionFailure("a quarantine list did not encode: \(error)")
    }
  }

  private func appendJSON(_ value: some Encodable) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    do {
      buffer += try encoder.encode(value)
    } catch {
      // Feedback is validated before it comes here, and a policy makes finite numbers of it.
      preconditionFailure("feedback or rewards did not encode: \(error)")
    }
  }
}
