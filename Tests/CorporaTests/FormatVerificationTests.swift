// Covers: ShardCheck.swift, FrameCheck.swift, MDSCheck.swift, MegatronCheck.swift, TextCheck.swift
import Corpora
import Foundation
import HeadraceTesting
import Testing

/// Verification of the formats that a spec names.
@Suite(.timeLimit(.minutes(5)))
struct FormatVerificationTests {
  private static func folder(_ format: FormatFolder.Format) throws -> FormatFolder {
    try FormatFolder(
      format,
      documents: [
        [300_000, 40_000].enumerated().map {
          FormatFolder.documents(byteCount: $1, seed: UInt64($0))
        },
        [FormatFolder.documents(byteCount: 9000, seed: 9)],
      ])
  }

  @Test(
    "a sound corpus is clean, and what is counted is right",
    arguments: FormatFolder.Format.allCases, [1, 3])
  func sound(format: FormatFolder.Format, threadCount: Int) throws {
    let folder = try Self.folder(format)
    let corpus = try folder.open()
    let last = Locked<VerificationProgress?>(nil)
    let report = try Verification(corpus).run(threadCount: threadCount) { progress in
      last.withLock { $0 = progress }
    }
    #expect(report.isClean)
    #expect(report.splits.map(\.shardCount) == [2, 1])
    for (split, shards) in zip(report.splits, folder.tokens) {
      #expect(split.tokenCount == shards.reduce(0) { $0 + $1.count })
      #expect(split.documentCount == shards.joined().count { $0 == FormatFolder.endOfText })
      #expect(split.wholeFrameCount == split.frameCount)
      // Without hash and checksum a note says that damage may hide.
      let isUnprotected = format == .megatron || format == .jsonLines
      #expect(split.unprotectedShardCount == (isUnprotected ? split.shardCount : 0))
      #expect((split.note != nil) == isUnprotected)
    }
    let end = try #require(last.withLock { $0 })
    #expect(end.byteCount == end.totalByteCount)
    let index = try corpus.domainIndex(named: "domain-0")
    #expect(
      try corpus.unprotectedShardCount(of: .train, domainIndex: index)
        == report.splits[0].unprotectedShardCount)
  }

  private func faults(_ folder: FormatFolder, threadCount: Int = 2) throws
    -> [VerificationReport.Fault]
  {
    let report = try Verification(folder.open()).run(threadCount: threadCount)
    #expect(report.splits.reduce(0) { $0 + $1.faultCount } >= report.faults.count)
    return report.faults
  }

  @Test(
    "an MDS shard is compared with its hash", arguments: [FormatFolder.Format.mdsBytes, .mdsArrays])
  func hash(format: FormatFolder.Format) throws {
    let folder = try Self.folder(format)
    let name = folder.files[0][1]
    let place = try folder.folder.bytes(of: name).count - 200
    folder.folder.patch(name, at: place, with: [0x5A, 0x5B, 0x5C])
    let faults = try faults(folder)
    #expect(faults.map(\.domain) == ["domain-0"] && faults.map(\.sample) == [nil])
    let text = try #require(faults.first).description
    #expect(text.contains(name) && text.contains("as its index records"), "\(text)")
  }

  @Test("without a hash samples, tokens and offsets of an MDS shard are still compared")
  func structure() throws {
    let folder = try Self.folder(.mdsBytes)
    let index = "domain-0/shard-1/index.json"
    let text = String(decoding: try folder.folder.bytes(of: index), as: UTF8.self)
      .replacing(/"hashes": \{[^}]*\}/, with: "\"hashes\": {}")
    try folder.folder.write(Array(text.utf8), to: index)
    #expect(try faults(folder).isEmpty)
    let name = folder.files[0][1]
    let bytes = try folder.folder.bytes(of: name)
    // The last token, an end-of-text of 256, becomes one that the vocabulary does not have.
    folder.folder.patch(name, at: bytes.count - 1, with: [0x7F])
    let foreign = try #require(try faults(folder).first)
    #expect(foreign.byteOffset == bytes.count - 2 && foreign.sample != nil)
    #expect(foreign.reason.contains("its token is 32512"), "\(foreign)")
    folder.folder.patch(name, at: bytes.count - 1, with: [bytes[bytes.count - 1]])
    // A length that its sample does not have.
    let first = Int(bytes[4]) | Int(bytes[5]) << 8
    folder.folder.patch(name, at: first, with: [bytes[first] &+ 2])
    let length = try #require(try faults(folder).first)
    #expect(length.sample == 0 && length.reason.contains("the sample"), "\(length)")
  }

  @Test("the index and every token of a Megatron shard are compared")
  func megatron() throws {
    let folder = try Self.folder(.megatron)
    let corpus = try folder.open()
    let name = folder.files[0][0]
    // A token in the second piece, and one in the first.
    for token in [tokensPerFrame + 5, 7] {
      folder.folder.patch(name, at: 2 * token, with: [0xFF, 0xFF])
    }
    let found = try faults(folder)
    #expect(found.map(\.byteOffset) == [14, 2 * (tokensPerFrame + 5)])
    #expect(found.allSatisfy { $0.reason.contains("its token is 65535") })
    // The corpus is open while the index changes.
    let indexName = "domain-1/shard-0.idx"
    let size = try folder.folder.bytes(of: indexName).count
    folder.folder.patch(indexName, at: size - 16, with: [0xEE])
    let report = try Verification(corpus, domains: ["domain-1"]).run()
    #expect(report.faults.count == 1)
    #expect(report.faults[0].description.contains("document boundary"), "\(report.faults[0])")
  }

  @Test("every bad line is named and passed over, and the rest is counted")
  func lines() throws {
    let folder = try Self.folder(.jsonLines)
    let name = folder.files[0][1]
    var lines = try folder.folder.bytes(of: name).split(separator: UInt8(ascii: "\n"))
      .map(Array.init)
    lines[2] = Array("{]".utf8)
    lines[4] = Array("{\"text\": \"\\ud800\"}".utf8)
    lines[5][20] = 0xFF
    try folder.folder.write(Array(lines.joined(separator: [10])) + [10], to: name)
    let report = try Verification(folder.open()).run(threadCount: 2)
    #expect(report.faults.map(\.line) == [3, 5, 6])
    #expect(report.faults.allSatisfy { $0.shard.hasSuffix("shard-1.jsonl") })
    let offset = lines[0].count + lines[1].count + 3
    #expect(report.faults[0].byteOffset == offset)
    #expect(report.faults[0].description.contains("line 3, byte \(offset)"))
    let documents = folder.tokens[0].joined().count { $0 == FormatFolder.endOfText }
    #expect(report.splits[0].documentCount == documents - 3)
    // A file of nothing else: the first hundred are listed, all are counted.
    try folder.folder.write(Array(String(repeating: "{]\n", count: 1234).utf8), to: name)
    let many = try Verification(folder.open()).run()
    #expect(many.faults.count == VerificationReport.faultLimit)
    #expect(many.splits[0].faultCount == 1234)
  }

  /// Gives a token of none for texts that begin with "bad".
  private struct OddTokenizer: Tokenizer {
    let name = "bytes"
    let vocabularySize = 257
    let endOfText: UInt32 = 256

    func encode(_ text: Span<UInt8>, into tokens: inout [UInt32]) {
      text.withUnsafeBufferPointer { bytes in
        tokens.append(contentsOf: bytes.map(UInt32.init))
        if bytes.starts(with: "bad".utf8) { tokens.append(300) }
      }
    }
  }

  @Test("a line of which the tokenizer makes a foreign token is named and passed over")
  func foreignTokens() throws {
    let folder = try FormatFolder(.jsonLines, documents: [[["good", "bad", "good again", "bad"]]])
    let lines = try folder.folder.bytes(of: folder.files[0][0]).split(separator: 10)
    let corpus = try folder.open(tokenizer: OddTokenizer(), access: FileAccess())
    let report = try Verification(corpus).run()
    #expect(report.faults.map(\.line) == [2, 4])
    let offsets = [1, 3].map { lines[..<$0].reduce(0) { $0 + $1.count + 1 } }
    #expect(report.faults.map(\.byteOffset) == offsets)
    #expect(
      report.faults.allSatisfy { $0.reason.hasPrefix("the tokenizer bytes gave the token 300") })
    #expect(report.splits[0].documentCount == 2)
  }

  @Test("a damaged frame of text ends its file's reading, and no other's")
  func frames() throws {
    let folder = try Self.folder(.compressedJSONLines)
    let name = folder.files[0][0]
    let size = try folder.folder.bytes(of: name).count
    folder.folder.patch(name, at: size / 2, with: [1, 2, 3, 4, 5, 6, 7, 8])
    let report = try Verification(folder.open()).run(threadCount: 3)
    #expect(report.faults.count == 1 && report.faults[0].frame != nil)
    #expect(report.faults[0].reason.contains("the rest of the file was not read"))
    #expect(report.splits[1].faultCount == 0 && report.splits[0].wholeFrameCount == 1)
  }

  @Test("a shard that is gone or cut is a fault of its own")
  func missing() throws {
    for format in [FormatFolder.Format.mdsBytes, .mdsArrays, .megatron, .jsonLines] {
      let folder = try Self.folder(format)
      let corpus = try folder.open()
      let name = folder.files[0][1]
      try folder.folder.write(Array(folder.folder.bytes(of: name).dropLast(3)), to: name)
      try folder.folder.remove(folder.files[1][0])
      let report = try Verification(corpus).run(threadCount: 2)
      #expect(report.faults.map(\.domain) == ["domain-0", "domain-1"], "\(format)")
      #expect(report.faults.last?.description.contains("cannot open") == true)
    }
  }

  @Test(
    "a spec's shards are found and named alike, however the spec is opened",
    arguments: FormatFolder.Format.allCases)
  func relativePath(format: FormatFolder.Format) throws {
    let folder = try Self.folder(format)
    let depth = FileManager.default.currentDirectoryPath.split(separator: "/").count
    let relative =
      Array(repeating: "..", count: depth).joined(separator: "/") + folder.folder.path
    let corpus = try Corpus(at: relative + "/spec.json")
    #expect(try Verification(corpus).run().isClean)
    let paths = corpus.domains.map { $0.shards[.train, default: []].map(\.path) }
    #expect(paths == folder.files)
    #expect(try folder.open().domains.map { $0.shards[.train, default: []].map(\.path) } == paths)
  }

  @Test("a domain of another program's shards is not exported, and named")
  func notExported() throws {
    for format in FormatFolder.Format.allCases where format != .native {
      let corpus = try Self.folder(format).open()
      let error = #expect(throws: CorpusError.self) { try MDSExport(corpus) }
      #expect(error?.description.contains("domain domain-0 are another program's") == true)
    }
    _ = try MDSExport(Self.folder(.native).open())
  }

  /// The unprotected shards of an MDS folder, as counted and as verified.
  private func unprotected(_ sample: MDSSample) throws -> (Int, VerificationReport.SplitCount) {
    let folder = try TemporaryFolder()
    try folder.makeFolder("mds")
    try sample.write(to: folder, below: "mds/")
    let spec = """
      {"format": "headrace-spec", "version": 1, "name": "s",
       "tokenizer": {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256},
       "domains": [{"name": "a", "format": "mds", "token_type": "uint16", "train": ["mds"]}]}
      """
    try folder.write(Array(spec.utf8), to: "spec.json")
    let corpus = try Corpus(at: folder.path + "/spec.json")
    let report = try Verification(corpus).run()
    #expect(report.isClean)
    let count = try corpus.unprotectedShardCount(of: .train, domainIndex: 0)
    #expect(count == report.splits[0].unprotectedShardCount)
    return (count, report.splits[0])
  }

  private static var sample: MDSSample {
    MDSSample(
      columns: [("tokens", "bytes", nil)],
      values: (0..<40).map { sample in
        [StoredTokenType.uint16.bytes((0..<50).map { ($0 * 7 + sample) % 257 })]
      })
  }

  @Test("one frame's checksum speaks for the shard, the first of several does not")
  func checksums() throws {
    var sample = Self.sample
    let byteCount = sample.rawBytes.count
    let cases: [(MDSSample.Frames, isProtected: Bool)] = [
      (.one(checksum: true), true), (.one(checksum: false), false),
      (.several(byteCount: 1000), false), (.sized([1000, byteCount - 1000]), false),
      (.sized([byteCount]), true),
    ]
    for (frames, isProtected) in cases {
      sample.frames = frames
      sample.hashes = []
      #expect(try unprotected(sample).0 == (isProtected ? 0 : 1), "\(frames)")
      sample.hashes = ["sha256"]
      #expect(try unprotected(sample).0 == 0, "\(frames)")
    }
  }

  @Test("no raw shard is opened to count the unprotected ones")
  func unopened() throws {
    let folder = try Self.folder(.mdsBytes)
    let index = "domain-1/shard-0/index.json"
    let text = String(decoding: try folder.folder.bytes(of: index), as: UTF8.self)
      .replacing(/"hashes": \{[^}]*\}/, with: "\"hashes\": {}")
    try folder.folder.write(Array(text.utf8), to: index)
    let corpus = try folder.open()
    try folder.folder.remove(folder.files[1][0])
    #expect(try corpus.unprotectedShardCount(of: .train, domainIndex: 1) == 1)
  }

  @Test("a hash that cannot be computed is named, and protects nothing")
  func unknownHashes() throws {
    var sample = Self.sample
    for (hashes, frames, count) in [
      (["xxh3_64", "blake2b"], MDSSample.Frames.none, 1), (["xxh3_64"], .one(checksum: true), 0),
      (["xxh3_64"], .one(checksum: false), 1),
    ] {
      (sample.hashes, sample.frames) = (hashes, frames)
      let (unprotectedCount, split) = try unprotected(sample)
      #expect(unprotectedCount == count)
      #expect(split.unknownHashes == hashes.sorted())
      let note = try #require(split.note)
      #expect(note.contains("does not compute them: \(hashes.sorted().joined(separator: ", "))."))
      #expect(note.contains("without known hash or checksum: 1 of 1.") == (count == 1), "\(note)")
    }
    // One that is known is compared, and the other needs no word.
    for known in HashAlgorithm.allCases {
      (sample.hashes, sample.frames) = (["xxh3_64", known.rawValue], .none)
      let (unprotectedCount, split) = try unprotected(sample)
      #expect(unprotectedCount == 0 && split.unknownHashes.isEmpty && split.note == nil)
    }
  }
}
