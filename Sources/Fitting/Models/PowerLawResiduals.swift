internal import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Where the parameters of a power law stand in a solver's list:
/// E, then ln p (one or K), then for each bracket ln b, ln k_0, ln k `[domain]`.
struct PowerLawLayout: Sendable {
  let form: PowerLaw.Form
  let domainCount: Int

  var exponentCount: Int { form == .perDomain ? domainCount : 1 }
  var termWidth: Int { domainCount + 2 }
  var parameterCount: Int { 1 + exponentCount + form.termCount * termWidth }

  func exponentIndex(ofDomain domain: Int) -> Int { form == .perDomain ? 1 + domain : 1 }
  func termStart(_ term: Int) -> Int { 1 + exponentCount + term * termWidth }

  func box(floorLimit: Double) -> ParameterBox {
    // A loss below −5 is none; but the fit shall answer.
    var lower = [min(-5, floorLimit - 1)]
    var upper = [floorLimit]
    lower += [Double](repeating: -2.5, count: exponentCount)
    upper += [Double](repeating: 0.7, count: exponentCount)
    for _ in 0..<form.termCount {
      lower += [-5] + [Double](repeating: -14, count: domainCount + 1)
      upper += [2] + [Double](repeating: 6, count: domainCount + 1)
    }
    return ParameterBox(lower: lower, upper: upper)
  }

  func randomParameters(
    leastLoss: Double, using generator: inout SeededGenerator
  ) -> [Double] {
    func uniform(_ from: Double, _ to: Double) -> Double {
      from + (to - from) * generator.nextUniform()
    }
    var parameters = [leastLoss - uniform(0.5, 3)]
    for _ in 0..<exponentCount { parameters.append(log(uniform(0.4, 1))) }
    for _ in 0..<form.termCount {
      parameters.append(log(uniform(0.05, 0.5)))
      parameters.append(-3 + generator.nextNormal())
      for _ in 0..<domainCount { parameters.append(-2 + generator.nextNormal()) }
    }
    return parameters
  }

  func parameters(of law: PowerLaw) -> [Double] {
    var parameters = [law.floor]
    parameters += law.exponents.prefix(exponentCount).map { log($0) }
    for term in law.terms {
      parameters += [log(term.decay), log(term.constant)] + term.coefficients.map { log($0) }
    }
    return parameters
  }

  func law(of parameters: [Double]) -> PowerLaw {
    let terms = (0..<form.termCount).map { index in
      let start = termStart(index)
      return PowerLaw.Term(
        constant: exp(parameters[start + 1]),
        coefficients: (0..<domainCount).map { exp(parameters[start + 2 + $0]) },
        decay: exp(parameters[start]))
    }
    return PowerLaw(
      form: form, floor: parameters[0],
      exponents: (0..<domainCount).map { exp(parameters[exponentIndex(ofDomain: $0)]) },
      terms: terms)
  }
}

/// What a power law leaves over of the losses, and its derivatives.
///
/// With S the bracket and q_j = k_j r_j^p_j,
///
///     ∂L/∂ln b = −b ln S · S^(−b)         ∂L/∂ln k_j = −b S^(−b−1) q_j
///     ∂L/∂ln p_j = −b S^(−b−1) q_j · p_j ln r_j
///
/// and behind the residuals of the runs come sqrt(λ) times every parameter but E.
struct PowerLawResiduals: ResidualFunction {
  private let layout: PowerLawLayout
  /// ln r `[run, domain]`; −∞ for no share.
  private let logShares: [Double]
  private let losses: [Double]
  /// sqrt(λ).
  private let penaltyRoot: Double

  init(layout: PowerLawLayout, shares: [[Double]], losses: [Double], penalty: Double) {
    self.layout = layout
    logShares = shares.flatMap { $0.map { $0 > 0 ? log($0) : -.infinity } }
    self.losses = losses
    penaltyRoot = penalty.squareRoot()
  }

  var residualCount: Int { losses.count + layout.parameterCount - 1 }

  func evaluate(at parameters: [Double], residuals: inout [Double]) {
    let law = layout.law(of: parameters)
    var powers = [Double](repeating: 0, count: layout.domainCount)
    for run in losses.indices {
      fillPowers(&powers, run: run, exponents: law.exponents)
      var loss = law.floor
      for term in law.terms { loss += exp(-term.decay * log(bracket(term, powers))) }
      residuals[run] = loss - losses[run]
    }
    for index in 1..<layout.parameterCount {
      residuals[losses.count + index - 1] = penaltyRoot * parameters[index]
    }
  }

  func differentiate(at parameters: [Double], jacobian: inout [Double]) {
    let law = layout.law(of: parameters)
    let width = layout.parameterCount
    var powers = [Double](repeating: 0, count: layout.domainCount)
    jacobian.withUnsafeMutableBufferPointer { jacobian in
      jacobian.update(repeating: 0)
      for run in losses.indices {
        fillPowers(&powers, run: run, exponents: law.exponents)
        let row = UnsafeMutableBufferPointer(rebasing: jacobian[run * width..<(run + 1) * width])
        row[0] = 1
        for (index, term) in law.terms.enumerated() {
          differentiate(term, at: layout.termStart(index), law, powers, run: run, into: row)
        }
      }
      for index in 1..<width { jacobian[(losses.count + index - 1) * width + index] = penaltyRoot }
    }
  }

  private func differentiate(
    _ term: PowerLaw.Term, at start: Int, _ law: PowerLaw, _ powers: [Double], run: Int,
    into row: UnsafeMutableBufferPointer<Double>
  ) {
    let sum = bracket(term, powers)
    let logSum = log(sum)
    let value = exp(-term.decay * logSum)
    let slope = -term.decay * value / sum
    row[start] = -term.decay * logSum * value
    row[start + 1] = slope * term.constant
    for domain in 0..<layout.domainCount where powers[domain] > 0 {
      let part = slope * term.coefficients[domain] * powers[domain]
      row[start + 2 + domain] = part
      let logShare = logShares[run * layout.domainCount + domain]
      row[layout.exponentIndex(ofDomain: domain)] += part * law.exponents[domain] * logShare
    }
  }

  /// r_j^p_j.
  private func fillPowers(_ powers: inout [Double], run: Int, exponents: [Double]) {
    let begin = run * layout.domainCount
    for domain in 0..<layout.domainCount {
      let logShare = logShares[begin + domain]
      powers[domain] = logShare > -.infinity ? exp(exponents[domain] * logShare) : 0
    }
  }

  private func bracket(_ term: PowerLaw.Term, _ powers: [Double]) -> Double {
    var sum = term.constant
    for domain in 0..<layout.domainCount { sum += term.coefficients[domain] * powers[domain] }
    return sum
  }
}
