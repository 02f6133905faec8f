import Corpora
import HeadraceTesting
import Loading
import Mixing

/// One row of a batch, as values.
struct Row: Hashable {
  var domain: Int
  var epoch: Int
  var tokens: [UInt32]
}

extension Batch {
  /// The rows, whatever the token type is.
  func rows(_ type: TokenType = .int32) -> [Row] {
    switch type {
    case .uint16: rows(as: UInt16.self)
    case .uint32: rows(as: UInt32.self)
    case .int32: rows(as: Int32.self)
    case .int64: rows(as: Int64.self)
    }
  }

  private func rows<Element: TokenElement>(as type: Element.Type) -> [Row] {
    withTokens(as: type) { facts.rows($0) }
  }
}

extension BatchFacts {
  /// The rows that lie in `tokens`.
  func rows<Element: TokenElement>(_ tokens: UnsafeBufferPointer<Element>) -> [Row] {
    let width = sequenceLength + 1
    return (0..<rowCount).map { row in
      Row(
        domain: domainIndex(ofRow: row), epoch: epoch(ofRow: row),
        tokens: tokens[row * width..<(row + 1) * width].map { UInt32($0) })
    }
  }
}

extension Loader {
  /// The rows of the next `count` batches, or of all up to the end.
  func rows(batches count: Int, _ type: TokenType = .int32) throws -> [[Row]] {
    var batches: [[Row]] = []
    while batches.count < count, let batch = try next() { batches.append(batch.rows(type)) }
    return batches
  }
}

/// What every row must be, from the order's definition and the tokens as they were made up; no
/// shard is read.
struct ExpectedRows {
  let orders: [DomainOrder]
  private let tokens: [[[UInt32]]]
  private let sequenceLength: Int

  init(_ corpus: SyntheticCorpus, sequenceLength: Int, unitsPerPool: Int = 4, seed: UInt64) {
    self.sequenceLength = sequenceLength
    tokens = corpus.domains.indices.map { corpus.tokens(ofDomain: $0) }
    orders = corpus.domains.map {
      DomainOrder(
        layout: DomainLayout(shardTokenCounts: $0.shards, sequenceLength: sequenceLength),
        name: $0.name, seed: seed, unitsPerPool: unitsPerPool)
    }
  }

  /// The row at a position of a domain's order.
  func row(domain: Int, position: Int) -> Row {
    let order = orders[domain]
    let place = order.place(ofSequenceAt: position)
    return Row(
      domain: domain, epoch: position / order.layout.sequenceCount,
      tokens: Array(tokens[domain][place.shard][place.token...].prefix(sequenceLength + 1)))
  }

  /// The rows of a batch with these domains, and the positions moved past them.
  func rows(domains: [Int], positions: inout [Int]) -> [Row] {
    domains.map { domain in
      defer { positions[domain] += 1 }
      return row(domain: domain, position: positions[domain])
    }
  }
}

extension DomainOrder {
  /// The shard and the first token of the sequence at a position.
  func place(ofSequenceAt position: Int, frameTokenCount: Int = tokensPerFrame) -> (
    shard: Int, token: Int
  ) {
    let (unit, sequence) = sequence(at: position)
    if unit < layout.frameUnitCount {
      let (shard, frames) = layout.frames(ofUnit: unit)
      return (shard, frames.lowerBound * frameTokenCount + sequence * layout.sequenceLength)
    }
    var place = (shard: -1, token: -1)
    var before = 0
    layout.forEachTailSegment(ofUnit: unit) { segment in
      if (before..<before + segment.sequences.count).contains(sequence) {
        let inFrame = segment.sequences.lowerBound + sequence - before
        place = (
          segment.shard, segment.frame * frameTokenCount + inFrame * layout.sequenceLength
        )
      }
      before += segment.sequences.count
    }
    return place
  }
}

/// A policy that moves weight to the domains whose losses have summed to the most.
struct LossFollower: MixturePolicy {
  struct Checkpoint: Codable, Sendable, Equatable {
    var sums: [Double]
  }

  static let name = "loss-follower"
  private(set) var sums: [Double]

  init(domainCount: Int) { sums = Array(repeating: 1, count: domainCount) }

  var mixture: Mixture {
    (try? Mixture(normalizing: sums)) ?? .uniform(domainCount: sums.count)
  }
  var reason: String { "sums of losses \(sums.count)" }
  var feedbackNeeds: FeedbackNeeds { FeedbackNeeds(losses: true) }
  var checkpoint: Checkpoint { Checkpoint(sums: sums) }

  mutating func observe(_ feedback: Feedback) {
    for (domain, loss) in feedback.losses.enumerated() { sums[domain] += loss ?? 0 }
  }

  mutating func restore(_ checkpoint: Checkpoint) { sums = checkpoint.sums }
}

extension Feedback {
  /// Made-up losses of a step, different for every domain and step.
  static func madeUp(step: Int, domainCount: Int) -> Feedback {
    Feedback(
      step: step,
      losses: (0..<domainCount).map {
        $0 == step % 5 ? nil : Double((step &* 7 &+ $0 * 13) % 11) / 3
      },
      tokenCounts: Array(repeating: 10, count: domainCount))
  }
}

/// Three domains with everything that a layout can have: full frames in several shards, short last
/// frames with no, one and many sequences, and a domain without a full frame.
func variedCorpus(tokenWidth: TokenWidth = .uint16) throws -> SyntheticCorpus {
  let frame = tokensPerFrame
  return try SyntheticCorpus(
    [
      .init("code", shards: [2 * frame + 5000, frame + 70_000, 3000]),
      .init("prose", shards: [frame + 700, 90_000]),
      .init("data", shards: [40_000]),
    ], tokenWidth: tokenWidth)
}

/// The settings of a loader, with what a test changes.
func options(_ change: (inout LoaderOptions) -> Void) -> LoaderOptions {
  var options = LoaderOptions()
  options.threadCount = 0
  change(&options)
  return options
}
