import Kernels
import Testing
import Training

@Suite(.timeLimit(.minutes(5))) struct ParameterLayoutTests {
  @Test func slicesFollowEachOtherAtCacheLinesWithUniqueNames() {
    let layout = ParameterLayout(tinyConfiguration)
    #expect(layout.slices.first?.offset == 0)
    for (slice, next) in zip(layout.slices, layout.slices.dropFirst()) {
      #expect(next.offset % 16 == 0 && next.offset >= slice.range.upperBound)
      #expect(next.offset - slice.range.upperBound < 16)
    }
    #expect(Set(layout.slices.map(\.name)).count == layout.slices.count)
    #expect(layout.slice(named: "layers.1.hidden.output") == layout.layers[1].hiddenOutput)
    #expect(layout.slice(named: "layers.2.hidden.output") == nil)
  }

  @Test func countsAreThoseWorkedByHand() throws {
    // V d + L (d + 3 d² + d² + d + 2 · 3 d²) + d + d V = 88 + 2 · (16 + 640) + 8 + 88.
    let model = try LanguageModel(configuration: tinyConfiguration, seed: 1, threads: 1)
    #expect(model.parameterCount == 1496)
  }

  @Test func gainsStartAtOneAndMatricesWithTheirDeviation() throws {
    let layout = ParameterLayout(smallConfiguration)
    let parameters = FloatArray(count: layout.count)
    layout.initialize(parameters, seed: 1)
    for slice in layout.slices {
      let values = slice.range.map { Double(parameters[$0]) }
      guard let deviation = slice.initialDeviation else {
        #expect(values.allSatisfy { $0 == 1 })
        continue
      }
      let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
      // The relative standard error of a variance is sqrt(2 / n), n at least 2,304: 0.03. Six of
      // it.
      #expect(abs(square / (deviation * deviation) - 1) < 0.18)
    }
  }
}
