/// A function that has second derivatives.
package protocol CurvedFunction: SmoothFunction {
  /// Returns the second derivatives `[parameter, parameter]`, row-major and symmetric.
  func curvature(at parameters: [Double]) -> [Double]
}

/// Newton's method within a box, damped as far as it must be: what takes the last digits.
///
///     (H + µ·D)·Δ = −g
///
/// - H: the second derivatives; g: the gradient.
/// - D: the diagonal of H, at least 1e-12 of its largest entry.
/// - µ: a tenth after each step that lowers the value, tenfold after each that does not and where
///   H + µ·D is not positive definite.
///
/// Source: Goldfeld, Quandt and Trotter 1966, *Maximization by quadratic hill-climbing*.
///
/// Departures from the source: D in place of the identity; the box, by holding parameters at their
/// walls and clamping the others.
package struct DampedNewton: Sendable {
  /// How many steps are tried at most.
  package var stepLimit = 200

  /// Creates the solver with its defaults.
  package init() {}

  /// Minimizes a function.
  ///
  /// - Parameters:
  ///   - function: what to minimize.
  ///   - start: where to begin; it is clamped into the box.
  ///   - box: the ranges of the parameters.
  /// - Returns: the best point; never worse than the start.
  package func minimize(
    _ function: some CurvedFunction, from start: [Double], in box: ParameterBox
  ) -> Minimum {
    var point = box.clamped(start)
    var gradient = [Double](repeating: 0, count: point.count)
    var value = function.value(at: point, gradient: &gradient)
    var trial = gradient
    var curvature = function.curvature(at: point)
    var damping = 1e-3
    var steps = 0
    while steps < stepLimit, damping < 1e16, value.isFinite {
      steps += 1
      guard let step = step(gradient, curvature, damping: damping, at: point, in: box) else {
        damping *= 10
        continue
      }
      let moved = box.clamped(zip(point, step).map { $0 + $1 })
      let found = function.value(at: moved, gradient: &trial)
      guard found < value else {
        // A step below the last digits of the parameters is the end.
        let isTiny = zip(moved, point).allSatisfy { abs($0 - $1) <= 1e-15 * max(abs($1), 1e-6) }
        guard !isTiny else { break }
        damping *= 10
        continue
      }
      (point, value, gradient) = (moved, found, trial)
      curvature = function.curvature(at: point)
      damping = max(damping / 10, 1e-16)
    }
    return Minimum(parameters: point, value: value, steps: steps)
  }

  private func step(
    _ gradient: [Double], _ curvature: [Double], damping: Double, at point: [Double],
    in box: ParameterBox
  ) -> [Double]? {
    let count = gradient.count
    let free = point.indices.filter { !box.isHeld($0, at: point[$0], gradient: gradient[$0]) }
    let diagonal = point.indices.map { abs(curvature[$0 * count + $0]) }
    let floor = max(1e-12 * (diagonal.max() ?? 0), 1e-300)
    var matrix = [Double](repeating: 0, count: free.count * free.count)
    for (row, i) in free.enumerated() {
      for (column, j) in free[...row].enumerated() {
        matrix[row * free.count + column] = curvature[i * count + j]
      }
      matrix[row * free.count + row] += damping * max(diagonal[i], floor)
    }
    guard let factor = Cholesky(matrix, count: free.count) else { return nil }
    var step = [Double](repeating: 0, count: count)
    for (index, value) in zip(free, factor.solve(free.map { -gradient[$0] })) {
      step[index] = value
    }
    return step
  }
}
