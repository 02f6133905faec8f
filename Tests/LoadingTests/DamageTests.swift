// Covers: ShardStore.swift, UnitDecoder.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Damage of every kind at every place: an error that names the place, or exactly the same tokens.
@Suite(.timeLimit(.minutes(5)))
struct DamageTests {
  /// One epoch of a small corpus as one batch, and what it must hold.
  ///
  /// Two shards of a full frame and a short one, and a shard that is one short frame; files of a
  /// few hundred bytes.
  private struct Subject {
    static let sequenceLength = 1 << 14
    let synthetic: SyntheticCorpus
    let expected: [UInt16]

    init() throws {
      synthetic = try SyntheticCorpus(
        [
          .init("code", shards: [tokensPerFrame + 70_000, 50_000]),
          .init("prose", shards: [tokensPerFrame + 70_000]),
        ], content: .runs(20_000))
      let batch = try Self.loader(synthetic.open(), threadCount: 0).next()
      expected = try #require(batch).withTokens(as: UInt16.self) { Array($0) }
      let rows = ExpectedRows(
        synthetic, sequenceLength: Self.sequenceLength, unitsPerPool: 1, seed: 3)
      var positions = [0, 0]
      let domains = (0..<43).map { batch?.facts.domainIndex(ofRow: $0) ?? 0 }
      let tokens = rows.rows(domains: domains, positions: &positions).flatMap(\.tokens)
      try #require(tokens == expected.map(UInt32.init))
      // 16 + 4 + 3 sequences of code, 16 + 4 of prose.
      try #require(positions == [23, 20])
    }

    static func loader(_ corpus: Corpus, threadCount: Int) throws -> Loader {
      try Loader(
        corpus, policy: .static(.natural),
        batch: .init(rows: 43, sequenceLength: sequenceLength, tokenType: .uint16), seed: 3,
        options: options {
          $0.threadCount = threadCount
          $0.unitsPerPool = 1
          $0.epochCaps = ["code": 1, "prose": 1]
        })
    }

    /// Reads the epoch: nil if it is exactly the same tokens, else the error's text.
    func failure(_ loader: Loader) throws -> String? {
      do {
        let batch = try #require(try loader.next(), "the epoch got shorter")
        let isSame = batch.withTokens(as: UInt16.self) { $0.elementsEqual(expected) }
        #expect(isSame, "other tokens")
        return nil
      } catch let error as LoadingError {
        return error.description
      }
    }

    func failure(threadCount: Int = 0) throws -> String? {
      do {
        return try failure(Self.loader(synthetic.open(), threadCount: threadCount))
      } catch let error as LoadingError {
        return error.description
      } catch let error as CorpusError {
        return error.description
      }
    }

    /// Domain, shard, and the shard's path.
    static let shards = [(0, 0), (0, 1), (1, 0)]

    func path(_ shard: (Int, Int)) -> String { synthetic.path(domain: shard.0, shard: shard.1) }
  }

  /// Checks that an error names the domain and the shard, and the frame that holds `byteOffset`.
  private func expectPlace(
    _ text: String?, _ subject: Subject, shard: (Int, Int), index: ShardIndex, byteOffset: Int
  ) {
    guard let text else { return }
    let name = subject.synthetic.domains[shard.0].name
    #expect(text.contains(name) && text.contains(subject.path(shard)), "\(text)")
    let frame = index.frames.firstIndex {
      ($0.byteOffset..<$0.byteOffset + $0.byteCount).contains(byteOffset)
    }
    guard let frame else { return }
    #expect(
      text.contains("frame \(frame) at byte \(index.frames[frame].byteOffset)"),
      "byte \(byteOffset): \(text)")
  }

  private func index(_ subject: Subject, _ shard: (Int, Int)) throws -> ShardIndex {
    try subject.synthetic.open().openShard(shard.1, of: .train, domainIndex: shard.0).index
  }

  @Test(arguments: 0..<3, [0, 2]) func everyFlippedBitIsFound(shard: Int, threadCount: Int) throws {
    let subject = try Subject()
    let shard = Subject.shards[shard]
    let name = subject.path(shard)
    let bytes = try subject.synthetic.folder.bytes(of: name)
    let index = try index(subject, shard)
    let corpus = try subject.synthetic.open()
    for byteOffset in bytes.indices {
      // With threads a quarter of the bits, so that the test stays short on a busy machine.
      for bit in 0..<8 where threadCount == 0 || (bit + byteOffset) % 4 == 0 {
        let flipped = bytes[byteOffset] ^ UInt8(1 << bit)
        subject.synthetic.folder.patch(name, at: byteOffset, with: [flipped])
        let loader = try Subject.loader(corpus, threadCount: threadCount)
        let text = try subject.failure(loader)
        #expect(text != nil, "bit \(bit) of byte \(byteOffset) was not noticed")
        expectPlace(text, subject, shard: shard, index: index, byteOffset: byteOffset)
        subject.synthetic.folder.patch(name, at: byteOffset, with: [bytes[byteOffset]])
        // Mended: the same loader goes on with the same tokens.
        if (bit + byteOffset) % 8 == 0 { #expect(try subject.failure(loader) == nil) }
      }
    }
  }

  @Test(arguments: 0..<3, [0, 2]) func everyTruncationIsFound(shard: Int, threadCount: Int) throws {
    let subject = try Subject()
    let shard = Subject.shards[shard]
    let name = subject.path(shard)
    let bytes = try subject.synthetic.folder.bytes(of: name)
    let corpus = try subject.synthetic.open()
    for count in bytes.indices {
      try subject.synthetic.folder.write(Array(bytes[..<count]), to: name)
      let loader = try Subject.loader(corpus, threadCount: threadCount)
      let text = try subject.failure(loader)
      #expect(text?.contains(name) == true && text?.contains("\(count)") == true, "\(text ?? "")")
      if count % 16 == 0 {
        // Mended under another inode, as a copy tool does it.
        try subject.synthetic.folder.replace(name, with: bytes)
        #expect(try subject.failure(loader) == nil)
      }
    }
    try subject.synthetic.folder.write(bytes + [0], to: name)
    #expect(try subject.failure(threadCount: threadCount)?.contains(name) == true)
  }

  @Test(arguments: [0, 2]) func missingAndReplacedFilesAreNamed(threadCount: Int) throws {
    let subject = try Subject()
    let folder = subject.synthetic.folder
    for shard in Subject.shards {
      let name = subject.path(shard)
      let bytes = try folder.bytes(of: name)
      try folder.remove(name)
      #expect(try subject.failure(threadCount: threadCount)?.contains("cannot open") == true)
      try folder.makeFolder(name)
      #expect(try subject.failure(threadCount: threadCount)?.contains(name) == true)
      // A pipe that nobody writes to would be waited for until the end of time.
      if try folder.replaceByPipe(name) {
        #expect(try subject.failure(threadCount: threadCount)?.contains(name) == true)
      }
      try folder.remove(name)
      try folder.write([], to: name)
      #expect(try subject.failure(threadCount: threadCount)?.contains(name) == true)
      try folder.write([UInt8](repeating: 0, count: bytes.count), to: name)
      #expect(try subject.failure(threadCount: threadCount)?.contains(name) == true)
      try folder.write(bytes, to: name)
      #expect(try subject.failure(threadCount: threadCount) == nil)
    }
  }

  @Test(arguments: [0, 2]) func exchangedShardsAreFound(threadCount: Int) throws {
    let subject = try Subject()
    let folder = subject.synthetic.folder
    for (one, other) in [((0, 0), (1, 0)), ((0, 0), (0, 1)), ((0, 1), (1, 0))] {
      let (first, second) = (subject.path(one), subject.path(other))
      let (firstBytes, secondBytes) = (try folder.bytes(of: first), try folder.bytes(of: second))
      try folder.write(secondBytes, to: first)
      try folder.write(firstBytes, to: second)
      let text = try subject.failure(threadCount: threadCount)
      #expect(text?.contains("is not the shard that the manifest records") == true)
      try folder.write(firstBytes, to: first)
      try folder.write(secondBytes, to: second)
    }
    #expect(try subject.failure(threadCount: threadCount) == nil)
  }

  @Test(arguments: [0, 2]) func aFrameOfAnotherShardIsFound(threadCount: Int) throws {
    let subject = try Subject()
    let folder = subject.synthetic.folder
    let (source, name) = (try folder.bytes(of: subject.path((1, 0))), subject.path((0, 0)))
    let bytes = try folder.bytes(of: name)
    let (from, to) = (try index(subject, (1, 0)), try index(subject, (0, 0)))
    for (frame, entry) in to.frames.enumerated() {
      // Both domains have frames of one shape; where the sizes differ, the rest stays as it was.
      let other = from.frames[frame]
      let count = min(entry.byteCount, other.byteCount)
      let part = Array(source[other.byteOffset..<other.byteOffset + count])
      folder.patch(name, at: entry.byteOffset, with: part)
      let text = try subject.failure(threadCount: threadCount)
      #expect(text?.contains("frame \(frame) at byte \(entry.byteOffset)") == true)
      folder.patch(name, at: 0, with: bytes)
    }
    #expect(try subject.failure(threadCount: threadCount) == nil)
  }

  @Test(arguments: [0, 2]) func aFileThatIsTruncatedWhileItIsReadIsAnError(threadCount: Int) throws
  {
    let corpus = try SyntheticCorpus([.init("code", shards: [6 * tokensPerFrame + 70_000])])
    let name = corpus.path(domain: 0, shard: 0)
    let bytes = try corpus.folder.bytes(of: name)
    let expected = ExpectedRows(corpus, sequenceLength: 1 << 14, unitsPerPool: 1, seed: 3)
    let loader = try Loader(
      corpus.open(), policy: .static(.uniform), batch: .init(rows: 4, sequenceLength: 1 << 14),
      seed: 3,
      options: options {
        $0.threadCount = threadCount
        $0.unitsPerPool = 1
      })
    var position = 0
    func expectSame(_ batch: Batch?) throws {
      for row in try #require(batch).rows() {
        #expect(row == expected.row(domain: 0, position: position))
        position += 1
      }
    }
    try expectSame(loader.next())
    try corpus.folder.write(Array(bytes[..<1000]), to: name)
    var text = ""
    for _ in 0..<50 where text.isEmpty {
      do { try expectSame(loader.next()) } catch let error as LoadingError {
        text = error.description
      }
    }
    #expect(text.contains("domain code") && text.contains(name), "\(text)")
    // A shard that was opened before ends early; one that is opened anew has the wrong size.
    let isEarly = text.contains("is damaged: the file ends at byte 1000")
    #expect(isEarly || text.contains("its size in bytes is 1000, not \(bytes.count)"), "\(text)")
    #expect(throws: LoadingError.self) { try loader.next() }
    try corpus.folder.write(bytes, to: name)
    while position < 200 { try expectSame(loader.next()) }
  }

  // MARK: The manifest

  private static let manifest = CorpusManifest.fileName

  private func replaceInManifest(_ subject: Subject, _ old: String, _ new: String) throws
    -> String?
  {
    let bytes = try subject.synthetic.folder.bytes(of: Self.manifest)
    let parts = String(decoding: bytes, as: UTF8.self).split(
      separator: old, omittingEmptySubsequences: false)
    #expect(parts.count > 1, "\(old) is not in the manifest")
    try subject.synthetic.folder.write(
      Array(parts.joined(separator: new).utf8), to: Self.manifest)
    defer { try? subject.synthetic.folder.write(bytes, to: Self.manifest) }
    return try subject.failure()
  }

  @Test func pathsThatLeaveTheCorpusAreRefused() throws {
    let subject = try Subject()
    let path = subject.path((0, 0))
    for hostile in [
      "../\(path)", "code/../../\(path)", "/etc/passwd", "/\(path)", "", "code//x", "./\(path)",
      "code/.", "..", "code/..", "code/train\\u00000",
    ] {
      let text = try replaceInManifest(subject, "\"\(path)\"", "\"\(hostile)\"")
      #expect(text?.contains("leaves the corpus folder") == true, "\(hostile): \(text ?? "")")
    }
    #expect(try subject.failure() == nil)
  }

  @Test func aWrongTokenWidthIsFound() throws {
    let subject = try Subject()
    let wide = try replaceInManifest(subject, "\"token_width\" : 2", "\"token_width\" : 4")
    // Batches of UInt16 cannot hold what the manifest promises.
    #expect(wide?.contains("tokens of 4 bytes") == true)
    for width in ["1", "3", "0", "-2", "8", "\"2\"", "2.5", "null"] {
      let text = try replaceInManifest(subject, "\"token_width\" : 2", "\"token_width\" : \(width)")
      #expect(text?.contains(Self.manifest) == true, "\(width)")
    }

    let corpus = try SyntheticCorpus([.init("code", shards: [5000])], tokenWidth: .uint32)
    try corpus.manifest(
      of: CorpusManifest.read(from: corpus.folder.path + "/" + Self.manifest).domains
    ).writeNarrowed(to: corpus.folder.path + "/" + Self.manifest)
    let loader = try Loader(
      corpus.open(), policy: .static(.uniform), batch: .init(rows: 1, sequenceLength: 512), seed: 1)
    let error = #expect(throws: LoadingError.self) { try loader.next() }
    #expect(error?.description.contains("its token width is 4, not 2") == true)
  }

  @Test func aManifestWithADamagedByteGivesAnErrorOrTheSameTokens() throws {
    let subject = try Subject()
    let bytes = try subject.synthetic.folder.bytes(of: Self.manifest)
    var noticed = 0
    for byteOffset in bytes.indices {
      for byte in [bytes[byteOffset] ^ 1, bytes[byteOffset] ^ 0x82, UInt8(ascii: "0")] {
        subject.synthetic.folder.patch(Self.manifest, at: byteOffset, with: [byte])
        if let text = try subject.failure() {
          #expect(text.contains(subject.synthetic.folder.path), "\(text)")
          noticed += 1
        }
      }
      subject.synthetic.folder.patch(Self.manifest, at: byteOffset, with: [bytes[byteOffset]])
    }
    // What may change unnoticed is white space, and the corpus's and the tokenizer's names.
    #expect(noticed > bytes.count)
    #expect(try subject.failure() == nil)
  }

  @Test func everyTruncatedManifestIsAnError() throws {
    let subject = try Subject()
    let bytes = try subject.synthetic.folder.bytes(of: Self.manifest)
    // The last byte is a line feed, which JSON does not need.
    for count in 0..<bytes.count - 1 {
      try subject.synthetic.folder.write(Array(bytes[..<count]), to: Self.manifest)
      #expect(try subject.failure()?.contains(Self.manifest) == true, "\(count) bytes")
    }
  }
}

extension CorpusManifest {
  /// Writes the manifest with a vocabulary and a width of UInt16.
  fileprivate func writeNarrowed(to path: String) throws {
    var manifest = self
    manifest.tokenizer.vocabularySize = 1000
    manifest.tokenWidth = .uint16
    try manifest.write(to: path)
  }
}
