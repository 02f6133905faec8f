internal import Kernels
internal import Mixing

/// Measures what a policy reads of a step beside its losses: gradients by domain, and norms.
///
/// Made only where something of it is needed.
final class FeedbackMeter {
  /// What is measured.
  let needs: FeedbackNeeds
  let domainCount: Int
  /// nil where no gradients are needed.
  let recorder: GradientRecorder?
  private let model: LanguageModel
  /// The places of the watched parameters that lie side by side in the buffer.
  private let ranges: [Range<Int>]
  private let norms: LayerNorms?

  init(
    _ needs: FeedbackNeeds, of model: LanguageModel, settings: GradientSettings, seed: UInt64,
    domainCount: Int
  ) throws(TrainingError) {
    self.needs = needs
    self.model = model
    self.domainCount = domainCount
    let slices = try WatchedParameters(settings.watched).slices(in: model.layout)
    var ranges: [Range<Int>] = []
    for slice in slices {
      // Slices begin at cache lines; what lies between two of them is 0.
      let end = (ranges.last?.upperBound ?? 0) + 15
      if let last = ranges.last, slice.offset <= end / 16 * 16 {
        ranges[ranges.count - 1] = last.lowerBound..<slice.range.upperBound
      } else {
        ranges.append(slice.range)
      }
    }
    self.ranges = ranges
    norms = needs.norms ? LayerNorms(slices, of: model) : nil
    if let expected = needs.layerCount, let watched = norms?.layerCount, watched != expected {
      throw .layerCountDiffers(watched: watched, read: expected)
    }
    guard needs.gradients else {
      recorder = nil
      return
    }
    do throws(GradientError) {
      var projection: GradientProjection?
      if let width = settings.projectionWidth {
        projection = try GradientProjection(width: width, seed: seed)
      }
      recorder = try GradientRecorder(
        domainCount: domainCount, parameterCount: ranges.reduce(0) { $0 + $1.count }, needs: needs,
        projection: projection, context: model.context)
    } catch {
      throw .gradients(error)
    }
  }

  /// Begins a step on `rowCount` rows in micro-batches of `microBatchRows`.
  func begin(rowCount: Int, microBatchRows: Int) {
    recorder?.begin(factor: Double(rowCount) / Double(microBatchRows))
  }

  /// Credits what the model's gradients have gained to `domain`.
  func credit(domain: Int) throws(TrainingError) {
    guard let recorder else { return }
    let buffer = UnsafeBufferPointer(model.gradients.buffer)
    let pieces = ranges.map { UnsafeBufferPointer(rebasing: buffer[$0]) }
    do throws(GradientError) {
      try recorder.add(domain: domain, accumulator: pieces)
    } catch {
      throw .gradients(error)
    }
  }

  /// Ends the step, whose gradient is finite.
  func finish() throws(TrainingError) -> GradientReport? {
    do throws(GradientError) { return try recorder?.finish() } catch { throw .gradients(error) }
  }

  /// The norms after an update, and those of what it added; nil where they are not needed.
  func measureNorms() -> (parameters: [Double], updates: [Double])? { norms?.measure() }

  /// Takes the parameters as they are now for those before the next update.
  func forgetUpdate() { norms?.forget() }
}

/// The norms of the watched parameters of each layer, and of what a step added to them.
///
/// What lies outside of the layers counts as a layer for itself: embedding, last norm, head.
private final class LayerNorms {
  private let model: LanguageModel
  /// The watched slices of each layer.
  private let layers: [[ParameterSlice]]
  /// The parameters before the step, and what it added to them, in the places of the buffer.
  private let before, added: FloatArray

  init(_ slices: [ParameterSlice], of model: LanguageModel) {
    self.model = model
    var layers: [(name: Substring, slices: [ParameterSlice])] = []
    for slice in slices {
      // "layers.0.hidden.output" belongs to "layers.0", "head" to itself.
      let parts = slice.name.split(separator: ".")
      let name = slice.name.prefix(parts.prefix(2).reduce(-1) { $0 + $1.count + 1 })
      if layers.last?.name == name {
        layers[layers.count - 1].slices.append(slice)
      } else {
        layers.append((name, [slice]))
      }
    }
    self.layers = layers.map(\.slices)
    before = FloatArray(count: model.layout.count)
    added = FloatArray(count: model.layout.count)
    forget()
  }

  var layerCount: Int { layers.count }

  func forget() {
    let all = Matrix(model.parameters, rowCount: 1, columnCount: before.count)
    model.context.copy(all, to: Matrix(before, rowCount: 1, columnCount: before.count))
  }

  func measure() -> (parameters: [Double], updates: [Double]) {
    func norm(_ slices: [ParameterSlice], of array: FloatArray) -> Double {
      slices.reduce(0) { sum, slice in
        sum
          + model.context.sumOfSquares(
            UnsafeBufferPointer(rebasing: UnsafeBufferPointer(array.buffer)[slice.range]))
      }.squareRoot()
    }
    for slice in layers.joined() {
      model.context.gain(
        UnsafeBufferPointer(rebasing: UnsafeBufferPointer(model.parameters.buffer)[slice.range]),
        since: before, at: slice.offset, into: added)
    }
    return (layers.map { norm($0, of: model.parameters) }, layers.map { norm($0, of: added) })
  }
}
