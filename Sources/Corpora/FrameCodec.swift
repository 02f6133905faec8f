internal import CZstd

/// A compressed frame of tokens, and what the index records of it.
package struct EncodedFrame: Sendable {
  /// The zstd frame.
  package var bytes: [UInt8]
  /// How many tokens it holds, 1…``tokensPerFrame``.
  package var tokenCount: Int
  /// How many documents end in it: the number of its end-of-text tokens.
  package var documentCount: Int
  /// Its first token.
  package var firstToken: UInt32
  /// The low 32 bits of the XXH64 of its tokens' bytes, as the frame itself ends with.
  package var checksum: UInt32
  /// The XXH64 of ``bytes``, which a reader verifies before it decodes them.
  package var hash: UInt64
}

/// Compresses frames; one per thread.
package final class FrameEncoder {
  private let context: OpaquePointer
  private let tokenWidth: TokenWidth
  private let endOfText: UInt32

  /// Creates an encoder at a zstd level, −7…19, of frames in which `endOfText` ends documents.
  package init(tokenWidth: TokenWidth, level: Int, endOfText: UInt32) throws(CorpusError) {
    guard let context = ZSTD_createCCtx() else { throw .compressionFailed(code: -1) }
    self.context = context
    self.tokenWidth = tokenWidth
    self.endOfText = endOfText
    for (parameter, value) in [
      (ZSTD_c_compressionLevel, Int32(level)), (ZSTD_c_checksumFlag, 1),
      (ZSTD_c_contentSizeFlag, 1),
    ] {
      try check(ZSTD_CCtx_setParameter(context, parameter, value))
    }
  }

  deinit {
    ZSTD_freeCCtx(context)
  }

  /// Returns one frame with content size and checksum that holds the tokens whose bytes are
  /// `tokenBytes`.
  ///
  /// - Precondition: `tokenBytes` is not empty and is a whole number of tokens, at most
  ///   ``tokensPerFrame``.
  package func encode(_ tokenBytes: UnsafeRawBufferPointer) throws(CorpusError) -> EncodedFrame {
    let tokenCount = tokenBytes.count / tokenWidth.byteCount
    precondition(
      (1...tokensPerFrame).contains(tokenCount) && tokenBytes.count % tokenWidth.byteCount == 0,
      "a frame holds 1 to \(tokensPerFrame) whole tokens, not \(tokenBytes.count) bytes")
    var result = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(tokenBytes.count)) {
      buffer, initializedCount in
      result = ZSTD_compress2(
        context, buffer.baseAddress, buffer.count, tokenBytes.baseAddress, tokenBytes.count)
      initializedCount = ZSTD_isError(result) == 0 ? result : 0
    }
    try check(result)
    return EncodedFrame(
      bytes: bytes, tokenCount: tokenCount,
      documentCount: tokenWidth.count(of: endOfText, in: tokenBytes),
      firstToken: tokenWidth.token(at: 0, of: tokenBytes),
      checksum: UInt32(truncatingIfNeeded: XXHash.hash64(tokenBytes)),
      hash: XXHash.hash64(bytes))
  }

  private func check(_ result: Int) throws(CorpusError) {
    guard ZSTD_isError(result) != 0 else { return }
    throw .compressionFailed(code: Int(ZSTD_getErrorCode(result).rawValue))
  }
}

/// Decompresses frames; one per thread.
///
/// It owns the one buffer into which compressed bytes are read, so that decoding a frame allocates
/// nothing.
package final class FrameDecoder {
  /// What is told of each frame and stage; nil for nothing.
  package var activity: ReadActivity?

  private let context: OpaquePointer
  // Owned by this object: grown when a larger frame comes, freed with it.
  private var compressed: UnsafeMutableRawBufferPointer

  /// libzstd's `ZSTD_d_forceIgnoreChecksum`, which its header declares for static linking only.
  private static let ignoresChecksum = ZSTD_dParameter(1002)

  /// Creates a decoder.
  ///
  /// - Parameter verifiesContent: Whether libzstd compares each frame's content with the checksum
  ///   that ends the frame. A caller that has verified the compressed bytes does not need that: the
  ///   same bytes decode to the same content. A libzstd that cannot leave it out does it anyway.
  /// - Throws: ``CorpusError/compressionFailed(code:)`` if there is no memory for a context.
  package init(verifiesContent: Bool) throws(CorpusError) {
    guard let context = ZSTD_createDCtx() else { throw .compressionFailed(code: -1) }
    self.context = context
    if !verifiesContent { _ = ZSTD_DCtx_setParameter(context, Self.ignoresChecksum, 1) }
    // What a frame of the wider tokens can take at most; memory that is not written takes no room.
    compressed = .allocate(byteCount: ZSTD_compressBound(tokensPerFrame * 4), alignment: 64)
  }

  deinit {
    ZSTD_freeDCtx(context)
    compressed.deallocate()
  }

  /// The buffer for at least `byteCount` compressed bytes; what it held before is gone.
  package func compressedBuffer(byteCount: Int) -> UnsafeMutableRawBufferPointer {
    if compressed.count < byteCount {
      compressed.deallocate()
      compressed = .allocate(byteCount: byteCount, alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: compressed[..<byteCount])
  }

  /// Decodes one whole frame into `destination`, which must be exactly as large as its content.
  ///
  /// - Returns: What is wrong with the frame; nil if nothing is.
  package func decode(
    _ frame: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
  ) -> FrameFault? {
    let result = ZSTD_decompressDCtx(
      context, destination.baseAddress, destination.count, frame.baseAddress, frame.count)
    if ZSTD_isError(result) != 0 {
      return .zstd(name: String(cString: ZSTD_getErrorName(result)))
    }
    return result == destination.count
      ? nil : .byteCount(recorded: destination.count, found: result)
  }
}

extension TokenWidth {
  /// Writes one token, little-endian.
  package func store(_ token: UInt32, into bytes: UnsafeMutableRawBufferPointer) {
    switch self {
    case .uint16:
      bytes.storeBytes(of: UInt16(truncatingIfNeeded: token).littleEndian, as: UInt16.self)
    case .uint32: bytes.storeBytes(of: token.littleEndian, as: UInt32.self)
    }
  }

  /// Returns how many of the little-endian tokens are `token`.
  ///
  /// - Precondition: `bytes` is aligned to a token.
  package func count(of token: UInt32, in bytes: UnsafeRawBufferPointer) -> Int {
    switch self {
    case .uint16:
      guard let token = UInt16(exactly: token) else { return 0 }
      return Self.count(of: token.littleEndian, in: bytes.assumingMemoryBound(to: UInt16.self))
    case .uint32:
      return Self.count(of: token.littleEndian, in: bytes.assumingMemoryBound(to: UInt32.self))
    }
  }

  /// Returns the last place of `token` among the little-endian tokens; nil if it is not there.
  ///
  /// - Precondition: `bytes` is aligned to a token.
  package func lastPlace(of token: UInt32, in bytes: UnsafeRawBufferPointer) -> Int? {
    switch self {
    case .uint16:
      guard let token = UInt16(exactly: token) else { return nil }
      return bytes.assumingMemoryBound(to: UInt16.self).lastIndex(of: token.littleEndian)
    case .uint32:
      return bytes.assumingMemoryBound(to: UInt32.self).lastIndex(of: token.littleEndian)
    }
  }

  @inline(__always)
  private static func count<Word: FixedWidthInteger>(
    of word: Word, in words: UnsafeBufferPointer<Word>
  ) -> Int {
    var count = 0
    for other in words { count += other == word ? 1 : 0 }
    return count
  }

  /// Returns the token at `position` of little-endian tokens.
  package func token(at position: Int, of bytes: UnsafeRawBufferPointer) -> UInt32 {
    switch self {
    case .uint16:
      UInt32(
        UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: position * 2, as: UInt16.self)))
    case .uint32:
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position * 4, as: UInt32.self))
    }
  }
}
