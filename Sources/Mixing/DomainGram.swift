/// Which inner product of a domain's gradient with itself its alignment counts.
public enum SelfTerm: String, Sendable, CaseIterable {
  /// The unbiased one, from the products of different micro-batches alone.
  case cross
  /// The measured square of the norm, which noise makes larger.
  case included = "in"
  /// None: alignment with the other domains only.
  case excluded = "out"
}

/// The inner products of one step's domain gradients, as policies read them.
///
///     W_i = Σ_{j ≠ i} H_ij + own_i
///     own_i = (n_i H_ii − s_i) / (n_i − 1)      cross
///             H_ii                              in
///             0                                 out
///
/// - H: ``gram`` `[domain, domain]`, H_ij = ⟨g_i, g_j⟩ with g_i the mean gradient of the
///   micro-batches of domain i.
/// - n: ``counts`` `[domain]`, how many those were.
/// - s: ``squaredNorms`` `[domain]`, the mean of the squared norms of their single gradients.
///
/// With x_1 … x_n the gradients of single micro-batches, n² H_ii = Σ_{a ≠ b} ⟨x_a, x_b⟩ + n s: the
/// cross term is the mean of ⟨x_a, x_b⟩ over the n (n − 1) ordered pairs of different ones. Their
/// noises are independent, so its expectation is the squared norm of the true gradient, where that
/// of H_ii is larger by the trace of the noise over n.
///
/// Source: Fan, Pagliardini and Jaggi 2024, *DoGE: Domain Reweighting with Generalization
/// Estimation* (arXiv:2310.15393), the generalization estimate W_j = ⟨g_j, Σ_i g_i⟩, as in the
/// authors' code, `src/trainer.py` lines 628–638.
///
/// Departures from the source: the self term may be the unbiased one, or be left out.
package struct DomainGram: Sendable, Equatable {
  /// A larger inner product, in magnitude, is taken for this one, so that no sum of products with
  /// counts overflows.
  package static let limit = 1e280

  /// n `[domain]`, ≥ 0.
  package let counts: [Double]
  /// H `[domain, domain]`, row-major.
  package let gram: [Double]
  /// s `[domain]`, ≥ 0.
  package let squaredNorms: [Double]

  /// Takes over what a trainer measured; nil unless that has a Gram matrix, squared norms and
  /// micro-batch counts.
  ///
  /// - Parameters:
  ///   - report: validated for `domainCount` domains.
  ///   - domainCount: K.
  package init?(_ report: GradientReport?, domainCount: Int) {
    guard let gram = report?.gram, let squaredNorms = report?.squaredNorms,
      let counts = report?.microBatchCounts, gram.count == domainCount * domainCount
    else { return nil }
    self.counts = counts.map(Double.init)
    self.gram = gram.map(Self.bounded)
    self.squaredNorms = squaredNorms.map(Self.bounded)
  }

  /// The value, or the limit of its sign.
  package static func bounded(_ value: Double) -> Double { min(max(value, -limit), limit) }

  /// K, the number of domains.
  package var domainCount: Int { counts.count }

  /// Whether the domain had a micro-batch in the step.
  package func isSeen(_ domain: Int) -> Bool { counts[domain] > 0 }

  /// ‖g_i‖ `[domain]`; 0 where a domain was not seen.
  package var norms: [Double] {
    (0..<domainCount).map { max(0, gram[$0 * domainCount + $0]).squareRoot() }
  }

  /// The mean of ‖g_i‖ over the domains that were seen; 0 if none was.
  package var meanNorm: Double {
    let seen = counts.count { $0 > 0 }
    return seen > 0 ? norms.reduce(0, +) / Double(seen) : 0
  }

  /// (n_i H_ii − s_i) / (n_i − 1) `[domain]`; nil where n_i < 2.
  package var unbiasedSelfTerms: [Double?] {
    (0..<domainCount).map { domain in
      let count = counts[domain]
      guard count >= 2 else { return nil }
      // As H + (H − s) / (n − 1): no product with the count, which may be large.
      let own = gram[domain * domainCount + domain]
      return own + (own - squaredNorms[domain]) / (count - 1)
    }
  }

  /// Returns W.
  ///
  /// - Parameters:
  ///   - selfTerm: which self term is counted.
  ///   - fallback: `[domain]`, in place of a cross term for which there were too few micro-batches:
  ///     what is known of it from before; H_ii where it is nil.
  /// - Returns: the alignments `[domain]`.
  package func rowSums(_ selfTerm: SelfTerm, fallback: [Double?]? = nil) -> [Double] {
    let count = domainCount
    let unbiased = selfTerm == .cross ? unbiasedSelfTerms : []
    return (0..<count).map { domain in
      var sum = 0.0
      for other in 0..<count where other != domain { sum += gram[domain * count + other] }
      switch selfTerm {
      case .excluded: return sum
      case .included: return sum + gram[domain * count + domain]
      case .cross:
        return sum + (unbiased[domain] ?? fallback?[domain] ?? gram[domain * count + domain])
      }
    }
  }
}
