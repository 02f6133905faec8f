internal import Kernels

/// A random projection of gradients, the same in every world of the same sizes.
struct LinearProjection {
  private let configuration: LinearWorldConfiguration
  private let width: Int
  /// `[parameter, width]`, with entries of variance 1/width.
  private let matrix: [Double]

  /// Creates the projection that is asked for; nil if none is.
  init?(_ configuration: LinearWorldConfiguration) {
    guard let width = configuration.projectionWidth else { return nil }
    precondition(width >= 1, "a projection to \(width) numbers")
    self.configuration = configuration
    self.width = width
    var generator = SeededGenerator(seed: 0, stream: "world projection")
    matrix = (0..<configuration.parameterCount * width).map { _ in
      generator.nextNormal() / Double(width).squareRoot()
    }
  }

  /// The squared norm of the projected inputs of a domain's sample.
  func squaredNorm(input: [Double], ofDomain domain: Int) -> Double {
    var sums = [Double](repeating: 0, count: width)
    for place in input.indices {
      let start = configuration.parameter(place, ofDomain: domain) * width
      for column in 0..<width { sums[column] += input[place] * matrix[start + column] }
    }
    return sums.reduce(0) { $0 + $1 * $1 }
  }

  /// The projected rows `[domain, width]` of rows `[domain, parameter]`.
  func rows(_ gradients: [Double]) -> [Double] {
    let parameterCount = configuration.parameterCount
    var rows = [Double](repeating: 0, count: configuration.domainCount * width)
    for domain in 0..<configuration.domainCount {
      for parameter in 0..<parameterCount {
        let gradient = gradients[domain * parameterCount + parameter]
        guard gradient != 0 else { continue }
        for column in 0..<width {
          rows[domain * width + column] += gradient * matrix[parameter * width + column]
        }
      }
    }
    return rows
  }
}
