import Kernels
import Mixing
import Testing

// Covers: Transition.swift
@Suite(.timeLimit(.minutes(5)))
struct ReplayBufferTests {
  private func transition(_ number: Int) -> Transition {
    Transition(
      policyState: [Float(number), 0], action: [0.5, 0.5], rewards: [Double(number), -1],
      weights: [1, 0.5], nextState: [])
  }

  private func filled(_ count: Int, capacity: Int) -> ReplayBuffer {
    var buffer = ReplayBuffer(capacity: capacity)
    for number in 0..<count { buffer.append(transition(number)) }
    return buffer
  }

  private func numbers(_ buffer: ReplayBuffer) -> [Int] {
    (0..<buffer.count).map { Int(buffer[age: $0].rewards[0]) }
  }

  @Test(arguments: [1, 63, 64, 65, 130])
  func theOldestGoesFirst(capacity: Int) {
    for count in [0, 1, capacity - 1, capacity, capacity + 1, 3 * capacity + 7] {
      let buffer = filled(count, capacity: capacity)
      #expect(
        numbers(buffer) == Array((max(0, count - capacity)..<count).reversed()),
        "\(count) in \(capacity)")
    }
  }

  @Test func aCopyKeepsWhatItHad() {
    var buffer = filled(200, capacity: 130)
    let copy = buffer
    for number in 200..<300 { buffer.append(transition(number)) }
    #expect(numbers(copy) == Array((70..<200).reversed()))
    #expect(numbers(buffer) == Array((170..<300).reversed()))
  }

  @Test func drawsReachEveryTransitionAlike() {
    let buffer = filled(150, capacity: 100)
    var generator = SeededGenerator(seed: 3)
    var counts = [Int](repeating: 0, count: 150)
    for drawn in buffer.draw(100_000, using: &generator) { counts[Int(drawn.rewards[0])] += 1 }
    #expect(counts[..<50].allSatisfy { $0 == 0 })
    // 1,000 ± 32 each; a hundred of them stay within 6 standard deviations but once in 5 million.
    #expect(counts[50...].allSatisfy { abs($0 - 1000) < 200 })
  }

  @Test(arguments: [0, 3, 100, 257])
  func comesBackFromItsCheckpoint(count: Int) throws {
    let buffer = filled(count, capacity: 100)
    var again = try ReplayBuffer(
      buffer.checkpoint, capacity: 100, domainCount: 2, stateWidth: 2, keepsNextStates: false,
      ofPolicy: "test")
    #expect(numbers(again) == numbers(buffer))
    #expect(again.checkpoint == buffer.checkpoint)
    again.append(transition(count))
    var longer = buffer
    longer.append(transition(count))
    #expect(again.checkpoint == longer.checkpoint)
  }

  @Test func aCheckpointOfOtherSizesIsRefused() {
    let saved = filled(5, capacity: 100).checkpoint
    func restore(_ capacity: Int, _ domains: Int, _ features: Int, _ next: Bool) throws {
      _ = try ReplayBuffer(
        saved, capacity: capacity, domainCount: domains, stateWidth: domains * features,
        keepsNextStates: next, ofPolicy: "test")
    }
    #expect(throws: MixingError.self) { try restore(4, 2, 1, false) }
    #expect(throws: MixingError.self) { try restore(100, 3, 1, false) }
    #expect(throws: MixingError.self) { try restore(100, 2, 2, false) }
    #expect(throws: MixingError.self) { try restore(100, 2, 1, true) }
  }
}
