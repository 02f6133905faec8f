/// Writes one token shard, frame by frame, and gives it its name when it is whole.
package struct ShardWriter: ~Copyable {
  private var file: DurableFile
  private var index: ShardIndex

  /// Begins a shard that will stand at `path`.
  package init(path: String, tokenWidth: TokenWidth) throws(CorpusError) {
    file = try DurableFile(path: path)
    index = ShardIndex(tokenWidth: tokenWidth, frames: [])
  }

  /// Appends the next frame.
  ///
  /// - Precondition: Every frame before it was full.
  package mutating func append(_ frame: EncodedFrame) throws(CorpusError) {
    precondition(
      index.frames.last.map { $0.tokenCount == tokensPerFrame } ?? true,
      "only the last frame of a shard may be short")
    let byteOffset = file.byteCount
    try file.write(frame.bytes)
    index.frames.append(
      FrameEntry(
        byteOffset: byteOffset, byteCount: frame.bytes.count, tokenCount: frame.tokenCount,
        documentCount: frame.documentCount, firstToken: frame.firstToken, checksum: frame.checksum,
        hash: frame.hash))
  }

  /// Ends the shard, makes it durable, and returns what the manifest records of it under
  /// `manifestPath`.
  ///
  /// - Precondition: The last frame is shorter than a full one and not empty, so that every full
  ///   frame has a next token.
  package consuming func finish(manifestPath: String) throws(CorpusError)
    -> ShardDescription
  {
    precondition(
      index.frames.last.map { $0.tokenCount < tokensPerFrame } ?? false,
      "a shard ends with a frame of 1 to \(tokensPerFrame - 1) tokens")
    let (tail, checksum) = index.encoded()
    try file.write(tail)
    let description = ShardDescription(
      path: manifestPath, tokenCount: index.tokenCount, documentCount: index.documentCount,
      byteCount: file.byteCount, checksum: checksum)
    try file.commit()
    return description
  }
}
