internal import CZstd

/// What a zstd file decompresses to, each frame verified before its text is handed out.
///
/// The checksum stands at a frame's end, so that text which is handed out as it comes may be
/// damaged. Three cases:
///
/// 1. A frame that fits into what the workspace may hold, and whose header says so, is decoded
///   whole and handed out then.
/// 2. A larger frame, or one of unknown size, is decoded twice: once to verify it, in small pieces
///   that are forgotten, by a decoder of its own, and once to be handed out.
/// 3. A frame without a checksum can only be decoded. What libzstd does not notice, nobody does.
///
/// Many programs write one frame for a whole file; large files are better cut into frames of at
/// most 16 MiB, or packed.
package final class VerifiedFrameFeed: TextFeed {
  private let file: FileReader
  private let feed: ZstdFeed
  private let workspace: TextWorkspace
  /// What frames are decoded with that are only verified, once there is one.
  private var scoutWorkspace: TextWorkspace?
  /// How much text the workspace holds of a frame, and how much of that was taken.
  private var textByteCount = 0
  private var takenByteCount = 0
  /// Whether the next byte that the feed gives is a frame's first.
  private var isAtFrameStart = true
  private var isAtEnd = false

  package var path: String { feed.path }
  package var fileByteCount: Int { feed.fileByteCount }

  /// Reads `file` from the beginning of `frame` to its end, with memory that no other feed uses at
  /// the same time.
  package init(
    _ file: FileReader, from frame: TextFrame = TextFrame(),
    workspace: TextWorkspace = TextWorkspace()
  ) throws(CorpusError) {
    self.file = file
    self.workspace = workspace
    feed = try ZstdFeed(file, from: frame, workspace: workspace)
  }

  package func frame(at textOffset: Int) -> TextFrame? { feed.frame(at: textOffset) }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Int {
    var count = 0
    while count < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
      if takenByteCount < textByteCount {
        let taken = min(rest.count, textByteCount - takenByteCount)
        rest.baseAddress?.copyMemory(from: workspace.held.base + takenByteCount, byteCount: taken)
        takenByteCount += taken
        count += taken
      } else if isAtEnd {
        break
      } else if isAtFrameStart, try holdFrame() {
        continue
      } else {
        let (read, isAtFrameEnd) = try feed.readFrame(into: rest)
        count += read
        isAtFrameStart = isAtFrameEnd
        isAtEnd = isAtFrameEnd && feed.nextFrame.byteOffset == file.byteCount
      }
    }
    return count
  }

  /// Decodes the next frame whole if it is small enough, or verifies it.
  ///
  /// - Returns: Whether its text is held.
  private func holdFrame() throws(CorpusError) -> Bool {
    isAtFrameStart = false
    let frame = feed.nextFrame
    guard let header = try ZstdFrameHeader(file, at: frame.byteOffset) else { return false }
    guard !header.needsTooLargeWindow else {
      let name = String(cString: ZSTD_getErrorString(ZSTD_error_frameParameter_windowTooLarge))
      throw .textFrame(
        .zstd(name: name), path: path, frame: frame.index, byteOffset: frame.byteOffset)
    }
    guard header.hasChecksum else { return false }
    guard let byteCount = header.contentByteCount, byteCount <= workspace.heldByteLimit else {
      try verify(frame)
      return false
    }
    workspace.reserveHeld(byteCount)
    (textByteCount, takenByteCount) = (0, 0)
    textByteCount = try feed.readWholeFrame(
      into: UnsafeMutableRawBufferPointer(start: workspace.held.base, count: byteCount))
    isAtFrameStart = true
    isAtEnd = feed.nextFrame.byteOffset == file.byteCount
    return true
  }

  /// Decodes a frame and forgets it.
  private func verify(_ frame: TextFrame) throws(CorpusError) {
    // One more context for all frames of the file, or for none: many files are a single frame, and
    // then its window would only lie there while the frame is decoded again.
    let workspace = scoutWorkspace ?? TextWorkspace(heldByteLimit: 0)
    let scout = try ZstdFeed(file, from: frame, workspace: workspace)
    let scratch = TextBuffer(capacity: 256 << 10)
    let room = UnsafeMutableRawBufferPointer(start: scratch.base, count: scratch.capacity)
    while try !scout.readFrame(into: room).isAtEnd {}
    scoutWorkspace = scout.nextFrame.byteOffset < file.byteCount ? workspace : nil
  }
}
