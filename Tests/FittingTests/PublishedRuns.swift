import Fitting
import Testing

/// One row of the published measurements.
struct PublishedRun {
  var model: String
  var run: String
  var step: Int
  /// The shares by domain.
  var shares: [Double]
  /// The losses by evaluation domain.
  var losses: [String: Double]

  /// The part of the run's name behind the last underscore.
  var id: String { run.split(separator: "_").last.map(String.init) ?? run }

  /// Reads `mixinglaws/losses_<name>.csv`.
  static func read(_ name: String) throws -> [PublishedRun] {
    let rows = try table("mixinglaws/losses_\(name).csv")
    let head = rows[0]
    return try rows.dropFirst().map { row in
      var run = PublishedRun(
        model: row[0], run: row[1], step: try #require(Int(row[2])), shares: [], losses: [:])
      for (column, value) in zip(head, row) where !value.isEmpty {
        if column.hasPrefix("r_") { run.shares.append(try #require(Double(value))) }
        if column.hasPrefix("loss_") {
          let loss: Double = try #require(Double(value))
          run.losses[String(column.dropFirst(5))] = loss
        }
      }
      return run
    }
  }

  /// Reads a comma-separated file without quotes.
  static func table(_ name: String) throws -> [[String]] {
    let text = String(decoding: try SharedData.bytes(name), as: UTF8.self)
    return text.split(whereSeparator: \.isNewline).map { line in
      line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
  }
}

/// The five groups of the 22 evaluation domains, with the weights of the validation set.
struct EvaluationGroups {
  static let names = ["academic", "prose", "dialogue", "symbolic", "internet"]
  /// The evaluation domains of each group with their weights; all weights sum to 1.
  let members: [String: [(domain: String, weight: Double)]]

  init() throws {
    var members: [String: [(domain: String, weight: Double)]] = [:]
    for row in try PublishedRun.table("mixinglaws/valid_weight.csv").dropFirst() {
      members[row[2], default: []].append((row[0], try #require(Double(row[1]))))
    }
    self.members = members
  }

  /// The weights of the groups, in the order of ``names``.
  var weights: [Double] {
    Self.names.map { (members[$0] ?? []).reduce(0) { $0 + $1.weight } }
  }

  /// The mean losses of the groups; nil if an evaluation is missing.
  func losses(of run: PublishedRun) -> [Double]? {
    var result: [Double] = []
    for name in Self.names {
      var (sum, weight) = (0.0, 0.0)
      for member in members[name] ?? [] {
        guard let loss = run.losses[member.domain] else { return nil }
        sum += member.weight * loss
        weight += member.weight
      }
      result.append(sum / weight)
    }
    return result
  }

  /// The mean losses of the groups of a run that must be there.
  func required(_ run: PublishedRun?) throws -> [Double] {
    let found = try #require(run)
    return try #require(losses(of: found))
  }

  /// The loss over the whole validation set.
  func overall(_ groupLosses: [Double]) -> Double { dot(weights, groupLosses) }
}

func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

func meanAbsoluteError(_ a: [Double], _ b: [Double]) -> Double {
  zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(a.count)
}

/// What each run is predicted to lose by a fit to all the others.
func leaveOneOut(
  _ runs: ObservedRuns, _ fit: (ObservedRuns) throws -> any LossModel
) rethrows -> [Double] {
  try (0..<runs.runCount).map { left in
    let others = (0..<runs.runCount).filter { $0 != left }
    return try fit(runs.selecting(others)).loss(of: runs.mixture(ofRun: left))
  }
}

/// R² of predictions.
func determination(_ observed: [Double], _ predicted: [Double]) -> Double {
  let mean = observed.reduce(0, +) / Double(observed.count)
  let error = zip(observed, predicted).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  return 1 - error / observed.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
}

/// Spearman's rank correlation of values without ties, or with few.
func rankAgreement(_ a: [Double], _ b: [Double]) -> Double {
  func ranks(_ values: [Double]) -> [Double] {
    values.map { value in
      let below = values.count { $0 < value }
      let same = values.count { $0 == value }
      return Double(below) + Double(same - 1) / 2
    }
  }
  let (x, y) = (ranks(a), ranks(b))
  let mean = Double(a.count - 1) / 2
  let (cx, cy) = (x.map { $0 - mean }, y.map { $0 - mean })
  return dot(cx, cy) / (dot(cx, cx) * dot(cy, cy)).squareRoot()
}

/// Checks first and second derivatives of a model against central differences.
func expectDerivatives(
  of model: any ConvexLossModel, at shares: [Double], within tolerance: Double = 1e-7,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let step = 1e-5
  let (gradient, curvature) = (model.gradient(at: shares), model.curvature(at: shares))
  for domain in shares.indices {
    var (above, below) = (shares, shares)
    above[domain] += step
    below[domain] -= step
    let slope = (model.loss(of: above) - model.loss(of: below)) / (2 * step)
    expectClose(
      gradient[domain], slope, within: tolerance * max(1, abs(slope)),
      sourceLocation: sourceLocation)
    let bends = zip(model.gradient(at: above), model.gradient(at: below)).map {
      ($0 - $1) / (2 * step)
    }
    let row = Array(curvature[domain * shares.count..<(domain + 1) * shares.count])
    let size = bends.reduce(1) { max($0, abs($1)) }
    expectClose(row, bends, within: tolerance * size, sourceLocation: sourceLocation)
  }
}
