import Testing
import Training

@Suite(.timeLimit(.minutes(5)))
struct WatchedParametersTests {
  @Test func `selections are read`() throws {
    for text in ["all", "hidden-output", "hidden-output:0,1", "attention-norm:1+head+embedding"] {
      #expect(try WatchedParameters(text).text == text)
    }
    #expect(try WatchedParameters("all") == .all)
  }

  @Test(arguments: [
    "", "everything", "hidden-output:", "hidden-output:x", "hidden-output:-1", "head:0", "+head",
    "head+", "hidden-output:1,", "hidden.output", "all+head", "head:",
  ])
  func `others are refused by name`(text: String) {
    #expect {
      try WatchedParameters(text)
    } throws: { error in
      guard case TrainingError.watchedParametersMalformed(text, _) = error else { return false }
      return "\(error)".contains("hidden-output:0,1+head")
    }
  }

  @Test func `a run refuses a layer that its model does not have`() throws {
    let scratch = try RunScratch()
    var configuration = scratch.learnerConfiguration(.losses)
    configuration.gradients = GradientSettings(watched: "hidden-output:1")
    #expect(throws: TrainingError.self) { try configuration.validate() }
    configuration.gradients = GradientSettings(watched: "hidden-output:0", projectionWidth: 0)
    #expect(throws: TrainingError.self) { try configuration.validate() }
    configuration.gradients = GradientSettings(watched: "hidden-output:0", projectionWidth: 9)
    try configuration.validate()
  }
}
