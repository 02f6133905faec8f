// Covers: VerificationReport.swift
import Corpora
import Foundation
import HeadraceTesting
import Testing

@Suite struct VerificationTests {
  /// Packs two domains: one of two shards of two frames each, and a small one.
  ///
  /// - Returns: the corpus's folder.
  private func pack(in folder: ScratchFolder) throws -> String {
    var generator = TestGenerator(seed: 7)
    for domain in ["large", "small"] {
      var lines = ""
      for _ in 0..<(domain == "large" ? 400 : 20) {
        let words = (0..<300).map { _ in "w\(generator.next() % 500)" }
        lines += try jsonLine(words.joined(separator: " "))
      }
      try folder.write(lines, to: "in/\(domain).jsonl")
    }
    var plan = PackPlan(
      domains: ["large", "small"].map {
        PackDomain(name: $0, inputs: [folder.path + "/in/\($0).jsonl"])
      })
    plan.name = "test"
    plan.heldOutFraction = 0.1
    plan.shardTokenCount = 300_000
    _ = try Packer(plan).pack(to: folder.path + "/corpus")
    return folder.path + "/corpus"
  }

  /// Changes a file's bytes in place.
  private func edit(_ path: String, _ change: (inout [UInt8]) -> Void) throws {
    var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    change(&bytes)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  private func index(of path: String) throws -> ShardIndex {
    try ShardIndex.read(from: FileReader(path: path), domain: "large").index
  }

  @Test(.timeLimit(.minutes(5)), arguments: [1, 2, 5])
  func aSoundCorpusIsClean(threadCount: Int) throws {
    let folder = try ScratchFolder()
    let corpus = try Corpus(at: pack(in: folder))
    let last = Locked<VerificationProgress?>(nil)
    let report = try Verification(corpus).run(threadCount: threadCount) { progress in
      last.withLock { $0 = progress }
    }
    #expect(report.isClean)
    #expect(
      report.splits.map { "\($0.domain) \($0.split.rawValue)" }
        == ["large train", "large held_out", "small train", "small held_out"])
    #expect(report.splits[0].shardCount >= 2)
    #expect(report.splits.allSatisfy { $0.wholeFrameCount == $0.frameCount })
    let end = try #require(last.withLock { $0 })
    #expect(end.byteCount == end.totalByteCount)
    #expect(end.totalByteCount == report.splits.reduce(0) { $0 + $1.byteCount })
  }

  @Test(.timeLimit(.minutes(5)), arguments: [1, 4])
  func everyFaultIsFoundAndNamed(threadCount: Int) throws {
    let folder = try ScratchFolder()
    let path = try pack(in: folder)
    let corpus = try Corpus(at: path)
    let shards = try #require(corpus.domains[0].shards[.train])
    let first = path + "/" + shards[0].path
    let frames = try index(of: first).frames
    // One bit in the second frame of the first shard, the second shard cut, the small domain's
    // gone.
    try edit(first) { $0[frames[1].byteOffset + 100] ^= 1 }
    try edit(path + "/" + shards[1].path) { $0.removeLast(10) }
    let small = try #require(corpus.domains[1].shards[.heldOut]?.first)
    try FileManager.default.removeItem(atPath: path + "/" + small.path)

    let report = try Verification(corpus).run(threadCount: threadCount)
    #expect(report.faults.map(\.shard) == [shards[0].path, shards[1].path, small.path])
    #expect(report.faults.map(\.domain) == ["large", "large", "small"])
    #expect(report.faults.map(\.frame) == [1, nil, nil])
    #expect(report.faults[0].byteOffset == frames[1].byteOffset)
    #expect(
      report.faults[0].description.hasPrefix(
        "domain large, shard \(shards[0].path), frame 1, byte \(frames[1].byteOffset): its bytes "
          + "have the hash"))
    #expect(report.splits[0].faultCount == 2)
    #expect(report.splits[0].wholeFrameCount < report.splits[0].frameCount)
    #expect(report.splits[2].wholeFrameCount == report.splits[2].frameCount)

    let rest = try Verification(corpus, domains: ["small"]).run(threadCount: threadCount)
    #expect(rest.faults.map(\.shard) == [small.path])
  }

  /// A shard whose frame, index and manifest agree, but whose content is wrong, is found out by its
  /// content: `tokens` and what `change` leaves are what a faulty writer would have written.
  private func faults(
    ofTokens tokens: [UInt16], changing change: (inout EncodedFrame) -> Void = { _ in }
  ) throws -> [VerificationReport.Fault] {
    let folder = try ScratchFolder()
    let encoder = try FrameEncoder(tokenWidth: .uint16, level: 1, endOfText: 256)
    var frame = try tokens.withUnsafeBytes { try encoder.encode($0) }
    change(&frame)
    var writer = try ShardWriter(path: folder.path + "/a.tokens.zst", tokenWidth: .uint16)
    try writer.append(frame)
    let shard = try writer.finish(manifestPath: "a.tokens.zst")
    try CorpusManifest(
      name: "test",
      tokenizer: TokenizerDescription(name: "bytes", vocabularySize: 257, endOfText: 256),
      tokenWidth: .uint16,
      domains: [DomainManifest(name: "a", splits: [.train: [shard]])]
    ).write(to: folder.path + "/corpus.json")
    return try Verification(Corpus(at: folder.path)).run().faults
  }

  @Test func aTokenOutsideTheVocabularyIsNamed() throws {
    #expect(try faults(ofTokens: [1, 2, 256]).isEmpty)
    let faults = try faults(ofTokens: [1, 2, 257, 256])
    #expect(faults.map(\.frame) == [0])
    #expect(
      faults.first?.reason == "token 2 is 257, which a vocabulary of 257 does not have")
  }

  @Test func documentsAreCounted() throws {
    #expect(try faults(ofTokens: [1, 256, 2, 256]).isEmpty)
    let faults = try faults(ofTokens: [1, 256, 2, 256]) { $0.documentCount = 3 }
    #expect(faults.map(\.frame) == [0])
    #expect(faults.first?.reason == "2 documents end in it, not 3")
  }

  @Test func theIndexsOwnColumnsAreCompared() throws {
    let checksum = try faults(ofTokens: [1, 256]) { $0.checksum ^= 1 }
    #expect(checksum.first?.reason.hasPrefix("its checksum is 0x") == true)
    let firstToken = try faults(ofTokens: [1, 256]) { $0.firstToken = 9 }
    #expect(firstToken.first?.reason == "its first token is 1, not 9")
  }

  @Test func libzstdsChecksumIsCompared() throws {
    // The last four bytes of a frame are the checksum of its content; the hash is made to fit.
    let faults = try faults(ofTokens: [1, 256]) { frame in
      frame.bytes[frame.bytes.count - 1] ^= 1
      frame.hash = XXHash.hash64(frame.bytes)
    }
    #expect(faults.first?.reason.hasPrefix("libzstd says") == true)
  }

  @Test func anUnknownDomainIsRefused() throws {
    let folder = try ScratchFolder()
    let corpus = try Corpus(at: pack(in: folder))
    #expect(throws: CorpusError.self) { try Verification(corpus, domains: ["larg"]) }
  }
}
