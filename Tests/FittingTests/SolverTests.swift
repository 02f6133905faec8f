// Covers: DampedNewton.swift
// Covers: QuasiNewton.swift
// Covers: LevenbergMarquardt.swift
// Covers: NormalEquations.swift
// Covers: ParameterBox.swift
import Fitting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct SolverTests {
  @Test func rosenbrocksValleyIsWalkedToItsEnd() {
    let free = ParameterBox.unbounded(count: 2)
    let byGradient = QuasiNewton().minimize(Rosenbrock(), from: [-1.2, 1], in: free)
    expectClose(byGradient.parameters, [1, 1], within: 1e-8)
    let byResiduals = LevenbergMarquardt().minimize(Rosenbrock(), from: [-1.2, 1], in: free)
    expectClose(byResiduals.parameters, [1, 1], within: 1e-12)
    #expect(byResiduals.steps < 60)
  }

  @Test func wallsHoldAndAreFollowed() {
    // With x ≤ 1/2 the least of ½·(10(y − x²))² + ½·(1 − x)² is at (1/2, 1/4).
    let box = ParameterBox(lower: [-2, -2], upper: [0.5, 2])
    let byGradient = QuasiNewton().minimize(Rosenbrock(), from: [-1.2, 1], in: box)
    expectClose(byGradient.parameters, [0.5, 0.25], within: 1e-8)
    let byResiduals = LevenbergMarquardt().minimize(Rosenbrock(), from: [-1.2, 1], in: box)
    expectClose(byResiduals.parameters, [0.5, 0.25], within: 1e-8)
    expectClose([byGradient.value, byResiduals.value], [0.125, 0.125], within: 1e-12)
  }

  @Test func newtonStepsTakeTheLastDigits() {
    let near = DampedNewton().minimize(
      Rosenbrock(), from: [-1.2, 1], in: .unbounded(count: 2))
    expectClose(near.parameters, [1, 1], within: 1e-15)
    let box = ParameterBox(lower: [-2, -2], upper: [0.5, 2])
    let walled = DampedNewton().minimize(Rosenbrock(), from: [0.4, 0], in: box)
    expectClose(walled.parameters, [0.5, 0.25], within: 1e-10)
  }

  @Test func aStartOutsideIsMovedIn() {
    let box = ParameterBox(lower: [3, 3], upper: [3, 4])
    // x is fixed at 3; y would be 9 and stops at 4.
    for found in [
      QuasiNewton().minimize(Rosenbrock(), from: [0, 0], in: box),
      LevenbergMarquardt().minimize(Rosenbrock(), from: [0, 0], in: box),
    ] {
      #expect(found.parameters == [3, 4])
    }
  }

  @Test func curveOfNoisyPointsIsThatOfItsStationaryEquations() {
    // y = a·exp(b·x) at x = 0, 1, 2: the residuals are orthogonal to both derivatives.
    let curve = Exponential(xs: [0, 1, 2], ys: [1.1, 2.6, 7.5])
    let fit = LevenbergMarquardt().minimize(
      curve, from: [1, 0], in: .unbounded(count: 2))
    var residuals = [0.0, 0, 0]
    var jacobian = [Double](repeating: 0, count: 6)
    curve.evaluate(at: fit.parameters, residuals: &residuals)
    curve.differentiate(at: fit.parameters, jacobian: &jacobian)
    for parameter in 0..<2 {
      let moment = (0..<3).reduce(0) { $0 + jacobian[$1 * 2 + parameter] * residuals[$1] }
      expectClose(moment, 0, within: 1e-8)
    }
  }

  @Test func whatIsNotANumberEndsTheSearch() {
    let free = ParameterBox.unbounded(count: 2)
    #expect(QuasiNewton().minimize(Nowhere(), from: [1, 2], in: free).parameters == [1, 2])
    #expect(DampedNewton().minimize(Nowhere(), from: [1, 2], in: free).parameters == [1, 2])
    #expect(LevenbergMarquardt().minimize(Nowhere(), from: [1, 2], in: free).parameters == [1, 2])
  }

  @Test func aParameterThatMovesNothingStays() {
    let curve = Exponential(xs: [0, 0, 0], ys: [2, 2, 2])
    let fit = LevenbergMarquardt().minimize(curve, from: [1, 0.7], in: .unbounded(count: 2))
    expectClose(fit.parameters, [2, 0.7], within: 1e-9)
  }
}

/// ½·(10(y − x²))² + ½·(1 − x)², whose least is 0 at (1, 1).
private struct Rosenbrock: CurvedFunction, ResidualFunction {
  let residualCount = 2

  func evaluate(at p: [Double], residuals: inout [Double]) {
    residuals[0] = 10 * (p[1] - p[0] * p[0])
    residuals[1] = 1 - p[0]
  }

  func differentiate(at p: [Double], jacobian: inout [Double]) {
    (jacobian[0], jacobian[1]) = (-20 * p[0], 10)
    (jacobian[2], jacobian[3]) = (-1, 0)
  }

  func value(at p: [Double], gradient: inout [Double]) -> Double {
    let (f, g) = (10 * (p[1] - p[0] * p[0]), 1 - p[0])
    gradient = [-20 * p[0] * f - g, 10 * f]
    return (f * f + g * g) / 2
  }

  func curvature(at p: [Double]) -> [Double] {
    [600 * p[0] * p[0] - 200 * p[1] + 1, -200 * p[0], -200 * p[0], 100]
  }
}

/// a·exp(b·x) − y.
private struct Exponential: ResidualFunction {
  let xs: [Double]
  let ys: [Double]
  var residualCount: Int { xs.count }

  func evaluate(at p: [Double], residuals: inout [Double]) {
    for index in xs.indices { residuals[index] = p[0] * exp(p[1] * xs[index]) - ys[index] }
  }

  func differentiate(at p: [Double], jacobian: inout [Double]) {
    for index in xs.indices {
      jacobian[2 * index] = exp(p[1] * xs[index])
      jacobian[2 * index + 1] = p[0] * xs[index] * exp(p[1] * xs[index])
    }
  }
}

/// NaN everywhere.
private struct Nowhere: CurvedFunction, ResidualFunction {
  let residualCount = 1
  func evaluate(at p: [Double], residuals: inout [Double]) { residuals[0] = .nan }
  func differentiate(at p: [Double], jacobian: inout [Double]) { jacobian = [.nan, .nan] }
  func value(at p: [Double], gradient: inout [Double]) -> Double {
    gradient = [.nan, .nan]
    return .nan
  }
  func curvature(at p: [Double]) -> [Double] { [.nan, .nan, .nan, .nan] }
}
