package import Kernels

/// The numbers that AC-ODM's code makes of losses, counts and gradients.
package enum PublishedNumbers {
  /// Scores whose spread is 1: z(x) = clip((x − mean) / (sd + 1e-8), ±3), sd with n − 1.
  ///
  /// A single number, or equal ones, have the score 0.
  package static func scores(_ values: [Double]) -> [Double] {
    // Divided by the largest first, so that no square overflows.
    let largest = values.reduce(0) { max($0, abs($1)) }
    guard values.count > 1, largest > 0 else { return values.map { _ in 0 } }
    let count = Double(values.count)
    let mean = values.reduce(0) { $0 + $1 / largest } / count
    let squares = values.reduce(0) { $0 + ($1 / largest - mean) * ($1 / largest - mean) }
    let deviation = (squares / (count - 1)).squareRoot()
    return values.map { (($0 / largest - mean) / (deviation + 1e-8 / largest)).clamped(to: 3) }
  }

  /// W_i / (mean_i ‖g_i‖ + 1e-6), clipped to ±999, with W_i = Σ_{j≠i} ⟨g_i, g_j⟩, `[domain]`.
  package static func alignments(gram: [Double], domainCount: Int) -> [Double] {
    var norms = 0.0
    for domain in 0..<domainCount {
      norms += max(gram[domain * domainCount + domain], 0).squareRoot()
    }
    let size = norms / Double(domainCount) + 1e-6
    return (0..<domainCount).map { domain in
      var sum = 0.0
      for other in 0..<domainCount where other != domain {
        sum += gram[domain * domainCount + other] / size
      }
      return sum.isNaN ? 0 : sum.clamped(to: 999)
    }
  }

  /// Weights with a U ~ U(0, 1) taken off each, divided by 1000; none below 0, where the source's
  /// may be.
  package static func withNoise(
    _ weights: [Double], using generator: inout SeededGenerator
  ) -> [Double] {
    weights.map { max($0 - generator.nextUniform() / noiseDivisor, 0) }
  }

  /// What U is divided by.
  private static let noiseDivisor = 1000.0
}
