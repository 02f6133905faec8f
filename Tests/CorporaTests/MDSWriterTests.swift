// Covers: MDSFileWriter.swift, MDSExport.swift, ExportFault.swift
import Corpora
import HeadraceTesting
import Testing

/// What is written is what MosaicML's writer writes, and comes back.
@Suite(.timeLimit(.minutes(5)))
struct MDSWriterTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path + "/out" }

  init() throws { folder = try TemporaryFolder() }

  private func write(_ form: MDSWriter.Form, _ samples: [[UInt8]]) throws {
    var writer = try MDSWriter(folder: path, form: form)
    for sample in samples {
      try sample.withUnsafeBytes { try writer.append($0) }
    }
    try writer.finish()
  }

  private func sha256(_ name: String) throws -> String {
    var hash = RunningHash(.sha256)
    try folder.bytes(of: name).withUnsafeBytes { hash.add($0) }
    return hash.text
  }

  /// The samples "", "s", "ss" in a column x, as in formats.md.
  @Test func theGoldenShardIsWritten() throws {
    try write(
      MDSWriter.Form(
        column: "x", encoding: "str", byteCount: nil, compression: nil, hashes: []),
      ["", "s", "ss"].map { Array($0.utf8) })
    let shard = try folder.bytes(of: "out/shard.00000.mds")
    #expect(shard.count == 201)
    #expect(shard.starts(with: [3, 0, 0, 0, 0xBA, 0, 0, 0, 0xBE, 0, 0, 0, 0xC3, 0, 0, 0]))
    #expect(
      try sha256("out/shard.00000.mds")
        == "e4b6bea31665fb64d2d237f53c08312d8cd8ba1c3acab52e394abddbde412aae")
    #expect(
      try sha256("out/index.json")
        == "c22ef46bea0fba58eb64524cd3d66c68d1ea22c6a12196728e4f836eef85cfd9")
  }

  private static func bytes(_ limit: Int?, column: String = "t") -> MDSWriter.Form {
    MDSWriter.Form(
      column: column, encoding: "bytes", byteCount: nil, compression: nil, sizeLimit: limit)
  }

  /// An over-large first sample leaves an empty shard before it; later ones stand alone.
  @Test func shardsAreCutAsMosaicMLCutsThem() throws {
    try write(Self.bytes(200), [500, 500, 500, 500].map { [UInt8](repeating: 1, count: $0) })
    let entries = try MDSFolder.read(folder: path)
    #expect(entries.map(\.sampleCount) == [0, 1, 1, 1, 1])
    #expect(entries.map(\.path).last == "shard.00004.mds")
    #expect(entries.allSatisfy { $0.hasHash })
  }

  @Test func aShardIsFilledUpToTheLimit() throws {
    // 8 bytes and the header, then for each sample its 4 of length, 4 of offset and 16 of value.
    let text =
      #"{"column_encodings": ["bytes"], "column_names": ["t"], "column_sizes": [null], "#
      + #""compression": null, "format": "mds", "hashes": ["sha1", "xxh64"], "size_limit": 238, "#
      + #""version": 2}"#
    let header = 8 + text.utf8.count
    for (limit, counts) in [(header + 48, [2, 2]), (header + 47, [1, 1, 1, 1]), (nil, [4])]
      as [(Int?, [Int])]
    {
      try write(Self.bytes(limit), (0..<4).map { [UInt8](repeating: $0, count: 16) })
      let entries = try MDSFolder.read(folder: path)
      if limit == header + 48 { #expect(entries[0].rawByteCount == limit) }
      #expect(entries.map(\.sampleCount) == counts, "\(entries[0].rawByteCount)")
      try folder.remove("out")
    }
  }

  @Test func noSamplesGiveAnIndexOfNoShards() throws {
    try write(Self.bytes(100), [])
    #expect(try folder.bytes(of: "out/index.json") == Array(#"{"shards": [], "version": 2}"#.utf8))
    #expect(try MDSFolder.read(folder: path).isEmpty)
    #expect(throws: CorpusError.self) { try write(Self.bytes(100), []) }
  }

  @Test func namesAreEscapedAsPythonDoes() throws {
    try write(Self.bytes(1 << 20, column: "ä\"\\\n😀\u{1}\u{7F}"), [[1]])
    let text = String(decoding: try folder.bytes(of: "out/index.json"), as: UTF8.self)
    #expect(text.contains(#"["\u00e4\"\\\n\ud83d\ude00\u0001"# + "\u{7F}\"]"))
    #expect(try MDSFolder.read(folder: path)[0].columns[0].name == "ä\"\\\n😀\u{1}\u{7F}")
  }

  @Test(arguments: [nil, "zstd", "zstd:1", "zstd:19"])
  func whatIsWrittenComesBack(compression: String?) throws {
    let samples = (1..<300).map { count in (0..<count).map { $0 * count % 60_000 } }
    try write(
      MDSWriter.Form(
        column: "t", encoding: "bytes", byteCount: nil, compression: compression,
        sizeLimit: 20_000, hashes: HashAlgorithm.allCases),
      samples.map { StoredTokenType.uint16.bytes($0) })
    let column = MDSColumn(name: "t", storedType: .uint16)
    let tokenizer = TokenizerDescription(name: "t", vocabularySize: 60_000, endOfText: 0)
    var all: [Int] = []
    for entry in try MDSFolder.read(folder: path) {
      #expect(entry.compression == compression)
      let stream = try MDSStream(
        entry, column: column, tokenizer: tokenizer, folder: path, domain: "d")
      try stream.verify()
      all += try stream.allTokens()
      // Frames carry content size and checksum: 0x04 is the checksum, the two top bits the size.
      guard compression != nil else { continue }
      let frame = try folder.bytes(of: "out/" + entry.path)
      #expect(frame[4] & 0x04 != 0 && frame[4] & 0xE0 != 0)
    }
    #expect(all == samples.flatMap { $0 })
  }

  // MARK: Export

  /// A corpus of two domains whose documents cross frames.
  private func corpus(_ width: TokenWidth) throws -> (Corpus, SyntheticCorpus) {
    let synthetic = try SyntheticCorpus(
      [
        .init("a", shards: [tokensPerFrame + 1000, 700], heldOut: [50]),
        .init("b", shards: [30_000]),
      ], tokenWidth: width)
    return (try Corpus(at: synthetic.folder.path), synthetic)
  }

  @Test(arguments: TokenWidth.allCases) func anExportIsReadBack(width: TokenWidth) throws {
    let (corpus, synthetic) = try corpus(width)
    for (level, type) in [(3, nil), (nil, .int32), (7, .int64)] as [(Int?, StoredTokenType?)] {
      var options = MDSExportOptions()
      options.compressionLevel = level
      options.tokenType = type
      options.sizeLimit = 1 << 18
      var calls = 0
      let reports = try MDSExport(corpus, options: options).run(to: path) { progress in
        calls += 1
        #expect(progress.tokenCount <= progress.totalTokenCount)
      }
      #expect(calls == 5)
      #expect(reports.map(\.domain) == ["a", "a", "b"])
      for (domain, name) in ["a", "b"].enumerated() {
        for split in Split.allCases where corpus.domains[domain].tokenCount(of: split) > 0 {
          let read = try tokens(in: "\(path)/\(name)/\(split.rawValue)", corpus, .joined)
          let expected = synthetic.tokens(ofDomain: domain, split: split).flatMap { $0 }
          #expect(read == expected.map(Int.init))
        }
      }
      try folder.remove("out")
    }
  }

  private func tokens(in folder: String, _ corpus: Corpus, _ rule: SampleRule) throws -> [Int] {
    var all: [Int] = []
    let column = MDSColumn(name: "tokens", samples: rule)
    for entry in try MDSFolder.read(folder: folder) {
      let stream = try MDSStream(
        entry, column: column, tokenizer: corpus.tokenizer, folder: folder, domain: "d")
      try stream.verify()
      let tokens = try stream.allTokens(corpus.tokenWidth)
      #expect(try entry.count(column, in: folder, domain: "d").tokenCount == tokens.count)
      all += tokens
    }
    return all
  }

  @Test func sequencesOverlapByOneToken() throws {
    let (corpus, synthetic) = try corpus(.uint16)
    var options = MDSExportOptions()
    options.samples = .sequences(length: 512)
    let reports = try MDSExport(corpus, domains: ["a"], splits: [.train], options: options)
      .run(to: path)
    let folder = path + "/a/train"
    var expected: [Int] = []
    var unused = 0
    for shard in synthetic.tokens(ofDomain: 0) {
      let count = (shard.count - 1) / 512
      for sequence in 0..<count {
        expected += shard[(sequence * 512)...(sequence * 512 + 512)].map(Int.init)
      }
      unused += shard.count - count * 512 - 1
    }
    #expect(try tokens(in: folder, corpus, .sequences) == expected)
    let entry = try #require(try MDSFolder.read(folder: folder).first)
    let count = try entry.count(
      MDSColumn(name: "tokens", samples: .sequences), in: folder, domain: "d")
    #expect(count.sampleTokenCount == 513)
    #expect(reports[0].sampleCount * 513 == expected.count)
    #expect(reports[0].unusedTokenCount == unused)
  }

  @Test func nothingIsWrittenOver() throws {
    let (corpus, _) = try corpus(.uint16)
    let export = try MDSExport(corpus, domains: ["b"])
    try folder.makeFolder("out.partial")
    #expect(throws: CorpusError.self) { try export.run(to: path) }
    try folder.remove("out.partial")
    _ = try export.run(to: path + "/")
    do {
      _ = try export.run(to: path)
      Issue.record("it was written over")
    } catch {
      #expect("\(error)".contains("out exists, and nothing is written over"))
    }
    #expect(throws: CorpusError.self) { try MDSExport(corpus, domains: ["none"]) }
    var options = MDSExportOptions()
    options.tokenType = .int16
    #expect(throws: CorpusError.self) { try MDSExport(corpus, options: options) }
  }

  /// An export that meets damage leaves nothing that looks finished.
  @Test func aFailedExportHasNoIndex() throws {
    let (corpus, synthetic) = try corpus(.uint16)
    synthetic.folder.patch(
      corpus.domains[1].shards[.train, default: []][0].path, at: 40, with: [9, 9, 9])
    #expect(throws: CorpusError.self) { try MDSExport(corpus).run(to: path) }
    #expect(throws: (any Error).self) { try folder.bytes(of: "out/a/train/index.json") }
  }
}
