import Kernels
import Testing

@Suite(.timeLimit(.minutes(5))) struct MatrixTests {
  @Test func viewsShareTheirArray() {
    let matrix = Matrix(rowCount: 4, columnCount: 5)
    matrix.block(rows: 1..<3, columns: 2..<4)[1, 0] = 7
    #expect(matrix[2, 2] == 7 && matrix.rows(2..<4)[0, 2] == 7)
    #expect(matrix.array.values.filter { $0 != 0 }.count == 1)
  }

  @Test func arraysStartAtACacheLine() {
    for count in [0, 1, 17, 1000] {
      let array = FloatArray(count: count)
      #expect(UInt(bitPattern: array.start) % 64 == 0 && array.count == count)
      #expect(array.values == [Float](repeating: 0, count: count))
    }
  }

  @Test func aViewBeyondItsArrayStopsTheProgram() async {
    await #expect(processExitsWith: .failure) {
      _ = Matrix(FloatArray(count: 19), rowCount: 4, columnCount: 5)
    }
  }
}
