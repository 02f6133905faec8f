internal import Mixing

extension LinearTrainee {
  /// Measures the gradients of the step; every sample is a micro-batch.
  func record(in recorder: GradientRecorder) throws(GradientError) -> GradientReport {
    recorder.begin()
    try recorder.add(sums)
    return try recorder.finish()
  }
}

extension LinearWorldConfiguration {
  /// Creates what measures gradients in a world.
  func makeRecorder(needs: FeedbackNeeds) throws(GradientError) -> GradientRecorder {
    try GradientRecorder(
      domainCount: domainCount, parameterCount: projectionWidth ?? parameterCount, needs: needs)
  }
}

extension GradientReport {
  /// Creates what is reported where the gradients of the expected losses are known.
  ///
  /// - Parameters:
  ///   - gradients: `[domain, parameter]`.
  ///   - domainCount: K.
  init(expected gradients: [Double], domainCount: Int) {
    let width = gradients.count / domainCount
    var gram = [Double](repeating: 0, count: domainCount * domainCount)
    for row in 0..<domainCount {
      for column in 0..<domainCount {
        for place in 0..<width {
          gram[row * domainCount + column] +=
            gradients[row * width + place] * gradients[column * width + place]
        }
      }
    }
    let sums = (0..<domainCount).map { row in
      gram[row * domainCount..<(row + 1) * domainCount].reduce(0, +)
    }
    // With two micro-batches that agree, the unbiased self term is the diagonal itself.
    self.init(
      microBatchCounts: [Int](repeating: 2, count: domainCount), gram: gram,
      squaredNorms: (0..<domainCount).map { gram[$0 * domainCount + $0] }, alignments: sums,
      laggedAlignments: sums)
  }
}
