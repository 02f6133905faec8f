// Covers: SequenceStream.swift, TextMark.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// The rows that a corpus must give, from the order's definition and the tokens as they were made
/// up, an epoch at a time; nothing is read.
private struct FormatOrder {
  static let sequenceLength = 4096
  static let unitsPerPool = 1
  static let seed: UInt64 = 11

  /// The rows of some epochs in a row, `[domain][position]`.
  let rows: [[[UInt32]]]

  init(_ folder: FormatFolder, epochCount: Int) {
    rows = folder.tokens.enumerated().map { domain, shards in
      (0..<epochCount).flatMap { epoch in
        folder.format.isStreamed
          ? Self.streamed(shards, name: folder.names[domain], epoch: epoch)
          : Self.ranged(shards, name: folder.names[domain], epoch: epoch)
      }
    }
  }

  private static func order(_ shards: [[UInt32]], name: String, access: DomainLayout.Access)
    -> DomainOrder
  {
    DomainOrder(
      layout: DomainLayout(
        shardTokenCounts: shards.map(\.count), sequenceLength: sequenceLength, access: access),
      name: name, seed: seed, unitsPerPool: unitsPerPool)
  }

  private static func ranged(_ shards: [[UInt32]], name: String, epoch: Int) -> [[UInt32]] {
    let order = order(shards, name: name, access: .units)
    let count = order.layout.sequenceCount
    return (epoch * count..<(epoch + 1) * count).map { position in
      let place = order.place(ofSequenceAt: position)
      return Array(shards[place.shard][place.token...].prefix(sequenceLength + 1))
    }
  }

  private static func streamed(_ shards: [[UInt32]], name: String, epoch: Int) -> [[UInt32]] {
    let key = StreamKey(seed: seed, purpose: .units, name: name)
    let permutation = KeyedPermutation(key: key, epoch: epoch, block: 0, count: shards.count)
    var sequences: [[UInt32]] = []
    for rank in shards.indices {
      let tokens = shards[permutation[rank]]
      var begin = 0
      while begin + sequenceLength < tokens.count {
        sequences.append(Array(tokens[begin...begin + sequenceLength]))
        begin += sequenceLength
      }
    }
    let poolSize = unitsPerPool * (tokensPerFrame / sequenceLength)
    let rowKey = StreamKey(seed: seed, purpose: .sequences, name: name)
    return stride(from: 0, to: sequences.count, by: poolSize).flatMap { begin in
      let pool = sequences[begin..<min(begin + poolSize, sequences.count)]
      let rows = KeyedPermutation(
        key: rowKey, epoch: epoch, block: begin / poolSize, count: pool.count)
      return (0..<pool.count).map { pool[begin + rows[$0]] }
    }
  }
}

/// What every format must do: the same tokens in, the same stream out, whatever the settings and
/// wherever the run is cut.
@Suite(.timeLimit(.minutes(5)))
struct FormatTests {
  private static func folder(_ format: FormatFolder.Format) throws -> FormatFolder {
    try FormatFolder(
      format,
      documents: [
        [300_000, 2000, 560_000].enumerated().map {
          FormatFolder.documents(byteCount: $1, seed: UInt64($0))
        },
        [140_000, 90_000].enumerated().map {
          FormatFolder.documents(byteCount: $1, seed: UInt64($0) + 50)
        },
      ])
  }

  private static func loader(
    _ corpus: Corpus, from checkpoint: LoaderCheckpoint? = nil,
    _ change: (inout LoaderOptions) -> Void = { _ in }
  ) throws -> Loader {
    try Loader(
      corpus, policy: .static(.weights(["domain-0": 0.6, "domain-1": 0.4])),
      batch: .init(rows: 7, sequenceLength: FormatOrder.sequenceLength),
      seed: FormatOrder.seed,
      options: options {
        $0.unitsPerPool = FormatOrder.unitsPerPool
        change(&$0)
      }, resumingFrom: checkpoint)
  }

  @Test(
    "the stream is the order's, for any number of threads and any budget",
    arguments: FormatFolder.Format.allCases)
  func stream(format: FormatFolder.Format) throws {
    let folder = try Self.folder(format)
    let expected = FormatOrder(folder, epochCount: 3)
    let corpus = try folder.open()
    let tight = 1_200_000
    for (threads, budget) in [
      (0, 256 << 20), (1, 256 << 20), (3, 256 << 20), (0, tight), (2, tight),
    ] {
      let loader = try Self.loader(corpus) {
        $0.threadCount = threads
        $0.byteBudget = budget
      }
      var positions = [0, 0]
      for step in 1...55 {
        for row in try #require(try loader.next()).rows() {
          let wanted = expected.rows[row.domain][positions[row.domain]]
          try #require(
            row.tokens == wanted,
            "\(format), \(threads) threads, step \(step), domain \(row.domain)")
          positions[row.domain] += 1
        }
      }
      // Domain 1 is read for the third time.
      #expect(positions[1] > 2 * expected.rows[1].count / 3)
    }
  }

  @Test(
    "a run that is cut after any batch goes on with the following one",
    arguments: FormatFolder.Format.allCases)
  func resume(format: FormatFolder.Format) throws {
    let corpus = try Self.folder(format).open()
    let loader = try Self.loader(corpus)
    var batches: [[Row]] = []
    var checkpoints = [try loader.checkpoint()]
    var lagging: [LoaderCheckpoint] = []
    for _ in 0..<50 {
      let batch = try #require(try loader.next())
      batches.append(batch.rows())
      checkpoints.append(try loader.checkpoint())
      lagging.append(try batch.checkpoint())
    }
    #expect(lagging == Array(checkpoints.dropFirst()))
    for (cut, checkpoint) in checkpoints.dropLast().enumerated() {
      let stored = try LoaderCheckpoint(bytes: checkpoint.encoded())
      let resumed = try Self.loader(corpus, from: stored) { $0.threadCount = cut % 3 }
      let following = try resumed.rows(batches: min(3, 50 - cut))
      try #require(
        following == Array(batches[cut...].prefix(3)), "\(format), cut after \(cut) batches")
    }
  }

  @Test(
    "a batch that failed is the same once its domain is mended",
    arguments: FormatFolder.Format.allCases, [0, 2])
  func mended(format: FormatFolder.Format, threads: Int) throws {
    let folder = try Self.folder(format)
    let whole = try Self.loader(folder.open()).rows(batches: 40)
    let loader = try Self.loader(folder.open()) { $0.threadCount = threads }
    // With threads, all shards may be open after the first batch.
    var batches = try loader.rows(batches: threads == 0 ? 3 : 0)
    let names = folder.files[0]
    let contents = try names.map { try folder.folder.bytes(of: $0) }
    for name in names { try folder.folder.remove(name) }
    var failureCount = 0
    while batches.count < 40 {
      do throws(LoadingError) {
        guard let batch = try loader.next() else { break }
        batches.append(batch.rows())
      } catch {
        #expect("\(error)".contains("domain-0"))
        #expect(throws: LoadingError.self) { _ = try loader.next() }
        failureCount += 1
        for (name, bytes) in zip(names, contents) { try folder.folder.replace(name, with: bytes) }
      }
    }
    #expect(failureCount == 1)
    #expect(batches == whole)
  }

  @Test(
    "a batch that was held back resumes after the loader has read on",
    arguments: FormatFolder.Format.allCases)
  func heldBack(format: FormatFolder.Format) throws {
    let corpus = try Self.folder(format).open()
    let loader = try Self.loader(corpus) { $0.threadCount = 1 }
    let batches = try (0..<40).compactMap { _ in try loader.next() }
    let rows = batches.map { $0.rows() }
    for cut in [0, 7, 19, 38] {
      let resumed = try Self.loader(corpus, from: try batches[cut].checkpoint())
      #expect(try #require(try resumed.next()).rows() == rows[cut + 1], "\(format), cut at \(cut)")
    }
  }
}

/// What text cannot do is refused by name, with the remedy.
@Suite(.timeLimit(.minutes(5)))
struct TextDomainTests {
  private static func folder() throws -> FormatFolder {
    try FormatFolder(
      .jsonLines, documents: [[FormatFolder.documents(byteCount: 40_000, seed: 1)]])
  }

  private func refusal(_ change: (inout LoaderOptions) -> Void) throws -> String? {
    do {
      _ = try Loader(
        Self.folder().open(), policy: .static(.uniform), batch: .init(rows: 2, sequenceLength: 64),
        seed: 1, options: options(change))
      return nil
    } catch let error as LoadingError {
      return error.description
    }
  }

  @Test func `an epoch cap is refused, and packing is the remedy`() throws {
    let text = try #require(try refusal { $0.epochCaps = ["domain-0": 1] })
    #expect(text.contains("domain-0") && text.contains("headrace pack"))
    #expect(try refusal { _ in } == nil)
  }

  @Test func `the natural mixture is refused, since nobody knows it`() throws {
    #expect {
      _ = try Loader(
        Self.folder().open(), policy: .static(.natural), batch: .init(rows: 2, sequenceLength: 64),
        seed: 1)
    } throws: { "\($0)".contains("domain-0") && "\($0)".contains("headrace pack") }
  }

  @Test func `evaluation of text is refused`() throws {
    #expect {
      _ = try EvaluationReader(
        Self.folder().open(), domainIndex: 0, split: .train, sequenceLength: 64)
    } throws: { "\($0)".contains("headrace pack") }
  }

  @Test func `text without one whole sequence is an error, not an endless search`() throws {
    let folder = try FormatFolder(.jsonLines, documents: [[["short"], ["texts"]]])
    let loader = try Loader(
      folder.open(), policy: .static(.uniform), batch: .init(rows: 2, sequenceLength: 64), seed: 1)
    #expect { _ = try loader.next() } throws: {
      "\($0)".contains("domain-0") && "\($0)".contains("65 tokens")
    }
  }

  @Test func `a line that is not JSON is named by file, line and byte`() throws {
    let folder = try Self.folder()
    let bytes = try folder.folder.bytes(of: "domain-0/shard-0.jsonl")
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    let offset = lines[0].count + 1 + lines[1].count + 1
    try folder.folder.replace(
      "domain-0/shard-0.jsonl",
      with: Array(bytes[..<offset]) + Array("{]\n".utf8) + bytes[offset...])
    let loader = try Loader(
      folder.open(), policy: .static(.uniform), batch: .init(rows: 2, sequenceLength: 64), seed: 1)
    #expect { _ = try loader.next() } throws: {
      "\($0)".contains("shard-0.jsonl, line 3, byte \(offset + 1)")
    }
  }
}
