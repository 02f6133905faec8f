internal import CZstd

/// What the text files of a domain are decoded with, one file after the other.
///
/// Memory that is given back after every file and asked for again costs a page fault for each 4 KiB
/// of text, which is as much as libzstd takes to decode it.
///
/// One stream at a time uses it.
package final class TextWorkspace {
  /// The largest frame that is kept in memory while its text is handed out, in bytes.
  let heldByteLimit: Int
  /// The text of a frame that was decoded whole.
  var held = TextBuffer(capacity: 64)
  private var context: ZstdContext?

  /// The largest ``heldByteLimit`` that is of use: a larger frame is not worth its memory.
  package static let largestHeldByteLimit = 16 << 20

  /// The least ``heldByteLimit`` that makes sense: to decode a frame twice takes as much memory.
  package static let leastHeldByteLimit = 256 << 10

  /// Creates what holds no memory yet.
  package init(heldByteLimit: Int = TextWorkspace.largestHeldByteLimit) {
    self.heldByteLimit = min(heldByteLimit, Self.largestHeldByteLimit)
  }

  /// Makes room for a frame of `byteCount` bytes, and for somewhat larger ones that may follow.
  func reserveHeld(_ byteCount: Int) {
    guard byteCount > held.capacity else { return }
    let power = 1 << (Int.bitWidth - (byteCount - 1).leadingZeroBitCount)
    held.reserve(min(power, heldByteLimit), keeping: 0)
  }

  /// The context, as if it were new.
  func takeContext() throws(CorpusError) -> ZstdContext {
    let context = if let context { context } else { try ZstdContext() }
    context.reset()
    self.context = context
    return context
  }
}

/// libzstd's state of a decoder.
final class ZstdContext {
  let pointer: OpaquePointer

  init() throws(CorpusError) {
    guard let pointer = ZSTD_createDCtx() else { throw .compressionFailed(code: 0) }
    self.pointer = pointer
  }

  deinit { ZSTD_freeDCtx(pointer) }

  /// Forgets the frame that was being decoded, and all settings.
  func reset() { ZSTD_DCtx_reset(pointer, ZSTD_reset_session_and_parameters) }

  /// Whether the next frame is decoded to where the caller says, which must then have room for all
  /// of it, rather than to a window that it is copied from.
  ///
  /// libzstd calls the setting ZSTD_d_stableOutBuffer; a version without it copies.
  func setDecodesInPlace(_ isInPlace: Bool) {
    ZSTD_DCtx_reset(pointer, ZSTD_reset_session_only)
    ZSTD_DCtx_setParameter(pointer, ZSTD_d_experimentalParam2, isInPlace ? 1 : 0)
  }
}
