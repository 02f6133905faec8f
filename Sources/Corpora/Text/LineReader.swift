#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// One step through a text.
package enum TextLine {
  /// A line without its newline, and where it begins in the text. The bytes are good until the next
  /// step.
  case line(UnsafeRawBufferPointer, byteOffset: Int)
  /// A line that is longer than the limit, of which no more was read than it takes to know that.
  case tooLong(byteOffset: Int)
  /// There are no more lines.
  case end
}

/// Cuts a text into lines, or takes it whole, in one reused buffer of bounded size.
package struct LineReader: ~Copyable {
  /// The most that is read at once.
  package static let readByteCount = 256 << 10

  private let feed: any TextFeed
  private let limit: Int
  private let allowance: LargeDocumentAllowance
  private var holdsAllowance = false
  private var buffer = TextBuffer(capacity: 2 * LineReader.readByteCount)
  /// The bytes of the buffer that are read and not yet handed out.
  private var start = 0
  private var end = 0
  /// How many bytes after `start` are known to hold no newline.
  private var scanned = 0
  /// The text's byte at `start`.
  private var textOffset: Int
  private var isAtEnd = false
  /// Whether the next step begins by leaving a long line behind.
  private var isInLongLine = false
  /// No line that begins there or later is asked for.
  private let lastOffset: Int
  private let checkStop: () throws(CorpusError) -> Void
  /// What was read since ``checkStop`` was last called.
  private var uncheckedByteCount = 0
  private static let checkByteCount = 1 << 20

  /// Creates a reader.
  ///
  /// - Parameters:
  ///   - feed: where the text comes from.
  ///   - textOffset: the offset of the feed's first byte in the whole text.
  ///   - limit: the most bytes that a line may have.
  ///   - allowance: what must be held while the buffer is larger than usual.
  ///   - lastOffset: where lines begin that need not be found; long lines are read no further.
  ///   - checkStop: called for every 1 MiB of text; what it throws ends the step.
  package init(
    _ feed: any TextFeed, textOffset: Int, limit: Int, allowance: LargeDocumentAllowance,
    lastOffset: Int = .max, checkStop: @escaping () throws(CorpusError) -> Void = {}
  ) {
    self.feed = feed
    self.textOffset = textOffset
    self.limit = limit
    self.allowance = allowance
    self.lastOffset = lastOffset
    self.checkStop = checkStop
  }

  deinit { if holdsAllowance { allowance.release() } }

  /// Steps to the next line.
  package mutating func next() throws(CorpusError) -> TextLine {
    if isInLongLine, try !skipLongLine() { return .end }
    releaseAllowance()
    if textOffset == 0, start == 0, end == 0 { try skipByteOrderMark() }
    while true {
      let base = UnsafeRawPointer(buffer.base) + start
      if let newline = memchr(base + scanned, 0x0A, end - start - scanned) {
        let count = UnsafeRawPointer(newline) - base
        return count > limit ? tooLong(taking: count + 1) : line(count, taking: count + 1)
      }
      scanned = end - start
      if scanned > limit {
        isInLongLine = true
        return .tooLong(byteOffset: textOffset)
      }
      if try !fill() {
        let count = end - start
        if count == 0 { return .end }
        return line(count, taking: count)
      }
    }
  }

  /// Takes the whole text as one line, newlines and all.
  package mutating func whole() throws(CorpusError) -> TextLine {
    try skipByteOrderMark()
    while end - start <= limit, try fill() {}
    let count = end - start
    return count > limit ? .tooLong(byteOffset: textOffset) : line(count, taking: count)
  }

  private mutating func line(_ count: Int, taking taken: Int) -> TextLine {
    let bytes = UnsafeRawBufferPointer(start: buffer.base + start, count: count)
    let offset = textOffset
    take(taken)
    return .line(bytes, byteOffset: offset)
  }

  private mutating func tooLong(taking taken: Int) -> TextLine {
    let offset = textOffset
    take(taken)
    return .tooLong(byteOffset: offset)
  }

  private mutating func take(_ count: Int) {
    start += count
    textOffset += count
    scanned = 0
  }

  /// Leaves the rest of a long line behind without keeping it.
  ///
  /// - Returns: false where no line follows, or none that begins before the end that was given.
  private mutating func skipLongLine() throws(CorpusError) -> Bool {
    isInLongLine = false
    while true {
      let base = UnsafeRawPointer(buffer.base) + start
      if let newline = memchr(base, 0x0A, end - start) {
        take(UnsafeRawPointer(newline) - base + 1)
        return true
      }
      take(end - start)
      releaseAllowance()
      if textOffset >= lastOffset { return false }
      if try !fill() { return false }
    }
  }

  /// Steps over the three bytes with which some programs begin a UTF-8 file.
  private mutating func skipByteOrderMark() throws(CorpusError) {
    while end - start < 3, try fill() {}
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let begin = UnsafeRawBufferPointer(start: buffer.base + start, count: min(3, end - start))
    if begin.elementsEqual(mark) { take(3) }
  }

  /// Reads more.
  ///
  /// - Returns: false at the end of the text.
  private mutating func fill() throws(CorpusError) -> Bool {
    if isAtEnd { return false }
    if buffer.capacity - end < Self.readByteCount { makeRoom() }
    let room = min(buffer.capacity - end, Self.readByteCount)
    let count = try feed.read(
      into: UnsafeMutableRawBufferPointer(start: buffer.base + end, count: room))
    end += count
    isAtEnd = count == 0
    uncheckedByteCount += count
    if uncheckedByteCount >= Self.checkByteCount {
      uncheckedByteCount = 0
      try checkStop()
    }
    return count > 0
  }

  /// Moves what is not yet handed out to the front, and makes the buffer larger if that is not
  /// enough.
  private mutating func makeRoom() {
    if start > 0 {
      memmove(buffer.base, buffer.base + start, end - start)
      end -= start
      start = 0
    }
    if buffer.capacity - end >= Self.readByteCount { return }
    if !holdsAllowance {
      allowance.acquire()
      holdsAllowance = true
    }
    let most = limit + 1 + 2 * Self.readByteCount
    buffer.reserve(
      max(min(2 * buffer.capacity, most), end + Self.readByteCount), keeping: end)
  }

  /// Goes back to the usual size after a large document.
  private mutating func releaseAllowance() {
    if !holdsAllowance || end - start > Self.readByteCount { return }
    memmove(buffer.base, buffer.base + start, end - start)
    end -= start
    start = 0
    var usual = TextBuffer(capacity: 2 * Self.readByteCount)
    usual.base.copyMemory(from: buffer.base, byteCount: end)
    swap(&usual, &buffer)
    holdsAllowance = false
    allowance.release()
  }
}
