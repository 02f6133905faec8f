import Kernels
import Training

/// A model that a test can run thousands of times: sizes that are odd where they may be.
let tinyConfiguration = LanguageModelConfiguration(
  vocabularySize: 11, sequenceLength: 5, layerCount: 2, width: 8, headCount: 2,
  hiddenWidthFactor: 3, microBatchRowCount: 2)

/// Larger than one block of queries and than what one thread is given at least.
let smallConfiguration = LanguageModelConfiguration(
  vocabularySize: 67, sequenceLength: 80, layerCount: 2, width: 48, headCount: 3,
  hiddenWidthFactor: 4, microBatchRowCount: 3)

/// Tokens for `rowCount` rows, from a stream of its own per test.
func makeTokens(
  _ configuration: LanguageModelConfiguration, rowCount: Int, stream: String = "tokens"
) -> [Int32] {
  var generator = SeededGenerator(seed: 5, stream: stream)
  return (0..<rowCount * (configuration.sequenceLength + 1)).map { _ in
    Int32.random(in: 0..<Int32(configuration.vocabularySize), using: &generator)
  }
}

extension LanguageModel {
  /// ``lossAndGradient(tokens:rowCount:)`` of an array.
  func lossAndGradient(_ tokens: [Int32], rowCount: Int) throws -> [Double] {
    try tokens.withUnsafeBufferPointer { try lossAndGradient(tokens: $0, rowCount: rowCount) }
  }

  /// ``losses(tokens:rowCount:)`` of an array.
  func losses(_ tokens: [Int32], rowCount: Int) throws -> [Double] {
    try tokens.withUnsafeBufferPointer { try losses(tokens: $0, rowCount: rowCount) }
  }
}

extension LanguageModelTrainer {
  /// One step on an array of tokens, rows in turn from two domains of three.
  func step(_ tokens: [Int32], rowCount: Int) throws -> StepReport {
    try tokens.withUnsafeBufferPointer {
      try step(
        tokens: $0, rowCount: rowCount, domainIndexes: (0..<rowCount).map { $0 % 2 * 2 },
        domainCount: 3)
    }
  }
}

/// A schedule for tests in which the schedule is not the point.
let plainSchedule = LearningRateSchedule(
  learningRateMaximum: 1e-2, learningRateMinimum: 1e-3, warmUpStepCount: 5, stepCount: 300)
