public import Mixing

/// Made-up feedback with every field that a policy may read, of a stated character.
public struct FeedbackScript: Sendable {
  /// What the numbers are like.
  public enum Character: String, Sendable, CaseIterable {
    /// Losses and gradients as of a model that learns, with noise.
    case plain
    /// The same numbers at every step.
    case constant
    /// Everything 0.
    case zero
    /// Losses of 10^4 and gradients to match.
    case huge
    /// Magnitudes of 10^300, of both signs.
    case enormous
    /// Magnitudes of 10^-300.
    case tiny
    /// One domain is the best in one step and the worst in the next.
    case alternating
    /// Two of three domains are not seen; which ones changes.
    case missing
    /// The last domain is never seen.
    case neverDrawn
  }

  /// K.
  public let domainCount: Int
  /// What the numbers are like.
  public let character: Character
  private var generator: TestGenerator

  /// Begins a script.
  ///
  /// - Parameters:
  ///   - character: what the numbers are like.
  ///   - domainCount: K.
  ///   - seed: what all numbers follow from.
  public init(_ character: Character, domainCount: Int, seed: UInt64 = 1) {
    self.character = character
    self.domainCount = domainCount
    generator = TestGenerator(seed: seed)
  }

  /// Returns the feedback of a step.
  ///
  /// - Parameter step: the step, counted from 1.
  /// - Returns: valid feedback, with losses, gradients and norms.
  public mutating func feedback(step: Int) -> Feedback {
    let isSeen = (0..<domainCount).map { domain in
      switch character {
      case .missing: (domain + step) % 3 == 0 || domainCount == 1
      case .neverDrawn: domain < domainCount - 1 || domainCount == 1
      default: true
      }
    }
    // One number per domain, from which the others follow.
    let worths = (0..<domainCount).map { worth(step: step, domain: $0) }
    let counts = isSeen.map { $0 ? 1 + step % 3 : 0 }
    var gram: [Double] = []
    gram.reserveCapacity(domainCount * domainCount)
    for row in 0..<domainCount {
      for column in 0..<domainCount {
        let product = row == column ? abs(worths[row]) : (worths[row] + worths[column]) / 8
        gram.append(isSeen[row] && isSeen[column] ? product : 0)
      }
    }
    let report = GradientReport(
      microBatchCounts: counts, gram: gram,
      squaredNorms: zip(worths, isSeen).map { $1 ? abs($0) * 1.5 : 0 }, alignments: worths,
      laggedAlignments: zip(worths, isSeen).map { $1 ? $0 / 2 : 0 })
    let norm = min(1e300, abs(worths[0]) + 1e-300)
    return Feedback(
      step: step, losses: zip(worths, isSeen).map { $1 ? $0 : nil },
      tokenCounts: counts.map { $0 * 512 }, gradients: report,
      parameterNorms: [norm, norm / 2], updateNorms: [norm / 8, norm / 16])
  }

  private mutating func worth(step: Int, domain: Int) -> Double {
    let plain = 1 + Double(domain % 7) / 2 + Double.random(in: 0...1, using: &generator)
    switch character {
    case .plain, .missing, .neverDrawn: return plain
    case .constant: return 1 + Double(domain % 7) / 2
    case .zero: return 0
    case .huge: return 1e4 * plain
    case .enormous: return (domain + step).isMultiple(of: 2) ? 1e300 : -1e300
    case .tiny: return plain * 1e-300
    case .alternating: return (domain + step).isMultiple(of: 2) ? 50 : 1e-3
    }
  }
}

extension Feedback {
  /// Returns the same of the same domains in another order.
  ///
  /// - Parameter order: of each new place, the old one.
  /// - Returns: the permuted feedback.
  public func permuted(_ order: [Int]) -> Feedback {
    func permuted<Value>(_ values: [Value]) -> [Value] { order.map { values[$0] } }
    let count = order.count
    let gradients = gradients.map { report in
      GradientReport(
        microBatchCounts: report.microBatchCounts.map(permuted),
        gram: report.gram.map { gram in
          order.flatMap { row in order.map { gram[row * count + $0] } }
        },
        squaredNorms: report.squaredNorms.map(permuted),
        alignments: report.alignments.map(permuted),
        laggedAlignments: report.laggedAlignments.map(permuted))
    }
    return Feedback(
      step: step, losses: permuted(losses), tokenCounts: permuted(tokenCounts),
      shares: shares.map(permuted), gradients: gradients, parameterNorms: parameterNorms,
      updateNorms: updateNorms)
  }
}
