/// The moving average of the Gram matrices of the domain gradients, entry by entry.
///
///     A_ij ← β A_ij + (1 − β) w_ij h_ij,   Z_ij ← β Z_ij + (1 − β) w_ij,   H̄_ij = A_ij / Z_ij
///     W_i = Σ_j H̄_ij
///
/// - h_ij: the step's inner product H_ij for i ≠ j, with weight w_ij = 1; on the diagonal the self
///   term that was chosen. A cross term has the weight (n_i − 1) / n_i, so that one from two
///   micro-batches counts half of what one from many does.
/// - β: the smoothing, in [0, 1).
///
/// An entry of which the step says nothing, because a domain was not seen or had too few
/// micro-batches, keeps its A and Z: an average over the steps in which it was measured. One that
/// was never measured is 0.
package struct GramAverage: Sendable, Equatable {
  /// β, in [0, 1).
  package let smoothing: Double
  /// What the diagonal averages.
  package let selfTerm: SelfTerm
  /// K, the number of domains.
  package let domainCount: Int
  /// A and Z `[domain, domain]`, row-major.
  private var average: RunningAverage

  /// Creates the average of no matrix yet.
  package init(domainCount: Int, smoothing: Double, selfTerm: SelfTerm) {
    precondition((0..<1).contains(smoothing), "a smoothing of \(smoothing) is not in [0, 1)")
    self.domainCount = domainCount
    self.smoothing = smoothing
    self.selfTerm = selfTerm
    average = RunningAverage(placeCount: domainCount * domainCount)
  }

  /// A `[domain, domain]`, row-major.
  package var sums: [Double] { average.sums }
  /// Z `[domain, domain]`, in [0, 1].
  package var sumWeights: [Double] { average.weights }

  /// Goes on from a stored average; both arrays are `[domain, domain]`.
  ///
  /// - Returns: false if they have another length, and nothing changes.
  package mutating func restore(sums: [Double], sumWeights: [Double]) -> Bool {
    average.restore(sums: sums, weights: sumWeights)
  }

  /// Takes in the matrix of one step.
  package mutating func add(_ step: DomainGram) {
    for row in 0..<domainCount where step.isSeen(row) {
      for column in 0..<domainCount where column != row && step.isSeen(column) {
        mix(step.gram[row * domainCount + column], weight: 1, into: row * domainCount + column)
      }
    }
    let unbiased = selfTerm == .cross ? step.unbiasedSelfTerms : []
    for domain in 0..<domainCount where step.isSeen(domain) {
      let place = domain * domainCount + domain
      switch selfTerm {
      case .excluded: break
      case .included: mix(step.gram[place], weight: 1, into: place)
      case .cross:
        guard let own = unbiased[domain] else { continue }
        mix(own, weight: (step.counts[domain] - 1) / step.counts[domain], into: place)
      }
    }
  }

  private mutating func mix(_ value: Double, weight: Double, into place: Int) {
    average.add(value, weight: weight, at: place, decay: smoothing)
  }

  private func mean(_ place: Int) -> Double { DomainGram.bounded(average[place]) }

  /// W `[domain]`.
  package var rowSums: [Double] {
    (0..<domainCount).map { row in
      (0..<domainCount).reduce(0) { $0 + mean(row * domainCount + $1) }
    }
  }

  /// H̄_ii `[domain]`: the averaged self terms; nil where none was ever measured.
  package var selfTerms: [Double?] {
    (0..<domainCount).map { domain in
      let place = domain * domainCount + domain
      return sumWeights[place] > 0 ? mean(place) : nil
    }
  }
}
