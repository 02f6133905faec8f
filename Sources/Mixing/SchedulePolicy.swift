/// The policy that looks only at how far the run is: mixtures in stages, with linear ramps.
///
/// With d the steps or tokens before a batch, the stage k for which u_{k−1} ≤ d < u_k, and the
/// place e = d − u_{k−1} in it:
///
///     q = q^k                                   for e ≥ r_k
///     q = q^{k−1} + (q^k − q^{k−1}) e / r_k     for e < r_k
///
/// - q^k: the mixture of stage k `[domain]`, integers in parts of 2^48.
/// - u_k: ``MixtureSchedule/Stage/until`` in the schedule's unit, u_0 = 0. r_k: its ramp.
///
/// A ramp is worked out in integers and rounded once, so that it is the same on every machine: each
/// q_i is rounded down, and what is missing to 2^48 goes to the largest fractions, the lower index
/// on ties. A weight that is positive on either side is at least 2^-48 within the ramp, taken from
/// the largest where nothing is missing.
///
/// The mixture is a function of d alone: a restart needs the step and the tokens, which the loader
/// has, and nothing else.
///
/// Source: Ye et al. 2024, *Data Mixing Laws: Optimizing Data Mixtures by Predicting Language
/// Modeling Performance* (arXiv:2403.16952), names dynamic schedules as an outlook and gives no
/// algorithm; what is played back here is decided elsewhere.
///
/// Departures from the source: none that it could depart from.
public struct SchedulePolicy: MixturePolicy {
  /// The mixture that was asked for last; the next ``prepare(for:)`` does not read it.
  public struct Checkpoint: Codable, Sendable, Equatable {
    /// The mixture.
    public let mixture: Mixture
    /// Its reason.
    public let reason: String
  }

  /// The name on the command line, `schedule`.
  public static let name = "schedule"

  /// The mixture of the step that was prepared for last, or of the first.
  public private(set) var mixture: Mixture
  /// The stage of the mixture, such as `schedule stage 2 of 3, ramp`.
  public private(set) var reason: String

  private let unit: MixtureSchedule.Unit
  private let stages: [Stage]

  private struct Stage {
    /// Where it ends; nil for never.
    let until: Int?
    let ramp: Int
    let mixture: Mixture
  }

  /// Creates a policy for a corpus.
  ///
  /// - Parameters:
  ///   - schedule: the stages, by domain name.
  ///   - context: the domains of the corpus.
  /// - Throws: what ``MixtureSchedule/validate()`` throws,
  ///   ``MixingError/scheduleStage(stage:underlying:)`` for weights that are no mixture of the
  ///   corpus, and ``MixingError/scheduleEnded(until:done:unit:)`` for a run that is known to go on
  ///   behind the end.
  public init(_ schedule: MixtureSchedule, in context: PolicyContext) throws(MixingError) {
    try schedule.validate()
    unit = schedule.unit
    var stages: [Stage] = []
    for stage in schedule.stages {
      do throws(MixingError) {
        stages.append(
          Stage(
            until: stage.until, ramp: stage.ramp ?? 0,
            mixture: try context.mixture(ofWeights: stage.weights)))
      } catch {
        throw .scheduleStage(stage: stages.count + 1, underlying: error)
      }
    }
    self.stages = stages
    mixture = stages[0].mixture
    reason = Self.reason(stage: 0, of: stages.count, isRamp: false)
    let lastDone =
      unit == .steps ? context.stepCount.map { $0 - 1 } : context.plannedTokensBeforeLastStep
    if let until = stages.last?.until, let lastDone, lastDone >= until {
      throw .scheduleEnded(until: until, done: lastDone, unit: unit.rawValue)
    }
  }

  /// Nothing.
  public var feedbackNeeds: FeedbackNeeds { .nothing }

  /// True.
  public var followsSteps: Bool { true }

  /// Takes the mixture of the place in the run.
  ///
  /// - Parameter upcoming: how many steps and tokens were done before.
  /// - Throws: ``MixingError/scheduleEnded(until:done:unit:)`` behind the end of the last stage.
  public mutating func prepare(for upcoming: UpcomingStep) throws(MixingError) {
    let done = unit == .steps ? upcoming.step - 1 : upcoming.tokenTotal
    guard let index = stages.firstIndex(where: { $0.until.map { done < $0 } ?? true }) else {
      throw .scheduleEnded(until: stages.last?.until ?? 0, done: done, unit: unit.rawValue)
    }
    let place = done - (index > 0 ? stages[index - 1].until ?? 0 : 0)
    let isRamp = place < stages[index].ramp
    mixture =
      isRamp
      ? Self.between(
        stages[index - 1].mixture, stages[index].mixture, place: place, of: stages[index].ramp)
      : stages[index].mixture
    reason = Self.reason(stage: index, of: stages.count, isRamp: isRamp)
  }

  /// Does nothing.
  ///
  /// - Parameter feedback: is not read.
  public mutating func observe(_ feedback: Feedback) {}

  private static func reason(stage: Int, of count: Int, isRamp: Bool) -> String {
    "schedule stage \(stage + 1) of \(count)" + (isRamp ? ", ramp" : "")
  }

  /// Returns the mixture at `place` of `length` between two, exactly rounded.
  package static func between(
    _ from: Mixture, _ to: Mixture, place: Int, of length: Int
  ) -> Mixture {
    var left = Mixture.one
    var parts: [(share: Int64, rest: UInt64, index: Int)] = []
    for (index, pair) in zip(from.integerShares, to.integerShares).enumerated() {
      let (start, change) = (pair.0, pair.1 - pair.0)
      let whole = WideDivision.floor(change, times: Int64(place), over: Int64(length))
      // change · place − whole · length, which lies in [0, length): exact in 64 bits.
      let rest = UInt64(bitPattern: change &* Int64(place) &- whole &* Int64(length))
      // A share that vanishes only by rounding is 1, and has been rounded up.
      let isLifted = start + whole == 0 && rest > 0
      parts.append((isLifted ? 1 : start + whole, isLifted ? 0 : rest, index))
      left -= isLifted ? 1 : start + whole
    }
    parts.sort { ($1.rest, $0.index) < ($0.rest, $1.index) }
    // The fractions sum to what is missing, so fewer than K are; those that were lifted may have
    // taken more than there was.
    for place in parts.indices where left > 0 {
      parts[place].share += 1
      left -= 1
    }
    while left < 0, let largest = parts.indices.max(by: { parts[$0].share < parts[$1].share }) {
      parts[largest].share -= 1
      left += 1
    }
    var shares = from.integerShares
    for part in parts { shares[part.index] = part.share }
    guard let mixture = try? Mixture(integerShares: shares) else {
      preconditionFailure("shares between two mixtures do not sum to 2^48")
    }
    return mixture
  }

  /// The mixture and its reason.
  public var checkpoint: Checkpoint { Checkpoint(mixture: mixture, reason: reason) }

  /// Goes on with the mixture that was saved, until the next step is prepared for.
  ///
  /// - Parameter checkpoint: a checkpoint of a schedule.
  /// - Throws: ``MixingError/mixtureDomainCount(expected:found:)``.
  public mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    guard checkpoint.mixture.domainCount == mixture.domainCount else {
      throw .mixtureDomainCount(
        expected: mixture.domainCount, found: checkpoint.mixture.domainCount)
    }
    mixture = checkpoint.mixture
    reason = checkpoint.reason
  }
}
