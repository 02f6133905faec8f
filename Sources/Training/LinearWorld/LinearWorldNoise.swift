internal import Kernels

/// The random numbers of a world's run, the same for every policy that is driven through it.
///
/// Sample b of step t has the same inputs before scaling, the same label noise and the same draw
/// whatever came before it, so that runs of one seed are paired.
package final class LinearWorldNoise: Sendable {
  /// What all numbers follow from.
  let seed: UInt64
  /// Standard normal `[step, sample, input + 1]`: the inputs, then the label's noise.
  let normals: [Float]
  /// Uniform in (0, 1] `[step, sample]`: which domain is drawn.
  let draws: [Double]
  /// Standard normal `[parameter]`: the true parameters before they are balanced.
  let parameters: [Double]
  /// Which role each domain has where they are dealt, `[domain]`.
  package let roleOrder: [Int]

  /// Makes the numbers of `seed`; of `configuration` only the sizes are read.
  ///
  /// - Parameters:
  ///   - seed: what all numbers follow from.
  ///   - configuration: the sizes.
  ///   - isRedrawn: whether inputs and label noise are others than the seed's usual ones, with the
  ///     same true parameters, roles and draws.
  package init(
    seed: UInt64, for configuration: LinearWorldConfiguration, isRedrawn: Bool = false
  ) {
    self.seed = seed
    let sampleTotal = configuration.stepCount * configuration.sampleCount
    var generator = SeededGenerator(
      seed: seed, stream: isRedrawn ? "world samples, redrawn" : "world samples")
    normals = (0..<sampleTotal * (configuration.inputCount + 1)).map { _ in
      Float(generator.nextNormal())
    }
    var drawing = SeededGenerator(seed: seed, stream: "world draws")
    draws = (0..<sampleTotal).map { _ in drawing.nextUniform() }
    var truth = SeededGenerator(seed: seed, stream: "world parameters")
    parameters = (0..<configuration.parameterCount).map { _ in truth.nextNormal() }
    var dealing = SeededGenerator(seed: seed, stream: "world roles")
    roleOrder = Array(0..<configuration.domainCount).shuffled(using: &dealing)
  }
}
