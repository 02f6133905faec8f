/// What one step of training reports, by domain, for a policy to learn from.
///
/// All arrays are in the order of the domains of the mixture, K long.
public struct Feedback: Sendable, Equatable, Codable {
  /// The step that this reports on, counted from 1.
  public var step: Int

  /// The mean loss `[domain]` in nats per token.
  ///
  /// nil means the domain was not seen, never 0.
  public var losses: [Double?]

  /// How many target tokens each loss is the mean of, `[domain]`, ≥ 0.
  public var tokenCounts: [Int]

  /// How well each domain's gradient agrees with the others', `[domain]`.
  ///
  /// nil means not measured.
  public var alignments: [Double]?

  /// The inner products of the domain gradients, `[domain, domain]`, row-major.
  ///
  /// nil means not measured.
  public var gram: [Double]?

  /// Creates the report of one step.
  ///
  /// Nothing is checked here; ``validate(domainCount:)`` does that where feedback enters a run.
  ///
  /// - Parameters:
  ///   - step: which step this reports on, counted from 1.
  ///   - losses: mean nats per token `[domain]`, nil where the domain was not seen.
  ///   - tokenCounts: target tokens `[domain]`.
  ///   - alignments: agreement of the gradients `[domain]`, nil if not measured.
  ///   - gram: inner products of the gradients `[domain, domain]`, nil if not measured.
  public init(
    step: Int, losses: [Double?], tokenCounts: [Int], alignments: [Double]? = nil,
    gram: [Double]? = nil
  ) {
    self.step = step
    self.losses = losses
    self.tokenCounts = tokenCounts
    self.alignments = alignments
    self.gram = gram
  }

  /// Checks that every array has its shape and every number is one that a policy may remember.
  ///
  /// - Parameter domainCount: K, the number of domains of the run.
  /// - Throws: ``MixingError/feedbackShape(field:expected:found:)`` for an array of another length,
  ///   ``MixingError/feedbackNotFinite(field:index:value:)`` for NaN or infinity,
  ///   ``MixingError/feedbackTokenCountNegative(domainIndex:value:)``, and
  ///   ``MixingError/stepNotPositive(step:)``.
  public func validate(domainCount: Int) throws(MixingError) {
    guard step >= 1 else { throw .stepNotPositive(step: step) }
    try checkShape(.losses, count: losses.count, expected: domainCount)
    try checkShape(.tokenCounts, count: tokenCounts.count, expected: domainCount)
    for (index, loss) in losses.enumerated() {
      guard let loss else { continue }
      guard loss.isFinite else {
        throw .feedbackNotFinite(field: .losses, index: index, value: loss)
      }
    }
    for (index, count) in tokenCounts.enumerated() where count < 0 {
      throw .feedbackTokenCountNegative(domainIndex: index, value: count)
    }
    if let alignments {
      try checkShape(.alignments, count: alignments.count, expected: domainCount)
      try checkFinite(.alignments, alignments)
    }
    if let gram {
      try checkShape(.gram, count: gram.count, expected: domainCount * domainCount)
      try checkFinite(.gram, gram)
    }
  }

  /// Checks that this step was handed out and comes after the last one that was observed.
  ///
  /// Skipping steps is legal, repeating or going back is not.
  ///
  /// - Parameters:
  ///   - lastHandedOut: the step of the last batch that was handed out, 0 before the first.
  ///   - lastObserved: the last step that was observed, 0 before the first.
  /// - Throws: ``MixingError/stepNotHandedOut(step:lastHandedOut:)`` or
  ///   ``MixingError/stepAlreadyObserved(step:lastObserved:)``.
  public func validateStep(lastHandedOut: Int, lastObserved: Int) throws(MixingError) {
    guard step >= 1 else { throw .stepNotPositive(step: step) }
    guard step <= lastHandedOut else {
      throw .stepNotHandedOut(step: step, lastHandedOut: lastHandedOut)
    }
    guard step > lastObserved else {
      throw .stepAlreadyObserved(step: step, lastObserved: lastObserved)
    }
  }

  private func checkShape(_ field: FeedbackField, count: Int, expected: Int) throws(MixingError) {
    guard count == expected else {
      throw .feedbackShape(field: field, expected: expected, found: count)
    }
  }

  private func checkFinite(_ field: FeedbackField, _ values: [Double]) throws(MixingError) {
    for (index, value) in values.enumerated() where !value.isFinite {
      throw .feedbackNotFinite(field: field, index: index, value: value)
    }
  }
}

/// The arrays of a ``Feedback``, for errors to name.
public enum FeedbackField: String, Sendable {
  /// ``Feedback/losses``.
  case losses
  /// ``Feedback/tokenCounts``.
  case tokenCounts
  /// ``Feedback/alignments``.
  case alignments
  /// ``Feedback/gram``.
  case gram
}
