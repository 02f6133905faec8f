/// Residuals with their derivatives, as a least-squares fit needs them.
package protocol ResidualFunction {
  /// n, how many residuals there are.
  var residualCount: Int { get }

  /// Writes the residuals.
  ///
  /// - Parameters:
  ///   - parameters: where.
  ///   - residuals: f `[residual]`, every one of which is written; NaN or infinite where the
  ///     function is not defined.
  func evaluate(at parameters: [Double], residuals: inout [Double])

  /// Writes the derivatives of the residuals.
  ///
  /// - Parameters:
  ///   - parameters: where.
  ///   - jacobian: ∂f/∂p `[residual, parameter]`, row-major, every one of which is written.
  func differentiate(at parameters: [Double], jacobian: inout [Double])
}

/// Nonlinear least squares within a box: Gauss–Newton steps, damped as far as they must be.
///
///     min ½·Σ f_i(p)²   by   (JᵀJ + µ·D)·Δ = −Jᵀf
///
/// - J: the Jacobian `[residual, parameter]`.
/// - µ: the damping, which falls after steps that do what the linear model promised.
/// - D: the largest diagonal of JᵀJ that was seen so far, at least 1e-8 of its largest entry.
///
/// Parameters that press against their wall stay there, and a step ends at the walls.
///
/// Source: Marquardt 1963, *An algorithm for least-squares estimation of nonlinear parameters*; µ
/// follows Nielsen 1999, *Damping parameter in Marquardt's method*, equation 3.2.
///
/// Departures from the source: the box, by projection.
package struct LevenbergMarquardt: Sendable {
  /// How many steps are tried at most.
  package var stepLimit = 200
  /// The part of the sum that two steps running must lower it by, or they end the fit.
  package var reductionTolerance = 1e-14
  /// µ at the start.
  package var firstDamping = 1e-3

  /// Creates the solver with its defaults.
  package init() {}

  /// Minimizes half the sum of the squared residuals.
  ///
  /// - Parameters:
  ///   - function: the residuals.
  ///   - start: where to begin; it is clamped into the box.
  ///   - box: the ranges of the parameters.
  /// - Returns: the best point and half the sum of squares; the start if it is not finite there.
  /// - Complexity: O(residuals · parameters²) a step.
  package func minimize(
    _ function: some ResidualFunction, from start: [Double], in box: ParameterBox
  ) -> Minimum {
    let count = start.count
    var point = box.clamped(start)
    var residuals = [Double](repeating: 0, count: function.residualCount)
    var trial = residuals
    var jacobian = [Double](repeating: 0, count: residuals.count * count)
    function.evaluate(at: point, residuals: &residuals)
    var value = Self.halfSquares(residuals)
    var scale = [Double](repeating: 0, count: count)
    var (damping, growth) = (firstDamping, 2.0)
    var (steps, smallSteps) = (0, 0)
    var isFresh = true
    var model = NormalEquations(count: count)
    while steps < stepLimit, smallSteps < 2, value.isFinite, value > 0 {
      steps += 1
      if isFresh {
        function.differentiate(at: point, jacobian: &jacobian)
        model.set(jacobian: jacobian, residuals: residuals)
        model.raise(&scale)
        isFresh = false
      }
      let moved = model.moved(from: point, in: box, damping: damping, scale: scale)
      let promised = moved.map { -model.change(zip($0, point).map { $0 - $1 }) } ?? 0
      guard let moved, promised > 0 else {
        (damping, growth) = (max(damping, 1e-12) * growth, growth * 2)
        guard damping < 1e30 else { break }
        continue
      }
      function.evaluate(at: moved, residuals: &trial)
      let found = Self.halfSquares(trial)
      guard found < value else {
        // A step too small to move the sum is the end; one too large is not.
        guard promised > 1e-17 * value, damping < 1e30 else { break }
        (damping, growth) = (max(damping, 1e-12) * growth, growth * 2)
        continue
      }
      let quality = 2 * (value - found) / promised - 1
      damping = max(damping * max(1.0 / 3, 1 - quality * quality * quality), 1e-20)
      growth = 2
      smallSteps = value - found <= reductionTolerance * value ? smallSteps + 1 : 0
      (point, value) = (moved, found)
      swap(&residuals, &trial)
      isFresh = true
    }
    return Minimum(parameters: point, value: value, steps: steps)
  }

  private static func halfSquares(_ residuals: [Double]) -> Double {
    var sum = 0.0
    for residual in residuals { sum += residual * residual }
    return sum.isNaN ? .infinity : sum / 2
  }
}
