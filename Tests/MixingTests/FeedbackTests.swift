import Mixing
import Testing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@Suite(.timeLimit(.minutes(5)))
struct FeedbackTests {
  private let good = Feedback(
    step: 3, losses: [2.5, nil], tokenCounts: [512, 0], shares: [0.75, 0.25],
    gradients: GradientReport(
      microBatchCounts: [2, 0], gram: [1, 0.5, 0.5, 1], squaredNorms: [1.5, 0],
      alignments: [0.1, -0.2], laggedAlignments: [0.3, 0]),
    parameterNorms: [3, 4, 5], updateNorms: [0.1, 0.2, 0])

  @Test func goodFeedbackPasses() throws {
    try good.validate(domainCount: 2)
    try Feedback(step: 1, losses: [nil], tokenCounts: [0]).validate(domainCount: 1)
  }

  @Test func comesBackFromJSON() throws {
    let bytes = try JSONEncoder().encode(good)
    #expect(try JSONDecoder().decode(Feedback.self, from: bytes) == good)
  }

  @Test func shapesAreChecked() {
    expectError("the feedback's losses have 2 values; 3 are needed") {
      try good.validate(domainCount: 3)
    }
    expectError("the feedback's tokenCounts have 1 values; 2 are needed") {
      try changed { $0.tokenCounts = [1] }
    }
    expectError("the feedback's alignments have 3 values; 2 are needed") {
      try changed { $0.gradients?.alignments = [1, 2, 3] }
    }
    expectError("the feedback's gram have 2 values; 4 are needed") {
      try changed { $0.gradients?.gram = [1, 2] }
    }
    expectError("the feedback's laggedAlignments have 1 values; 2 are needed") {
      try changed { $0.gradients?.laggedAlignments = [1] }
    }
    expectError("the feedback's squaredNorms have 0 values; 2 are needed") {
      try changed { $0.gradients?.squaredNorms = [] }
    }
    expectError("the feedback's microBatchCounts have 3 values; 2 are needed") {
      try changed { $0.gradients?.microBatchCounts = [1, 1, 1] }
    }
    expectError("the feedback's shares have 1 values; 2 are needed") {
      try changed { $0.shares = [1] }
    }
    expectError("the feedback's updateNorms have 3 values; 2 are needed") {
      try changed { $0.parameterNorms = [1, 1] }
    }
  }

  @Test func numbersThatNoPolicyMayRememberAreRefused() {
    expectError("the feedback's losses[1] is nan; a policy learns from finite numbers") {
      try changed { $0.losses = [nil, .nan] }
    }
    expectError("the feedback's alignments[0] is -inf; a policy learns from finite numbers") {
      try changed { $0.gradients?.alignments = [-.infinity, 0] }
    }
    expectError("the feedback's gram[3] is inf; a policy learns from finite numbers") {
      try changed { $0.gradients?.gram = [0, 0, 0, .infinity] }
    }
    expectError("the feedback's tokenCounts[1] is -4.0; it is at least 0") {
      try changed { $0.tokenCounts = [0, -4] }
    }
    expectError("the feedback's shares[0] is -0.1; it is at least 0") {
      try changed { $0.shares = [-0.1, 1.1] }
    }
    expectError("the feedback's squaredNorms[1] is -1.0; it is at least 0") {
      try changed { $0.gradients?.squaredNorms = [0, -1] }
    }
    expectError("feedback for step 0; steps are counted from 1") { try changed { $0.step = 0 } }
  }

  @Test func whatAPolicyReadsMustBeThere() throws {
    let all = FeedbackNeeds(losses: true, gram: true, smoothing: 0.9, lagged: true, norms: true)
    #expect(all.gradients && !all.isEmpty && FeedbackNeeds.nothing.isEmpty)
    try good.validate(needs: all)
    let bare = Feedback(step: 3, losses: [2.5, nil], tokenCounts: [512, 0])
    try bare.validate(needs: FeedbackNeeds(losses: true))
    let advice =
      "which the feedback does not have; have the trainer measure what the loader's feedbackNeeds "
      + "name, or choose another policy"
    for (needs, field) in [
      (FeedbackNeeds(gram: true), "gram"), (FeedbackNeeds(smoothing: 0), "alignments"),
      (FeedbackNeeds(norms: true), "parameterNorms"),
    ] {
      expectError("the policy reads \(field), \(advice)") { try bare.validate(needs: needs) }
    }
    var partial = good
    partial.gradients?.laggedAlignments = nil
    expectError("the policy reads laggedAlignments, \(advice)") { try partial.validate(needs: all) }
  }

  @Test func stepsGoForwardAndAreOnesThatWereHandedOut() throws {
    try good.validateStep(lastHandedOut: 3, lastObserved: 0)
    try good.validateStep(lastHandedOut: 9, lastObserved: 2)
    expectError("feedback for step 3, but the last batch handed out is that of step 2") {
      try good.validateStep(lastHandedOut: 2, lastObserved: 1)
    }
    expectError("feedback for step 3, but step 3 was observed already; steps only go forward") {
      try good.validateStep(lastHandedOut: 5, lastObserved: 3)
    }
    expectError("feedback for step 0; steps are counted from 1") {
      var early = good
      early.step = 0
      try early.validateStep(lastHandedOut: 5, lastObserved: 3)
    }
  }

  private func changed(_ change: (inout Feedback) -> Void) throws {
    var feedback = good
    change(&feedback)
    try feedback.validate(domainCount: 2)
  }
}
