extension ShardIndex {
  /// Reads the index of an open shard: one read for up to about two thousand frames, two beyond.
  ///
  /// Every length is checked against the file before anything of that length is allocated.
  ///
  /// - Returns: The index, and the shard's checksum.
  package static func read(from file: FileReader, domain: String) throws(CorpusError)
    -> (index: ShardIndex, checksum: UInt64)
  {
    let place = ShardPlace(domain: domain, path: file.path)
    let least = frameByteCount(frameCount: 1) + seekTableByteCount(entryCount: 2)
    guard file.byteCount > least else {
      throw .indexDamaged(place, byteOffset: 0, .missing(fileByteCount: file.byteCount))
    }
    var tail = try Tail(file: file, place: place, byteCount: min(file.byteCount, 1 << 16))
    let frameCount = try tail.frameCountFromFooter()
    let byteCount =
      frameByteCount(frameCount: frameCount) + seekTableByteCount(entryCount: frameCount + 1)
    guard byteCount < file.byteCount else {
      throw tail.damage(
        at: file.byteCount - seekFooterByteCount,
        .length(recorded: byteCount, allowed: least...(file.byteCount - 1)))
    }
    if byteCount > tail.bytes.count {
      tail = try Tail(file: file, place: place, byteCount: byteCount)
    }
    return try tail.index(frameCount: frameCount, byteCount: byteCount)
  }
}

/// The last bytes of a shard, and where they lie.
private struct Tail {
  let file: FileReader
  let place: ShardPlace
  let bytes: [UInt8]

  init(file: FileReader, place: ShardPlace, byteCount: Int) throws(CorpusError) {
    self.file = file
    self.place = place
    bytes = try file.bytes(at: file.byteCount - byteCount, count: byteCount)
  }

  func damage(at byteOffset: Int, _ fault: IndexFault) -> CorpusError {
    .indexDamaged(place, byteOffset: byteOffset, fault)
  }

  /// Where `position` of the tail lies in the file.
  private func fileOffset(_ position: Int) -> Int {
    file.byteCount - bytes.count + position
  }

  private func number<Number: FixedWidthInteger>(_ type: Number.Type, at position: Int) -> Number {
    bytes.withUnsafeBytes {
      Number(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: type))
    }
  }

  /// Returns the number of token frames that the seek table's footer records.
  func frameCountFromFooter() throws(CorpusError) -> Int {
    let end = bytes.count
    let magic = number(UInt32.self, at: end - 4)
    guard magic == ShardIndex.seekTableFooterMagic else {
      throw damage(at: fileOffset(end - 4), .footer(found: magic))
    }
    let descriptor = bytes[end - 5]
    guard descriptor == ShardIndex.seekTableDescriptor else {
      throw damage(
        at: fileOffset(end - 5),
        .contradiction(
          field: "seek table descriptor", expected: Int(ShardIndex.seekTableDescriptor),
          found: Int(descriptor)))
    }
    let entryCount = Int(number(UInt32.self, at: end - 9))
    let allowed = 2...(ShardIndex.frameLimit + 1)
    guard allowed.contains(entryCount) else {
      throw damage(at: fileOffset(end - 9), .length(recorded: entryCount, allowed: allowed))
    }
    return entryCount - 1
  }

  /// Returns the index of `frameCount` frames that begins `byteCount` bytes before the end.
  func index(frameCount: Int, byteCount: Int) throws(CorpusError) -> (ShardIndex, UInt64) {
    try refuseOtherVersion(frameCount: frameCount)
    let begin = bytes.count - byteCount
    let body = begin + ShardIndex.skippableHeaderByteCount
    let bodyByteCount =
      ShardIndex.frameByteCount(frameCount: frameCount) - ShardIndex.skippableHeaderByteCount
    try expect(
      UInt64(number(UInt32.self, at: begin)), UInt64(ShardIndex.indexFrameMagic), at: begin)
    try expectEqual("size", bodyByteCount, Int(number(UInt32.self, at: begin + 4)), at: begin + 4)
    try expect(number(UInt64.self, at: body), ShardIndex.magic, at: body)
    let version = number(UInt32.self, at: body + 8)
    guard version == ShardIndex.version else {
      throw damage(
        at: fileOffset(body + 8), .version(found: version, supported: ShardIndex.version))
    }
    let checksumPosition = body + bodyByteCount - 8
    let recorded = number(UInt64.self, at: checksumPosition)
    let computed = bytes.withUnsafeBytes {
      XXHash.hash64(UnsafeRawBufferPointer(rebasing: $0[body..<checksumPosition]))
    }
    guard recorded == computed else {
      throw damage(at: fileOffset(body), .checksum(recorded: recorded, computed: computed))
    }
    try expectEqual(
      "frame count", frameCount, Int(number(UInt32.self, at: body + 32)), at: body + 32)
    try expectEqual(
      "tokens in a full frame", tokensPerFrame, Int(number(UInt32.self, at: body + 36)),
      at: body + 36)
    let widthBytes = Int(number(UInt32.self, at: body + 12))
    guard let tokenWidth = TokenWidth(rawValue: widthBytes) else {
      throw damage(at: fileOffset(body + 12), .length(recorded: widthBytes, allowed: 2...4))
    }
    let frames = try frames(
      from: body + ShardIndex.headerByteCount, count: frameCount,
      dataByteCount: file.byteCount - byteCount)
    let index = ShardIndex(tokenWidth: tokenWidth, frames: frames)
    try expectEqual(
      "token count", index.tokenCount, Int(clamping: number(UInt64.self, at: body + 16)),
      at: body + 16)
    try expectEqual(
      "document count", index.documentCount, Int(clamping: number(UInt64.self, at: body + 24)),
      at: body + 24)
    try expectSeekTable(of: index, at: body + bodyByteCount)
    return (index, recorded)
  }

  /// Names another version before anything that depends on it is read: where the index begins, the
  /// seek table says, whatever the version.
  private func refuseOtherVersion(frameCount: Int) throws(CorpusError) {
    let table = bytes.count - ShardIndex.seekTableByteCount(entryCount: frameCount + 1)
    // The last entry is the index's; its first number is the index's size.
    let entry = bytes.count - ShardIndex.seekFooterByteCount - ShardIndex.seekEntryByteCount
    guard entry >= 0 else { return }
    let position = table - Int(number(UInt32.self, at: entry))
    let body = position + ShardIndex.skippableHeaderByteCount
    guard position >= 0, body + 12 <= bytes.count,
      number(UInt64.self, at: body) == ShardIndex.magic
    else { return }
    let version = number(UInt32.self, at: body + 8)
    guard version == ShardIndex.version else {
      throw damage(
        at: fileOffset(body + 8), .version(found: version, supported: ShardIndex.version))
    }
  }

  /// Reads the frame entries, which must cover the data exactly and in order.
  private func frames(from position: Int, count: Int, dataByteCount: Int) throws(CorpusError)
    -> [FrameEntry]
  {
    var frames: [FrameEntry] = []
    frames.reserveCapacity(count)
    var byteOffset = 0
    for frame in 0..<count {
      let entry = position + frame * ShardIndex.entryByteCount
      let tokenCount = Int(number(UInt32.self, at: entry))
      let isLast = frame == count - 1
      let allowed = isLast ? 1...(tokensPerFrame - 1) : tokensPerFrame...tokensPerFrame
      guard allowed.contains(tokenCount) else {
        throw damage(at: fileOffset(entry), .length(recorded: tokenCount, allowed: allowed))
      }
      let byteCount = Int(number(UInt32.self, at: entry + 4))
      // zstd never makes content grow by more than a 128th and a header.
      let most = min(dataByteCount - byteOffset, tokenCount * 4 + tokenCount / 32 + 1024)
      guard (1...max(1, most)).contains(byteCount) else {
        throw damage(
          at: fileOffset(entry + 4), .length(recorded: byteCount, allowed: 1...max(1, most)))
      }
      // Every document ends with a token of its own.
      let documentCount = Int(number(UInt32.self, at: entry + 8))
      guard documentCount <= tokenCount else {
        throw damage(
          at: fileOffset(entry + 8), .length(recorded: documentCount, allowed: 0...tokenCount))
      }
      frames.append(
        FrameEntry(
          byteOffset: byteOffset, byteCount: byteCount, tokenCount: tokenCount,
          documentCount: documentCount, firstToken: number(UInt32.self, at: entry + 12),
          checksum: number(UInt32.self, at: entry + 16),
          hash: number(UInt64.self, at: entry + 20)))
      byteOffset += byteCount
    }
    try expectEqual("bytes in all frames", dataByteCount, byteOffset, at: position)
    return frames
  }

  /// The seek table repeats the index for other programs; the two must agree byte for byte.
  private func expectSeekTable(of index: ShardIndex, at position: Int) throws(CorpusError) {
    let expected = index.encoded().bytes
    let first = bytes.count - expected.count
    for offset in position..<bytes.count where bytes[offset] != expected[offset - first] {
      throw damage(
        at: fileOffset(offset),
        .contradiction(
          field: "seek table", expected: Int(expected[offset - first]), found: Int(bytes[offset])))
    }
  }

  private func expect(_ found: UInt64, _ expected: UInt64, at position: Int) throws(CorpusError) {
    guard found == expected else {
      throw damage(at: fileOffset(position), .magic(expected: expected, found: found))
    }
  }

  private func expectEqual(_ field: String, _ expected: Int, _ found: Int, at position: Int)
    throws(CorpusError)
  {
    guard found == expected else {
      throw damage(
        at: fileOffset(position), .contradiction(field: field, expected: expected, found: found))
    }
  }
}
