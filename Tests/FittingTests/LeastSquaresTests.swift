import Fitting
import Kernels
import Testing

@Suite(.timeLimit(.minutes(5)))
struct LeastSquaresTests {
  @Test func solvesAProblemWorkedByHand() {
    // A line through (0, 1), (1, 2), (2, 4): slope 3/2, intercept 5/6.
    let fit = LeastSquares(matrix: [1, 0, 1, 1, 1, 2], rowCount: 3, right: [1, 2, 4])
    expectClose(fit.solution, [5.0 / 6, 1.5], within: 1e-14)
    #expect(fit.rank == 2)
  }

  @Test func fewerRowsThanColumnsGiveTheShortestSolution() {
    // x + y + z = 3 is met by many points; the nearest to 0 is (1, 1, 1).
    let fit = LeastSquares(matrix: [1, 1, 1], rowCount: 1, right: [3])
    expectClose(fit.solution, [1, 1, 1], within: 1e-14)
    #expect(fit.rank == 1)
    expectClose(fit.projection(of: [3, 0, 0]), [1, 1, 1], within: 1e-14)
  }

  @Test func unusedAndRepeatedColumnsAreNoTrouble() {
    // The second column is 0, the third repeats the first: 2·x0 is shared evenly.
    let fit = LeastSquares(matrix: [1, 0, 1, 2, 0, 2], rowCount: 2, right: [2, 4])
    expectClose(fit.solution, [1, 0, 1], within: 1e-14)
    #expect(fit.rank == 1)
    let zero = LeastSquares(matrix: [0, 0, 0, 0], rowCount: 2, right: [1, 1])
    #expect(zero.solution == [0, 0])
    #expect(zero.rank == 0)
  }

  @Test func residualsAreOrthogonalToTheColumnsWhateverTheShape() {
    var generator = SeededGenerator(seed: 5)
    for (rowCount, columnCount) in [(1, 1), (3, 7), (7, 3), (20, 20), (100, 17), (5, 40)] {
      for rank in Set([1, (min(rowCount, columnCount) + 1) / 2, min(rowCount, columnCount)]) {
        let left = (0..<rowCount * rank).map { _ in generator.nextNormal() }
        let right = (0..<rank * columnCount).map { _ in generator.nextNormal() }
        let matrix = product(left, right, rowCount, rank, columnCount)
        let target = (0..<rowCount).map { _ in generator.nextNormal() }
        let fit = LeastSquares(matrix: matrix, rowCount: rowCount, right: target)
        #expect(fit.rank == rank, "\(rowCount)×\(columnCount)")
        let predicted = product(matrix, fit.solution, rowCount, columnCount, 1)
        let residuals = zip(target, predicted).map { $0 - $1 }
        let moments = product(residuals, matrix, 1, rowCount, columnCount)
        expectClose(moments, [Double](repeating: 0, count: columnCount), within: 1e-10)
        // The shortest solution has no part outside the rows' span.
        expectClose(fit.projection(of: fit.solution), fit.solution, within: 1e-10)
      }
    }
  }

  @Test func badlyScaledColumnsKeepTheirDigits() {
    let matrix = [1, 1e-6, 1, 2e-6, 1, 4e-6]
    let fit = LeastSquares(matrix: matrix, rowCount: 3, right: [2, 3, 5])
    expectClose(fit.solution[0], 1, within: 1e-12)
    expectClose(fit.solution[1] * 1e-6, 1, within: 1e-12)
  }

  private func product(
    _ a: [Double], _ b: [Double], _ rows: Int, _ inner: Int, _ columns: Int
  ) -> [Double] {
    (0..<rows * columns).map { place in
      let (row, column) = (place / columns, place % columns)
      return (0..<inner).reduce(0) { $0 + a[row * inner + $1] * b[$1 * columns + column] }
    }
  }
}
