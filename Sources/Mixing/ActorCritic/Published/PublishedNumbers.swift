#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

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
}

/// The domain weights of the warm-up in AC-ODM's code: shares of smoothed perplexity.
///
///     R_i ← a R_i + (1 − a) exp(ℓ_i) for domains that were seen
///     π_i = (1 − K ε) R_i / Σ_j R_j + ε,   ε = min(1/K, √(ln K / (K t)))
///
/// - ℓ: the losses `[domain]`, nats per token; a = 0.5; t: the step, counted from 1.
///
/// Source: Albalak et al. 2023, *Efficient Online Data Mixing* (arXiv:2312.02406), as its released
/// code has it, which AC-ODM's uses.
///
/// Departures from the source: ln R is kept, so that no loss overflows.
package struct PerplexityShares: Sendable, Equatable, Codable {
  private static let smoothing = 0.5

  /// ln R `[domain]`; nil for a domain that was never seen, whose R is 0.
  private var logs: [Double?]

  package init(domainCount: Int) { logs = [Double?](repeating: nil, count: domainCount) }

  /// K.
  package var domainCount: Int { logs.count }

  /// Takes in a step's losses.
  package mutating func add(_ losses: [Double?]) {
    for (domain, loss) in losses.enumerated() {
      guard let loss else { continue }
      let new = log(1 - Self.smoothing) + loss
      guard let old = logs[domain].map({ log(Self.smoothing) + $0 }) else {
        logs[domain] = new
        continue
      }
      logs[domain] = Simplex.logAdd(old, new)
    }
  }

  /// The weights for step `step`; nil before any domain was seen.
  package func weights(atStep step: Int) -> [Double]? {
    guard let largest = logs.compactMap(\.self).max() else { return nil }
    let count = Double(logs.count)
    let least = min(1 / count, (log(count) / (count * Double(max(step, 1)))).squareRoot())
    let parts = logs.map { $0.map { exp($0 - largest) } ?? 0 }
    let sum = parts.reduce(0, +)
    return parts.map { (1 - count * least) * $0 / sum + least }
  }
}
