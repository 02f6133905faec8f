package import Kernels

/// A network of hidden layers of one width, as AC-ODM's published code builds its actor and critic.
///
///     h_0 = x,   h_l = ReLU(g_l ⊙ norm(W_l h_{l−1} + b_l) + d_l),   y = W h_n + b
///     norm(a) = (a − mean a) / √(var a + ε),   ε = 1e-5
///
/// - x: `[row, input]`; h_l: `[row, width]`; y: `[row, output]`.
/// - W_l `[width, input of the layer]`, b_l, g_l, d_l `[width]`, W `[output, width]`, b `[output]`:
///   the parameters, layer by layer, one behind the other.
///
/// A value: a copy shares its parameters until one of the two is changed.
package struct DenseNetwork: Sendable {
  /// The sizes of a network.
  package struct Shape: Sendable, Equatable, Codable {
    /// Numbers that go in.
    package var inputCount: Int
    /// Units of each hidden layer.
    package var width: Int
    /// Hidden layers, at least 1.
    package var layerCount: Int
    /// Numbers that come out.
    package var outputCount: Int

    /// Creates the sizes of a network.
    package init(inputCount: Int, width: Int, layerCount: Int, outputCount: Int) {
      precondition(
        inputCount >= 1 && width >= 1 && layerCount >= 1 && outputCount >= 1, "an empty network")
      self.inputCount = inputCount
      self.width = width
      self.layerCount = layerCount
      self.outputCount = outputCount
    }

    /// All parameters.
    package var parameterCount: Int { offset(ofLayer: layerCount) + outputCount * (width + 1) }

    /// Where the parameters of hidden layer `layer`, or of the output, begin.
    func offset(ofLayer layer: Int) -> Int {
      layer == 0 ? 0 : width * (inputCount + 3) + (layer - 1) * width * (width + 3)
    }

    /// The numbers that go into a layer.
    func inputCount(ofLayer layer: Int) -> Int { layer == 0 ? inputCount : width }
  }

  static let epsilon: Float = 1e-5

  /// The sizes.
  package let shape: Shape
  private var storage: FloatArray

  /// Creates a network with parameters of matrices and biases from U(−1/√inputs, 1/√inputs), gains
  /// of 1 and shifts of 0.
  package init(_ shape: Shape, using generator: inout SeededGenerator) {
    self.shape = shape
    storage = FloatArray(count: shape.parameterCount)
    for layer in 0...shape.layerCount {
      let isOutput = layer == shape.layerCount
      let inputs = shape.inputCount(ofLayer: layer)
      let outputs = isOutput ? shape.outputCount : shape.width
      let start = shape.offset(ofLayer: layer)
      let bound = 1 / Float(inputs).squareRoot()
      for place in start..<start + outputs * (inputs + 1) {
        storage[place] = bound * (2 * Float(generator.nextUniform()) - 1)
      }
      guard !isOutput else { continue }
      let gains = start + outputs * (inputs + 1)
      for place in gains..<gains + outputs { storage[place] = 1 }
    }
  }

  /// The parameters.
  package var parameters: [Float] {
    get { storage.values }
    set {
      precondition(newValue.count == shape.parameterCount, "parameters of another network")
      storage = FloatArray(newValue)
    }
  }

  /// Changes the parameters in place, after making them this value's own.
  package mutating func withParameters<Result>(_ body: (FloatArray) -> Result) -> Result {
    if !isKnownUniquelyReferenced(&storage) { storage = FloatArray(storage.values) }
    return body(storage)
  }

  /// Moves the parameters towards another network's by a part of the way.
  package mutating func follow(_ other: DenseNetwork, rate: Float) {
    let source = other.storage
    withParameters { own in
      for place in 0..<own.count {
        own.start[place] += rate * (source.start[place] - own.start[place])
      }
    }
  }

  /// What the layers computed of some rows, for the gradient.
  package struct Trace {
    /// x and h_1 … h_n.
    var inputs: [Matrix]
    /// norm(W_l h_{l−1} + b_l) by hidden layer.
    var normalized: [Matrix]
    /// 1 / √(var a + ε) by hidden layer `[row]`.
    var inverses: [[Float]]
    /// y `[row, output]`.
    package var outputs: Matrix
  }

  /// Computes the outputs of rows `[row, input]`.
  package func forward(_ rows: Matrix, _ context: KernelContext) -> Trace {
    precondition(rows.columnCount == shape.inputCount, "rows for another network")
    var trace = Trace(
      inputs: [rows], normalized: [], inverses: [],
      outputs: Matrix(rowCount: rows.rowCount, columnCount: shape.outputCount))
    for layer in 0..<shape.layerCount {
      let sums = Matrix(rowCount: rows.rowCount, columnCount: shape.width)
      let parts = parts(ofLayer: layer)
      context.multiply(.transposedB, trace.inputs[layer], parts.matrix, into: sums)
      let output = Matrix(rowCount: rows.rowCount, columnCount: shape.width)
      trace.inverses.append(normalize(sums, parts, into: output))
      trace.normalized.append(sums)
      trace.inputs.append(output)
    }
    let parts = parts(ofLayer: shape.layerCount)
    context.multiply(
      .transposedB, trace.inputs[shape.layerCount], parts.matrix, into: trace.outputs)
    for row in 0..<rows.rowCount {
      for column in 0..<shape.outputCount {
        trace.outputs.start[row * shape.outputCount + column] += parts.biases[column]
      }
    }
    return trace
  }

  /// Adds biases and normalizes in place, and gives the layer's output.
  private func normalize(_ sums: Matrix, _ parts: Parts, into output: Matrix) -> [Float] {
    let width = shape.width
    return (0..<sums.rowCount).map { row in
      let a = sums.start + row * width
      let h = output.start + row * width
      var (sum, squares) = (Float(0), Float(0))
      for unit in 0..<width {
        a[unit] += parts.biases[unit]
        sum += a[unit]
      }
      let mean = sum / Float(width)
      for unit in 0..<width {
        a[unit] -= mean
        squares += a[unit] * a[unit]
      }
      let inverse = 1 / (squares / Float(width) + Self.epsilon).squareRoot()
      for unit in 0..<width {
        a[unit] *= inverse
        h[unit] = max(parts.gains[unit] * a[unit] + parts.shifts[unit], 0)
      }
      return inverse
    }
  }

  /// Computes the gradients of Σ y ⊙ `factors`.
  ///
  /// - Parameters:
  ///   - factors: the gradient of a loss by the outputs `[row, output]`.
  ///   - trace: what ``forward(_:_:)`` returned for the rows.
  ///   - context: what products are computed with.
  /// - Returns: the gradient by the parameters, and by the rows `[row, input]`.
  package func gradients(
    factors: Matrix, _ trace: Trace, _ context: KernelContext
  ) -> (parameters: FloatArray, rows: Matrix) {
    let gradient = FloatArray(count: shape.parameterCount)
    let last = parts(ofLayer: shape.layerCount)
    let lastGradient = Parts(gradient, shape, layer: shape.layerCount)
    context.multiply(
      .transposedA, factors, trace.inputs[shape.layerCount], into: lastGradient.matrix)
    Self.addColumns(factors, to: lastGradient.biases)
    var slopes = Matrix(rowCount: factors.rowCount, columnCount: shape.width)
    context.multiply(.plain, factors, last.matrix, into: slopes)
    for layer in (0..<shape.layerCount).reversed() {
      let parts = parts(ofLayer: layer)
      let target = Parts(gradient, shape, layer: layer)
      backThroughNorm(slopes, trace, layer: layer, parts, addingTo: target)
      context.multiply(.transposedA, slopes, trace.inputs[layer], into: target.matrix)
      Self.addColumns(slopes, to: target.biases)
      let below = Matrix(
        rowCount: factors.rowCount, columnCount: shape.inputCount(ofLayer: layer))
      context.multiply(.plain, slopes, parts.matrix, into: below)
      slopes = below
    }
    return (gradient, slopes)
  }

  /// From the slopes of a layer's output to those of W h + b, in place.
  private func backThroughNorm(
    _ slopes: Matrix, _ trace: Trace, layer: Int, _ parts: Parts, addingTo target: Parts
  ) {
    let width = shape.width
    for row in 0..<slopes.rowCount {
      let d = slopes.start + row * width
      let n = trace.normalized[layer].start + row * width
      let h = trace.inputs[layer + 1].start + row * width
      var (sum, product) = (Float(0), Float(0))
      for unit in 0..<width {
        let slope = h[unit] > 0 ? d[unit] : 0
        target.gains[unit] += slope * n[unit]
        target.shifts[unit] += slope
        d[unit] = slope * parts.gains[unit]
        sum += d[unit]
        product += d[unit] * n[unit]
      }
      let (mean, factor) = (sum / Float(width), product / Float(width))
      for unit in 0..<width {
        d[unit] = trace.inverses[layer][row] * (d[unit] - mean - factor * n[unit])
      }
    }
  }

  private static func addColumns(_ rows: Matrix, to sums: UnsafeMutablePointer<Float>) {
    for row in 0..<rows.rowCount {
      for column in 0..<rows.columnCount {
        sums[column] += rows.start[row * rows.columnCount + column]
      }
    }
  }

  private func parts(ofLayer layer: Int) -> Parts { Parts(storage, shape, layer: layer) }

  /// One layer's parameters, as views.
  private struct Parts {
    let matrix: Matrix
    // The three point into the array that `matrix` keeps alive.
    let biases: UnsafeMutablePointer<Float>
    // See `biases`.
    let gains: UnsafeMutablePointer<Float>
    // See `biases`.
    let shifts: UnsafeMutablePointer<Float>

    init(_ array: FloatArray, _ shape: Shape, layer: Int) {
      let inputs = shape.inputCount(ofLayer: layer)
      let isOutput = layer == shape.layerCount
      let outputs = isOutput ? shape.outputCount : shape.width
      let start = shape.offset(ofLayer: layer)
      matrix = Matrix(array, offset: start, rowCount: outputs, columnCount: inputs)
      // The output has neither gains nor shifts; its pointers are never followed.
      biases = array.start + start + outputs * inputs
      gains = biases + (isOutput ? 0 : outputs)
      shifts = gains + (isOutput ? 0 : outputs)
    }
  }
}

extension DenseNetwork {
  /// Deals inputs anew: input i becomes what input `order[i]` was.
  package mutating func permuteInputs(_ order: [Int]) {
    precondition(order.count == shape.inputCount, "\(order.count) inputs")
    let shape = shape
    withParameters { array in
      for unit in 0..<shape.width {
        let row = UnsafeMutableBufferPointer(
          start: array.start + unit * shape.inputCount, count: shape.inputCount)
        let before = Array(row)
        for (place, source) in order.enumerated() { row[place] = before[source] }
      }
    }
  }

  /// Deals outputs anew: output i becomes what output `order[i]` was.
  package mutating func permuteOutputs(_ order: [Int]) {
    precondition(order.count == shape.outputCount, "\(order.count) outputs")
    let (shape, start) = (shape, shape.offset(ofLayer: shape.layerCount))
    withParameters { array in
      let all = UnsafeMutableBufferPointer(
        start: array.start + start, count: shape.outputCount * (shape.width + 1))
      let before = Array(all)
      for (place, source) in order.enumerated() {
        for unit in 0..<shape.width {
          all[place * shape.width + unit] = before[source * shape.width + unit]
        }
        let biases = shape.outputCount * shape.width
        all[biases + place] = before[biases + source]
      }
    }
  }
}
