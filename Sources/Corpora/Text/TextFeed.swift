internal import CZstd

/// Bytes of text in order, from a file or from what a file decompresses to.
package protocol TextFeed: AnyObject {
  /// The file's path.
  var path: String { get }
  /// How many bytes of the file itself have been read.
  var fileByteCount: Int { get }
  /// Fills as much of `buffer` as it can.
  ///
  /// - Returns: the number of bytes written, 0 only at the end of the text.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Int
  /// The zstd frame that holds the byte at `textOffset`, which is not before the last one asked
  /// for.
  func frame(at textOffset: Int) -> TextFrame?
}

/// Where a zstd frame of a text file begins.
package struct TextFrame: Sendable, Equatable {
  /// The frame, counted from 0; skippable ones count.
  package var index = 0
  /// Its first byte in the file.
  package var byteOffset = 0
  /// Its first byte in the text.
  package var textOffset = 0
}

extension FileReader {
  /// Reads what is left of the file at `position`, as much of it as fits into `buffer`.
  ///
  /// A file that became shorter since it was opened is damage, never the end of data.
  ///
  /// - Returns: the number of bytes read, 0 at the end of the file.
  fileprivate func readRest(
    into buffer: UnsafeMutableRawBufferPointer, at position: Int
  ) throws(CorpusError) -> Int {
    let count = min(buffer.count, byteCount - position)
    if count <= 0 { return 0 }
    try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: position)
    return count
  }
}

/// The bytes of a file, from some offset to its end.
package final class PlainFeed: TextFeed {
  private let file: FileReader
  private var position: Int
  private let start: Int

  package var path: String { file.path }
  package var fileByteCount: Int { position - start }

  /// Reads `file` from the byte `start` on.
  package init(_ file: FileReader, from start: Int) {
    self.file = file
    self.start = start
    position = start
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Int {
    let count = try file.readRest(into: buffer, at: position)
    position += count
    return count
  }

  package func frame(at textOffset: Int) -> TextFrame? { nil }
}

/// What a zstd file of any number of frames decompresses to.
///
/// 1. Frames follow each other to the end of the file; skippable frames are passed over.
/// 2. The end of the file inside a frame is damage, and so is a file without a frame: a download
///    that broke off looks like that.
/// 3. A frame that needs a window above libzstd's limit of 128 MiB is refused, which bounds memory.
package final class ZstdFeed: TextFeed {
  private let file: FileReader
  private let context: ZstdContext
  private var compressed: TextBuffer
  private var input = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
  private var position: Int
  private var textByteCount: Int
  /// Whether the bytes so far end inside a frame; a file begins as if it did, because it must hold
  /// one.
  private var isInsideFrame = true
  /// The frame that is being decoded; skippable ones count.
  private var frameIndex: Int
  /// Where frames begin, oldest first, as far as they may still be asked for.
  private var frameStarts: [TextFrame]

  package var path: String { file.path }
  package var fileByteCount: Int { position }

  /// Reads `file` from the beginning of `frame` to its end, by the context of `workspace` or one of
  /// its own.
  package init(
    _ file: FileReader, from frame: TextFrame = TextFrame(), workspace: TextWorkspace? = nil
  ) throws(CorpusError) {
    self.file = file
    context = if let workspace { try workspace.takeContext() } else { try ZstdContext() }
    position = frame.byteOffset
    textByteCount = frame.textOffset
    frameIndex = frame.index
    frameStarts = [frame]
    compressed = TextBuffer(capacity: ZSTD_DStreamInSize())
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Int {
    try read(into: buffer, stopsAtFrameEnd: false)
  }

  /// Reads no further than the end of the frame that the next byte lies in, so that all of the
  /// frame has been verified when the text of its end is there.
  ///
  /// - Returns: The number of bytes written, and whether the frame has ended.
  func readFrame(into buffer: UnsafeMutableRawBufferPointer) throws(CorpusError) -> (
    byteCount: Int, isAtEnd: Bool
  ) {
    let count = try read(into: buffer, stopsAtFrameEnd: true)
    return (count, !isInsideFrame)
  }

  /// Decodes the frame that begins here whole.
  ///
  /// - Parameter room: As many bytes as its header says it has.
  /// - Returns: The number of bytes written.
  /// - Throws: ``CorpusError`` if the frame is damaged, or holds more than its header says.
  func readWholeFrame(into room: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Int {
    context.setDecodesInPlace(true)
    let (byteCount, hasEnded) = try readFrame(into: room)
    guard hasEnded else {
      // No room is left, and the frame does not end: it holds more than its header says.
      throw .textFrame(
        .zstd(name: "the content is larger than the header says"), path: path, frame: frameIndex,
        byteOffset: position)
    }
    context.setDecodesInPlace(false)
    return byteCount
  }

  /// Where the next frame begins in the file, once ``readFrame(into:)`` said that one has ended.
  var nextFrame: TextFrame {
    TextFrame(
      index: frameIndex, byteOffset: position - input.size + input.pos, textOffset: textByteCount)
  }

  private func read(into buffer: UnsafeMutableRawBufferPointer, stopsAtFrameEnd: Bool)
    throws(CorpusError) -> Int
  {
    var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
    // A frame may have an end behind its last byte of text, which takes no room.
    while output.pos < output.size || stopsAtFrameEnd {
      if input.pos == input.size, try !refill() {
        // Even without input, what the decoder still holds comes out first.
        let before = output.pos
        if isInsideFrame, frameIndex > 0 || position > 0 { try decode(&output) }
        if output.pos > before { continue }
        if isInsideFrame {
          throw .textFrame(.endsInside, path: path, frame: frameIndex, byteOffset: position)
        }
        break
      }
      let before = (output.pos, input.pos)
      try decode(&output)
      if stopsAtFrameEnd, !isInsideFrame || before == (output.pos, input.pos) { break }
    }
    textByteCount += output.pos
    return output.pos
  }

  package func frame(at textOffset: Int) -> TextFrame? {
    var passed = 0
    while passed + 1 < frameStarts.count, frameStarts[passed + 1].textOffset <= textOffset {
      passed += 1
    }
    frameStarts.removeFirst(passed)
    return frameStarts[0]
  }

  /// Decodes what fits into `output`.
  private func decode(_ output: inout ZSTD_outBuffer) throws(CorpusError) {
    let result = ZSTD_decompressStream(context.pointer, &output, &input)
    if ZSTD_isError(result) != 0 {
      let name = String(cString: ZSTD_getErrorName(result))
      throw .textFrame(
        .zstd(name: name), path: path, frame: frameIndex,
        byteOffset: position - input.size + input.pos)
    }
    isInsideFrame = result != 0
    if isInsideFrame { return }
    frameIndex += 1
    let next = TextFrame(
      index: frameIndex, byteOffset: position - input.size + input.pos,
      textOffset: textByteCount + output.pos)
    // Frames without text would pile up: only the last that begins at an offset can hold the byte
    // there.
    if frameStarts[frameStarts.count - 1].textOffset == next.textOffset {
      frameStarts[frameStarts.count - 1] = next
    } else {
      frameStarts.append(next)
    }
  }

  /// Reads more of the file.
  ///
  /// - Returns: false at its end.
  private func refill() throws(CorpusError) -> Bool {
    let buffer = UnsafeMutableRawBufferPointer(start: compressed.base, count: compressed.capacity)
    let count = try file.readRest(into: buffer, at: position)
    position += count
    input = ZSTD_inBuffer(src: compressed.base, size: count, pos: 0)
    return count > 0
  }
}
