package import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A small network that gives every row of features one number, the same function for every row.
///
///     y(f) = ⟨u, f⟩ + ⟨v, tanh(Wᵀ f + b)⟩ + c
///
/// - f: the features of a row `[feature]`; a row is a domain, at one step.
/// - W `[feature, unit]`, b `[unit]`, v `[unit]`, u `[feature]`, c: the parameters, one behind the
///   other in ``parameters``.
///
/// Since all domains share it, permuting domains permutes its outputs, and it fits any number of
/// domains.
package struct RowNetwork: Sendable, Equatable {
  /// F, the features of a row.
  package let featureCount: Int
  /// h, the units of the hidden layer.
  package let unitCount: Int
  /// W, b, v, u and c.
  package var parameters: [Double]

  /// Creates a network with W ~ N(0, 1/F), v ~ N(0, `spread`²), and zeros elsewhere.
  ///
  /// With a spread of 0 all outputs are 0.
  package init(
    featureCount: Int, unitCount: Int, spread: Double = 0, using generator: inout SeededGenerator
  ) {
    self.featureCount = featureCount
    self.unitCount = unitCount
    let scale = 1 / Double(featureCount).squareRoot()
    parameters = (0..<featureCount * unitCount).map { _ in scale * generator.nextNormal() }
    parameters += [Double](repeating: 0, count: unitCount)
    parameters += (0..<unitCount).map { _ in spread == 0 ? 0 : spread * generator.nextNormal() }
    parameters += [Double](repeating: 0, count: featureCount + 1)
  }

  /// The number of parameters of a network of these sizes.
  package static func parameterCount(featureCount: Int, unitCount: Int) -> Int {
    featureCount * unitCount + 2 * unitCount + featureCount + 1
  }

  /// Returns the outputs of rows.
  ///
  /// - Parameter rows: f `[row, feature]`.
  /// - Returns: y `[row]`, and tanh(Wᵀ f + b) `[row, unit]`, which the gradient needs.
  package func callAsFunction(_ rows: [Double]) -> (outputs: [Double], hidden: [Double]) {
    let rowCount = rows.count / featureCount
    var outputs = [Double](repeating: 0, count: rowCount)
    var hidden = [Double](repeating: 0, count: rowCount * unitCount)
    let offsets = Offsets(self)
    parameters.withUnsafeBufferPointer { p in
      rows.withUnsafeBufferPointer { f in
        hidden.withUnsafeMutableBufferPointer { h in
          for row in 0..<rowCount {
            let place = row * unitCount
            for unit in 0..<unitCount { h[place + unit] = p[offsets.biases + unit] }
            var output = p[offsets.constant]
            for feature in 0..<featureCount {
              let value = f[row * featureCount + feature]
              output += p[offsets.direct + feature] * value
              for unit in 0..<unitCount {
                h[place + unit] += p[feature * unitCount + unit] * value
              }
            }
            for unit in 0..<unitCount {
              h[place + unit] = tanh(h[place + unit])
              output += p[offsets.heads + unit] * h[place + unit]
            }
            outputs[row] = output
          }
        }
      }
    }
    return (outputs, hidden)
  }

  /// Returns the gradient of Σ_row y_row · `factors`_row by the parameters.
  ///
  /// - Parameters:
  ///   - factors: the gradient of a loss by the outputs `[row]`.
  ///   - rows: f `[row, feature]`.
  ///   - hidden: what the outputs' call returned `[row, unit]`.
  /// - Returns: the gradient `[parameter]`.
  package func gradient(factors: [Double], rows: [Double], hidden: [Double]) -> [Double] {
    var gradient = [Double](repeating: 0, count: parameters.count)
    var slopes = [Double](repeating: 0, count: unitCount)
    let offsets = Offsets(self)
    parameters.withUnsafeBufferPointer { p in
      gradient.withUnsafeMutableBufferPointer { g in
        rows.withUnsafeBufferPointer { f in
          for row in factors.indices where factors[row] != 0 {
            let factor = factors[row]
            for unit in 0..<unitCount {
              let h = hidden[row * unitCount + unit]
              g[offsets.heads + unit] += factor * h
              slopes[unit] = factor * p[offsets.heads + unit] * (1 - h * h)
              g[offsets.biases + unit] += slopes[unit]
            }
            slopes.withUnsafeBufferPointer { slopes in
              for feature in 0..<featureCount {
                let value = f[row * featureCount + feature]
                g[offsets.direct + feature] += factor * value
                for unit in 0..<unitCount {
                  g[feature * unitCount + unit] += slopes[unit] * value
                }
              }
            }
            g[offsets.constant] += factor
          }
        }
      }
    }
    return gradient
  }

  /// Where the parts begin in ``parameters``; W begins at 0.
  private struct Offsets {
    let biases: Int
    let heads: Int
    let direct: Int
    let constant: Int

    init(_ network: RowNetwork) {
      biases = network.featureCount * network.unitCount
      heads = biases + network.unitCount
      direct = heads + network.unitCount
      constant = direct + network.featureCount
    }
  }
}
