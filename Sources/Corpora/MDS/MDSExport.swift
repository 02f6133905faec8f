/// How a corpus is written as MDS shards.
public struct MDSExportOptions: Sendable, Equatable {
  /// What a sample is.
  public enum Samples: Sendable, Equatable {
    /// A document with its end-of-text: samples laid end to end are the domain's tokens.
    case documents
    /// T + 1 tokens, of which the last is the first of the next sample; T is this. What is left at
    /// a shard's end is left out.
    case sequences(length: Int)
  }

  /// The column's name.
  public var column = "tokens"
  /// The integers that are written; nil for the narrowest of uint16 and int32 that does.
  public var tokenType: StoredTokenType?
  /// What a sample is.
  public var samples = Samples.documents
  /// The zstd level, 1…22; nil for no compression.
  public var compressionLevel: Int? = 3
  /// The most bytes of an uncompressed shard, unless a sample alone has more.
  public var sizeLimit = 1 << 26

  /// What MosaicML's writer has for defaults, with zstd.
  public init() {}
}

/// What an export has written of one domain and split.
public struct MDSExportReport: Sendable, Equatable, Encodable {
  /// The domain's name.
  public let domain: String
  /// The split.
  public let split: Split
  /// The samples that were written.
  public let sampleCount: Int
  /// The tokens in them; where samples are sequences, those that two share count twice.
  public let tokenCount: Int
  /// The tokens that make no whole sequence and were left out.
  public let unusedTokenCount: Int
  /// The shards that were written.
  public let shardCount: Int
  /// The size of the shards on disk, in bytes.
  public let byteCount: Int
}

/// How far an export is.
public struct MDSExportProgress: Sendable, Equatable {
  /// The domain that is being written.
  public fileprivate(set) var domain = ""
  /// The tokens of the corpus that were read so far.
  public fileprivate(set) var tokenCount = 0
  /// The tokens of the corpus that will have been read at the end.
  public fileprivate(set) var totalTokenCount = 0
}

/// Writes a corpus as MDS shards, one folder for each domain and split.
///
///     <output>/<domain>/<split>/index.json, shard.00000.mds.zstd, …
///
/// All is made in `<output>.partial`, which gets its name last: what stands at the output is whole.
/// Memory is one frame and one uncompressed shard.
public struct MDSExport: Sendable {
  private let corpus: Corpus
  private let domainIndexes: [Int]
  private let splits: [Split]
  private let options: MDSExportOptions
  private let type: StoredTokenType

  /// A document of more tokens than this is refused: it is held in memory whole.
  private static let documentTokenLimit = 1 << 28

  /// Prepares to write some domains and splits of a corpus; where none is named, all.
  ///
  /// - Throws: ``CorpusError`` if a domain is unknown or an option lies outside its limits.
  public init(
    _ corpus: Corpus, domains names: [String] = [], splits: [Split] = [],
    options: MDSExportOptions = MDSExportOptions()
  ) throws(CorpusError) {
    self.corpus = corpus
    self.options = options
    domainIndexes = try corpus.domainIndexes(named: names)
    for index in domainIndexes where corpus.domains[index].format != .native {
      throw .export(.notNative(domain: corpus.domains[index].name))
    }
    self.splits = Split.allCases.filter { splits.isEmpty || splits.contains($0) }
    let vocabularySize = corpus.tokenizer.vocabularySize
    type = options.tokenType ?? (vocabularySize <= 1 << 16 ? .uint16 : .int32)
    guard vocabularySize - 1 <= type.largestValue else {
      throw .export(.tokenType(type, vocabularySize: vocabularySize))
    }
    if let level = options.compressionLevel { try Self.expect("the zstd level", level, 1...22) }
    try Self.expect("the size limit", options.sizeLimit, 1...MDSShardEntry.byteLimit)
    if case .sequences(let length) = options.samples {
      try Self.expect("the sequence length", length, 1...(1 << 27))
    }
  }

  private static func expect(_ name: String, _ value: Int, _ allowed: ClosedRange<Int>)
    throws(CorpusError)
  {
    guard allowed.contains(value) else {
      throw .export(.option(name: name, value: value, allowed: allowed))
    }
  }

  /// Writes to `output`, which must not exist.
  ///
  /// - Parameters:
  ///   - output: The folder to make.
  ///   - observer: Called after every frame of the corpus.
  /// - Returns: What was written, by domain and split; those without tokens have no folder.
  /// - Throws: ``CorpusError`` if something stands there, the corpus is damaged, or the disk is
  ///   full. What was written by then is left at `<output>.partial`.
  public func run(
    to output: String, observer: (MDSExportProgress) -> Void = { _ in }
  ) throws(CorpusError) -> [MDSExportReport] {
    let output = output.hasSuffix("/") ? String(output.dropLast()) : output
    let partial = output + ".partial"
    guard !Files.exists(output) else { throw .export(.outputExists(path: output)) }
    guard !Files.exists(partial) else { throw .export(.unfinished(path: partial)) }
    try Files.makeFolders(partial)
    let decoder = try FrameDecoder(verifiesContent: false)
    var progress = MDSExportProgress()
    for index in domainIndexes {
      for split in splits {
        progress.totalTokenCount += corpus.domains[index].tokenCount(of: split)
      }
    }
    var reports: [MDSExportReport] = []
    for index in domainIndexes {
      let name = corpus.domains[index].name
      progress.domain = name
      for split in splits where corpus.domains[index].tokenCount(of: split) > 0 {
        var cutter = try SampleCutter(
          folder: "\(partial)/\(name)/\(split.rawValue)", form: form, type: type,
          width: corpus.tokenWidth, rule: options.samples,
          endOfText: UInt32(clamping: corpus.tokenizer.endOfText),
          documentTokenLimit: Self.documentTokenLimit)
        for shard in corpus.domains[index].shards[split, default: []].indices {
          let reader = try corpus.openShard(shard, of: split, domainIndex: index)
          try cutter.take(reader, decoder) { count in
            progress.tokenCount += count
            observer(progress)
          }
        }
        reports.append(try cutter.finish(domain: name, split: split))
      }
    }
    try DurableFile.rename(partial, to: output)
    return reports
  }

  /// What the writers write.
  private var form: MDSWriter.Form {
    let compression = options.compressionLevel.map { $0 == 3 ? "zstd" : "zstd:\($0)" }
    var (encoding, byteCount) = ("ndarray:\(type.rawValue)", nil as Int?)
    if case .sequences(let length) = options.samples {
      encoding += ":\(length + 1)"
      byteCount = (length + 1) * type.byteCount
    }
    return MDSWriter.Form(
      column: options.column, encoding: encoding, byteCount: byteCount, compression: compression,
      sizeLimit: options.sizeLimit)
  }
}

/// Cuts the tokens of shards into samples and hands them to a writer.
private struct SampleCutter: ~Copyable {
  private var writer: MDSWriter
  private let type: StoredTokenType
  private let width: TokenWidth
  private let rule: MDSExportOptions.Samples
  private let endOfText: UInt32
  private let documentTokenLimit: Int
  /// The tokens of the sample that is not whole yet.
  private var pending: [UInt32] = []
  /// Whether the first of them is the last of a sequence that was written.
  private var beginsWithLast = false
  private var value: [UInt8] = []
  private var tokens: [UInt32] = []
  private var writtenTokenCount = 0
  private var unusedTokenCount = 0

  init(
    folder: String, form: MDSWriter.Form, type: StoredTokenType, width: TokenWidth,
    rule: MDSExportOptions.Samples, endOfText: UInt32, documentTokenLimit: Int
  ) throws(CorpusError) {
    writer = try MDSWriter(folder: folder, form: form)
    (self.type, self.width, self.rule) = (type, width, rule)
    (self.endOfText, self.documentTokenLimit) = (endOfText, documentTokenLimit)
  }

  /// Writes the tokens of one shard; `observer` is told how many a frame had.
  mutating func take(
    _ reader: ShardReader, _ decoder: FrameDecoder, observer: (Int) -> Void
  ) throws(CorpusError) {
    let memory = TextBuffer(capacity: tokensPerFrame * width.byteCount)
    for (frame, entry) in reader.index.frames.enumerated() {
      let content = UnsafeMutableRawBufferPointer(
        start: memory.base, count: entry.tokenCount * width.byteCount)
      try reader.decode(frame: frame, into: content, using: decoder)
      load(UnsafeRawBufferPointer(content), count: entry.tokenCount)
      switch rule {
      case .documents: try cutDocuments(reader.place)
      case .sequences(let length): try cutSequences(length)
      }
      observer(entry.tokenCount)
    }
    try endShard()
  }

  /// Writes the index.
  consuming func finish(domain: String, split: Split) throws(CorpusError) -> MDSExportReport {
    let (samples, tokens, unused) = (writer.sampleCount, writtenTokenCount, unusedTokenCount)
    let written = try writer.finish()
    return MDSExportReport(
      domain: domain, split: split, sampleCount: samples, tokenCount: tokens,
      unusedTokenCount: unused, shardCount: written.shardCount, byteCount: written.byteCount)
  }

  private mutating func load(_ content: UnsafeRawBufferPointer, count: Int) {
    tokens.removeAll(keepingCapacity: true)
    switch width {
    case .uint16:
      tokens.append(
        contentsOf: content.bindMemory(to: UInt16.self).lazy.map { UInt32($0.littleEndian) })
    case .uint32:
      tokens.append(contentsOf: content.bindMemory(to: UInt32.self).lazy.map { $0.littleEndian })
    }
  }

  private mutating func cutDocuments(_ place: ShardPlace) throws(CorpusError) {
    var begin = 0
    while begin < tokens.count {
      let end = tokens[begin...].firstIndex(of: endOfText).map { $0 + 1 }
      pending.append(contentsOf: tokens[begin..<(end ?? tokens.count)])
      guard pending.count <= documentTokenLimit else {
        throw .export(.documentTooLarge(place, tokenCount: documentTokenLimit))
      }
      guard let end else { return }
      try writePending()
      pending.removeAll(keepingCapacity: true)
      begin = end
    }
  }

  private mutating func cutSequences(_ length: Int) throws(CorpusError) {
    var begin = 0
    while begin < tokens.count {
      let end = min(begin + length + 1 - pending.count, tokens.count)
      pending.append(contentsOf: tokens[begin..<end])
      begin = end
      guard pending.count == length + 1 else { return }
      try writePending()
      // The last token is the next sequence's first.
      pending.removeFirst(length)
      beginsWithLast = true
    }
  }

  /// What no end-of-text ends is a document all the same; what is no whole sequence is left out.
  private mutating func endShard() throws(CorpusError) {
    if case .sequences = rule {
      unusedTokenCount += pending.count - (beginsWithLast ? 1 : 0)
    } else if !pending.isEmpty {
      try writePending()
    }
    pending.removeAll(keepingCapacity: true)
    beginsWithLast = false
  }

  private mutating func writePending() throws(CorpusError) {
    value.removeAll(keepingCapacity: true)
    if rule == .documents { appendShape() }
    switch type.byteCount {
    case 1: append(UInt8.self)
    case 2: append(UInt16.self)
    case 4: append(UInt32.self)
    default: append(UInt64.self)
    }
    writtenTokenCount += pending.count
    let written: Result<Void, CorpusError> = value.withUnsafeBytes { bytes in
      do throws(CorpusError) {
        return .success(try writer.append(bytes))
      } catch {
        return .failure(error)
      }
    }
    try written.get()
  }

  /// An array's shape: one dimension, in the fewest bytes.
  private mutating func appendShape() {
    let count = pending.count
    let code = count < 1 << 8 ? 0 : count < 1 << 16 ? 1 : 2
    value.append(UInt8(1 << 2 | code))
    withUnsafeBytes(of: UInt32(count).littleEndian) { value.append(contentsOf: $0[..<(1 << code)]) }
  }

  private mutating func append<Number: FixedWidthInteger>(_ type: Number.Type) {
    let begin = value.count
    value.append(
      contentsOf: repeatElement(0, count: pending.count * MemoryLayout<Number>.size))
    value.withUnsafeMutableBytes { bytes in
      for (index, token) in pending.enumerated() {
        bytes.storeBytes(
          of: Number(truncatingIfNeeded: token).littleEndian,
          toByteOffset: begin + index * MemoryLayout<Number>.size, as: type)
      }
    }
  }
}

extension StoredTokenType {
  /// The largest number of the type, as far as an `Int` holds it.
  fileprivate var largestValue: Int {
    switch self {
    case .int8: Int(Int8.max)
    case .uint8: Int(UInt8.max)
    case .int16: Int(Int16.max)
    case .uint16: Int(UInt16.max)
    case .int32: Int(Int32.max)
    case .uint32: Int(UInt32.max)
    case .int64, .uint64: Int.max
    }
  }
}
