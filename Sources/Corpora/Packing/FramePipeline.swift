#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Compresses frames on several threads and gives them back in order.
///
/// Frames lie in a ring. One thread, the owner, fills them, submits them and takes them back,
/// always the oldest; the other threads compress. When the ring is full the owner compresses too,
/// so that no thread but the owner is needed.
final class FramePipeline: @unchecked Sendable {
  // Sound because everything that threads share lies behind `mutex`, but for the slot that a thread
  // has claimed, which is its own until it marks the slot as done.

  private final class Slot {
    var tokens: TextBuffer
    var byteCount = 0
    var result: Result<EncodedFrame, CorpusError>?
    init(byteCount: Int) { tokens = TextBuffer(capacity: byteCount) }
  }

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let slots: [Slot]
  private let encoder: FrameEncoder
  private let tokenWidth: TokenWidth
  private let level: Int
  /// Frames counted from 0: the oldest not taken back, the next to compress, the next to submit.
  private var oldest = 0
  private var unclaimed = 0
  private var submitted = 0
  private var isClosing = false

  /// Creates a pipeline of at most `slotCount` frames in flight, without threads yet.
  init(slotCount: Int, tokenWidth: TokenWidth, level: Int) throws(CorpusError) {
    self.tokenWidth = tokenWidth
    self.level = level
    encoder = try FrameEncoder(tokenWidth: tokenWidth, level: level)
    slots = (0..<max(1, slotCount)).map { _ in
      Slot(byteCount: tokensPerFrame * tokenWidth.byteCount)
    }
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
    changed.deallocate()
  }

  /// Runs `body` while `helperCount` more threads compress, and waits for them.
  static func run<Value>(
    threadCount: Int, slotCount: Int, tokenWidth: TokenWidth, level: Int,
    _ body: (FramePipeline) throws(CorpusError) -> Value
  ) throws(CorpusError) -> Value {
    let pipeline = try FramePipeline(slotCount: slotCount, tokenWidth: tokenWidth, level: level)
    return try pipeline.helped(by: threadCount - 1, body)
  }

  private func helped<Value>(
    by helperCount: Int, _ body: (FramePipeline) throws(CorpusError) -> Value
  ) throws(CorpusError) -> Value {
    guard helperCount > 0, let thread = Thread({ self.help() }) else {
      defer { close() }
      return try body(self)
    }
    let result: Result<Value, CorpusError>
    do throws(CorpusError) {
      result = .success(try helped(by: helperCount - 1, body))
    } catch {
      result = .failure(error)
    }
    thread.join()
    return try result.get()
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
    pthread_mutex_lock(mutex)
    submitted += 1
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
  }

  /// Waits for the oldest frame and takes it back; meanwhile it compresses what nobody else has
  /// begun.
  func takeOldest() throws(CorpusError) -> EncodedFrame {
    precondition(!isEmpty, "an empty pipeline has no oldest frame")
    let slot = slots[oldest % slots.count]
    pthread_mutex_lock(mutex)
    while slot.result == nil {
      if unclaimed < submitted {
        compressNext(encoder)
      } else {
        pthread_cond_wait(changed, mutex)
      }
    }
    let result = slot.result
    slot.result = nil
    oldest += 1
    pthread_mutex_unlock(mutex)
    guard let result else { throw .compressionFailed(code: 0) }
    return try result.get()
  }

  /// Claims and compresses one frame.
  ///
  /// The mutex is held before and after, not meanwhile.
  private func compressNext(_ encoder: FrameEncoder) {
    let slot = slots[unclaimed % slots.count]
    unclaimed += 1
    pthread_mutex_unlock(mutex)
    let bytes = UnsafeRawBufferPointer(start: slot.tokens.base, count: slot.byteCount)
    let result: Result<EncodedFrame, CorpusError>
    do throws(CorpusError) {
      result = .success(try encoder.encode(bytes))
    } catch {
      result = .failure(error)
    }
    pthread_mutex_lock(mutex)
    slot.result = result
    pthread_cond_broadcast(changed)
  }

  /// What a helping thread does until the pipeline is closed.
  private func help() {
    // Without memory for an encoder there is one helper less; the owner does the work.
    guard let encoder = try? FrameEncoder(tokenWidth: tokenWidth, level: level) else { return }
    pthread_mutex_lock(mutex)
    while true {
      if isClosing { break }
      if unclaimed < submitted {
        compressNext(encoder)
      } else {
        pthread_cond_wait(changed, mutex)
      }
    }
    pthread_mutex_unlock(mutex)
  }

  private func close() {
    pthread_mutex_lock(mutex)
    isClosing = true
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
  }
}
