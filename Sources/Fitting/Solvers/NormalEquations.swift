/// The quadratic model of a sum of squares around a point: JᵀJ and Jᵀf.
struct NormalEquations {
  /// Jᵀf `[parameter]`, the gradient of half the sum of squares.
  private(set) var gradient: [Double]
  /// JᵀJ `[parameter, parameter]`, row-major; only the lower triangle is kept.
  private var gram: [Double]
  private let count: Int

  init(count: Int) {
    self.count = count
    gradient = [Double](repeating: 0, count: count)
    gram = [Double](repeating: 0, count: count * count)
  }

  /// Takes the model at another point.
  ///
  /// - Parameters:
  ///   - jacobian: J `[residual, parameter]`, row-major.
  ///   - residuals: f `[residual]`.
  /// - Precondition: J has a row for each residual.
  mutating func set(jacobian: [Double], residuals: [Double]) {
    precondition(
      jacobian.count == residuals.count * count,
      "\(jacobian.count) derivatives for \(residuals.count) residuals of \(count) parameters")
    for index in gradient.indices { gradient[index] = 0 }
    for index in gram.indices { gram[index] = 0 }
    // The one loop that takes the time of a fit: without pointers its bounds checks keep it from
    // vector instructions. All indices are below the counts checked above.
    jacobian.withUnsafeBufferPointer { rows in
      gram.withUnsafeMutableBufferPointer { gram in
        for residual in residuals.indices {
          let row = UnsafeBufferPointer(rebasing: rows[residual * count..<(residual + 1) * count])
          for i in 0..<count {
            let (factor, begin) = (row[i], i * count)
            gradient[i] += factor * residuals[residual]
            for j in 0...i { gram[begin + j] += factor * row[j] }
          }
        }
      }
    }
  }

  /// Raises D to the diagonal of JᵀJ where that is larger.
  ///
  /// The floor keeps a parameter that moves nothing from making the equations singular.
  func raise(_ scale: inout [Double]) {
    for index in 0..<count { scale[index] = max(scale[index], gram[index * count + index]) }
    let floor = max(1e-8 * (scale.max() ?? 0), 1e-300)
    for index in 0..<count { scale[index] = max(scale[index], floor) }
  }

  /// The damped Gauss–Newton step that stays in a box.
  ///
  /// A parameter that the step would take through its wall is put on the wall, and the others are
  /// solved for again: clamping alone would make the step no descent where parameters depend on
  /// each other.
  ///
  /// - Parameters:
  ///   - point: where the model was taken.
  ///   - box: the walls.
  ///   - damping: µ.
  ///   - scale: D `[parameter]`.
  /// - Returns: the point that is stepped to; nil if rounding leaves the equations singular.
  func moved(
    from point: [Double], in box: ParameterBox, damping: Double, scale: [Double]
  ) -> [Double]? {
    var fixed: [Double?] = point.indices.map {
      box.isHeld($0, at: point[$0], gradient: gradient[$0]) ? 0 : nil
    }
    while true {
      guard let step = step(damping: damping, scale: scale, fixed: fixed) else { return nil }
      let moved = point.indices.map { point[$0] + step[$0] }
      let inside = box.clamped(moved)
      var isInside = true
      for index in point.indices where fixed[index] == nil && inside[index] != moved[index] {
        fixed[index] = inside[index] - point[index]
        isInside = false
      }
      if isInside { return inside }
    }
  }

  private func step(damping: Double, scale: [Double], fixed: [Double?]) -> [Double]? {
    let free = (0..<count).filter { fixed[$0] == nil }
    let known = (0..<count).filter { fixed[$0] ?? 0 != 0 }
    var matrix = [Double](repeating: 0, count: free.count * free.count)
    var right = free.map { -gradient[$0] }
    for (row, i) in free.enumerated() {
      for (column, j) in free[...row].enumerated() {
        matrix[row * free.count + column] = gram[i * count + j]
      }
      matrix[row * free.count + row] += damping * scale[i]
      for k in known { right[row] -= gram[max(i, k) * count + min(i, k)] * (fixed[k] ?? 0) }
    }
    guard let factor = Cholesky(matrix, count: free.count) else { return nil }
    var step = fixed.map { $0 ?? 0 }
    for (index, value) in zip(free, factor.solve(right)) { step[index] = value }
    return step
  }

  /// Returns what the model says that a step changes the half sum of squares by.
  func change(_ step: [Double]) -> Double {
    var sum = 0.0
    for i in 0..<count {
      sum += gradient[i] * step[i] + gram[i * count + i] * step[i] * step[i] / 2
      for j in 0..<i { sum += gram[i * count + j] * step[i] * step[j] }
    }
    return sum
  }
}
