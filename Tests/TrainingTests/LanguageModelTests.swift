// Covers: Activations.swift, CausalAttention.swift, LanguageModelConfiguration.swift

import Foundation
import Kernels
import Testing
import Training

/// Every slice of the tiny model by name.
private let sliceNames = ParameterLayout(tinyConfiguration).slices.map(\.name)

/// The tiny model with parameters large enough that every gradient is far from 0.
private func makeLivelyModel(
  set: InstructionSet = .best, configuration: LanguageModelConfiguration = tinyConfiguration
) throws -> LanguageModel {
  let model = try LanguageModel(
    configuration: configuration, seed: 9, threads: 1, instructionSet: set)
  for slice in model.layout.slices {
    var generator = SeededGenerator(seed: 1, stream: "lively.\(slice.name)")
    for index in slice.range {
      let draw = Float(generator.nextNormal())
      model.parameters[index] = slice.decays ? 0.4 * draw : 1 + 0.2 * draw
    }
  }
  return model
}

private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

/// The slope of the mean loss when the elements `changes` move together, by Richardson's
/// extrapolation of two central differences, whose error is of order h⁴.
private func slope(
  _ model: LanguageModel, _ tokens: [Int32], rowCount: Int, _ changes: [(Int, Float)]
) throws -> Double {
  func difference(_ h: Float) throws -> Double {
    let before = changes.map { model.parameters[$0.0] }
    for (index, change) in changes { model.parameters[index] += h * change }
    let high = mean(try model.losses(tokens, rowCount: rowCount))
    for ((index, change), value) in zip(changes, before) {
      model.parameters[index] = value - h * change
    }
    let low = mean(try model.losses(tokens, rowCount: rowCount))
    for ((index, _), value) in zip(changes, before) { model.parameters[index] = value }
    return (high - low) / Double(2 * h)
  }
  return (4 * (try difference(0x1p-6)) - (try difference(0x1p-5))) / 3
}

@Suite(.timeLimit(.minutes(5))) struct LanguageModelTests {
  /// Along random directions per slice: one sign, transposition or missing term shows here.
  @Test(arguments: sliceNames, InstructionSet.allCases.filter(\.isSupported))
  func gradientsOfEverySliceAgreeWithCentralDifferences(name: String, set: InstructionSet) throws {
    let model = try makeLivelyModel(set: set)
    let slice = try #require(model.layout.slice(named: name))
    let tokens = makeTokens(tinyConfiguration, rowCount: 5)
    _ = try model.lossAndGradient(tokens, rowCount: 5)
    let gradient = model.gradients.values
    var generator = SeededGenerator(seed: 2, stream: name)
    for _ in 0..<4 {
      let draws = slice.range.map { _ in Float(generator.nextNormal()) }
      let norm = draws.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let changes = zip(slice.range, draws).map { ($0, $1 / norm) }
      let expected = try slope(model, tokens, rowCount: 5, changes)
      let found = changes.reduce(0.0) { $0 + Double(gradient[$1.0]) * Double($1.1) }
      // The loss, about 3, carries some 1e-7 of relative rounding after its mean over 25 tokens;
      // divided by h = 2^-6 that is 2e-5 in the slope, and Richardson's weights double it. Slopes
      // are 1e-2 to 1.
      #expect(abs(found - expected) < 1e-4 + 2e-3 * abs(expected), "\(found), \(expected)")
    }
  }

  @Test(arguments: sliceNames)
  func gradientsOfSingleElementsAgreeWithCentralDifferences(name: String) throws {
    let model = try makeLivelyModel()
    let slice = try #require(model.layout.slice(named: name))
    let tokens = makeTokens(tinyConfiguration, rowCount: 3)
    _ = try model.lossAndGradient(tokens, rowCount: 3)
    let gradient = model.gradients.values
    for index in stride(from: 0, to: slice.count, by: max(1, slice.count / 12)) {
      let place = slice.offset + index
      let expected = try slope(model, tokens, rowCount: 3, [(place, 1)])
      // As above.
      #expect(abs(Double(gradient[place]) - expected) < 1e-4 + 2e-3 * abs(expected))
    }
  }

  @Test func theWholeGradientAgreesWithCentralDifferencesAcrossBlocksOfQueries() throws {
    // 80 positions are two blocks of queries; one direction through all parameters at once.
    let model = try makeLivelyModel(configuration: smallConfiguration)
    let tokens = makeTokens(smallConfiguration, rowCount: 4)
    _ = try model.lossAndGradient(tokens, rowCount: 4)
    let gradient = model.gradients.values
    for slice in model.layout.slices {
      var generator = SeededGenerator(seed: 3, stream: slice.name)
      let draws = slice.range.map { _ in Float(generator.nextNormal()) }
      let norm = draws.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let changes = zip(slice.range, draws).map { ($0, $1 / norm) }
      let expected = try slope(model, tokens, rowCount: 4, changes)
      let found = changes.reduce(0.0) { $0 + Double(gradient[$1.0]) * Double($1.1) }
      // As above, with a loss of about 10 at these parameters.
      #expect(abs(found - expected) < 3e-4 + 2e-3 * abs(expected), "\(slice.name)")
    }
  }

  @Test func anUntrainedModelIsAboutAsWrongAsGuessing() throws {
    let model = try LanguageModel(configuration: smallConfiguration, seed: 1, threads: 1)
    let losses = try model.losses(makeTokens(smallConfiguration, rowCount: 4), rowCount: 4)
    // Logits have a variance of 0.02² · 48 = 0.019, which adds half of that to log V.
    #expect(abs(mean(losses) - log(67)) < 0.05)
  }

  @Test(arguments: [1, 40, 63, 64, 79])
  func laterTokensDoNotChangeEarlierLosses(place: Int) throws {
    let model = try makeLivelyModel(configuration: smallConfiguration)
    let tokens = makeTokens(smallConfiguration, rowCount: 1)
    var changed = tokens
    changed[place] = (changed[place] + 1) % 67
    _ = try model.losses(tokens, rowCount: 1)
    let before = model.tokenLosses(count: 80)
    _ = try model.losses(changed, rowCount: 1)
    let after = model.tokenLosses(count: 80)
    // Token `place` is the target of position place − 1 and the input of position `place`.
    #expect(before[..<(place - 1)] == after[..<(place - 1)])
    #expect(zip(before, after).dropFirst(place - 1).allSatisfy { $0 != $1 })
  }

  @Test func lossesAreTheSameWithAndWithoutGradientAndInAnyMicroBatch() throws {
    let tokens = makeTokens(smallConfiguration, rowCount: 7)
    let model = try LanguageModel(configuration: smallConfiguration, seed: 4, threads: 2)
    let losses = try model.lossAndGradient(tokens, rowCount: 7)
    #expect(try model.losses(tokens, rowCount: 7) == losses)
    for row in 0..<7 {
      #expect(
        try model.losses(Array(tokens[row * 81..<(row + 1) * 81]), rowCount: 1) == [losses[row]])
    }
  }

  @Test func microBatchesAddUpToTheGradientOfTheBatch() throws {
    let tokens = makeTokens(smallConfiguration, rowCount: 6)
    var whole = smallConfiguration
    whole.microBatchRowCount = 6
    let gradients = try [smallConfiguration, whole].map { configuration in
      let model = try LanguageModel(configuration: configuration, seed: 4, threads: 1)
      _ = try model.lossAndGradient(tokens, rowCount: 6)
      return model.gradients.values
    }
    let norm = gradients[0].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    let difference = zip(gradients[0], gradients[1])
      .reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot()
    // The same terms in another order: a few roundings of 6e-8.
    #expect(difference < 1e-6 * norm)
  }

  @Test func aBadTokenIsNamedBeforeAnythingChanges() throws {
    let model = try LanguageModel(configuration: tinyConfiguration, seed: 1, threads: 1)
    var tokens = makeTokens(tinyConfiguration, rowCount: 2)
    _ = try model.lossAndGradient(tokens, rowCount: 2)
    let before = model.gradients.values
    for bad in [Int32(11), -1, .max, .min] {
      tokens[8] = bad
      let error = TrainingError.tokenOutOfRange(
        token: Int(bad), row: 1, position: 2, vocabularySize: 11)
      #expect(throws: error) { try model.lossAndGradient(tokens, rowCount: 2) }
      #expect(throws: error) { try model.losses(tokens, rowCount: 2) }
    }
    #expect(model.gradients.values == before)
    #expect(throws: TrainingError.tokenCountWrong(found: 12, expected: 18)) {
      try model.losses(tokens, rowCount: 3)
    }
  }

  @Test func impossibleShapesAreRefusedByName() {
    var configuration = tinyConfiguration
    configuration.width = 10
    #expect(throws: TrainingError.widthDoesNotDivide(width: 10, headCount: 2)) {
      try LanguageModel(configuration: configuration, seed: 1, threads: 1)
    }
    configuration = tinyConfiguration
    configuration.layerCount = 0
    #expect(
      throws: TrainingError.settingOutOfRange(name: "layer_count", value: 0, allowed: 1...1024)
    ) {
      try configuration.validate()
    }
    configuration = tinyConfiguration
    configuration.rotaryBase = .nan
    #expect(throws: TrainingError.self) { try configuration.validate() }
  }

  @Test func anotherLayerChangesNoOtherSlice() throws {
    var deeper = tinyConfiguration
    deeper.layerCount = 3
    let models = try [tinyConfiguration, deeper].map {
      try LanguageModel(configuration: $0, seed: 1, threads: 1)
    }
    for name in ["embedding", "layers.1.attention.input", "head"] {
      let values = try models.map { model in
        let slice = try #require(model.layout.slice(named: name))
        return slice.range.map { model.parameters[$0] }
      }
      #expect(values[0] == values[1])
    }
  }
}
