public import Corpora
public import Mixing

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// What must be the same for a run to go on: the corpus and the part of the configuration that
/// decides the order and the draw.
public struct LoaderIdentity: Sendable, Equatable, Codable {
  /// The version of the order: ``Loader/orderVersion``.
  public var orderVersion: Int
  /// The run's seed.
  public var seed: UInt64
  /// The split that is read.
  public var split: Split
  /// T, the targets of a sequence.
  public var sequenceLength: Int
  /// P, the units in a pool.
  public var unitsPerPool: Int
  /// How a mixture becomes the domains of rows.
  public var draw: DrawRule
  /// How rows are grouped; nil for rows in the order of the draw.
  public var grouping: BatchConfiguration.Grouping?
  /// The domains, in the order of every array.
  public var domains: [Domain]

  /// What identifies one domain.
  public struct Domain: Sendable, Equatable, Codable {
    /// The domain's name.
    public var name: String
    /// The fingerprint of its data.
    public var fingerprint: String
    /// N, the sequences of one epoch; 0 for text, of which nobody knows.
    public var sequenceCount: Int
    /// The position at which the domain is exhausted; nil if it is repeated for ever.
    public var positionLimit: Int?

    private enum CodingKeys: String, CodingKey {
      case name, fingerprint
      case sequenceCount = "sequence_count"
      case positionLimit = "position_limit"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case seed, split, draw, grouping, domains
    case orderVersion = "order_version"
    case sequenceLength = "sequence_length"
    case unitsPerPool = "units_per_pool"
  }

  /// Throws the first difference to `configured`, by name; differences between the domains
  /// together.
  func requireSame(as configured: LoaderIdentity) throws(LoadingError) {
    let change = try change(to: configured)
    guard change.isEmpty else { throw .corpusChanged(change) }
  }

  /// Returns how the domains of `configured` differ, and throws the first other difference by name.
  func change(to configured: LoaderIdentity) throws(LoadingError) -> CorpusChange {
    try require("order version", orderVersion, configured.orderVersion)
    try require("seed", seed, configured.seed)
    try require("split", split.rawValue, configured.split.rawValue)
    try require("sequence length", sequenceLength, configured.sequenceLength)
    try require("units per pool", unitsPerPool, configured.unitsPerPool)
    try require("draw", draw.rawValue, configured.draw.rawValue)
    try require("grouping", Self.text(grouping), Self.text(configured.grouping))
    for recorded in domains {
      // The cap of other data is another number of sequences.
      guard let configured = configured.domains.first(where: { $0.name == recorded.name }),
        recorded.isSameData(as: configured)
      else { continue }
      try require(
        "epoch cap of domain \(recorded.name), in sequences",
        recorded.positionLimit.map(String.init) ?? "none",
        configured.positionLimit.map(String.init) ?? "none")
    }
    return CorpusChange(from: domains.map(\.key), to: configured.domains.map(\.key))
  }

  private func require<Value: Equatable>(_ field: String, _ recorded: Value, _ configured: Value)
    throws(LoadingError)
  {
    guard recorded == configured else {
      throw .checkpointDiffers(
        field: field, recorded: "\(recorded)", configured: "\(configured)")
    }
  }

  private static func text(_ grouping: BatchConfiguration.Grouping?) -> String {
    guard let grouping else { return "none" }
    return "micro-batches of \(grouping.microBatchRows) rows"
      + (grouping.everyDomain ? ", at least one per domain" : "")
  }
}

/// The state of a loader between two batches: O(domains), the same on every rank, independent of
/// threads and memory.
///
/// Resuming from it gives the following batch; feedback for the last one may still be observed
/// after that.
public struct LoaderCheckpoint: Sendable, Equatable, Codable {
  /// What must be the same when the run goes on.
  public var identity: LoaderIdentity
  /// The step of the last batch; 0 before the first.
  public var step: Int
  /// The rows of all batches so far.
  public var rowTotal: Int
  /// The draws so far: rows, or micro-batches where rows are grouped.
  ///
  /// The micro-batches that every domain is given are not drawn.
  public var drawCount: Int
  /// How far each domain is in its order, `[domain]`.
  public var positions: [Int]
  /// How many rows each domain has given, `[domain]`, at most its position.
  public var rowCounts: [Int]
  /// What each domain is owed, in parts of 2^48 draws, `[domain]`; sums to 0.
  public var credits: [Int64]
  /// The domains that the run has drawn from and that its corpus has no more.
  public var departed: [DepartedDomain]
  /// The damaged frames that are skipped.
  public var quarantine: Quarantine
  /// The step of the last feedback that the policy observed; 0 if none.
  public var lastObservedStep: Int
  /// The feedback that was observed since the last batch, which the next ledger line will hold.
  public var observed: [Feedback]
  /// The shares that the last batch was drawn by, in parts of 2^48, `[domain]`, which feedback on
  /// it may leave out; nil where the policy reads no feedback, and before the first batch.
  public var effective: [Int64]?
  /// How often invalid feedback was refused.
  public var refusedFeedbackCount: Int
  /// The ledger's length in bytes; 0 if there is none.
  public var ledgerByteCount: Int
  /// Where the ledger's last header begins, in bytes.
  public var ledgerHeaderByteOffset: Int
  /// The policy's checkpoint.
  public var policy: PolicyCheckpoint
  /// Where text is found again, by domain name; nil if no domain is text.
  public var textMarks: [String: TextMark]?

  /// The name of a loader's section in a ``CheckpointFile``.
  public static let sectionName = "loader"

  private enum CodingKeys: String, CodingKey {
    case identity, step, positions, credits, departed, quarantine, policy, observed, effective
    case rowCounts = "row_counts"
    case rowTotal = "row_total"
    case drawCount = "draw_count"
    case lastObservedStep = "last_observed_step"
    case refusedFeedbackCount = "refused_feedback_count"
    case ledgerByteCount = "ledger_byte_count"
    case ledgerHeaderByteOffset = "ledger_header_byte_offset"
    case textMarks = "text_marks"
  }

  /// More rows than this are taken for damage; no sum of positions overflows below it.
  private static let rowLimit = 1 << 60

  /// Returns the checkpoint as JSON with sorted keys and, behind a byte of 0, the policy's arrays
  /// if it has any; equal checkpoints have equal bytes.
  ///
  /// - Returns: UTF-8 bytes for ``init(bytes:path:)``.
  public func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let fields = Array(try encoder.encode(self))
      return policy.arrays.isEmpty ? fields : fields + [0] + policy.arrays
    } catch {
      // Integers, strings and arrays of them always encode.
      preconditionFailure("a checkpoint did not encode: \(error)")
    }
  }

  /// Reads the loader's section of the ``CheckpointFile`` at `path`.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``LoadingError/checkpointDamaged(path:_:)``, or ``LoadingError/corpus(_:)`` if the
  ///   file cannot be read.
  public init(at path: String) throws(LoadingError) {
    guard let bytes = try CheckpointFile.read(path)[Self.sectionName] else {
      throw .checkpointDamaged(path: path, .section(name: Self.sectionName))
    }
    try self.init(bytes: bytes, path: path)
  }

  /// Reads what ``encoded()`` wrote.
  ///
  /// - Parameters:
  ///   - bytes: The encoded checkpoint.
  ///   - path: Where it came from, for the error.
  /// - Throws: ``LoadingError/checkpointDamaged(path:_:)`` if it does not decode or contradicts
  ///   itself.
  public init(bytes: [UInt8], path: String = "checkpoint") throws(LoadingError) {
    // JSON has no byte of 0.
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    do {
      self = try JSONDecoder().decode(LoaderCheckpoint.self, from: Data(parts[0]))
      try policy.setArrays(parts.count == 2 ? Array(parts[1]) : [])
    } catch {
      throw .checkpointDamaged(path: path, .content(section: Self.sectionName, reason: "\(error)"))
    }
    guard isSound else {
      throw .checkpointDamaged(
        path: path, .content(section: Self.sectionName, reason: "its numbers contradict each other")
      )
    }
  }

  /// Whether the numbers can be those of a run.
  private var isSound: Bool {
    let count = identity.domains.count
    let rows =
      rowCounts.reduce(Int128(0)) { $0 + Int128($1) }
      + departed.reduce(Int128(0)) { $0 + Int128($1.rowCount) }
    let hasShape =
      positions.count == count && rowCounts.count == count && credits.count == count && count > 0
      && Set(identity.domains.map(\.name)).count == count
      && zip(identity.domains, positions).allSatisfy { domain, position in
        // Of text nobody knows how much there is, and a mark says where it goes on.
        domain.sequenceCount >= 1
          || domain.sequenceCount == 0
            && (textMarks?[domain.name]?.isSound ?? (position == 0))
      }
    guard hasShape && quarantine.isSound else { return false }
    let skipping = Set(quarantine.entries.map(\.domain))
    return zip(identity.domains, zip(rowCounts, positions)).allSatisfy { domain, counts in
      // Positions count what was skipped, too.
      counts.0 == counts.1
        || skipping.contains(domain.name) && counts.0 < counts.1 && counts.1 <= Self.rowLimit
    }
      && rowCounts.allSatisfy { $0 >= 0 }
      && departed.allSatisfy { $0.rowCount >= 1 } && rows == Int128(rowTotal)
      && credits.reduce(0, &+) == 0
      && (effective.map { (try? Mixture(integerShares: $0))?.domainCount == count } ?? true)
      && (0...Self.rowLimit).contains(rowTotal) && (0...rowTotal).contains(drawCount)
      && (0...rowTotal).contains(step) && (0...step).contains(lastObservedStep)
      && (0...Self.rowLimit).contains(refusedFeedbackCount)
      && (0...Self.rowLimit).contains(ledgerByteCount)
      && (0...max(0, ledgerByteCount - 1)).contains(ledgerHeaderByteOffset)
  }

  init(
    identity: LoaderIdentity, step: Int, rowTotal: Int, drawCount: Int, positions: [Int],
    rowCounts: [Int], credits: [Int64], departed: [DepartedDomain], quarantine: Quarantine,
    lastObservedStep: Int, observed: [Feedback], effective: [Int64], refusedFeedbackCount: Int,
    ledgerByteCount: Int, ledgerHeaderByteOffset: Int, policy: PolicyCheckpoint,
    textMarks: [String: TextMark]?
  ) {
    self.identity = identity
    self.step = step
    self.rowTotal = rowTotal
    self.drawCount = drawCount
    self.positions = positions
    self.rowCounts = rowCounts
    self.credits = credits
    self.departed = departed
    self.quarantine = quarantine
    self.lastObservedStep = lastObservedStep
    self.observed = observed
    self.effective = effective.isEmpty ? nil : effective
    self.refusedFeedbackCount = refusedFeedbackCount
    self.ledgerByteCount = ledgerByteCount
    self.ledgerHeaderByteOffset = ledgerHeaderByteOffset
    self.policy = policy
    self.textMarks = textMarks
  }
}
