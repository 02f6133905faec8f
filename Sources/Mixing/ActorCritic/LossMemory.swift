/// What is remembered of the losses and the counts of past steps, by domain.
struct LossMemory: Sendable, Equatable, Codable {
  private static let fastDecay = 0.8
  private static let slowDecay = 0.97
  private static let countDecay = 0.9
  /// Losses are compared by their logarithms; nats per token beyond this range count as its ends.
  private static let lossRange = 1e-8...1e8

  /// The averages `[domain]`; 0 for a domain that was never seen.
  private var fast: PackedArray<Double>
  private var slow: PackedArray<Double>
  /// The first loss of each domain `[domain]`; 0 for one that was never seen.
  private var first: PackedArray<Double>
  /// The average shares of the tokens `[domain]`.
  private var shares: PackedArray<Double>
  private var hasShares = false

  init(domainCount: Int) {
    fast = PackedArray([Double](repeating: 0, count: domainCount))
    slow = fast
    first = fast
    shares = fast
  }

  mutating func add(_ feedback: Feedback) {
    for (domain, loss) in feedback.losses.enumerated() {
      guard let loss else { continue }
      let value = min(max(loss, Self.lossRange.lowerBound), Self.lossRange.upperBound)
      if first.values[domain] == 0 {
        first.values[domain] = value
        fast.values[domain] = value
        slow.values[domain] = value
      } else {
        fast.values[domain] += (1 - Self.fastDecay) * (value - fast.values[domain])
        slow.values[domain] += (1 - Self.slowDecay) * (value - slow.values[domain])
      }
    }
    let total = feedback.tokenCounts.reduce(0.0) { $0 + Double($1) }
    guard total > 0 else { return }
    for (domain, count) in feedback.tokenCounts.enumerated() {
      let share = Double(count) / total
      shares.values[domain] =
        hasShares
        ? Self.countDecay * shares.values[domain] + (1 - Self.countDecay) * share : share
    }
    hasShares = true
  }

  /// The logarithms of the losses less their mean over the domains that were seen `[domain]`; 0 for
  /// one that was not.
  var centeredLogs: [Double] {
    let logs = fast.values.map { $0 > 0 ? $0.naturalLog : nil }
    let seen = logs.compactMap { $0 }
    let mean = seen.isEmpty ? 0 : seen.reduce(0, +) / Double(seen.count)
    return logs.map { $0.map { $0 - mean } ?? 0 }
  }

  /// The logarithm of how the loss changed lately.
  func change(_ domain: Int) -> Double {
    fast.values[domain] > 0 ? (fast.values[domain] / slow.values[domain]).naturalLog : 0
  }

  /// The logarithm of how the loss changed since the domain's first.
  func drop(_ domain: Int) -> Double {
    first.values[domain] > 0 ? (slow.values[domain] / first.values[domain]).naturalLog : 0
  }

  /// The average share of the tokens, 1/K if nobody said.
  func share(_ domain: Int) -> Double {
    hasShares ? shares.values[domain] : 1 / Double(domainCount)
  }

  var domainCount: Int { fast.values.count }

  /// The sizes of all arrays.
  var arrayCounts: [Int] { [fast, slow, first, shares].map(\.values.count) }

  var isFinite: Bool {
    [fast, slow, first, shares].allSatisfy { $0.values.allSatisfy(\.isFinite) }
  }
}
