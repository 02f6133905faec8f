public import Corpora
public import Mixing

/// What a run will be, found out before it: rows, tokens and epochs of each domain, where caps are
/// reached, what is never read, and memory.
///
/// The rows are not estimated: every batch is drawn by the loader's own rule, without reading a
/// token, from the policy's mixtures: those of every step for a policy that follows the steps, else
/// the first one. They are what the run will draw unless the policy reads feedback; then they are
/// what it draws without any.
public struct Explanation: Sendable, Equatable {
  /// How far a run goes.
  public enum Length: Sendable, Equatable {
    /// So many batches.
    case steps(Int)
    /// So many tokens, rounded up to whole batches.
    case tokens(Int)
    /// As many tokens as one epoch of every domain has, rounded up to whole batches.
    case oneEpoch
  }

  /// What will be read of one domain.
  public struct Domain: Sendable, Equatable {
    /// The domain's name.
    public let name: String
    /// The asked weight, in [0, 1]; the mean over the steps for a policy that follows them.
    public let weight: Double
    /// The rows that it gives.
    public let rowCount: Int
    /// Its targets: T for each row.
    public let tokenCount: Int
    /// How often it is read, in epochs; nil for text, of which nobody knows how much there is.
    public let epochs: Double?
    /// The sequences of one epoch that are given, those in quarantine left out; 0 for text.
    public let sequenceCount: Int
    /// The sequences of one epoch that quarantine takes out.
    public let quarantinedSequenceCount: Int
    /// The rows after which it is exhausted; nil if it is repeated for ever.
    public let rowLimit: Int?
    /// The step in which it becomes exhausted; nil if it does not.
    ///
    /// From the next row on the other
    /// domains share its weight in proportion to theirs.
    public let exhaustedAtStep: Int?
    /// The tokens of its split.
    public let splitTokenCount: Int
    /// The tokens of its split that belong to no sequence.
    public let unusedTokenCount: Int
    /// The units that an epoch reads.
    public let unitCount: Int
    /// The pools that an epoch reads.
    public let poolCount: Int
    /// The tokens that are shuffled together: P units, or the whole domain if it is smaller.
    public let shuffleSpanTokenCount: Int
    /// The tokens of its held-out split.
    public let heldOutTokenCount: Int
  }

  /// What the loader will take, in bytes.
  public struct Memory: Sendable, Equatable {
    /// The configured budget.
    public let byteBudget: Int
    /// The least budget that works: one pool, one batch and 256 KiB for each domain of text.
    public let leastByteBudget: Int
    /// One pool.
    public let poolByteCount: Int
    /// The most pools that are kept.
    public let poolLimit: Int
    /// One batch, or this rank's part of it.
    public let batchByteCount: Int
    /// The most that frames of compressed text take, one for each domain that is text; 0 without.
    public let heldTextByteCount: Int

    /// All pools, one batch and the frames of text.
    public var totalByteCount: Int {
      poolLimit * poolByteCount + batchByteCount + heldTextByteCount
    }
  }

  /// The policy's name.
  public let policy: String
  /// Why the policy's first mixture is what it is.
  public let reason: String
  /// Whether the policy will change its mixture on feedback.
  public let readsFeedback: Bool
  /// Whether the mixture depends on the step.
  public let followsSteps: Bool
  /// B, the rows of a batch.
  public let rows: Int
  /// T, the targets of a row.
  public let sequenceLength: Int
  /// How rows are grouped; nil for rows in the order of the draw.
  public let grouping: BatchConfiguration.Grouping?
  /// The batches of the run: as many as were asked for, or fewer if the data ends.
  public let stepCount: Int
  /// The batches that were asked for.
  public let askedStepCount: Int
  /// The domains, in the corpus's order.
  public let domains: [Domain]
  /// What the loader will take.
  public let memory: Memory
  /// What a user should think about before the run.
  public let warnings: [Warning]

  /// The most rows × domains that are drawn to explain a run: some seconds of work.
  ///
  /// With five domains that is 4 × 10^8 rows, 8 × 10^11 tokens in sequences of 2048.
  static let drawLimit = 2_000_000_000

  /// Explains a run.
  ///
  /// - Parameters:
  ///   - corpus: The corpus to read.
  ///   - policy: What sets the mixture.
  ///   - batch: The shape of the batches.
  ///   - seed: The run's seed.
  ///   - options: The loader's other settings.
  ///   - length: How far the run goes.
  /// - Throws: ``LoadingError``, as opening a loader with the same settings does, and
  ///   ``LoadingError/setting(name:value:allowed:)`` for a run that is too long to be drawn here.
  /// - Complexity: O(rows · domains); no token is read.
  public init(
    _ corpus: Corpus, policy: PolicyRecipe, batch: BatchConfiguration, seed: UInt64,
    options: LoaderOptions = LoaderOptions(), length: Length = .oneEpoch
  ) throws(LoadingError) {
    let plan = try LoaderPlan(corpus: corpus, batch: batch, seed: seed, options: options)
    rows = batch.rows
    sequenceLength = batch.sequenceLength
    grouping = batch.grouping
    let bad = try QuarantinedFrames(
      options.quarantined, corpus: corpus, split: options.split,
      layouts: plan.orders.map(\.layout)
    ).badPositions(in: plan.orders, names: corpus.domainNames)
    askedStepCount = try Self.steps(of: length, plan: plan, bad: bad, batch: batch)
    var context = plan.policyContext
    context = PolicyContext(
      domainNames: context.domainNames, sequenceCounts: context.sequenceCounts,
      stepCount: context.stepCount ?? askedStepCount, stepTokenCount: context.stepTokenCount)
    let made: any MixturePolicy
    do throws(MixingError) {
      made = try policy.makePolicy(in: context)
    } catch {
      throw .mixing(error)
    }
    self.policy = type(of: made).name
    reason = made.reason
    readsFeedback = made.readsFeedback
    followsSteps = made.followsSteps
    let rehearsal = try Rehearsal(
      of: plan, bad: bad, policy: made, batch: batch, stepCount: askedStepCount)
    stepCount = rehearsal.stepCount
    domains = Self.domains(
      of: corpus, plan: plan, bad: bad, split: options.split, rehearsal)
    let batchByteCount = plan.batchByteCount
    let geometry = plan.geometry
    memory = Memory(
      byteBudget: options.byteBudget,
      leastByteBudget: plan.leastByteCountBesideBatch + batchByteCount,
      poolByteCount: geometry.poolByteCount,
      poolLimit: plan.poolLimit, batchByteCount: batchByteCount,
      heldTextByteCount: plan.heldTextByteLimit
        * plan.orders.count { $0.layout.access == .openEnded })
    warnings = Warning.all(
      domains: domains, memory: memory, stepCount: stepCount, askedStepCount: askedStepCount,
      sequenceLength: batch.sequenceLength,
      unprotected: try Self.unprotected(corpus, split: options.split))
  }

  private static func unprotected(_ corpus: Corpus, split: Split) throws(LoadingError)
    -> [Warning]
  {
    var warnings: [Warning] = []
    for (index, domain) in corpus.domains.enumerated() {
      let count: Int
      do throws(CorpusError) {
        count = try corpus.unprotectedShardCount(of: split, domainIndex: index)
      } catch {
        throw LoadingError(error)
      }
      guard count > 0 else { continue }
      warnings.append(
        .unprotected(
          domain: domain.name, shardCount: count, of: domain.shards[split, default: []].count))
    }
    return warnings
  }

  private static func steps(
    of length: Length, plan: LoaderPlan, bad: [BadPositions?], batch: BatchConfiguration
  ) throws(LoadingError) -> Int {
    let batchTokens = batch.rows * batch.sequenceLength
    let stepLimit = max(1, drawLimit / (batch.rows * plan.orders.count))
    func stepsHolding(_ tokenCount: Int) -> Int { (max(1, tokenCount) - 1) / batchTokens + 1 }
    let steps =
      switch length {
      case .steps(let count): count
      case .tokens(let count): count < 1 ? 0 : stepsHolding(count)
      case .oneEpoch:
        stepsHolding(
          zip(plan.orders, bad).reduce(0) { $0 + sequenceCount(of: $1.0, bad: $1.1) }
            * batch.sequenceLength)
      }
    guard (1...stepLimit).contains(steps) else {
      throw .setting(name: "the number of steps", value: steps, allowed: 1...stepLimit)
    }
    return steps
  }

  /// The sequences of one epoch that are given.
  private static func sequenceCount(of order: DomainOrder, bad: BadPositions?) -> Int {
    bad?.goodPerEpoch ?? order.layout.sequenceCount
  }

  private static func domains(
    of corpus: Corpus, plan: LoaderPlan, bad: [BadPositions?], split: Split,
    _ rehearsal: Rehearsal
  ) -> [Domain] {
    corpus.domains.indices.map { index in
      let (domain, order) = (corpus.domains[index], plan.orders[index])
      let layout = order.layout
      let rowCount = rehearsal.rowCounts[index]
      let sequenceCount = sequenceCount(of: order, bad: bad[index])
      return Domain(
        name: domain.name, weight: rehearsal.weights[index], rowCount: rowCount,
        tokenCount: rowCount * layout.sequenceLength,
        epochs: sequenceCount > 0 ? Double(rowCount) / Double(sequenceCount) : nil,
        sequenceCount: sequenceCount,
        quarantinedSequenceCount: layout.sequenceCount - sequenceCount,
        rowLimit: plan.identity.domains[index].positionLimit.map {
          bad[index]?.goodCount(from: 0, to: $0) ?? $0
        },
        exhaustedAtStep: rehearsal.exhaustedAtStep[index],
        splitTokenCount: domain.tokenCount(of: split), unusedTokenCount: layout.unusedTokenCount,
        unitCount: layout.unitCount, poolCount: order.poolsPerEpoch,
        shuffleSpanTokenCount: layout.sequenceLength
          * (layout.access == .openEnded
            ? order.sequencesPerPool : min(order.sequencesPerPool, layout.sequenceCount)),
        heldOutTokenCount: domain.tokenCount(of: .heldOut))
    }
  }
}

/// A run's draw without its data.
private struct Rehearsal {
  let stepCount: Int
  let rowCounts: [Int]
  let exhaustedAtStep: [Int?]
  /// The means of the asked weights over the steps, `[domain]`.
  let weights: [Double]

  init(
    of plan: LoaderPlan, bad: [BadPositions?], policy: any MixturePolicy, batch: BatchConfiguration,
    stepCount: Int
  ) throws(LoadingError) {
    let draw = BatchDraw(identity: plan.identity)
    draw.setBadPositions(bad)
    let storage = BatchStorage(
      identity: plan.identity, tokenType: batch.tokenType, moment: PolicyMoment(policy))
    storage.reserve(0..<batch.rows, of: batch.rows, withTokens: false)
    var policy = policy
    let followsSteps = policy.followsSteps
    var weightSums = followsSteps ? [Double](repeating: 0, count: plan.orders.count) : []
    var exhausted = [Int?](repeating: nil, count: plan.orders.count)
    var watched = plan.identity.domains.indices.filter {
      plan.identity.domains[$0].positionLimit != nil
    }
    var step = 0
    while step < stepCount {
      if followsSteps {
        do throws(MixingError) {
          try policy.prepare(
            for: UpcomingStep(
              step: step + 1, tokenTotal: draw.rowTotal * plan.identity.sequenceLength))
        } catch {
          throw .mixing(error)
        }
      }
      let mixture = policy.mixture
      guard try draw.plan(asked: mixture, rows: batch.rows, into: storage) else { break }
      for domain in weightSums.indices {
        weightSums[domain] += mixture.weight(ofDomain: domain)
      }
      step += 1
      watched.removeAll { domain in
        if draw.hasExhausted(domain) { exhausted[domain] = step }
        return draw.hasExhausted(domain)
      }
    }
    self.stepCount = step
    rowCounts = Array(draw.rowCounts)
    exhaustedAtStep = exhausted
    weights =
      followsSteps && step > 0
      ? weightSums.map { $0 / Double(step) } : policy.mixture.weights
  }
}
