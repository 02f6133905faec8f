internal import Corpora

/// Decodes units into pools; one per thread.
final class UnitDecoder {
  /// What is being done now, for whoever waits for this thread.
  let activity = ReadActivity()

  private let frameDecoder: FrameDecoder
  private let store: ShardStore
  private let tokenWidth: TokenWidth
  /// The decoder's own room for a short last frame, of which a tail unit takes some sequences.
  ///
  /// Made with the decoder, so that no batch allocates it; until it is written it takes no memory.
  private let shortFrame: UnsafeMutableRawBufferPointer

  /// The shards in which the last unit failed, with the error; the rest of the unit is decoded.
  private(set) var failures: [(shard: Int, error: CorpusError)] = []

  init(store: ShardStore, tokenWidth: TokenWidth) throws(CorpusError) {
    frameDecoder = try FrameDecoder(verifiesContent: false)
    frameDecoder.activity = activity
    self.store = store
    self.tokenWidth = tokenWidth
    shortFrame = .allocate(byteCount: tokensPerFrame * tokenWidth.byteCount, alignment: 64)
  }

  deinit {
    shortFrame.deallocate()
  }

  /// Decodes unit `unitIndex` of `domain`, whose shards are read from any place, into `memory`, and
  /// verifies every frame that it touches.
  ///
  /// Frames in quarantine are left out, and so is the rest of a unit of full frames.
  func decode(
    unit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    attempt(unit: unitIndex, of: domain, layout: layout, into: memory)
    if let failure = failures.first { throw failure.error }
  }

  /// Decodes as much of unit `unitIndex` as can be: what can not stands in ``failures``.
  func attempt(
    unit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) {
    failures = []
    let isNative = store.hasFrames(domain: domain)
    if unitIndex < layout.frameUnitCount {
      let (shard, frames) = layout.frames(ofUnit: unitIndex)
      if frames.contains(where: { store.isQuarantined($0, shard: shard, domain: domain) }) {
        return
      }
      attempt(shard) { () throws(CorpusError) in
        if isNative {
          try decodeFrames(ofUnit: unitIndex, of: domain, layout: layout, into: memory)
        } else {
          try readUnit(unitIndex, of: domain, layout: layout, into: memory)
        }
      }
    } else if isNative {
      decodeTail(ofUnit: unitIndex, of: domain, layout: layout, into: memory)
    } else {
      readTail(ofUnit: unitIndex, of: domain, layout: layout, into: memory)
    }
  }

  /// Does what may fail in a shard, and notes the failure.
  ///
  /// After one that took too long nothing else is tried: every shard might take as long.
  private func attempt(_ shard: Int, _ body: () throws(CorpusError) -> Void) {
    if let stalled = failures.last, stalled.error.stall != nil {
      failures.append((shard, stalled.error))
      return
    }
    do throws(CorpusError) { try body() } catch { failures.append((shard, error)) }
  }

  private func decodeFrames(
    ofUnit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    let (shard, frames) = layout.frames(ofUnit: unitIndex)
    activity.begin(.opening, domain: domain, shard: shard)
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
    tokenWidth.store(next, into: UnsafeMutableRawBufferPointer(rebasing: memory[position...]))
  }

  private func decodeTail(
    ofUnit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) {
    let spacing = layout.sequenceLength * tokenWidth.byteCount
    let sequenceByteCount = spacing + tokenWidth.byteCount
    var position = 0
    layout.forEachTailSegment(ofUnit: unitIndex) { segment in
      let first = position
      position += segment.sequences.count * sequenceByteCount
      let (shard, frame) = (segment.shard, segment.frame)
      if store.isQuarantined(frame, shard: shard, domain: domain) { return }
      attempt(shard) { () throws(CorpusError) in
        activity.begin(.opening, domain: domain, shard: shard)
        let reader = try store.reader(domain: domain, shard: shard)
        let byteCount = reader.index.frames[frame].tokenCount * tokenWidth.byteCount
        let tokens = UnsafeMutableRawBufferPointer(rebasing: shortFrame[..<byteCount])
        try decode(frame, of: reader, (domain, shard), into: tokens)
        var place = first
        for sequence in segment.sequences {
          let source = tokens[sequence * spacing..<sequence * spacing + sequenceByteCount]
          memory[place..<place + sequenceByteCount].copyBytes(from: source)
          place += sequenceByteCount
        }
      }
    }
  }

  /// Reads a unit of a format without frames.
  private func readUnit(
    _ unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    let (shard, tokens) = layout.tokens(ofUnit: unitIndex)
    let unit = memory[..<(tokens.count * tokenWidth.byteCount)]
    try read(
      tokens, ofShard: shard, of: domain, into: UnsafeMutableRawBufferPointer(rebasing: unit))
  }

  /// Reads a tail unit of a format without frames; the rows lie T + 1 tokens apart.
  private func readTail(
    ofUnit unitIndex: Int, of domain: Int, layout: DomainLayout,
    into memory: UnsafeMutableRawBufferPointer
  ) {
    let sequenceByteCount = (layout.sequenceLength + 1) * tokenWidth.byteCount
    let strideByteCount = layout.sequenceStride * tokenWidth.byteCount
    var position = 0
    layout.forEachTailSegment(ofUnit: unitIndex) { segment in
      let first = position
      let rowCount = segment.sequences.count
      position += rowCount * sequenceByteCount
      let shard = segment.shard
      if store.isQuarantined(segment.frame, shard: shard, domain: domain) { return }
      attempt(shard) { () throws(CorpusError) in
        let tokens = layout.tokens(of: segment)
        let room = memory[first..<first + tokens.count * tokenWidth.byteCount]
        try read(
          tokens, ofShard: shard, of: domain, into: UnsafeMutableRawBufferPointer(rebasing: room))
        guard let base = memory.baseAddress, strideByteCount < sequenceByteCount else { return }
        // The last row first: rows move apart, each over what the one after it has left.
        for row in (1..<max(1, rowCount)).reversed() {
          (base + first + row * sequenceByteCount)
            .copyMemory(from: base + first + row * strideByteCount, byteCount: sequenceByteCount)
        }
      }
    }
  }

  /// Reads tokens of a shard; one in which that fails is opened anew by the next attempt.
  private func read(
    _ tokens: Range<Int>, ofShard shard: Int, of domain: Int,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(CorpusError) {
    do throws(CorpusError) {
      activity.begin(.opening, domain: domain, shard: shard)
      let opened = try store.tokenShard(domain: domain, shard: shard, activity)
      activity.note(.reading)
      try opened.read(tokens, into: memory, width: tokenWidth)
    } catch {
      store.close(domain: domain, shard: shard)
      throw store.naming(error, domain: domain)
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
