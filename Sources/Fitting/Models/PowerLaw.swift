package import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A loss that falls as a power of how much of the text counts for it.
///
///     L(r) = E + Σ_m (k_m0 + Σ_j k_mj r_j^p_j)^(−b_m)
///
/// The bracket is an effective share: k_j says how much text of domain j counts, p_j < 1 that more
/// of the same counts less and less, k_0 what is learned from no domain in particular. There are
/// three forms: one bracket with one p for all domains (K + 4 parameters), one bracket with one p
/// for each domain (2K + 3), and two brackets that share one p (2K + 6).
///
/// All of k, p and b are positive, and their logarithms are fitted:
///
///     min Σ_i (L(r_i) − y_i)² + λ Σ (logarithms)²,    λ = 1e-6
///
/// within E ∈ [−5, min y], ln p ∈ [−2.5, 0.7], ln b ∈ [−5, 2], ln k ∈ [−14, 6], from six random
/// starts; the two that are best after a few steps are followed to their ends.
///
/// - K: the number of domains; j counts them, m the brackets.
/// - r: shares `[domain]`; 0^p is 0.
/// - E: ``floor``, in nats per token; the rest: ``Term``.
///
/// Where all p_j ≤ 1 the brackets are concave in r and L is convex.
///
/// Source: none; the family is that of BiMix (Ge et al. 2024, arXiv:2405.14908, equation 4), with
/// the domains' shares added up inside the power.
///
/// Departures from the source: one law for a loss over all training domains, where BiMix has each
/// domain's own share alone.
package struct PowerLaw: Sendable, Equatable, Codable, LossModel {
  /// Which parameters there are.
  package enum Form: String, Sendable, Codable, CaseIterable {
    /// One bracket, one exponent.
    case shared
    /// One bracket, one exponent for each domain.
    case perDomain = "per_domain"
    /// Two brackets, one exponent.
    case twoTerms = "two_terms"

    var termCount: Int { self == .twoTerms ? 2 : 1 }
  }

  /// One bracket.
  package struct Term: Sendable, Equatable, Codable {
    /// k_0, > 0.
    package var constant: Double
    /// k `[domain]`, > 0.
    package var coefficients: [Double]
    /// b, > 0.
    package var decay: Double
  }

  /// Which parameters there are.
  package let form: Form
  /// E, in nats per token.
  package let floor: Double
  /// p `[domain]`, > 0.
  package let exponents: [Double]
  /// The brackets, one or two.
  package let terms: [Term]

  /// The number of domains that shares are of.
  package var domainCount: Int { exponents.count }

  /// Returns the predicted loss.
  ///
  /// - Parameter shares: r `[domain]`, each ≥ 0.
  /// - Returns: L, in nats per token.
  package func loss(of shares: [Double]) -> Double {
    precondition(shares.count == domainCount, "\(shares.count) shares of \(domainCount) domains")
    var brackets = terms.map(\.constant)
    for (domain, share) in shares.enumerated() where share > 0 {
      let power = pow(share, exponents[domain])
      for index in brackets.indices { brackets[index] += terms[index].coefficients[domain] * power }
    }
    return zip(terms, brackets).reduce(floor) { $0 + pow($1.1, -$1.0.decay) }
  }

  /// Reads a law and checks that every number is where it can be.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    form = try container.decode(Form.self, forKey: .form)
    floor = try container.decode(Double.self, forKey: .floor)
    exponents = try container.decode([Double].self, forKey: .exponents)
    terms = try container.decode([Term].self, forKey: .terms)
    let isWhole = terms.allSatisfy { term in
      term.coefficients.count == exponents.count && term.constant > 0 && term.decay > 0
        && term.coefficients.allSatisfy { $0 >= 0 }
    }
    guard isWhole, terms.count == form.termCount, !exponents.isEmpty else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: container.codingPath, debugDescription: "not a power law"))
    }
  }

  private enum CodingKeys: String, CodingKey { case form, floor, exponents, terms }
}

extension PowerLaw {
  /// How many random starts a fit takes.
  package static let startCount = 6
  /// How many steps each of those goes, until only the best are followed.
  private static let firstStepCount = 25
  /// How many are followed.
  private static let keptCount = 2
  /// How many steps those go at most.
  private static let stepCount = 150
  private static let penalty = 1e-6

  /// Fits a law.
  ///
  /// - Parameters:
  ///   - form: which parameters there are.
  ///   - shares: r `[run][domain]`, each ≥ 0; at least one run and one domain.
  ///   - losses: y `[run]`, finite.
  ///   - start: a law to begin at in place of random starts, such as that of other runs; nil for
  ///     those.
  ///   - generator: where random starts come from.
  package init(
    _ form: Form, shares: [[Double]], losses: [Double], start: PowerLaw? = nil,
    using generator: inout SeededGenerator
  ) {
    precondition(shares.count == losses.count && !shares.isEmpty, "one loss for each run")
    let layout = PowerLawLayout(form: form, domainCount: shares[0].count)
    let least = losses.min() ?? 0
    let box = layout.box(floorLimit: least)
    let residuals = PowerLawResiduals(
      layout: layout, shares: shares, losses: losses, penalty: Self.penalty)
    var starts = start.map { [layout.parameters(of: $0)] } ?? []
    while starts.count < (start == nil ? Self.startCount : 1) {
      starts.append(layout.randomParameters(leastLoss: least, using: &generator))
    }
    var solver = LevenbergMarquardt()
    // Far below what the noise of losses can tell apart.
    solver.reductionTolerance = 1e-7
    solver.stepLimit = starts.count > 1 ? Self.firstStepCount : Self.stepCount
    var ends = starts.map { solver.minimize(residuals, from: $0, in: box) }
    if ends.count > 1 {
      solver.stepLimit = Self.stepCount
      ends.sort { $0.value < $1.value }
      ends = ends.prefix(Self.keptCount).map {
        solver.minimize(residuals, from: $0.parameters, in: box)
      }
    }
    let best = ends.dropFirst().reduce(ends[0]) { $1.value < $0.value ? $1 : $0 }
    self = layout.law(of: best.parameters)
  }

  init(form: Form, floor: Double, exponents: [Double], terms: [Term]) {
    self.form = form
    self.floor = floor
    self.exponents = exponents
    self.terms = terms
  }
}
