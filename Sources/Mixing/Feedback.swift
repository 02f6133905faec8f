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

  /// The shares that the step's batch was drawn by, `[domain]`, summing to 1.
  ///
  /// The loader knows those of its last batch and fills them in. A trainer that reports on an
  /// earlier one gives them itself; otherwise the policy takes what it asked for last.
  public var shares: [Double]?

  /// What was measured of the domain gradients; nil if nothing was.
  public var gradients: GradientReport?

  /// The Euclidean norms of the watched layers' parameters after the step, `[layer]`; nil if they
  /// were not measured.
  public var parameterNorms: [Double]?

  /// The Euclidean norms of what the step added to the same layers, `[layer]`.
  public var updateNorms: [Double]?

  /// Creates the report of one step.
  ///
  /// Nothing is checked here; ``validate(domainCount:)`` does that where feedback enters a run.
  ///
  /// - Parameters:
  ///   - step: which step this reports on, counted from 1.
  ///   - losses: mean nats per token `[domain]`, nil where the domain was not seen.
  ///   - tokenCounts: target tokens `[domain]`.
  ///   - shares: what the batch was drawn by `[domain]`, nil if the loader is to say.
  ///   - gradients: what was measured of the domain gradients.
  ///   - parameterNorms: norms of the watched layers `[layer]`.
  ///   - updateNorms: norms of what the step added to them `[layer]`.
  public init(
    step: Int, losses: [Double?], tokenCounts: [Int], shares: [Double]? = nil,
    gradients: GradientReport? = nil, parameterNorms: [Double]? = nil,
    updateNorms: [Double]? = nil
  ) {
    self.step = step
    self.losses = losses
    self.tokenCounts = tokenCounts
    self.shares = shares
    self.gradients = gradients
    self.parameterNorms = parameterNorms
    self.updateNorms = updateNorms
  }

  private enum CodingKeys: String, CodingKey {
    case step, losses, shares, gradients
    case tokenCounts = "token_counts"
    case parameterNorms = "parameter_norms"
    case updateNorms = "update_norms"
  }

  /// Checks that every array has its shape and every number is one that a policy may remember.
  ///
  /// - Parameter domainCount: K, the number of domains of the run.
  /// - Throws: ``MixingError/feedbackShape(field:expected:found:)`` for an array of another length,
  ///   ``MixingError/feedbackNotFinite(field:index:value:)`` for NaN or infinity,
  ///   ``MixingError/feedbackNegative(field:index:value:)``, and
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
    try checkNotNegative(.tokenCounts, tokenCounts.map(Double.init))
    try check(.shares, shares, count: domainCount)
    try checkNotNegative(.shares, shares)
    try check(.gram, gradients?.gram, count: domainCount * domainCount)
    try check(.alignments, gradients?.alignments, count: domainCount)
    try check(.laggedAlignments, gradients?.laggedAlignments, count: domainCount)
    try check(.halfProducts, gradients?.halfProducts?.map { $0 ?? 0 }, count: domainCount)
    try check(.squaredNorms, gradients?.squaredNorms, count: domainCount)
    try checkNotNegative(.squaredNorms, gradients?.squaredNorms)
    if let counts = gradients?.microBatchCounts {
      try checkShape(.microBatchCounts, count: counts.count, expected: domainCount)
      try checkNotNegative(.microBatchCounts, counts.map(Double.init))
    }
    try check(.parameterNorms, parameterNorms, count: parameterNorms?.count ?? 0)
    try checkNotNegative(.parameterNorms, parameterNorms)
    try check(.updateNorms, updateNorms, count: parameterNorms?.count ?? 0)
    try checkNotNegative(.updateNorms, updateNorms)
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

  private func check(
    _ field: FeedbackField, _ values: [Double]?, count: Int
  ) throws(MixingError) {
    guard let values else { return }
    try checkShape(field, count: values.count, expected: count)
    for (index, value) in values.enumerated() where !value.isFinite {
      throw .feedbackNotFinite(field: field, index: index, value: value)
    }
  }

  private func checkNotNegative(
    _ field: FeedbackField, _ values: [Double]?
  ) throws(MixingError) {
    for (index, value) in (values ?? []).enumerated() where value < 0 {
      throw .feedbackNegative(field: field, index: index, value: value)
    }
  }
}

/// The arrays of a ``Feedback``, for errors to name.
public enum FeedbackField: String, Sendable {
  /// ``Feedback/losses``.
  case losses
  /// ``Feedback/tokenCounts``.
  case tokenCounts
  /// ``Feedback/shares``.
  case shares
  /// ``GradientReport/microBatchCounts``.
  case microBatchCounts
  /// ``GradientReport/gram``.
  case gram
  /// ``GradientReport/squaredNorms``.
  case squaredNorms
  /// ``GradientReport/alignments``.
  case alignments
  /// ``GradientReport/laggedAlignments``.
  case laggedAlignments
  /// ``GradientReport/halfProducts``.
  case halfProducts
  /// ``Feedback/parameterNorms``.
  case parameterNorms
  /// ``Feedback/updateNorms``.
  case updateNorms
}
