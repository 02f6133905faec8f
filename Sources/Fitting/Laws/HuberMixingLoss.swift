#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The Huber loss of residuals: quadratic near 0, linear beyond, so that outliers pull no harder.
///
///     h(x) = ½x² for |x| ≤ δ, else δ·(|x| − ½δ)
package struct HuberLoss: Sendable {
  /// δ > 0, in the unit of the residuals.
  package let threshold: Double

  /// Creates the loss with threshold δ.
  package init(threshold: Double) { self.threshold = threshold }

  /// h(x).
  package func value(_ residual: Double) -> Double {
    let size = abs(residual)
    return size <= threshold
      ? residual * residual / 2 : threshold * (size - threshold / 2)
  }

  /// h′(x).
  package func slope(_ residual: Double) -> Double {
    min(max(residual, -threshold), threshold)
  }

  /// h″(x), 1 or 0.
  package func curvature(_ residual: Double) -> Double { abs(residual) <= threshold ? 1 : 0 }
}

/// What fitting a mixing law minimizes, as a function of (c, T).
///
///     Σ_n h(c + exp(T · r_n) − L_n) + λ·‖T − mean T‖²
struct HuberMixingLoss: CurvedFunction {
  let runs: ObservedRuns
  let huber: HuberLoss
  /// λ ≥ 0.
  let penalty: Double

  func value(at parameters: [Double], gradient: inout [Double]) -> Double {
    for index in gradient.indices { gradient[index] = 0 }
    var sum = 0.0
    forEachRun(parameters) { residual, reducible, begin in
      sum += huber.value(residual)
      let slope = huber.slope(residual)
      gradient[0] += slope
      for domain in 0..<runs.domainCount {
        gradient[domain + 1] += slope * reducible * runs.shares[begin + domain]
      }
    }
    guard penalty > 0 else { return sum }
    let mean = parameters.dropFirst().reduce(0, +) / Double(runs.domainCount)
    for index in 1..<parameters.count {
      let distance = parameters[index] - mean
      sum += penalty * distance * distance
      gradient[index] += 2 * penalty * distance
    }
    return sum
  }

  func curvature(at parameters: [Double]) -> [Double] {
    let count = parameters.count
    var result = [Double](repeating: 0, count: count * count)
    forEachRun(parameters) { residual, reducible, begin in
      let curvature = huber.curvature(residual)
      let ofTT = curvature * reducible * reducible + huber.slope(residual) * reducible
      result[0] += curvature
      for row in 1..<count {
        let share = runs.shares[begin + row - 1]
        guard share != 0 else { continue }
        result[row * count] += curvature * reducible * share
        let factor = ofTT * share
        for column in 1...row {
          result[row * count + column] += factor * runs.shares[begin + column - 1]
        }
      }
    }
    let each = 2 * penalty / Double(runs.domainCount)
    for row in 1..<count {
      result[row * count + row] += 2 * penalty
      for column in 1...row { result[row * count + column] -= each }
    }
    for row in 0..<count {
      for column in 0..<row { result[column * count + row] = result[row * count + column] }
    }
    return result
  }

  /// Calls with each run's residual, its reducible loss and where its shares begin.
  private func forEachRun(_ parameters: [Double], _ body: (Double, Double, Int) -> Void) {
    let count = runs.domainCount
    for run in 0..<runs.runCount {
      let begin = run * count
      var exponent = 0.0
      for domain in 0..<count { exponent += parameters[domain + 1] * runs.shares[begin + domain] }
      let reducible = exp(MixingLaw.clipped(exponent))
      body(parameters[0] + reducible - runs.losses[run], reducible, begin)
    }
  }
}
