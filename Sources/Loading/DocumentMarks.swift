/// Where documents end in rows of tokens, in the forms that a trainer needs in order to keep packed
/// documents apart.
///
/// A row has T + 1 tokens: its inputs are the first T, its targets the last T. Everything here
/// speaks of the T inputs. With end-of-text E, and B = 1, T = 6:
///
///     tokens        a  b  E  c  E  d  e     T + 1
///     segment ids   0  0  0  1  1  2        the E belongs to the document that it ends
///     positions     0  1  2  0  1  0        counted anew after every E
///     loss mask     1  1  0  1  0  1        0 where the input is E: its target is of another text
///     ends          2  4                    the places of E among the inputs
///     lengths       0  3  5  6              cumulative, as variable-length attention takes them
///
/// A row begins with segment 0 at position 0, also where its first token stands in the middle of a
/// document: what was before it is in another row.
///
/// Documents are known by their end-of-text alone. Where a corpus has none between its documents,
/// as in foreign formats whose samples are joined as they are, no boundary is seen: every row is
/// one segment, and nothing is masked. An end-of-text that the element type cannot hold is never
/// seen either.
///
/// The value refers to the caller's tokens and is to be used while they stand. What it writes goes
/// to memory of the caller's; nothing is allocated, and every method reads the tokens once.
public struct DocumentMarks {
  /// B, the number of rows.
  public let rowCount: Int
  /// T, the targets of a row.
  public let sequenceLength: Int

  private let tokens: Tokens

  /// The tokens by their width; the bits of an id are the same, signed or not.
  private enum Tokens {
    case narrow(UnsafePointer<UInt16>, endOfText: UInt16?)
    case wide(UnsafePointer<UInt32>, endOfText: UInt32?)
    case widest(UnsafePointer<UInt64>, endOfText: UInt64?)
  }

  /// Looks at rows of tokens.
  ///
  /// - Parameters:
  ///   - tokens: `[row, T + 1]`, row-major; must stand as long as the value is used.
  ///   - sequenceLength: T.
  ///   - endOfText: The corpus's end-of-text id: `corpus.tokenizer.endOfText`.
  /// - Precondition: The tokens are whole rows, at least one, and at most 2^31 − 1 tokens in all;
  ///   the id is not negative.
  public init<Element: TokenElement>(
    of tokens: UnsafeBufferPointer<Element>, sequenceLength: Int, endOfText: Int
  ) {
    precondition(sequenceLength >= 1, "a row has at least 1 target, not \(sequenceLength)")
    precondition(endOfText >= 0, "a token id is not negative, as \(endOfText) is")
    // What is written as Int32, counts in lists of the whole batch included, fits.
    guard let base = tokens.baseAddress, (1...Int(Int32.max)).contains(tokens.count),
      tokens.count % (sequenceLength + 1) == 0
    else {
      preconditionFailure("\(tokens.count) tokens are not rows of \(sequenceLength + 1) tokens")
    }
    rowCount = tokens.count / (sequenceLength + 1)
    self.sequenceLength = sequenceLength
    let memory = UnsafeRawPointer(base)
    self.tokens =
      switch Element.tokenType {
      case .uint16:
        .narrow(
          memory.assumingMemoryBound(to: UInt16.self), endOfText: UInt16(exactly: endOfText))
      case .uint32, .int32:
        .wide(memory.assumingMemoryBound(to: UInt32.self), endOfText: UInt32(exactly: endOfText))
      case .int64:
        .widest(memory.assumingMemoryBound(to: UInt64.self), endOfText: UInt64(exactly: endOfText))
      }
  }

  // MARK: One value for each input

  /// Writes what belongs to each input; what is nil is left out.
  ///
  /// The loss mask is one byte for each input, 0 or 1: a quarter of what Float would take, and what
  /// the Boolean tensors of training frameworks are made of, so that they take the memory as it is.
  ///
  /// - Parameters:
  ///   - segments: `[row, T]`: the document of each input, counted in its row from 0.
  ///   - positions: `[row, T]`: the place of each input in its document, as far as that is in the
  ///     row, from 0.
  ///   - lossMask: `[row, T]`: 0 where the input is end-of-text, whose target begins another
  ///     document, else 1.
  /// - Throws: ``LoadingError/bufferSize(elementCount:required:)`` if a buffer does not have B·T
  ///   elements.
  public func write(
    segments: UnsafeMutableBufferPointer<Int32>? = nil,
    positions: UnsafeMutableBufferPointer<Int32>? = nil,
    lossMask: UnsafeMutableBufferPointer<UInt8>? = nil
  ) throws(LoadingError) {
    let required = rowCount * sequenceLength
    for count in [segments?.count, positions?.count, lossMask?.count] {
      guard let count, count != required else { continue }
      throw .bufferSize(elementCount: count, required: required)
    }
    let length = sequenceLength
    forEachSegment { segment in
      let first = segment.row * length + segment.inputs.lowerBound
      let count = segment.inputs.count
      if let base = segments?.baseAddress {
        (base + first).update(repeating: Int32(truncatingIfNeeded: segment.index), count: count)
      }
      if let base = positions?.baseAddress { Self.writeCounting(base + first, count: count) }
      if let base = lossMask?.baseAddress {
        (base + first).update(repeating: 1, count: count)
        if segment.isEnded { base[first + count - 1] = 0 }
      }
    }
  }

  /// Writes 0, 1, 2, ….
  @inline(__always)
  private static func writeCounting(_ base: UnsafeMutablePointer<Int32>, count: Int) {
    for place in 0..<count { base[place] = Int32(truncatingIfNeeded: place) }
  }

  // MARK: Lists

  /// Writes the places of end-of-text among the inputs, the rows' lists one after another.
  ///
  /// - Parameters:
  ///   - places: Filled from its beginning; each place is counted in its row, in 0..<T.
  ///   - rowOffsets: `[B + 1]`: the list of row r is `places[rowOffsets[r]..<rowOffsets[r + 1]]`.
  /// - Returns: How many places were written.
  /// - Throws: ``LoadingError/bufferSize(elementCount:required:)`` if the lists need more room than
  ///   `places` has, or `rowOffsets` has not B + 1 elements. B·T elements are always enough.
  @discardableResult
  public func writeDocumentEnds(
    into places: UnsafeMutableBufferPointer<Int32>,
    rowOffsets: UnsafeMutableBufferPointer<Int32>
  ) throws(LoadingError) -> Int {
    var list = try BoundedList(places, rowOffsets: rowOffsets, rowCount: rowCount)
    forEachSegment { segment in
      if segment.inputs.lowerBound == 0 { list.beginRow(segment.row) }
      if segment.isEnded { list.append(segment.inputs.upperBound - 1) }
    }
    return try list.end(rowCount: rowCount)
  }

  /// Writes the cumulative lengths of each row's segments: 0, the end of each segment, and so at
  /// last T.
  ///
  /// - Parameters:
  ///   - lengths: Filled from its beginning, the rows' lists one after another.
  ///   - rowOffsets: `[B + 1]`: the list of row r is `lengths[rowOffsets[r]..<rowOffsets[r + 1]]`.
  /// - Returns: How many numbers were written.
  /// - Throws: ``LoadingError/bufferSize(elementCount:required:)`` if the lists need more room than
  ///   `lengths` has, or `rowOffsets` has not B + 1 elements. B·(T + 1) elements are always enough.
  @discardableResult
  public func writeCumulativeLengths(
    into lengths: UnsafeMutableBufferPointer<Int32>,
    rowOffsets: UnsafeMutableBufferPointer<Int32>
  ) throws(LoadingError) -> Int {
    var list = try BoundedList(lengths, rowOffsets: rowOffsets, rowCount: rowCount)
    forEachSegment { segment in
      if segment.inputs.lowerBound == 0 {
        list.beginRow(segment.row)
        list.append(0)
      }
      list.append(segment.inputs.upperBound)
    }
    return try list.end(rowCount: rowCount)
  }

  /// Writes the cumulative lengths of all segments of the batch, its rows laid end to end: 0, the
  /// end of each segment, and so at last B·T.
  ///
  /// That is the form that variable-length attention takes for a whole batch; no segment crosses
  /// from one row into the next.
  ///
  /// - Parameter lengths: Filled from its beginning.
  /// - Returns: How many numbers were written, one more than there are segments, and the longest
  ///   segment's length.
  /// - Throws: ``LoadingError/bufferSize(elementCount:required:)`` if there are more numbers than
  ///   `lengths` has room for. B·T + 1 elements are always enough.
  @discardableResult
  public func writeCumulativeLengths(into lengths: UnsafeMutableBufferPointer<Int32>)
    throws(LoadingError) -> (count: Int, longest: Int)
  {
    var list = BoundedList(lengths)
    var longest = 0
    let length = sequenceLength
    list.append(0)
    forEachSegment { segment in
      list.append(segment.row * length + segment.inputs.upperBound)
      longest = max(longest, segment.inputs.count)
    }
    return (try list.end(rowCount: 0), longest)
  }

  // MARK: The pass

  /// Inputs of one row that belong to one document.
  private struct Segment {
    var row: Int
    /// Counted in the row from 0.
    var index: Int
    /// The places, counted in the row.
    var inputs: Range<Int>
    /// Whether the last of them is end-of-text.
    var isEnded: Bool
  }

  @inline(__always)
  private func forEachSegment(_ body: (Segment) -> Void) {
    switch tokens {
    case .narrow(let base, let endOfText): forEachSegment(of: base, endOfText, body)
    case .wide(let base, let endOfText): forEachSegment(of: base, endOfText, body)
    case .widest(let base, let endOfText): forEachSegment(of: base, endOfText, body)
    }
  }

  /// Compares a block of tokens at a time, which vector instructions do, and then looks at eight
  /// comparisons at once: where documents are long, nearly all of them find nothing.
  @inline(__always)
  private func forEachSegment<Word: FixedWidthInteger>(
    of base: UnsafePointer<Word>, _ endOfText: Word?, _ body: (Segment) -> Void
  ) {
    // On the stack.
    withUnsafeTemporaryAllocation(byteCount: Self.blockCount, alignment: 64) { flags in
      guard let flags = flags.baseAddress else { return }
      for row in 0..<rowCount {
        let inputs = base + row * (sequenceLength + 1)
        var (begin, index) = (0, 0)
        var block = 0
        while let endOfText, block < sequenceLength {
          let count = min(Self.blockCount, sequenceLength - block)
          Self.flag(endOfText, in: inputs + block, count: count, into: flags)
          for group in 0..<(count + 7) / 8 {
            var bits = flags.load(fromByteOffset: 8 * group, as: UInt64.self).littleEndian
            while bits != 0 {
              let place = block + 8 * group + bits.trailingZeroBitCount / 8
              bits &= bits &- 1
              body(Segment(row: row, index: index, inputs: begin..<place + 1, isEnded: true))
              (begin, index) = (place + 1, index + 1)
            }
          }
          block += count
        }
        guard begin < sequenceLength else { continue }
        body(Segment(row: row, index: index, inputs: begin..<sequenceLength, isEnded: false))
      }
    }
  }

  /// The tokens of a block; a multiple of 8.
  private static let blockCount = 256

  /// Writes a byte for each word, 1 where it is `word`, else 0; the rest of the last group is 0.
  @inline(__always)
  private static func flag<Word: FixedWidthInteger>(
    _ word: Word, in words: UnsafePointer<Word>, count: Int, into flags: UnsafeMutableRawPointer
  ) {
    if count % 8 != 0 {
      flags.storeBytes(of: 0, toByteOffset: count / 8 * 8, as: UInt64.self)
    }
    let bytes = flags.assumingMemoryBound(to: UInt8.self)
    for place in 0..<count { bytes[place] = words[place] == word ? 1 : 0 }
  }
}

/// A list in memory of the caller's, which counts on past the end of its room.
private struct BoundedList {
  // The caller's, as long as the call lasts for which this list is made.
  private let room: UnsafeMutableBufferPointer<Int32>
  // The same.
  private var rowOffsets: UnsafeMutableBufferPointer<Int32>?
  private var count = 0

  init(_ room: UnsafeMutableBufferPointer<Int32>) { self.room = room }

  init(
    _ room: UnsafeMutableBufferPointer<Int32>, rowOffsets: UnsafeMutableBufferPointer<Int32>,
    rowCount: Int
  ) throws(LoadingError) {
    guard rowOffsets.count == rowCount + 1 else {
      throw .bufferSize(elementCount: rowOffsets.count, required: rowCount + 1)
    }
    self.room = room
    self.rowOffsets = rowOffsets
  }

  @inline(__always)
  mutating func beginRow(_ row: Int) {
    rowOffsets?[row] = Int32(truncatingIfNeeded: count)
  }

  @inline(__always)
  mutating func append(_ value: Int) {
    if count < room.count { room[count] = Int32(truncatingIfNeeded: value) }
    count += 1
  }

  /// Ends the list and returns its count, which its room must have held.
  func end(rowCount: Int) throws(LoadingError) -> Int {
    guard count <= room.count else {
      throw .bufferSize(elementCount: room.count, required: count)
    }
    rowOffsets?[rowCount] = Int32(truncatingIfNeeded: count)
    return count
  }
}

extension Batch {
  /// Calls `body` with the marks of the batch's documents.
  ///
  ///     try batch.withMarks(endOfText: corpus.tokenizer.endOfText) { marks in
  ///       try marks.write(segments: segments, positions: positions, lossMask: mask)
  ///     }
  ///
  /// - Parameters:
  ///   - endOfText: The corpus's end-of-text id: `corpus.tokenizer.endOfText`.
  ///   - body: What to do with the marks, which are valid until it returns.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  public func withMarks<Result, Failure: Error>(
    endOfText: Int, _ body: (DocumentMarks) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    switch facts.storage.tokenType {
    case .uint16: try withMarks(of: UInt16.self, endOfText: endOfText, body)
    case .uint32: try withMarks(of: UInt32.self, endOfText: endOfText, body)
    case .int32: try withMarks(of: Int32.self, endOfText: endOfText, body)
    case .int64: try withMarks(of: Int64.self, endOfText: endOfText, body)
    }
  }

  private func withMarks<Element: TokenElement, Result, Failure: Error>(
    of type: Element.Type, endOfText: Int, _ body: (DocumentMarks) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withTokens(as: type) { (tokens) throws(Failure) in
      try body(
        DocumentMarks(of: tokens, sequenceLength: sequenceLength, endOfText: endOfText))
    }
  }
}
