internal import Training

/// Shows on standard error how training goes: one line that is redrawn on a terminal, a line every
/// few seconds elsewhere.
final class TrainDisplay: RunObserver {
  private var statusLine = StatusLine()
  private var domains: [String] = []
  private var stepCount = 0
  private var firstStep = 0
  private var firstTime = ContinuousClock.now
  private var lastTime: ContinuousClock.Instant?
  /// The last steps, at most 100, and what each of them took, for the rate.
  private var recent: [StepMetrics] = []
  private var recentSeconds: [Double] = []
  /// When the last step or evaluation ended, in the run's seconds.
  private var lastEnd: Double?

  private static let recentLimit = 100
  /// The most domains that a line names.
  private static let shownLimit = 8

  func training(beginsAfter step: Int, of stepCount: Int, domains: [String]) {
    self.domains = domains
    self.stepCount = stepCount
    firstStep = step
    firstTime = ContinuousClock.now
  }

  func training(step: StepMetrics) {
    if recent.count == Self.recentLimit {
      recent.removeFirst()
      recentSeconds.removeFirst()
    }
    recent.append(step)
    recentSeconds.append(step.timeInSeconds - (lastEnd ?? step.timeInSeconds))
    lastEnd = step.timeInSeconds
    let now = ContinuousClock.now
    let interval: Duration = statusLine.isTerminal ? .milliseconds(200) : .seconds(5)
    if let lastTime, now - lastTime < interval, step.step < stepCount { return }
    lastTime = now
    statusLine.show(line(of: step, seconds: (now - firstTime) / .seconds(1)))
  }

  func training(evaluation: EvaluationMetrics) {
    lastEnd = evaluation.timeInSeconds
    guard let mean = evaluation.unweightedMean else { return }
    let losses = zip(domains, evaluation.losses).map { name, loss in
      name + " " + (loss.map { NumberText.fixed($0, digits: 3) } ?? "–")
    }
    // The lines of evaluations are few, so that each may name more.
    let limit = 3 * Self.shownLimit
    let parts = losses.count > limit ? losses.prefix(limit) + ["…"] : losses[...]
    statusLine.note(
      "held-out loss after step \(evaluation.step): \(NumberText.fixed(mean, digits: 4)) ("
        + parts.joined(separator: ", ") + ")")
  }

  func training(notice: RunNotice) {
    statusLine.note("\(notice)")
  }

  /// Leaves the line behind.
  func end() { statusLine.end() }

  private func line(of step: StepMetrics, seconds: Double) -> String {
    var line = "step \(step.step)/\(stepCount), loss \(NumberText.fixed(step.loss, digits: 4))"
    let measured = zip(recent, recentSeconds).filter { $0.1 > 0 }
    if !measured.isEmpty {
      let tokens = measured.reduce(0) { $0 + $1.0.tokenCounts.reduce(0, +) }
      let rate = Double(tokens) / measured.reduce(0) { $0 + $1.1 }
      line += ", \(NumberText.grouped(Int(rate))) tokens/s"
    }
    let done = step.step - firstStep
    if done >= 5, step.step < stepCount {
      let left = seconds / Double(done) * Double(stepCount - step.step)
      line += ", \(NumberText.duration(left)) left"
    }
    if let reward = step.meanReward { line += ", reward \(NumberText.signed(reward))" }
    line += "; asks for " + shares(step.askedShares)
    let drawn = step.effectiveShares ?? step.askedShares
    let differs = zip(step.askedShares, drawn).contains { abs($0 - $1) >= 0.0005 }
    return differs ? line + "; draws by " + shares(drawn) : line
  }

  /// The shares of the domains by name; of many domains the largest.
  private func shares(_ shares: [Double]) -> String {
    var shown = Array(domains.indices)
    if shown.count > Self.shownLimit {
      shown.sort { (shares[$1], $0) < (shares[$0], $1) }
      shown = Array(shown.prefix(Self.shownLimit - 2))
    }
    let others = domains.count - shown.count
    return shown.map { "\(domains[$0]) \(NumberText.percent(shares[$0]))" }
      .joined(separator: ", ") + (others > 0 ? " and \(others) others" : "")
  }
}
