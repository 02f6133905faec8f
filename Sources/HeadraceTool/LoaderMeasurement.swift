internal import CKernels
internal import Corpora
internal import Foundation
internal import Loading
internal import Mixing

/// One row of the loader's benchmark: the loader and the limit, alternating.
struct LoaderMeasurement {
  let corpus: Corpus
  let sequenceLength: Int
  let threadCount: Int
  let rounds: Int
  let rows = 8
  let unitsPerPool = 4

  /// Nanoseconds per token.
  struct Cost {
    var cpu: Double
    var wall: Double
  }

  struct Result {
    let measurement: LoaderMeasurement
    let loader: [Cost]
    let limit: [Cost]
    /// Limit over loader, CPU time.
    var cpuRatio: Double { median(zip(limit, loader).map { $0.cpu / $1.cpu }) }
    /// Limit over loader, wall clock.
    var wallRatio: Double { median(zip(limit, loader).map { $0.wall / $1.wall }) }

    func line(name: String) -> String {
      let shape = measurement
      let fields = [
        name, "\(shape.corpus.domains.count)", "\(shape.unitsPerPool)", "\(shape.sequenceLength)",
        "\(shape.rows)", shape.corpus.tokenWidth == .uint16 ? "u16→i64" : "u32→i64", "yes",
        "\(shape.threadCount)", number(median(loader.map(\.cpu))), number(median(limit.map(\.cpu))),
        String(format: "%.3f", cpuRatio), number(median(loader.map(\.wall))),
        number(median(limit.map(\.wall))), String(format: "%.3f", wallRatio),
      ]
      return LoaderMeasurement.row(fields)
    }

    private func number(_ value: Double) -> String { String(format: "%.3f", value) }
  }

  static let header = row([
    "shape", "K", "P", "T", "B", "type", "check", "threads", "cpu", "limit", "ratio", "wall",
    "limit", "ratio",
  ])

  /// The limit that the wall clock is compared with: libzstd's decode alone beside one decode
  /// thread, two limits at once beside two, else the limit.
  private enum Limit {
    case decodeAndWiden, decodeAlone, twoThreads
  }

  func run() throws -> Result {
    let loader = try Loader(
      corpus, policy: .static(.natural),
      batch: BatchConfiguration(rows: rows, sequenceLength: sequenceLength, tokenType: .int64),
      seed: 17, options: options)
    let tokenCount = corpus.domains.reduce(0) { $0 + $1.tokenCount(of: .train) }
    let batchCount = tokenCount / (rows * sequenceLength)
    let limit: Limit =
      threadCount == 0 ? .decodeAndWiden : threadCount == 1 ? .decodeAlone : .twoThreads
    // The first round of each warms caches, pools and the page cache.
    _ = try measureLoader(loader, batchCount: batchCount)
    _ = try measure(limit)
    var costs: (loader: [Cost], limit: [Cost]) = ([], [])
    for round in 0..<rounds {
      if round % 2 == 0 { costs.limit.append(try measure(limit)) }
      costs.loader.append(try measureLoader(loader, batchCount: batchCount))
      if round % 2 == 1 { costs.limit.append(try measure(limit)) }
    }
    loader.close()
    return Result(measurement: self, loader: costs.loader, limit: costs.limit)
  }

  private var options: LoaderOptions {
    var options = LoaderOptions()
    options.threadCount = threadCount
    options.unitsPerPool = unitsPerPool
    return options
  }

  private func measureLoader(_ loader: Loader, batchCount: Int) throws -> Cost {
    let begin = Stopwatch()
    var check: Int64 = 0
    for _ in 0..<batchCount {
      guard let batch = try loader.next() else { break }
      check &+= batch.withTokens(as: Int64.self) { $0[0] }
    }
    return begin.cost(perTokensOf: batchCount * rows * sequenceLength, check: check)
  }

  private func measure(_ limit: Limit) throws -> Cost {
    switch limit {
    case .decodeAndWiden: return try Self.pass(over: corpus, part: 0, of: 1, buffer: bufferTokens)
    case .decodeAlone: return try Self.pass(over: corpus, part: 0, of: 1, buffer: nil)
    case .twoThreads:
      let begin = Stopwatch()
      let failures = Locked<[any Error]>([])
      let (corpus, buffer) = (corpus, bufferTokens)
      DispatchQueue.concurrentPerform(iterations: 2) { part in
        do { _ = try Self.pass(over: corpus, part: part, of: 2, buffer: buffer) } catch {
          failures.withLock { $0.append(error) }
        }
      }
      if let failure = failures.withLock({ $0.first }) { throw failure }
      return begin.cost(perTokensOf: corpus.domains.reduce(0) { $0 + $1.tokenCount(of: .train) })
    }
  }

  private var bufferTokens: Int { rows * (sequenceLength + 1) }

  /// Reads, decodes and widens every `parts`-th shard in file order, into one buffer; only decodes
  /// where there is none.
  private static func pass(over corpus: Corpus, part: Int, of parts: Int, buffer: Int?) throws
    -> Cost
  {
    let decoder = try FrameDecoder(verifiesContent: true)
    let width = corpus.tokenWidth.byteCount
    let frame = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tokensPerFrame * width, alignment: 64)
    let output = UnsafeMutablePointer<Int64>.allocate(capacity: buffer ?? 1)
    defer {
      frame.deallocate()
      output.deallocate()
    }
    var tokenCount = 0
    var shardNumber = 0
    let begin = Stopwatch()
    for (domain, shards) in corpus.domains.map({ $0.shards[.train, default: []] }).enumerated() {
      for shard in shards.indices {
        defer { shardNumber += 1 }
        guard shardNumber % parts == part else { continue }
        let reader = try corpus.openShard(shard, of: .train, domainIndex: domain)
        let file = try FileReader(path: reader.place.path)
        for (index, entry) in reader.index.frames.enumerated() {
          let tokens = UnsafeMutableRawBufferPointer(rebasing: frame[..<(entry.tokenCount * width)])
          let compressed = decoder.compressedBuffer(byteCount: entry.byteCount)
          try file.read(into: compressed, at: entry.byteOffset)
          if let fault = decoder.decode(UnsafeRawBufferPointer(compressed), into: tokens) {
            throw reader.damage(index, fault)
          }
          tokenCount += entry.tokenCount
          if let buffer {
            widen(tokens, count: entry.tokenCount, into: output, capacity: buffer, width: width)
          }
        }
      }
    }
    return begin.cost(perTokensOf: tokenCount, check: output[0])
  }

  private static func widen(
    _ tokens: UnsafeMutableRawBufferPointer, count: Int, into output: UnsafeMutablePointer<Int64>,
    capacity: Int, width: Int
  ) {
    guard let base = tokens.baseAddress else { return }
    for begin in stride(from: 0, to: count, by: capacity) {
      let part = min(capacity, count - begin)
      if width == 2 {
        headrace_copy_u16_i64(
          output, base.assumingMemoryBound(to: UInt16.self) + begin, part, nil)
      } else {
        headrace_copy_u32_i64(
          output, base.assumingMemoryBound(to: UInt32.self) + begin, part, nil)
      }
    }
  }

  /// Times `next()` while everything it needs is decoded, beside a copy of as many bytes.
  static func fullPools(corpus: Corpus, rounds: Int) throws -> String {
    var options = LoaderOptions()
    options.threadCount = 2
    let loader = try Loader(
      corpus, policy: .static(.uniform),
      batch: BatchConfiguration(rows: 8, sequenceLength: 2048, tokenType: .int64), seed: 5,
      options: options)
    let byteCount = 8 * 2049 * 8
    let source = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    let target = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    memset(source, 1, byteCount)
    defer {
      source.deallocate()
      target.deallocate()
    }
    func copy(_ calls: Int) -> Double {
      let begin = Stopwatch()
      for _ in 0..<calls { copyBytes(source, to: target, count: byteCount) }
      return begin.wallInSeconds
    }
    var ratios: [Double] = []
    // Few enough calls that no domain comes to the end of its pool in most rounds.
    let calls = 50
    for _ in 0..<rounds * 10 {
      _ = try loader.next()
      Thread.sleep(forTimeInterval: 0.02)
      // The core wakes up before anything is timed.
      _ = copy(100)
      let begin = Stopwatch()
      for _ in 0..<calls { _ = try loader.next() }
      let own = begin.wallInSeconds
      ratios.append(own / copy(calls))
    }
    loader.close()
    return
      "next() with full pools takes \(String(format: "%.2f", median(ratios))) × the memcpy of its \(byteCount) bytes"
  }

  /// One memcpy, which the compiler may neither leave out nor do once for many.
  @inline(never)
  private static func copyBytes(
    _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int
  ) {
    memcpy(target, source, count)
  }

  static func row(_ fields: [String]) -> String {
    let widths = [17, 3, 2, 5, 2, 8, 6, 8, 7, 7, 6, 7, 7, 6]
    return zip(fields, widths).map { field, width in
      let padding = String(repeating: " ", count: max(0, width - field.count))
      return width == 17 ? field + padding : padding + field
    }.joined(separator: " ")
  }
}

/// CPU and wall time since it was made.
struct Stopwatch {
  private let cpu = Self.seconds(CLOCK_PROCESS_CPUTIME_ID)
  private let wall = Self.now()

  var wallInSeconds: Double { Self.now() - wall }
  var cpuInSeconds: Double { Self.seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu }

  /// The cost per token, in nanoseconds; `check` keeps the work from being optimized away.
  func cost(perTokensOf tokenCount: Int, check: Int64 = 0) -> LoaderMeasurement.Cost {
    withExtendedLifetime(check) {
      LoaderMeasurement.Cost(
        cpu: cpuInSeconds * 1e9 / Double(tokenCount), wall: wallInSeconds * 1e9 / Double(tokenCount)
      )
    }
  }

  /// The system's monotonic clock, which all processes share.
  static func now() -> Double { seconds(CLOCK_MONOTONIC) }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

/// The middle value.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  guard !sorted.isEmpty else { return .nan }
  return sorted.count % 2 == 1
    ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
}
