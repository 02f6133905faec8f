public import Corpora

/// The shape of a loader's batches.
public struct BatchConfiguration: Sendable, Equatable, Codable {
  /// B, the sequences in a batch over all ranks; may change at any step.
  ///
  /// A rank's own batch has B/W of them: ``LoaderOptions/worldSize``.
  public var rows: Int
  /// T, the targets of a sequence; a row has T + 1 tokens.
  public var sequenceLength: Int
  /// The element type of the tokens.
  public var tokenType: TokenType
  /// How rows are grouped into single-domain micro-batches; nil for rows in the order of the draw.
  public var grouping: Grouping?

  /// Creates the shape of a batch of `rows` sequences.
  public init(
    rows: Int, sequenceLength: Int, tokenType: TokenType = .int32, grouping: Grouping? = nil
  ) {
    self.rows = rows
    self.sequenceLength = sequenceLength
    self.tokenType = tokenType
    self.grouping = grouping
  }

  /// Rows in single-domain micro-batches, ordered by domain, for a trainer that accumulates
  /// gradients.
  public struct Grouping: Sendable, Equatable, Codable {
    /// m, the rows of a micro-batch; it divides the batch.
    public var microBatchRows: Int
    /// Whether every domain that is not exhausted first gets one micro-batch, before the rest
    /// follow the mixture.
    public var everyDomain: Bool

    /// Groups rows into micro-batches of `microBatchRows`.
    public init(microBatchRows: Int, everyDomain: Bool = false) {
      self.microBatchRows = microBatchRows
      self.everyDomain = everyDomain
    }
  }

  /// The rows that the draw hands out together: 1, or those of a micro-batch.
  var drawRows: Int { grouping?.microBatchRows ?? 1 }
}

/// How a mixture becomes the domains of rows.
public enum DrawRule: String, Sendable, Codable, CaseIterable {
  /// Exact shares by integer credits: what was drawn never strays from what was asked by more than
  /// a constant.
  case credits
  /// An independent seeded draw per row, as the papers do.
  case multinomial
}

/// What a loader does with feedback that is NaN, infinite or malformed; it never reaches the
/// policy.
public enum InvalidFeedbackRule: String, Sendable, Codable, CaseIterable {
  /// `observe` throws.
  case stop
  /// The feedback is counted and the run goes on with the mixture that it has.
  case keepMixture = "keep-mixture"
}

/// The settings of a loader that have defaults.
public struct LoaderOptions: Sendable, Equatable {
  /// The split that is read.
  public var split: Split = .train
  /// P, the units that are shuffled together; part of the order, never derived from the budget.
  public var unitsPerPool = 4
  /// How a mixture becomes the domains of rows.
  public var draw: DrawRule = .credits
  /// The most epochs that a domain is read, by name; a domain that is not named is repeated for
  /// ever, each epoch in a new order.
  public var epochCaps: [String: Double] = [:]
  /// The bytes that decoded pools, frames of compressed text and one batch may take.
  ///
  /// A frame of text that finds no room, or is larger than 16 MiB, is decoded twice: once to verify
  /// it, once to be read. What each may take is settled when the loader opens, by the size that
  /// batches have then.
  public var byteBudget = 256 << 20
  /// The threads that decode ahead; 0 decodes in `next()`.
  public var threadCount = 1
  /// The seconds after which a read that does not come back is an error, in whatever thread.
  public var readTimeoutInSeconds = 120
  /// The same in milliseconds, for tests; nil for what the seconds say.
  package var readTimeoutInMilliseconds: Int?
  /// Whether a sequence length that leaves the frames' tails unused is accepted.
  public var allowsUnusedTails = false
  /// What happens on invalid feedback.
  public var invalidFeedback: InvalidFeedbackRule = .stop
  /// What happens when a row meets a damaged frame; several ranks cannot collect.
  public var quarantine: QuarantineRule = .off
  /// The frames that are skipped from the beginning, or from the checkpoint on; what `headrace
  /// verify --quarantine` writes, the same for every rank.
  public var quarantined = Quarantine()
  /// What happens when a checkpoint was made on another corpus.
  public var corpusChange: CorpusChangeRule = .refuse
  /// The steps that the run is planned for, which a policy may read; nil if nobody knows.
  ///
  /// The loader does not stop there. Where batches change their size, tokens are planned as if all
  /// were like the first.
  public var stepCount: Int?
  /// Where the ledger is written; nil for none.
  ///
  /// Given to every rank, or to none, since checkpoints hold its length: rank 0 writes the file,
  /// the others count its bytes and touch no file.
  public var ledgerPath: String?
  /// r, which part of every batch this loader serves: rows [r·B/W, (r+1)·B/W).
  public var rank = 0
  /// W, the number of loaders that serve the batches together.
  ///
  /// Neither the rows of a step nor a checkpoint depends on it. It must divide the batch into
  /// whole micro-batches.
  public var worldSize = 1

  /// Creates the default settings.
  public init() {}
}
