// Covers: TextWorkspace.swift, VerifiedFrameFeed.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// How much text is kept in memory changes how often a frame is decoded, never what comes out.
@Suite(.timeLimit(.minutes(5)))
struct HeldTextTests {
  /// A corpus of plain text, and the same text in frames of many kinds.
  private struct Texts {
    let plain: FormatFolder
    let framed: FormatFolder

    init() throws {
      let documents = (0..<2).map { domain in
        [FormatFolder.documents(byteCount: 700_000, seed: UInt64(domain))]
      }
      plain = try FormatFolder(.jsonLines, documents: documents)
      framed = try FormatFolder(.compressedJSONLines, documents: documents)
      for domain in 0..<2 {
        let text = try plain.folder.bytes(of: plain.files[domain][0])
        try framed.folder.write(HeldTextTests.frames(of: text), to: framed.files[domain][0])
      }
    }
  }

  /// Frames with and without checksum and size, empty and skippable ones, and one of 300 KB, which
  /// is held where there is room.
  private static func frames(of text: [UInt8]) -> [UInt8] {
    var file: [UInt8] = []
    var rest = text[...]
    for (index, count) in [40_000, 0, 300_000, 1, 140_000, 90_000, Int.max].enumerated() {
      file += zstdFrame(
        Array(rest.prefix(count)), hasChecksum: index != 4, recordsSize: index != 5)
      file += skippableFrame([1, 2, 3])
      rest = rest.dropFirst(count)
    }
    return file
  }

  private func loader(_ folder: FormatFolder, byteBudget: Int, threadCount: Int = 0) throws
    -> Loader
  {
    try Loader(
      folder.open(), policy: .static(.uniform), batch: .init(rows: 4, sequenceLength: 512),
      seed: 4,
      options: options {
        ($0.unitsPerPool, $0.byteBudget, $0.threadCount) = (1, byteBudget, threadCount)
      })
  }

  /// The least budget, one in which a large frame finds no room, and one in which it does.
  private func budgets(_ folder: FormatFolder) throws -> [Int] {
    let explanation = try Explanation(
      folder.open(), policy: .static(.uniform), batch: .init(rows: 4, sequenceLength: 512),
      seed: 4, options: options { $0.unitsPerPool = 1 }, length: .steps(1))
    let memory = explanation.memory
    #expect(memory.totalByteCount <= memory.byteBudget)
    #expect(memory.heldTextByteCount > 2 * 300_000)
    return [
      memory.leastByteBudget, memory.leastByteBudget + memory.poolByteCount + 40_000, 64 << 20,
    ]
  }

  @Test(arguments: [0, 1])
  func `rows are those of the plain text at every budget`(threadCount: Int) throws {
    let texts = try Texts()
    let expected = try loader(texts.plain, byteBudget: 64 << 20).rows(batches: 900)
    for byteBudget in try budgets(texts.framed) {
      let found = try loader(texts.framed, byteBudget: byteBudget, threadCount: threadCount)
        .rows(batches: 900)
      #expect(found == expected, "at \(byteBudget) bytes")
    }
  }

  @Test func `a damaged frame is named, and read once it is mended`() throws {
    let texts = try Texts()
    let name = texts.framed.files[0][0]
    let whole = try texts.framed.folder.bytes(of: name)
    let expected = try loader(texts.plain, byteBudget: 64 << 20).rows(batches: 600)
    // The checksum of the frame of 300 KB ends in front of the third skippable frame.
    let marks = whole.indices.dropLast(4).filter {
      whole[$0..<$0 + 4].elementsEqual([0x50, 0x2A, 0x4D, 0x18])
    }
    for byteBudget in try budgets(texts.framed) {
      texts.framed.folder.patch(name, at: marks[2] - 1, with: [whole[marks[2] - 1] ^ 1])
      let loader = try loader(texts.framed, byteBudget: byteBudget)
      var given: [[Row]] = []
      let error = #expect(throws: LoadingError.self) {
        while given.count < 600 { given += try loader.rows(batches: 1) }
      }
      #expect(error?.description.contains("zstd frame 4 is damaged") == true, "\(error as Any)")
      try texts.framed.folder.write(whole, to: name)
      given += try loader.rows(batches: 600 - given.count)
      #expect(given == expected, "at \(byteBudget) bytes")
    }
  }

  @Test func `a frame whose window is too large is refused at every budget`() throws {
    let texts = try Texts()
    let name = texts.framed.files[0][0]
    var frame = zstdFrame(
      try texts.plain.folder.bytes(of: texts.plain.files[0][0]), hasChecksum: true,
      recordsSize: false)
    // A window of 256 MiB; without a recorded size the window is the byte after the descriptor.
    frame[5] = 18 << 3
    try texts.framed.folder.write(frame, to: name)
    for byteBudget in try budgets(texts.plain) {
      let error = #expect(throws: LoadingError.self) {
        _ = try loader(texts.framed, byteBudget: byteBudget).rows(batches: 3)
      }
      #expect(error?.description.contains("too much memory") == true, "\(error as Any)")
    }
  }
}
