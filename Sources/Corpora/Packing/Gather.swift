#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// The second phase of packing a domain: takes bucket after bucket, sorts each in memory, and hands
/// its documents on.
struct Gather {
  let folder: String
  /// The most memory for one bucket, its documents and their places.
  let byteLimit: Int
  let tokenWidth: TokenWidth
  let meter: PackMeter

  /// The place of one document in a loaded bucket.
  private struct Entry: Comparable {
    let key: DocumentKey
    let offset: Int
    let byteCount: Int

    static func < (a: Entry, b: Entry) -> Bool { a.key < b.key }
    static func == (a: Entry, b: Entry) -> Bool { a.key == b.key }
  }

  /// How many buckets an oversize one is split into, as bits.
  private static let splitBitCount = 6

  /// Hands the documents of all buckets, in the order of their keys, to `writer`.
  func gather(
    _ buckets: [BucketDescription], into writer: inout SplitWriter
  ) throws(CorpusError) {
    for bucket in buckets { try gather(bucket, depth: 0, into: &writer) }
  }

  /// Hands the documents of one bucket on, which come from a bucket that was split `depth` times.
  ///
  /// Only one split of each depth is there at a time, so the depth names its files.
  private func gather(
    _ bucket: BucketDescription, depth: Int, into writer: inout SplitWriter
  ) throws(CorpusError) {
    if bucket.entryCount == 0 { return }
    try meter.checkStop()
    let byteCount = bucket.byteCount + bucket.entryCount * MemoryLayout<Entry>.stride
    if byteCount <= byteLimit || bucket.least == bucket.greatest {
      try gatherLoaded(bucket, into: &writer)
      return
    }
    for inner in try split(bucket, depth: depth) {
      let path = folder + "/" + inner.fileName
      let result: Result<Void, CorpusError>
      do throws(CorpusError) {
        result = .success(try gather(inner, depth: depth + 1, into: &writer))
      } catch {
        result = .failure(error)
      }
      unlink(path)
      try result.get()
    }
  }

  private func gatherLoaded(
    _ bucket: BucketDescription, into writer: inout SplitWriter
  ) throws(CorpusError) {
    let file = try FileReader(path: folder + "/" + bucket.fileName)
    if file.byteCount != bucket.byteCount {
      throw .packing(.bucketDamaged(path: file.path, byteOffset: file.byteCount))
    }
    let buffer = TextBuffer(capacity: bucket.byteCount)
    try file.read(
      into: UnsafeMutableRawBufferPointer(start: buffer.base, count: bucket.byteCount), at: 0)
    let bytes = UnsafeRawBufferPointer(start: buffer.base, count: bucket.byteCount)
    var entries: [Entry] = []
    entries.reserveCapacity(bucket.entryCount)
    var offset = 0
    while offset < bytes.count {
      let head = try self.head(at: offset, of: bytes, path: file.path, fileOffset: 0)
      let start = offset + BucketEntryHead.byteCount
      let end = start + head.tokenByteCount
      let tokens = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
      if !head.fits(tokens) {
        throw .packing(.bucketDamaged(path: file.path, byteOffset: offset))
      }
      entries.append(Entry(key: head.key, offset: start, byteCount: head.tokenByteCount))
      offset = end
    }
    guard entries.count == bucket.entryCount else {
      throw .packing(.bucketDamaged(path: file.path, byteOffset: offset))
    }
    entries.sort()
    for entry in entries {
      try writer.append(
        UnsafeRawBufferPointer(rebasing: bytes[entry.offset..<entry.offset + entry.byteCount]))
    }
  }

  /// The head at `offset`, whose tokens all lie in `bytes`.
  private func head(
    at offset: Int, of bytes: UnsafeRawBufferPointer, path: String, fileOffset: Int
  ) throws(CorpusError) -> BucketEntryHead {
    if let base = bytes.baseAddress, bytes.count - offset >= BucketEntryHead.byteCount {
      let head = BucketEntryHead(base + offset)
      // A document has its end-of-text at least.
      if head.tokenByteCount <= bytes.count - offset - BucketEntryHead.byteCount,
        head.tokenByteCount > 0, head.tokenByteCount % tokenWidth.byteCount == 0
      {
        return head
      }
    }
    throw .packing(.bucketDamaged(path: path, byteOffset: fileOffset + offset))
  }

  /// Distributes a bucket over smaller ones, by the first bits in which its keys differ.
  private func split(
    _ bucket: BucketDescription, depth: Int
  ) throws(CorpusError) -> [BucketDescription] {
    let bits = KeyBits(
      splitting: bucket.least, bucket.greatest, bitCount: Self.splitBitCount)
    let set = try BucketSet(
      folder: folder, prefix: "split-\(depth)", bits: bits,
      bufferByteCount: max(4 << 10, min(256 << 10, byteLimit / 4 / bits.bucketCount)))
    let file = try FileReader(path: folder + "/" + bucket.fileName)
    if file.byteCount != bucket.byteCount {
      throw .packing(.bucketDamaged(path: file.path, byteOffset: file.byteCount))
    }
    var window = TextBuffer(capacity: min(max(1 << 20, byteLimit / 4), bucket.byteCount))
    var position = 0
    while position < bucket.byteCount {
      try meter.checkStop()
      let count = min(window.capacity, bucket.byteCount - position)
      try file.read(
        into: UnsafeMutableRawBufferPointer(start: window.base, count: count), at: position)
      let bytes = UnsafeRawBufferPointer(start: window.base, count: count)
      let taken = try distribute(bytes, at: position, of: bucket, path: file.path, over: set)
      if taken == 0 {
        // Not even one document fits, so the window grows to hold the one at hand.
        let head = BucketEntryHead(window.base)
        window.reserve(BucketEntryHead.byteCount + head.tokenByteCount, keeping: 0)
      }
      position += taken
    }
    return try set.finish(durably: false)
  }

  /// Hands the whole entries in `bytes` to `set`.
  ///
  /// - Returns: how many bytes they take.
  private func distribute(
    _ bytes: UnsafeRawBufferPointer, at position: Int, of bucket: BucketDescription, path: String,
    over set: BucketSet
  ) throws(CorpusError) -> Int {
    let isLast = position + bytes.count == bucket.byteCount
    var offset = 0
    while let base = bytes.baseAddress, offset < bytes.count {
      if !isLast {
        let left = bytes.count - offset
        if left < BucketEntryHead.byteCount
          || left < BucketEntryHead.byteCount + BucketEntryHead(base + offset).tokenByteCount
        {
          // A length that reaches behind the file's end is damage, not a long document.
          let rest = bucket.byteCount - position - offset
          if left >= BucketEntryHead.byteCount,
            BucketEntryHead(base + offset).tokenByteCount > rest - BucketEntryHead.byteCount
          {
            throw .packing(.bucketDamaged(path: path, byteOffset: position + offset))
          }
          break
        }
      }
      let head = try self.head(at: offset, of: bytes, path: path, fileOffset: position)
      let start = offset + BucketEntryHead.byteCount
      let end = start + head.tokenByteCount
      try set.append(head, UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      offset = end
    }
    return offset
  }
}
