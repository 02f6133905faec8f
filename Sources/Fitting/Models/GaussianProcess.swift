package import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A loss as a Gaussian process over the logarithms of the shares, one length scale for each
/// domain.
///
///     z_j = (ln(1 + r_j/ε) − mean) / deviation,    ε = 0.003
///     k(z, z′) = σ² (1 + d + d²/3) e^(−d),    d² = 5 Σ_j (z_j − z′_j)² / ℓ_j²
///     L(r) = mean + deviation · k(z, Z)ᵀ (k(Z, Z) + ν² I)⁻¹ y
///
/// with y the standardized losses. The logarithms of ℓ `[domain]`, σ and ν maximize the evidence
///
///     ln p(y) = −½ yᵀC⁻¹y − ½ ln det C − n/2 ln 2π,    C = k(Z, Z) + ν² I
///
/// by L-BFGS: first on half of the runs, which costs an eighth, then from there on all.
///
/// - r: shares `[domain]`; Z, y: of the n runs.
/// - ℓ: the length scales, in deviations of z; σ, ν: in deviations of the losses.
///
/// Source: Rasmussen and Williams 2006, *Gaussian Processes for Machine Learning*, equations 2.25,
/// 4.17 (Matérn, ν = 5/2), 5.8 and 5.9.
///
/// Departures from the source: the search in two stages.
package struct GaussianProcess: Sendable, Equatable, Codable, LossModel {
  /// ε, in shares.
  package static let shareScale = 0.003

  /// What is taken off each feature and the loss, and what they are divided by then.
  struct Standard: Sendable, Equatable, Codable {
    let mean: Double
    let deviation: Double

    init(_ values: [Double]) {
      let average = values.reduce(0, +) / Double(values.count)
      let squares = values.reduce(0) { $0 + ($1 - average) * ($1 - average) }
      let found = (squares / Double(values.count)).squareRoot()
      mean = average
      // What never varies stays 0.
      deviation = found > 1e-12 * max(1, abs(average)) ? found : 1
    }
  }

  private let features: [Standard]
  private let outcome: Standard
  /// ln ℓ `[domain]`, ln σ, ln ν.
  private let logParameters: [Double]
  /// Z `[run, domain]`, flat.
  private let inputs: [Double]
  /// C⁻¹y `[run]`.
  private let weights: [Double]

  private enum CodingKeys: String, CodingKey {
    case features, outcome, inputs, weights
    case logParameters = "log_parameters"
  }

  /// The number of domains that shares are of.
  package var domainCount: Int { features.count }
  /// ℓ `[domain]`, in deviations of z.
  package var lengthScales: [Double] { logParameters.dropLast(2).map { exp($0) } }
  /// The noise of a loss, in nats per token.
  package var noise: Double { exp(logParameters[features.count + 1]) * outcome.deviation }

  /// Fits a process.
  ///
  /// - Parameters:
  ///   - shares: r `[run][domain]`, each ≥ 0; at least one run and one domain.
  ///   - losses: y `[run]`, finite.
  ///   - start: a process whose length scales, σ and ν are taken as they are, such as that of other
  ///     runs; nil to search them.
  ///   - generator: what chooses the half of the runs.
  package init(
    shares: [[Double]], losses: [Double], start: GaussianProcess? = nil,
    using generator: inout SeededGenerator
  ) {
    precondition(shares.count == losses.count && !shares.isEmpty, "one loss for each run")
    let domainCount = shares[0].count
    let logs = shares.map { $0.map { log1p(max(0, $0) / Self.shareScale) } }
    let features = (0..<domainCount).map { domain in Standard(logs.map { $0[domain] }) }
    let outcome = Standard(losses)
    let rows = logs.map { row in
      zip(row, features).map { ($0 - $1.mean) / $1.deviation }
    }
    let values = losses.map { ($0 - outcome.mean) / outcome.deviation }
    let whole = Evidence(inputs: rows, values: values)
    var parameters =
      start?.logParameters ?? [Double](repeating: log(4), count: domainCount) + [0, log(0.1)]
    if start == nil {
      let box = ParameterBox(
        lower: [Double](repeating: log(0.05), count: domainCount) + [log(0.01), log(1e-3)],
        upper: [Double](repeating: log(1e3), count: domainCount) + [log(100), log(2)])
      var solver = QuasiNewton()
      solver.reductionTolerance = 1e-5
      solver.stepLimit = 60
      if rows.count > Self.halvedCount {
        let half = rows.indices.shuffled(using: &generator).prefix(rows.count / 2).sorted()
        let part = Evidence(inputs: half.map { rows[$0] }, values: half.map { values[$0] })
        parameters = solver.minimize(part, from: parameters, in: box).parameters
        solver.stepLimit = 12
      }
      parameters = solver.minimize(whole, from: parameters, in: box).parameters
    }
    self.features = features
    self.outcome = outcome
    logParameters = parameters
    inputs = rows.flatMap { $0 }
    weights = whole.weights(at: parameters) ?? values.map { _ in 0 }
  }

  /// Runs beyond which the search begins with half of them.
  private static let halvedCount = 100

  /// Returns the predicted loss.
  ///
  /// - Parameter shares: r `[domain]`, each ≥ 0.
  /// - Returns: L, in nats per token.
  /// - Complexity: O(runs · domains).
  package func loss(of shares: [Double]) -> Double {
    precondition(shares.count == domainCount, "\(shares.count) shares of \(domainCount) domains")
    let point = shares.indices.map { domain in
      (log1p(max(0, shares[domain]) / Self.shareScale) - features[domain].mean)
        / features[domain].deviation
    }
    let inverseSquares = logParameters.prefix(domainCount).map { exp(-2 * $0) }
    let scale = exp(2 * logParameters[domainCount])
    var sum = 0.0
    for (run, weight) in weights.enumerated() {
      var distance = 0.0
      for domain in 0..<domainCount {
        let difference = point[domain] - inputs[run * domainCount + domain]
        distance += difference * difference * inverseSquares[domain]
      }
      let d = (5 * distance).squareRoot()
      sum += weight * (1 + d + d * d / 3) * exp(-d)
    }
    return outcome.mean + outcome.deviation * scale * sum
  }

  /// Reads a process and checks its shapes.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    features = try container.decode([Standard].self, forKey: .features)
    outcome = try container.decode(Standard.self, forKey: .outcome)
    logParameters = try container.decode([Double].self, forKey: .logParameters)
    inputs = try container.decode([Double].self, forKey: .inputs)
    weights = try container.decode([Double].self, forKey: .weights)
    guard !features.isEmpty, logParameters.count == features.count + 2,
      inputs.count == weights.count * features.count
    else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: container.codingPath, debugDescription: "not a Gaussian process"))
    }
  }
}

/// −ln p(y) as a function of the logarithms of length scales, σ and ν.
package struct Evidence: SmoothFunction {
  /// Z `[run, domain]`, flat.
  private let inputs: [Double]
  /// y `[run]`.
  private let values: [Double]
  private let domainCount: Int

  package init(inputs: [[Double]], values: [Double]) {
    self.inputs = inputs.flatMap { $0 }
    self.values = values
    domainCount = inputs[0].count
  }

  /// C⁻¹y; nil where C is not positive definite.
  func weights(at parameters: [Double]) -> [Double]? {
    solved(covariance(at: parameters, scaled: scaledInputs(at: parameters)))?.weights
  }

  package func value(at parameters: [Double], gradient: inout [Double]) -> Double {
    let scaled = scaledInputs(at: parameters)
    let covariance = covariance(at: parameters, scaled: scaled)
    guard let (inverse, weights) = solved(covariance) else { return .infinity }
    let count = values.count
    fill(
      &gradient, at: parameters, scaled: scaled, covariance: covariance, inverse: inverse.lower,
      weights: weights)
    let fit = zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 }
    return fit / 2 + inverse.logDeterminant / 2 + Double(count) / 2 * log(2 * Double.pi)
  }

  /// z_j / ℓ_j `[run, domain]`.
  private func scaledInputs(at parameters: [Double]) -> [Double] {
    let inverses = parameters.prefix(domainCount).map { exp(-$0) }
    var scaled = inputs
    for place in scaled.indices { scaled[place] *= inverses[place % domainCount] }
    return scaled
  }

  /// C, the lower triangle.
  private func covariance(at parameters: [Double], scaled: [Double]) -> [Double] {
    let count = values.count
    let scale = exp(2 * parameters[domainCount])
    let noise = exp(2 * parameters[domainCount + 1])
    var matrix = [Double](repeating: 0, count: count * count)
    for i in 0..<count {
      for j in 0..<i {
        let d = distance(i, j, scaled)
        matrix[i * count + j] = scale * (1 + d + d * d / 3) * exp(-d)
      }
      matrix[i * count + i] = scale + noise
    }
    return matrix
  }

  /// d of two runs.
  private func distance(_ i: Int, _ j: Int, _ scaled: [Double]) -> Double {
    // Both rows lie in the array: runs are counted below its count.
    scaled.withUnsafeBufferPointer { scaled in
      var sum = 0.0
      for domain in 0..<domainCount {
        let difference = scaled[i * domainCount + domain] - scaled[j * domainCount + domain]
        sum += difference * difference
      }
      return (5 * sum).squareRoot()
    }
  }

  private func solved(_ covariance: [Double]) -> (SymmetricInverse, weights: [Double])? {
    let count = values.count
    guard let inverse = SymmetricInverse(covariance, count: count) else { return nil }
    var weights = [Double](repeating: 0, count: count)
    for i in 0..<count {
      weights[i] += inverse.lower[i * count + i] * values[i]
      for j in 0..<i {
        let entry = inverse.lower[i * count + j]
        weights[i] += entry * values[j]
        weights[j] += entry * values[i]
      }
    }
    return (inverse, weights)
  }

  /// −½ tr((C⁻¹y yᵀC⁻¹ − C⁻¹) ∂C/∂θ) for every θ.
  private func fill(
    _ gradient: inout [Double], at parameters: [Double], scaled: [Double], covariance: [Double],
    inverse: [Double], weights: [Double]
  ) {
    let count = values.count
    let scale = exp(2 * parameters[domainCount])
    let noise = exp(2 * parameters[domainCount + 1])
    for index in gradient.indices { gradient[index] = 0 }
    var (kernelPart, diagonalPart) = (0.0, 0.0)
    gradient.withUnsafeMutableBufferPointer { gradient in
      scaled.withUnsafeBufferPointer { scaled in
        for i in 0..<count {
          diagonalPart += weights[i] * weights[i] - inverse[i * count + i]
          for j in 0..<i {
            let place = i * count + j
            let outer = weights[i] * weights[j] - inverse[place]
            kernelPart += outer * covariance[place]
            var sum = 0.0
            for domain in 0..<domainCount {
              let difference = scaled[i * domainCount + domain] - scaled[j * domainCount + domain]
              sum += difference * difference
            }
            let d = (5 * sum).squareRoot()
            // ∂k/∂ln ℓ = σ² 5/3 (1 + d) e^(−d) (Δz/ℓ)².
            let factor = outer * scale * 5 / 3 * (1 + d) * exp(-d)
            for domain in 0..<domainCount {
              let difference = scaled[i * domainCount + domain] - scaled[j * domainCount + domain]
              gradient[domain] -= factor * difference * difference
            }
          }
        }
      }
      gradient[domainCount] = -(2 * kernelPart + diagonalPart * scale)
      gradient[domainCount + 1] = -diagonalPart * noise
    }
  }
}
