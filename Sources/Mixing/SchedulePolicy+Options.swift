extension SchedulePolicy {
  /// What the registry knows.
  static let entry = PolicyRegistry.Entry(
    name: name, summary: "Mixtures in stages of steps or tokens, from a file or by hand.",
    options: [
      "file": "the path of a schedule, JSON of the format headrace-schedule",
      "json": "the text of such a file",
      "stages": "by hand: UNTIL:domain=weight,…;UNTIL+RAMP:domain=weight,…;domain=weight,…",
      "unit": "with stages: steps (default) or tokens",
    ]
  ) { values throws(MixingError) in
    let options = PolicyOptions(values, ofPolicy: name)
    let given = ["file", "json", "stages"].filter { values[$0] != nil }
    for other in given.dropFirst() { try options.refuse(other, with: given[0]) }
    if given.first != "stages" { try options.refuse("unit", with: given.first ?? "no stages") }
    switch given.first {
    case "file"?: return try .schedule(MixtureSchedule(atPath: try options.required("file")))
    case "json"?:
      return try .schedule(MixtureSchedule(json: Array(try options.required("json").utf8)))
    default:
      return try .schedule(MixtureSchedule(byHand: options))
    }
  }
}

extension MixtureSchedule {
  /// Reads stages as a command line gives them.
  init(byHand options: PolicyOptions) throws(MixingError) {
    let text = try options.required("stages")
    var stages: [Stage] = []
    for part in text.split(separator: ";", omittingEmptySubsequences: false) {
      guard let stage = try Stage(byHand: part, ofPolicy: options.policy) else {
        throw .malformedOption(
          policy: options.policy, option: "stages", value: String(part),
          expected: "UNTIL:domain=weight,… or UNTIL+RAMP:domain=weight,…, the last one without "
            + "UNTIL if it goes on for ever")
      }
      stages.append(stage)
    }
    self.init(unit: try options.choice("unit", default: Unit.steps), stages: stages)
    try validate()
  }
}

extension MixtureSchedule.Stage {
  /// Reads `UNTIL+RAMP:domain=weight,…`; nil if it is none.
  ///
  /// Digits and signs before the first colon are the end; domain names may hold a colon otherwise.
  fileprivate init?(byHand text: Substring, ofPolicy policy: String) throws(MixingError) {
    var (until, ramp): (Int?, Int?) = (nil, nil)
    var list = text
    if let colon = text.firstIndex(of: ":"),
      text[..<colon].allSatisfy({ "+-0123456789".contains($0) })
    {
      let numbers = text[..<colon].split(separator: "+", omittingEmptySubsequences: false)
      // The last stage has no end, but may have a ramp: "+RAMP:…".
      guard (1...2).contains(numbers.count) else { return nil }
      if !(numbers.count == 2 && numbers[0].isEmpty) {
        guard let number = Int(numbers[0]) else { return nil }
        until = number
      }
      if numbers.count == 2 {
        guard let number = Int(numbers[1]) else { return nil }
        ramp = number
      }
      list = text[text.index(after: colon)...]
    }
    let mixture: StaticMixture
    do throws(MixingError) {
      mixture = try StaticMixture(options: ["weights": String(list)], ofPolicy: policy)
    } catch {
      if case .malformedOption = error { return nil }
      throw error
    }
    guard case .weights(let weights) = mixture else { return nil }
    self.init(until: until, ramp: ramp, weights: weights)
  }
}

extension PolicyRecipe {
  /// Returns the recipe of a schedule.
  ///
  /// - Parameter schedule: the stages, such as `try MixtureSchedule(atPath:)`.
  /// - Returns: a recipe for a ``SchedulePolicy``, whose options hold the whole schedule.
  /// - Throws: ``MixingError/scheduleMalformed(underlying:)`` for a weight that is no number.
  public static func schedule(_ schedule: MixtureSchedule) throws(MixingError) -> PolicyRecipe {
    PolicyRecipe(
      name: SchedulePolicy.name,
      options: ["json": String(decoding: try schedule.json(), as: UTF8.self)]
    ) { context throws(MixingError) in
      try SchedulePolicy(schedule, in: context)
    }
  }
}
