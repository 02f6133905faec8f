// Covers: KernelContext+Rowwise.swift

import Foundation
import Kernels
import Testing

/// A value that every element's gradient is checked against: Σ outer · f(x), in double.
private func centralDifference(
  _ x: [Double], at index: Int, _ f: ([Double]) -> Double
) -> Double {
  var (high, low) = (x, x)
  high[index] += 1e-5
  low[index] -= 1e-5
  return (f(high) - f(low)) / 2e-5
}

private func rmsNormInDouble(_ x: [Double], gain: [Double], epsilon: Double) -> [Double] {
  let mean = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
  return zip(x, gain).map { $0 * $1 / (mean + epsilon).squareRoot() }
}

private func softmaxInDouble(_ x: [Double], factor: Double = 1) -> [Double] {
  let exponentials = x.map { exp(factor * ($0 - (x.max() ?? 0))) }
  let sum = exponentials.reduce(0, +)
  return exponentials.map { $0 / sum }
}

private func dot(_ a: [Double], _ b: [Double]) -> Double {
  zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}

@Suite(.timeLimit(.minutes(5))) struct KernelContextRowwiseTests {
  @Test(arguments: supportedSets, [1, 7, 16, 61, 257])
  func softmaxAgreesWithDouble(set: InstructionSet, width: Int) {
    let context = KernelContext(threadCount: 2, instructionSet: set)
    let rows = Matrix(
      draws(5 * width, stream: "softmax", deviation: 4), rowCount: 5, columnCount: width)
    let before = rows.array.values.map(Double.init)
    context.softmax(rows)
    for row in 0..<5 {
      let range = row * width..<(row + 1) * width
      // exp's 3e-7, the rounding of x − max (up to 30 · 2^-24 relative after exp), and the sum's.
      let error = largestRelativeError(
        Array(rows.array.values[range]), softmaxInDouble(Array(before[range])))
      #expect(error < 3e-6)
    }
  }

  @Test(arguments: supportedSets)
  func causalSoftmaxSeesOnlyThePrefix(set: InstructionSet) {
    let context = KernelContext(threadCount: 1, instructionSet: set)
    let width = 37
    let rows = Matrix(draws(20 * width, stream: "causal"), rowCount: 20, columnCount: width)
    let before = rows.array.values.map(Double.init)
    context.causalSoftmax(rows, firstLength: 18, factor: 0.25)
    for row in 0..<20 {
      let length = 18 + row
      let expected = softmaxInDouble(
        Array(before[row * width..<row * width + length]), factor: 0.25)
      let found = Array(rows.array.values[row * width..<(row + 1) * width])
      #expect(largestRelativeError(Array(found[..<length]), expected) < 2e-6)
      #expect(found[length...].allSatisfy { $0 == 0 })
    }
  }

  @Test(arguments: supportedSets)
  func softmaxGradientAgreesWithCentralDifferences(set: InstructionSet) {
    let context = KernelContext(threadCount: 1, instructionSet: set)
    let scores = draws(23, stream: "scores").values.map(Double.init)
    let outer = draws(23, stream: "outer").values.map(Double.init)
    let p = Matrix(
      FloatArray(softmaxInDouble(scores, factor: 0.5).map { Float($0) }), rowCount: 1,
      columnCount: 23)
    let gradient = Matrix(FloatArray(outer.map { Float($0) }), rowCount: 1, columnCount: 23)
    context.softmaxGradient(gradient, probabilities: p, factor: 0.5)
    for index in 0..<23 {
      let expected = centralDifference(scores, at: index) {
        dot(outer, softmaxInDouble($0, factor: 0.5))
      }
      // Values of order 0.1 through about 25 float operations.
      #expect(abs(Double(gradient.array[index]) - expected) < 1e-6)
    }
  }

  @Test(arguments: supportedSets, [2, 16, 37])
  func rmsNormAndItsGradientsAgreeWithDouble(set: InstructionSet, width: Int) {
    let context = KernelContext(threadCount: 3, instructionSet: set)
    let (rowCount, epsilon) = (6, 1e-3)
    func matrix(_ stream: String) -> Matrix {
      Matrix(
        draws(rowCount * width, stream: stream), rowCount: rowCount, columnCount: width)
    }
    let (x, outer) = (matrix("x"), matrix("outer"))
    let gain = Matrix(draws(width, stream: "gain"), rowCount: 1, columnCount: width)
    let result = Matrix(rowCount: rowCount, columnCount: width)
    let inverses = Matrix(rowCount: 1, columnCount: rowCount)
    let dx = Matrix(rowCount: rowCount, columnCount: width)
    let dg = Matrix(rowCount: 1, columnCount: width)
    context.rmsNorm(x, gain: gain, epsilon: Float(epsilon), into: result, inverses: inverses)
    context.rmsNormGradient(
      outer, x: x, gain: gain, inverses: inverses, addingTo: dx, gradientOfGain: dg)
    let gains = gain.array.values.map(Double.init)
    var gainGradients = [Double](repeating: 0, count: width)
    for row in 0..<rowCount {
      let values = (0..<width).map { Double(x[row, $0]) }
      let outers = (0..<width).map { Double(outer[row, $0]) }
      let expected = rmsNormInDouble(values, gain: gains, epsilon: epsilon)
      // Three roundings per element and those of the sum of squares.
      #expect(
        largestRelativeError((0..<width).map { result[row, $0] }, expected, floor: 1e-3) < 2e-6)
      for column in 0..<width {
        let slope = centralDifference(values, at: column) {
          dot(outers, rmsNormInDouble($0, gain: gains, epsilon: epsilon))
        }
        // Two terms of up to about 10 that may cancel: 10 · 16 · 2^-24.
        #expect(abs(Double(dx[row, column]) - slope) < 1e-5)
        gainGradients[column] += centralDifference(gains, at: column) {
          dot(outers, rmsNormInDouble(values, gain: $0, epsilon: epsilon))
        }
      }
    }
    for column in 0..<width {
      #expect(abs(Double(dg[0, column]) - gainGradients[column]) < 1e-5)
    }
  }

  @Test(arguments: supportedSets, [1, 17, 257])
  func crossEntropyAndItsGradientAgreeWithDouble(set: InstructionSet, width: Int) {
    let context = KernelContext(threadCount: 2, instructionSet: set)
    let logits = Matrix(
      draws(4 * width, stream: "logits", deviation: 3), rowCount: 4, columnCount: width)
    let before = logits.array.values.map(Double.init)
    let tokens: [Int32] = [0, Int32(width / 2), Int32(width - 1), 0]
    var losses = [Double](repeating: 0, count: 4)
    tokens.withUnsafeBufferPointer { tokens in
      losses.withUnsafeMutableBufferPointer { losses in
        context.crossEntropy(logits, tokens: tokens, losses: losses, factor: 0.5)
      }
    }
    for row in 0..<4 {
      let p = softmaxInDouble(Array(before[row * width..<(row + 1) * width]))
      // The sum's relative error, which the logarithm turns into an absolute one.
      #expect(abs(losses[row] + log(p[Int(tokens[row])])) < 2e-6)
      for column in 0..<width {
        let expected = 0.5 * (p[column] - (column == Int(tokens[row]) ? 1 : 0))
        #expect(abs(Double(logits[row, column]) - expected) < 1e-6)
      }
    }
  }

  @Test(arguments: supportedSets)
  func rotationTurnsPairsByTheirAnglesAndBack(set: InstructionSet) {
    let context = KernelContext(threadCount: 1, instructionSet: set)
    let (cosines, sines) = (
      Matrix(rowCount: 3, columnCount: 5), Matrix(rowCount: 3, columnCount: 5)
    )
    for position in 0..<3 {
      for pair in 0..<5 {
        cosines[position, pair] = Float(cos(0.3 * Double(position * (pair + 1))))
        sines[position, pair] = Float(sin(0.3 * Double(position * (pair + 1))))
      }
    }
    let rows = Matrix(draws(60, stream: "rotate"), rowCount: 6, columnCount: 10)
    let before = rows.array.values
    context.rotate(rows, cosines: cosines, sines: sines)
    // Row 4 has position 1; its pair 2 turns by 0.9.
    let (a, b) = (Double(before[42]), Double(before[47]))
    #expect(abs(Double(rows[4, 2]) - (a * cos(0.9) - b * sin(0.9))) < 1e-6)
    #expect(abs(Double(rows[4, 7]) - (a * sin(0.9) + b * cos(0.9))) < 1e-6)
    context.rotate(rows, cosines: cosines, sines: sines, isInverse: true)
    // Two turns of two products each, values up to 3.
    #expect(zip(rows.array.values, before).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test func rowsAreTheSameForEveryNumberOfThreads() {
    let results = [1, 2, 3].map { threadCount in
      let context = KernelContext(threadCount: threadCount)
      let x = Matrix(draws(500 * 61, stream: "x"), rowCount: 500, columnCount: 61)
      let gain = Matrix(draws(61, stream: "gain"), rowCount: 1, columnCount: 61)
      let (y, dx) = (
        Matrix(rowCount: 500, columnCount: 61), Matrix(rowCount: 500, columnCount: 61)
      )
      let (inverses, dg) = (
        Matrix(rowCount: 1, columnCount: 500), Matrix(rowCount: 1, columnCount: 61)
      )
      context.rmsNorm(x, gain: gain, epsilon: 1e-5, into: y, inverses: inverses)
      context.rmsNormGradient(
        y, x: x, gain: gain, inverses: inverses, addingTo: dx, gradientOfGain: dg)
      context.softmax(y)
      return y.array.values + dx.array.values + dg.array.values
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }
}
