import Kernels
import Mixing

extension GradientRecorder {
  /// ``add(domain:gradient:)`` of an array.
  func add(domain: Int, _ gradient: [Float]) throws {
    try gradient.withUnsafeBufferPointer { try add(domain: domain, gradient: [$0]) }
  }

  /// One step of one micro-batch per gradient.
  func step(_ gradients: [(domain: Int, values: [Float])], factor: Double = 1) throws
    -> GradientReport
  {
    begin(factor: factor)
    for gradient in gradients { try add(domain: gradient.domain, gradient.values) }
    return try finish()
  }
}

/// Normal numbers from a stream of its own per test.
struct Normals {
  private var generator: SeededGenerator

  init(_ stream: String) { generator = SeededGenerator(seed: 11, stream: stream) }

  mutating func next(_ count: Int, deviation: Double = 1) -> [Double] {
    (0..<count).map { _ in deviation * generator.nextNormal() }
  }

  mutating func count(upTo limit: Int) -> Int { Int.random(in: 0...limit, using: &generator) }
}

func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

func sum(_ vectors: [[Double]], count: Int) -> [Double] {
  vectors.reduce([Double](repeating: 0, count: count)) { zip($0, $1).map { $0 + $1 } }
}

/// Mean and standard error of draws.
struct Estimate {
  private var count = 0.0
  private(set) var mean = 0.0
  private var squares = 0.0

  mutating func take(_ value: Double) {
    count += 1
    let difference = value - mean
    mean += difference / count
    squares += difference * (value - mean)
  }

  var standardError: Double { (squares / (count - 1) / count).squareRoot() }

  /// Whether the mean is that of draws around `value`, by three standard errors: wrong once in 370.
  func agrees(with value: Double) -> Bool { abs(mean - value) <= 3 * standardError }
}

/// The report's formulas, written down plainly, in double.
struct PlainSmoothing {
  let beta: Double
  var m: [[Double]]
  var z, c, noise, noiseWeight: [Double]

  init(beta: Double, domainCount: Int, width: Int) {
    self.beta = beta
    m = Array(repeating: Array(repeating: 0, count: width), count: domainCount)
    z = Array(repeating: 0, count: domainCount)
    (c, noise, noiseWeight) = (z, z, z)
  }

  private var means: [[Double]] {
    zip(m, z).map { row, z in row.map { z > 0 ? $0 / z : 0 } }
  }

  /// Takes the gradients of the micro-batches of each domain; returns (lagged, W).
  mutating func take(_ gradients: [[[Double]]]) -> (lagged: [Double], alignments: [Double]) {
    let width = m[0].count
    let before = sum(means, count: width)
    var lagged: [Double] = []
    for (domain, batches) in gradients.enumerated() {
      let n = Double(batches.count)
      let g = sum(batches, count: width).map { n > 0 ? $0 / n : 0 }
      let s = batches.isEmpty ? 0 : batches.reduce(0) { $0 + dot($1, $1) } / n
      lagged.append(dot(g, before))
      m[domain] = zip(m[domain], g).map { beta * $0 + (1 - beta) * n * $1 }
      z[domain] = beta * z[domain] + (1 - beta) * n
      c[domain] = beta * beta * c[domain] + (1 - beta) * (1 - beta) * n
      noise[domain] = beta * noise[domain] + (1 - beta) * n * (s - dot(g, g))
      noiseWeight[domain] = beta * noiseWeight[domain] + (1 - beta) * max(n - 1, 0)
    }
    let means = means
    let total = sum(means, count: width)
    return (
      lagged,
      means.indices.map { domain in
        guard z[domain] > 0 else { return 0 }
        let trace = noiseWeight[domain] > 0 ? noise[domain] / noiseWeight[domain] : 0
        return dot(means[domain], total) - trace * c[domain] / (z[domain] * z[domain])
      }
    )
  }
}

/// The bytes with the checksum at their end made right.
func checksummed(_ bytes: [UInt8]) -> [UInt8] {
  var bytes = Array(bytes.dropLast(8))
  withUnsafeBytes(of: checksum(of: bytes).littleEndian) { bytes += $0 }
  return bytes
}
