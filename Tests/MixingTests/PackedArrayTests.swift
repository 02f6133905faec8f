// Covers: FeedbackNeeds.swift, GradientReport.swift
import HeadraceTesting
import Mixing
import Testing

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A policy whose memory is arrays: the losses of all steps and how often each domain was seen.
private struct HoardingPolicy: MixturePolicy {
  struct Checkpoint: Codable, Sendable, Equatable {
    struct Counts: Codable, Sendable, Equatable { var seen: PackedArray<Int32> }
    var losses = PackedArray<Double>([])
    var halves = PackedArray<Float>([])
    var counts = Counts(seen: PackedArray([0, 0]))
  }

  static let name = "hoarding"
  let feedbackNeeds = FeedbackNeeds(losses: true)
  let reason = "hoarding"
  var checkpoint = Checkpoint()

  var mixture: Mixture {
    let sum = checkpoint.losses.values.reduce(1, +)
    return (try? Mixture(normalizing: [sum, 1])) ?? .uniform(domainCount: 2)
  }

  mutating func observe(_ feedback: Feedback) {
    for (domain, loss) in feedback.losses.enumerated() {
      guard let loss else { continue }
      checkpoint.losses.values.append(loss)
      checkpoint.halves.values.append(Float(loss) / 2)
      checkpoint.counts.seen.values[domain] += 1
    }
  }

  mutating func restore(_ checkpoint: Checkpoint) throws(MixingError) {
    self.checkpoint = checkpoint
  }
}

@Suite(.timeLimit(.minutes(5)))
struct PackedArrayTests {
  private func learned() throws -> HoardingPolicy {
    var policy = HoardingPolicy()
    for step in 1...5 {
      policy.observe(
        Feedback(
          step: step, losses: [1 / Double(step), step == 2 ? nil : 0.1], tokenCounts: [1, 1]))
    }
    return policy
  }

  @Test func `arrays come back bit for bit, beside the fields`() throws {
    let policy = try learned()
    let stored = try policy.erasedCheckpoint()
    #expect(stored.arrays.count == 9 * 8 + 9 * 4 + 2 * 4)
    #expect(stored.fields.count < 200)
    var resumed = HoardingPolicy()
    try resumed.restore(from: stored)
    #expect(resumed.checkpoint == policy.checkpoint)
  }

  @Test func `a policy with arrays resumes exactly`() throws {
    let feedback = (1...8).map {
      Feedback(step: $0, losses: [Double($0) / 3, nil], tokenCounts: [1, 0])
    }
    try expectResumesExactly(
      .custom(HoardingPolicy()),
      in: PolicyContext(domainNames: ["a", "b"], sequenceCounts: [1, 1]),
      observing: feedback)
  }

  @Test func `numbers that are no numbers come back, too`() throws {
    var policy = HoardingPolicy()
    let pattern: UInt64 = 0x7FF8_0000_0000_1234
    policy.checkpoint.losses.values = [Double(bitPattern: pattern), -0.0, .infinity]
    var resumed = HoardingPolicy()
    try resumed.restore(from: policy.erasedCheckpoint())
    #expect(
      resumed.checkpoint.losses.values.map(\.bitPattern)
        == [pattern, (-0.0).bitPattern, Double.infinity.bitPattern])
  }

  @Test func `the coded form knows its arrays by their checksum`() throws {
    let stored = try learned().erasedCheckpoint()
    var decoded = try JSONDecoder().decode(
      PolicyCheckpoint.self, from: JSONEncoder().encode(stored))
    #expect(decoded.arrays.isEmpty)
    var damaged = stored.arrays
    damaged[17] ^= 1
    for wrong in [damaged, [], Array(stored.arrays.dropLast())] {
      expectError(
        """
        the \(wrong.count) bytes of arrays are not those that the checkpoint of policy hoarding \
        was stored with; resume from another checkpoint
        """
      ) { try decoded.setArrays(wrong) }
    }
    try decoded.setArrays(stored.arrays)
    #expect(decoded == stored)
    // Without arrays the coded form has nothing about them.
    let plain = try ManualPolicy(initial: .uniform(domainCount: 2)).erasedCheckpoint()
    let text = String(decoding: try JSONEncoder().encode(plain), as: UTF8.self)
    #expect(!text.contains("arrays"))
  }

  @Test(arguments: [
    #"{"count": 4, "byte_offset": 0}"#, #"{"count": -1, "byte_offset": 0}"#,
    #"{"count": 1, "byte_offset": 17}"#, #"{"count": 1, "byte_offset": -8}"#,
    #"{"count": 2305843009213693952, "byte_offset": 0}"#,
    #"{"count": 1, "byte_offset": 9223372036854775807}"#,
  ])
  func `a place that is not in the bytes is refused`(place: String) throws {
    let fields = """
      {"losses": \(place), "halves": {"count": 0, "byte_offset": 0},
       "counts": {"seen": {"count": 2, "byte_offset": 0}}}
      """
    let stored = PolicyCheckpoint(
      policy: "hoarding", fields: Array(fields.utf8), arrays: [UInt8](repeating: 0, count: 24))
    var policy = HoardingPolicy()
    let error = #expect(throws: MixingError.self) { try policy.restore(from: stored) }
    #expect(
      error?.description.contains("bytes of the arrays") == true, "\(error?.description ?? "")")
  }

  @Test func `another encoder writes plain numbers`() throws {
    let array = PackedArray<Float>([1, 2.5])
    let bytes = try JSONEncoder().encode(array)
    #expect(String(decoding: bytes, as: UTF8.self) == "[1,2.5]")
    #expect(try JSONDecoder().decode(PackedArray<Float>.self, from: bytes) == array)
  }
}
