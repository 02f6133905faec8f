import Kernels

/// Every instruction set that this machine runs, so that fallbacks are tested as well.
let supportedSets = InstructionSet.allCases.filter(\.isSupported)

/// Normal draws, from a stream of its own per test.
func draws(_ count: Int, stream: String, deviation: Double = 1) -> FloatArray {
  var generator = SeededGenerator(seed: 7, stream: stream)
  let array = FloatArray(count: count)
  for index in 0..<count { array[index] = Float(deviation * generator.nextNormal()) }
  return array
}

/// The largest |found − expected| / max(|expected|, floor).
func largestRelativeError(_ found: [Float], _ expected: [Double], floor: Double = 1e-30) -> Double {
  zip(found, expected).map { abs(Double($0) - $1) / max(abs($1), floor) }.max() ?? 0
}
