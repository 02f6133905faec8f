import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Where documents end in rows: by hand, and against a plain reference over made-up rows.
@Suite(.timeLimit(.minutes(5)))
struct DocumentMarksTests {
  /// Everything that the marks of some rows say.
  private struct Marks: Equatable {
    var segments: [Int32]
    var positions: [Int32]
    var lossMask: [UInt8]
    /// By row.
    var ends: [[Int32]]
    /// By row.
    var lengths: [[Int32]]
    var batchLengths: [Int32]
    var longest: Int
  }

  /// Calls `body` with room for `count` elements, none of which is 0, and returns what it leaves.
  private static func room<Element: FixedWidthInteger>(
    _ count: Int, _ body: (UnsafeMutableBufferPointer<Element>) throws -> Void
  ) rethrows -> [Element] {
    var elements = [Element](repeating: 99, count: count)
    try elements.withUnsafeMutableBufferPointer { try body($0) }
    return elements
  }

  /// What ``DocumentMarks`` says.
  private static func marks(_ marks: DocumentMarks) throws -> Marks {
    let (rows, length) = (marks.rowCount, marks.sequenceLength)
    var (positions, lossMask): ([Int32], [UInt8]) = ([], [])
    let segments: [Int32] = try room(rows * length) { segments in
      positions = try room(rows * length) { positions in
        lossMask = try room(rows * length) { mask in
          try marks.write(segments: segments, positions: positions, lossMask: mask)
        }
      }
    }
    var (places, offsets): ([Int32], [Int32]) = ([], [])
    offsets = try room(rows + 1) { offsets in
      places = try room(rows * length) {
        try marks.writeDocumentEnds(into: $0, rowOffsets: offsets)
      }
    }
    let ends = (0..<rows).map { Array(places[Int(offsets[$0])..<Int(offsets[$0 + 1])]) }
    offsets = try room(rows + 1) { offsets in
      places = try room(rows * (length + 1)) {
        try marks.writeCumulativeLengths(into: $0, rowOffsets: offsets)
      }
    }
    let lengths = (0..<rows).map { Array(places[Int(offsets[$0])..<Int(offsets[$0 + 1])]) }
    var all = (count: 0, longest: 0)
    let batchLengths: [Int32] = try room(rows * length + 1) {
      all = try marks.writeCumulativeLengths(into: $0)
    }
    return Marks(
      segments: segments, positions: positions, lossMask: lossMask, ends: ends, lengths: lengths,
      batchLengths: Array(batchLengths[..<all.count]), longest: all.longest)
  }

  /// The same, token by token, as one would say it.
  private static func reference(_ rows: [[Int]], endOfText: Int) -> Marks {
    var marks = Marks(
      segments: [], positions: [], lossMask: [], ends: [], lengths: [], batchLengths: [0],
      longest: 0)
    var before: Int32 = 0
    for row in rows {
      let inputs = row.dropLast()
      var (segment, position): (Int32, Int32) = (0, 0)
      var ends: [Int32] = []
      for (place, token) in inputs.enumerated() {
        marks.segments.append(segment)
        marks.positions.append(position)
        marks.lossMask.append(token == endOfText ? 0 : 1)
        position += 1
        if token == endOfText {
          ends.append(Int32(place))
          segment += 1
          position = 0
        }
      }
      var lengths = [0] + ends.map { $0 + 1 }
      if lengths.last != Int32(inputs.count) { lengths.append(Int32(inputs.count)) }
      marks.ends.append(ends)
      marks.lengths.append(lengths)
      marks.batchLengths += lengths.dropFirst().map { $0 + before }
      before += Int32(inputs.count)
      let longest = zip(lengths, lengths.dropFirst()).map { Int($1 - $0) }.max() ?? 0
      marks.longest = max(marks.longest, longest)
    }
    return marks
  }

  private static func marks<Element: TokenElement>(
    of rows: [[Int]], endOfText: Int, as type: Element.Type
  ) throws -> Marks {
    let tokens = rows.joined().map { Element($0) }
    return try tokens.withUnsafeBufferPointer { tokens in
      try marks(
        DocumentMarks(of: tokens, sequenceLength: rows[0].count - 1, endOfText: endOfText))
    }
  }

  // The example of the doc comment, and a row that begins and ends with end-of-text: its last
  // target, an end-of-text too, is no input.
  @Test func marksByHand() throws {
    let rows = [[7, 8, 9, 7, 9, 3, 4], [9, 1, 1, 9, 9, 9, 9]]
    let marks = try Self.marks(of: rows, endOfText: 9, as: Int32.self)
    #expect(marks.segments == [0, 0, 0, 1, 1, 2] + [0, 1, 1, 1, 2, 3])
    #expect(marks.positions == [0, 1, 2, 0, 1, 0] + [0, 0, 1, 2, 0, 0])
    #expect(marks.lossMask == [1, 1, 0, 1, 0, 1] + [0, 1, 1, 0, 0, 0])
    #expect(marks.ends == [[2, 4], [0, 3, 4, 5]])
    #expect(marks.lengths == [[0, 3, 5, 6], [0, 1, 4, 5, 6]])
    #expect(marks.batchLengths == [0, 3, 5, 6, 7, 10, 11, 12])
    #expect(marks.longest == 3)
  }

  @Test func aRowWithoutEndOfTextIsOneSegment() throws {
    let marks = try Self.marks(of: [[1, 2, 3, 9]], endOfText: 9, as: UInt16.self)
    #expect(marks == Self.reference([[1, 2, 3, 4]], endOfText: 9))
    #expect(
      marks.segments == [0, 0, 0] && marks.lossMask == [1, 1, 1] && marks.lengths == [[0, 3]])
    // 65,545 is 9 in the low 16 bits; no token of 16 bits is meant by it.
    #expect(try Self.marks(of: [[9, 9, 9, 9]], endOfText: 65_545, as: UInt16.self) == marks)
    // Neither are numbers of 64 bits whose low half alone is 9.
    let wide = [9 + (1 << 32), 9 - (1 << 32), -9, 9]
    #expect(try Self.marks(of: [wide], endOfText: 9, as: Int64.self) == marks)
  }

  // Lengths on both sides of the block of 32 that the search passes over at once, and rows from
  // without end-of-text to nothing else.
  @Test(arguments: [1, 2, 31, 32, 33, 64, 65, 512]) func marksAreThoseOfTheReference(
    length: Int
  ) throws {
    var generator = TestGenerator(seed: UInt64(length))
    for density in [0, 1, 10, 50, 100] {
      for endOfText in [0, 256, 65_535] {
        let rows = (0..<7).map { _ in
          (0...length).map { _ in
            Int(generator.next() % 100) < density ? endOfText : Int(1 + generator.next() % 255)
          }
        }
        let expected = Self.reference(rows, endOfText: endOfText)
        let place = "T = \(length), \(density) %, end-of-text \(endOfText)"
        #expect(
          try Self.marks(of: rows, endOfText: endOfText, as: UInt16.self) == expected, "\(place)")
        #expect(
          try Self.marks(of: rows, endOfText: endOfText, as: UInt32.self) == expected, "\(place)")
        #expect(
          try Self.marks(of: rows, endOfText: endOfText, as: Int32.self) == expected, "\(place)")
        #expect(
          try Self.marks(of: rows, endOfText: endOfText, as: Int64.self) == expected, "\(place)")
        Self.expectLaws(expected, rows: rows, endOfText: endOfText)
      }
    }
  }

  /// What must hold whatever the tokens are.
  private static func expectLaws(_ marks: Marks, rows: [[Int]], endOfText: Int) {
    let length = rows[0].count - 1
    for (row, tokens) in rows.enumerated() {
      let segments = marks.segments[row * length..<(row + 1) * length].map { Int($0) }
      let positions = marks.positions[row * length..<(row + 1) * length].map { Int($0) }
      #expect(segments[0] == 0 && positions[0] == 0)
      for place in 1..<max(1, length) {
        let steps = tokens[place - 1] == endOfText
        #expect(segments[place] - segments[place - 1] == (steps ? 1 : 0))
        #expect(positions[place] == (steps ? 0 : positions[place - 1] + 1))
      }
      #expect(marks.lengths[row].first == 0 && marks.lengths[row].last == Int32(length))
      #expect(marks.lengths[row].count == segments[length - 1] + 2)
    }
    let ends = rows.reduce(0) { $0 + $1.dropLast().count { $0 == endOfText } }
    #expect(marks.lossMask.reduce(0) { $0 + Int($1) } == rows.count * length - ends)
    #expect(marks.ends.reduce(0) { $0 + $1.count } == ends)
  }

  @Test func roomThatIsTooSmallIsRefusedWithWhatIsNeeded() throws {
    let rows: [Int32] = [9, 1, 9, 9, 2, 2, 9, 1]
    try rows.withUnsafeBufferPointer { tokens in
      let marks = DocumentMarks(of: tokens, sequenceLength: 3, endOfText: 9)
      func required(_ call: () throws -> Void) -> Int? {
        let error = #expect(throws: LoadingError.self) { try call() }
        guard case .bufferSize(_, let required) = error else { return nil }
        return required
      }
      for count in [0, 5, 7] {
        #expect(required { _ = try Self.room(count) { try marks.write(segments: $0) } } == 6)
        #expect(required { _ = try Self.room(count) { try marks.write(positions: $0) } } == 6)
        #expect(required { _ = try Self.room(count) { try marks.write(lossMask: $0) } } == 6)
      }
      _ = try Self.room(3) { offsets in
        for count in 0..<3 {
          #expect(
            required {
              _ = try Self.room(count) {
                try marks.writeDocumentEnds(into: $0, rowOffsets: offsets)
              }
            } == 3)
        }
        let places = try Self.room(3) { try marks.writeDocumentEnds(into: $0, rowOffsets: offsets) }
        #expect(places == [0, 2, 2])
        #expect(
          required {
            _ = try Self.room(4) { try marks.writeCumulativeLengths(into: $0, rowOffsets: offsets) }
          } == 5)
      }
      #expect(required { _ = try Self.room(3) { try marks.writeCumulativeLengths(into: $0) } } == 4)
      #expect(
        required {
          _ = try Self.room(6) { places in
            _ = try Self.room(2) { try marks.writeDocumentEnds(into: places, rowOffsets: $0) }
          }
        } == 3)
    }
  }

  // MARK: Batches

  /// Every token type of the batches of one run: the same rows, and the same marks.
  @Test(arguments: TokenWidth.allCases) func batchesOfEveryTypeHaveTheSameContent(
    width: TokenWidth
  ) throws {
    let corpus = try SyntheticCorpus(
      [.init("code", shards: [30_000]), .init("prose", shards: [9000, 20_000])],
      tokenWidth: width, content: .documents(40))
    let endOfText = try corpus.open().tokenizer.endOfText
    let types = width == .uint16 ? TokenType.allCases : [.uint32, .int32, .int64]
    let loaders = try types.map {
      try Loader(
        corpus.open(), policy: .static(.natural),
        batch: .init(rows: 6, sequenceLength: 256, tokenType: $0), seed: 4,
        options: options { _ in })
    }
    for _ in 1...12 {
      let batches = try loaders.map { try #require(try $0.next()) }
      let rows = zip(batches, types).map { $0.rows($1) }
      let expected = Self.reference(rows[0].map { $0.tokens.map { Int($0) } }, endOfText: endOfText)
      #expect(expected.ends.joined().count > 10)
      for batch in batches {
        #expect(try batch.withMarks(endOfText: endOfText) { try Self.marks($0) } == expected)
      }
      #expect(Set(rows).count == 1)
    }
  }
}
