internal import Synchronization

/// Reads every byte of a corpus and compares it with everything that is recorded of it.
///
/// What is checked, of each shard of the domains and splits that are asked for:
///
/// 1. The file opens, and its size, index checksum, token width, token and document counts are
///   those
///    of the manifest; the index and the seek table are sound and agree.
/// 2. Each frame's compressed bytes have the hash of the index.
/// 3. Each frame decodes to exactly its recorded size, and libzstd finds its content checksum
///    right.
/// 4. The content has the checksum and the first token of the index.
/// 5. Every token is in the vocabulary.
/// 6. Each frame has as many end-of-text tokens as the index records documents that end in it; the
///   index's sum is the manifest's number of documents.
///
/// Damage ends nothing: it is noted and the next frame is read. A frame is noted with the first
/// thing that is wrong with it; a shard whose index cannot be trusted is noted as a whole.
///
/// Memory is one frame for each thread, however large the corpus is.
public struct Verification: Sendable {
  private let corpus: Corpus
  private let domainIndexes: [Int]

  /// Prepares to verify the named domains, or all if none is named.
  ///
  /// - Parameters:
  ///   - corpus: The corpus, which was opened.
  ///   - names: Names of its domains.
  /// - Throws: ``CorpusError/unknownDomain(name:known:)``.
  public init(_ corpus: Corpus, domains names: [String] = []) throws(CorpusError) {
    self.corpus = corpus
    var indexes: Set<Int> = []
    for name in names { indexes.insert(try corpus.domainIndex(named: name)) }
    domainIndexes = names.isEmpty ? Array(corpus.domains.indices) : indexes.sorted()
  }

  /// Verifies, and returns what was found.
  ///
  /// - Parameters:
  ///   - threadCount: The threads that read and decode, at least 1.
  ///   - observer: Called after every frame, from any thread, one call at a time; it should return
  ///     soon.
  /// - Returns: The counts and every fault; the same for every number of threads.
  /// - Throws: ``CorpusError/compressionFailed(code:)`` if libzstd gives no context. Faults of the
  ///   corpus are not thrown.
  /// - Complexity: O(bytes) time; a frame of memory per thread.
  public func run(
    threadCount: Int = 1,
    observer: @escaping @Sendable (VerificationProgress) -> Void = { _ in }
  ) throws(CorpusError) -> VerificationReport {
    let work = VerificationWork(corpus: corpus, domainIndexes: domainIndexes, observer: observer)
    try runOnThreads(max(1, threadCount)) { () throws(CorpusError) in try work.run() }
    return work.report()
  }
}

/// What the threads of one verification share.
private final class VerificationWork: Sendable {
  /// A shard that is to be verified.
  private struct ShardTask {
    let domainIndex: Int
    let split: Split
    let shardIndex: Int
    let description: ShardDescription
    /// The place of the shard's split in ``State/splits``.
    let splitIndex: Int
  }

  /// A fault and where it stands in the report.
  private struct Finding {
    let taskIndex: Int
    let fault: VerificationReport.Fault
  }

  private struct State {
    var nextTask = 0
    /// The shard whose frames are handed out now.
    var reader: ShardReader?
    var nextFrame = 0
    /// By task, the frames that are left of each shard that is being read: at most one shard more
    /// than there are threads.
    var framesLeft: [Int: Int] = [:]
    var splits: [VerificationReport.SplitCount]
    var findings: [Finding] = []
    var progress = VerificationProgress()
  }

  /// A frame that a thread is to read.
  private struct FrameTask {
    let taskIndex: Int
    let reader: ShardReader
    let frame: Int
  }

  private let corpus: Corpus
  private let tasks: [ShardTask]
  private let observer: @Sendable (VerificationProgress) -> Void
  private let state: Mutex<State>

  init(
    corpus: Corpus, domainIndexes: [Int],
    observer: @escaping @Sendable (VerificationProgress) -> Void
  ) {
    self.corpus = corpus
    self.observer = observer
    var tasks: [ShardTask] = []
    var splits: [VerificationReport.SplitCount] = []
    for domainIndex in domainIndexes {
      let domain = corpus.domains[domainIndex]
      for split in Split.allCases {
        guard let shards = domain.shards[split], !shards.isEmpty else { continue }
        for (shardIndex, description) in shards.enumerated() {
          tasks.append(
            ShardTask(
              domainIndex: domainIndex, split: split, shardIndex: shardIndex,
              description: description, splitIndex: splits.count))
        }
        splits.append(
          VerificationReport.SplitCount(
            domain: domain.name, split: split, shardCount: shards.count,
            documentCount: domain.documentCount(of: split),
            tokenCount: domain.tokenCount(of: split), byteCount: domain.byteCount(of: split),
            frameCount: shards.reduce(0) {
              $0 + ($1.tokenCount + tokensPerFrame - 1) / tokensPerFrame
            }))
      }
    }
    self.tasks = tasks
    var state = State(splits: splits)
    state.progress.totalByteCount = splits.reduce(0) { $0 + $1.byteCount }
    self.state = Mutex(state)
  }

  /// What each thread does: frames, until there are no more.
  func run() throws(CorpusError) {
    let decoder = try FrameDecoder(verifiesContent: true)
    let tokens = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tokensPerFrame * corpus.tokenWidth.byteCount, alignment: 64)
    defer { tokens.deallocate() }
    while let task = nextFrame() {
      let entry = task.reader.index.frames[task.frame]
      let content = UnsafeMutableRawBufferPointer(
        rebasing: tokens[..<(entry.tokenCount * corpus.tokenWidth.byteCount)])
      var fault: CorpusError?
      do throws(CorpusError) {
        try verify(task, content: content, using: decoder)
      } catch {
        fault = error
      }
      finish(task, fault)
    }
  }

  /// The report, once every thread has returned.
  func report() -> VerificationReport {
    state.withLock { state in
      // Threads end their frames in any order; a fault of a whole shard comes after those of
      // frames.
      let findings = state.findings.sorted {
        ($0.taskIndex, $0.fault.frame ?? .max) < ($1.taskIndex, $1.fault.frame ?? .max)
      }
      return VerificationReport(splits: state.splits, faults: findings.map(\.fault))
    }
  }

  /// Reads a frame and compares it with everything that is recorded of it.
  private func verify(
    _ task: FrameTask, content: UnsafeMutableRawBufferPointer, using decoder: FrameDecoder
  ) throws(CorpusError) {
    let (reader, frame) = (task.reader, task.frame)
    try reader.decode(frame: frame, into: content, using: decoder)
    let content = UnsafeRawBufferPointer(content)
    let entry = reader.index.frames[frame]
    let checksum = UInt32(truncatingIfNeeded: XXHash.hash64(content))
    guard checksum == entry.checksum else {
      throw reader.damage(frame, .checksum(recorded: entry.checksum, found: checksum))
    }
    let scan =
      switch corpus.tokenWidth {
      case .uint16: Self.scan(content.assumingMemoryBound(to: UInt16.self), corpus.tokenizer)
      case .uint32: Self.scan(content.assumingMemoryBound(to: UInt32.self), corpus.tokenizer)
      }
    if let position = scan.firstUnknown {
      let token = corpus.tokenWidth.token(at: position, of: content)
      throw reader.damage(
        frame,
        .token(
          position: position, token: token, vocabularySize: corpus.tokenizer.vocabularySize))
    }
    guard scan.endOfTextCount == entry.documentCount else {
      throw reader.damage(
        frame, .documentCount(recorded: entry.documentCount, found: scan.endOfTextCount))
    }
  }

  /// Counts the end-of-text tokens, and finds the first token that the vocabulary does not have.
  private static func scan<Token: FixedWidthInteger & UnsignedInteger>(
    _ tokens: UnsafeBufferPointer<Token>, _ tokenizer: TokenizerDescription
  ) -> (endOfTextCount: Int, firstUnknown: Int?) {
    let last = Token(clamping: tokenizer.vocabularySize - 1)
    let endOfText = Token(clamping: tokenizer.endOfText)
    var count = 0
    var largest: Token = 0
    for token in tokens {
      let token = Token(littleEndian: token)
      count += token == endOfText ? 1 : 0
      largest = max(largest, token)
    }
    guard largest > last else { return (count, nil) }
    return (count, tokens.firstIndex { Token(littleEndian: $0) > last })
  }

  /// Returns the next frame to read, opening the next shard when the last one's are all given out.
  private func nextFrame() -> FrameTask? {
    state.withLock { state in
      while true {
        if let reader = state.reader {
          let frame = state.nextFrame
          state.nextFrame += 1
          if state.nextFrame == reader.index.frames.count { state.reader = nil }
          return FrameTask(taskIndex: state.nextTask - 1, reader: reader, frame: frame)
        }
        guard state.nextTask < tasks.count else { return nil }
        open(state.nextTask, &state)
        state.nextTask += 1
      }
    }
  }

  private func open(_ taskIndex: Int, _ state: inout State) {
    let task = tasks[taskIndex]
    state.progress.domain = corpus.domains[task.domainIndex].name
    do throws(CorpusError) {
      let reader = try corpus.openShard(
        task.shardIndex, of: task.split, domainIndex: task.domainIndex)
      state.framesLeft[taskIndex] = reader.index.frames.count
      state.reader = reader
      state.nextFrame = 0
    } catch {
      note(error, of: taskIndex, frame: nil, byteOffset: error.byteOffset, &state)
      state.progress.byteCount += task.description.byteCount
      observer(state.progress)
    }
  }

  /// Takes in what a thread found out about a frame; nil if it is whole.
  private func finish(_ done: FrameTask, _ fault: CorpusError?) {
    let task = tasks[done.taskIndex]
    let entry = done.reader.index.frames[done.frame]
    state.withLock { state in
      if let fault {
        note(fault, of: done.taskIndex, frame: done.frame, byteOffset: entry.byteOffset, &state)
      } else {
        state.splits[task.splitIndex].wholeFrameCount += 1
      }
      state.progress.byteCount += entry.byteCount
      let framesLeft = state.framesLeft[done.taskIndex, default: 1] - 1
      state.framesLeft[done.taskIndex] = framesLeft > 0 ? framesLeft : nil
      if framesLeft == 0 {
        // What is left of the shard's file is its index.
        state.progress.byteCount +=
          task.description.byteCount - done.reader.index.frames.reduce(0) { $0 + $1.byteCount }
      }
      observer(state.progress)
    }
  }

  private func note(
    _ error: CorpusError, of taskIndex: Int, frame: Int?, byteOffset: Int?, _ state: inout State
  ) {
    let task = tasks[taskIndex]
    let fault = VerificationReport.Fault(
      domain: corpus.domains[task.domainIndex].name, split: task.split,
      shard: task.description.path, frame: frame, byteOffset: byteOffset, error: error)
    state.findings.append(Finding(taskIndex: taskIndex, fault: fault))
    state.splits[task.splitIndex].faultCount += 1
    state.progress.faultCount += 1
  }
}

extension CorpusError {
  /// Where in its file the damage lies, if the error says so.
  fileprivate var byteOffset: Int? {
    switch self {
    case .indexDamaged(_, let byteOffset, _), .frameDamaged(_, _, let byteOffset, _),
      .cannotRead(_, let byteOffset, _), .endsEarly(_, let byteOffset, _, _):
      byteOffset
    default: nil
    }
  }
}
