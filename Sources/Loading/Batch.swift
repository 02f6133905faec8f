public import Mixing

/// The sequences of one batch that this rank serves, and everything that is to be known of them.
///
/// The batch has B rows over all W ranks; this rank serves ``BatchFacts/rows`` of them.
///
/// A batch lends its memory from its loader: when the last copy of the value is gone, the loader
/// uses the memory again. Keeping a batch is safe and costs its memory.
public struct Batch: Sendable {
  /// What is known of the rows, without the tokens.
  public let facts: BatchFacts

  init(storage: BatchStorage) {
    facts = BatchFacts(storage: storage)
  }

  /// The rows that this rank serves: B/W, all of the batch where there is one rank.
  public var rowCount: Int { facts.rowCount }

  /// T, the targets of a row.
  public var sequenceLength: Int { facts.sequenceLength }

  /// The step that this batch is for, counted from 1.
  public var step: Int { facts.step }

  /// Returns the state after this batch, from which a loader goes on with the following one.
  ///
  /// What is observed or set by hand after the batch is not in it: it is to be observed, or set,
  /// again after resuming. ``Loader/checkpoint()`` holds that as well.
  ///
  /// - Returns: A value that stays true whatever the loader does next.
  /// - Throws: ``LoadingError/mixing(_:)`` if a policy of the program's own does not encode.
  public func checkpoint() throws(LoadingError) -> LoaderCheckpoint { try facts.checkpoint() }

  /// Calls `body` with the tokens of this rank's rows, row-major `[row, T + 1]`: the inputs of a
  /// row are its first T tokens, the targets its last T.
  ///
  /// - Parameters:
  ///   - type: The element type, which must be the loader's ``BatchConfiguration/tokenType``.
  ///   - body: What to do with the tokens; the buffer is valid until it returns.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  /// - Precondition: `type` is the configured one.
  public func withTokens<Element: TokenElement, Result, Failure: Error>(
    as type: Element.Type, _ body: (UnsafeBufferPointer<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let storage = facts.storage
    precondition(
      type.tokenType == storage.tokenType,
      "the batch has \(storage.tokenType.rawValue) tokens, not \(type.tokenType.rawValue)")
    let count = rowCount * (sequenceLength + 1)
    let tokens = UnsafeBufferPointer(
      start: UnsafePointer(storage.tokens.bindMemory(to: Element.self, capacity: count)),
      count: count)
    return try body(tokens)
  }
}

/// What is known of a batch beside its tokens.
///
/// A row is counted among the rows that this rank serves, from 0. The rows are those of ``rows`` in
/// the batch over all ranks; sums over the whole batch say so.
public struct BatchFacts: Sendable {
  let storage: BatchStorage

  /// The step that the batch is for, counted from 1.
  public var step: Int { storage.step }

  /// Which rows of the batch over all ranks are served here: [r·B/W, (r+1)·B/W) on rank r of W.
  public var rows: Range<Int> { storage.rows }

  /// The rows that this rank serves, ``rows`` counted.
  public var rowCount: Int { storage.rows.count }

  /// B, the rows of the batch over all ranks.
  public var globalRowCount: Int { storage.globalRowCount }

  /// T, the targets of a row.
  public var sequenceLength: Int { storage.sequenceLength }

  /// m, where rows come in micro-batches of m rows of one domain; nil where they do not.
  public var microBatchRows: Int? { storage.microBatchRows }

  /// The number of domains that the mixture covers.
  public var domainCount: Int { storage.domainCount }

  /// Returns the index of the domain from which `row` of this rank came.
  public func domainIndex(ofRow row: Int) -> Int {
    precondition((0..<rowCount).contains(row), "row \(row) is not in 0..<\(rowCount)")
    return Int(storage.domainOfRow[storage.rows.lowerBound + row])
  }

  /// Returns the epoch of its domain in which `row` of this rank was read, counted from 0.
  public func epoch(ofRow row: Int) -> Int {
    precondition((0..<rowCount).contains(row), "row \(row) is not in 0..<\(rowCount)")
    return storage.epochOfRow[row]
  }

  /// Returns how many of the ``globalRowCount`` rows over all ranks came from `domain`.
  public func rowCount(ofDomain domain: Int) -> Int {
    precondition(
      (0..<domainCount).contains(domain), "domain \(domain) is not in 0..<\(domainCount)")
    return storage.rowCounts[domain]
  }

  /// Returns how many of this rank's ``rowCount`` rows came from `domain`.
  public func localRowCount(ofDomain domain: Int) -> Int {
    precondition(
      (0..<domainCount).contains(domain), "domain \(domain) is not in 0..<\(domainCount)")
    return storage.localRowCounts[domain]
  }

  /// Returns the position of `domain` before the batch: how many of its sequences came before.
  public func position(ofDomain domain: Int) -> Int {
    precondition(
      (0..<domainCount).contains(domain), "domain \(domain) is not in 0..<\(domainCount)")
    return storage.positionsBefore[domain]
  }

  /// The mixture that the policy asked for.
  public var asked: Mixture { storage.moment.mixture }

  /// The parts, of 2^48, by which the batch was begun: the asked mixture without the domains that
  /// were exhausted.
  public var effectiveShares: [Int64] { Array(storage.effectiveShares) }

  /// Why the asked mixture was what it was, in the policy's words.
  public var reason: String { storage.moment.reason }

  /// What the policy took each domain to be worth when the batch was drawn, `[domain]`, in its own
  /// unit; nil if it knew no such thing.
  public var rewards: [Double]? { storage.moment.rewards }

  /// The step of the last feedback that the policy had observed; 0 if none.
  public var lastObservedStep: Int { storage.lastObservedStep }

  /// Returns the state after the batch, from which a loader goes on with the following one.
  ///
  /// - Returns: A value that stays true whatever the loader does next.
  /// - Throws: ``LoadingError/mixing(_:)`` if a policy of the program's own does not encode.
  public func checkpoint() throws(LoadingError) -> LoaderCheckpoint { try storage.checkpoint() }
}

/// A policy between two observations, and what was asked of it once.
final class PolicyMoment: Sendable {
  let policy: any MixturePolicy
  let mixture: Mixture
  let reason: String
  let rewards: [Double]?

  init(_ policy: any MixturePolicy) {
    self.policy = policy
    mixture = policy.mixture
    reason = policy.reason
    rewards = policy.rewards
  }
}

/// What a loader was opened with that its checkpoints hand on.
struct RunPast: Sendable {
  /// The domains that are gone.
  var departed: [DepartedDomain] = []
  /// Where the ledger's last header begins.
  var ledgerHeaderByteOffset = 0
}

/// The memory behind a batch.
///
/// Filled by the loader's thread while nobody else refers to it; unchanged from then until the last
/// reference outside the loader is gone.
final class BatchStorage: @unchecked Sendable {
  // Sound: see above. The loader finds out that it is alone by the reference count, which is
  // atomic.
  let sequenceLength: Int
  let domainCount: Int
  let tokenType: TokenType
  private let identity: LoaderIdentity
  private let past: RunPast

  private(set) var rowCapacity = 0
  private(set) var tokens = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
  /// The domain of every row over all ranks.
  private(set) var domainOfRow = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 0)
  /// The epoch of every row of this rank.
  private(set) var epochOfRow = UnsafeMutableBufferPointer<Int>.allocate(capacity: 0)
  /// The position of every row of this rank in its domain's order.
  private(set) var positionOfRow = UnsafeMutableBufferPointer<Int>.allocate(capacity: 0)
  // The buffers by domain are this object's own: allocated with it, freed with it.
  let rowCounts: UnsafeMutableBufferPointer<Int>
  /// The rows that each domain gives to this rank.
  let localRowCounts: UnsafeMutableBufferPointer<Int>
  let positionsBefore: UnsafeMutableBufferPointer<Int>
  let positionsAfter: UnsafeMutableBufferPointer<Int>
  /// The rows that each domain has given in all, after the batch.
  let rowCountsAfter: UnsafeMutableBufferPointer<Int>
  let creditsAfter: UnsafeMutableBufferPointer<Int64>
  let effectiveShares: UnsafeMutableBufferPointer<Int64>

  var step = 0
  /// B, the rows over all ranks.
  private(set) var globalRowCount = 0
  /// Those of them that this rank serves.
  private(set) var rows = 0..<0
  var drawCountAfter = 0
  var rowTotalAfter = 0
  var lastObservedStep = 0
  var refusedFeedbackCount = 0
  var ledgerByteCount = 0
  /// Where text is found again after the batch, by domain name; nil if no domain is text.
  var marksAfter: [String: TextMark]?
  /// Where positions lie in the corpus; empty where no row is read.
  var sources = RowSources()
  /// The frames that were skipped.
  var quarantine = Quarantine()
  /// The policy by which the batch was drawn.
  var moment: PolicyMoment

  init(
    identity: LoaderIdentity, tokenType: TokenType, moment: PolicyMoment, past: RunPast = RunPast()
  ) {
    self.identity = identity
    self.past = past
    sequenceLength = identity.sequenceLength
    domainCount = identity.domains.count
    self.tokenType = tokenType
    self.moment = moment
    rowCounts = .allocate(capacity: domainCount)
    localRowCounts = .allocate(capacity: domainCount)
    positionsBefore = .allocate(capacity: domainCount)
    positionsAfter = .allocate(capacity: domainCount)
    rowCountsAfter = .allocate(capacity: domainCount)
    creditsAfter = .allocate(capacity: domainCount)
    effectiveShares = .allocate(capacity: domainCount)
    rowCounts.initialize(repeating: 0)
    localRowCounts.initialize(repeating: 0)
    positionsBefore.initialize(repeating: 0)
    positionsAfter.initialize(repeating: 0)
    rowCountsAfter.initialize(repeating: 0)
    creditsAfter.initialize(repeating: 0)
    effectiveShares.initialize(repeating: 0)
  }

  deinit {
    tokens.deallocate()
    domainOfRow.deallocate()
    epochOfRow.deallocate()
    positionOfRow.deallocate()
    rowCounts.deallocate()
    localRowCounts.deallocate()
    positionsBefore.deallocate()
    positionsAfter.deallocate()
    rowCountsAfter.deallocate()
    creditsAfter.deallocate()
    effectiveShares.deallocate()
  }

  /// Makes room for a batch of `globalRowCount` rows of which this rank serves `rows`: for the
  /// facts and, unless the caller brings its own memory, the tokens.
  func reserve(_ rows: Range<Int>, of globalRowCount: Int, withTokens: Bool) {
    self.rows = rows
    self.globalRowCount = globalRowCount
    if domainOfRow.count < globalRowCount {
      domainOfRow.deallocate()
      domainOfRow = .allocate(capacity: globalRowCount)
      domainOfRow.initialize(repeating: 0)
    }
    if epochOfRow.count < rows.count {
      epochOfRow.deallocate()
      epochOfRow = .allocate(capacity: rows.count)
      epochOfRow.initialize(repeating: 0)
      positionOfRow.deallocate()
      positionOfRow = .allocate(capacity: rows.count)
      positionOfRow.initialize(repeating: 0)
    }
    if withTokens, rowCapacity < rows.count {
      tokens.deallocate()
      tokens = .allocate(
        byteCount: rows.count * (sequenceLength + 1) * tokenType.byteCount, alignment: 64)
      rowCapacity = rows.count
    }
  }

  /// m, where rows are grouped.
  var microBatchRows: Int? { identity.grouping?.microBatchRows }

  /// Finds ``localRowCounts`` once the rows are planned.
  func countLocalRows() {
    guard rows.count < globalRowCount else {
      _ = localRowCounts.update(fromContentsOf: rowCounts)
      return
    }
    for domain in 0..<domainCount { localRowCounts[domain] = 0 }
    for row in rows { localRowCounts[Int(domainOfRow[row])] += 1 }
  }

  /// Makes the checkpoint of the state after the batch.
  func checkpoint() throws(LoadingError) -> LoaderCheckpoint {
    let erased: PolicyCheckpoint
    do throws(MixingError) {
      erased = try moment.policy.erasedCheckpoint()
    } catch {
      throw .mixing(error)
    }
    return LoaderCheckpoint(
      identity: identity, step: step, rowTotal: rowTotalAfter, drawCount: drawCountAfter,
      positions: Array(positionsAfter), rowCounts: Array(rowCountsAfter),
      credits: Array(creditsAfter), departed: past.departed, quarantine: quarantine,
      lastObservedStep: lastObservedStep, observed: [],
      effective: moment.policy.readsFeedback ? Array(effectiveShares) : [],
      refusedFeedbackCount: refusedFeedbackCount,
      ledgerByteCount: ledgerByteCount, ledgerHeaderByteOffset: past.ledgerHeaderByteOffset,
      policy: erased, textMarks: marksAfter)
  }
}
