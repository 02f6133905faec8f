internal import Mixing
internal import Training

/// What a run was made from, for the end of its page.
extension RunReport {
  var factList: String {
    facts.map { "<dt>\(Markup.escaped($0.0))</dt><dd>\(Markup.escaped($0.1))</dd>" }
      .joined(separator: "\n")
  }

  private var facts: [(String, String)] {
    let configuration = record.configuration
    let (model, schedule) = (configuration.model, configuration.schedule)
    let rate = Double(record.tokenTotal) / max(record.timeInSeconds, 1e-9)
    let end =
      record.end == .allSteps
      ? "all \(ReportNumber.grouped(configuration.stepCount)) steps were made"
      : "the domains were exhausted before all \(configuration.stepCount) steps were made"
    var facts = [("Corpus", "\(record.corpus), \(record.domains.count) domains")]
    facts += mixtureFacts
    facts.append(
      (
        "Model",
        "\(model.layerCount) layers, width \(model.width), \(model.headCount) heads, vocabulary "
          + "\(model.vocabularySize), \(ReportNumber.grouped(record.parameterCount)) parameters"
      ))
    facts += batchFacts
    facts += [
      (
        "Optimizer",
        "AdamW, learning rate \(schedule.learningRateMaximum) to \(schedule.learningRateMinimum), "
          + "\(schedule.warmUpStepCount) warm-up steps"
      ),
      (
        "Evaluation",
        "every \(ReportNumber.grouped(configuration.evaluation.stepInterval)) steps, up to "
          + "\(ReportNumber.grouped(configuration.evaluation.tokenLimit)) tokens of each domain"
      ),
      ("End", end),
      (
        "Time",
        "\(ReportNumber.duration(record.timeInSeconds)), "
          + ReportNumber.grouped(Int(exactly: rate.rounded()) ?? 0)
          + " tokens per second, evaluation included"
      ),
      ("Seed", "\(configuration.seed)"),
      ("Made by", "headrace \(record.toolVersion), \(record.instructionSet) instructions"),
      (
        "Fingerprints",
        record.domains.map { "\($0.name) \($0.fingerprint)" }.joined(separator: ", ")
      ),
    ]
    return facts
  }

  /// The policy and its options, but for a schedule's own text.
  var policyText: String {
    var options = record.configuration.policyOptions
    if schedule != nil { options["json"] = nil }
    return
      ([record.configuration.policy + " policy"]
      + options.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }).joined(separator: ", ")
  }

  /// The stages of a schedule; nil for another policy.
  private var schedule: MixtureSchedule? {
    guard record.configuration.policy == SchedulePolicy.name,
      let text = record.configuration.policyOptions["json"]
    else { return nil }
    return try? MixtureSchedule(json: Array(text.utf8))
  }

  /// What set the mixture, and what changes what it draws.
  private var mixtureFacts: [(String, String)] {
    var facts = [("Mixture", policyText)]
    if let schedule {
      facts.append(
        ("Schedule", schedule.stages.map { stageText($0, of: schedule) }.joined(separator: "; ")))
      facts.append(("Assumption of the schedule", schedule.assumption ?? "none is said"))
      if let source = schedule.source { facts.append(("Source of the schedule", source)) }
    }
    let caps = record.configuration.loader.epochCaps.sorted { $0.key < $1.key }
    if !caps.isEmpty {
      facts.append(
        (
          "Epoch caps",
          caps.map { name, cap in "\(name) \(ReportNumber.trimmed(cap))" }
            .joined(separator: ", ")
        ))
    }
    return facts
  }

  /// A stage in words, such as `to 500 steps, the first 40 as a ramp: code 20.0 %, prose 80.0 %`.
  private func stageText(_ stage: MixtureSchedule.Stage, of schedule: MixtureSchedule) -> String {
    let end =
      stage.until.map { "to \(ReportNumber.grouped($0)) \(schedule.unit.rawValue)" }
      ?? (schedule.stages.count == 1 ? "throughout" : "from there on")
    var ramp = ""
    if let length = stage.ramp, length > 0 {
      let unit = stage.until == nil ? " \(schedule.unit.rawValue)" : ""
      ramp = ", the first \(ReportNumber.grouped(length))\(unit) as a ramp"
    }
    // The largest say most; a stage has a weight for every domain.
    let weights = stage.weights.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let shown = weights.prefix(Self.shownWeightCount).map {
      "\($0.key) \(ReportNumber.percent($0.value))"
    }
    let others = weights.count - shown.count
    return "\(end)\(ramp): " + shown.joined(separator: ", ")
      + (others > 0 ? " and \(others) others" : "")
  }

  /// The weights of a stage that are shown.
  private static let shownWeightCount = 12

  /// The shape of the batches, and what was measured of them.
  private var batchFacts: [(String, String)] {
    let configuration = record.configuration
    let grouping = configuration.loader.grouping.map { ", in \($0.text)" } ?? ""
    var facts = [
      (
        "Batch",
        "\(configuration.rows) sequences of \(configuration.sequenceLength) tokens\(grouping)"
      )
    ]
    if let gradients = configuration.gradients {
      let projected =
        gradients.projectionWidth.map {
          ", their gradients projected to \(ReportNumber.grouped($0)) numbers"
        } ?? ""
      let watched = gradients.watched == "all" ? "all parameters" : gradients.watched
      facts.append(("Watched parameters", watched + projected))
    }
    return facts
  }
}
