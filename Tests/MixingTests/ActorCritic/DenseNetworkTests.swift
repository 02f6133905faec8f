import Kernels
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct DenseNetworkTests {
  private let shape = DenseNetwork.Shape(inputCount: 4, width: 6, layerCount: 2, outputCount: 3)

  private func example() -> (network: DenseNetwork, rows: Matrix) {
    var generator = SeededGenerator(seed: 2, stream: "test")
    var network = DenseNetwork(shape, using: &generator)
    var parameters = network.parameters
    for place in parameters.indices { parameters[place] += 0.2 * Float(generator.nextNormal()) }
    network.parameters = parameters
    let rows = Matrix(rowCount: 5, columnCount: 4)
    for place in 0..<20 { rows.start[place] = Float(generator.nextNormal()) }
    return (network, rows)
  }

  @Test func hasThePublishedNumberOfParameters() {
    let actor = DenseNetwork.Shape(inputCount: 85, width: 1024, layerCount: 5, outputCount: 22)
    let critic = DenseNetwork.Shape(inputCount: 107, width: 1024, layerCount: 5, outputCount: 22)
    #expect(actor.parameterCount == 4_319_254)
    #expect(critic.parameterCount == 4_341_782)
  }

  @Test func oneUnitIsNormalizedAway() {
    // A layer of one unit is its own mean: its output is ReLU of its shift, whatever goes in.
    var generator = SeededGenerator(seed: 2)
    var network = DenseNetwork(
      DenseNetwork.Shape(inputCount: 1, width: 1, layerCount: 1, outputCount: 1), using: &generator)
    // W, b, gain, shift; output's W, b: 3 · 0.5 + 2.
    network.parameters = [7, 1, 5, 0.5, 3, 2]
    let context = KernelContext(threadCount: 1)
    #expect(
      network.forward(Matrix(FloatArray([9]), rowCount: 1, columnCount: 1), context).outputs[
        0, 0] == 3.5)
  }

  @Test func gradientsAreThoseOfCentralDifferences() {
    let (network, rows) = example()
    let context = KernelContext(threadCount: 1)
    let factors = Matrix(rowCount: 5, columnCount: 3)
    for place in 0..<15 { factors.start[place] = Float(place % 4) / 2 - 0.7 }
    func sum(_ network: DenseNetwork, _ rows: Matrix) -> Double {
      let outputs = network.forward(rows, context).outputs
      return (0..<15).reduce(0) {
        $0 + Double(factors.start[$1]) * Double(outputs.start[$1])
      }
    }
    let (gradient, slopes) = network.gradients(
      factors: factors, network.forward(rows, context), context)
    // In Float, a difference over 2e-3 of sums near 5 is off by some 1e-3 from rounding; the bends
    // of ReLU are far enough away.
    let step: Float = 1e-3
    var worst = 0.0
    for place in 0..<shape.parameterCount {
      var (above, below) = (network, network)
      above.withParameters { $0[place] += step }
      below.withParameters { $0[place] -= step }
      let difference = (sum(above, rows) - sum(below, rows)) / Double(2 * step)
      worst = max(worst, abs(difference - Double(gradient[place])))
    }
    #expect(worst < 1e-2)
    for place in 0..<20 {
      let (above, below) = (
        Matrix(FloatArray(rows.array.values), rowCount: 5, columnCount: 4),
        Matrix(FloatArray(rows.array.values), rowCount: 5, columnCount: 4)
      )
      above.start[place] += step
      below.start[place] -= step
      let difference = (sum(network, above) - sum(network, below)) / Double(2 * step)
      #expect(abs(difference - Double(slopes.start[place])) < 1e-2, "input \(place)")
    }
  }

  @Test func aCopyKeepsItsParameters() {
    var (network, _) = example()
    let copy = network
    let before = network.parameters
    network.withParameters { $0[0] += 1 }
    #expect(copy.parameters == before)
    #expect(network.parameters[0] == before[0] + 1)
    network.follow(copy, rate: 0.25)
    #expect(abs(network.parameters[0] - before[0] - 0.75) < 1e-6)
  }

  @Test func dealtInputsAndOutputsGiveDealtResults() {
    let (network, rows) = example()
    let context = KernelContext(threadCount: 1)
    var dealt = network
    let (inputs, outputs) = ([2, 0, 3, 1], [1, 2, 0])
    dealt.permuteInputs(inputs)
    dealt.permuteOutputs(outputs)
    let other = Matrix(rowCount: 5, columnCount: 4)
    for row in 0..<5 {
      for (place, source) in inputs.enumerated() {
        other.start[row * 4 + place] = rows.start[row * 4 + source]
      }
    }
    let (a, b) = (network.forward(rows, context).outputs, dealt.forward(other, context).outputs)
    for row in 0..<5 {
      for (place, source) in outputs.enumerated() {
        // The sums run in another order.
        #expect(abs(b[row, place] - a[row, source]) < 1e-5)
      }
    }
  }
}
