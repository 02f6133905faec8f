/// The shape of the in-process language model.
///
/// Letters used in formulas: V `vocabularySize`, T `sequenceLength`, L `layerCount`, d `width`,
/// H `headCount`, h `hiddenWidth`.
public struct LanguageModelConfiguration: Sendable, Equatable, Codable {
  /// V, the number of tokens that the model knows.
  public var vocabularySize: Int
  /// T, tokens per sequence; a row of a batch holds T + 1.
  public var sequenceLength: Int
  /// L, the number of transformer layers.
  public var layerCount: Int
  /// d, the width of the residual stream; a multiple of twice the head count.
  public var width: Int
  /// H, attention heads per layer.
  public var headCount: Int
  /// h / d, how much wider the hidden layer of the MLP is than the residual stream.
  public var hiddenWidthFactor: Int
  /// Rows per micro-batch: bounds the memory of activations, and fixes the order in which gradients
  /// are added up.
  public var microBatchRowCount: Int
  /// The base of the rotary angles, dimensionless.
  public var rotaryBase: Double
  /// ε of the norms.
  public var normEpsilon: Float

  /// Creates a configuration; ``validate()`` checks it.
  ///
  /// When `microBatchRowCount` is nil it is as many rows as hold 4,096 tokens, at least one.
  public init(
    vocabularySize: Int, sequenceLength: Int, layerCount: Int, width: Int, headCount: Int,
    hiddenWidthFactor: Int = 4, microBatchRowCount: Int? = nil, rotaryBase: Double = 10_000,
    normEpsilon: Float = 1e-5
  ) {
    self.vocabularySize = vocabularySize
    self.sequenceLength = sequenceLength
    self.layerCount = layerCount
    self.width = width
    self.headCount = headCount
    self.hiddenWidthFactor = hiddenWidthFactor
    self.microBatchRowCount = microBatchRowCount ?? max(1, 4096 / max(1, sequenceLength))
    self.rotaryBase = rotaryBase
    self.normEpsilon = normEpsilon
  }

  /// h, the width of the hidden layer of the MLP.
  public var hiddenWidth: Int { width * hiddenWidthFactor }

  /// d / H, the width of one attention head.
  public var headWidth: Int { width / headCount }

  /// Checks every field against its range.
  ///
  /// - Throws: ``TrainingError/settingOutOfRange(name:value:allowed:)`` for the first field outside
  ///   its range, ``TrainingError/widthDoesNotDivide(width:headCount:)`` when heads would not have
  ///   an even width, ``TrainingError/numberOutOfRange(name:value:)`` for the base and ε.
  public func validate() throws(TrainingError) {
    // The limits bound what is allocated before anything is read.
    let fields: [(String, Int, ClosedRange<Int>)] = [
      ("vocabulary_size", vocabularySize, 1...(1 << 20)),
      ("sequence_length", sequenceLength, 1...(1 << 16)),
      ("layer_count", layerCount, 1...1024), ("width", width, 2...(1 << 16)),
      ("head_count", headCount, 1...(1 << 12)), ("hidden_width_factor", hiddenWidthFactor, 1...64),
      ("micro_batch_row_count", microBatchRowCount, 1...(1 << 20)),
    ]
    for (name, value, allowed) in fields where !allowed.contains(value) {
      throw .settingOutOfRange(name: name, value: value, allowed: allowed)
    }
    guard width % (2 * headCount) == 0 else {
      throw .widthDoesNotDivide(width: width, headCount: headCount)
    }
    guard rotaryBase > 1, rotaryBase.isFinite else {
      throw .numberOutOfRange(name: "rotary_base", value: rotaryBase)
    }
    guard normEpsilon >= 0, normEpsilon.isFinite else {
      throw .numberOutOfRange(name: "norm_epsilon", value: Double(normEpsilon))
    }
  }
}
