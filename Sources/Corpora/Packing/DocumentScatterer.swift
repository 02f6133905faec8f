/// Reads documents, tokenizes them and writes them to buckets; one per thread, with buffers that
/// are used again.
final class DocumentScatterer {
  private(set) var counts = ScatterCounts()
  private(set) var skipped: [SkippedDocument] = []

  private let scatter: Scatter
  private let buckets: SplitBuckets
  private var scanner: JSONLineScanner
  private var tokens: [UInt32] = []
  private var encoded = TextBuffer(capacity: 128 << 10)
  /// What has been read and not yet reported.
  private var unreportedDocumentCount = 0

  /// What is reported at once.
  private static let reportByteCount = 1 << 20
  /// After a larger document buffers go back to their usual size.
  private static let usualByteCount = LineReader.readByteCount
  /// How many skipped documents are remembered.
  private static let rememberedLimit = 20

  /// Creates a scatterer that writes to `buckets`.
  init(_ scatter: Scatter, buckets: SplitBuckets) {
    self.scatter = scatter
    self.buckets = buckets
    scanner = JSONLineScanner(field: scatter.domain.textField)
  }

  /// Scatters all documents of a portion.
  func scatter(_ portion: Portion) throws(CorpusError) {
    for index in portion.files {
      let file = scatter.files[index]
      let reader = try FileReader(path: file.path)
      if reader.byteCount != file.byteCount {
        throw .packing(.inputChanged(path: file.path))
      }
      switch file.format {
      case .lines:
        try scatterLines(
          PlainFeed(reader, from: max(0, (portion.bytes?.lowerBound ?? 0) - 1)), file: index,
          range: portion.bytes ?? 0..<file.byteCount)
      case .compressedLines:
        try scatterLines(try ZstdFeed(reader), file: index, range: 0..<Int.max)
      case .text:
        try scatterWhole(PlainFeed(reader, from: 0), file: index)
      case .compressedText:
        try scatterWhole(try ZstdFeed(reader), file: index)
      }
      try file.checkUnchanged()
    }
  }

  /// Scatters the text of a whole file.
  private func scatterWhole(_ feed: any TextFeed, file: Int) throws(CorpusError) {
    try scatter.meter.checkStop()
    var reader = lineReader(feed, from: 0)
    switch try reader.whole() {
    case .line(let text, let byteOffset):
      if let offset = UTF8Validation.firstInvalidOffset(text) {
        try refuse(
          .invalidUTF8, file: file, line: nil, byteOffset: byteOffset + offset, feed: feed)
      } else {
        try add(text, file: file, line: nil, byteOffset: byteOffset, feed: feed)
      }
    case .tooLong(let byteOffset):
      try refuse(
        .tooLong(limit: scatter.plan.maximumDocumentByteCount), file: file, line: nil,
        byteOffset: byteOffset, feed: feed)
    case .end: break
    }
    report(byteCount: feed.fileByteCount)
  }

  /// Scatters the lines that begin in `range`.
  private func scatterLines(
    _ feed: any TextFeed, file: Int, range: Range<Int>
  ) throws(CorpusError) {
    // A range begins with the first line that begins in it: the byte before it tells whether that
    // is its first byte, so reading begins there and goes on behind the first newline.
    var reader = lineReader(
      feed, from: max(0, range.lowerBound - 1), lastOffset: range.upperBound)
    var lines = LineCount(rangeStart: range.lowerBound, path: feed.path)
    if range.lowerBound > 0 { _ = try reader.next() }
    var reported = 0
    while true {
      let beginning: Int
      switch try reader.next() {
      case .end:
        report(byteCount: feed.fileByteCount - reported)
        return
      case .tooLong(let byteOffset):
        beginning = byteOffset
        if byteOffset >= range.upperBound { break }
        lines.passed += 1
        try refuse(
          .tooLong(limit: scatter.plan.maximumDocumentByteCount), file: file,
          line: try lines.number(), byteOffset: byteOffset, feed: feed)
      case .line(let line, let byteOffset):
        beginning = byteOffset
        if byteOffset >= range.upperBound { break }
        lines.passed += 1
        try scatterLine(line, file: file, lines: &lines, byteOffset: byteOffset, feed: feed)
      }
      if beginning >= range.upperBound {
        report(byteCount: range.upperBound - range.lowerBound - reported)
        return
      }
      if feed.fileByteCount - reported >= Self.reportByteCount {
        report(byteCount: feed.fileByteCount - reported)
        reported = feed.fileByteCount
        // Lets the feed forget the frames that are behind.
        _ = feed.frame(at: beginning)
      }
    }
  }

  private func scatterLine(
    _ line: UnsafeRawBufferPointer, file: Int, lines: inout LineCount, byteOffset: Int,
    feed: any TextFeed
  ) throws(CorpusError) {
    if JSONLineScanner.isBlank(line) { return }
    let text: UnsafeRawBufferPointer
    do throws(DocumentFailure) {
      text = try scanner.text(of: line)
    } catch {
      try refuse(
        error.fault, file: file, line: try lines.number(),
        byteOffset: byteOffset + error.byteOffset, feed: feed)
      return
    }
    try add(text, file: file, line: lines, byteOffset: byteOffset, feed: feed)
  }

  private func lineReader(
    _ feed: any TextFeed, from textOffset: Int, lastOffset: Int = .max
  ) -> LineReader {
    let meter = scatter.meter
    return LineReader(
      feed, textOffset: textOffset, limit: scatter.plan.maximumDocumentByteCount,
      allowance: scatter.allowance, lastOffset: lastOffset
    ) { () throws(CorpusError) in try meter.checkStop() }
  }

  private func report(byteCount: Int) {
    scatter.meter.read(byteCount: byteCount, documentCount: unreportedDocumentCount)
    unreportedDocumentCount = 0
  }

  /// Throws at a document that cannot be packed, or counts it.
  private func refuse(
    _ fault: DocumentFault, file: Int, line: Int?, byteOffset: Int, feed: any TextFeed
  ) throws(CorpusError) {
    let place = TextPlace(
      path: feed.path, line: line, byteOffset: byteOffset, frame: feed.frame(at: byteOffset)?.index)
    if scatter.plan.onBadDocument == .fail { throw .document(fault, at: place) }
    counts.skippedCount += 1
    if skipped.count < Self.rememberedLimit {
      skipped.append(SkippedDocument(file: file, fault: fault, place: place))
    }
  }
}

extension DocumentScatterer {
  /// Tokenizes a document and writes it to its bucket.
  private func add(
    _ text: UnsafeRawBufferPointer, file: Int, line: LineCount?, byteOffset: Int,
    feed: any TextFeed
  ) throws(CorpusError) {
    if text.isEmpty {
      counts.emptyCount += 1
      return
    }
    let (key, isHeldOut) = scatter.keys.key(of: text, file: file, byteOffset: byteOffset)
    tokens.removeAll(keepingCapacity: true)
    scatter.tokenizer.encode(text.bindMemory(to: UInt8.self).span, into: &tokens)
    guard let bytes = encodeTokens() else {
      var line = line
      let place = TextPlace(
        path: feed.path, line: try line?.number(), byteOffset: byteOffset,
        frame: feed.frame(at: byteOffset)?.index)
      let wrong = tokens.first { !isAllowed($0) } ?? scatter.tokenizer.endOfText
      throw .packing(.token(tokenizer: scatter.tokenizer.name, token: wrong, at: place))
    }
    try (isHeldOut ? buckets.heldOut : buckets.train).append(key, bytes)
    count(text, isHeldOut: isHeldOut)
    if text.count > Self.usualByteCount { shrink() }
  }

  private func count(_ text: UnsafeRawBufferPointer, isHeldOut: Bool) {
    unreportedDocumentCount += 1
    counts.textByteCount += text.count
    if isHeldOut {
      counts.heldOut.documentCount += 1
      counts.heldOut.tokenCount += tokens.count + 1
    } else {
      counts.train.documentCount += 1
      counts.train.tokenCount += tokens.count + 1
    }
  }

  private func shrink() {
    scanner.shrink(to: Self.usualByteCount)
    tokens = []
    encoded.shrink(to: Self.usualByteCount)
  }

  private func isAllowed(_ token: UInt32) -> Bool {
    Int(token) < scatter.tokenizer.vocabularySize && token != scatter.tokenizer.endOfText
  }

  /// The tokens and an end-of-text as they stand in a shard; nil where a token may not stand in a
  /// document.
  private func encodeTokens() -> UnsafeRawBufferPointer? {
    let width = scatter.tokenWidth
    let byteCount = (tokens.count + 1) * width.byteCount
    encoded.reserve(byteCount, keeping: 0)
    let output = encoded.base
    let endOfText = scatter.tokenizer.endOfText
    let isRight: Bool
    switch width {
    case .uint16:
      isRight = copy(output.bindMemory(to: UInt16.self, capacity: tokens.count + 1), endOfText)
    case .uint32:
      isRight = copy(output.bindMemory(to: UInt32.self, capacity: tokens.count + 1), endOfText)
    }
    return isRight ? UnsafeRawBufferPointer(start: output, count: byteCount) : nil
  }

  /// Copies the tokens, little-endian, and returns whether all of them may stand in a document.
  @inline(__always)
  private func copy<Number: FixedWidthInteger>(
    _ output: UnsafeMutablePointer<Number>, _ endOfText: UInt32
  ) -> Bool {
    var largest: UInt32 = 0
    var endCount: UInt32 = 0
    tokens.withUnsafeBufferPointer { tokens in
      // One pass without a branch, which the compiler turns into vector code.
      for index in tokens.indices {
        let token = tokens[index]
        largest = max(largest, token)
        endCount |= token == endOfText ? 1 : 0
        output[index] = Number(truncatingIfNeeded: token).littleEndian
      }
    }
    output[tokens.count] = Number(truncatingIfNeeded: endOfText).littleEndian
    return Int(largest) < scatter.tokenizer.vocabularySize && endCount == 0
  }
}

/// The number of the line that is being read.
///
/// A thread that begins in the middle of a file does not know it, and only a fault asks for it:
/// then the newlines before are counted, once.
struct LineCount {
  /// The lines of the range that have been passed, the current one included.
  var passed = 0
  private let rangeStart: Int
  private let path: String
  private var before: Int?

  init(rangeStart: Int, path: String) {
    self.rangeStart = rangeStart
    self.path = path
    before = rangeStart == 0 ? 0 : nil
  }

  /// The current line, counted from 1.
  mutating func number() throws(CorpusError) -> Int {
    if let before { return before + passed }
    let reader = try FileReader(path: path)
    var newlineCount = 0
    var position = 0
    var endsWithNewline = true
    while position < rangeStart {
      let bytes = try reader.bytes(at: position, count: min(1 << 20, rangeStart - position))
      for byte in bytes where byte == 0x0A { newlineCount += 1 }
      endsWithNewline = bytes.last == 0x0A
      position += bytes.count
    }
    // A line that began before the range and ends in it is not one of the range's.
    let counted = newlineCount + (endsWithNewline ? 0 : 1)
    before = counted
    return counted + passed
  }
}
