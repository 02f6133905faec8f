#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The learning rate by step: a linear warm-up, then half a cosine down to a minimum.
///
///     η(t) = η_max t / w                                                   1 ≤ t ≤ w
///     η(t) = η_min + (η_max − η_min) (1 + cos(π (t − w) / (n − w))) / 2    w < t ≤ n
///     η(t) = η_min                                                         t > n
///
/// - t: the step, counted from 1. w: `warmUpStepCount`. n: `stepCount`.
/// - η_max, η_min: `learningRateMaximum`, `learningRateMinimum`.
///
/// Source: Loshchilov and Hutter 2017, *SGDR* (arXiv:1608.03983), equation 5, for the cosine.
///
/// Departures from the source: one period without restarts, after a linear warm-up.
public struct LearningRateSchedule: Sendable, Equatable, Codable {
  /// η_max, reached at the end of the warm-up.
  public var learningRateMaximum: Double
  /// η_min, reached at `stepCount` and kept from then on.
  public var learningRateMinimum: Double
  /// w, the steps of the warm-up; 0 starts at the maximum's cosine at once.
  public var warmUpStepCount: Int
  /// n, the step at which the minimum is reached.
  public var stepCount: Int

  /// Creates a schedule.
  ///
  /// - Precondition: 0 ≤ minimum ≤ maximum, both finite, and 0 ≤ warm-up ≤ steps, which is a
  ///   programmer's matter; read settings are checked where they are read.
  public init(
    learningRateMaximum: Double, learningRateMinimum: Double, warmUpStepCount: Int, stepCount: Int
  ) {
    precondition(
      learningRateMinimum >= 0 && learningRateMaximum >= learningRateMinimum
        && learningRateMaximum.isFinite,
      "no learning rates from \(learningRateMinimum) to \(learningRateMaximum)")
    precondition(
      warmUpStepCount >= 0 && stepCount >= warmUpStepCount,
      "no \(warmUpStepCount) warm-up steps among \(stepCount)")
    self.learningRateMaximum = learningRateMaximum
    self.learningRateMinimum = learningRateMinimum
    self.warmUpStepCount = warmUpStepCount
    self.stepCount = stepCount
  }

  /// Returns η(t).
  ///
  /// - Parameter step: t, counted from 1.
  /// - Returns: the learning rate in [0, maximum].
  public func rate(atStep step: Int) -> Double {
    precondition(step >= 1, "steps are counted from 1, not from \(step)")
    if step <= warmUpStepCount {
      return learningRateMaximum * Double(step) / Double(warmUpStepCount)
    }
    guard step < stepCount else { return learningRateMinimum }
    let progress = Double(step - warmUpStepCount) / Double(stepCount - warmUpStepCount)
    let height = (1 + cos(Double.pi * progress)) / 2
    return learningRateMinimum + (learningRateMaximum - learningRateMinimum) * height
  }
}
