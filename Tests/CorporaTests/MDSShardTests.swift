// Covers: MDSStream.swift, MDSWalker.swift, MDSContent.swift, MDSLayout.swift, MDSEncoding.swift,
// Covers: MDSShardEntry.swift, MDSShardEntry+Reading.swift
import Corpora
import HeadraceTesting
import Testing

private let tokenizer = TokenizerDescription(
  name: "t", vocabularySize: 50_000, endOfText: 49_999)

/// What MDS shards hold comes back, from any place, whatever the encoding and the sample rule.
@Suite(.timeLimit(.minutes(5)))
struct MDSShardTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// An encoding of a column of tokens, and the bytes that it makes of a sample's.
  struct Form: Sendable, CustomStringConvertible {
    var encoding: String
    var declared: StoredTokenType?
    var size: Int?
    var counts: [Int]
    var bytes: @Sendable ([Int]) -> [UInt8]
    var description: String { encoding + (declared.map { " of \($0)" } ?? "") }
  }

  /// Sizes at which an array's shape changes its width are among the counts.
  private static let counts = [3, 0, 255, 256, 1, 700, 0]

  static let forms: [Form] =
    StoredTokenType.allCases.flatMap { type -> [Form] in
      [
        Form(
          encoding: "bytes", declared: type, size: nil, counts: counts, bytes: { type.bytes($0) }),
        Form(
          encoding: "ndarray", declared: nil, size: nil, counts: [3, 255, 256, 700],
          bytes: { [type.arrayCode] + shapeBytes([$0.count]) + type.bytes($0) }),
        Form(
          encoding: "ndarray", declared: type, size: nil, counts: [3, 255, 256, 700],
          bytes: { [type.arrayCode] + shapeBytes([$0.count]) + type.bytes($0) }),
        Form(
          encoding: "ndarray:\(type)", declared: nil, size: nil, counts: [3, 255, 256, 1, 700],
          bytes: { shapeBytes([$0.count]) + type.bytes($0) }),
        Form(
          encoding: "ndarray:\(type)", declared: nil, size: nil, counts: [300, 24, 700],
          bytes: { shapeBytes([$0.count / 4, 1, 4]) + type.bytes($0) }),
        Form(
          encoding: "ndarray:\(type):5,20", declared: nil, size: 100 * type.byteCount,
          counts: [100, 100, 100], bytes: { type.bytes($0) }),
        Form(
          encoding: "\(type)", declared: nil, size: type.byteCount, counts: [1, 1, 1],
          bytes: { type.bytes($0) }),
      ]
    } + [
      Form(
        encoding: "int", declared: nil, size: 8, counts: [1, 1],
        bytes: { StoredTokenType.int64.bytes($0) })
    ]

  /// Samples of tokens that fit every type.
  private func samples(_ counts: [Int]) -> [[Int]] {
    var next = 0
    return counts.map { count in
      (0..<count).map { _ in
        next += 1
        return next * 37 % 120
      }
    }
  }

  private func expected(_ samples: [[Int]], _ rule: SampleRule) -> [Int] {
    samples.flatMap { $0 + (rule == .joinedWithEndOfText ? [tokenizer.endOfText] : []) }
  }

  /// Compares counts, stream and shard with the tokens that were written.
  private func check(
    _ sample: MDSSample, _ column: MDSColumn, _ samples: [[Int]], _ width: TokenWidth
  ) throws {
    let entry = try #require(try sample.write(to: folder))
    let expected = expected(samples, column.samples)
    let count = try entry.count(column, in: folder.path, domain: "d")
    #expect(count.tokenCount == expected.count)
    #expect(count.documentCount == samples.count)
    let sizes = Set(samples.map(\.count))
    #expect(count.sampleTokenCount == (sizes.count == 1 ? sizes.first : nil))
    for piece in [1, 7, 5000] {
      let stream = try MDSStream(
        entry, column: column, tokenizer: tokenizer, folder: folder.path, domain: "d")
      try stream.verify()
      #expect(try stream.allTokens(width, piece: piece) == expected)
    }
    for skipped in [0, 1, expected.count / 2, expected.count] where skipped <= expected.count {
      let stream = try MDSStream(
        entry, column: column, tokenizer: tokenizer, folder: folder.path, domain: "d")
      try stream.skip(skipped)
      #expect(try stream.allTokens(width) == Array(expected[skipped...]))
    }
    guard entry.compression == nil else { return }
    let shard = try MDSShard(
      entry, column: column, tokenizer: tokenizer, folder: folder.path, domain: "d")
    try shard.verify()
    #expect(shard.tokenCount == expected.count)
    for first in stride(from: 0, through: expected.count, by: max(1, expected.count / 60)) {
      for end in Set([first, min(first + 1, expected.count), expected.count]) {
        #expect(try shard.tokensRead(first..<end, width) == Array(expected[first..<end]))
      }
    }
  }

  @Test(arguments: forms) func everyEncodingIsRead(form: Form) throws {
    let samples = samples(form.counts)
    for rule in [SampleRule.joined, .joinedWithEndOfText] {
      let column = MDSColumn(name: "tokens", storedType: form.declared, samples: rule)
      for width in TokenWidth.allCases {
        let lone = MDSSample(
          columns: [("tokens", form.encoding, form.size)],
          values: samples.map { [form.bytes($0)] }, hashes: ["sha1", "strange"])
        try check(lone, column, samples, width)
        // Between columns that vary in size and that do not.
        var mixed = MDSSample(
          columns: [
            ("a", "str", nil), ("b", "int8", 1), ("tokens", form.encoding, form.size),
            ("y", "uint64", 8), ("z", "pkl", nil),
          ],
          values: samples.map { [$0.map { _ in 65 }, [7], form.bytes($0), Array(1...8), [1]] })
        try check(mixed, column, samples, width)
        mixed.frames = .one(checksum: true)
        try check(mixed, column, samples, width)
        var several = lone
        several.frames = .several(byteCount: 50)
        try check(several, column, samples, width)
      }
    }
  }

  @Test(arguments: [MDSSample.Frames.none, .one(checksum: false)])
  func aShardWithoutSamplesIsEmpty(frames: MDSSample.Frames) throws {
    let sample = MDSSample(
      columns: [("tokens", "bytes", nil)], values: [], hashes: ["xxh64"], frames: frames)
    try check(sample, MDSColumn(name: "tokens", storedType: .uint16), [], .uint16)
  }

  /// Marks, offsets in several pieces, and pieces that do not fit the buffer are used here.
  @Test(arguments: [false, true]) func aLargerShardIsReadFromAnyPlace(hasText: Bool) throws {
    let samples = samples((0..<3000).map { $0 % 97 } + [90_000])
    let text = hasText ? [("text", "str", nil as Int?)] : []
    let sample = MDSSample(
      columns: text + [("tokens", "bytes", nil)],
      values: samples.map {
        (hasText ? [Array("text".utf8)] : []) + [StoredTokenType.uint16.bytes($0)]
      })
    try check(
      sample, MDSColumn(name: "tokens", storedType: .uint16, samples: .joinedWithEndOfText),
      samples, .uint16)
    try check(sample, MDSColumn(name: "tokens", storedType: .uint16), samples, .uint32)
  }

  @Test func sequencesMustBeAlike() throws {
    let column = MDSColumn(name: "tokens", storedType: .uint16, samples: .sequences)
    func count(_ counts: [Int]) throws -> MDSCount? {
      let sample = MDSSample(
        columns: [("tokens", "bytes", nil)],
        values: samples(counts).map { [StoredTokenType.uint16.bytes($0)] })
      return try sample.write(to: folder)?.count(column, in: folder.path, domain: "d")
    }
    #expect(try count([9, 9, 9])?.sampleTokenCount == 9)
    #expect(throws: CorpusError.self) { try count([9, 9, 8, 7]) }
    do {
      _ = try count([9, 9, 8, 7])
    } catch {
      #expect("\(error)".contains("sample 2 has 8 tokens and sample 0 has 9"))
    }
  }

  // MARK: What is refused

  private func failure(
    _ encoding: String, _ size: Int?, declared: StoredTokenType? = nil,
    named name: String = "tokens"
  ) -> String {
    do {
      let sample = MDSSample(
        columns: [("other", "pkl", nil), ("tokens", encoding, size)],
        values: [[[1], [1, 0, 0, 0]]])
      let entry = try #require(try sample.write(to: folder))
      let stream = try MDSStream(
        entry, column: MDSColumn(name: name, storedType: declared), tokenizer: tokenizer,
        folder: folder.path, domain: "d")
      return "\(try stream.allTokens())"
    } catch {
      return "\(error)"
    }
  }

  @Test func whatHoldsNoTokensIsRefusedByName() {
    #expect(failure("bytes", nil).contains("Declare the stored token type: one of uint8, int8"))
    #expect(failure("pkl", nil).contains("it is pickled"))
    #expect(failure("str", nil).contains("its encoding is str, which holds no tokens"))
    #expect(failure("float32", 4).contains("its encoding is float32"))
    #expect(failure("ndarray:float32", nil).contains("its encoding is ndarray:float32"))
    #expect(failure("ndarray:float32:1", 4).contains("its encoding is ndarray:float32:1"))
    #expect(failure("int32", 4, declared: .uint16).contains("uint16 was declared"))
    #expect(failure("ndarray:int32", nil, declared: .int64).contains("int64 was declared"))
    #expect(
      failure("int32", 4, named: "token").contains("there is \"other\", \"tokens\""))
    #expect(failure("int32", 4) == "[1]")
    // An array whose numbers are floats, as its first byte says.
    #expect(failure("ndarray", nil).contains("an array's numbers have the code 1"))
  }

  @Test func aTokenThatTheVocabularyHasNotIsNamed() throws {
    for (type, token) in [
      (StoredTokenType.int64, -1), (.int32, 50_000), (.uint16, 50_000), (.uint32, 70_000),
      (.int16, -5), (.int8, -3), (.uint64, Int.max),
    ] {
      for width in TokenWidth.allCases {
        let tokens = [[1, 2, 3], [4, token, 6]]
        let sample = MDSSample(
          columns: [("tokens", "bytes", nil)], values: tokens.map { [type.bytes($0)] })
        let entry = try #require(try sample.write(to: folder))
        let stream = try MDSStream(
          entry, column: MDSColumn(name: "tokens", storedType: type), tokenizer: tokenizer,
          folder: folder.path, domain: "d")
        let byteOffset = entry.rawByteCount - 2 * type.byteCount
        do {
          _ = try stream.allTokens(width)
          Issue.record("\(type) \(token) was read")
        } catch {
          #expect(
            "\(error)".contains("sample 1 has the token \(token) at byte \(byteOffset) "),
            "\(error)")
        }
      }
    }
  }
}
