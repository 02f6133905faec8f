/// Reads every byte of a corpus and compares it with everything that is recorded of it.
///
/// What is checked, of each shard of the domains and splits that are asked for:
///
/// - Native shards: ``FrameCheck``. The file and its index are those of the manifest; each frame
///   has the recorded hash, size, checksum, first token and number of documents; every token is in
///   the vocabulary.
/// - MDS shards: ``MDSCheck``. The stored file has the recorded hash, every sample the recorded
///   structure, every token is in the vocabulary, and there are as many as were counted when the
///   corpus was opened.
/// - Megatron: ``MegatronCheck``. The index is sound and the one that was read when the corpus was
///   opened, the sizes agree, and every token is in the vocabulary.
/// - JSON lines: ``TextCheck``. Frames decode and have their checksums, every line is what it must
///   be, and documents and tokens are counted.
///
/// Damage ends nothing: it is noted and the next frame, line or shard is read. A frame or shard is
/// noted with the first thing that is wrong with it.
///
/// Memory is one frame and the buffers of one shard for each thread, however large the corpus is.
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
    domainIndexes = try corpus.domainIndexes(named: names)
  }

  /// Verifies, and returns what was found.
  ///
  /// - Parameters:
  ///   - threadCount: The threads that read and decode, at least 1.
  ///   - observer: Called after every frame or 16 MiB, from any thread, one call at a time; it
  ///     should return soon.
  /// - Returns: The counts and every fault; the same for every number of threads.
  /// - Throws: ``CorpusError/compressionFailed(code:)`` if libzstd gives no context. Faults of the
  ///   corpus are not thrown.
  /// - Complexity: O(bytes) time; a frame or the buffers of a shard in memory per thread.
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
    let isNative: Bool
    /// The place of the shard's split in ``State/splits``.
    let splitIndex: Int
  }

  /// A fault and the part in which it was found.
  private struct Finding {
    let part: Int
    let fault: VerificationReport.Fault
  }

  /// A shard of which parts are left.
  private struct OpenShard {
    let check: any ShardCheck
    var partsLeft: Int
    var faultCount = 0
    var looseByteCount = 0
  }

  private struct State {
    var nextTask = 0
    /// The shards whose parts are not all handed out.
    var parts: [(check: any ShardCheck, taskIndex: Int, nextPart: Int)] = []
    /// By task, the shards that are being read: at most one more than there are threads.
    var open: [Int: OpenShard] = [:]
    var splits: [VerificationReport.SplitCount]
    /// By task.
    var findings: [Int: [Finding]] = [:]
    var progress = VerificationProgress()

    mutating func nextPart() -> PartTask? {
      guard let (check, taskIndex, part) = parts.first else { return nil }
      parts[0].nextPart += 1
      if part + 1 == check.partCount { parts.removeFirst() }
      return PartTask(taskIndex: taskIndex, check: check, part: part)
    }

    mutating func nextTaskIndex(of taskCount: Int) -> Int? {
      guard nextTask < taskCount else { return nil }
      nextTask += 1
      return nextTask - 1
    }
  }

  /// A part that a thread is to read.
  private struct PartTask {
    let taskIndex: Int
    let check: any ShardCheck
    let part: Int
  }

  private let corpus: Corpus
  private let tasks: [ShardTask]
  private let observer: @Sendable (VerificationProgress) -> Void
  private let state: Locked<State>

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
              description: description, isNative: domain.format == .native,
              splitIndex: splits.count))
        }
        splits.append(VerificationReport.SplitCount(domain, split: split, shards: shards))
      }
    }
    self.tasks = tasks
    var state = State(splits: splits)
    state.progress.totalByteCount = splits.reduce(0) { $0 + $1.byteCount }
    self.state = Locked(state)
  }

  /// What each thread does: parts, until there are no more.
  func run() throws(CorpusError) {
    let tools = try CheckTools(tokenWidth: corpus.tokenWidth)
    while let task = nextPart() {
      var outcome = PartOutcome()
      task.check.check(part: task.part, with: tools, into: &outcome) { [self] byteCount in
        state.withLock { state in
          state.open[task.taskIndex]?.looseByteCount += byteCount
          state.progress.byteCount += byteCount
          observer(state.progress)
        }
      }
      finish(task, outcome)
    }
  }

  /// The report, once every thread has returned.
  func report() -> VerificationReport {
    state.withLock { state in
      let faults = state.findings.keys.sorted().flatMap { taskIndex in
        Self.first(state.findings[taskIndex, default: []], of: tasks[taskIndex])
      }
      return VerificationReport(splits: state.splits, faults: faults.map(\.fault))
    }
  }

  /// Returns findings in the order of their places, as threads may not have ended their parts in
  /// it: all of frames, which are skipped one by one, and the first of others.
  private static func first(_ findings: [Finding], of task: ShardTask) -> [Finding] {
    let sorted = findings.sorted { $0.part < $1.part }
    return task.isNative ? sorted : Array(sorted.prefix(VerificationReport.faultLimit))
  }

  /// Returns the next part to read, opening the next shard when the last one's are all given out.
  private func nextPart() -> PartTask? {
    while true {
      if let part = state.withLock({ $0.nextPart() }) { return part }
      // Opening may read a whole index: the other threads go on meanwhile.
      guard let taskIndex = state.withLock({ $0.nextTaskIndex(of: tasks.count) }) else {
        return nil
      }
      open(taskIndex)
    }
  }

  private func open(_ taskIndex: Int) {
    let task = tasks[taskIndex]
    let opened: Result<any ShardCheck, CorpusError>
    do throws(CorpusError) {
      opened = .success(
        try corpus.openCheck(task.shardIndex, of: task.split, domainIndex: task.domainIndex))
    } catch {
      opened = .failure(error)
    }
    state.withLock { state in
      state.progress.domain = corpus.domains[task.domainIndex].name
      switch opened {
      case .success(let check):
        if check.isUnprotected { state.splits[task.splitIndex].unprotectedShardCount += 1 }
        state.splits[task.splitIndex].add(unknownHashes: check.unknownHashes)
        state.open[taskIndex] = OpenShard(check: check, partsLeft: check.partCount)
        state.parts.append((check, taskIndex, 0))
      case .failure(let error):
        note(PartOutcome.Finding(error), of: taskIndex, part: .max, &state)
        state.progress.byteCount += task.description.byteCount
        observer(state.progress)
      }
    }
  }

  /// Takes in what a thread found out about a part.
  private func finish(_ done: PartTask, _ outcome: PartOutcome) {
    let task = tasks[done.taskIndex]
    state.withLock { state in
      for finding in outcome.findings { note(finding, of: done.taskIndex, part: done.part, &state) }
      let surplus = outcome.faultCount - outcome.findings.count
      state.splits[task.splitIndex].faultCount += surplus
      state.progress.faultCount += surplus
      if done.check.isCounted { state.splits[task.splitIndex].add(outcome) }
      guard var shard = state.open[done.taskIndex] else { return }
      shard.faultCount += outcome.faultCount
      shard.partsLeft -= 1
      if done.check.hasFrames, outcome.faultCount == 0 {
        state.splits[task.splitIndex].wholeFrameCount += 1
      }
      let byteCount = done.check.byteCount(ofPart: done.part)
      shard.looseByteCount += byteCount
      state.progress.byteCount += byteCount
      state.open[done.taskIndex] = shard
      if shard.partsLeft == 0 {
        // What is left of the shard's file is its index, or was not reached.
        state.progress.byteCount += task.description.byteCount - shard.looseByteCount
        if !done.check.hasFrames, shard.faultCount == 0 {
          state.splits[task.splitIndex].wholeFrameCount += 1
        }
        state.open[done.taskIndex] = nil
      }
      observer(state.progress)
    }
  }

  private func note(
    _ found: PartOutcome.Finding, of taskIndex: Int, part: Int, _ state: inout State
  ) {
    let task = tasks[taskIndex]
    let fault = VerificationReport.Fault(
      domain: corpus.domains[task.domainIndex].name, split: task.split,
      shard: task.description.path, frame: found.frame, byteOffset: found.byteOffset,
      sample: found.sample, line: found.line, error: found.error)
    var findings = state.findings[taskIndex, default: []]
    findings.append(Finding(part: part, fault: fault))
    // Sorting costs little where it is done once for every hundred.
    if findings.count >= 2 * VerificationReport.faultLimit {
      findings = Self.first(findings, of: task)
    }
    state.findings[taskIndex] = findings
    state.splits[task.splitIndex].faultCount += 1
    state.progress.faultCount += 1
  }
}
