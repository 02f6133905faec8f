// Covers: MegatronShard.swift, MegatronFault.swift
import Corpora
import HeadraceTesting
import Testing

private let tokenizer = TokenizerDescription(name: "t", vocabularySize: 40_000, endOfText: 0)

/// Megatron's files are read, and whatever is wrong with them is found.
@Suite(.timeLimit(.minutes(5)))
struct MegatronIndexTests {
  private let folder: TemporaryFolder
  private var prefix: String { folder.path + "/p" }

  init() throws { folder = try TemporaryFolder() }

  /// An index as megatron-core 0.16.1 writes it.
  private static func index(
    _ code: UInt8, lengths: [Int], size: Int, documents: [Int], modes: Bool = false
  ) -> [UInt8] {
    var bytes = ByteWriter()
    bytes.bytes += Array("MMIDIDX".utf8) + [0, 0]
    bytes.append(UInt64(1))
    bytes.append(code)
    bytes.append(UInt64(lengths.count))
    bytes.append(UInt64(documents.count))
    for length in lengths { bytes.append(Int32(length)) }
    var offset = 0
    for length in lengths {
      bytes.append(Int64(offset))
      offset += length * size
    }
    for document in documents { bytes.append(Int64(document)) }
    if modes { bytes.bytes += [UInt8](repeating: 0, count: lengths.count) }
    return bytes.bytes
  }

  private func write(_ index: [UInt8], _ data: [UInt8]) throws {
    try folder.write(index, to: "p.idx")
    try folder.write(data, to: "p.bin")
  }

  private func read() throws -> (MegatronIndex, MegatronShard) {
    let index = try MegatronIndex.read(prefix: prefix, domain: "d")
    let shard = try MegatronShard(prefix: prefix, index: index, tokenizer: tokenizer, domain: "d")
    try shard.verify()
    return (index, shard)
  }

  /// The 114 bytes of formats.md, which megatron-core 0.16.1 wrote.
  private static let golden: [UInt8] = {
    let text =
      "4d4d49444944580000" + "0100000000000000" + "08" + "0400000000000000" + "0400000000000000"
      + "03000000010000000200000004000000" + "0000000000000000" + "0600000000000000"
      + "0800000000000000" + "0c00000000000000" + "0000000000000000" + "0100000000000000"
      + "0300000000000000" + "0400000000000000"
    let digits = text.utf8.map { UInt8($0 > 57 ? $0 - 87 : $0 - 48) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }()
  private static let goldenData = StoredTokenType.uint16.bytes(Array(1...10))

  @Test func theGoldenIndexIsRead() throws {
    #expect(Self.golden.count == 114)
    #expect(Self.golden == Self.index(8, lengths: [3, 1, 2, 4], size: 2, documents: [0, 1, 3, 4]))
    try write(Self.golden, Self.goldenData)
    let (index, shard) = try read()
    #expect(index.type == .uint16)
    #expect((index.sequenceCount, index.documentCount, index.tokenCount) == (4, 3, 10))
    #expect(index.sequenceTokenCount == nil)
    #expect(index.checksum == XXHash.hash64(Self.golden))
    #expect(try shard.tokensRead(0..<10) == Array(1...10))
    #expect(try shard.tokensRead(4..<6, .uint32) == [5, 6])
    // Builds for several media add a byte for each sequence.
    try write(Self.golden + [0, 1, 0, 1], Self.goldenData)
    #expect(try read().0.tokenCount == 10)
  }

  @Test(arguments: [
    (UInt8(1), StoredTokenType.uint8), (2, .int8), (3, .int16), (4, .int32), (5, .int64),
    (8, .uint16),
  ])
  func everyTypeIsRead(code: UInt8, type: StoredTokenType) throws {
    let tokens = (0..<70_000).map { $0 % 101 }
    let index = Self.index(
      code, lengths: [Int](repeating: 7000, count: 10), size: type.byteCount,
      documents: Array(0...10))
    try write(index, type.bytes(tokens))
    for width in TokenWidth.allCases {
      let (index, shard) = try read()
      #expect(index.sequenceTokenCount == 7000)
      for range in [0..<70_000, 1..<2, 69_999..<70_000, 8191..<24_577, 5..<5] {
        #expect(try shard.tokensRead(range, width) == Array(tokens[range]))
      }
    }
  }

  @Test func floatsAndTokensBeyondTheVocabularyAreRefused() throws {
    for code in [0, 6, 7, 9, 255] as [UInt8] {
      try write(Self.index(code, lengths: [1], size: 2, documents: [0, 1]), [1, 0])
      #expect(throws: CorpusError.self) { try read() }
    }
    try write(
      Self.index(4, lengths: [3], size: 4, documents: [0, 1]),
      StoredTokenType.int32.bytes([1, -2, 3]))
    do {
      _ = try read().1.tokensRead(0..<3)
      Issue.record("-2 was read")
    } catch {
      #expect("\(error)".contains("p.bin: it has the token -2 at byte 4 "), "\(error)")
    }
  }

  @Test func anEmptyIndexIsWhole() throws {
    try write(Self.index(8, lengths: [], size: 2, documents: [0]), [])
    #expect(try read().0.tokenCount == 0)
  }

  @Test func everyTruncationIsFound() throws {
    for count in 0..<Self.golden.count {
      try write(Array(Self.golden[..<count]), Self.goldenData)
      #expect(throws: CorpusError.self) { try read() }
    }
    for count in [0, 1, 2, 18, 19, 21, 22] {
      try write(Self.golden, Array((Self.goldenData + [9, 9])[..<count]))
      #expect(throws: CorpusError.self) { try read() }
    }
    // Also a file that became shorter after it was opened.
    try write(Self.golden, Self.goldenData)
    let (_, shard) = try read()
    try folder.write(Array(Self.goldenData[..<10]), to: "p.bin")
    #expect(throws: CorpusError.self) { try shard.tokensRead(0..<10) }
  }

  /// Nothing but the boundaries of documents and the type of the integers can change unseen.
  @Test func everyByteIsChecked() throws {
    for byteOffset in Self.golden.indices {
      for value in [0, 1, 3, 0x7F, 0x80, 0xFF] as [UInt8] where value != Self.golden[byteOffset] {
        var bytes = Self.golden
        bytes[byteOffset] = value
        try write(bytes, Self.goldenData)
        do {
          let (_, shard) = try read()
          #expect(try shard.tokensRead(0..<10) == Array(1...10), "byte \(byteOffset)")
          #expect(byteOffset == 17 || (90..<106).contains(byteOffset), "byte \(byteOffset)")
        } catch let error as CorpusError {
          #expect("\(error)".contains(prefix), "\(error)")
        }
      }
    }
  }
}
