internal import Fitting

/// What `headrace fit regmix` prints.
struct RegMixReport {
  private let fit: RegMixFit
  private let folder: String

  init(_ fit: RegMixFit, folder: String) {
    self.fit = fit
    self.folder = folder
  }

  /// The tables, the warnings, and where the files are.
  var text: String {
    let runs = NumberText.counted(fit.table.runCount, "run")
    let domains = NumberText.counted(fit.table.domainCount, "domain")
    var parts = ["\(runs), \(domains)"]
    parts += fit.outcomes.indices.map(scores)
    parts += [mixtures, predictions]
    if !fit.warnings.isEmpty {
      parts.append(fit.warnings.map { "warning: " + $0 }.joined(separator: "\n"))
    }
    parts.append(
      "wrote \(folder)/mixture.json; headrace predict \(folder) --mixtures FILE predicts")
    return parts.joined(separator: "\n\n")
  }

  private func scores(ofLoss loss: Int) -> String {
    var table = TextTable(
      names: "held-out predictions of \(fit.targetLosses[loss].name)",
      numbers: ["R2", "error (nats)", "rank correlation"])
    for outcome in fit.outcomes[loss] {
      let score = outcome.score
      let isTaken = outcome.recipe == fit.recipes[loss]
      table.append([
        (isTaken ? "* " : "  ") + score.model, Self.number(score.rSquared),
        Self.number(score.rootMeanSquaredError), Self.number(score.spearman),
      ])
    }
    return table.text
  }

  private var mixtures: String {
    var table = TextTable(
      names: "domain", numbers: ["recommended", "+-"] + fit.candidates.dropFirst().map(\.name))
    for (domain, name) in fit.table.domainNames.enumerated() {
      let shares = fit.candidates.map { Self.number($0.shares[domain]) }
      table.append([name, shares[0], Self.number(fit.search.deviations[domain])] + shares[1...])
    }
    return table.text
  }

  private var predictions: String {
    var table = TextTable(names: "predicted loss", numbers: fit.candidates.map(\.name))
    func row(_ name: String, _ estimate: (RegMixFit.Candidate) -> RegMixFit.Estimate) {
      table.append([name] + fit.candidates.map { Self.text(of: estimate($0)) })
    }
    if fit.targetLosses.count > 1 {
      for (index, loss) in fit.targetLosses.enumerated() { row(loss.name) { $0.losses[index] } }
    }
    row(fit.targetLosses.count > 1 ? "weighted" : fit.targetLosses[0].name) { $0.objective }
    return table.text
  }

  private static func number(_ value: Double?) -> String {
    value.map { NumberText.fixed($0, digits: 4) } ?? "-"
  }

  private static func text(of estimate: RegMixFit.Estimate) -> String {
    let value = number(estimate.value)
    guard let upper = estimate.upper else { return value }
    return value + " +- " + number(upper - estimate.value)
  }
}
