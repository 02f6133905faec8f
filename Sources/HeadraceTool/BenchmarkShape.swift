import ArgumentParser
import Kernels

/// One product of the model: forward, gradient of the input, or gradient of the parameters.
struct BenchmarkShape: ExpressibleByArgument {
  let form: ProductForm
  let rows, columns, depth: Int

  init(form: ProductForm, rows: Int, columns: Int, depth: Int) {
    (self.form, self.rows, self.columns, self.depth) = (form, rows, columns, depth)
  }

  /// Reads `FORM,M,N,K`; sizes are in 1...65536.
  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let sizes = parts.dropFirst().compactMap { Int($0) }.filter { (1...65_536).contains($0) }
    let forms: [Substring: ProductForm] = [
      "plain": .plain, "transposed-a": .transposedA, "transposed-b": .transposedB,
    ]
    guard parts.count == 4, sizes.count == 3, let form = forms[parts[0]] else { return nil }
    self.init(form: form, rows: sizes[0], columns: sizes[1], depth: sizes[2])
  }

  /// Multiplications and additions, counted apart.
  var operationCount: Int { 2 * rows * columns * depth }

  var name: String {
    switch form {
    case .plain: "A B"
    case .transposedB: "A Bt"
    case .transposedA: "At B"
    }
  }

  /// Widths 128 and 256, a byte vocabulary's head, and attention heads of 32 and 64.
  static let all: [BenchmarkShape] = {
    var shapes: [BenchmarkShape] = []
    for (rows, width, columns) in [
      (4096, 128, 384), (4096, 128, 128), (4096, 128, 512), (4096, 512, 128), (4096, 128, 257),
      (2048, 64, 256), (8192, 256, 1024), (2048, 512, 320),
    ] {
      shapes.append(BenchmarkShape(form: .plain, rows: rows, columns: columns, depth: width))
      shapes.append(BenchmarkShape(form: .transposedB, rows: rows, columns: width, depth: columns))
      shapes.append(BenchmarkShape(form: .transposedA, rows: width, columns: columns, depth: rows))
    }
    for head in [32, 64] {
      shapes.append(BenchmarkShape(form: .transposedB, rows: 256, columns: 256, depth: head))
      shapes.append(BenchmarkShape(form: .plain, rows: 256, columns: head, depth: 256))
      shapes.append(BenchmarkShape(form: .transposedA, rows: 256, columns: head, depth: 256))
    }
    return shapes
  }()

  func operands() -> (Matrix, Matrix, Matrix) {
    var generator = SeededGenerator(seed: 1, stream: "operands")
    func make(_ rows: Int, _ columns: Int) -> Matrix {
      let matrix = Matrix(rowCount: rows, columnCount: columns)
      for index in 0..<rows * columns {
        matrix.array[index] = Float(generator.nextUniform() - 0.5)
      }
      return matrix
    }
    let a = form == .transposedA ? make(depth, rows) : make(rows, depth)
    let b = form == .transposedB ? make(columns, depth) : make(depth, columns)
    return (a, b, make(rows, columns))
  }
}
