/// Compresses frames on several threads and gives them back in order.
///
/// Frames lie in a ring. One thread, the owner, fills them, submits them and takes them back,
/// always the oldest; the other threads compress. When the ring is full the owner compresses too,
/// so that no thread but the owner is needed.
final class FramePipeline: @unchecked Sendable {
  // Sound because everything that threads share lies behind `monitor`, but for the slot that a
  // thread has claimed, which is its own until it marks the slot as done.

  private final class Slot {
    var tokens: TextBuffer
    var byteCount = 0
    var result: Result<EncodedFrame, CorpusError>?
    init(byteCount: Int) { tokens = TextBuffer(capacity: byteCount) }
  }

  private let monitor = Monitor()
  private let slots: [Slot]
  private let encoder: FrameEncoder
  private let tokenWidth: TokenWidth
  private let level: Int
  private let endOfText: UInt32
  /// Frames counted from 0: the oldest not taken back, the next to compress, the next to submit.
  private var oldest = 0
  private var unclaimed = 0
  private var submitted = 0
  private var isClosing = false

  /// Creates a pipeline of at most `slotCount` frames in flight, without threads yet.
  init(slotCount: Int, tokenWidth: TokenWidth, level: Int, endOfText: UInt32) throws(CorpusError) {
    self.tokenWidth = tokenWidth
    self.level = level
    self.endOfText = endOfText
    encoder = try FrameEncoder(tokenWidth: tokenWidth, level: level, endOfText: endOfText)
    slots = (0..<max(1, slotCount)).map { _ in
      Slot(byteCount: tokensPerFrame * tokenWidth.byteCount)
    }
  }

  /// Runs `body` while `threadCount` - 1 more threads compress, and waits for them.
  static func run<Value>(
    threadCount: Int, slotCount: Int, tokenWidth: TokenWidth, level: Int, endOfText: UInt32,
    _ body: (FramePipeline) throws(CorpusError) -> Value
  ) throws(CorpusError) -> Value {
    let pipeline = try FramePipeline(
      slotCount: slotCount, tokenWidth: tokenWidth, level: level, endOfText: endOfText)
    return try withHelpers(threadCount - 1, { pipeline.help() }) { () throws(CorpusError) in
      defer { pipeline.close() }
      return try body(pipeline)
    }
  }

  /// Whether the next frame can be filled without taking one back.
  var hasRoom: Bool { submitted - oldest < slots.count }
  var isEmpty: Bool { submitted == oldest }

  /// The buffer of the frame that is being filled.
  ///
  /// - Precondition: ``hasRoom``.
  var buffer: UnsafeMutableRawPointer { slots[submitted % slots.count].tokens.base }

  /// Hands the frame that was filled with `byteCount` bytes to whoever compresses it.
  func submit(byteCount: Int) {
    precondition(hasRoom, "a frame was submitted to a full pipeline")
    let slot = slots[submitted % slots.count]
    slot.byteCount = byteCount
    slot.result = nil
    monitor.lock()
    submitted += 1
    monitor.broadcast()
    monitor.unlock()
  }

  /// Waits for the oldest frame and takes it back; meanwhile it compresses what nobody else has
  /// begun.
  func takeOldest() throws(CorpusError) -> EncodedFrame {
    precondition(!isEmpty, "an empty pipeline has no oldest frame")
    let slot = slots[oldest % slots.count]
    monitor.lock()
    while slot.result == nil {
      if unclaimed < submitted {
        compressNext(encoder)
      } else {
        monitor.wait()
      }
    }
    let result = slot.result
    slot.result = nil
    oldest += 1
    monitor.unlock()
    guard let result else { throw .compressionFailed(code: 0) }
    return try result.get()
  }

  /// Claims and compresses one frame.
  ///
  /// The monitor is locked before and after, not meanwhile.
  private func compressNext(_ encoder: FrameEncoder) {
    let slot = slots[unclaimed % slots.count]
    unclaimed += 1
    monitor.unlock()
    let bytes = UnsafeRawBufferPointer(start: slot.tokens.base, count: slot.byteCount)
    let result: Result<EncodedFrame, CorpusError>
    do throws(CorpusError) {
      result = .success(try encoder.encode(bytes))
    } catch {
      result = .failure(error)
    }
    monitor.lock()
    slot.result = result
    monitor.broadcast()
  }

  /// What a helping thread does until the pipeline is closed.
  private func help() {
    // Without memory for an encoder there is one helper less; the owner does the work.
    guard
      let encoder = try? FrameEncoder(tokenWidth: tokenWidth, level: level, endOfText: endOfText)
    else { return }
    monitor.lock()
    while true {
      if isClosing { break }
      if unclaimed < submitted {
        compressNext(encoder)
      } else {
        monitor.wait()
      }
    }
    monitor.unlock()
  }

  private func close() {
    monitor.lock()
    isClosing = true
    monitor.broadcast()
    monitor.unlock()
  }
}
