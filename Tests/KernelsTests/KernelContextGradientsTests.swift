// Covers: KernelContext+Gradients.swift

import Kernels
import Testing

@Suite(.timeLimit(.minutes(5))) struct KernelContextGradientsTests {
  /// Longer than a segment, and of a length that no vector divides.
  private let count = 70_003

  private func rows(_ height: Int) -> [FloatArray] {
    (0..<height).map { draws(count, stream: "row \($0)") }
  }

  @Test(arguments: supportedSets)
  func `a Gram matrix is that of the rows in double`(set: InstructionSet) {
    let context = KernelContext(threadCount: 2, instructionSet: set)
    let rows = rows(6)
    let gram = context.gram(of: rows)
    for i in 0..<6 {
      for j in 0..<6 {
        let expected = zip(rows[i].values, rows[j].values)
          .reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        // Some 7e4 additions of doubles, in another order.
        #expect(abs(gram[i * 6 + j] - expected) < 1e-9 * Double(count))
        #expect(gram[i * 6 + j] == gram[j * 6 + i])
      }
    }
    for i in 0..<6 {
      #expect(context.innerProducts(rows[i], rows) == Array(gram[6 * i..<6 * i + 6]))
    }
  }

  @Test func `sums are the same bits for every set and every number of threads`() {
    let rows = rows(5)
    let results = supportedSets.flatMap { set in
      [1, 2, 3].map { threads in
        let context = KernelContext(threadCount: threads, instructionSet: set)
        let sum = FloatArray(count: count)
        let square = context.credit(UnsafeBufferPointer(rows[0].buffer), to: sum, at: 0)
        let gram = context.gram(of: rows)
        // The same sum, of other blocks.
        #expect(abs(square - gram[0]) < 1e-9 * square)
        return gram + [square]
      }
    }
    #expect(results.allSatisfy { $0 == results[0] })
  }

  @Test(arguments: supportedSets)
  func `credit adds, gain takes the difference, move goes part of the way`(set: InstructionSet) {
    let context = KernelContext(threadCount: 3, instructionSet: set)
    let accumulator = FloatArray([1, 2, 3])
    let before = FloatArray([0, 5, 1, 1, 1])
    let gained = FloatArray(count: 5)
    context.gain(UnsafeBufferPointer(accumulator.buffer), since: before, at: 2, into: gained)
    #expect(gained.values == [0, 0, 0, 1, 2] && before.values == [0, 5, 1, 2, 3])
    let row = FloatArray([9, 9, 9, 9, 9, 9])
    let square = context.credit(UnsafeBufferPointer(gained.buffer), to: row, at: 1)
    #expect(square == 5 && row.values == [9, 9, 9, 9, 10, 11])
    #expect(context.credit(UnsafeBufferPointer(gained.buffer), to: row, at: 0, begins: true) == 5)
    #expect(row.values == [0, 0, 0, 1, 2, 11])
    let later = FloatArray([2, 7, 3])
    func gain(_ before: FloatArray, _ begins: Bool) -> Double {
      context.creditGain(
        UnsafeBufferPointer(later.buffer), since: before, to: row, at: 2, begins: begins)
    }
    #expect(gain(before, false) == 26 && before.values == [0, 5, 2, 7, 3])
    #expect(row.values == [0, 0, 1, 6, 2, 11])
    #expect(gain(FloatArray(count: 5), true) == 62 && row.values == [0, 0, 2, 7, 3, 11])
    let value = FloatArray([0, 8])
    context.move(value, toward: FloatArray([4, 2]), factor: 2, weight: 0.25)
    #expect(value.values == [2, 7])
  }

  @Test func `signs follow from key and place alone`() {
    let source = draws(1000, stream: "signed")
    let results = supportedSets.map { set in
      let context = KernelContext(threadCount: 1, instructionSet: set)
      let whole = FloatArray(count: 1000)
      context.addSigned(UnsafeBufferPointer(source.buffer), to: whole, at: 0, key: 3, first: 37)
      // The same in pieces that begin at odd bits.
      let pieces = FloatArray(count: 1000)
      for begin in stride(from: 0, to: 1000, by: 91) {
        let part = source.buffer[begin..<min(begin + 91, 1000)]
        context.addSigned(
          UnsafeBufferPointer(rebasing: part), to: pieces, at: begin, key: 3, first: 37 + begin)
      }
      #expect(whole.values == pieces.values)
      return whole.values
    }
    #expect(results.allSatisfy { $0 == results[0] })
    let signs = zip(results[0], source.values).map { $0 == $1 ? 1 : $0 == -$1 ? -1 : 0 }
    #expect(signs.allSatisfy { $0 != 0 })
    // The sum of 1000 fair signs has a deviation of 32; beyond 4 of them once in 16,000 keys.
    #expect(abs(signs.reduce(0, +)) < 128)
  }
}
