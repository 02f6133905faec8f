internal import Training

/// The tables of `headrace bench policies`.
struct PolicyReport: Encodable {
  /// One world.
  struct World: Encodable {
    let scenario: String
    let isBalanced: Bool
    let domainCount: Int
    /// The mean excess loss of the uniform mixture.
    let uniformExcessLoss: Double
  }

  /// One arm's row.
  struct Row: Encodable {
    let arm: String
    /// Final excess loss / uniform's, by world.
    let ratios: [SampleMean]
    /// Mean final excess loss / uniform's mean, by world; nil for differences.
    var ratiosOfMeans: [SampleRatio]?
  }

  /// The paired differences from one arm.
  struct Differences: Encodable {
    let against: String
    let rows: [Row]
  }

  let seedCount: Int
  let worlds: [World]
  let rows: [Row]
  let differences: [Differences]

  init(_ comparison: PolicyComparison, _ result: PolicyComparison.Result, against: [String]) {
    let arms = comparison.arms.map(\.name)
    let ratios = result.ratios
    seedCount = comparison.seeds.count
    worlds = comparison.worlds.indices.map { world in
      let configuration = comparison.worlds[world]
      return World(
        scenario: configuration.scenario.rawValue, isBalanced: configuration.isBalanced,
        domainCount: configuration.domainCount,
        uniformExcessLoss: SampleMean(of: result.uniform[world]).mean)
    }
    rows = arms.indices.map { arm in
      Row(
        arm: arms[arm], ratios: ratios.map { SampleMean(of: $0[arm]) },
        ratiosOfMeans: zip(result.excessLosses, result.uniform).map {
          SampleRatio(of: $0[arm], to: $1)
        })
    }
    differences = against.map { name in
      let base = arms.firstIndex(of: name)
      return Differences(
        against: name,
        rows: arms.indices.filter { $0 != base }.map { arm in
          Row(
            arm: arms[arm],
            ratios: ratios.map { world in
              // The uniform mixture's own ratio is 1 in every world.
              let other = base.map { world[$0] } ?? world[arm].map { _ in 1 }
              return SampleMean(of: zip(world[arm], other).map(-))
            })
        })
    }
  }

  /// The tables as people read them.
  var text: String {
    let headers = worlds.map { ($0.isBalanced ? "balanced " : "gaussian ") + $0.scenario }
    var table = TextTable(names: "final excess loss / uniform", numbers: headers)
    var means = TextTable(names: "mean excess loss / uniform's", numbers: headers)
    for row in rows {
      table.append([row.arm] + row.ratios.map { Self.value($0.mean, $0.standardError) })
      means.append(
        [row.arm] + (row.ratiosOfMeans ?? []).map { Self.value($0.ratio, $0.standardError) })
    }
    var text =
      """
      \(NumberText.counted(seedCount, "seed")), \(worlds.first?.domainCount ?? 0) domains; \
      mean ± standard error


      """
      + table.text + "\n\n" + means.text
    for difference in differences {
      var table = TextTable(names: "difference from \(difference.against)", numbers: headers)
      for row in difference.rows { table.append([row.arm] + row.ratios.map(Self.interval)) }
      text += "\n\n" + table.text
    }
    return text
  }

  private static func value(_ number: Double, _ error: Double?) -> String {
    let value = NumberText.fixed(number, digits: 3)
    return error.map { "\(value) ± \(NumberText.fixed($0, digits: 3))" } ?? value
  }

  private static func interval(_ mean: SampleMean) -> String {
    let value = NumberText.fixed(mean.mean, digits: 3)
    guard let ends = mean.interval else { return value }
    return "\(value) [\(ends.map { NumberText.fixed($0, digits: 3) }.joined(separator: ", "))]"
  }
}
