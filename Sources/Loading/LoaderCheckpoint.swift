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

  /// Throws the first difference to `configured`, by name.
  func requireSame(as configured: LoaderIdentity) throws(LoadingError) {
    try require("order version", orderVersion, configured.orderVersion)
    try require("seed", seed, configured.seed)
    try require("split", split.rawValue, configured.split.rawValue)
    try require("sequence length", sequenceLength, configured.sequenceLength)
    try require("units per pool", unitsPerPool, configured.unitsPerPool)
    try require("draw", draw.rawValue, configured.draw.rawValue)
    try require("grouping", Self.text(grouping), Self.text(configured.grouping))
    guard domains.map(\.name) == configured.domains.map(\.name) else {
      throw .checkpointDiffers(
        field: "domains", recorded: domains.map(\.name).joined(separator: ", "),
        configured: configured.domains.map(\.name).joined(separator: ", "))
    }
    for (recorded, configured) in zip(domains, configured.domains) {
      try require(
        "fingerprint of domain \(recorded.name)", recorded.fingerprint, configured.fingerprint)
      try require(
        "epoch cap of domain \(recorded.name), in sequences",
        recorded.positionLimit.map(String.init) ?? "none",
        configured.positionLimit.map(String.init) ?? "none")
    }
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
  /// How many sequences each domain has given, `[domain]`.
  public var positions: [Int]
  /// What each domain is owed, in parts of 2^48 draws, `[domain]`; sums to 0.
  public var credits: [Int64]
  /// The step of the last feedback that the policy observed; 0 if none.
  public var lastObservedStep: Int
  /// The feedback that was observed since the last batch, which the next ledger line will hold.
  public var observed: [Feedback]
  /// How often invalid feedback was refused.
  public var refusedFeedbackCount: Int
  /// The ledger's length in bytes; 0 if there is none.
  public var ledgerByteCount: Int
  /// The policy's checkpoint.
  public var policy: PolicyCheckpoint
  /// Where text is found again, by domain index; nil if no domain is text.
  public var textMarks: [Int: TextMark]?

  /// The name of a loader's section in a ``CheckpointFile``.
  public static let sectionName = "loader"

  private enum CodingKeys: String, CodingKey {
    case identity, step, positions, credits, policy, observed
    case rowTotal = "row_total"
    case drawCount = "draw_count"
    case lastObservedStep = "last_observed_step"
    case refusedFeedbackCount = "refused_feedback_count"
    case ledgerByteCount = "ledger_byte_count"
    case textMarks = "text_marks"
  }

  /// More rows than this are taken for damage; no sum of positions overflows below it.
  private static let rowLimit = 1 << 60

  /// Returns the checkpoint as JSON with sorted keys; equal checkpoints have equal bytes.
  ///
  /// - Returns: UTF-8 bytes for ``init(bytes:path:)``.
  public func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(self))
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
    do {
      self = try JSONDecoder().decode(LoaderCheckpoint.self, from: Data(bytes))
    } catch {
      throw .checkpointDamaged(path: path, .content(section: "loader", reason: "\(error)"))
    }
    let count = identity.domains.count
    let isSound =
      positions.count == count && credits.count == count && count > 0
      && positions.allSatisfy { $0 >= 0 } && credits.reduce(0, &+) == 0
      && step >= 0 && rowTotal >= 0 && drawCount >= 0 && ledgerByteCount >= 0
      && (0...step).contains(lastObservedStep)
      && positions.reduce(Int128(0)) { $0 + Int128($1) } == Int128(rowTotal)
      && rowTotal <= Self.rowLimit && drawCount <= rowTotal && step <= rowTotal
      && (0...Self.rowLimit).contains(refusedFeedbackCount)
      && ledgerByteCount <= Self.rowLimit
    guard isSound else {
      throw .checkpointDamaged(
        path: path, .content(section: "loader", reason: "its numbers contradict each other"))
    }
  }

  init(
    identity: LoaderIdentity, step: Int, rowTotal: Int, drawCount: Int, positions: [Int],
    credits: [Int64], lastObservedStep: Int, observed: [Feedback], refusedFeedbackCount: Int,
    ledgerByteCount: Int, policy: PolicyCheckpoint, textMarks: [Int: TextMark]?
  ) {
    self.identity = identity
    self.step = step
    self.rowTotal = rowTotal
    self.drawCount = drawCount
    self.positions = positions
    self.credits = credits
    self.lastObservedStep = lastObservedStep
    self.observed = observed
    self.refusedFeedbackCount = refusedFeedbackCount
    self.ledgerByteCount = ledgerByteCount
    self.policy = policy
    self.textMarks = textMarks
  }
}
