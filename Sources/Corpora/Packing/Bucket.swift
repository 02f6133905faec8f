#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// What is known of a finished bucket file.
struct BucketDescription: Sendable, Codable, Equatable {
  /// The file; relative to the folder of the domain's work.
  var fileName: String
  var byteCount = 0
  var entryCount = 0
  var least = DocumentKey.greatest
  var greatest = DocumentKey.zero
}

/// The head of an entry in a bucket file; the document's tokens follow it.
///
///     0   8   key, high
///     8   8   key, low
///    16   4   bytes of tokens, end-of-text included
///    20   4   low half of the XXH64 of these bytes, whose seed is made of the key
struct BucketEntryHead {
  static let byteCount = 24

  var key: DocumentKey
  var tokenByteCount: Int
  var checksum: UInt32

  init(key: DocumentKey, tokens: UnsafeRawBufferPointer) {
    self.key = key
    tokenByteCount = tokens.count
    checksum = Self.checksum(of: tokens, key)
  }

  /// Whether `tokens` are the ones that the head was made for, and its key the one that it was made
  /// with.
  func fits(_ tokens: UnsafeRawBufferPointer) -> Bool {
    checksum == Self.checksum(of: tokens, key)
  }

  private static func checksum(of tokens: UnsafeRawBufferPointer, _ key: DocumentKey) -> UInt32 {
    UInt32(
      truncatingIfNeeded: XXHash.hash64(tokens, seed: key.high ^ key.low.byteSwapped))
  }

  /// Reads a head; buckets are read on the machine that wrote them, so the byte order is its own.
  @inline(__always)
  init(_ bytes: UnsafeRawPointer) {
    key = DocumentKey(
      high: bytes.loadUnaligned(as: UInt64.self),
      low: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    tokenByteCount = Int(bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
    checksum = bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self)
  }

  @inline(__always)
  func write(to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: key.high, as: UInt64.self)
    bytes.storeBytes(of: key.low, toByteOffset: 8, as: UInt64.self)
    bytes.storeBytes(of: UInt32(tokenByteCount), toByteOffset: 16, as: UInt32.self)
    bytes.storeBytes(of: checksum, toByteOffset: 20, as: UInt32.self)
  }
}

/// One bucket file that is being written, through a buffer of fixed size.
private struct OpenBucket: ~Copyable, Sendable {
  let path: String
  let descriptor: Int32
  var description: BucketDescription
  var buffer: TextBuffer
  var buffered = 0

  init(folder: String, fileName: String, bufferByteCount: Int) throws(CorpusError) {
    path = folder + "/" + fileName
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw .cannotOpen(path: path, code: errno) }
    self.descriptor = descriptor
    description = BucketDescription(fileName: fileName)
    buffer = TextBuffer(capacity: bufferByteCount)
  }

  deinit { close(descriptor) }

  mutating func append(
    _ head: BucketEntryHead, _ tokens: UnsafeRawBufferPointer
  ) throws(CorpusError) {
    let entryByteCount = BucketEntryHead.byteCount + tokens.count
    if buffered + entryByteCount > buffer.capacity { try flush() }
    head.write(to: buffer.base + buffered)
    buffered += BucketEntryHead.byteCount
    if entryByteCount > buffer.capacity {
      try flush()
      try writeAll(tokens, to: descriptor, path: path, at: description.byteCount)
      description.byteCount += tokens.count
    } else if let source = tokens.baseAddress {
      (buffer.base + buffered).copyMemory(from: source, byteCount: tokens.count)
      buffered += tokens.count
    }
    description.entryCount += 1
    description.least = min(description.least, head.key)
    description.greatest = max(description.greatest, head.key)
  }

  private mutating func flush() throws(CorpusError) {
    let bytes = UnsafeRawBufferPointer(start: buffer.base, count: buffered)
    try writeAll(bytes, to: descriptor, path: path, at: description.byteCount)
    description.byteCount += buffered
    buffered = 0
  }

  /// Writes what is left; `durably`, so that a finished bucket outlives the machine's power.
  mutating func finish(durably: Bool) throws(CorpusError) -> BucketDescription {
    try flush()
    if durably, fsync(descriptor) != 0 {
      throw .cannotWrite(path: path, byteOffset: description.byteCount, code: errno)
    }
    return description
  }
}

/// Bucket files that any number of threads write to, each entry to the bucket of its key.
final class BucketSet: Sendable {
  private let bits: KeyBits
  private let buckets: [LockedBucket]

  /// A bucket and its lock.
  ///
  /// A lock per bucket, since threads rarely meet in one.
  private final class LockedBucket: Sendable {
    let bucket: Locked<OpenBucket>
    init(folder: String, fileName: String, bufferByteCount: Int) throws(CorpusError) {
      bucket = Locked(
        try OpenBucket(folder: folder, fileName: fileName, bufferByteCount: bufferByteCount))
    }
  }

  /// Creates the files `prefix`-0000.bucket and so on in `folder`.
  init(
    folder: String, prefix: String, bits: KeyBits, bufferByteCount: Int
  ) throws(CorpusError) {
    self.bits = bits
    var buckets: [LockedBucket] = []
    for index in 0..<bits.bucketCount {
      let number = String(index)
      let digits = String(repeating: "0", count: max(0, 4 - number.utf8.count)) + number
      buckets.append(
        try LockedBucket(
          folder: folder, fileName: "\(prefix)-\(digits).bucket", bufferByteCount: bufferByteCount))
    }
    self.buckets = buckets
  }

  /// Appends a document's tokens.
  func append(_ key: DocumentKey, _ tokens: UnsafeRawBufferPointer) throws(CorpusError) {
    try append(BucketEntryHead(key: key, tokens: tokens), tokens)
  }

  /// Appends an entry whose head is known.
  func append(
    _ head: BucketEntryHead, _ tokens: UnsafeRawBufferPointer
  ) throws(CorpusError) {
    try buckets[bits.bucket(of: head.key)].bucket.withLock { (bucket) throws(CorpusError) in
      try bucket.append(head, tokens)
    }
  }

  /// Ends all files; in key order.
  func finish(durably: Bool) throws(CorpusError) -> [BucketDescription] {
    var descriptions: [BucketDescription] = []
    for locked in buckets {
      descriptions.append(
        try locked.bucket.withLock { (bucket) throws(CorpusError) in
          try bucket.finish(durably: durably)
        })
    }
    return descriptions
  }
}
