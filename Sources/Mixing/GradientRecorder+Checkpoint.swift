internal import Kernels

/// The bytes of smoothed gradients, version 1.
///
/// All numbers are little-endian.
///
///     offset  bytes    what
///     0       8        magic "HRGRADS" and a 0
///     8       8        format version, UInt64
///     16      5 × 8    K, P and p as UInt64, β as the bits of a Double, the projection's seed
///     56      40 K     per domain: 1 if it was seen, else 0, as UInt64; z, c and the two averages
///                      of the noise as Doubles
///     …       4 p      per domain that was seen: M, Float
///     …       8        XXH64 with seed 0 of everything before, UInt64
private enum Format {
  static let magic: [UInt8] = Array("HRGRADS".utf8) + [0]
  static let version = 1
  static let headerByteCount = 56
  static let memoryByteCount = 40
}

extension GradientRecorder {
  /// The names and values that a checkpoint must share with the recorder that it is restored into.
  private func shape(beta: Double) -> [(name: String, value: UInt64, text: (UInt64) -> String)] {
    let number: (UInt64) -> String = { "\($0)" }
    return [
      ("domains", UInt64(domainCount), number), ("parameters", UInt64(parameterCount), number),
      ("numbers per row", UInt64(rowWidth), number),
      ("smoothing", beta.bitPattern, { "\(Double(bitPattern: $0))" }),
      ("projection seed", projection?.seed ?? 0, number),
    ]
  }

  /// Everything that is remembered between steps.
  ///
  /// - Returns: the smoothed gradients with a checksum; empty where nothing is smoothed. The sums
  ///   of a step that is open are not in it.
  public func checkpointBytes() -> [UInt8] {
    guard let smoothing else { return [] }
    let seen = smoothing.means.compactMap { $0 }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(
      Format.headerByteCount + Format.memoryByteCount * domainCount + 4 * rowWidth * seen.count + 8)
    func append(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    bytes += Format.magic
    append(UInt64(Format.version))
    for field in shape(beta: smoothing.beta) { append(field.value) }
    for (memory, mean) in zip(smoothing.memories, smoothing.means) {
      append(UInt64(mean == nil ? 0 : 1))
      for value in [memory.weight, memory.squaredWeight, memory.noise, memory.noiseWeight] {
        append(value.bitPattern)
      }
    }
    for mean in seen { for value in mean.buffer { append(value.bitPattern) } }
    append(checksum(of: bytes))
    return bytes
  }

  /// Goes back to what ``checkpointBytes()`` saved; a step that is open is forgotten.
  ///
  /// - Parameter bytes: a checkpoint of a recorder of the same shape, smoothing and projection.
  /// - Throws: ``GradientError``, before any change: of its cases about checkpoints the first one
  ///   that holds.
  public func restore(_ bytes: [UInt8]) throws(GradientError) {
    guard let beta = smoothing?.beta else {
      guard bytes.isEmpty else {
        throw .checkpointByteCountWrong(found: bytes.count, expected: 0)
      }
      forgetStep()
      return
    }
    try checkWhole(bytes)
    for (index, field) in shape(beta: beta).enumerated() {
      let value = Self.number(bytes, at: 16 + 8 * index)
      guard value == field.value else {
        throw .checkpointOfAnotherShape(
          name: field.name, stored: field.text(value), expected: field.text(field.value))
      }
    }
    let (memories, seen) = try memories(in: bytes)
    let means = means(in: bytes, seen: seen)
    for (domain, mean) in means.enumerated() {
      guard mean.map({ $0.buffer.allSatisfy(\.isFinite) }) ?? true else {
        throw .checkpointNumberWrong(name: "gradient", domain: domain)
      }
    }
    forgetStep()
    smoothing?.restore(memories, means: means)
  }

  /// Checks magic, version and checksum, and that the header is there.
  private func checkWhole(_ bytes: [UInt8]) throws(GradientError) {
    let least = Format.headerByteCount + Format.memoryByteCount * domainCount + 8
    guard bytes.count >= Format.headerByteCount + 8 else {
      throw .checkpointByteCountWrong(found: bytes.count, expected: least)
    }
    guard bytes.starts(with: Format.magic) else { throw .checkpointMagicUnknown }
    let version = Int(clamping: Self.number(bytes, at: 8))
    guard version == Format.version else {
      throw .checkpointVersionUnknown(found: version, expected: Format.version)
    }
    let stored = Self.number(bytes, at: bytes.count - 8)
    let computed = bytes.withUnsafeBytes {
      checksum(of: UnsafeRawBufferPointer(rebasing: $0[..<(bytes.count - 8)]))
    }
    guard stored == computed else {
      throw .checkpointChecksumWrong(stored: stored, computed: computed)
    }
  }

  /// What is remembered of each domain, and which of them were seen.
  ///
  /// The shape has been compared, so that the number of domains is the recorder's.
  private func memories(
    in bytes: [UInt8]
  ) throws(GradientError) -> ([GradientSmoothing.Memory], [Bool]) {
    let begin = Format.headerByteCount
    let rows = begin + Format.memoryByteCount * domainCount
    guard bytes.count >= rows + 8 else {
      throw .checkpointByteCountWrong(found: bytes.count, expected: rows + 8)
    }
    var memories: [GradientSmoothing.Memory] = []
    var seen: [Bool] = []
    for domain in 0..<domainCount {
      let place = begin + Format.memoryByteCount * domain
      func value(_ index: Int) -> Double {
        Double(bitPattern: Self.number(bytes, at: place + 8 * index))
      }
      let memory = GradientSmoothing.Memory(
        weight: value(1), squaredWeight: value(2), noise: value(3), noiseWeight: value(4))
      let flag = Self.number(bytes, at: place)
      guard flag <= 1, memory.isSound, (flag == 1) == (memory.weight > 0) else {
        throw .checkpointNumberWrong(name: "weight", domain: domain)
      }
      memories.append(memory)
      seen.append(flag == 1)
    }
    // In range: the recorder of this shape would hold as many bytes.
    let expected = rows + 4 * rowWidth * seen.count { $0 } + 8
    guard bytes.count == expected else {
      throw .checkpointByteCountWrong(found: bytes.count, expected: expected)
    }
    return (memories, seen)
  }

  private func means(in bytes: [UInt8], seen: [Bool]) -> [FloatArray?] {
    var begin = Format.headerByteCount + Format.memoryByteCount * domainCount
    return bytes.withUnsafeBytes { raw in
      seen.map { isSeen in
        guard isSeen else { return nil }
        let mean = FloatArray(count: rowWidth)
        for index in 0..<rowWidth {
          let bits = raw.loadUnaligned(fromByteOffset: begin + 4 * index, as: UInt32.self)
          mean.start[index] = Float(bitPattern: UInt32(littleEndian: bits))
        }
        begin += 4 * rowWidth
        return mean
      }
    }
  }

  private static func number(_ bytes: [UInt8], at offset: Int) -> UInt64 {
    bytes.withUnsafeBytes {
      UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
  }
}
