/// The policy state of AC-ODM's paper and code, from feedback.
///
/// Blocks, in this order, each but the time replaced by its scores
/// (``PublishedNumbers/scores(_:)``):
///
/// | block | numbers | `released` | `paper` |
/// | --- | --- | --- | --- |
/// | loss | K | of the step | of the step |
/// | change of the loss | K | since the first step seen | since the last |
/// | samples | K | in the step | in all steps |
/// | parameter norms | L | of the watched layers | the same |
/// | update norms | L | of the watched layers | the same |
/// | time | 1 | 100 · step / planned steps | step / planned steps |
///
/// A domain that was not seen keeps its last loss; before it ever was, it has the others' mean.
struct PublishedState: Sendable, Equatable, Codable {
  private var lastLosses: [Double?]
  private var referenceLosses: [Double]?
  private var counts: [Double]

  init(domainCount: Int) {
    lastLosses = [Double?](repeating: nil, count: domainCount)
    counts = [Double](repeating: 0, count: domainCount)
  }

  var domainCount: Int { counts.count }

  /// Takes in a step and returns the state `[3K + 2L + 1]` after it.
  mutating func add(
    _ feedback: Feedback, form: ActorCriticPreset, stepCount: Int
  ) -> [Float] {
    for (domain, loss) in feedback.losses.enumerated() {
      if let loss { lastLosses[domain] = min(max(loss, -1e8), 1e8) }
      let count = Double(feedback.tokenCounts[domain])
      counts[domain] = form == .paper ? counts[domain] + count : count
    }
    let seen = lastLosses.compactMap(\.self)
    let mean = seen.isEmpty ? 0 : seen.reduce(0, +) / Double(seen.count)
    let losses = lastLosses.map { $0 ?? mean }
    let reference = referenceLosses ?? losses
    referenceLosses = form == .paper ? losses : reference
    let progress = min(Double(feedback.step) / Double(stepCount), 1)
    let numbers =
      PublishedNumbers.scores(losses)
      + PublishedNumbers.scores(zip(losses, reference).map(-))
      + PublishedNumbers.scores(counts)
      + PublishedNumbers.scores(feedback.parameterNorms ?? [])
      + PublishedNumbers.scores(feedback.updateNorms ?? [])
      + [form == .paper ? progress : 100 * progress]
    return numbers.map { Float($0) }
  }
}
