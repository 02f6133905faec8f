#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The models of a fit, as the file `models.json` holds them: what predicts for other mixtures.
package struct StoredModels: Sendable, Equatable, Codable {
  /// What the file says it is.
  package static let format = "headrace-models"
  /// The version that is written and read.
  package static let version = 1
  /// The name of the file in a fit's folder.
  package static let fileName = "models.json"
  /// The largest file that is read, 1 GiB.
  package static let byteLimit = 1 << 30

  /// The model of one loss.
  package struct Entry: Sendable, Equatable, Codable {
    /// The loss's name.
    package let loss: String
    /// Its part in the objective; all parts sum to 1.
    package let weight: Double
    /// The recipe's name.
    package let recipe: String
    /// What predicts it.
    package let model: FittedModel
  }

  private let format: String
  private let version: Int
  /// The domains `[domain]`, in the order of the models' shares.
  package let domainNames: [String]
  /// What was taken off the beginning of the columns' names.
  package let domainPrefix: String
  /// Which form of the shares the models see.
  package let shareForm: RegMixSettings.ShareForm
  /// The models, at least one.
  package let entries: [Entry]

  private enum CodingKeys: String, CodingKey {
    case format, version, entries
    case domainNames = "domain_names"
    case domainPrefix = "domain_prefix"
    case shareForm = "share_form"
  }

  /// Takes the models of a fit.
  ///
  /// - Parameters:
  ///   - fit: the fit.
  ///   - domainPrefix: what was taken off the beginning of the columns' names.
  package init(_ fit: RegMixFit, domainPrefix: String = "") {
    format = Self.format
    version = Self.version
    domainNames = fit.table.domainNames
    self.domainPrefix = domainPrefix
    shareForm = fit.settings.shareForm
    entries = fit.targetLosses.indices.map { index in
      Entry(
        loss: fit.targetLosses[index].name, weight: fit.targetLosses[index].weight,
        recipe: fit.recipes[index].name, model: fit.models[index])
    }
  }

  /// Reads a file.
  ///
  /// - Parameter path: where it is.
  /// - Throws: ``FittingError/table(path:line:fault:)`` if it cannot be read or is no such file.
  package init(atPath path: String) throws(FittingError) {
    let bytes = try TableFile.read(path, byteLimit: Self.byteLimit)
    do {
      self = try JSONDecoder().decode(StoredModels.self, from: Data(bytes))
    } catch {
      throw .table(path: path, line: nil, fault: .storedFit(reason: "\(error)"))
    }
    let isWhole =
      !entries.isEmpty && Set(domainNames).count == domainNames.count
      && entries.allSatisfy { $0.model.domainCount == domainNames.count && $0.weight.isFinite }
    guard format == Self.format, version == Self.version, isWhole else {
      let reason =
        format == Self.format && version == Self.version
        ? "models and domains do not fit together"
        : "it is \(format) of version \(version), not \(Self.format) of version \(Self.version)"
      throw .table(path: path, line: nil, fault: .storedFit(reason: reason))
    }
  }

  /// The file's bytes.
  ///
  /// - Throws: an `EncodingError` for a number that is not finite.
  package func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self)) + Array("\n".utf8)
  }
}

extension StoredModels {
  /// What is predicted for the rows of a table of mixtures.
  package struct Predictions: Sendable, Equatable {
    /// The names of the runs `[row]`: of the index column, or the rows' numbers from 1.
    package let runNames: [String]
    /// What the index column is named; `index` without one.
    package let indexName: String
    /// The names of the losses `[loss]`.
    package let lossNames: [String]
    /// `[loss][row]`, in nats per token.
    package let losses: [[Double]]
    /// The weighted losses `[row]`, in nats per token.
    package let objectives: [Double]

    /// A table with a header: the index, every loss where there are several, and `prediction`.
    package var csv: String {
      let shown = lossNames.count > 1 ? Array(lossNames.indices) : []
      let header =
        [indexName.isEmpty ? "index" : indexName] + shown.map { lossNames[$0] } + ["prediction"]
      let rows = objectives.indices.map { row in
        [runNames[row]] + shown.map { "\(losses[$0][row])" } + ["\(objectives[row])"]
      }
      return CSVTable.text(of: [header] + rows)
    }
  }

  /// Predicts for the rows of a table.
  ///
  /// - Parameters:
  ///   - table: has a column for every domain, with or without the prefix; others are not read.
  ///   - sumTolerance: how far from 1 the sum of shares may be.
  /// - Returns: the predictions, in the order of the rows.
  /// - Throws: ``FittingError/table(path:line:fault:)`` with the line and the column.
  package func predictions(
    for table: CSVTable, sumTolerance: Double = RunTable.sumTolerance
  ) throws(FittingError) -> Predictions {
    let columns = domainNames.map { name in
      table.header.contains(domainPrefix + name) ? domainPrefix + name : name
    }
    let missing = columns.filter { !table.header.contains($0) }
    guard missing.isEmpty else {
      throw .table(path: table.path, line: 1, fault: .missingDomains(names: missing))
    }
    var reading = RunTable.Reading()
    reading.domainColumns = columns
    reading.domainPrefix = domainPrefix
    reading.sumTolerance = sumTolerance
    let index = try RunJoin.indexColumn(of: table, join: .automatic)
    let written = try MixtureColumns(table, reading: reading, indexColumn: index).written
    let shares =
      shareForm == .written
      ? written
      : written.map { row in
        let sum = row.reduce(0, +)
        return row.map { $0 / sum }
      }
    let losses = entries.map { entry in shares.map { entry.model.loss(of: $0) } }
    return Predictions(
      runNames: table.rows.indices.map { row in index.map { table.rows[row][$0] } ?? "\(row + 1)" },
      indexName: index.map { table.header[$0] } ?? "index", lossNames: entries.map(\.loss),
      losses: losses,
      objectives: shares.indices.map { row in
        zip(entries, losses).reduce(0) { $0 + $1.0.weight * $1.1[row] }
      })
  }
}
