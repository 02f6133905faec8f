/// Something that a run says besides its metrics.
public enum RunNotice: Sendable, Equatable {
  /// The folder held no run to go on with, so that the run begins.
  case nothingToResume(folder: String)
  /// The run had begun but has no checkpoint: its ledger and metrics are replaced.
  case beginsAgain(folder: String)
  /// The run goes on after a step.
  case resumed(step: Int, checkpoint: String)
  /// A checkpoint is damaged, and the one before it is used.
  case checkpointDamaged(path: String, reason: String)
  /// Metrics behind the checkpoint were cut off; those steps are done again.
  case metricsCut(byteCount: Int)
  /// The instruction set is another than the one that the run began with, so that its numbers are
  /// not exactly those of a run that was never stopped.
  case instructionSetDiffers(recorded: String, current: String)
  /// The domains that are left do not fill a batch; the run ends before its last step.
  case domainsExhausted(step: Int)
  /// What the loader has to say.
  case loader(String)
}

extension RunNotice: CustomStringConvertible {
  /// The notice in words.
  public var description: String {
    switch self {
    case .nothingToResume(let folder): "\(folder) holds no run to go on with; it begins now"
    case .beginsAgain(let folder):
      "the run in \(folder) has no checkpoint yet; its ledger and metrics are replaced, and it "
        + "begins again at step 1"
    case .resumed(let step, let checkpoint): "going on after step \(step), from \(checkpoint)"
    case .checkpointDamaged(let path, let reason):
      "the checkpoint \(path) does not read whole; the one before it is used. \(reason)"
    case .metricsCut(let byteCount):
      "cut \(byteCount) bytes behind the checkpoint off the metrics; those steps are done again"
    case .instructionSetDiffers(let recorded, let current):
      "the run began with \(recorded) instructions and goes on with \(current): its numbers will "
        + "differ in their last digits from those of a run that was never stopped"
    case .domainsExhausted(let step):
      "after step \(step) the domains that are left fill no batch; the run ends here"
    case .loader(let text): text
    }
  }
}

/// Something that is told how a run goes; the library itself prints nothing.
///
/// Every method has a default that does nothing. All are called on the thread of the run, between
/// steps, and so should return quickly.
public protocol RunObserver {
  /// The run begins or goes on: after step `step` of `stepCount`, with the domains of these names.
  func training(beginsAfter step: Int, of stepCount: Int, domains: [String])
  /// A step was made.
  func training(step: StepMetrics)
  /// The held-out losses were measured.
  func training(evaluation: EvaluationMetrics)
  /// A checkpoint was written.
  func training(checkpoint path: String, step: Int)
  /// Something is to be said.
  func training(notice: RunNotice)
}

extension RunObserver {
  /// Does nothing.
  public func training(beginsAfter step: Int, of stepCount: Int, domains: [String]) {}
  /// Does nothing.
  public func training(step: StepMetrics) {}
  /// Does nothing.
  public func training(evaluation: EvaluationMetrics) {}
  /// Does nothing.
  public func training(checkpoint path: String, step: Int) {}
  /// Does nothing.
  public func training(notice: RunNotice) {}
}

/// An observer that looks away.
public struct SilentRunObserver: RunObserver {
  /// Creates the observer.
  public init() {}
}
