import Kernels

/// The bytes of a model checkpoint, version 1.
///
/// All numbers are little-endian.
///
///     offset  bytes       what
///     0       8           magic "HRMODEL" and a 0
///     8       4           format version, UInt32
///     12      4           0
///     16      6 × 8       V, T, L, d, H, h / d, UInt64 each
///     64      8           the step, UInt64
///     72      8           n, the floats per array, UInt64
///     80      4 n         parameters, Float
///     80+4n   4 n         first moments, Float
///     80+8n   4 n         second moments, Float
///     80+12n  8           XXH64 with seed 0 of everything before, UInt64
private enum CheckpointFormat {
  static let magic: [UInt8] = Array("HRMODEL".utf8) + [0]
  static let version = 1
  static let headerByteCount = 80

  static func byteCount(parameterCount: Int) -> Int { headerByteCount + 12 * parameterCount + 8 }
}

extension LanguageModelTrainer {
  /// The names and values that a checkpoint must share with the model that it is restored into.
  private var shape: [(name: String, value: Int)] {
    let configuration = model.configuration
    return [
      ("vocabulary_size", configuration.vocabularySize),
      ("sequence_length", configuration.sequenceLength),
      ("layer_count", configuration.layerCount), ("width", configuration.width),
      ("head_count", configuration.headCount),
      ("hidden_width_factor", configuration.hiddenWidthFactor),
    ]
  }

  private var arrays: [FloatArray] {
    [model.parameters, optimizer.firstMoments, optimizer.secondMoments]
  }

  /// Everything that the next step depends on, besides its batch and the settings.
  ///
  /// - Returns: parameters, both moments and the step, with a checksum.
  public func checkpointBytes() -> [UInt8] {
    let count = model.layout.count
    var bytes: [UInt8] = []
    bytes.reserveCapacity(CheckpointFormat.byteCount(parameterCount: count))
    bytes += CheckpointFormat.magic
    append(UInt32(CheckpointFormat.version), to: &bytes)
    append(UInt32(0), to: &bytes)
    for field in shape { append(UInt64(field.value), to: &bytes) }
    append(UInt64(step), to: &bytes)
    append(UInt64(count), to: &bytes)
    for array in arrays {
      for value in array.buffer { append(value.bitPattern, to: &bytes) }
    }
    append(checksum(of: bytes), to: &bytes)
    return bytes
  }

  /// Goes back to what ``checkpointBytes()`` saved.
  ///
  /// - Parameter bytes: a checkpoint of a model of the same shape.
  /// - Throws: ``TrainingError/checkpointByteCountWrong(found:expected:)``,
  ///   ``TrainingError/checkpointMagicUnknown``,
  ///   ``TrainingError/checkpointVersionUnknown(found:expected:)``,
  ///   ``TrainingError/checkpointChecksumWrong(stored:computed:)`` for damage, and
  ///   ``TrainingError/checkpointOfAnotherModel(name:stored:expected:)``. Nothing is changed then.
  public func restore(_ bytes: [UInt8]) throws(TrainingError) {
    let step = try checkedStep(bytes)
    let count = model.layout.count
    bytes.withUnsafeBytes { raw in
      for (index, array) in arrays.enumerated() {
        let begin = CheckpointFormat.headerByteCount + index * 4 * count
        for element in 0..<count {
          let bits = raw.loadUnaligned(fromByteOffset: begin + 4 * element, as: UInt32.self)
          array.buffer[element] = Float(bitPattern: UInt32(littleEndian: bits))
        }
      }
    }
    optimizer.step = step
    meter?.forgetUpdate()
  }

  /// Checks everything about `bytes` and returns the step they were saved at.
  private func checkedStep(_ bytes: [UInt8]) throws(TrainingError) -> Int {
    let smallest = CheckpointFormat.byteCount(parameterCount: 0)
    guard bytes.count >= smallest else {
      throw .checkpointByteCountWrong(found: bytes.count, expected: smallest)
    }
    guard bytes.starts(with: CheckpointFormat.magic) else { throw .checkpointMagicUnknown }
    let version = Int(read(UInt32.self, bytes, at: 8))
    guard version == CheckpointFormat.version else {
      throw .checkpointVersionUnknown(found: version, expected: CheckpointFormat.version)
    }
    let stored = read(UInt64.self, bytes, at: bytes.count - 8)
    let computed = bytes.withUnsafeBytes {
      checksum(of: UnsafeRawBufferPointer(rebasing: $0[..<(bytes.count - 8)]))
    }
    // The numbers of the header may be named in an error only if the checksum vouches for them.
    guard stored == computed else {
      throw .checkpointChecksumWrong(stored: stored, computed: computed)
    }
    for (index, field) in shape.enumerated() {
      let value = Int(clamping: read(UInt64.self, bytes, at: 16 + 8 * index))
      guard value == field.value else {
        throw .checkpointOfAnotherModel(name: field.name, stored: value, expected: field.value)
      }
    }
    let expected = CheckpointFormat.byteCount(parameterCount: model.layout.count)
    let count = Int(clamping: read(UInt64.self, bytes, at: 72))
    guard bytes.count == expected, count == model.layout.count else {
      throw .checkpointByteCountWrong(found: bytes.count, expected: expected)
    }
    return Int(clamping: read(UInt64.self, bytes, at: 64))
  }
}

private func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
  withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
}

private func read<Number: FixedWidthInteger>(
  _ type: Number.Type, _ bytes: [UInt8], at offset: Int
) -> Number {
  bytes.withUnsafeBytes {
    Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}
