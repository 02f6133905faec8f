/// Cuts a split's documents into frames and shards.
struct SplitWriter: ~Copyable {
  /// The finished shards, in order.
  private(set) var shards: [ShardDescription] = []

  private let pipeline: FramePipeline
  private let folder: String
  private let manifestFolder: String
  private let split: Split
  private let tokenWidth: TokenWidth
  private let shardTokenCount: Int
  private let endOfText: UInt32
  private let meter: PackMeter
  private var writer: ShardWriter?
  /// The tokens of the shard so far.
  private var tokenCount = 0
  /// The bytes of the frame that is being filled.
  private var filled = 0

  /// Begins a split whose shards stand in `folder` and are named in the manifest below `domain`.
  init(
    _ pipeline: FramePipeline, folder: String, domain: String, split: Split, plan: PackPlan,
    tokenWidth: TokenWidth, endOfText: UInt32, meter: PackMeter
  ) {
    self.pipeline = pipeline
    self.folder = folder
    manifestFolder = domain
    self.split = split
    self.tokenWidth = tokenWidth
    shardTokenCount = plan.shardTokenCount
    self.endOfText = endOfText
    self.meter = meter
  }

  /// Appends a document's tokens, the end-of-text included.
  mutating func append(_ document: UnsafeRawBufferPointer) throws(CorpusError) {
    try fill(document)
    tokenCount += document.count / tokenWidth.byteCount
    if tokenCount >= shardTokenCount { try finishShard() }
  }

  /// Ends the last shard.
  mutating func finish() throws(CorpusError) {
    if tokenCount > 0 { try finishShard() }
  }

  private mutating func fill(_ bytes: UnsafeRawBufferPointer) throws(CorpusError) {
    let frameByteCount = tokensPerFrame * tokenWidth.byteCount
    var rest = bytes
    while let source = rest.baseAddress, !rest.isEmpty {
      while !pipeline.hasRoom { try write() }
      let count = min(rest.count, frameByteCount - filled)
      (pipeline.buffer + filled).copyMemory(from: source, byteCount: count)
      filled += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      if filled == frameByteCount { try submit() }
    }
  }

  private mutating func submit() throws(CorpusError) {
    pipeline.submit(byteCount: filled)
    filled = 0
    try meter.checkStop()
  }

  /// Writes the oldest frame of the pipeline.
  private mutating func write() throws(CorpusError) {
    let frame = try pipeline.takeOldest()
    if writer == nil {
      writer = try ShardWriter(path: "\(folder)/\(fileName)", tokenWidth: tokenWidth)
    }
    try writer?.append(frame)
    meter.wrote(tokenCount: frame.tokenCount)
  }

  private var fileName: String {
    let number = String(shards.count)
    let zeros = String(repeating: "0", count: max(0, 5 - number.utf8.count))
    return "\(split.rawValue)-\(zeros)\(number).tokens.zst"
  }

  private mutating func finishShard() throws(CorpusError) {
    if tokenCount % tokensPerFrame == 0 {
      // The last frame must be short, so that every full one has a next token: an empty document
      // makes it so.
      let end = endOfText.littleEndian
      let result: Result<Void, CorpusError> = withUnsafeBytes(of: end) { bytes in
        do throws(CorpusError) {
          // The low bytes come first, so the same bytes serve both widths.
          return .success(
            try fill(UnsafeRawBufferPointer(rebasing: bytes[..<tokenWidth.byteCount])))
        } catch {
          return .failure(error)
        }
      }
      try result.get()
    }
    if filled > 0 { try submit() }
    while !pipeline.isEmpty { try write() }
    guard let whole = writer.take() else { return }
    shards.append(try whole.finish(manifestPath: "\(manifestFolder)/\(fileName)"))
    tokenCount = 0
  }
}
