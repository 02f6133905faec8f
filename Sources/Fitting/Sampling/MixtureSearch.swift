package import Kernels
internal import Mixing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Looks for the mixture with the least predicted loss among simulated ones.
///
/// Candidates w are drawn from Dirichlet(s·p); those outside the box are moved to its nearest
/// mixture. The k with the least
///
///     F(w) = Σ_t ω_t L_t(w) + λ Σ_i w_i ln(w_i / p_i)
///
/// are averaged. The average of several is steadier than the best: where the surface is flat, the
/// best candidate is chosen by the model's noise. The box is convex, so that the average is in it.
///
/// Over many domains no draw comes near an optimum in the middle of the simplex, and the average of
/// the best may be worse than uniform. Further rounds therefore draw around the average m of the
/// round before, from Dirichlet(32·4^i·m) with i = 0, 1, …, and the average with the least F of all
/// rounds is the answer, if its F is less than the first round's by more than a tolerance: what a
/// model cannot tell apart is no reason to leave the paper's search, which is one round.
///
/// - p: the prior `[domain]`, > 0; s: the strength; k: ``keptCount``.
/// - ω, L: the weights of the losses and their models; λ: nats of loss per nat of divergence.
///
/// Source: Liu et al. 2024, *RegMix* (arXiv:2407.01492), section 3 and the last cells of its
/// notebook.
///
/// Departures from the source: the box and the divergence; the further rounds; randomness comes in
/// blocks of candidates with a stream each, so that the answer does not depend on the threads.
package struct MixtureSearch: Sendable, Equatable {
  /// How many candidates are drawn, at least 1; the notebook's number.
  package var candidateCount = 100_000
  /// k, at least 1 and at most the candidates; the notebook's number.
  package var keptCount = 128
  /// s, > 0.
  package var strength = 1.0
  /// λ, ≥ 0.
  package var divergenceStrength = 0.0
  /// How many rounds there are, at least 1.
  package var roundCount = 4
  /// By how many nats of F further rounds must be better than the first, ≥ 0.
  package var tolerance = 0.0
  /// Seeds the candidates.
  package var seed: UInt64 = 0

  private static let blockSize = 1000

  /// Creates the notebook's settings, with three rounds more.
  package init() {}

  /// What is found.
  package struct Outcome: Sendable, Equatable {
    /// The average of the kept candidates `[domain]`, summing to 1 up to rounding.
    package let shares: [Double]
    /// The standard deviation of each domain's share among them `[domain]`.
    package let deviations: [Double]
    /// The least F of all candidates.
    package let leastObjective: Double
    /// The F of the last candidate kept.
    package let keptObjective: Double
  }

  /// Searches.
  ///
  /// - Parameters:
  ///   - prior: p `[domain]`, > 0.
  ///   - box: floors and caps, which some mixture meets.
  ///   - team: the threads.
  ///   - loss: Σ ω L of shares, in nats per token; called from several threads. What is not finite
  ///     is never kept while there is something else.
  /// - Returns: the average of the best candidates.
  package func run(
    prior: [Double], box: ShareBox, on team: ThreadTeam,
    loss: @escaping @Sendable ([Double]) -> Double
  ) -> Outcome {
    precondition(
      candidateCount >= 1 && keptCount >= 1 && strength > 0 && roundCount >= 1,
      "settings of no search")
    let sum = prior.reduce(0, +)
    let prior = prior.map { $0 / sum }
    let objective: @Sendable ([Double]) -> Double = { shares in
      divergenceStrength > 0
        ? loss(shares) + divergenceStrength * Simplex.divergence(shares, from: prior)
        : loss(shares)
    }
    var concentrations = prior.map { strength * $0 }
    var rounds: [(outcome: Outcome, objective: Double)] = []
    for round in 0..<roundCount {
      let outcome = self.round(
        round, concentrations: concentrations, box: box, on: team, objective: objective)
      rounds.append((outcome, objective(outcome.shares)))
      let scale = 32 * pow(4, Double(round))
      // A share of 0 is a domain that is never drawn again.
      concentrations = outcome.shares.map { scale * max($0, 0) }
    }
    let best = rounds.dropFirst().reduce(rounds[0]) { $1.objective < $0.objective ? $1 : $0 }
    return best.objective < rounds[0].objective - tolerance ? best.outcome : rounds[0].outcome
  }

  private func round(
    _ round: Int, concentrations: [Double], box: ShareBox, on team: ThreadTeam,
    objective: @Sendable ([Double]) -> Double
  ) -> Outcome {
    let sampler = DirichletSampler(concentrations: concentrations)
    let blockCount = (candidateCount + Self.blockSize - 1) / Self.blockSize
    let blocks: [BestCandidates]
    do {
      blocks = try ParallelMap.map(count: blockCount, on: team) { block in
        var generator = SeededGenerator(seed: seed, stream: "candidates \(round) \(block)")
        var best = BestCandidates(limit: keptCount)
        let first = block * Self.blockSize
        for _ in first..<min(first + Self.blockSize, candidateCount) {
          let shares = box.projected(sampler.draw(using: &generator))
          best.insert(shares, objective: objective(shares))
        }
        return best
      }
    } catch {
      preconditionFailure("nothing here throws, but \(error) was thrown")
    }
    var best = BestCandidates(limit: keptCount)
    for block in blocks {
      for entry in block.entries { best.insert(entry.shares, objective: entry.objective) }
    }
    return self.outcome(of: best.entries, domainCount: concentrations.count)
  }

  private func outcome(
    of entries: [(objective: Double, shares: [Double])], domainCount: Int
  ) -> Outcome {
    let count = Double(entries.count)
    let means = (0..<domainCount).map { domain in
      entries.reduce(0) { $0 + $1.shares[domain] } / count
    }
    let deviations = (0..<domainCount).map { domain in
      let squares = entries.reduce(0) {
        $0 + ($1.shares[domain] - means[domain]) * ($1.shares[domain] - means[domain])
      }
      return (squares / count).squareRoot()
    }
    return Outcome(
      shares: means, deviations: deviations, leastObjective: entries.first?.objective ?? .nan,
      keptObjective: entries.last?.objective ?? .nan)
  }
}

/// The candidates with the least objectives, in rising order; of equal ones the first that came.
private struct BestCandidates: Sendable {
  private(set) var entries: [(objective: Double, shares: [Double])] = []
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  mutating func insert(_ shares: [Double], objective: Double) {
    let objective = objective.isNaN ? .infinity : objective
    if entries.count == limit, let last = entries.last, objective >= last.objective { return }
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].objective <= objective { low = middle + 1 } else { high = middle }
    }
    entries.insert((objective, shares), at: low)
    if entries.count > limit { entries.removeLast() }
  }
}
