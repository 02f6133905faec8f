// Covers: GradientProjection.swift

import Mixing
import Testing

/// What a projection keeps of inner products.
@Suite(.timeLimit(.minutes(5)))
struct GradientProjectionTests {
  private func report(
    _ gradients: [[Float]], width: Int, seed: UInt64, threads: Int = 1, cuts: [Int] = []
  ) throws -> GradientReport {
    let recorder = try GradientRecorder(
      domainCount: gradients.count, parameterCount: gradients[0].count,
      needs: FeedbackNeeds(gram: true), projection: GradientProjection(width: width, seed: seed),
      threadCount: threads)
    recorder.begin()
    for (domain, gradient) in gradients.enumerated() {
      try gradient.withUnsafeBufferPointer { whole in
        let bounds = [0] + cuts + [whole.count]
        try recorder.add(
          domain: domain,
          gradient: zip(bounds, bounds.dropFirst()).map {
            UnsafeBufferPointer(rebasing: whole[$0..<$1])
          })
      }
    }
    return try recorder.finish()
  }

  /// Two gradients of 2,000 numbers of which ten carry most of the norm, the hard case.
  private func gradients(_ stream: String) -> [[Float]] {
    var normals = Normals(stream)
    return (0..<2).map { _ in
      zip(normals.next(2000), 0..<2000).map { value, index in
        Float(index % 200 == 3 ? 20 * value : value)
      }
    }
  }

  @Test(arguments: [16, 128, 1000])
  func `inner products are unbiased, and as exact as is said`(width: Int) throws {
    let gradients = gradients("projection")
    let wide = gradients.map { $0.map(Double.init) }
    let (truth, square) = (dot(wide[0], wide[1]), dot(wide[0], wide[0]))
    let size = (square * dot(wide[1], wide[1])).squareRoot()
    var (products, squares, errors) = (Estimate(), Estimate(), 0.0)
    let seeds = 600
    var misses = 0
    let bound = (2 / (0.05 * Double(width))).squareRoot()
    for seed in 0..<UInt64(seeds) {
      let gram = try #require(try report(gradients, width: width, seed: seed).gram)
      products.take(gram[1])
      squares.take(gram[0])
      errors += (gram[1] - truth) * (gram[1] - truth)
      if abs(gram[1] - truth) > bound * size { misses += 1 }
    }
    #expect(products.agrees(with: truth) && squares.agrees(with: square))
    let deviation = (errors / Double(seeds)).squareRoot() / size
    // The bound is on the mean over all seeds; 600 of them know it to some 6 %.
    #expect(deviation <= (2 / Double(width)).squareRoot() * 1.1)
    #expect(Double(misses) <= 0.05 * Double(seeds))
  }

  @Test func `with room for every parameter nothing is lost`() throws {
    let gradients = gradients("exact")
    let wide = gradients.map { $0.map(Double.init) }
    for width in [2000, 2001, 5000] {
      let gram = try #require(try report(gradients, width: width, seed: 3).gram)
      #expect(abs(gram[1] - dot(wide[0], wide[1])) < 1e-6 * abs(dot(wide[0], wide[0])))
    }
  }

  @Test func `pieces and threads change no bit, and every seed is another projection`() throws {
    let gradients = gradients("pieces")
    let whole = try report(gradients, width: 700, seed: 5)
    for cuts in [[1], [699, 700, 1399], [64, 1001]] {
      #expect(try report(gradients, width: 700, seed: 5, cuts: cuts) == whole)
    }
    // Wide enough for several threads.
    let wide = try report(gradients, width: 1900, seed: 5)
    #expect(try report(gradients, width: 1900, seed: 5, threads: 3) == wide)
    #expect(try report(gradients, width: 700, seed: 6) != whole)
  }

  @Test func `a width must lie in its range`() {
    for width in [0, -1, (1 << 28) + 1] {
      #expect(throws: GradientError.self) { try GradientProjection(width: width, seed: 0) }
    }
  }
}
