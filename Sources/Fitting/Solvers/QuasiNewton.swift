/// A function whose value and gradient are had together.
package protocol SmoothFunction {
  /// Returns the value, and writes the gradient.
  ///
  /// - Parameters:
  ///   - parameters: where.
  ///   - gradient: the derivatives `[parameter]`, every one of which is written.
  /// - Returns: the value; infinity where the function is not defined.
  func value(at parameters: [Double], gradient: inout [Double]) -> Double
}

/// Where a solver stopped.
package struct Minimum: Sendable {
  /// The best parameters found.
  package var parameters: [Double]
  /// The function there.
  package var value: Double
  /// How many steps were taken.
  package var steps: Int
}

/// L-BFGS within a box.
///
/// The inverse Hessian is remembered as the last steps and their gradient differences. Parameters
/// that press against their wall are left out of a step; the others move along the direction and
/// are clamped, with step sizes that satisfy the weak Wolfe conditions.
///
/// Source: Nocedal and Wright 2006, *Numerical Optimization*, algorithms 7.4 and 7.5; the search of
/// the step size by bisection and doubling is that of Lewis and Overton 2013, *Nonsmooth
/// optimization via quasi-Newton methods*, algorithm 2.6.
///
/// Departures from the source: the box, by projection.
package struct QuasiNewton: Sendable {
  /// How many steps are remembered.
  package var memory = 20
  /// How many steps are taken at most.
  package var stepLimit = 1000
  /// The largest derivative, of parameters that are free, at which the minimum is reached.
  package var gradientTolerance = 1e-10
  /// The part of the value that two steps running must lower it by, or they end the search.
  package var reductionTolerance = 1e-15

  /// Creates the solver with its defaults.
  package init() {}

  /// Minimizes a function.
  ///
  /// - Parameters:
  ///   - function: what to minimize.
  ///   - start: where to begin; it is clamped into the box.
  ///   - box: the ranges of the parameters.
  /// - Returns: the best point seen; the start if the function is not finite there.
  package func minimize(
    _ function: some SmoothFunction, from start: [Double], in box: ParameterBox
  ) -> Minimum {
    var point = box.clamped(start)
    var gradient = [Double](repeating: 0, count: point.count)
    var value = function.value(at: point, gradient: &gradient)
    var history = StepHistory(limit: memory)
    var smallSteps = 0
    var steps = 0
    guard value.isFinite else { return Minimum(parameters: point, value: value, steps: 0) }
    while steps < stepLimit, smallSteps < 2 {
      let free = point.indices.map { !box.isHeld($0, at: point[$0], gradient: gradient[$0]) }
      let largest = point.indices.reduce(0) { max($0, free[$1] ? abs(gradient[$1]) : 0) }
      guard largest > gradientTolerance else { break }
      var direction = history.direction(gradient, free: free)
      if Self.dot(direction, gradient) >= 0 {
        history.removeAll()
        direction = history.direction(gradient, free: free)
      }
      guard
        let step = search(
          function, from: point, value: value, gradient: gradient, along: direction, in: box)
      else {
        // With nothing remembered, the direction was the gradient's: rounding is all that is left.
        guard !history.isEmpty else { break }
        history.removeAll()
        continue
      }
      history.add(
        step: zip(step.point, point).map { $0 - $1 },
        change: zip(step.gradient, gradient).map { $0 - $1 })
      smallSteps = value - step.value <= reductionTolerance * abs(value) ? smallSteps + 1 : 0
      (point, value, gradient) = (step.point, step.value, step.gradient)
      steps += 1
    }
    return Minimum(parameters: point, value: value, steps: steps)
  }

  private struct Step {
    var point: [Double]
    var value: Double
    var gradient: [Double]
  }

  /// A step that lowers the value enough, and after which the slope is less steep; nil if there is
  /// none that lowers it at all.
  private func search(
    _ function: some SmoothFunction, from point: [Double], value: Double, gradient: [Double],
    along direction: [Double], in box: ParameterBox
  ) -> Step? {
    let slope = Self.dot(direction, gradient)
    var (low, high, size) = (0.0, Double.infinity, 1.0)
    var best: Step?
    var trial = gradient
    for _ in 0..<50 {
      let moved = box.clamped(point.indices.map { point[$0] + size * direction[$0] })
      let found = function.value(at: moved, gradient: &trial)
      let expected = point.indices.reduce(0) { $0 + gradient[$1] * (moved[$1] - point[$1]) }
      if !(found <= value + 1e-4 * expected) {
        high = size
      } else {
        if found < best?.value ?? value {
          best = Step(point: moved, value: found, gradient: trial)
        }
        let slopeThere = point.indices.reduce(0) { sum, index in
          let isClamped = moved[index] <= box.lower[index] || moved[index] >= box.upper[index]
          return isClamped ? sum : sum + trial[index] * direction[index]
        }
        guard slopeThere < 0.9 * slope else { return best }
        low = size
      }
      size = high < .infinity ? (low + high) / 2 : 2 * low
      guard high - low > 1e-16 * high else { break }
    }
    return best
  }

  fileprivate static func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for index in a.indices { sum += a[index] * b[index] }
    return sum
  }
}

/// The last steps and gradient differences, oldest first.
private struct StepHistory {
  private struct Pair {
    var step: [Double]
    var change: [Double]
  }

  private var pairs: [Pair] = []
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  var isEmpty: Bool { pairs.isEmpty }

  mutating func removeAll() { pairs = [] }

  /// Remembers a pair along which the function curves upwards, and no other.
  mutating func add(step: [Double], change: [Double]) {
    let product = QuasiNewton.dot(step, change)
    guard product > 1e-14 * QuasiNewton.dot(change, change) else { return }
    if pairs.count == limit { pairs.removeFirst() }
    pairs.append(Pair(step: step, change: change))
  }

  /// Returns −H·g over the free parameters, 0 at the others.
  func direction(_ gradient: [Double], free: [Bool]) -> [Double] {
    var result = gradient.indices.map { free[$0] ? -gradient[$0] : 0 }
    let all = free.allSatisfy { $0 }
    let used =
      all
      ? pairs
      : pairs.map { pair in
        Pair(
          step: pair.step.indices.map { free[$0] ? pair.step[$0] : 0 },
          change: pair.change.indices.map { free[$0] ? pair.change[$0] : 0 })
      }.filter { QuasiNewton.dot($0.step, $0.change) > 0 }
    guard let last = used.last else {
      let norm = QuasiNewton.dot(result, result).squareRoot()
      return norm > 1 ? result.map { $0 / norm } : result
    }
    var parts = [Double](repeating: 0, count: used.count)
    for index in used.indices.reversed() {
      let pair = used[index]
      parts[index] =
        QuasiNewton.dot(pair.step, result) / QuasiNewton.dot(pair.step, pair.change)
      for entry in result.indices { result[entry] -= parts[index] * pair.change[entry] }
    }
    let scale =
      QuasiNewton.dot(last.step, last.change) / QuasiNewton.dot(last.change, last.change)
    for entry in result.indices { result[entry] *= scale }
    for index in used.indices {
      let pair = used[index]
      let part =
        parts[index] - QuasiNewton.dot(pair.change, result)
        / QuasiNewton.dot(pair.step, pair.change)
      for entry in result.indices { result[entry] += part * pair.step[entry] }
    }
    return result
  }
}
