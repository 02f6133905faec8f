// Covers: Scatter.swift, DocumentScatterer.swift, Gather.swift
// Covers: SplitWriter.swift, FramePipeline.swift, Threads.swift
// Covers: PackReport.swift, PackProgress.swift
import Corpora
import Foundation
import HeadraceTesting
import Synchronization
import Testing

/// A tokenizer with a vocabulary that needs UInt32: a token per character.
private struct CharacterTokenizer: Tokenizer {
  var name = "characters"
  var vocabularySize = 0x110001
  var endOfText: UInt32 = 0x110000

  func encode(_ text: Span<UInt8>, into tokens: inout [UInt32]) {
    let characters = text.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    tokens.append(contentsOf: characters.unicodeScalars.map(\.value))
  }
}

@Suite struct PackerTests {
  /// Documents of very different lengths, some of them equal.
  private func makeInput(_ folder: ScratchFolder, seed: UInt64 = 1) throws -> [String] {
    var generator = TestGenerator(seed: seed)
    var texts: [String] = []
    for index in 0..<600 {
      let count = Int.random(in: 1...(index % 50 == 0 ? 30_000 : 400), using: &generator)
      let word = "é\(generator.next() % 1000) "
      texts.append(String(String(repeating: word, count: count).prefix(count)))
      if index % 20 == 0 { texts.append("the same again") }
    }
    let lines = try texts[..<200].map { try jsonLine($0) }
    try folder.write(lines.joined(), to: "in/a.jsonl")
    let packed = try texts[200..<500].map { try jsonLine($0) }
    try folder.write(
      zstdFrame(Array(packed[..<100].joined().utf8)) + skippableFrame([7])
        + zstdFrame(Array(packed[100...].joined().utf8)), to: "in/b.jsonl.zst")
    for (index, text) in texts[500...].enumerated() {
      try folder.write(text, to: "in/text/\(index).txt")
    }
    return texts
  }

  private func plan(_ folder: ScratchFolder, name: String = "d") -> PackPlan {
    var plan = PackPlan(domains: [PackDomain(name: name, inputs: [folder.path + "/in"])])
    plan.name = "test"
    plan.heldOutFraction = 0.2
    plan.maximumDocumentByteCount = 64 << 10
    return plan
  }

  @Test(.timeLimit(.minutes(5)))
  func packsEveryDocumentOnce() throws {
    let folder = try ScratchFolder()
    let input = try makeInput(folder)
    let report = try Packer(plan(folder)).pack(to: folder.path + "/out")
    let train = try texts(in: folder.path + "/out", domain: "d")
    let heldOut = try texts(in: folder.path + "/out", domain: "d", split: .heldOut)
    #expect((train + heldOut).sorted() == input.sorted())
    #expect(report.domains[0].documentCount == train.count)
    #expect(report.domains[0].heldOutDocumentCount == heldOut.count)
    #expect(report.domains[0].textByteCount == input.reduce(0) { $0 + $1.utf8.count })
    #expect(Set(train).isDisjoint(with: heldOut))
    #expect(heldOut.count > 60 && heldOut.count < 200)
    #expect(!folder.exists("out.partial"))
    #expect(train != input.filter(Set(train).contains))
  }

  @Test(.timeLimit(.minutes(5)), arguments: [true, false])
  func isTheSameForEveryThreadCountAndMemoryBound(shuffles: Bool) throws {
    let folder = try ScratchFolder()
    _ = try makeInput(folder)
    var plan = plan(folder)
    plan.shufflesDocuments = shuffles
    plan.shardTokenCount = 100_000
    var first: [String: Data]?
    for threadCount in [1, 2, 4] {
      for memory in [9 << 20, 256 << 20] {
        let output = folder.path + "/out-\(threadCount)-\(memory)"
        let resources = PackResources(memoryByteCount: memory, threadCount: threadCount)
        _ = try Packer(plan, resources: resources).pack(to: output)
        let found = try contents(of: output)
        #expect(found == first ?? found, "\(threadCount) threads, \(memory) bytes")
        first = found
      }
    }
    #expect((first ?? [:]).keys.filter { $0.hasPrefix("d/train") }.count > 2)
  }

  @Test(.timeLimit(.minutes(5)))
  func splitsBucketsThatAreLargerThanMemory() throws {
    let folder = try ScratchFolder()
    // 24 MB of tokens, half of them in documents that are all equal, against a bucket limit of 4.5
    // MiB.
    let equal = String(repeating: "equal ", count: 1000)
    let lines = try (0..<1000).map { try jsonLine(equal) + jsonLine("\($0) \(equal)") }
    try folder.write(zstdFrame(Array(lines.joined().utf8)), to: "in/a.jsonl.zst")
    let plan = plan(folder)
    for (name, memory) in [("small", 9 << 20), ("large", 512 << 20)] {
      _ = try Packer(plan, resources: PackResources(memoryByteCount: memory, threadCount: 2))
        .pack(to: folder.path + "/" + name)
    }
    #expect(try contents(of: folder.path + "/small") == contents(of: folder.path + "/large"))
    #expect(
      try texts(in: folder.path + "/small", domain: "d").filter { $0 == equal }.count % 1000 == 0)
  }

  @Test(.timeLimit(.minutes(5)))
  func keepsTheInputOrderWhereItIsToldTo() throws {
    let folder = try ScratchFolder()
    for name in ["b.txt", "a.txt", "a/z.txt", "c.txt"] { try folder.write(name, to: "in/" + name) }
    try folder.write(#"{"text":"1"}"# + "\n" + #"{"text":"2"}"#, to: "in/bb.jsonl")
    var plan = plan(folder)
    plan.shufflesDocuments = false
    plan.heldOutFraction = 0
    _ = try Packer(plan).pack(to: folder.path + "/out")
    #expect(
      try texts(in: folder.path + "/out", domain: "d") == [
        "a.txt", "a/z.txt", "b.txt", "1", "2", "c.txt",
      ])
  }

  @Test(.timeLimit(.minutes(5)), arguments: [true, false])
  func rangesOfAFileGiveEachLineOnce(shuffles: Bool) throws {
    let folder = try ScratchFolder()
    let input = (0..<60).map { "line \($0) " + String(repeating: "x", count: $0 * 7 % 90) }
    try folder.write(
      "\n" + input.map { #"{"text":"\#($0)"}"# }.joined(separator: "\r\n\n"), to: "in/a.jsonl")
    var plan = plan(folder)
    plan.heldOutFraction = 0
    plan.shufflesDocuments = shuffles
    var resources = PackResources(threadCount: 2)
    var orders: Set<[String]> = []
    for rangeByteCount in [1, 2, 37, 100, 1000, 1 << 20] {
      resources.rangeByteCount = rangeByteCount
      let output = folder.path + "/out-\(rangeByteCount)"
      _ = try Packer(plan, resources: resources).pack(to: output)
      orders.insert(try texts(in: output, domain: "d"))
    }
    #expect(orders.count == 1)
    #expect(orders.first?.sorted() == input.sorted())
    if !shuffles { #expect(orders.first == input) }
  }

  @Test(.timeLimit(.minutes(5)))
  func aCompressedTextFileIsOneDocument() throws {
    let folder = try ScratchFolder()
    try folder.write(zstdFrame(Array("a\nb".utf8)) + zstdFrame([0x63]), to: "in/a.txt.zst")
    var plan = plan(folder)
    plan.heldOutFraction = 0
    _ = try Packer(plan).pack(to: folder.path + "/out")
    #expect(try texts(in: folder.path + "/out", domain: "d") == ["a\nbc"])
  }

  @Test(.timeLimit(.minutes(5)))
  func anotherSeedOrNameGivesAnotherOrder() throws {
    let folder = try ScratchFolder()
    _ = try makeInput(folder)
    var orders: [[String]] = []
    for (seed, name) in [(0, "d"), (1, "d"), (0, "e"), (0, "d")] as [(UInt64, String)] {
      var plan = plan(folder, name: name)
      plan.seed = seed
      plan.heldOutFraction = 0
      let output = folder.path + "/out-\(orders.count)"
      _ = try Packer(plan).pack(to: output)
      orders.append(try texts(in: output, domain: name))
    }
    #expect(orders[0] == orders[3])
    #expect(orders[0] != orders[1] && orders[0] != orders[2])
    #expect(orders[0].sorted() == orders[1].sorted())
  }

  @Test(.timeLimit(.minutes(5)))
  func heldOutDocumentsStayHeldOutWhenFilesAreAdded() throws {
    let folder = try ScratchFolder()
    let input = try makeInput(folder)
    _ = try Packer(plan(folder)).pack(to: folder.path + "/before")
    try folder.write(try (0..<300).map { try jsonLine("new \($0)") }.joined(), to: "in/0.jsonl")
    try folder.write(input[3], to: "in/copy.txt")
    _ = try Packer(plan(folder)).pack(to: folder.path + "/after")
    let before = Set(try texts(in: folder.path + "/before", domain: "d", split: .heldOut))
    let after = Set(try texts(in: folder.path + "/after", domain: "d", split: .heldOut))
    #expect(after.intersection(input) == before)
    #expect(after.count > before.count)
    #expect(after.isDisjoint(with: try texts(in: folder.path + "/after", domain: "d")))
  }

  @Test(.timeLimit(.minutes(5)))
  func aWideVocabularyGivesWideTokens() throws {
    let folder = try ScratchFolder()
    let input = try makeInput(folder)
    var plan = plan(folder)
    plan.heldOutFraction = 0
    _ = try Packer(plan, tokenizer: CharacterTokenizer()).pack(to: folder.path + "/out")
    let corpus = try Corpus(at: folder.path + "/out")
    #expect(corpus.tokenWidth == .uint32)
    #expect(corpus.tokenizer.name == "characters")
    let found = try documents(in: folder.path + "/out", domain: "d", split: .train).map { tokens in
      var text = ""
      text.unicodeScalars.append(contentsOf: tokens.compactMap(UnicodeScalar.init))
      return text
    }
    #expect(found.sorted() == input.sorted())
    plan.tokenWidth = .uint16
    #expect(throws: CorpusError.self) { try Packer(plan, tokenizer: CharacterTokenizer()) }
  }

  @Test(.timeLimit(.minutes(5)))
  func refusesTokensThatMayNotStandInADocument() throws {
    let folder = try ScratchFolder()
    try folder.write("abc", to: "in/a.txt")
    for tokenizer in [
      CharacterTokenizer(vocabularySize: 0x62, endOfText: 0),
      CharacterTokenizer(vocabularySize: 1000, endOfText: 0x62),
    ] {
      let fault = packingFault {
        _ = try Packer(plan(folder), tokenizer: tokenizer).pack(to: folder.path + "/out")
      }
      guard case .token(_, 0x62, _) = fault else {
        Issue.record("not named: \(String(describing: fault))")
        return
      }
    }
  }

  @Test(.timeLimit(.minutes(5)), arguments: [(0, 0), (1, 0), (-1, 0), (0, 5)])
  func theLastFrameIsShortAndNeverEmpty(excess: Int, tail: Int) throws {
    let folder = try ScratchFolder()
    // One document whose tokens, with the end-of-text, are a frame's, give or take one.
    let text = String(repeating: "0123456789abcdef", count: tokensPerFrame / 16)
    try folder.write(String(text.dropLast(1 - excess)), to: "in/a.txt")
    if tail > 0 { try folder.write(String(repeating: "z", count: tail - 1), to: "in/b.txt") }
    var plan = plan(folder)
    plan.heldOutFraction = 0
    plan.maximumDocumentByteCount = 1 << 20
    let report = try Packer(plan).pack(to: folder.path + "/out")
    let tokenCount = tokensPerFrame + excess + tail
    #expect(
      report.domains[0].tokenCount
        == (tokenCount == tokensPerFrame ? tokenCount + 1 : tokenCount))
    let found = try texts(in: folder.path + "/out", domain: "d")
    #expect(found.filter { !$0.isEmpty }.count == (tail > 0 ? 2 : 1))
    #expect(found.filter(\.isEmpty).count == (tokenCount == tokensPerFrame ? 1 : 0))
    #expect(report.domains[0].documentCount == found.count)
  }

  @Test(.timeLimit(.minutes(5)))
  func zstdProgramGivesTheFlatTokens() throws {
    guard
      let zstd = ["/usr/bin/zstd", "/usr/local/bin/zstd", "/opt/homebrew/bin/zstd"]
        .first(where: FileManager.default.isExecutableFile)
    else {
      print("skipped: the zstd program is not installed")
      return
    }
    let folder = try ScratchFolder()
    _ = try makeInput(folder)
    _ = try Packer(plan(folder)).pack(to: folder.path + "/out")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: zstd)
    process.arguments = [
      "-d", "-q", folder.path + "/out/d/train-00000.tokens.zst", "-o", folder.path + "/flat",
    ]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    var expected = Data()
    for document in try documents(in: folder.path + "/out", domain: "d", split: .train) {
      for token in document + [256] {
        expected.append(contentsOf: [UInt8(token & 0xFF), UInt8(token >> 8)])
      }
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/flat")) == expected)
  }

  @Test(.timeLimit(.minutes(5)))
  func reportsProgressUpToTheEnd() throws {
    let folder = try ScratchFolder()
    _ = try makeInput(folder)
    let observer = RecordingObserver()
    let resources = PackResources(threadCount: 2)
    let report = try Packer(plan(folder), resources: resources)
      .pack(to: folder.path + "/out", observer: observer)
    let seen = observer.seen.withLock { $0 }
    #expect(seen.last?.fraction == 1)
    #expect(seen.map(\.fraction) == seen.map(\.fraction).sorted())
    #expect(seen.last?.byteCount == seen.last?.totalByteCount)
    #expect(
      seen.last?.tokenCount
        == report.domains[0].tokenCount + report.domains[0].heldOutTokenCount)
  }
}
