import Corpora
import Loading
import Testing

@Suite(.timeLimit(.minutes(5)))
struct KeyedPermutationTests {
  @Test func permutationsAreThoseOfTheReference() throws {
    for vector in try OrderFixture.read().permutations {
      let permutation = KeyedPermutation(
        key: StreamKey(low: vector.key[0], high: vector.key[1]), epoch: Int(word(vector.epoch)),
        block: vector.block, count: vector.count)
      #expect(vector.head.indices.map { permutation[$0] } == vector.head, "\(vector.count)")
      guard let digest = vector.digest else { continue }
      let values = (0..<vector.count).map { permutation[$0] }
      #expect(OrderFixture.digest(values) == digest, "\(vector.count) values")
    }
  }

  @Test func everyCountIsPermuted() {
    let key = StreamKey(seed: 3, purpose: .sequences, name: "law")
    for count in Array(1...130) + [511, 512, 513, 1023, 1024, 1025, 5000] {
      let permutation = KeyedPermutation(key: key, epoch: count, block: 1, count: count)
      let values = (0..<count).map { permutation[$0] }
      #expect(values.sorted() == Array(0..<count), "\(count) values")
      #expect(values.map { permutation.position(of: $0) } == Array(0..<count), "\(count) values")
    }
  }

  // All 24 orders of four values. 4,800 permutations give 200 of each on average; a chi-squared
  // statistic of 23 degrees of freedom exceeds 72 with probability 6e-7. The seed is fixed.
  @Test func ordersOfFourValuesAreEquallyFrequent() {
    let key = StreamKey(seed: 1, purpose: .units, name: "four")
    var counts: [[Int]: Int] = [:]
    for epoch in 0..<4800 {
      let permutation = KeyedPermutation(key: key, epoch: epoch, block: 0, count: 4)
      counts[(0..<4).map { permutation[$0] }, default: 0] += 1
    }
    let statistic = counts.values.reduce(0.0) { $0 + Double(($1 - 200) * ($1 - 200)) / 200 }
    #expect(counts.count == 24)
    #expect(statistic < 72, "chi-squared is \(statistic)")
  }
}
