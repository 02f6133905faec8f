public import Mixing

/// What can go wrong in training, with what is needed to find it again.
public enum TrainingError: Error, Equatable, Sendable {
  /// A whole-number setting lies outside its range.
  case settingOutOfRange(name: String, value: Int, allowed: ClosedRange<Int>)
  /// A real-number setting lies outside its range.
  case numberOutOfRange(name: String, value: Double)
  /// The width is no multiple of twice the head count.
  case widthDoesNotDivide(width: Int, headCount: Int)
  /// A token is negative or at least the vocabulary size; its row and its position in the row.
  case tokenOutOfRange(token: Int, row: Int, position: Int, vocabularySize: Int)
  /// The tokens are not rows times sequence length plus 1.
  case tokenCountWrong(found: Int, expected: Int)
  /// There is not one domain index per row, or one lies outside the domains.
  case domainIndexesWrong(indexCount: Int, rowCount: Int, domainCount: Int)
  /// A text that names no parameters of the model.
  case watchedParametersMalformed(text: String, reason: String)
  /// Gradients by domain are to be measured of rows that are not grouped.
  case gradientsNeedGrouping
  /// The policy reads the norms of another number of layers than are watched.
  case layerCountDiffers(watched: Int, read: Int)
  /// Something is to be measured that the trainer does not measure.
  case feedbackNotMeasured(FeedbackNeeds)
  /// A micro-batch is short or has rows of several domains.
  case microBatchesMixed(row: Int, microBatchRows: Int)
  /// The gradients by domain cannot be measured, or their memory not be restored.
  case gradients(GradientError)
  /// The loss is NaN or infinite at this step; the parameters are those before it.
  case lossNotFinite(step: Int, loss: Double)
  /// The gradient's norm is NaN or infinite at this step; the parameters are those before it.
  case gradientNotFinite(step: Int, norm: Double)
  /// The checkpoint has another length than its own header, or this model, asks for.
  case checkpointByteCountWrong(found: Int, expected: Int)
  /// The bytes do not begin like a model checkpoint.
  case checkpointMagicUnknown
  /// The checkpoint has a format version that this program does not read.
  case checkpointVersionUnknown(found: Int, expected: Int)
  /// The checkpoint's bytes do not match their checksum.
  case checkpointChecksumWrong(stored: UInt64, computed: UInt64)
  /// The checkpoint is of a model of another shape.
  case checkpointOfAnotherModel(name: String, stored: Int, expected: Int)
}
