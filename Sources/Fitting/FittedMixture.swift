#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A recommended mixture with what it rests on: the file `mixture.json`.
///
///     {
///       "format": "headrace-mixture", "version": 1, "method": "regmix",
///       "weights": {"code": 0.25, "prose": 0.75},
///       "objective": {"value": 3.1, "lower": 3.0, "upper": 3.2},
///       "losses": [{"name": "web", "weight": 1, "model": "power-law", "prediction": {…},
///                   "scores": [{"model": "power-law", "r_squared": 0.97, …}, …]}],
///       "compared": [{"name": "prior", "weights": {…}, "objective": {…}}, …],
///       "deviations": {"code": 0.01, "prose": 0.01},
///       "warnings": [], "runs": 512, "inputs": [{"path": …, "byte_count": …, "xxh64": …}],
///       "settings": {…}, "tool_version": "…"
///     }
///
/// - `weights`: of every domain, summing to 1; all that a static policy reads.
/// - `losses`: of the objective; `weight` is their part in it, `scores` those of the models that
///   were compared by cross-validation, `model` the one that was taken.
/// - `deviations`: of each domain's share among the simulated mixtures that were averaged: what is
///   large is undetermined.
/// - Losses are in nats per token; an estimate's `lower` and `upper` are its 95 % interval.
package struct FittedMixture: Sendable, Equatable, Codable {
  /// What the file says it is.
  package static let format = "headrace-mixture"
  /// The version that is written.
  package static let version = 1

  /// One loss of the objective.
  package struct Loss: Sendable, Equatable, Codable {
    /// The column's name.
    package let name: String
    /// Its part in the objective.
    package let weight: Double
    /// The recipe's name.
    package let model: String
    /// What is predicted for the recommended mixture.
    package let prediction: RegMixFit.Estimate
    /// The models that were compared.
    package let scores: [CrossValidation.Score]
  }

  /// A mixture that the recommended one is compared with.
  package struct Compared: Sendable, Equatable, Codable {
    /// What it is.
    package let name: String
    /// The shares by domain.
    package let weights: [String: Double]
    /// What is predicted for it.
    package let objective: RegMixFit.Estimate
  }

  private let format: String
  private let version: Int
  private let method: String
  /// The shares by domain, summing to 1.
  package let weights: [String: Double]
  /// What is predicted for the weighted losses.
  package let objective: RegMixFit.Estimate
  /// The losses of the objective.
  package let losses: [Loss]
  /// What it is compared with.
  package let compared: [Compared]
  /// How far the averaged mixtures differ, by domain.
  package let deviations: [String: Double]
  /// What a reader should know.
  package let warnings: [String]
  /// The number of runs.
  package let runs: Int
  /// The files that the runs are from.
  package let inputs: [RunTable.SourceFile]
  /// What was asked for.
  package let settings: RegMixSettings
  /// The version of the program.
  package let toolVersion: String

  private enum CodingKeys: String, CodingKey {
    case format, version, method, weights, objective, losses, compared, deviations, warnings, runs
    case inputs, settings
    case toolVersion = "tool_version"
  }

  /// Puts together what a fit found.
  ///
  /// - Parameters:
  ///   - fit: the fit.
  ///   - toolVersion: the version of the program.
  package init(_ fit: RegMixFit, toolVersion: String) {
    func named(_ shares: [Double]) -> [String: Double] {
      // Domain names are unique: the table was read so.
      Dictionary(zip(fit.table.domainNames, shares)) { first, _ in first }
    }
    let recommended = fit.recommended
    format = Self.format
    version = Self.version
    method = "regmix"
    weights = named(recommended.shares)
    objective = recommended.objective
    losses = fit.targetLosses.indices.map { index in
      Loss(
        name: fit.targetLosses[index].name, weight: fit.targetLosses[index].weight,
        model: fit.recipes[index].name, prediction: recommended.losses[index],
        scores: fit.outcomes.isEmpty ? [] : fit.outcomes[index].map(\.score))
    }
    compared = fit.candidates.dropFirst().map {
      Compared(name: $0.name, weights: named($0.shares), objective: $0.objective)
    }
    deviations = named(fit.search.deviations)
    warnings = fit.warnings
    runs = fit.table.runCount
    inputs = fit.table.sources
    settings = fit.settings
    self.toolVersion = toolVersion
  }

  /// The file's bytes: JSON over several lines, keys sorted.
  ///
  /// - Throws: an `EncodingError` for a number that is not finite.
  package func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self)) + Array("\n".utf8)
  }
}
