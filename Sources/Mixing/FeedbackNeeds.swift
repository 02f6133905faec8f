/// What a policy reads of the feedback, so that nothing else has to be measured for it.
public struct FeedbackNeeds: Sendable, Equatable {
  /// Whether ``Feedback/losses`` are read; losses of domains that were not seen may be missing.
  public var losses: Bool

  /// Whether ``GradientReport/gram``, ``GradientReport/squaredNorms`` and
  /// ``GradientReport/microBatchCounts`` are read.
  public var gram: Bool

  /// β, the smoothing of the domain gradients whose ``GradientReport/alignments`` are read, in
  /// [0, 1); nil if they are not.
  public var smoothing: Double?

  /// Whether ``GradientReport/laggedAlignments`` of the same smoothed gradients are read, too.
  public var lagged: Bool

  /// Whether ``Feedback/parameterNorms`` and ``Feedback/updateNorms`` are read.
  public var norms: Bool

  /// How many layers have to be watched, where norms are read; nil for any number.
  public var layerCount: Int?

  /// Creates needs; those that are left out are none.
  ///
  /// - Precondition: lagged alignments go with smoothing, and a number of layers with norms.
  public init(
    losses: Bool = false, gram: Bool = false, smoothing: Double? = nil, lagged: Bool = false,
    norms: Bool = false, layerCount: Int? = nil
  ) {
    precondition(
      smoothing != nil || !lagged, "lagged alignments of gradients that are not smoothed")
    precondition(norms || layerCount == nil, "a number of layers whose norms are not read")
    self.losses = losses
    self.gram = gram
    self.smoothing = smoothing
    self.lagged = lagged
    self.norms = norms
    self.layerCount = layerCount
  }

  /// No feedback at all.
  public static let nothing = FeedbackNeeds()

  /// Whether no feedback is read.
  public var isEmpty: Bool { self == .nothing }

  /// Whether gradients have to be measured by domain.
  public var gradients: Bool { gram || smoothing != nil }

  /// The part that is about gradients by domain.
  package var ofGradients: FeedbackNeeds {
    FeedbackNeeds(gram: gram, smoothing: smoothing, lagged: lagged)
  }
}

extension Feedback {
  /// Checks that everything is there that a policy reads.
  ///
  /// - Parameter needs: the policy's ``MixturePolicy/feedbackNeeds``.
  /// - Throws: ``MixingError/feedbackMissing(field:)`` for the first field that is not, and
  ///   ``MixingError/feedbackShape(field:expected:found:)`` for norms of another number of layers.
  public func validate(needs: FeedbackNeeds) throws(MixingError) {
    func require(_ isNeeded: Bool, _ field: FeedbackField, _ value: Any?) throws(MixingError) {
      if isNeeded, value == nil { throw .feedbackMissing(field: field) }
    }
    try require(needs.gram, .gram, gradients?.gram)
    try require(needs.gram, .squaredNorms, gradients?.squaredNorms)
    try require(needs.gram, .microBatchCounts, gradients?.microBatchCounts)
    try require(needs.smoothing != nil, .alignments, gradients?.alignments)
    try require(needs.lagged, .laggedAlignments, gradients?.laggedAlignments)
    try require(needs.norms, .parameterNorms, parameterNorms)
    try require(needs.norms, .updateNorms, updateNorms)
    if let expected = needs.layerCount, let norms = parameterNorms, norms.count != expected {
      throw .feedbackShape(field: .parameterNorms, expected: expected, found: norms.count)
    }
  }
}
