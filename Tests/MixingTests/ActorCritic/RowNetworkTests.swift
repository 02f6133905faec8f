import Kernels
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct RowNetworkTests {
  /// A network none of whose parameters is 0, and rows for it.
  private func example() -> (network: RowNetwork, rows: [Double]) {
    var generator = SeededGenerator(seed: 1, stream: "test")
    var network = RowNetwork(featureCount: 3, unitCount: 4, spread: 1, using: &generator)
    for place in network.parameters.indices {
      network.parameters[place] += 0.3 * generator.nextNormal()
    }
    return (network, (0..<5 * 3).map { _ in generator.nextNormal() })
  }

  @Test func aNetworkOfOneUnitIsTheFormula() {
    var generator = SeededGenerator(seed: 0)
    var network = RowNetwork(featureCount: 2, unitCount: 1, using: &generator)
    // W = (0.5, −1), b = 0.25, v = 2, u = (3, 4), c = −1; f = (1, 0.5):
    // the unit is tanh(0.5 − 0.5 + 0.25) = 0.244919, the output 3 + 2 + 0.489838 − 1.
    network.parameters = [0.5, -1, 0.25, 2, 3, 4, -1]
    #expect(abs(network([1, 0.5]).outputs[0] - 4.489837324) < 1e-8)
  }

  @Test func outputsAreZeroAtFirst() {
    var generator = SeededGenerator(seed: 7)
    let network = RowNetwork(featureCount: 14, unitCount: 16, using: &generator)
    #expect(network.parameters.count == 271)
    #expect(network([Double](repeating: 0.7, count: 28)).outputs == [0, 0])
  }

  @Test func theGradientIsThatOfCentralDifferences() {
    let (network, rows) = example()
    let factors = [0.5, -1, 0.25, 2, -0.75]
    func sum(_ network: RowNetwork) -> Double {
      zip(factors, network(rows).outputs).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let gradient = network.gradient(
      factors: factors, rows: rows, hidden: network(rows).hidden)
    let step = 1e-5
    for place in network.parameters.indices {
      var (above, below) = (network, network)
      above.parameters[place] += step
      below.parameters[place] -= step
      let difference = (sum(above) - sum(below)) / (2 * step)
      // The formula's error is O(step²), rounding about 1e-16 / step: 1e-9 leaves a factor of ten.
      #expect(abs(difference - gradient[place]) < 1e-8, "parameter \(place)")
    }
  }

  @Test func everyRowIsTreatedAlike() {
    let (network, rows) = example()
    let outputs = network(rows).outputs
    let reversed = (0..<5).reversed().flatMap { rows[$0 * 3..<($0 + 1) * 3] }
    #expect(network(reversed).outputs == outputs.reversed())
  }

  @Test func adamsFirstStepHasTheLengthOfTheLearningRate() {
    var optimizer = AdamOptimizer(parameterCount: 3)
    var parameters = [1.0, 1, 1]
    optimizer.step(&parameters, gradient: [3, -0.01, 0], learningRate: 0.1, decay: 0.5)
    // 1 · (1 − 0.05) ∓ 0.1; a gradient of 0 leaves the decay alone.
    #expect(abs(parameters[0] - 0.85) < 1e-6)
    #expect(abs(parameters[1] - 1.05) < 1e-6)
    #expect(parameters[2] == 0.95)
  }

  @Test func adamsSecondStepAgreesWithTheFormula() {
    var optimizer = AdamOptimizer(parameterCount: 1)
    var parameters = [0.0]
    optimizer.step(&parameters, gradient: [1], learningRate: 0.1, decay: 0)
    optimizer.step(&parameters, gradient: [2], learningRate: 0.1, decay: 0)
    // m̂ = (0.09 + 0.2) / 0.19, v̂ = (0.0099 + 0.04) / 0.0199;
    #expect(abs(parameters[0] + 0.1 + 0.1 * (0.29 / 0.19) / (0.0499 / 0.0199).squareRoot()) < 1e-8)
  }
}
