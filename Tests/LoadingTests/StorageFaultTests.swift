// Covers: DecodeWatch.swift, ReadActivity.swift, FileAccess.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A corpus of two domains whose storage can fail; the faults are put into the only shard of the
/// second.
private struct FaultyCorpus {
  static let domain = "domain-1"

  let folder: FormatFolder
  let files: FaultyFiles
  let corpus: Corpus

  init(_ format: FormatFolder.Format, holdsNothing: Bool = false) throws {
    folder = try FormatFolder(
      format,
      documents: [
        [60_000, 50_000].enumerated().map {
          FormatFolder.documents(byteCount: $1, seed: UInt64($0))
        },
        [FormatFolder.documents(byteCount: 300_000, seed: 9)],
      ])
    files = FaultyFiles(holdsNothing: holdsNothing)
    corpus = try folder.open(access: FileAccess(opener: files))
  }

  /// The file of the second domain that holds tokens.
  var file: String { folder.files[1][0] }

  var path: String { folder.folder.path + "/" + file }

  /// Bytes that are not read before the shard is open, and soon after that.
  func middle() throws -> Range<Int> {
    // The first frame of a native shard is its second domain's first unit.
    if folder.format == .native { return 0..<1 }
    let byteCount = try folder.folder.bytes(of: file).count
    return byteCount / 10..<byteCount / 10 + 1
  }

  func loader(
    threads: Int = 0, milliseconds: Int? = nil, from checkpoint: LoaderCheckpoint? = nil,
    quarantine: QuarantineRule = .collect
  ) throws -> Loader {
    try Loader(
      corpus, policy: .static(.weights(["domain-0": 0.4, "domain-1": 0.6])),
      batch: .init(rows: 8, sequenceLength: 1024), seed: 3,
      options: options {
        $0.threadCount = threads
        $0.unitsPerPool = 1
        $0.readTimeoutInMilliseconds = milliseconds
        $0.quarantine = quarantine
      }, resumingFrom: checkpoint)
  }

  static let batchCount = 30

  /// The batches without any fault.
  func expected() throws -> [[Row]] {
    try Loader(
      folder.open(), policy: .static(.weights(["domain-0": 0.4, "domain-1": 0.6])),
      batch: .init(rows: 8, sequenceLength: 1024), seed: 3,
      options: options { $0.unitsPerPool = 1 }
    ).rows(batches: Self.batchCount)
  }

  /// Reads on up to the last batch, or to an error.
  func read(_ loader: Loader, onto batches: inout [[Row]]) throws {
    while batches.count < Self.batchCount {
      batches.append(try #require(try loader.next()).rows())
    }
  }

  /// Reads up to an error, which there must be.
  func failure(_ loader: Loader, onto batches: inout [[Row]]) throws -> LoadingError {
    do {
      try read(loader, onto: &batches)
    } catch let error as LoadingError {
      return error
    }
    Issue.record("nothing failed in \(batches.count) batches")
    return .noGoodSequence(domain: "")
  }
}

extension LoadingError {
  fileprivate var stall: Stall? { if case .timedOut(let stall) = self { stall } else { nil } }
}

/// What failing storage may do to a run: nothing that passes is noticed, nothing that stays is
/// waited for without end, and never is a row lost, repeated or changed.
@Suite(.timeLimit(.minutes(5)))
struct StorageFaultTests {
  private static let threadCounts = [0, 1, 2]

  @Test(
    "errors that pass, short reads and interruptions change nothing",
    arguments: FormatFolder.Format.allCases, threadCounts)
  func passing(format: FormatFolder.Format, threads: Int) throws {
    for holdsNothing in [false, true] {
      let faulty = try FaultyCorpus(format, holdsNothing: holdsNothing)
      let faults: [(FaultyFiles.Fault, FaultyFiles.Call, Int)] = [
        (.fails(EIO), .open, 2), (.fails(EIO), .read(try faulty.middle()), 2),
        (.fails(EINTR), .read(0..<Int.max), 50), (.short(777), .read(0..<Int.max), .max),
      ]
      for (fault, call, count) in faults {
        faulty.files.inject(fault, call, of: faulty.file, count: count)
      }
      let loader = try faulty.loader(threads: threads)
      #expect(try loader.rows(batches: FaultyCorpus.batchCount) == faulty.expected())
      #expect(faulty.files.metCount > 54)
      #expect(loader.quarantine.isEmpty)
    }
  }

  @Test(
    "an error that stays is named, and once it is mended the same loader goes on",
    arguments: FormatFolder.Format.allCases, threadCounts)
  func staying(format: FormatFolder.Format, threads: Int) throws {
    let faulty = try FaultyCorpus(format)
    let expected = try faulty.expected()
    for (call, code) in [
      (FaultyFiles.Call.open, EIO), (.read(try faulty.middle()), EIO), (.open, ENOENT),
      (.read(try faulty.middle()), ESTALE),
    ] {
      faulty.files.inject(.fails(code), call, of: faulty.file)
      let loader = try faulty.loader(threads: threads)
      var batches: [[Row]] = []
      for _ in 0..<2 {
        let error = try faulty.failure(loader, onto: &batches)
        #expect(error.description.contains("errno \(code)"))
        #expect(error.description.contains(faulty.path))
      }
      #expect(loader.quarantine.isEmpty)
      faulty.files.mend()
      try faulty.read(loader, onto: &batches)
      #expect(batches == expected, "\(call)")
    }
  }

  @Test(
    "a call that never returns is given up in time, and the loader closes without it",
    arguments: FormatFolder.Format.allCases, threadCounts)
  func hanging(format: FormatFolder.Format, threads: Int) throws {
    for call in [FaultyFiles.Call.open, .read(try FaultyCorpus(format).middle())] {
      let faulty = try FaultyCorpus(format)
      let expected = try faulty.expected()
      faulty.files.inject(.hangs, call, of: faulty.file)
      let loader = try faulty.loader(threads: threads, milliseconds: 1000)
      var batches: [[Row]] = []
      let error = try faulty.failure(loader, onto: &batches)
      let stall = try #require(error.stall, "\(error)")
      #expect(stall.domain == FaultyCorpus.domain && stall.path == faulty.path)
      #expect(stall.timeoutInMilliseconds == 1000)
      expect(stall, format: format, call: call, faulty)
      #expect(loader.quarantine.isEmpty)
      #expect(Array(expected.prefix(batches.count)) == batches)
      let checkpoint = try loader.checkpoint()
      // Nothing is released before that: were the call waited for, this would never end.
      #expect(faulty.files.hangCount > 0)
      loader.close()
      #expect(faulty.files.hangCount > 0)
      faulty.files.mend()
      try faulty.read(try faulty.loader(threads: threads, from: checkpoint), onto: &batches)
      #expect(batches == expected)
    }
  }

  private func expect(
    _ stall: Stall, format: FormatFolder.Format, call: FaultyFiles.Call, _ faulty: FaultyCorpus
  ) {
    if call == .open {
      #expect(stall.stage == .opening && stall.frame == nil)
      return
    }
    switch format {
    case .native: #expect(stall.stage == .reading && stall.frame == 0 && stall.byteOffset == 0)
    case .mdsBytes, .mdsArrays: #expect([.opening, .verifying].contains(stall.stage))
    case .megatron: #expect(stall.stage == .reading)
    // A thread that waits for a piece of a stream may be found decoding it.
    case .jsonLines, .compressedJSONLines:
      #expect([.reading, .decoding].contains(stall.stage))
    }
    #expect(stall.byteOffset != nil)
  }

  @Test(
    "a loader that gave a call up goes on with the same batches",
    arguments: FormatFolder.Format.allCases, threadCounts)
  func goingOn(format: FormatFolder.Format, threads: Int) throws {
    for call in [FaultyFiles.Call.open, .read(try FaultyCorpus(format).middle())] {
      let faulty = try FaultyCorpus(format)
      let expected = try faulty.expected()
      // The call itself never comes back, but the next one does.
      faulty.files.inject(.hangs, call, of: faulty.file, count: 1)
      let loader = try faulty.loader(threads: threads, milliseconds: 1000)
      var batches: [[Row]] = []
      // What a thread meets ahead of the caller need not be an error, or is one twice: when the
      // thread is waited for too long, and when it gives up.
      var stallCount = 0
      while batches.count < FaultyCorpus.batchCount, stallCount < 3 {
        do throws(LoadingError) {
          batches.append(try loader.next()?.rows() ?? [])
        } catch {
          #expect(error.stall != nil)
          stallCount += 1
        }
      }
      #expect(threads > 0 ? stallCount < 3 : stallCount == 1)
      #expect(batches == expected)
      #expect(faulty.files.hangCount == 1)
      faulty.files.mend()
    }
  }

  @Test(arguments: threadCounts) func aLoaderThatIsLetGoWaitsForNothing(threads: Int) throws {
    let faulty = try FaultyCorpus(.native)
    faulty.files.inject(.hangs, .open, of: faulty.file)
    do {
      let loader = try faulty.loader(threads: threads, milliseconds: 1000)
      var batches: [[Row]] = []
      _ = try faulty.failure(loader, onto: &batches)
    }
    #expect(faulty.files.hangCount > 0)
    faulty.files.mend()
  }

  @Test func anIndexThatIsNotReadIsNamed() throws {
    let faulty = try FaultyCorpus(.native)
    let last = try faulty.folder.folder.bytes(of: faulty.file).count - 1
    faulty.files.inject(.hangs, .read(last..<last + 1), of: faulty.file)
    var batches: [[Row]] = []
    let stall = try faulty.failure(try faulty.loader(milliseconds: 1000), onto: &batches).stall
    #expect(stall?.stage == .opening && stall?.frame == nil && stall?.byteOffset != nil)
    faulty.files.mend()
  }

  @Test(arguments: [FormatFolder.Format.native, .mdsBytes, .mdsArrays, .megatron])
  func evaluationGivesUpAndGoesOn(format: FormatFolder.Format) throws {
    let faulty = try FaultyCorpus(format)
    func rows(_ reader: EvaluationReader) throws -> [UInt16] {
      let count = reader.remainingCount
      var rows = [UInt16](repeating: 0, count: count * 1025)
      _ = try rows.withUnsafeMutableBufferPointer { try reader.next(rows: count, into: $0) }
      return rows
    }
    func reader(_ corpus: Corpus) throws -> EvaluationReader {
      try EvaluationReader(
        corpus, domainIndex: 1, split: .train, sequenceLength: 1024, range: nil)
    }
    let expected = try rows(reader(faulty.folder.open()))
    for call in [FaultyFiles.Call.open, .read(try faulty.middle())] {
      faulty.files.inject(.hangs, call, of: faulty.file)
      let reader = try reader(faulty.corpus.waiting(milliseconds: 1000))
      let error = #expect(throws: LoadingError.self) { try rows(reader) }
      #expect(error?.stall?.path == faulty.path)
      faulty.files.mend()
      #expect(try rows(reader) == expected)
    }
    #expect(throws: LoadingError.self) {
      _ = try EvaluationReader(
        faulty.corpus, domainIndex: 1, split: .train, sequenceLength: 1024,
        readTimeoutInSeconds: 0)
    }
  }

  @Test func aSpecThatDoesNotComeIsGivenUp() throws {
    let faulty = try FaultyCorpus(.megatron)
    for (name, call) in [
      ("spec.json", FaultyFiles.Call.open), ("shard-0.idx", .read(0..<1)), ("shard-0.idx", .open),
    ] {
      faulty.files.inject(.hangs, call, of: name)
      let error = #expect(throws: CorpusError.self) {
        try faulty.folder.open(
          access: FileAccess(opener: faulty.files, timeoutInMilliseconds: 1000))
      }
      #expect(error?.stall?.path.hasSuffix(name) == true)
      faulty.files.mend()
    }
  }

  @Test func anExplanationGivesUpToo() throws {
    let faulty = try FaultyCorpus(.compressedJSONLines)
    faulty.files.inject(.hangs, .open, of: faulty.file)
    let error = #expect(throws: LoadingError.self) {
      try Explanation(
        faulty.corpus.waiting(milliseconds: 500), policy: .static(.uniform),
        batch: .init(rows: 8, sequenceLength: 64), seed: 3, length: .steps(1))
    }
    #expect(error?.stall?.path == faulty.path)
    faulty.files.mend()
  }

  @Test func aThreadThatDoesNotGetOnWithDecodingIsNamed() throws {
    let faulty = try FaultyCorpus(.jsonLines)
    let tokenizer = StuckTokenizer()
    let corpus = try faulty.folder.open(tokenizer: tokenizer, access: FileAccess())
    let loader = try Loader(
      corpus, policy: .static(.uniform), batch: .init(rows: 8, sequenceLength: 64), seed: 3,
      options: options {
        $0.threadCount = 1
        $0.unitsPerPool = 1
        $0.readTimeoutInMilliseconds = 1000
      })
    var batches: [[Row]] = []
    var stall: Stall?
    while stall == nil, batches.count < 20_000 {
      do throws(LoadingError) {
        let batch = try loader.next()
        batches.append(batch?.rows() ?? [])
      } catch {
        stall = error.stall
      }
    }
    #expect(stall?.stage == .decoding && stall?.domain?.hasPrefix("domain-") == true)
    // Still stuck: nothing waits for the thread.
    let checkpoint = try loader.checkpoint()
    loader.close()
    tokenizer.release()
    let plain = try Loader(
      faulty.folder.open(), policy: .static(.uniform), batch: .init(rows: 8, sequenceLength: 64),
      seed: 3, options: options { $0.unitsPerPool = 1 })
    #expect(try plain.rows(batches: batches.count) == batches)
    #expect(checkpoint.step == batches.count)
  }
}

/// Bytes as tokens, but in every thread other than the one that made it, for ever until released.
private final class StuckTokenizer: Tokenizer, @unchecked Sendable {
  // Sound: nothing of it changes but what is atomic or a lock.
  let name = "bytes"
  let vocabularySize = 257
  let endOfText: UInt32 = 256

  private let home = pthread_self()
  private let monitor = Monitor()
  private let isReleased = Atomic(false)

  func encode(_ text: Span<UInt8>, into tokens: inout [UInt32]) {
    let isHome = pthread_equal(pthread_self(), home) != 0
    monitor.lock()
    while !isHome, !isReleased.load(ordering: .relaxed) { monitor.wait() }
    monitor.unlock()
    BytesTokenizer().encode(text, into: &tokens)
  }

  func release() {
    monitor.lock()
    isReleased.store(true, ordering: .relaxed)
    monitor.broadcast()
    monitor.unlock()
  }
}
