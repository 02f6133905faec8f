internal import Corpora

/// Decodes units into pools; one per thread.
final class UnitDecoder {
  private let frameDecoder: FrameDecoder
  private let store: ShardStore
  private let tokenWidth: TokenWidth
  /// The decoder's own room for a short last frame, of which a tail unit takes some sequences.
  ///
  /// Made with the decoder, so that no batch allocates it; until it is written it takes no memory.
  private let shortFrame: UnsafeMutableRawBufferPointer

  init(store: ShardStore, tokenWidth: TokenWidth) throws(CorpusError) {
    frameDecoder = try FrameDecoder(verifiesContent: false)
    self.store = store
    self.tokenWidth = tokenWidth
    shortFrame = .allocate(byteCount: tokensPerFrame * tokenWidth.byteCount, alignment: 64)
  }

  deinit {
    shortFrame.deallocate()
  }

  /// Decodes unit `unitIndex` of `domain`, whose shards are read from any place, into `memory`, and
  /// verifies every frame that it touches.
  func decode(
    unit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    switch (store.hasFrames(domain: domain), unitIndex < layout.frameUnitCount) {
    case (true, true):
      try decodeFrames(ofUnit: unitIndex, of: domain, layout: layout, into: memory)
    case (true, false):
      try decodeTail(ofUnit: unitIndex, of: domain, layout: layout, into: memory)
    case (false, true):
      let (shard, tokens) = layout.tokens(ofUnit: unitIndex)
      let unit = memory[..<(tokens.count * tokenWidth.byteCount)]
      try read(
        tokens, ofShard: shard, of: domain, into: UnsafeMutableRawBufferPointer(rebasing: unit))
    case (false, false):
      try readTail(ofUnit: unitIndex, of: domain, layout: layout, into: memory)
    }
  }

  private func decodeFrames(
    ofUnit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    let (shard, frames) = layout.frames(ofUnit: unitIndex)
    let reader = try store.reader(domain: domain, shard: shard)
    let frameByteCount = tokensPerFrame * tokenWidth.byteCount
    var position = 0
    for frame in frames {
      let destination = UnsafeMutableRawBufferPointer(
        rebasing: memory[position..<position + frameByteCount])
      try decode(frame, of: reader, (domain, shard), into: destination)
      position += frameByteCount
    }
    // The last target of the unit is the first token of the frame after it, which the index knows.
    let next = reader.index.frames[frames.upperBound].firstToken
    switch tokenWidth {
    case .uint16:
      memory.storeBytes(
        of: UInt16(truncatingIfNeeded: next).littleEndian, toByteOffset: position, as: UInt16.self)
    case .uint32:
      memory.storeBytes(of: next.littleEndian, toByteOffset: position, as: UInt32.self)
    }
  }

  private func decodeTail(
    ofUnit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    let spacing = layout.sequenceLength * tokenWidth.byteCount
    let sequenceByteCount = spacing + tokenWidth.byteCount
    var position = 0
    try layout.forEachTailSegment(ofUnit: unitIndex) { (segment) throws(CorpusError) in
      let reader = try store.reader(domain: domain, shard: segment.shard)
      let byteCount = reader.index.frames[segment.frame].tokenCount * tokenWidth.byteCount
      let frame = UnsafeMutableRawBufferPointer(rebasing: shortFrame[..<byteCount])
      try decode(segment.frame, of: reader, (domain, segment.shard), into: frame)
      for sequence in segment.sequences {
        let source = frame[sequence * spacing..<sequence * spacing + sequenceByteCount]
        memory[position..<position + sequenceByteCount].copyBytes(from: source)
        position += sequenceByteCount
      }
    }
  }

  /// Reads a tail unit of a format without frames; the rows lie T + 1 tokens apart.
  private func readTail(
    ofUnit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    let sequenceByteCount = (layout.sequenceLength + 1) * tokenWidth.byteCount
    var position = 0
    try layout.forEachTailSegment(ofUnit: unitIndex) { (segment) throws(CorpusError) in
      let tokens = layout.tokens(of: segment)
      let byteCount = tokens.count * tokenWidth.byteCount
      let room = memory[position..<position + byteCount]
      try read(
        tokens, ofShard: segment.shard, of: domain,
        into: UnsafeMutableRawBufferPointer(rebasing: room))
      // The last row first: rows move apart, each over what the one after it has left.
      let stride = layout.sequenceStride * tokenWidth.byteCount
      if let base = memory.baseAddress, stride < sequenceByteCount {
        for row in (1..<max(1, segment.sequences.count)).reversed() {
          (base + position + row * sequenceByteCount)
            .copyMemory(from: base + position + row * stride, byteCount: sequenceByteCount)
        }
      }
      position += segment.sequences.count * sequenceByteCount
    }
  }

  /// Reads tokens of a shard; one in which that fails is opened anew by the next attempt.
  private func read(
    _ tokens: Range<Int>, ofShard shard: Int, of domain: Int,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    do throws(CorpusError) {
      try store.tokenShard(domain: domain, shard: shard)
        .read(tokens, into: memory, width: tokenWidth)
    } catch {
      store.close(domain: domain, shard: shard)
      throw error
    }
  }

  /// Decodes one frame; a shard in which that fails is opened anew by the next attempt.
  private func decode(
    _ frame: Int, of reader: ShardReader, _ place: (domain: Int, shard: Int),
    into destination: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    do throws(CorpusError) {
      try reader.decode(frame: frame, into: destination, using: frameDecoder)
    } catch {
      store.close(domain: place.domain, shard: place.shard)
      throw error
    }
  }
}
