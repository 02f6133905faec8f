// Covers: GradientRecorder+Checkpoint.swift

import Mixing
import Testing

/// The memory of a recorder as bytes.
@Suite(.timeLimit(.minutes(5)))
struct GradientCheckpointTests {
  private func recorder(
    beta: Double = 0.9, domains: Int = 3, parameters: Int = 20, width: Int? = nil,
    seed: UInt64 = 1
  ) throws -> GradientRecorder {
    try GradientRecorder(
      domainCount: domains, parameterCount: parameters,
      needs: FeedbackNeeds(gram: true, smoothing: beta, lagged: true),
      projection: width.map { try GradientProjection(width: $0, seed: seed) })
  }

  private func step(_ recorder: GradientRecorder, _ step: Int) throws -> GradientReport {
    var normals = Normals("checkpoint \(step)")
    // Domain 2 is not seen before the third step.
    return try recorder.step(
      (0..<5).map { ($0 % (step > 2 ? 3 : 2), normals.next(20).map { Float($0) }) })
  }

  @Test(arguments: [nil, 8])
  func `a recorder goes on bit for bit after any step`(width: Int?) throws {
    let whole = try recorder(width: width)
    var checkpoints = [whole.checkpointBytes()]
    var reports: [GradientReport] = []
    for index in 1...6 {
      reports.append(try step(whole, index))
      checkpoints.append(whole.checkpointBytes())
    }
    for cut in 0...5 {
      let resumed = try recorder(width: width)
      // Something else first, of which nothing may be left.
      _ = try step(resumed, 99)
      resumed.begin()
      try resumed.restore(checkpoints[cut])
      #expect(resumed.checkpointBytes() == checkpoints[cut])
      for index in cut + 1...6 { #expect(try step(resumed, index) == reports[index - 1]) }
      #expect(resumed.checkpointBytes() == whole.checkpointBytes())
    }
  }

  @Test func `damaged bytes are refused and change nothing`() throws {
    let recorder = try recorder()
    for index in 1...3 { _ = try step(recorder, index) }
    let good = recorder.checkpointBytes()
    for cut in 0..<good.count {
      #expect(throws: GradientError.self) { try recorder.restore(Array(good[..<cut])) }
    }
    #expect(throws: GradientError.self) { try recorder.restore(good + [0]) }
    for place in good.indices {
      var bad = good
      bad[place] ^= 0x10
      #expect(throws: GradientError.self) { try recorder.restore(bad) }
    }
    #expect(recorder.checkpointBytes() == good)
  }

  @Test func `numbers that no run reaches are refused even under a right checksum`() throws {
    let recorder = try recorder()
    for index in 1...3 { _ = try step(recorder, index) }
    let good = recorder.checkpointBytes()
    // z of domain 0, its flag, and the first number of its gradient.
    for (offset, value) in [
      (64, Double.nan.bitPattern), (64, (-1.0).bitPattern), (64, 0), (56, 0), (56, 2),
      (176, UInt64(Float.nan.bitPattern)),
    ] {
      var bad = good
      withUnsafeBytes(of: value.littleEndian) { bytes in
        for index in 0..<8 { bad[offset + index] = bytes[index] }
      }
      #expect(throws: GradientError.self, "\(value) at \(offset)") {
        try recorder.restore(checksummed(bad))
      }
    }
    #expect(recorder.checkpointBytes() == good)
    try recorder.restore(checksummed(good))
  }

  @Test func `those of another shape are refused by name`() throws {
    let saved = try recorder(width: 8)
    _ = try step(saved, 1)
    let bytes = saved.checkpointBytes()
    let others = [
      ("domains", try recorder(domains: 4, width: 8)),
      ("parameters", try recorder(parameters: 21, width: 8)),
      ("numbers per row", try recorder(width: 9)), ("smoothing", try recorder(beta: 0.8, width: 8)),
      ("projection seed", try recorder(width: 8, seed: 2)),
    ]
    for (name, other) in others {
      #expect {
        try other.restore(bytes)
      } throws: { error in
        guard case GradientError.checkpointOfAnotherShape(name, _, _) = error else { return false }
        return "\(error)".contains(name)
      }
    }
    let plain = try GradientRecorder(
      domainCount: 3, parameterCount: 20, needs: FeedbackNeeds(gram: true))
    #expect(throws: GradientError.self) { try plain.restore(bytes) }
    try plain.restore([])
    #expect(throws: GradientError.self) { try recorder().restore([]) }
  }
}
