/// Walks through the samples of one MDS shard after another and gives their tokens; for one thread.
///
/// Every length is compared with the offsets around it before anything is read by it, so that
/// samples that overlap, leave gaps or end elsewhere are found out, not read.
///
/// Sound to send between threads because ``MDSWorkspaces`` and ``MDSStream`` let one use it at a
/// time.
final class MDSWalker: @unchecked Sendable {
  let content = MDSContent()
  private var layout: MDSLayout?
  private var tokenizer = TokenizerDescription(name: "", vocabularySize: 0, endOfText: 0)

  private var sampleCount = 0
  /// The sample that is begun next.
  private(set) var sample = 0
  /// Whether `sample` is the current one.
  private var hasBegun = false
  /// The current sample's tokens that were not given yet.
  private(set) var tokensLeft = 0
  /// Whether an end-of-text comes after them.
  private var owesEndOfText = false
  /// Whether sizes say how many tokens samples have, nil while no sample was looked at.
  private var trustsSizes: Bool?
  /// The integers of the current sample.
  private var type = StoredTokenType.uint16

  /// Where samples begin: of samples of one size, by arithmetic from the first; else some offsets
  /// of the table, all of them where the shard is compressed.
  private(set) var firstOffset = 0
  private var offsets: [UInt32] = []
  private var offsetsFrom = 0
  private var table: FileReader?
  private static let offsetsAtOnce = 1024

  // MARK: Opening

  /// Begins a shard, whose stored file has the recorded size, at its beginning.
  func open(
    _ entry: MDSShardEntry, _ layout: MDSLayout, _ tokenizer: TokenizerDescription,
    file: FileReader, place: ShardPlace
  ) throws(CorpusError) {
    begin(entry, layout, tokenizer)
    if entry.compression == nil {
      table = file
      content.open(file, place: place, at: 0)
    } else {
      table = nil
      content.open(try ZstdFeed(file), place: place, byteCount: entry.rawByteCount)
    }
    let found = Int(number(at: 0, of: try content.next(8)))
    guard found == sampleCount else {
      throw content.damage(.sampleCount(recorded: sampleCount, found: found), at: 0)
    }
    firstOffset = Int(number(at: 4, of: try content.next(8)))
    let allowed = (8 + 4 * sampleCount)...max(8 + 4 * sampleCount, entry.rawByteCount)
    guard allowed.contains(firstOffset) else {
      throw content.damage(.offset(found: firstOffset, allowed: allowed), at: 4)
    }
    content.consume(4)
    try readTable(keeping: layout.sampleByteCount == nil && table == nil)
    let last = try offset(sampleCount)
    guard last == entry.rawByteCount else {
      throw content.damage(
        .offset(found: last, allowed: entry.rawByteCount...entry.rawByteCount),
        at: 4 + 4 * sampleCount)
    }
  }

  /// Begins a raw shard at some sample, after ``open(_:_:_:file:place:)`` found it whole.
  func open(
    _ entry: MDSShardEntry, _ layout: MDSLayout, _ tokenizer: TokenizerDescription,
    file: FileReader, place: ShardPlace, at sample: Int, firstOffset: Int, trustsSizes: Bool?
  ) throws(CorpusError) {
    begin(entry, layout, tokenizer)
    table = file
    self.firstOffset = firstOffset
    self.trustsSizes = trustsSizes
    self.sample = sample
    content.open(file, place: place, at: 0)
    try content.move(to: try offset(sample))
  }

  /// Lets go of the shard.
  func close() {
    content.close()
    table = nil
    offsets.removeAll(keepingCapacity: offsets.count <= Self.offsetsAtOnce)
  }

  private func begin(
    _ entry: MDSShardEntry, _ layout: MDSLayout, _ tokenizer: TokenizerDescription
  ) {
    self.layout = layout
    self.tokenizer = tokenizer
    sampleCount = entry.sampleCount
    (sample, tokensLeft) = (0, 0)
    (hasBegun, owesEndOfText) = (false, false)
    trustsSizes = nil
    offsets.removeAll(keepingCapacity: true)
    offsetsFrom = 0
  }

  // MARK: Offsets

  private func number(at byteOffset: Int, of bytes: UnsafeRawBufferPointer) -> UInt32 {
    UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: byteOffset, as: UInt32.self))
  }

  /// Passes over the table of a shard that is read from its beginning.
  ///
  /// Where samples have one size, each offset must be the one that follows from it.
  private func readTable(keeping keeps: Bool) throws(CorpusError) {
    guard table == nil else { return }
    let size = layout?.sampleByteCount
    if keeps { offsets.reserveCapacity(sampleCount + 1) }
    for index in 0...sampleCount {
      let found = number(at: 0, of: try content.next(4))
      if keeps { offsets.append(found.littleEndian) }
      if let size, Int(found) != firstOffset + index * size {
        let expected = firstOffset + index * size
        throw content.damage(.offset(found: Int(found), allowed: expected...expected))
      }
      content.consume(4)
    }
  }

  /// Where sample `index` begins, and the one before it ends.
  private func offset(_ index: Int) throws(CorpusError) -> Int {
    if let size = layout?.sampleByteCount { return firstOffset + index * size }
    if !(offsetsFrom..<offsetsFrom + offsets.count).contains(index), let table {
      let count = min(Self.offsetsAtOnce, sampleCount + 1 - index)
      if offsets.count != count { offsets = [UInt32](repeating: 0, count: count) }
      offsetsFrom = index
      var failure: CorpusError?
      offsets.withUnsafeMutableBytes { bytes in
        do throws(CorpusError) {
          try table.read(into: bytes, at: 4 + 4 * index)
        } catch {
          failure = error
        }
      }
      if let failure {
        offsets.removeAll(keepingCapacity: true)
        throw failure
      }
    }
    return Int(UInt32(littleEndian: offsets[index - offsetsFrom]))
  }

  /// The place of the next sample, whose offsets are checked against each other and the file.
  private func nextBounds() throws(CorpusError) -> Range<Int> {
    let begin = try offset(sample)
    let end = try offset(sample + 1)
    guard (firstOffset...content.byteCount).contains(begin) else {
      throw content.damage(
        .offset(found: begin, allowed: firstOffset...content.byteCount), sample: sample,
        at: 4 + 4 * sample)
    }
    guard (begin...content.byteCount).contains(end) else {
      throw content.damage(
        .offset(found: end, allowed: begin...content.byteCount), sample: sample,
        at: 8 + 4 * sample)
    }
    return begin..<end
  }

  // MARK: Samples

  /// Goes to the next sample's tokens.
  private func beginSample(_ layout: MDSLayout) throws(CorpusError) {
    let bounds = try nextBounds()
    let sampleByteCount = bounds.count
    let headByteCount = 4 * layout.variableCount
    try content.move(to: bounds.lowerBound)
    guard headByteCount <= sampleByteCount else {
      throw content.damage(
        .lengths(sum: headByteCount, sampleByteCount: sampleByteCount), sample: sample)
    }
    // At most 2^10 lengths below 2^32: the sum fits an Int.
    var sum = headByteCount + layout.fixedByteCount
    var (before, value, column) = (0, layout.tokenColumnByteCount ?? 0, 0)
    let head =
      headByteCount > 0
      ? try content.next(headByteCount) : UnsafeRawBufferPointer(start: nil, count: 0)
    for size in layout.sizesBefore {
      if let size {
        before += size
      } else {
        before += Int(number(at: 4 * column, of: head))
        column += 1
      }
    }
    if layout.tokenColumnByteCount == nil { value = Int(number(at: 4 * column, of: head)) }
    for column in 0..<layout.variableCount { sum += Int(number(at: 4 * column, of: head)) }
    guard sum == sampleByteCount else {
      throw content.damage(.lengths(sum: sum, sampleByteCount: sampleByteCount), sample: sample)
    }
    content.consume(headByteCount)
    try content.move(to: bounds.lowerBound + headByteCount + before)
    try beginValue(layout, byteCount: value, sampleByteCount: sampleByteCount)
    hasBegun = true
    owesEndOfText = layout.samples == .joinedWithEndOfText
  }

  /// Reads what stands before the tokens in their column.
  private func beginValue(_ layout: MDSLayout, byteCount: Int, sampleByteCount: Int)
    throws(CorpusError)
  {
    var (left, product) = (byteCount, nil as Int?)
    if layout.hasTypeCode { left -= try readTypeCode(layout, byteCount: left) }
    type = layout.type ?? type
    if layout.hasShape {
      let shape = try readShape(byteCount: left)
      left -= shape.byteCount
      product = shape.product
    }
    guard left % type.byteCount == 0 else {
      throw content.damage(
        .tokenBytes(byteCount: left, tokenByteCount: type.byteCount), sample: sample)
    }
    tokensLeft = left / type.byteCount
    if let product, product != tokensLeft {
      throw content.damage(.arrayShape(byteCount: byteCount), sample: sample)
    }
    guard layout.counting == .sampleSize else { return }
    let isBySize = layout.tokenCount(ofSampleByteCount: sampleByteCount) == tokensLeft
    if trustsSizes == nil, sample == 0 { trustsSizes = isBySize }
    if trustsSizes == true, !isBySize {
      throw content.damage(.arrayDimensions, sample: sample)
    }
  }

  private func readTypeCode(_ layout: MDSLayout, byteCount: Int) throws(CorpusError) -> Int {
    guard byteCount >= 1 else {
      throw content.damage(.arrayShape(byteCount: byteCount), sample: sample)
    }
    let code = try content.next(1)[0]
    guard let found = MDSEncoding.tokenType(ofCode: code), found == layout.type ?? found else {
      throw content.damage(.arrayType(code: code), sample: sample)
    }
    type = found
    content.consume(1)
    return 1
  }

  /// Reads an array's shape: how many bytes it took, and how many values it gives.
  private func readShape(byteCount: Int) throws(CorpusError) -> (byteCount: Int, product: Int) {
    func misfit() -> CorpusError {
      content.damage(.arrayShape(byteCount: byteCount), sample: sample)
    }
    guard byteCount >= 1 else { throw misfit() }
    let code = try content.next(1)[0]
    let (dimensionCount, width) = (Int(code >> 2), 1 << Int(code & 3))
    let shapeByteCount = 1 + dimensionCount * width
    guard dimensionCount >= 1, shapeByteCount <= byteCount else { throw misfit() }
    let bytes = try content.next(shapeByteCount)
    var product = 1
    for dimension in 0..<dimensionCount {
      var size: UInt64 = 0
      for place in (0..<width).reversed() {
        size = size << 8 | UInt64(bytes[1 + dimension * width + place])
      }
      let (wider, overflows) = product.multipliedReportingOverflow(by: Int(clamping: size))
      guard !overflows, wider <= byteCount else { throw misfit() }
      product = wider
    }
    content.consume(shapeByteCount)
    return (shapeByteCount, product)
  }

  // MARK: Tokens

  /// Writes the next tokens into `memory`, as many as fit, fewer only at the shard's end.
  ///
  /// With the last token of the shard its end has been checked.
  func read(into memory: UnsafeMutableRawBufferPointer, width: TokenWidth) throws(CorpusError)
    -> Int
  {
    let capacity = memory.count / width.byteCount
    guard capacity > 0, let base = memory.baseAddress else { return 0 }
    var written = 0
    while written < capacity, try goOn() {
      let destination = base + written * width.byteCount
      if tokensLeft > 0 {
        let count = min(tokensLeft, capacity - written)
        written += try give(count, into: destination, width: width)
      } else {
        width.store(
          UInt32(truncatingIfNeeded: tokenizer.endOfText),
          into: UnsafeMutableRawBufferPointer(start: destination, count: width.byteCount))
        owesEndOfText = false
        written += 1
      }
    }
    // Of a compressed shard only its end shows that it is whole.
    if table == nil, tokensLeft == 0, !owesEndOfText { _ = try goOn() }
    return written
  }

  /// Passes over the next tokens of the shard, of which there must be as many.
  func skip(_ tokenCount: Int) throws(CorpusError) {
    var left = tokenCount
    while left > 0, try goOn() {
      if tokensLeft > 0 {
        let count = min(left, tokensLeft)
        try content.move(to: content.position + count * type.byteCount)
        tokensLeft -= count
        left -= count
      } else {
        owesEndOfText = false
        left -= 1
      }
    }
  }

  /// Whether the shard has another token, which then is the next.
  private func goOn() throws(CorpusError) -> Bool {
    guard let layout else { return false }
    while tokensLeft == 0, !owesEndOfText {
      if hasBegun { sample += 1 }
      hasBegun = false
      guard sample < sampleCount else {
        try endShard()
        return false
      }
      try beginSample(layout)
    }
    return true
  }

  /// Passes over what follows the last sample's tokens.
  private func endShard() throws(CorpusError) {
    try content.move(to: content.byteCount)
    try content.expectEnd()
  }

  /// Writes some of the current sample's tokens: `count`, or as many as the buffer holds.
  private func give(_ count: Int, into destination: UnsafeMutableRawPointer, width: TokenWidth)
    throws(CorpusError) -> Int
  {
    let (begin, given, unknown): (Int, Int, Int?)
    begin = content.position
    let source: UnsafeRawPointer?
    if type.byteCount == width.byteCount {
      given = count
      try content.copy(
        into: UnsafeMutableRawBufferPointer(start: destination, count: count * width.byteCount))
      source = UnsafeRawPointer(destination)
    } else {
      let bytes = try content.next(type.byteCount)
      given = min(count, bytes.count / type.byteCount)
      source = bytes.baseAddress
    }
    guard let source else { return 0 }
    unknown = type.convert(
      source, count: given, into: destination, width: width,
      vocabularySize: tokenizer.vocabularySize)
    if let unknown {
      throw .foreignToken(
        content.place, sample: sample, byteOffset: begin + unknown * type.byteCount,
        token: type.value(at: unknown, of: source), vocabularySize: tokenizer.vocabularySize)
    }
    if type.byteCount != width.byteCount { content.consume(given * type.byteCount) }
    tokensLeft -= given
    return given
  }
}

// MARK: Counting

extension MDSWalker {
  /// A place from which the samples of a raw shard can be walked.
  struct Mark: Sendable, Equatable {
    var sample: UInt32
    /// The shard's token with which the sample begins.
    var token: UInt64
  }

  /// What a walk through a whole shard finds.
  struct Scan: Sendable {
    var tokenCount = 0
    /// The number of tokens in every sample as it lies; nil where they differ or there is none.
    var sampleTokenCount: Int?
    var marks: [Mark] = []
    var trustsSizes: Bool?
  }

  /// Counts the tokens of a shard that was opened at its beginning; marks have `interval` bytes
  /// between them.
  func scan(_ layout: MDSLayout, markingEvery interval: Int?) throws(CorpusError) -> Scan {
    var scan = Scan()
    var (isUniform, nextMark, needsContent) = (true, 0, layout.counting == .content)
    for index in 0..<sampleCount {
      let bounds = try nextBounds()
      if let interval, bounds.lowerBound >= nextMark {
        scan.marks.append(Mark(sample: UInt32(index), token: UInt64(scan.tokenCount)))
        nextMark = bounds.lowerBound + interval
      }
      var count = needsContent ? nil : layout.tokenCount(ofSampleByteCount: bounds.count)
      if count == nil || (index == 0 && layout.hasShape) {
        try beginSample(layout)
        count = tokensLeft
        needsContent = needsContent || trustsSizes == false
      }
      if let sampleCount = scan.sampleTokenCount, sampleCount != count {
        isUniform = false
        guard layout.samples != .sequences else {
          throw .mdsColumn(
            path: content.place.path, column: layout.column,
            .unequalSamples(
              sample: index, tokenCount: count ?? 0, firstTokenCount: sampleCount))
        }
      }
      scan.sampleTokenCount = scan.sampleTokenCount ?? count
      scan.tokenCount += (count ?? 0) + (layout.samples == .joinedWithEndOfText ? 1 : 0)
      sample += 1
    }
    if needsContent { try endShard() }
    if !isUniform { scan.sampleTokenCount = nil }
    scan.trustsSizes = trustsSizes
    return scan
  }
}
