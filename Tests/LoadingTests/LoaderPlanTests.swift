// Covers: LoaderConfiguration.swift
import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// What a loader refuses when it is made, and in which words.
@Suite(.timeLimit(.minutes(5)))
struct LoaderPlanTests {
  private let corpus: SyntheticCorpus

  init() throws {
    corpus = try SyntheticCorpus([
      .init("code", shards: [9000], heldOut: [300]), .init("prose", shards: [5000]),
    ])
  }

  private func refusal(
    rows: Int = 4, sequenceLength: Int = 64, type: TokenType = .int32,
    grouping: BatchConfiguration.Grouping? = nil, policy: PolicyRecipe = .static(.uniform),
    _ change: (inout LoaderOptions) -> Void = { _ in }
  ) -> String {
    let error = #expect(throws: LoadingError.self) {
      try Loader(
        corpus.open(), policy: policy,
        batch: .init(
          rows: rows, sequenceLength: sequenceLength, tokenType: type, grouping: grouping),
        seed: 1, options: options(change))
    }
    return error?.description ?? ""
  }

  @Test func numbersOutsideTheirLimitsAreNamed() {
    #expect(refusal(rows: 0) == "rows is 0, but must lie in 1…16777216.")
    #expect(refusal(rows: -3).hasPrefix("rows is -3,"))
    #expect(refusal(sequenceLength: 0) == "sequence length is 0, but must lie in 1…16777216.")
    #expect(refusal(sequenceLength: .max).hasPrefix("sequence length is"))
    #expect(refusal { $0.unitsPerPool = 0 } == "units per pool is 0, but must lie in 1…4096.")
    #expect(refusal { $0.threadCount = -1 } == "threads is -1, but must lie in 0…256.")
    #expect(refusal { $0.threadCount = 257 }.hasPrefix("threads is 257"))
    #expect(
      refusal { $0.readTimeoutInSeconds = 0 }
        == "read timeout in seconds is 0, but must lie in 1…86400.")
    // A pool's row offsets have 32 bits: 2^31 div 2^24 units of 2^24 tokens.
    let wide = refusal(sequenceLength: 1 << 24) { $0.unitsPerPool = 129 }
    #expect(wide == "units per pool is 129, but must lie in 1…128.")
  }

  @Test func aLengthThatDoesNotFitAFrameNamesTheTwoThatDo() {
    #expect(refusal(sequenceLength: 1000).contains("Take 512 or 1024,"))
    #expect(refusal(sequenceLength: 3).contains("Take 2 or 4,"))
    #expect(refusal(sequenceLength: (1 << 18) - 1).contains("Take 131072 or 262144,"))
    #expect(refusal(sequenceLength: (1 << 18) + 1).contains("Take 262144 or 524288,"))
  }

  @Test func aDomainWithoutOneSequenceIsNamed() {
    #expect(
      refusal(sequenceLength: 8192).hasPrefix(
        "the train split of domain prose has 5000 tokens, which hold no whole sequence of 8193."))
    #expect(
      refusal { $0.split = .heldOut }.hasPrefix("the held_out split of domain prose has 0 tokens"))
  }

  // A pool: 4 units, each at most 2^18 / 64 = 4096 tail sequences of 65 tokens of 2 bytes, and
  // 4 · 4096 row offsets of 4 bytes. A batch: 4 rows of 65 tokens of 4 bytes.
  @Test func theLeastByteBudgetIsNamed() throws {
    let least = 4 * (4096 * 65) * 2 + 4 * 4096 * 4 + 4 * 65 * 4
    #expect(
      refusal { $0.byteBudget = least - 1 }
        == "a byte budget of \(least - 1) does not hold one pool and one batch; the least that "
        + "does is \(least).")
    let loader = try Loader(
      corpus.open(), policy: .static(.uniform), batch: .init(rows: 4, sequenceLength: 64), seed: 1,
      options: options { $0.byteBudget = least })
    #expect(try loader.next() != nil)
    #expect(refusal { $0.byteBudget = -1 }.contains("the least that does is \(least)"))
  }

  @Test func microBatchesThatDoNotDivideTheBatchNameTheRightSize() {
    #expect(refusal(rows: 7, grouping: .init(microBatchRows: 2)).contains("Take 8 rows"))
    #expect(refusal(rows: 2, grouping: .init(microBatchRows: 4)).contains("Take 4 rows"))
    #expect(
      refusal(rows: 4, grouping: .init(microBatchRows: 4, everyDomain: true))
        .contains("Take 8 rows"))
    #expect(
      refusal(rows: 4, grouping: .init(microBatchRows: 0)).hasPrefix("micro-batch rows is 0"))
  }

  @Test func capsThatLeaveNoSequenceAreRefused() {
    for cap in [0, -1, 0.001, Double.nan, .infinity, 1e300] {
      #expect(refusal { $0.epochCaps = ["prose": cap] }.contains("of domain prose is not a number"))
    }
    #expect(
      refusal { $0.epochCaps = ["prosa": 1] }
        == "the corpus has no domain \"prosa\"; it has code, prose.")
  }

  @Test func whatThePolicyRefusesIsPassedOn() {
    #expect(refusal(policy: .static(.weights(["code": 1]))).contains("prose"))
    #expect(refusal(policy: .custom(LossFollower(domainCount: 3))).contains("3"))
  }

  @Test func aMixtureIsSetByHandUnderManualOnly() throws {
    let fixed = try Loader(
      corpus.open(), policy: .static(.uniform), batch: .init(rows: 4, sequenceLength: 64), seed: 1)
    let error = #expect(throws: LoadingError.self) {
      try fixed.setMixture(.uniform(domainCount: 2), reason: "by hand")
    }
    #expect(error?.description.contains("under the policy static") == true)
    let manual = try Loader(
      corpus.open(), policy: .manual(.uniform), batch: .init(rows: 4, sequenceLength: 64), seed: 1)
    #expect(throws: LoadingError.self) {
      try manual.setMixture(.uniform(domainCount: 3), reason: "another corpus's")
    }
    #expect(manual.mixture == .uniform(domainCount: 2))
    #expect(!manual.readsFeedback)
  }

  @Test func theTimeoutNamesItsPlace() {
    let error = LoadingError.timedOut(
      Stall(
        .reading, domain: "code", path: "c/code/0", frame: 3, byteOffset: 17,
        timeoutInMilliseconds: 120_000))
    #expect(
      error.description.hasPrefix(
        "domain code, shard c/code/0, frame 3, byte 17: a read did not come back within 120 s."))
    #expect(
      LoadingError.cannotReserve(byteCount: 9).description.contains("no 9 bytes of address space"))
  }
}
