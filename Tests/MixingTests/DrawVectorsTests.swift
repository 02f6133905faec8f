import Mixing
import Testing

/// Whole runs with caps and groups, put together from the parts as a loader does it.
@Suite(.timeLimit(.minutes(5)))
struct DrawVectorsTests {
  @Test func batchesAreThoseOfTheReference() throws {
    for run in try OrderVectors.read().draws where run.multinomial_seed == nil {
      var draw = ReferenceDraw(run)
      var asked = Mixture.uniform(domainCount: run.sequence_counts.count)
      for (number, batch) in run.batches.enumerated() {
        if let weights = batch?.weights { asked = try Mixture(normalizing: weights) }
        let before = draw
        guard let (domains, effective) = draw.batch(asked) else {
          #expect(batch == nil, "\(run.note): batch \(number) is missing")
          draw = before
          continue
        }
        let expected = try #require(batch, "\(run.note): batch \(number) is too much")
        #expect(domains == expected.domains, "\(run.note): rows of batch \(number)")
        #expect(effective == expected.effective, "\(run.note): effective in batch \(number)")
        #expect(draw.state.credits == expected.credits, "\(run.note): batch \(number)")
        #expect(draw.positions == expected.positions, "\(run.note): batch \(number)")
      }
    }
  }
}

/// The draw of one run, by arrays.
private struct ReferenceDraw {
  let run: OrderVectors.Draws
  let caps: [Int64?]
  let group: Int64
  var state: Apportionment
  var positions: [Int64]
  var isExhausted: [Bool]

  init(_ run: OrderVectors.Draws) {
    self.run = run
    let group = Int64(run.micro_batch ?? 1)
    let caps = zip(run.caps_in_epochs, run.sequence_counts).map { cap, count in
      cap.map { $0 * count }
    }
    self.group = group
    self.caps = caps
    state = Apportionment(domainCount: caps.count)
    positions = caps.map { _ in 0 }
    isExhausted = caps.map { cap in cap.map { $0 < group } ?? false }
  }

  func effective(_ asked: Mixture) -> [Int64]? {
    let left = caps.indices.map { index in
      caps[index].map { $0 - positions[index] } ?? run.sequence_counts[index]
    }
    return EffectiveShares.mixture(
      asked: asked, isExhausted: isExhausted, sequencesLeft: left)?.integerShares
  }

  /// Takes a draw's sequences, and the domain out of the mixture if it has no draw left.
  mutating func give(_ domain: Int, _ asked: Mixture) {
    positions[domain] += group
    guard let cap = caps[domain], cap - positions[domain] < group else { return }
    isExhausted[domain] = true
    let none = [Int64](repeating: 0, count: caps.count)
    state.shareCredit(
      ofDomain: domain, asked: asked.integerShares, effective: effective(asked) ?? none,
      isExhausted: isExhausted)
  }

  mutating func batch(_ asked: Mixture) -> (domains: [Int], effective: [Int64])? {
    let drawCount = run.rows / Int(group)
    guard let start = effective(asked) else { return nil }
    var report = start
    var given: [Int] = []
    if run.minimum_one {
      let active = caps.indices.filter { !isExhausted[$0] }
      let free = Int64(drawCount - active.count)
      for index in caps.indices {
        let one = isExhausted[index] ? 0 : Mixture.one
        report[index] = (one + free * start[index]) / Int64(drawCount)
      }
      report[active[0]] += Mixture.one - report.reduce(0, +)
      for domain in active {
        given.append(domain)
        give(domain, asked)
      }
    }
    while given.count < drawCount {
      guard let shares = effective(asked) else { return nil }
      let domain = shares.withUnsafeBufferPointer { state.nextDomain(shares: $0) }
      given.append(domain)
      give(domain, asked)
      // Shares are made anew only where a domain ran out; made anew every row, those by sequences
      // left would move with every row.
      while given.count < drawCount, !isExhausted[given[given.count - 1]] {
        let domain = shares.withUnsafeBufferPointer { state.nextDomain(shares: $0) }
        given.append(domain)
        give(domain, asked)
      }
    }
    if run.micro_batch != nil { given.sort() }
    return (given.flatMap { [Int](repeating: $0, count: Int(group)) }, report)
  }
}
