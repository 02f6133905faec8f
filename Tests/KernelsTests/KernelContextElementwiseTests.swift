// Covers: KernelContext+Elementwise.swift

import Foundation
import Kernels
import Testing

private func geluInDouble(_ x: Double) -> Double {
  let u = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
  return x / (1 + exp(-2 * u))
}

@Suite(.timeLimit(.minutes(5))) struct KernelContextElementwiseTests {
  @Test(arguments: supportedSets)
  func expIsWithinThreePartsInTenMillion(set: InstructionSet) {
    let context = KernelContext(threadCount: 2, instructionSet: set)
    let count = 200_003
    let x = FloatArray(count: count)
    // Evenly over everything whose exponential is a normal number.
    for index in 0..<count { x[index] = Float(-87.33 + 176.05 * Double(index) / Double(count)) }
    let y = FloatArray(count: count)
    context.exp(x, into: y)
    // 2^-24 each from the last addition, the polynomial's fit, and r's own rounding; 3e-7 is 5 of
    // them.
    #expect(largestRelativeError(y.values, x.values.map { exp(Double($0)) }) < 3e-7)
  }

  @Test(arguments: supportedSets)
  func expHandlesTheEndsOfItsRange(set: InstructionSet) {
    let context = KernelContext(threadCount: 1, instructionSet: set)
    let x = FloatArray([0, -.infinity, .infinity, .nan, -100, 100, 88.7])
    let y = FloatArray(count: x.count)
    context.exp(x, into: y)
    #expect(y[0] == 1 && y[1] == 0 && y[2] == .infinity && y[3].isNaN)
    #expect(y[4] == 0 && y[5] == .infinity && y[6].isFinite)
  }

  @Test(arguments: supportedSets)
  func geluAndItsGradientAgreeWithDouble(set: InstructionSet) {
    let context = KernelContext(threadCount: 1, instructionSet: set)
    let x = draws(1003, stream: "gelu", deviation: 3)
    let view = Matrix(x, rowCount: 1, columnCount: x.count)
    let y = Matrix(rowCount: 1, columnCount: x.count)
    let slope = Matrix(rowCount: 1, columnCount: x.count)
    slope.array.fill(2)
    context.gelu(view, into: y)
    context.geluGradient(slope, x: view)
    // The argument of exp is up to about 40 and rounded to 2^-24 of itself, which exp turns into a
    // relative error of 40 · 6e-8; below 1e-6 the absolute error is what counts.
    let expected = x.values.map { geluInDouble(Double($0)) }
    #expect(largestRelativeError(y.array.values, expected, floor: 1e-6) < 4e-6)
    let h = 1e-5
    let slopes = x.values.map { x in
      (geluInDouble(Double(x) + h) - geluInDouble(Double(x) - h)) / h
    }
    // The share is rounded to 2^-24, and so 1 − share is off by as much, times
    // 2 · 1.6 x (1 + 0.134 x²), which is 60 at x = 5; beyond, the share is 1.
    for (found, expected) in zip(slope.array.values, slopes) {
      #expect(abs(Double(found) - expected) < 6e-6)
    }
  }

  @Test(arguments: supportedSets)
  func sumOfSquaresIsTheSameForEveryNumberOfThreads(set: InstructionSet) {
    let x = draws(300_007, stream: "squares")
    let expected = x.values.reduce(0.0) { $0 + Double($1) * Double($1) }
    let sums = [1, 2, 3].map {
      KernelContext(threadCount: $0, instructionSet: set).sumOfSquares(x)
    }
    #expect(sums[0] == sums[1] && sums[0] == sums[2])
    // 16 float additions per lane and 4 across lanes: at most 20 · 2^-24.
    #expect(abs(sums[0] - expected) < 1.2e-6 * expected)
  }

  @Test func addCopyAndFillTouchEveryElement() {
    let context = KernelContext(threadCount: 3)
    let a = Matrix(draws(100_001, stream: "a"), rowCount: 1, columnCount: 100_001)
    let b = Matrix(rowCount: 1, columnCount: 100_001)
    context.copy(a, to: b)
    context.add(a, to: b)
    #expect(zip(a.array.values, b.array.values).allSatisfy { $0 + $0 == $1 })
    context.fill(b, with: 4)
    #expect(b.array.values.allSatisfy { $0 == 4 })
  }
}
