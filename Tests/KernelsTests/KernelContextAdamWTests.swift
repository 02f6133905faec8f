// Covers: KernelContext+AdamW.swift

import Kernels
import Testing

@Suite(.timeLimit(.minutes(5))) struct KernelContextAdamWTests {
  @Test(arguments: supportedSets)
  func firstTwoStepsAreThoseWorkedByHand(set: InstructionSet) {
    let context = KernelContext(threadCount: 1, instructionSet: set)
    let (theta, g) = (FloatArray([1]), FloatArray([4]))
    let (m, v) = (FloatArray(count: 1), FloatArray(count: 1))
    var update = AdamWUpdate(
      learningRate: 0.1, weightDecay: 0.5, beta1: 0.5, beta2: 0.75, epsilon: 1, step: 1,
      gradientFactor: 0.5)
    // g = 2. m = 0.5 · 2 = 1, m̂ = 1 / 0.5 = 2. v = 0.25 · 4 = 1, v̂ = 1 / 0.25 = 4.
    // θ = 1 − 0.1 (2 / (2 + 1) + 0.5 · 1) = 1 − 0.1166667 = 0.8833333.
    context.adamW(
      theta, gradients: g, firstMoments: m, secondMoments: v, range: 0..<1, update: update)
    #expect(m[0] == 1 && v[0] == 1)
    #expect(abs(theta[0] - 0.8833333) < 1e-6)
    g[0] = -2
    update.step = 2
    // g = −1. m = 0.5 − 0.5 = 0. v = 0.75 + 0.25 = 1. θ = 0.8833333 (1 − 0.05) = 0.8391667.
    context.adamW(
      theta, gradients: g, firstMoments: m, secondMoments: v, range: 0..<1, update: update)
    #expect(m[0] == 0 && v[0] == 1)
    #expect(abs(theta[0] - 0.8391667) < 1e-6)
  }

  @Test func changesNothingOutsideItsRange() {
    let context = KernelContext(threadCount: 3)
    let (theta, g) = (draws(70_000, stream: "theta"), draws(70_000, stream: "g"))
    let before = theta.values
    let (m, v) = (FloatArray(count: 70_000), FloatArray(count: 70_000))
    let update = AdamWUpdate(
      learningRate: 0.1, weightDecay: 0, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, step: 1,
      gradientFactor: 1)
    context.adamW(
      theta, gradients: g, firstMoments: m, secondMoments: v, range: 5..<69_990, update: update)
    for index in 0..<70_000 {
      let isInside = (5..<69_990).contains(index)
      #expect((theta[index] != before[index]) == isInside)
    }
  }
}
