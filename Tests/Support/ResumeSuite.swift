public import Mixing
public import Testing

/// Checks that a policy's checkpoint is its whole memory.
///
/// Runs the policy once over all feedback. Then, for the beginning and for every step, cuts the run
/// there, stores the checkpoint as bytes, makes a new policy, restores it from the bytes, and
/// compares every later mixture and reason with those of the uncut run, bit for bit.
///
/// - Parameters:
///   - recipe: how the policy is made, the same for the first run and for each resumed one.
///   - context: the corpus it is made for.
///   - feedback: what it observes, in the order of steps.
///   - beforeStep: what the caller does to the policy before an observation, given its place in
///     `feedback`; such as setting a manual mixture. Must do the same each time.
///   - sourceLocation: where a failure is reported.
/// - Throws: what making, storing or restoring the policy throws.
public func expectResumesExactly(
  _ recipe: PolicyRecipe, in context: PolicyContext, observing feedback: [Feedback],
  beforeStep: (inout any MixturePolicy, Int) throws -> Void = { _, _ in },
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let uncut = try trace(recipe.makePolicy(in: context), from: 0, feedback, beforeStep)
  for cut in 0...feedback.count {
    var first = try recipe.makePolicy(in: context)
    for place in 0..<cut { try advance(&first, place, feedback, beforeStep) }
    let stored = try first.erasedCheckpoint()

    var resumed = try recipe.makePolicy(in: context)
    try resumed.restore(
      from: PolicyCheckpoint(
        policy: stored.policy, fields: stored.fields, arrays: stored.arrays))
    let again = try resumed.erasedCheckpoint()
    #expect(again == stored, "stored again after a cut at \(cut)", sourceLocation: sourceLocation)

    let later = try trace(resumed, from: cut, feedback, beforeStep)
    #expect(
      later == Array(uncut[cut...]), "resumed after a cut at \(cut)",
      sourceLocation: sourceLocation)
  }
}

/// What the loader sees of a policy between two steps.
private struct Moment: Equatable {
  let mixture: Mixture
  let reason: String
}

private func advance(
  _ policy: inout any MixturePolicy, _ place: Int, _ feedback: [Feedback],
  _ beforeStep: (inout any MixturePolicy, Int) throws -> Void
) throws {
  try beforeStep(&policy, place)
  policy.observe(feedback[place])
}

private func trace(
  _ start: any MixturePolicy, from first: Int, _ feedback: [Feedback],
  _ beforeStep: (inout any MixturePolicy, Int) throws -> Void
) throws -> [Moment] {
  var policy = start
  var moments = [Moment(mixture: policy.mixture, reason: policy.reason)]
  for place in first..<feedback.count {
    try advance(&policy, place, feedback, beforeStep)
    moments.append(Moment(mixture: policy.mixture, reason: policy.reason))
  }
  return moments
}
