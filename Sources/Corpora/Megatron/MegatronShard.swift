/// The tokens of a Megatron `.bin` file, read by ranges.
///
/// It keeps the open file and, where the stored integers are not as wide as tokens are, a buffer of
/// 64 KiB for each thread that reads at once.
package final class MegatronShard: TokenShard {
  package let place: ShardPlace
  /// What the `.idx` file says.
  package let index: MegatronIndex

  private let file: FileReader
  private let vocabularySize: Int
  private let buffers = Locked<[Buffer]>([])

  private static let bufferByteCount = 1 << 16

  /// Memory that one thread at a time reads into: it is taken from a list and put back.
  private final class Buffer: Sendable {
    let bytes = TextBuffer(capacity: MegatronShard.bufferByteCount)
  }

  /// Opens `prefix.bin`, which `index` describes.
  ///
  /// The index is what ``MegatronIndex/read(prefix:domain:)`` returned for the same prefix. A token
  /// that the vocabulary does not have is an error when it is read.
  package init(
    prefix: String, index: MegatronIndex, tokenizer: TokenizerDescription, domain: String,
    access: FileAccess = .direct
  ) throws(CorpusError) {
    self.index = index
    vocabularySize = tokenizer.vocabularySize
    place = ShardPlace(domain: domain, path: prefix + ".bin")
    file = try FileReader(path: place.path, access: access)
    let expected = index.tokenCount * index.type.byteCount
    guard file.byteCount == expected else {
      throw .shardDiffers(
        place, field: "size in bytes", recorded: UInt64(expected), found: UInt64(file.byteCount))
    }
  }

  package var fileVersion: FileVersion { file.version }

  /// Does nothing: the format records no hash, and its sizes were compared when the shard was
  /// opened.
  package func verify(_ activity: ReadActivity? = nil) throws(CorpusError) {}

  package func read(
    _ range: Range<Int>, into memory: UnsafeMutableRawBufferPointer, width: TokenWidth
  ) throws(CorpusError) {
    precondition(
      0 <= range.lowerBound && range.upperBound <= index.tokenCount
        && memory.count == range.count * width.byteCount,
      "\(range) of \(index.tokenCount) tokens do not go into \(memory.count) bytes")
    guard let base = memory.baseAddress, !range.isEmpty else { return }
    if index.type.byteCount == width.byteCount {
      try file.read(into: memory, at: range.lowerBound * width.byteCount)
      return try convert(range, from: base, into: base, width: width)
    }
    let buffer = buffers.withLock { $0.popLast() } ?? Buffer()
    defer { buffers.withLock { $0.append(buffer) } }
    let atOnce = Self.bufferByteCount / index.type.byteCount
    for first in stride(from: range.lowerBound, to: range.upperBound, by: atOnce) {
      let piece = first..<min(first + atOnce, range.upperBound)
      let stored = UnsafeMutableRawBufferPointer(
        start: buffer.bytes.base, count: piece.count * index.type.byteCount)
      try file.read(into: stored, at: first * index.type.byteCount)
      try convert(
        piece, from: UnsafeRawPointer(buffer.bytes.base),
        into: base + (first - range.lowerBound) * width.byteCount, width: width)
    }
  }

  private func convert(
    _ range: Range<Int>, from source: UnsafeRawPointer, into destination: UnsafeMutableRawPointer,
    width: TokenWidth
  ) throws(CorpusError) {
    let unknown = index.type.convert(
      source, count: range.count, into: destination, width: width, vocabularySize: vocabularySize)
    guard let unknown else { return }
    let token = range.lowerBound + unknown
    throw .foreignToken(
      place, sample: nil, byteOffset: token * index.type.byteCount,
      token: index.type.value(at: unknown, of: source), vocabularySize: vocabularySize)
  }
}
