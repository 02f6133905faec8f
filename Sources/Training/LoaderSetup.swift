public import Corpora
public import Loading
public import Mixing

/// The settings of a loader: as they were asked for, then as the policy needs them.
///
///     var setup = LoaderSetup(policy: recipe, batch: batch, seed: 17, options: options)
///     try setup.settle(on: corpus)
///
/// What nobody set follows from the policy:
///
/// 1. A policy that reads the gradients of single domains gets rows in micro-batches of one domain
///    (``Loading/BatchConfiguration/Grouping/forGradients(rows:domainCount:)``).
/// 2. A recorded run is replayed with its own groups of rows and its own epoch caps, since by other
///    ones its mixtures draw other batches.
///
/// Training and what explains it settle alike.
public struct LoaderSetup: Sendable {
  /// What sets the mixture.
  public let policy: PolicyRecipe
  /// The shape of the batches.
  public private(set) var batch: BatchConfiguration
  /// The run's seed.
  public let seed: UInt64
  /// The loader's other settings.
  public private(set) var options: LoaderOptions
  /// What the policy reads of the feedback; nothing before ``settle(on:)``.
  public private(set) var needs = FeedbackNeeds.nothing
  /// What the user should know of what was settled.
  public private(set) var notes: [Note] = []

  /// Something that was settled, or could not be.
  public enum Note: Sendable, Equatable {
    /// Rows are grouped because the policy reads gradients by domain.
    case groupedForGradients(policy: String, BatchConfiguration.Grouping)
    /// Rows are grouped as those of the recorded run.
    case groupedAsRecorded(BatchConfiguration.Grouping)
    /// Domains end where they ended in the recorded run, at these positions.
    case cappedAsRecorded([String: Int])
    /// The recorded mixtures draw other batches here, because of what differs.
    case drawsOtherwise(differences: [String])
    /// The recorded mixtures are kept within bounds that they may lie outside of.
    case boundsRecorded(options: [String])
  }

  /// Takes over the settings that were asked for.
  ///
  /// - Parameters:
  ///   - policy: what sets the mixture.
  ///   - batch: the shape of the batches.
  ///   - seed: the run's seed.
  ///   - options: the loader's other settings.
  public init(
    policy: PolicyRecipe, batch: BatchConfiguration, seed: UInt64, options: LoaderOptions
  ) {
    self.policy = policy
    self.batch = batch
    self.seed = seed
    self.options = options
  }

  /// Settles what was left open, and refuses what a loader or the policy would refuse.
  ///
  /// - Parameter corpus: the corpus that is read.
  /// - Throws: ``RunError/loading(_:)``, or ``RunError/rowsTooFew(policy:domainCount:rows:)`` for a
  ///   batch that cannot be grouped.
  public mutating func settle(on corpus: Corpus) throws(RunError) {
    do throws(LoadingError) {
      if policy.name == ReplayPolicy.name, let path = policy.options["ledger"] {
        try follow(RecordedRun(at: path), corpus: corpus)
      }
      needs = try policy.feedbackNeeds(on: corpus, batch: batch, seed: seed, options: options)
    } catch {
      throw .loading(error)
    }
    guard needs.gradients, batch.grouping == nil else { return }
    let domainCount = corpus.domains.count
    guard
      let grouping = BatchConfiguration.Grouping.forGradients(
        rows: batch.rows, domainCount: domainCount)
    else {
      throw .rowsTooFew(policy: policy.name, domainCount: domainCount, rows: batch.rows)
    }
    batch.grouping = grouping
    notes.append(.groupedForGradients(policy: policy.name, grouping))
  }

  private mutating func follow(
    _ recorded: RecordedRun, corpus: Corpus
  ) throws(LoadingError) {
    if batch.grouping == nil, let grouping = recorded.identity.grouping {
      batch.grouping = grouping
      notes.append(.groupedAsRecorded(grouping))
    }
    let names = Set(corpus.domainNames)
    let caps = recorded.epochCaps.filter { names.contains($0.key) }
    if options.epochCaps.isEmpty, !caps.isEmpty {
      options.epochCaps = caps
      let limits = recorded.identity.domains.map { ($0.name, $0.positionLimit) }
      notes.append(
        .cappedAsRecorded(
          Dictionary(limits) { first, _ in first }.compactMapValues { $0 }
            .filter { names.contains($0.key) }))
    }
    let bounds = policy.options.keys.filter { PolicyRegistry.boundsOptions[$0] != nil }
    if !bounds.isEmpty { notes.append(.boundsRecorded(options: bounds.sorted())) }
    let identity = try LoaderIdentity(of: corpus, batch: batch, seed: seed, options: options)
    let differences = recorded.differences(
      to: identity, rows: batch.rows, quarantine: options.quarantined)
    if !differences.isEmpty { notes.append(.drawsOtherwise(differences: differences)) }
  }
}

extension LoaderSetup.Note: CustomStringConvertible {
  /// What was settled and how else it could be, or what does not come out again.
  public var description: String {
    switch self {
    case .groupedForGradients(let policy, let grouping):
      "the policy \(policy) reads gradients by domain: rows come in \(grouping.text) (--grouping "
        + "\(grouping.microBatchRows)\(grouping.everyDomain ? " --every-domain" : ""))"
    case .groupedAsRecorded(let grouping):
      "the recorded run had rows in \(grouping.text): this one, too"
    case .cappedAsRecorded(let limits):
      "the recorded run read at most "
        + limits.sorted { $0.key < $1.key }.map { "\($0.value) sequences of \($0.key)" }
        .joined(separator: ", ") + ": this one, too"
    case .drawsOtherwise(let differences):
      "note: the recorded run differs in \(differences.joined(separator: ", ")); the mixtures are "
        + "its own, but the batches are not"
    case .boundsRecorded(let options):
      "note: the recorded mixtures are kept within the bounds given here "
        + "(\(options.joined(separator: ", "))); where they lie outside, they are not the run's own"
    }
  }
}

extension BatchConfiguration.Grouping {
  /// The groups in words, such as `micro-batches of 2 of one domain, one for every domain`.
  public var text: String {
    "micro-batches of \(microBatchRows) of one domain"
      + (everyDomain ? ", one for every domain" : "")
  }
}
