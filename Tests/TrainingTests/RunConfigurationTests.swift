import Testing
import Training

@Suite(.timeLimit(.minutes(5))) struct RunConfigurationTests {
  private let model = LanguageModelConfiguration(
    vocabularySize: 257, sequenceLength: 16, layerCount: 1, width: 8, headCount: 2)

  @Test func theDefaultsAreValidForAnyNumberOfSteps() throws {
    for stepCount in [1, 2, 49, 50, 100_000] {
      let configuration = RunConfiguration(
        corpusPath: "c", rows: 1, model: model, stepCount: stepCount)
      try configuration.validate()
    }
  }

  @Test func wrongNumbersAreNamed() {
    let changes: [(String, (inout RunConfiguration) -> Void)] = [
      ("steps", { $0.stepCount = 0 }), ("sequence_length", { $0.sequenceLength = 32 }),
      ("threads", { $0.threadCount = 0 }),
      ("evaluation token_limit", { $0.evaluation.tokenLimit = 15 }),
      ("checkpoint keep_count", { $0.checkpoints.keepCount = 0 }),
      ("learning_rate_maximum", { $0.schedule.learningRateMaximum = .nan }),
      ("learning_rate_minimum", { $0.schedule.learningRateMinimum = -1 }),
      ("beta2", { $0.optimizer.beta2 = 1 }), ("weight_decay", { $0.optimizer.weightDecay = -1 }),
      ("layer_count", { $0.model.layerCount = 0 }),
    ]
    for (name, change) in changes {
      var configuration = RunConfiguration(corpusPath: "c", rows: 1, model: model, stepCount: 100)
      change(&configuration)
      #expect { try configuration.validate() } throws: { "\($0)".contains(name) }
    }
  }
}
