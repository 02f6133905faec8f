package import Kernels

/// Where one named group of parameters lies in the buffer that holds all of them.
package struct ParameterSlice: Sendable, Equatable {
  /// For example "layers.0.attention.input"; unique in a model.
  package let name: String
  /// The first element's place in the buffer, a multiple of 16.
  package let offset: Int
  /// Rows; 1 for a gain.
  package let rowCount: Int
  /// Columns.
  package let columnCount: Int
  /// The standard deviation that it starts with; nil for a gain, which starts at 1.
  package let initialDeviation: Double?

  /// The number of parameters.
  package var count: Int { rowCount * columnCount }
  /// Where the slice lies.
  package var range: Range<Int> { offset..<offset + count }
  /// Whether weight decay applies: to matrices, not to gains.
  package var decays: Bool { initialDeviation != nil }

  /// The slice of `array`, which has the layout's length.
  package func matrix(in array: FloatArray) -> Matrix {
    Matrix(array, offset: offset, rowCount: rowCount, columnCount: columnCount)
  }
}

/// The order and the places of all parameters of a model in one buffer.
///
/// Parameters, gradients and both moments share it. A slice starts at a cache line; the elements
/// between slices are 0 and stay 0. Matrices are [in, out], so that y = x · W.
package struct ParameterLayout: Sendable, Equatable {
  /// One transformer layer's slices.
  package struct Layer: Sendable, Equatable {
    /// Gain of the norm before attention, [1, d].
    package let attentionNorm: ParameterSlice
    /// Queries, keys and values side by side, [d, 3d].
    package let attentionInput: ParameterSlice
    /// [d, d].
    package let attentionOutput: ParameterSlice
    /// Gain of the norm before the MLP, [1, d].
    package let hiddenNorm: ParameterSlice
    /// [d, h].
    package let hiddenInput: ParameterSlice
    /// [h, d].
    package let hiddenOutput: ParameterSlice
  }

  /// One row per token, [V, d].
  package let embedding: ParameterSlice
  /// The layers, first to last.
  package let layers: [Layer]
  /// Gain of the last norm, [1, d].
  package let finalNorm: ParameterSlice
  /// From the residual stream to logits, [d, V].
  package let head: ParameterSlice
  /// All slices in the order of the buffer.
  package let slices: [ParameterSlice]
  /// The length of the buffer, with the gaps.
  package let count: Int

  /// Lays out the parameters of a model.
  package init(_ configuration: LanguageModelConfiguration) {
    let (width, hidden) = (configuration.width, configuration.hiddenWidth)
    // 0.02, and outputs into the residual stream shrunk by sqrt(2 L), as GPT-2 does, so that the
    // stream's variance at the start does not grow with depth.
    let deviation = 0.02
    let outputDeviation = 0.02 / Double(2 * configuration.layerCount).squareRoot()
    var slices: [ParameterSlice] = []
    var end = 0
    func add(_ name: String, _ rows: Int, _ columns: Int, _ deviation: Double?) -> ParameterSlice {
      let slice = ParameterSlice(
        name: name, offset: end, rowCount: rows, columnCount: columns, initialDeviation: deviation)
      end = (slice.range.upperBound + 15) / 16 * 16
      slices.append(slice)
      return slice
    }
    embedding = add("embedding", configuration.vocabularySize, width, deviation)
    layers = (0..<configuration.layerCount).map { index in
      Layer(
        attentionNorm: add("layers.\(index).attention.norm", 1, width, nil),
        attentionInput: add("layers.\(index).attention.input", width, 3 * width, deviation),
        attentionOutput: add("layers.\(index).attention.output", width, width, outputDeviation),
        hiddenNorm: add("layers.\(index).hidden.norm", 1, width, nil),
        hiddenInput: add("layers.\(index).hidden.input", width, hidden, deviation),
        hiddenOutput: add("layers.\(index).hidden.output", hidden, width, outputDeviation))
    }
    finalNorm = add("final_norm", 1, width, nil)
    head = add("head", width, configuration.vocabularySize, deviation)
    self.slices = slices
    count = end
  }

  /// The slice called `name`, or nil when there is none.
  package func slice(named name: String) -> ParameterSlice? { slices.first { $0.name == name } }

  /// Gives every slice its initial values from a stream of its own name, so that another layer more
  /// or less changes no other slice.
  package func initialize(_ parameters: FloatArray, seed: UInt64) {
    for slice in slices {
      guard let deviation = slice.initialDeviation else {
        for index in slice.range { parameters[index] = 1 }
        continue
      }
      var generator = SeededGenerator(seed: seed, stream: "init.\(slice.name)")
      for index in slice.range { parameters[index] = Float(deviation * generator.nextNormal()) }
    }
  }
}
