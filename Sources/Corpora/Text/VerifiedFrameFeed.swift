/// What a zstd file decompresses to, each frame verified before its text is handed out.
///
/// The checksum stands at a frame's end, so that text which is handed out as it comes may be
/// damaged. Three cases:
///
/// 1. A frame of at most 16 MiB, whose header says so, is decoded whole and handed out then.
/// 2. A larger frame, or one of unknown size, is decoded twice: once to verify it, in small pieces
///   that are forgotten, and once to be handed out.
/// 3. A frame without a checksum can only be decoded. What libzstd does not notice, nobody does.
///
/// Many programs write one frame for a whole file; files of more than 16 MiB are better cut into
/// frames, or packed.
package final class VerifiedFrameFeed: TextFeed {
  private let file: FileReader
  private let feed: ZstdFeed
  /// The text of a frame that was decoded whole.
  private var text = TextBuffer(capacity: 64)
  private var textByteCount = 0
  private var takenByteCount = 0
  /// Whether the next byte that the feed gives is a frame's first.
  private var isAtFrameStart = true
  private var isAtEnd = false

  package var path: String { feed.path }
  package var fileByteCount: Int { feed.fileByteCount }

  /// The largest frame that is kept in memory while its text is handed out.
  static let heldByteLimit = 16 << 20

  /// Reads `file` from the beginning of `frame` to its end.
  package init(_ file: FileReader, from frame: TextFrame = TextFrame()) throws(CorpusError) {
    self.file = file
    feed = try ZstdFeed(file, from: frame)
  }

  package func frame(at textOffset: Int) -> TextFrame? { feed.frame(at: textOffset) }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Int {
    var count = 0
    while count < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
      if takenByteCount < textByteCount {
        let taken = min(rest.count, textByteCount - takenByteCount)
        rest.baseAddress?.copyMemory(from: text.base + takenByteCount, byteCount: taken)
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
    guard let header = try ZstdFrameHeader(file, at: frame.byteOffset), header.hasChecksum else {
      return false
    }
    guard let byteCount = header.contentByteCount, byteCount <= Self.heldByteLimit else {
      try verify(frame)
      return false
    }
    text.reserve(byteCount, keeping: 0)
    let room = UnsafeMutableRawBufferPointer(start: text.base, count: byteCount)
    (textByteCount, takenByteCount) = (0, 0)
    var isAtFrameEnd = false
    while !isAtFrameEnd {
      let rest = UnsafeMutableRawBufferPointer(rebasing: room[textByteCount...])
      let (read, hasEnded) = try feed.readFrame(into: rest)
      guard read > 0 || hasEnded else {
        // No room is left, and the frame does not end: it holds more than its header says.
        throw .textFrame(
          .zstd(name: "the content is larger than the header says"), path: path,
          frame: frame.index, byteOffset: fileByteCount)
      }
      textByteCount += read
      isAtFrameEnd = hasEnded
    }
    isAtFrameStart = true
    isAtEnd = feed.nextFrame.byteOffset == file.byteCount
    return true
  }

  /// Decodes a frame and forgets it.
  private func verify(_ frame: TextFrame) throws(CorpusError) {
    let scout = try ZstdFeed(file, from: frame)
    let scratch = TextBuffer(capacity: 256 << 10)
    let room = UnsafeMutableRawBufferPointer(start: scratch.base, count: scratch.capacity)
    while try !scout.readFrame(into: room).isAtEnd {}
  }
}
