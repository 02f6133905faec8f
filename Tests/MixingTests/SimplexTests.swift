import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct SimplexTests {
  @Test func softmaxIsShiftedSoThatNothingOverflows() {
    #expect(Simplex.softmax([710, 710]) == [0.5, 0.5])
    #expect(Simplex.softmax([1e308, -1e308, 1e308]) == [0.5, 0, 0.5])
    #expect(Simplex.softmax([-.infinity, 0]) == [0, 1])
    #expect(Simplex.softmax([-.infinity, -.infinity]) == [0.5, 0.5])
    // e^1 / (e^1 + e^2 + e^3), and so on.
    expectNear(Simplex.softmax([1, 2, 3]), [0.090031, 0.244728, 0.665241])
  }

  @Test func softmaxDoesNotDependOnAShift() {
    var generator = TestGenerator(seed: 3)
    for _ in 0..<100 {
      let logits = (0..<7).map { _ in Double.random(in: -20...20, using: &generator) }
      let shift = Double.random(in: -1000...1000, using: &generator)
      expectNear(Simplex.softmax(logits.map { $0 + shift }), Simplex.softmax(logits), within: 1e-12)
    }
  }

  @Test func logarithmsOfASoftmaxStayFinite() {
    // 1 − ln(e^1 + e^2 + e^3), and so on.
    expectNear(Simplex.logSoftmax([1, 2, 3]), [-2.407606, -1.407606, -0.407606])
    #expect(Simplex.logSoftmax([0, 2000]) == [-2000, 0])
  }

  @Test func logarithmsAddWithoutOverflow() {
    expectNear([Simplex.logAdd(0, 0), Simplex.logAdd(1000, 0)], [0.693147, 1000])
    #expect(Simplex.logAdd(-.infinity, 3) == 3)
    #expect(Simplex.logAdd(3, -.infinity) == 3)
    #expect(Simplex.logAdd(-.infinity, -.infinity) == -.infinity)
    #expect(Simplex.logAdd(1.7e308, -1.7e308) == 1.7e308)
  }

  @Test func distancesAreThoseOfTheirFormulas() {
    #expect(Simplex.totalVariation([1, 0], [0, 1]) == 1)
    #expect(Simplex.totalVariation([0.5, 0.5], [0.25, 0.75]) == 0.25)
    // ½ ln 2 + ½ ln ⅔.
    expectNear([Simplex.divergence([0.5, 0.5], from: [0.25, 0.75])], [0.143841])
    #expect(Simplex.divergence([1, 0], from: [0.5, 0.5]) == 0.6931471805599453)
    #expect(Simplex.divergence([0.5, 0.5], from: [1, 0]) == .infinity)
    #expect(Simplex.mixedWithUniform([1, 0], share: 0.5) == [0.75, 0.25])
  }
}

/// Checks numbers one by one against those of a specification, which has six digits.
func expectNear(
  _ found: [Double], _ expected: [Double], within tolerance: Double = 1e-6,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let isNear =
    found.count == expected.count
    && zip(found, expected).allSatisfy { abs($0 - $1) <= tolerance }
  #expect(isNear, "\(found), not \(expected)", sourceLocation: sourceLocation)
}
