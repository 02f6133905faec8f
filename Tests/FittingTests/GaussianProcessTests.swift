import Fitting
import Kernels
import Testing

// Covers: SymmetricInverse.swift

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct GaussianProcessTests {
  /// Sizes around the four pivots that are swept at a time.
  @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 9, 33])
  func theInverseOfAMatrixIsItsInverse(count: Int) throws {
    var generator = TestGenerator(seed: UInt64(count))
    let factor = (0..<count * count).map { _ in Double.random(in: -1...1, using: &generator) }
    var matrix = [Double](repeating: 0, count: count * count)
    for i in 0..<count {
      for j in 0..<count {
        for k in 0..<count {
          matrix[i * count + j] += factor[i * count + k] * factor[j * count + k]
        }
      }
      matrix[i * count + i] += 0.5
    }
    let inverse = try #require(SymmetricInverse(matrix, count: count))
    for i in 0..<count {
      for j in 0..<count {
        let product = (0..<count).reduce(0.0) { sum, k in
          sum + matrix[i * count + k] * inverse.lower[max(k, j) * count + min(k, j)]
        }
        // Eigenvalues lie in [.5, 4·count]; errors are some hundred ulps at most.
        expectClose(product, i == j ? 1 : 0, within: 1e-11)
      }
    }
    let triangle = try #require(Cholesky(matrix, count: count))
    let logDeterminant = (0..<count).reduce(0.0) { $0 + 2 * log(triangle.lower[$1 * count + $1]) }
    expectClose(inverse.logDeterminant, logDeterminant, within: 1e-10)
  }

  @Test func matricesThatAreNotPositiveAreRefused() {
    #expect(SymmetricInverse([0], count: 1) == nil)
    #expect(SymmetricInverse([1, 2, 2, 1], count: 2) == nil)
    #expect(SymmetricInverse([1, 0, .nan, 1], count: 2) == nil)
  }

  @Test func theEvidencesGradientIsItsSlope() {
    let runs = syntheticRuns(count: 12, domainCount: 3, seed: 2)
    let evidence = Evidence(inputs: runs.shares, values: runs.losses[0].map { $0 - 3 })
    let point = [0.3, -0.5, 0.8, 0.2, -1]
    var gradient = [Double](repeating: 0, count: 5)
    _ = evidence.value(at: point, gradient: &gradient)
    var other = gradient
    for index in point.indices {
      var (up, down) = (point, point)
      up[index] += 1e-5
      down[index] -= 1e-5
      let slope =
        (evidence.value(at: up, gradient: &other) - evidence.value(at: down, gradient: &other))
        / 2e-5
      // Central differences of step 1e-5 are off by about 1e-10 of the third derivative.
      expectClose(gradient[index], slope, within: 1e-6 * max(1, abs(slope)))
    }
  }

  @Test func aSmoothLossIsPredicted() {
    let train = syntheticRuns(count: 150, domainCount: 4, seed: 1)
    let test = syntheticRuns(count: 80, domainCount: 4, seed: 2)
    var generator = SeededGenerator(seed: 3)
    let process = GaussianProcess(
      shares: train.shares, losses: train.losses[0], using: &generator)
    let errors = zip(test.shares, test.losses[0]).map { abs(process.loss(of: $0) - $1) }
    let spread = (test.losses[0].max() ?? 0) - (test.losses[0].min() ?? 0)
    #expect(errors.reduce(0, +) / 80 < 0.01 * spread)
    #expect(process.noise < 0.02 * spread)
  }

  @Test func aDomainWithoutEffectGetsALongScale() {
    var generator = TestGenerator(seed: 9)
    let shares = (0..<80).map { _ in
      (0..<3).map { _ in Double.random(in: 0.01..<0.5, using: &generator) }
    }
    var starts = SeededGenerator(seed: 0)
    let process = GaussianProcess(
      shares: shares, losses: shares.map { log($0[0] + 0.01) }, using: &starts)
    #expect(process.lengthScales[1] > 5 * process.lengthScales[0])
    #expect(process.lengthScales[2] > 5 * process.lengthScales[0])
  }

  @Test func degenerateRunsAreAnswered() {
    let cases: [(shares: [[Double]], losses: [Double])] = [
      ([[1]], [3]), ([[1, 0], [1, 0], [1, 0]], [2, 3, 4]),
      ([[0.5, 0.5], [0.2, 0.8], [0.3, 0.7]], [3, 3, 3]),
      ([[Double]](repeating: [0.1, 0.9], count: 120), (0..<120).map { Double($0 % 7) }),
    ]
    for (shares, losses) in cases {
      var generator = SeededGenerator(seed: 0)
      let process = GaussianProcess(shares: shares, losses: losses, using: &generator)
      let mean = losses.reduce(0, +) / Double(losses.count)
      expectClose(process.loss(of: shares[0]), mean, within: 0.3)
    }
  }
}
