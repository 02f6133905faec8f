internal import Mixing

extension TrainingError: CustomStringConvertible {
  /// What happened, where, and what to do.
  public var description: String {
    switch self {
    case .settingOutOfRange(let name, let value, let allowed):
      "\(name) is \(value); it must lie in \(allowed.lowerBound)...\(allowed.upperBound)"
    case .numberOutOfRange(let name, let value):
      "\(name) is \(value), which is outside its range"
    case .widthDoesNotDivide(let width, let headCount):
      "width \(width) is no multiple of \(2 * headCount), which \(headCount) heads of even width need"
    case .tokenOutOfRange(let token, let row, let position, let vocabularySize):
      "row \(row) has token \(token) at position \(position); the model's vocabulary has "
        + "\(vocabularySize) tokens, so set vocabulary_size to that of the corpus"
    case .tokenCountWrong(let found, let expected):
      "the batch has \(found) tokens where its rows need \(expected); compare the sequence lengths "
        + "of model and batch"
    case .domainIndexesWrong(let indexCount, let rowCount, let domainCount):
      "\(indexCount) domain indexes for \(rowCount) rows, or one outside 0..<\(domainCount)"
    case .lossNotFinite(let step, let loss):
      "the loss is \(loss) at step \(step); lower the learning rate or look at the batch"
    case .gradientNotFinite(let step, let norm):
      "the norm of the gradient is \(norm) at step \(step); lower the learning rate"
    case .watchedParametersMalformed, .gradientsNeedGrouping, .layerCountDiffers,
      .feedbackNotMeasured, .microBatchesMixed, .gradients:
      feedbackDescription
    default: checkpointDescription
    }
  }

  private var feedbackDescription: String {
    switch self {
    case .watchedParametersMalformed(let text, let reason):
      "'\(text)' names no parameters to watch: \(reason); write all, hidden-output, or "
        + "hidden-output:0,1+head"
    case .gradientsNeedGrouping:
      "the policy reads the gradients of single domains, which come from rows in micro-batches of "
        + "one domain: group the rows (--grouping 2 --every-domain, or loader.grouping)"
    case .layerCountDiffers(let watched, let read):
      "its networks read the norms of \(read) layers (embedding, last norm and head count as one "
        + "each), and \(watched) are watched: choose others (--gradients), or a model with as many"
    case .feedbackNotMeasured(let needs):
      "the policy reads \(needs.gradients ? "gradients by domain" : "norms of the parameters"), "
        + "which this trainer does not measure; take a policy that reads losses alone, or measure "
        + "them (Trainer.measure, GradientRecorder)"
    case .microBatchesMixed(let row, let microBatchRows):
      "row \(row) does not belong to a whole micro-batch of \(microBatchRows) rows of one domain; "
        + "give rows as they come when they are grouped"
    case .gradients(let error): error.description
    default: "training failed"
    }
  }

  private var checkpointDescription: String {
    switch self {
    case .checkpointByteCountWrong(let found, let expected):
      "the model checkpoint has \(found) bytes where \(expected) are expected; it is cut short or "
        + "of another model"
    case .checkpointMagicUnknown:
      "these bytes are no model checkpoint of Headrace"
    case .checkpointVersionUnknown(let found, let expected):
      "the model checkpoint has version \(found); this program reads version \(expected)"
    case .checkpointChecksumWrong(let stored, let computed):
      "the model checkpoint is damaged: its checksum is \(computed), it says \(stored); use an "
        + "earlier one"
    case .checkpointOfAnotherModel(let name, let stored, let expected):
      "the model checkpoint has \(name) \(stored), this model \(expected)"
    default: "training failed"
    }
  }
}
