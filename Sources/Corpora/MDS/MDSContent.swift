/// The uncompressed bytes of an MDS shard in order, through one buffer of 64 KiB.
///
/// A raw shard may be read from any place, a compressed one is decoded from its beginning.
final class MDSContent {
  /// Where the bytes come from.
  private enum Source {
    case none
    case file(FileReader)
    case compressed(ZstdFeed)
  }

  /// Which shard is read, for errors.
  private(set) var place = ShardPlace(domain: "", path: "")
  /// Where the next byte stands in the content.
  private(set) var position = 0
  /// The recorded size of the content, which nothing is read beyond.
  private(set) var byteCount = 0

  private var source = Source.none
  private let buffer = TextBuffer(capacity: MDSContent.capacity)
  /// The part of the buffer that holds the next bytes.
  private var held = 0..<0

  /// The most bytes that can be asked for at once.
  static let capacity = 1 << 16

  /// Reads a raw shard from `position` on.
  func open(_ file: FileReader, place: ShardPlace, at position: Int) {
    self.place = place
    self.position = position
    byteCount = file.byteCount
    source = .file(file)
    held = 0..<0
  }

  /// Reads a compressed shard from its beginning.
  func open(_ feed: ZstdFeed, place: ShardPlace, byteCount: Int) {
    self.place = place
    self.byteCount = byteCount
    position = 0
    source = .compressed(feed)
    held = 0..<0
  }

  /// Lets go of the file.
  func close() { source = .none }

  /// Names damage of the shard.
  func damage(_ fault: MDSFault, sample: Int? = nil, at byteOffset: Int? = nil) -> CorpusError {
    .mdsDamaged(place, sample: sample, byteOffset: byteOffset ?? position, fault)
  }

  /// The next bytes: at least `least` of them, and as many more as the buffer holds.
  ///
  /// - Precondition: `least` is at most ``capacity``.
  func next(_ least: Int) throws(CorpusError) -> UnsafeRawBufferPointer {
    if held.count < least {
      (buffer.base).copyMemory(from: buffer.base + held.lowerBound, byteCount: held.count)
      held = 0..<held.count
      let room = min(buffer.capacity, byteCount - position) - held.count
      let free = UnsafeMutableRawBufferPointer(
        start: buffer.base + held.upperBound, count: max(0, room))
      held = 0..<(held.upperBound + (try fill(free)))
      guard held.count >= least else {
        throw damage(.byteCount(recorded: byteCount, found: position + held.count))
      }
    }
    return UnsafeRawBufferPointer(start: buffer.base + held.lowerBound, count: held.count)
  }

  /// Passes over bytes that ``next(_:)`` gave.
  func consume(_ count: Int) {
    held = (held.lowerBound + count)..<held.upperBound
    position += count
  }

  /// Passes over bytes up to `newPosition`, which must not lie before ``position``.
  func move(to newPosition: Int) throws(CorpusError) {
    guard (position...max(position, byteCount)).contains(newPosition) else {
      throw damage(.offset(found: newPosition, allowed: position...max(position, byteCount)))
    }
    if case .file = source, newPosition - position > held.count {
      position = newPosition
      held = 0..<0
      return
    }
    while position < newPosition {
      consume(min(newPosition - position, try next(1).count))
    }
  }

  /// Copies the next bytes to `memory`, without the buffer where there are many.
  func copy(into memory: UnsafeMutableRawBufferPointer) throws(CorpusError) {
    var done = min(held.count, memory.count)
    memory.copyMemory(
      from: UnsafeRawBufferPointer(start: buffer.base + held.lowerBound, count: done))
    consume(done)
    while done < memory.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: memory[done...])
      let room = min(rest.count, byteCount - position)
      let count = try fill(UnsafeMutableRawBufferPointer(rebasing: rest[..<room]))
      guard count > 0 else { throw damage(.byteCount(recorded: byteCount, found: position)) }
      position += count
      done += count
    }
  }

  /// Checks that the content ends where it should.
  func expectEnd() throws(CorpusError) {
    guard position == byteCount else {
      throw damage(.byteCount(recorded: byteCount, found: position))
    }
    guard case .compressed(let feed) = source else { return }
    let surplus = try read(
      feed, UnsafeMutableRawBufferPointer(start: buffer.base, count: buffer.capacity))
    guard surplus == 0 else { throw damage(.longer(recorded: byteCount)) }
  }

  /// Reads as many bytes as there are, and fit.
  private func fill(_ memory: UnsafeMutableRawBufferPointer) throws(CorpusError) -> Int {
    switch source {
    case .none: return 0
    case .file(let file):
      try file.read(into: memory, at: position + held.count)
      return memory.count
    case .compressed(let feed): return try read(feed, memory)
    }
  }

  private func read(_ feed: ZstdFeed, _ memory: UnsafeMutableRawBufferPointer) throws(CorpusError)
    -> Int
  {
    do throws(CorpusError) {
      let count = try feed.read(into: memory)
      // Lets the feed forget where frames began, of which there may be very many.
      _ = feed.frame(at: position)
      return count
    } catch {
      guard case .textFrame(let fault, _, let frame, _) = error else { throw error }
      throw damage(.compressed(fault, frame: frame))
    }
  }
}
