import CKernels

/// The numbers of one AdamW update; see
/// ``KernelContext/adamW(_:gradients:firstMoments:secondMoments:range:update:)``.
package struct AdamWUpdate: Sendable {
  /// η, the learning rate of this step.
  package var learningRate: Float
  /// λ, the weight decay; what is subtracted is η λ θ.
  package var weightDecay: Float
  /// β₁, the decay of the first moment.
  package var beta1: Float
  /// β₂, the decay of the second moment.
  package var beta2: Float
  /// ε, added to the root.
  package var epsilon: Float
  /// t, the step, counted from 1.
  package var step: Int
  /// Multiplies every gradient first: the factor that clipping asks for.
  package var gradientFactor: Float

  /// Creates the numbers of one update.
  package init(
    learningRate: Float, weightDecay: Float, beta1: Float, beta2: Float, epsilon: Float, step: Int,
    gradientFactor: Float
  ) {
    precondition(step >= 1, "steps are counted from 1, not from \(step)")
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.step = step
    self.gradientFactor = gradientFactor
  }

  /// 1 / (1 − beta^step), in double: the sums behind it round too coarsely in float.
  fileprivate static func correction(_ beta: Float, step: Int) -> Float {
    var power = 1.0
    var base = Double(beta)
    var exponent = step
    while exponent > 0 {
      if exponent & 1 == 1 { power *= base }
      base *= base
      exponent >>= 1
    }
    return Float(1 / (1 - power))
  }
}

extension KernelContext {
  /// One AdamW step on the elements `range`.
  ///
  ///     m = β₁ m + (1 − β₁) g,  v = β₂ v + (1 − β₂) g²
  ///     θ = θ − η (m̂ / (sqrt(v̂) + ε) + λ θ),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
  ///
  /// Source: Loshchilov and Hutter 2019, *Decoupled Weight Decay Regularization*
  /// (arXiv:1711.05101), Algorithm 2.
  ///
  /// Departures from the source: the decay is multiplied by the learning rate as well, as in every
  /// common implementation, where the paper has a schedule multiplier of its own.
  package func adamW(
    _ parameters: FloatArray, gradients: FloatArray, firstMoments: FloatArray,
    secondMoments: FloatArray, range: Range<Int>, update: AdamWUpdate
  ) {
    let least = min(
      min(parameters.count, gradients.count), min(firstMoments.count, secondMoments.count))
    precondition(range.lowerBound >= 0 && range.upperBound <= least, "\(range) beyond \(least)")
    var factors = headrace_adamw_factors(
      learning_rate: update.learningRate, decay: update.learningRate * update.weightDecay,
      beta1: update.beta1, beta2: update.beta2,
      correction1: AdamWUpdate.correction(update.beta1, step: update.step),
      correction2: AdamWUpdate.correction(update.beta2, step: update.step),
      epsilon: update.epsilon, gradient_factor: update.gradientFactor)
    withUnsafePointer(to: &factors) { factors in
      // Sound: constant while the loop runs, and the loop ends before it goes away.
      nonisolated(unsafe) let factors = factors
      team.run(count: range.count, minimumPerThread: 1 << 14) { _, part in
        let place = range.lowerBound + part.lowerBound
        headrace_adamw(
          set, parameters.start + place, firstMoments.start + place, secondMoments.start + place,
          gradients.start + place, part.count, factors)
      }
    }
  }
}
