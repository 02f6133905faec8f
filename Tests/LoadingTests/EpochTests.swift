import Corpora
import Foundation
import HeadraceTesting
import Loading
import Mixing
import Testing

/// One epoch of a domain is the naive slicing of its flat tokens, in a keyed order.
@Suite(.timeLimit(.minutes(5)))
struct EpochTests {
  /// Slices the tokens of every shard: T + 1 tokens from every multiple of T, where they all are.
  private func naiveSlices(_ shards: [[UInt32]], sequenceLength: Int) -> [[UInt32]] {
    shards.flatMap { tokens in
      stride(from: 0, to: tokens.count - sequenceLength, by: sequenceLength).map {
        Array(tokens[$0...($0 + sequenceLength)])
      }
    }
  }

  /// The slices where T does not divide a frame: the same within every frame, whose end is unused.
  private func slicesByFrame(_ shards: [[UInt32]], sequenceLength: Int) -> [[UInt32]] {
    shards.flatMap { tokens in
      stride(from: 0, to: tokens.count, by: tokensPerFrame).flatMap { frame in
        let end = min(frame + tokensPerFrame, tokens.count)
        let isFull = end - frame == tokensPerFrame
        // In a full frame the last target may be the next frame's first token.
        let last = isFull ? end - sequenceLength : end - sequenceLength - 1
        return stride(from: frame, through: last, by: sequenceLength).map {
          Array(tokens[$0...($0 + sequenceLength)])
        }
      }
    }
  }

  private func epochs(
    _ corpus: SyntheticCorpus, sequenceLength: Int, count: Int, rows: Int = 1,
    allowsUnusedTails: Bool = false, type: TokenType = .int32
  ) throws -> [[Row]] {
    let loader = try Loader(
      corpus.open(), policy: .static(.uniform),
      batch: .init(rows: rows, sequenceLength: sequenceLength, tokenType: type), seed: 9,
      options: options {
        $0.unitsPerPool = 2
        $0.allowsUnusedTails = allowsUnusedTails
        $0.epochCaps = [corpus.domains[0].name: Double(count)]
      })
    let perEpoch = loader.identity.domains[0].sequenceCount
    let all = try Array(loader.rows(batches: .max, type).joined())
    #expect(all.count == count * perEpoch)
    return (0..<count).map { Array(all[$0 * perEpoch..<($0 + 1) * perEpoch]) }
  }

  private func isPermutation(_ rows: [Row], of slices: [[UInt32]]) -> Bool {
    var counts: [[UInt32]: Int] = [:]
    for slice in slices { counts[slice, default: 0] += 1 }
    for row in rows { counts[row.tokens, default: 0] -= 1 }
    return counts.values.allSatisfy { $0 == 0 }
  }

  /// T that divide a frame, are one, and are two.
  @Test(arguments: [512, 1 << 14, 1 << 18, 1 << 19], TokenWidth.allCases)
  func anEpochIsTheNaiveSlicingInAnOrderOfItsOwn(sequenceLength: Int, width: TokenWidth) throws {
    let frame = tokensPerFrame
    let corpus = try SyntheticCorpus(
      [.init("code", shards: [2 * frame + 5000, 5 * frame + 70_000, 3000, frame + 1])],
      tokenWidth: width)
    let slices = naiveSlices(corpus.tokens(ofDomain: 0), sequenceLength: sequenceLength)
    let epochs = try epochs(corpus, sequenceLength: sequenceLength, count: 3)
    for (epoch, rows) in epochs.enumerated() {
      #expect(rows.allSatisfy { $0.epoch == epoch })
      #expect(isPermutation(rows, of: slices), "epoch \(epoch)")
    }
    let orders = Set(epochs.map { rows in rows.map(\.tokens) })
    // Three sequences of two frames have six orders only; chance may repeat one.
    #expect(orders.count == 3 || slices.count < 5)
    #expect(orders.allSatisfy { $0 != slices } || slices.count < 5)
  }

  /// T below a frame, and between one frame and two.
  @Test(arguments: [1000, 3 * (1 << 16)]) func otherLengthsLeaveTheEndsOfFramesUnused(
    sequenceLength: Int
  ) throws {
    let corpus = try SyntheticCorpus([
      .init("code", shards: [2 * tokensPerFrame + 5000, 3000, tokensPerFrame + 250_000])
    ])
    let slices = slicesByFrame(corpus.tokens(ofDomain: 0), sequenceLength: sequenceLength)
    let epochs = try epochs(
      corpus, sequenceLength: sequenceLength, count: 2, allowsUnusedTails: true)
    for rows in epochs { #expect(isPermutation(rows, of: slices)) }
  }

  // T = 1.5 frames takes units of two frames: shard 0 has 5 full frames, so 2 sequences, from
  // tokens 0 and 2 · 2^18.
  @Test func lengthsBetweenOneFrameAndTwoBeginWithAUnit() throws {
    let length = tokensPerFrame + tokensPerFrame / 2
    let corpus = try SyntheticCorpus([.init("code", shards: [5 * tokensPerFrame + 9])])
    let tokens = corpus.tokens(ofDomain: 0)[0]
    let slices = [0, 2 * tokensPerFrame].map { Array(tokens[$0...($0 + length)]) }
    let epochs = try epochs(corpus, sequenceLength: length, count: 2, allowsUnusedTails: true)
    for rows in epochs { #expect(isPermutation(rows, of: slices)) }
  }

  @Test func theShortUnitIsReadLastInEveryEpoch() throws {
    // Two whole frames and 4 tail sequences of T = 2^14: the last 4 rows of an epoch are those.
    let corpus = try SyntheticCorpus([
      .init("code", shards: [2 * tokensPerFrame + (3 << 14) + 1, (1 << 14) + 1])
    ])
    let shards = corpus.tokens(ofDomain: 0)
    let tails =
      (0..<3).map { Array(shards[0][(2 * tokensPerFrame + $0 << 14)...].prefix((1 << 14) + 1)) }
      + [shards[1]]
    let loader = try Loader(
      corpus.open(), policy: .static(.uniform), batch: .init(rows: 36, sequenceLength: 1 << 14),
      seed: 4, options: options { $0.unitsPerPool = 1 })
    for _ in 0..<3 {
      let rows = try #require(try loader.next()).rows()
      #expect(Set(rows.suffix(4).map(\.tokens)) == Set(tails))
    }
  }

  @Test func anEpochIsWhatTheZstdProgramDecodes() throws {
    guard let zstd = Zstd.find() else { return }
    for width in TokenWidth.allCases {
      let corpus = try SyntheticCorpus(
        [.init("code", shards: [tokensPerFrame + 70_000, 3000])], tokenWidth: width)
      let shards = try (0..<2).map { shard in
        try zstd.tokens(corpus.folder.path + "/" + corpus.path(domain: 0, shard: shard), width)
      }
      #expect(shards == corpus.tokens(ofDomain: 0))
      let rows = try epochs(corpus, sequenceLength: 512, count: 1)[0]
      #expect(isPermutation(rows, of: naiveSlices(shards, sequenceLength: 512)))
    }
  }
}

/// The zstd program, where there is one.
private struct Zstd {
  let path: String

  static func find() -> Zstd? {
    ["/usr/bin/zstd", "/usr/local/bin/zstd", "/opt/homebrew/bin/zstd"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }.map { Zstd(path: $0) }
  }

  /// The tokens in a file, as `zstd -d` writes them.
  func tokens(_ file: String, _ width: TokenWidth) throws -> [UInt32] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = ["-d", "-c", "-q", file]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let bytes = [UInt8](data)
    return stride(from: 0, to: bytes.count, by: width.byteCount).map { begin in
      (0..<width.byteCount).reduce(UInt32(0)) { $0 | UInt32(bytes[begin + $1]) << (8 * $1) }
    }
  }
}
