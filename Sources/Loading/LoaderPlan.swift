internal import Corpora
internal import Mixing

/// What follows from a loader's settings before anything is read: checked, and the same for every
/// loader of a run.
struct LoaderPlan {
  let identity: LoaderIdentity
  let orders: [DomainOrder]
  /// The steps that the run is planned for.
  private let stepCount: Int?
  /// The target tokens of a batch over all ranks.
  private let stepTokenCount: Int
  let geometry: PoolGeometry
  /// The rows that this rank serves of a batch.
  let rows: Range<Int>
  /// The bytes that the tokens of this rank's part of a batch take.
  let batchByteCount: Int
  /// The most pools that are kept in memory.
  let poolLimit: Int
  /// What the byte budget must hold beside a batch: one pool, and a little for each domain of text.
  let leastByteCountBesideBatch: Int
  /// The largest frame of text that a domain may keep in memory; what pools leave of the budget is
  /// shared by the domains that are text.
  let heldTextByteLimit: Int

  private static let rowLimit = 1 << 24
  private static let sequenceLengthLimit = 1 << 24
  private static let unitsPerPoolLimit = 1 << 12
  private static let threadLimit = 256

  init(corpus: Corpus, batch: BatchConfiguration, seed: UInt64, options: LoaderOptions)
    throws(LoadingError)
  {
    var options = options
    // Where each sample is a sequence there are no frames whose tails could stay unused.
    if corpus.domains.allSatisfy(\.samplesAreSequences) { options.allowsUnusedTails = true }
    try Self.check(batch, options, domainCount: corpus.domains.count)
    stepCount = options.stepCount
    stepTokenCount = batch.rows * batch.sequenceLength
    rows = try RowSlice.rows(rank: options.rank, worldSize: options.worldSize, of: batch)
    guard batch.tokenType.holds(corpus.tokenWidth) else {
      throw .tokenType(batch.tokenType, width: corpus.tokenWidth)
    }
    let layouts = try Self.layouts(of: corpus, batch: batch, options: options)
    orders = zip(corpus.domains, layouts).map { domain, layout in
      DomainOrder(
        layout: layout, name: domain.name, seed: seed, unitsPerPool: options.unitsPerPool)
    }
    identity = LoaderIdentity(
      orderVersion: Loader.orderVersion, seed: seed, split: options.split,
      sequenceLength: batch.sequenceLength, unitsPerPool: options.unitsPerPool,
      draw: options.draw, grouping: batch.grouping,
      domains: try Self.domains(of: corpus, layouts: layouts, caps: options.epochCaps))
    geometry = PoolGeometry(
      layout: layouts[0], unitsPerPool: options.unitsPerPool, tokenWidth: corpus.tokenWidth)
    batchByteCount = rows.count * (batch.sequenceLength + 1) * batch.tokenType.byteCount
    let textCount = layouts.count { $0.access == .openEnded }
    let leastTextByteCount = textCount * TextWorkspace.leastHeldByteLimit
    leastByteCountBesideBatch = geometry.poolByteCount + leastTextByteCount
    let least = leastByteCountBesideBatch + batchByteCount
    guard options.byteBudget >= least else {
      throw .byteBudget(byteCount: options.byteBudget, least: least)
    }
    let poolByteBudget = options.byteBudget - batchByteCount - leastTextByteCount
    poolLimit = geometry.poolLimit(
      domainCount: orders.count, threadCount: options.threadCount, byteBudget: poolByteBudget)
    heldTextByteLimit = min(
      TextWorkspace.largestHeldByteLimit,
      TextWorkspace.leastHeldByteLimit
        + (poolByteBudget - poolLimit * geometry.poolByteCount) / max(1, textCount))
  }

  /// What a policy may know when it is made.
  var policyContext: PolicyContext {
    PolicyContext(
      domainNames: identity.domains.map(\.name),
      sequenceCounts: identity.domains.map(\.sequenceCount), stepCount: stepCount,
      stepTokenCount: stepTokenCount)
  }

  private static func layouts(
    of corpus: Corpus, batch: BatchConfiguration, options: LoaderOptions
  ) throws(LoadingError) -> [DomainLayout] {
    var layouts: [DomainLayout] = []
    for domain in corpus.domains {
      let layout = DomainLayout(
        of: domain, split: options.split, sequenceLength: batch.sequenceLength)
      try checkSampleLength(of: domain, sequenceLength: batch.sequenceLength)
      if layout.access == .openEnded, layout.shardCount > 0 {
        guard options.worldSize == 1 else {
          throw .needsPacking(domain: domain.name, feature: "several ranks")
        }
        layouts.append(layout)
        continue
      }
      guard layout.sequenceCount > 0 else {
        throw .noSequence(
          domain: domain.name, split: options.split,
          tokenCount: domain.tokenCount(of: options.split), sequenceLength: batch.sequenceLength)
      }
      layouts.append(layout)
    }
    return layouts
  }

  private static func domains(
    of corpus: Corpus, layouts: [DomainLayout], caps: [String: Double]
  ) throws(LoadingError) -> [LoaderIdentity.Domain] {
    for name in caps.keys.sorted() {
      do throws(CorpusError) { _ = try corpus.domainIndex(named: name) } catch {
        throw .corpus(error)
      }
    }
    var domains: [LoaderIdentity.Domain] = []
    for (domain, layout) in zip(corpus.domains, layouts) {
      var limit: Int?
      if let cap = caps[domain.name] {
        guard layout.access != .openEnded else {
          throw .needsPacking(domain: domain.name, feature: "an epoch cap")
        }
        let sequences = (cap * Double(layout.sequenceCount)).rounded(.down)
        guard sequences.isFinite, sequences >= 1, sequences < 0x1p62 else {
          throw .epochCap(domain: domain.name, value: cap)
        }
        limit = Int(sequences)
      }
      domains.append(
        LoaderIdentity.Domain(
          name: domain.name, fingerprint: domain.fingerprint,
          sequenceCount: layout.sequenceCount, positionLimit: limit))
    }
    return domains
  }

  private static func check(
    _ batch: BatchConfiguration, _ options: LoaderOptions, domainCount: Int
  ) throws(LoadingError) {
    try check("threads", options.threadCount, in: 0...threadLimit)
    try checkReadTimeout(inSeconds: options.readTimeoutInSeconds)
    if let stepCount = options.stepCount { try check("planned steps", stepCount, in: 1...Int.max) }
    guard options.quarantine == .off || options.worldSize == 1 else {
      throw .quarantineCollects(worldSize: options.worldSize)
    }
    try check("world size", options.worldSize, in: 1...rowLimit)
    try check("rank", options.rank, in: 0...options.worldSize - 1)
    try checkRows(batch.rows, grouping: batch.grouping, domainCount: domainCount)
    try checkSequenceLength(batch.sequenceLength, allowsUnusedTails: options.allowsUnusedTails)
    // Row offsets in a pool are 32 bits.
    let framesPerUnit = (batch.sequenceLength + tokensPerFrame - 1) / tokensPerFrame
    let unitTokens = max(framesPerUnit * tokensPerFrame, 2 * tokensPerFrame)
    let limit = min(unitsPerPoolLimit, max(1, (1 << 31) / unitTokens))
    try check("units per pool", options.unitsPerPool, in: 1...limit)
  }

  /// Checks how long a read is waited for.
  static func checkReadTimeout(inSeconds seconds: Int) throws(LoadingError) {
    try check("read timeout in seconds", seconds, in: 1...86_400)
  }

  /// Checks the rows of a batch, at open and when they change.
  static func checkRows(
    _ rows: Int, grouping: BatchConfiguration.Grouping?, domainCount: Int
  ) throws(LoadingError) {
    try check("rows", rows, in: 1...rowLimit)
    guard let grouping else { return }
    try check("micro-batch rows", grouping.microBatchRows, in: 1...rowLimit)
    let least = grouping.microBatchRows * (grouping.everyDomain ? domainCount : 1)
    guard rows % grouping.microBatchRows == 0, rows >= least else {
      let roundedUp =
        (rows + grouping.microBatchRows - 1) / grouping.microBatchRows * grouping.microBatchRows
      throw .microBatches(
        rows: rows, microBatchRows: grouping.microBatchRows, leastRows: max(least, roundedUp))
    }
  }

  /// Refuses a T that does not fit samples that are sequences.
  static func checkSampleLength(of domain: Domain, sequenceLength: Int) throws(LoadingError) {
    guard let count = domain.sampleTokenCount, count != sequenceLength + 1 else { return }
    throw .sampleLength(domain: domain.name, tokenCount: count, sequenceLength: sequenceLength)
  }

  /// Refuses a T that neither divides a frame nor is a multiple of one.
  static func checkSequenceLength(_ length: Int, allowsUnusedTails: Bool)
    throws(LoadingError)
  {
    try check("sequence length", length, in: 1...sequenceLengthLimit)
    let isDivisor = tokensPerFrame % length == 0
    let isMultiple = length % tokensPerFrame == 0
    guard !isDivisor, !isMultiple, !allowsUnusedTails else { return }
    let (below, above) =
      length < tokensPerFrame
      ? (
        1 << (Int.bitWidth - 1 - length.leadingZeroBitCount),
        1 << (Int.bitWidth - length.leadingZeroBitCount)
      )
      : (
        length / tokensPerFrame * tokensPerFrame,
        (length / tokensPerFrame + 1) * tokensPerFrame
      )
    throw .sequenceLength(value: length, below: below, above: above)
  }

  private static func check(_ name: String, _ value: Int, in allowed: ClosedRange<Int>)
    throws(LoadingError)
  {
    guard allowed.contains(value) else {
      throw .setting(name: name, value: value, allowed: allowed)
    }
  }
}
