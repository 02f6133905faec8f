public import Corpora
public import Loading
public import Mixing

/// What kept a run from beginning, going on or ending.
public enum RunError: Error {
  /// The corpus, or a file of the run folder, cannot be read or written.
  case corpus(CorpusError)
  /// The loader refused its settings, a checkpoint or the ledger, or found damage.
  case loading(LoadingError)
  /// The policy refused its options.
  case mixing(MixingError)
  /// A setting of the model or of the run is wrong.
  case training(TrainingError)
  /// The model knows fewer tokens than the corpus has.
  case vocabularyTooSmall(model: Int, corpus: Int)
  /// A run stands in the folder already, and was not asked to go on.
  case folderHasRun(path: String)
  /// Another process trains in the folder.
  case folderInUse(path: String)
  /// The folder holds something, but no run.
  case folderIsNoRun(path: String, entry: String)
  /// The run was begun with another configuration.
  case configurationDiffers(path: String, field: String, recorded: String, given: String)
  /// A file of the run folder does not decode, or contradicts itself.
  case fileDamaged(path: String, reason: String)
  /// A line of the metrics does not decode; lines are counted from 1.
  case metricsDamaged(path: String, line: Int, reason: String)
  /// The metrics have fewer bytes than the checkpoint was made after.
  case metricsTooShort(path: String, byteCount: Int, recorded: Int)
  /// No checkpoint of the run reads whole.
  case noWholeCheckpoint(folder: String, newest: String, reason: String)
  /// The trainer does not measure what the policy reads.
  case feedbackRefused(policy: String, underlying: any Error)
  /// The policy reads gradients by domain, and the batch has not two rows for each.
  case rowsTooFew(policy: String, domainCount: Int, rows: Int)
  /// What the policy learned is to be saved, and it learns nothing.
  case policyLearnsNothing(policy: String)
  /// The trainer could not make a step.
  case stepFailed(step: Int, checkpoint: String?, underlying: any Error)
  /// The trainer could not measure a domain's held-out loss.
  case evaluationFailed(step: Int, domain: String, underlying: any Error)
}

extension RunError: CustomStringConvertible {
  /// What happened, where, and what to do about it.
  public var description: String {
    switch self {
    case .corpus(let error): return error.description
    case .loading(let error): return error.description
    case .mixing(let error): return error.description
    case .training(let error): return error.description
    case .folderInUse(let path):
      return "another process trains in \(path). Wait for it, or stop it."
    case .vocabularyTooSmall(let model, let corpus):
      return "the model knows \(model) tokens, the corpus has \(corpus). Give the model at least "
        + "the corpus's vocabulary."
    case .folderHasRun(let path):
      return "a run stands in \(path) already. Go on with it (--resume), or name another folder."
    case .folderIsNoRun(let path, let entry):
      return "\(path) holds \(entry), which is no part of a run. Name a new or an empty folder."
    case .configurationDiffers(let path, let field, let recorded, let given):
      return
        "the run in \(path) was begun with \(field) \(recorded), not \(given). Go on with what "
        + "it was begun with, or begin a new run in another folder."
    case .fileDamaged(let path, let reason):
      return "\(path) does not decode: \(reason)."
    case .metricsDamaged(let path, let line, let reason):
      return "line \(line) of \(path) does not decode: \(reason)."
    case .metricsTooShort(let path, let byteCount, let recorded):
      return "\(path) has \(byteCount) bytes and not the \(recorded) that the checkpoint was made "
        + "after: it is another run's, or was cut. Put the right one back."
    case .noWholeCheckpoint(let folder, let newest, let reason):
      return "no checkpoint in \(folder) reads whole; of the newest, \(newest): \(reason) Begin a "
        + "new run in another folder, or empty that one to do this run again from its first step."
    case .feedbackRefused(let policy, let underlying):
      return "the policy \(policy) cannot be trained with: \(underlying)"
    case .rowsTooFew(let policy, let domainCount, let rows):
      return "the policy \(policy) reads the gradients of single domains, for which each of "
        + "\(domainCount) needs two rows of a batch of \(rows). Give --rows \(2 * domainCount) or "
        + "more, or group the rows yourself (--grouping 1 --every-domain)."
    case .policyLearnsNothing(let policy):
      return "the policy \(policy) learns nothing that could be saved for another run. Leave "
        + "--save-policy out."
    case .stepFailed(let step, let checkpoint, let underlying):
      let kept = checkpoint.map { "The checkpoint \($0) is kept." } ?? "There is no checkpoint yet."
      return "step \(step) failed: \(underlying). \(kept)"
    case .evaluationFailed(let step, let domain, let underlying):
      return "the held-out loss of domain \(domain) could not be measured after step \(step): "
        + "\(underlying)"
    }
  }
}
