package import Kernels

/// The settings of the optimizer.
public struct AdamWConfiguration: Sendable, Equatable, Codable {
  /// β₁, the decay of the first moment.
  public var beta1: Float
  /// β₂, the decay of the second moment.
  public var beta2: Float
  /// ε, added to the root of the second moment.
  public var epsilon: Float
  /// λ, applied to matrices only, times the learning rate.
  public var weightDecay: Float
  /// The largest norm of the whole gradient; nil does not clip.
  public var gradientNormMaximum: Double?

  /// Creates settings; the defaults are those common for small language models.
  public init(
    beta1: Float = 0.9, beta2: Float = 0.95, epsilon: Float = 1e-8, weightDecay: Float = 0.1,
    gradientNormMaximum: Double? = 1
  ) {
    precondition(
      (0..<1).contains(beta1) && (0..<1).contains(beta2) && epsilon > 0 && weightDecay >= 0,
      "AdamW cannot run with \(beta1), \(beta2), \(epsilon), \(weightDecay)")
    precondition(gradientNormMaximum.map { $0 > 0 } ?? true, "a norm is clipped to more than 0")
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.gradientNormMaximum = gradientNormMaximum
  }
}

/// AdamW over all slices of a model: decoupled decay on matrices, bias correction, clipping.
///
/// The formulas and their source stand at
/// ``KernelContext/adamW(_:gradients:firstMoments:secondMoments:range:update:)``.
package final class AdamW {
  /// The settings.
  package let configuration: AdamWConfiguration
  /// m, in the places of the parameters.
  package let firstMoments: FloatArray
  /// v, in the places of the parameters.
  package let secondMoments: FloatArray
  /// How many updates have been made.
  package internal(set) var step = 0

  /// Creates an optimizer with moments of 0 for `count` parameters.
  package init(_ configuration: AdamWConfiguration, count: Int) {
    self.configuration = configuration
    firstMoments = FloatArray(count: count)
    secondMoments = FloatArray(count: count)
  }

  /// The factor that brings a gradient of norm `norm` down to the largest allowed one; 1 below it.
  package func clippingFactor(norm: Double) -> Double {
    guard let maximum = configuration.gradientNormMaximum, norm > maximum else { return 1 }
    return maximum / norm
  }

  /// Updates the parameters once.
  ///
  /// - Parameters:
  ///   - parameters: θ.
  ///   - gradients: g, before clipping.
  ///   - layout: where matrices and gains lie.
  ///   - learningRate: η of this step.
  ///   - gradientFactor: what ``clippingFactor(norm:)`` answers.
  ///   - context: what the kernels run with.
  package func update(
    _ parameters: FloatArray, gradients: FloatArray, layout: ParameterLayout, learningRate: Double,
    gradientFactor: Double, context: KernelContext
  ) {
    step += 1
    for slice in layout.slices {
      let update = AdamWUpdate(
        learningRate: Float(learningRate),
        weightDecay: slice.decays ? configuration.weightDecay : 0, beta1: configuration.beta1,
        beta2: configuration.beta2, epsilon: configuration.epsilon, step: step,
        gradientFactor: Float(gradientFactor))
      context.adamW(
        parameters, gradients: gradients, firstMoments: firstMoments,
        secondMoments: secondMoments, range: slice.range, update: update)
    }
  }
}
