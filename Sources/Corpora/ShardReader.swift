/// An open token shard whose index was verified; any thread may read from it.
package final class ShardReader: Sendable {
  /// What the index says.
  package let index: ShardIndex
  /// Which shard this is, for errors.
  package let place: ShardPlace

  private let file: FileReader

  /// Opens the shard at `path`, which must be the one that the manifest describes.
  package init(
    path: String, domain: String, description: ShardDescription, tokenWidth: TokenWidth,
    access: FileAccess = .direct
  ) throws(CorpusError) {
    place = ShardPlace(domain: domain, path: path)
    file = try FileReader(path: path, access: access)
    guard file.byteCount == description.byteCount else {
      throw .shardDiffers(
        place, field: "size in bytes", recorded: UInt64(clamping: description.byteCount),
        found: UInt64(file.byteCount))
    }
    let (index, checksum) = try ShardIndex.read(from: file, domain: domain)
    self.index = index
    guard checksum == description.checksum else {
      throw .shardChecksum(place, recorded: description.checksum, found: checksum)
    }
    for (field, recorded, found) in [
      ("token width", UInt64(tokenWidth.byteCount), UInt64(index.tokenWidth.byteCount)),
      ("token count", UInt64(clamping: description.tokenCount), UInt64(index.tokenCount)),
      ("document count", UInt64(clamping: description.documentCount), UInt64(index.documentCount)),
    ] where recorded != found {
      throw .shardDiffers(place, field: field, recorded: recorded, found: found)
    }
  }

  /// Reads frame `frameIndex`, verifies it, and decodes it into `destination`.
  ///
  /// The compressed bytes are compared with their hash in the index before they are decoded; the
  /// content's size and first token after that.
  ///
  /// - Precondition: `destination` has exactly the frame's content size.
  package func decode(
    frame frameIndex: Int, into destination: UnsafeMutableRawBufferPointer,
    using decoder: FrameDecoder
  ) throws(CorpusError) {
    let entry = index.frames[frameIndex]
    precondition(
      destination.count == entry.tokenCount * index.tokenWidth.byteCount,
      "frame \(frameIndex) does not fill \(destination.count) bytes")
    let frame = try verifiedBytes(ofFrame: frameIndex, using: decoder)
    decoder.activity?.note(.decoding, frame: frameIndex, byteOffset: entry.byteOffset)
    if let fault = decoder.decode(frame, into: destination) {
      throw damage(frameIndex, fault)
    }
    let firstToken = index.tokenWidth.token(at: 0, of: UnsafeRawBufferPointer(destination))
    guard firstToken == entry.firstToken else {
      throw damage(frameIndex, .firstToken(recorded: entry.firstToken, found: firstToken))
    }
  }

  /// Reads the compressed bytes of a frame into the decoder's buffer and compares them with their
  /// hash.
  private func verifiedBytes(ofFrame frameIndex: Int, using decoder: FrameDecoder)
    throws(CorpusError) -> UnsafeRawBufferPointer
  {
    let entry = index.frames[frameIndex]
    let compressed = decoder.compressedBuffer(byteCount: entry.byteCount)
    decoder.activity?.note(.reading, frame: frameIndex, byteOffset: entry.byteOffset)
    do throws(CorpusError) {
      try file.read(into: compressed, at: entry.byteOffset)
    } catch {
      guard case .endsEarly(_, _, _, let fileByteCount) = error else {
        if error.stall != nil { throw error.naming(domain: place.domain, frame: frameIndex) }
        throw .frameUnreadable(place, frame: frameIndex, underlying: error)
      }
      throw damage(frameIndex, .truncated(fileByteCount: fileByteCount))
    }
    let frame = UnsafeRawBufferPointer(compressed)
    let hash = XXHash.hash64(frame)
    guard hash == entry.hash else {
      throw damage(frameIndex, .hash(recorded: entry.hash, found: hash))
    }
    return frame
  }

  /// Names this shard's frame in an error.
  package func damage(_ frameIndex: Int, _ fault: FrameFault) -> CorpusError {
    .frameDamaged(
      place, frame: frameIndex, byteOffset: index.frames[frameIndex].byteOffset, fault)
  }
}
