internal import Corpora
internal import Mixing

/// Which domain each row of a batch comes from, and what that does to positions and credits.
///
/// A batch is planned, then either kept or taken back whole, so that a read that fails in the
/// middle of a batch leaves the state where it was.
///
/// How a batch is drawn:
///
/// 1. The effective mixture is the asked one without the exhausted domains.
/// 2. With `everyDomain`, each domain that is not exhausted is given one micro-batch, in order of
///   index; that moves no credit.
/// 3. The other draws go by the credits, or by the multinomial draw.
/// 4. A draw that leaves its domain with fewer sequences below its cap than a draw takes exhausts
///   it: its credit goes to the others, and the effective mixture is made anew. Where quarantine
///   takes all that was left of a domain, its credit is handed out at the beginning of a batch.
/// 5. Where rows are grouped, they are put in the order of their domains.
final class BatchDraw {
  private let domainCount: Int
  private let drawRows: Int
  private let isGrouped: Bool
  private let everyDomain: Bool
  private let rule: DrawRule
  private let key: StreamKey
  /// The sequences of one epoch, `[domain]`.
  private let sequenceCounts: [Int]
  /// The position at which a domain is exhausted, `[domain]`; `Int.max` if it never is.
  private let positionLimits: [Int]
  /// What quarantine takes out of each domain; nil for nothing.
  private var bad: [BadPositions?]

  private var apportionment: Apportionment
  /// What each domain is owed now, `[domain]`.
  var credits: [Int64] { apportionment.credits }
  private(set) var drawCount = 0
  private(set) var rowTotal = 0
  /// How many sequences each domain has given, `[domain]`.
  // This and the other buffers are this object's own: allocated with it, freed with it.
  let positions: UnsafeMutableBufferPointer<Int>
  /// How many rows each domain has given, `[domain]`.
  let rowCounts: UnsafeMutableBufferPointer<Int>
  /// The credits before the batch that was planned last, `[domain]`.
  let creditsBefore: UnsafeMutableBufferPointer<Int64>
  private(set) var drawCountBefore = 0
  private var rowTotalBefore = 0
  /// Whether the batch that was planned last has been counted in ``rowCounts``.
  private var isWholePlan = false

  /// The effective mixture now, in parts of 2^48, `[domain]`.
  let effective: UnsafeMutableBufferPointer<Int64>
  private let isExhausted: UnsafeMutableBufferPointer<Bool>
  private let drawsLeft: UnsafeMutableBufferPointer<Int64>
  private let sequencesLeft: UnsafeMutableBufferPointer<Int64>
  /// The domain of each draw of the batch, `[draw]`.
  private var drawn = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 0)

  init(identity: LoaderIdentity) {
    domainCount = identity.domains.count
    drawRows = identity.grouping?.microBatchRows ?? 1
    isGrouped = identity.grouping != nil
    everyDomain = identity.grouping?.everyDomain ?? false
    rule = identity.draw
    key = StreamKey(seed: identity.seed, purpose: .draw, name: "")
    // Text that nobody has counted is never exhausted either, and stands for the least there is.
    sequenceCounts = identity.domains.map { max(1, $0.sequenceCount) }
    positionLimits = identity.domains.map { $0.positionLimit ?? .max }
    bad = Array(repeating: nil, count: domainCount)
    apportionment = Apportionment(domainCount: domainCount)
    positions = .allocate(capacity: domainCount)
    positions.initialize(repeating: 0)
    rowCounts = .allocate(capacity: domainCount)
    rowCounts.initialize(repeating: 0)
    creditsBefore = .allocate(capacity: domainCount)
    creditsBefore.initialize(repeating: 0)
    effective = .allocate(capacity: domainCount)
    effective.initialize(repeating: 0)
    isExhausted = .allocate(capacity: domainCount)
    drawsLeft = .allocate(capacity: domainCount)
    sequencesLeft = .allocate(capacity: domainCount)
    findExhausted()
  }

  deinit {
    positions.deallocate()
    rowCounts.deallocate()
    creditsBefore.deallocate()
    effective.deallocate()
    isExhausted.deallocate()
    drawsLeft.deallocate()
    sequencesLeft.deallocate()
    drawn.deallocate()
  }

  /// Goes on from a checkpoint.
  func restore(_ checkpoint: LoaderCheckpoint) throws(MixingError) {
    try restore(
      positions: checkpoint.positions, credits: checkpoint.credits,
      drawCount: checkpoint.drawCount, rowTotal: checkpoint.rowTotal)
    for domain in 0..<domainCount { rowCounts[domain] = checkpoint.rowCounts[domain] }
  }

  /// Goes on from any moment of a run.
  func restore(positions: [Int], credits: [Int64], drawCount: Int, rowTotal: Int)
    throws(MixingError)
  {
    apportionment = try Apportionment(credits: credits)
    self.drawCount = drawCount
    self.rowTotal = rowTotal
    for domain in 0..<domainCount { self.positions[domain] = positions[domain] }
    findExhausted()
  }

  /// Sets what quarantine takes out of each domain.
  func setBadPositions(_ bad: [BadPositions?]) {
    self.bad = bad
    findExhausted()
  }

  /// Whether a domain has too few sequences left below its cap for another draw.
  func hasExhausted(_ domain: Int) -> Bool { isExhausted[domain] }

  /// Plans the next batch and moves the state past it.
  ///
  /// - Returns: False, with the state as before, if the domains that are left do not fill the
  ///   batch.
  func plan(asked: Mixture, rows: Int, into batch: BatchStorage) throws(LoadingError) -> Bool {
    begin(batch)
    let drawTotal = rows / drawRows
    reserve(draws: drawTotal)
    let isWhole = try asked.integerShares.withUnsafeBufferPointer { shares in
      Result { () throws(LoadingError) in
        try draw(drawTotal, asked: shares, batch: batch)
      }
    }.get()
    guard isWhole else {
      takeBack(batch)
      return false
    }
    rowTotal += rows
    writeRows(drawTotal, into: batch)
    for domain in 0..<domainCount {
      rowCounts[domain] += batch.rowCounts[domain]
      batch.rowCountsAfter[domain] = rowCounts[domain]
      batch.positionsAfter[domain] = positions[domain]
    }
    isWholePlan = true
    apportionment.copyCredits(into: batch.creditsAfter)
    batch.drawCountAfter = drawCount
    batch.rowTotalAfter = rowTotal
    return true
  }

  /// Puts the state back to what it was before the batch that was planned last.
  func takeBack(_ batch: BatchStorage) {
    for domain in 0..<domainCount {
      positions[domain] = batch.positionsBefore[domain]
      if isWholePlan { rowCounts[domain] -= batch.rowCounts[domain] }
    }
    isWholePlan = false
    apportionment.setCredits(to: UnsafeBufferPointer(creditsBefore))
    drawCount = drawCountBefore
    rowTotal = rowTotalBefore
    findExhausted()
  }

  // MARK: One batch

  private func begin(_ batch: BatchStorage) {
    for domain in 0..<domainCount {
      batch.positionsBefore[domain] = positions[domain]
      batch.rowCounts[domain] = 0
    }
    isWholePlan = false
    apportionment.copyCredits(into: creditsBefore)
    drawCountBefore = drawCount
    rowTotalBefore = rowTotal
  }

  /// Fills ``drawn``; false if there is not enough left.
  private func draw(_ drawTotal: Int, asked: UnsafeBufferPointer<Int64>, batch: BatchStorage)
    throws(LoadingError) -> Bool
  {
    guard makeEffective(asked) else { return false }
    shareCreditsOfExhausted(asked)
    var made = 0
    if everyDomain {
      made = try drawEveryDomain(drawTotal, asked: asked, batch: batch)
      guard made == drawTotal || makeEffective(asked) else { return false }
    } else {
      _ = batch.effectiveShares.update(fromContentsOf: effective)
    }
    while made < drawTotal {
      let count: Int
      let free = UnsafeMutableBufferPointer(rebasing: drawn[made..<drawTotal])
      switch rule {
      case .credits:
        count = apportionment.drawDomains(
          into: free, shares: UnsafeBufferPointer(effective), drawsLeft: drawsLeft)
      case .multinomial: count = drawMultinomially(into: free)
      }
      drawCount += count
      take(drawn[made..<made + count], batch: batch)
      made += count
      let last = Int(drawn[made - 1])
      if drawsLeft[last] == 0 {
        let isAnyLeft = exhaust(last, asked: asked)
        guard isAnyLeft || made == drawTotal else { return false }
      }
    }
    return true
  }

  /// Gives one micro-batch to every domain that is not exhausted, and reports the mixture that
  /// results.
  private func drawEveryDomain(
    _ drawTotal: Int, asked: UnsafeBufferPointer<Int64>, batch: BatchStorage
  ) throws(LoadingError) -> Int {
    let active = (0..<domainCount).reduce(0) { $0 + (isExhausted[$1] ? 0 : 1) }
    guard active <= drawTotal else {
      throw .microBatches(
        rows: drawTotal * drawRows, microBatchRows: drawRows, leastRows: active * drawRows)
    }
    let free = Int128(drawTotal - active)
    var rest = Mixture.one
    for domain in 0..<domainCount {
      let given = isExhausted[domain] ? 0 : Int128(Mixture.one)
      let share = Int64((given + free * Int128(effective[domain])) / Int128(drawTotal))
      batch.effectiveShares[domain] = share
      rest -= share
    }
    var made = 0
    for domain in 0..<domainCount where !isExhausted[domain] {
      if made == 0 { batch.effectiveShares[domain] += rest }
      drawn[made] = Int32(truncatingIfNeeded: domain)
      made += 1
    }
    for draw in 0..<made {
      let domain = Int(drawn[draw])
      take(drawn[draw..<draw + 1], batch: batch)
      guard drawsLeft[domain] != .max else { continue }
      drawsLeft[domain] -= 1
      if drawsLeft[domain] == 0 { _ = exhaust(domain, asked: asked) }
    }
    return made
  }

  /// Draws each domain on its own until the block is full or a domain is exhausted.
  private func drawMultinomially(into domains: UnsafeMutableBufferPointer<Int32>) -> Int {
    for draw in domains.indices {
      let number = Philox.block(key: key, index: UInt64(drawCount + draw)).lowPair >> 16
      var sum: Int64 = 0
      var domain = 0
      while domain < domainCount - 1 {
        sum += effective[domain]
        if sum > Int64(number) { break }
        domain += 1
      }
      domains[draw] = Int32(truncatingIfNeeded: domain)
      guard drawsLeft[domain] != .max else { continue }
      drawsLeft[domain] -= 1
      if drawsLeft[domain] == 0 { return draw + 1 }
    }
    return domains.count
  }

  /// Moves the positions past draws.
  private func take(_ draws: Slice<UnsafeMutableBufferPointer<Int32>>, batch: BatchStorage) {
    for domain in draws.lazy.map(Int.init) {
      batch.rowCounts[domain] += drawRows
      guard let bad = bad[domain] else {
        positions[domain] += drawRows
        continue
      }
      for _ in 0..<drawRows { positions[domain] = bad.firstGood(from: positions[domain]) + 1 }
    }
  }

  /// Takes a domain out of the mixture; false if it was the last one.
  private func exhaust(_ domain: Int, asked: UnsafeBufferPointer<Int64>) -> Bool {
    isExhausted[domain] = true
    let isAnyLeft = makeEffective(asked)
    if isAnyLeft {
      apportionment.shareCredit(
        ofDomain: domain, asked: asked, effective: UnsafeBufferPointer(effective),
        isExhausted: UnsafeBufferPointer(isExhausted))
    }
    return isAnyLeft
  }

  /// Hands out the credits of domains that were exhausted between batches: quarantine has taken all
  /// that was left of them.
  ///
  /// At a cap ``exhaust(_:asked:)`` does so at once.
  private func shareCreditsOfExhausted(_ asked: UnsafeBufferPointer<Int64>) {
    for domain in 0..<domainCount where isExhausted[domain] {
      apportionment.shareCredit(
        ofDomain: domain, asked: asked, effective: UnsafeBufferPointer(effective),
        isExhausted: UnsafeBufferPointer(isExhausted))
    }
  }

  /// Makes ``effective`` from the asked mixture; false if every domain is exhausted.
  private func makeEffective(_ asked: UnsafeBufferPointer<Int64>) -> Bool {
    for domain in 0..<domainCount {
      let limit = positionLimits[domain]
      sequencesLeft[domain] = Int64(
        limit == .max
          ? bad[domain]?.goodPerEpoch ?? sequenceCounts[domain] : left(below: limit, domain))
    }
    return EffectiveShares.write(
      asked: asked, isExhausted: UnsafeBufferPointer(isExhausted),
      sequencesLeft: UnsafeBufferPointer(sequencesLeft), into: effective)
  }

  /// Finds from the positions which domains are exhausted and how many draws the others have left.
  private func findExhausted() {
    for domain in 0..<domainCount {
      let limit = positionLimits[domain]
      let left = limit == .max ? .max : Int64(left(below: limit, domain) / drawRows)
      drawsLeft[domain] = left
      isExhausted[domain] = left <= 0
    }
  }

  /// The good sequences of a domain below its cap.
  private func left(below limit: Int, _ domain: Int) -> Int {
    bad[domain]?.goodCount(from: positions[domain], to: limit) ?? limit - positions[domain]
  }

  private func reserve(draws: Int) {
    guard drawn.count < draws else { return }
    drawn.deallocate()
    drawn = .allocate(capacity: draws)
    drawn.initialize(repeating: 0)
  }

  /// Writes the domain of every row: in the order of the draw, or by domain where rows are grouped.
  private func writeRows(_ drawTotal: Int, into batch: BatchStorage) {
    guard isGrouped else {
      for draw in 0..<drawTotal { batch.domainOfRow[draw] = drawn[draw] }
      return
    }
    var row = 0
    for domain in 0..<domainCount {
      for _ in 0..<batch.rowCounts[domain] {
        batch.domainOfRow[row] = Int32(truncatingIfNeeded: domain)
        row += 1
      }
    }
  }
}
