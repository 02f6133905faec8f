// Covers: SchedulePolicy+Options.swift
import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct SchedulePolicyTests {
  private let context = PolicyContext(domainNames: ["code", "prose"], sequenceCounts: [100, 300])

  private func policy(
    _ unit: MixtureSchedule.Unit, _ stages: [MixtureSchedule.Stage]
  ) throws -> SchedulePolicy {
    try SchedulePolicy(MixtureSchedule(unit: unit, stages: stages), in: context)
  }

  private func stage(_ code: Double, until: Int? = nil, ramp: Int? = nil) -> MixtureSchedule.Stage {
    .init(until: until, ramp: ramp, weights: ["code": code, "prose": 1 - code])
  }

  /// The weights of the first domain at some places of the run.
  private func codes(
    _ policy: SchedulePolicy, at places: [UpcomingStep]
  ) throws -> [Double] {
    var policy = policy
    return try places.map {
      try policy.prepare(for: $0)
      return policy.mixture.weights[0]
    }
  }

  @Test func stagesHoldForTheStepsUpToTheirEnd() throws {
    let policy = try policy(.steps, [stage(0.25, until: 3), stage(0.5, until: 5), stage(0.75)])
    #expect(policy.followsSteps)
    #expect(!policy.readsFeedback)
    #expect(policy.mixture.weights[0] == 0.25)
    let steps = (1...7).map { UpcomingStep(step: $0, tokenTotal: 0) }
    #expect(try codes(policy, at: steps) == [0.25, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75])
    // In any order: the mixture is a function of the step.
    #expect(try codes(policy, at: steps.reversed()) == [0.75, 0.75, 0.5, 0.5, 0.25, 0.25, 0.25])
  }

  @Test func stagesOfTokensHoldForTheBatchesThatBeginBeforeTheirEnd() throws {
    let policy = try policy(.tokens, [stage(0.25, until: 1000), stage(0.5)])
    let places = [0, 999, 1000, 1001].map { UpcomingStep(step: 7, tokenTotal: $0) }
    #expect(try codes(policy, at: places) == [0.25, 0.25, 0.5, 0.5])
  }

  @Test func rampsAreLinearFromTheStagesBeginningOn() throws {
    var policy = try policy(.steps, [stage(0.25, until: 2), stage(0.75, ramp: 4)])
    let steps = (1...8).map { UpcomingStep(step: $0, tokenTotal: 0) }
    #expect(
      try codes(policy, at: steps) == [0.25, 0.25, 0.25, 0.375, 0.5, 0.625, 0.75, 0.75])
    try policy.prepare(for: steps[3])
    #expect(policy.reason == "schedule stage 2 of 2, ramp")
    try policy.prepare(for: steps[6])
    #expect(policy.reason == "schedule stage 2 of 2")
  }

  @Test func rampsAreRoundedExactly() throws {
    var generator = TestGenerator(seed: 4)
    for _ in 0..<200 {
      let count = Int.random(in: 1...9, using: &generator)
      func random() throws -> Mixture {
        try Mixture(
          normalizing: (0..<count).map { _ in
            Int.random(in: 0...3, using: &generator) == 0
              ? 0 : Double.random(in: 1e-15...1, using: &generator)
          } + [1])
      }
      let (from, to) = (try random(), try random())
      let length = Int.random(in: 1...(1 << 60), using: &generator)
      let place = Int.random(in: 0..<length, using: &generator)
      let mixture = SchedulePolicy.between(from, to, place: place, of: length)
      for domain in 0...count {
        let (a, b) = (from.integerShares[domain], to.integerShares[domain])
        let found = mixture.integerShares[domain]
        // Within one part of the exact value, between the ends, and 0 where both are.
        let exact = Double(a) + Double(b - a) * (Double(place) / Double(length))
        #expect(abs(Double(found) - exact) <= 1.1 + Double(count))
        #expect((a == 0 && b == 0) == (found == 0))
      }
      #expect(SchedulePolicy.between(from, to, place: 0, of: length) == from)
      #expect(SchedulePolicy.between(from, from, place: place, of: length) == from)
    }
    // (1/3, 2/3) to (2/3, 1/3): the middle is a half, to the last part.
    let third = try Mixture(normalizing: [1, 2])
    let twoThirds = try Mixture(integerShares: third.integerShares.reversed())
    #expect(SchedulePolicy.between(third, twoThirds, place: 1, of: 2) == .uniform(domainCount: 2))
  }

  @Test func aWeightThatGrowsFromNothingIsNeverRoundedAway() throws {
    let from = try Mixture(integerShares: [Mixture.one, 0, 0])
    let to = try Mixture(integerShares: [Mixture.one - 2, 1, 1])
    let mixture = SchedulePolicy.between(from, to, place: 1, of: 1000)
    #expect(mixture.integerShares == [Mixture.one - 2, 1, 1])
  }

  @Test func aRunBehindTheEndIsAnError() throws {
    var policy = try policy(.steps, [stage(0.25, until: 3)])
    try policy.prepare(for: UpcomingStep(step: 3, tokenTotal: 0))
    let text = """
      the schedule ends after 3 steps, and a batch behind 3 is asked for; let its last stage go on \
      for ever (no "until"), or make the run shorter
      """
    expectError(text) { try policy.prepare(for: UpcomingStep(step: 4, tokenTotal: 0)) }
    // It is found before the run where the planned steps are known.
    let planned = PolicyContext(
      domainNames: ["code", "prose"], sequenceCounts: [1, 1], stepCount: 4)
    expectError(text) {
      try SchedulePolicy(
        MixtureSchedule(unit: .steps, stages: [stage(0.25, until: 3)]), in: planned)
    }
    var tokens = try self.policy(.tokens, [stage(0.25, until: 512)])
    expectError(
      """
      the schedule ends after 512 tokens, and a batch behind 600 is asked for; let its last stage \
      go on for ever (no "until"), or make the run shorter
      """
    ) { try tokens.prepare(for: UpcomingStep(step: 2, tokenTotal: 600)) }
  }

  @Test func plannedTokensBehindTheEndAreAnError() throws {
    func makePolicy(steps: Int?, tokensPerStep: Int?) throws {
      let planned = PolicyContext(
        domainNames: ["code", "prose"], sequenceCounts: [1, 1], stepCount: steps,
        stepTokenCount: tokensPerStep)
      _ = try SchedulePolicy(
        MixtureSchedule(unit: .tokens, stages: [stage(0.25, until: 512)]), in: planned)
    }
    // The last of nine steps begins behind 512 tokens, that of eight behind 448.
    expectError(
      """
      the schedule ends after 512 tokens, and a batch behind 512 is asked for; let its last stage \
      go on for ever (no "until"), or make the run shorter
      """
    ) { try makePolicy(steps: 9, tokensPerStep: 64) }
    try makePolicy(steps: 8, tokensPerStep: 64)
    try makePolicy(steps: 9, tokensPerStep: nil)
    try makePolicy(steps: nil, tokensPerStep: 64)
    try makePolicy(steps: 1 << 40, tokensPerStep: 1 << 40)
  }

  @Test func weightsMustBeThoseOfTheCorpus() {
    func refuse(_ weights: [String: Double], _ text: String) {
      expectError("stage 2 of the schedule: " + text) {
        try policy(.steps, [stage(0.5, until: 9), .init(weights: weights)])
      }
    }
    refuse(
      ["code": 0.5, "pros": 0.5], "the corpus has no domain 'pros'; did you mean 'prose'?")
    refuse(
      ["code": 1],
      "no weight is given for domain 'prose'; a domain that shall not be drawn needs weight 0")
    refuse(
      ["code": 0.5, "prose": 0.6],
      "the weights sum to 1.1, not 1 (within 1e-06); divide each by the sum")
  }

  @Test func isAskedForByName() throws {
    let registry = PolicyRegistry.builtIn
    let byHand = try registry.recipe(
      named: "schedule",
      options: [
        "stages": "100:code=0.25,prose=0.75;200+50:code=0.5,prose=0.5;+10:code=1,prose=0",
        "unit": "tokens",
      ])
    let schedule = MixtureSchedule(
      unit: .tokens,
      stages: [
        .init(until: 100, weights: ["code": 0.25, "prose": 0.75]),
        .init(until: 200, ramp: 50, weights: ["code": 0.5, "prose": 0.5]),
        .init(ramp: 10, weights: ["code": 1, "prose": 0]),
      ])
    // The options hold the whole schedule, wherever it was from.
    #expect(byHand.options == ["json": String(decoding: try schedule.json(), as: UTF8.self)])
    #expect(
      try registry.recipe(named: "schedule", options: byHand.options).options == byHand.options)
    let folder = try TemporaryFolder()
    let path = folder.path + "/schedule.json"
    try folder.write(try schedule.json(), to: "schedule.json")
    #expect(
      try registry.recipe(named: "schedule", options: ["file": path]).options == byHand.options)
    #expect(try byHand.makePolicy(in: context) is SchedulePolicy)
  }

  @Test func domainNamesMayHoldAColon() throws {
    let recipe = try PolicyRegistry.builtIn.recipe(
      named: "schedule", options: ["stages": "7:a:b=0.5,c=0.5;a:b=1,c=0"])
    let context = PolicyContext(domainNames: ["a:b", "c"], sequenceCounts: [1, 1])
    var policy = try recipe.makePolicy(in: context)
    try policy.prepare(for: UpcomingStep(step: 8, tokenTotal: 0))
    #expect(policy.mixture.weights == [1, 0])
  }

  @Test func optionsAreChecked() {
    func refuse(_ options: [String: String], _ text: String) {
      expectError(text) { try PolicyRegistry.builtIn.recipe(named: "schedule", options: options) }
    }
    refuse([:], "policy 'schedule' needs the option 'stages' here")
    refuse(
      ["stages": "a=1", "json": "{}"],
      "option 'stages' of policy 'schedule' says nothing with json; leave one of them out")
    refuse(
      ["json": "{}", "unit": "steps"],
      "option 'unit' of policy 'schedule' says nothing with json; leave one of them out")
    refuse(
      ["stages": "a=1", "unit": "epochs"],
      "option 'unit' of policy 'schedule' is 'epochs'; expected: one of steps, tokens")
    for text in ["", "x", "9:a"] {
      refuse(
        ["stages": text],
        """
        option 'stages' of policy 'schedule' is '\(text)'; expected: UNTIL:domain=weight,… or \
        UNTIL+RAMP:domain=weight,…, the last one without UNTIL if it goes on for ever
        """)
    }
    refuse(
      ["stages": "-5:a=1;a=1"],
      "stage 1 of the schedule ends at -5, the stage before it at 0; ends increase, from above 0")
    refuse(
      ["stages": "1+2+3:a=1"],
      """
      option 'stages' of policy 'schedule' is '1+2+3:a=1'; expected: UNTIL:domain=weight,… or \
      UNTIL+RAMP:domain=weight,…, the last one without UNTIL if it goes on for ever
      """)
    refuse(
      ["stages": "9:a=1;5:a=1"],
      """
      stage 2 of the schedule ends at 5, the stage before it at 9; ends increase, from above 0
      """)
  }

  @Test func resumesWithTheMixtureThatItHad() throws {
    let stages = [stage(0.25, until: 2), stage(0.75, ramp: 4)]
    var policy = try policy(.steps, stages)
    try policy.prepare(for: UpcomingStep(step: 5, tokenTotal: 0))
    let saved = try policy.erasedCheckpoint()
    var resumed = try self.policy(.steps, stages)
    try resumed.restore(from: saved)
    #expect(resumed.mixture == policy.mixture)
    #expect(resumed.reason == policy.reason)
    var smaller = try SchedulePolicy(
      MixtureSchedule(unit: .steps, stages: [.init(weights: ["a": 1])]),
      in: PolicyContext(domainNames: ["a"], sequenceCounts: [1]))
    expectError("the mixture is for 2 domains, the run has 1") { try smaller.restore(from: saved) }
  }
}
