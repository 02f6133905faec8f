import Foundation
import HeadraceTesting
import Mixing
import Testing

/// Returns a policy over `domainCount` domains of equal size.
func bandit(_ settings: BanditPolicy.Settings, domainCount: Int) throws -> BanditPolicy {
  try BanditPolicy(
    settings,
    in: PolicyContext(
      domainNames: (0..<domainCount).map { "d\($0)" },
      sequenceCounts: [Int](repeating: 100, count: domainCount)))
}

@Suite(.timeLimit(.minutes(5)))
struct BanditPolicyTests {
  private func feedback(_ step: Int, _ losses: [Double?], shares: [Double]? = nil) -> Feedback {
    Feedback(
      step: step, losses: losses, tokenCounts: losses.map { $0 == nil ? 0 : 512 }, shares: shares)
  }

  @Test func explorationFallsFromOneOverK() {
    let table: [(domainCount: Int, rates: [Int: Double])] = [
      (
        22,
        [
          1: 0.045455, 68: 0.045455, 69: 0.045125, 835: 0.012972, 2001: 0.008379,
          41_667: 0.001836, 100_000: 0.001185,
        ]
      ),
      (3, [3: 0.333333, 4: 0.302574, 10: 0.191365, 11: 0.182459, 100: 0.060515]),
      (2, [1: 0.5]), (1, [1: 0, 1000: 0]),
    ]
    for (domainCount, rates) in table {
      for (step, expected) in rates {
        let rate = BanditPolicy.explorationRate(atStep: step, domainCount: domainCount)
        expectNear([rate], [expected])
        #expect(rate * Double(domainCount) <= 1)
      }
    }
  }

  @Test(arguments: BanditPolicy.Form.allCases)
  func theMixtureIsUniformUpToKLogK(form: BanditPolicy.Form) throws {
    // K ln K is 68.003 for K = 22: mixtures up to step 68 are uniform whatever the losses are.
    var policy = try bandit(.init(form: form, initial: .uniform), domainCount: 22)
    let uniform = Mixture.uniform(domainCount: 22)
    for step in 1...68 {
      policy.observe(feedback(step, (0..<22).map { Double($0) }))
      #expect((policy.mixture == uniform) == (step < 68), "step \(step + 1)")
    }
  }

  @Test func thePaperFormsFirstUpdate() throws {
    var policy = try bandit(.init(form: .paper, initial: .uniform), domainCount: 3)
    policy.observe(feedback(10, [2, 3, 4], shares: [1 / 3.0, 1 / 3.0, 1 / 3.0]))
    let estimates = try #require(policy.rewards)
    expectNear(estimates, [3, 4.5, 6])
    expectNear(Simplex.softmax(estimates.map { 0.191365 * $0 }), [0.243427, 0.324363, 0.432210])
    expectNear(policy.mixture.weights, [0.292640, 0.329273, 0.378087])
  }

  @Test func theCodeFormsFirstUpdate() throws {
    var policy = try bandit(.init(initial: .uniform), domainCount: 3)
    policy.observe(feedback(10, [2, 3, 4]))
    expectNear(
      policy.checkpoint.estimates.values.map { exp($0) }, [3.694528, 10.042768, 27.299075])
    expectNear(try #require(policy.rewards), [0.090031, 0.244728, 0.665241])
    expectNear(policy.mixture.weights, [0.223209, 0.293229, 0.483562])

    var without = try bandit(.init(initial: .uniform), domainCount: 3)
    without.observe(feedback(10, [nil, 3, 4]))
    expectNear(without.mixture.weights, [0.182459, 0.304188, 0.513353])
  }

  @Test func constantLossesGiveTheSameSharesAfterAnyNumberOfSteps() throws {
    var policy = try bandit(.init(smoothing: 0.7, initial: .uniform), domainCount: 3)
    for step in 1...200 {
      policy.observe(feedback(step, [2, 3, 4]))
      expectNear(
        try #require(policy.rewards), [0.0900305732, 0.2447284711, 0.6652409558], within: 1e-9)
    }
  }

  @Test func aDomainsEstimateIsThatOfTheStepsInWhichItWasSeen() throws {
    var policy = try bandit(.init(smoothing: 0.7, initial: .uniform), domainCount: 3)
    for step in 1...12 {
      policy.observe(feedback(step, [2, step % 3 == 0 ? 3 : nil, step == 5 ? 4 : nil]))
    }
    // R = exp(L) (1 − a^m) after m sightings.
    let expected = [
      2 + log(1 - pow(0.7, 12.0)), 3 + log(1 - pow(0.7, 4.0)), 4 + log(1 - pow(0.7, 1.0)),
    ]
    expectNear(policy.checkpoint.estimates.values, expected, within: 1e-12)
  }

  @Test func theRepositorysExp3IsExp3WithTheLossScaleTen() throws {
    // Steps 100 to 102 play one domain each. The repository's first inner factor is 1/3, not ε_99,
    // so that the mixture after the first play is worked out beside.
    var policy = try bandit(.init(form: .exp3, initial: .uniform), domainCount: 3)
    policy.observe(feedback(99, [2, nil, nil], shares: [1 / 3.0, 1 / 3.0, 1 / 3.0]))
    expectNear(try #require(policy.rewards), [0.6, 0, 0])
    let second = BanditPolicy.explored(
      [0.6 / 3, 0, 0], floor: BanditPolicy.explorationRate(atStep: 100, domainCount: 3))
    policy.observe(feedback(100, [nil, 3, nil], shares: second))
    policy.observe(feedback(101, [nil, nil, 4]))
    expectNear(try #require(policy.rewards), [0.6, 0.953644, 1.231407])
    expectNear(policy.mixture.weights, [0.327948, 0.333717, 0.338335])
  }

  @Test func exp3CountsADomainByTheTokensThatItGave() throws {
    var policy = try bandit(.init(form: .exp3, lossScale: 4, initial: .uniform), domainCount: 3)
    policy.observe(
      Feedback(
        step: 1, losses: [2, 6, -1], tokenCounts: [100, 300, 0], shares: [0.5, 0.25, 0.25]))
    // ¼ · (2/4) / ½, ¾ · 1 / ¼ with the loss cut at the scale, and 0.
    #expect(policy.rewards == [0.25, 3, 0])
  }

  @Test func thePaperFormTendsToUniformAndTheCodeFormToTheSoftmax() throws {
    func expectLimit(
      _ form: BanditPolicy.Form, _ step: Int, _ expected: [Double], within tolerance: Double = 6e-5
    ) throws {
      var policy = try bandit(.init(form: form, initial: .uniform), domainCount: 4)
      for step in 1..<step { policy.observe(feedback(step, [2, 2.5, 3, 3.5])) }
      expectNear(policy.mixture.weights, expected, within: tolerance)
    }
    // The numbers are fixed points, of four digits, at the ε of the step; the average lags behind
    // it by about a step, in which ε falls by 1/200 here.
    try expectLimit(.paper, 100, [0.2272, 0.2427, 0.2577, 0.2724], within: 1.5e-4)
    try expectLimit(.paper, 1000, [0.2390, 0.2465, 0.2537, 0.2608])
    try expectLimit(.paper, 40_000, [0.2479, 0.2493, 0.2507, 0.2521])
    try expectLimit(.code, 1000, [0.1126, 0.1736, 0.2741, 0.4398])
  }

  @Test(arguments: [BanditPolicy.Form.code, .paper])
  func bothOfItsFormsFavorADomainThatCannotBeLearned(form: BanditPolicy.Form) throws {
    // Four domains whose losses fall to .1 and one that stays at 4.
    var policy = try bandit(.init(form: form, initial: .uniform), domainCount: 5)
    for step in 1...500 {
      let falling = 0.1 + 3 * exp(-Double(step) / 50)
      policy.observe(feedback(step, [falling, falling, falling, falling, 4]))
    }
    #expect(policy.mixture.weights[4] > (form == .code ? 0.7 : 0.25))
  }

  @Test func lossesThatOverflowAnExponentialLeaveEstimatesFinite() throws {
    for losses: [Double] in [[0, 1e-6, 30, 1e4], [1e4, 1e4 - 1, 0, 0], [-1e300, 1e300, 0, 5]] {
      for form in BanditPolicy.Form.allCases {
        var policy = try bandit(.init(form: form, initial: .uniform), domainCount: 4)
        for step in 1...20 { policy.observe(feedback(step, losses)) }
        let estimates = policy.checkpoint.estimates.values
        #expect(estimates.allSatisfy { $0.isFinite })
        // The other forms divide by the share, so that one that is ahead is held back.
        guard form == .code else { continue }
        let largest = losses.firstIndex(of: losses.max() ?? 0) ?? 0
        #expect(policy.mixture.weights[largest] == policy.mixture.weights.max())
      }
    }
  }

  @Test func aShiftOfAllLossesChangesNothingInTheCodeForm() throws {
    var plain = try bandit(.init(initial: .uniform), domainCount: 3)
    var shifted = plain
    for step in 1...50 {
      let losses = (0..<3).map { 3 + Double((step * (7 + 3 * $0)) % 11) / 5 }
      plain.observe(feedback(step, losses))
      shifted.observe(feedback(step, losses.map { $0 + 700 }))
      expectNear(plain.mixture.weights, shifted.mixture.weights, within: 1e-11)
    }
  }

  @Test func aDomainTwiceLeavesTheRatiosOfTheOthers() throws {
    var three = try bandit(.init(initial: .uniform), domainCount: 3)
    var four = try bandit(.init(initial: .uniform), domainCount: 4)
    three.observe(feedback(40, [2, 3, 4]))
    four.observe(feedback(40, [2, 3, 4, 4]))
    let (a, b) = (try #require(three.rewards), try #require(four.rewards))
    expectNear([a[0] / a[1], a[1] / a[2]], [b[0] / b[1], b[1] / b[2]], within: 1e-12)
  }

  @Test func warmUpKeepsTheInitialMixtureAndCollectsEstimates() throws {
    let context = PolicyContext(domainNames: ["a", "b"], sequenceCounts: [300, 100])
    var policy = try BanditPolicy(.init(warmUpStepCount: 3), in: context)
    #expect(policy.mixture.weights == [0.75, 0.25])
    #expect(policy.reason == "odm code, initial natural")
    #expect(policy.rewards == nil)
    for step in 1...2 {
      policy.observe(feedback(step, [1, 2]))
      #expect(policy.mixture.weights == [0.75, 0.25])
      #expect(policy.reason == "odm code, initial natural")
    }
    policy.observe(feedback(3, [nil, nil]))
    #expect(policy.mixture.weights == [0.75, 0.25])
    policy.observe(feedback(4, [1, nil]))
    #expect(policy.reason == "odm code")
    // R is that of the warm-up, e(1 − .5³) and e²(1 − .5²).
    expectNear(policy.checkpoint.estimates.values, [1 + log(0.875), 2 + log(0.75)], within: 1e-12)
    #expect(policy.mixture.weights[1] > 0.5)
  }

  @Test func domainsDrawnByAShareOfZeroKeepTheirEstimate() throws {
    for form in [BanditPolicy.Form.paper, .exp3] {
      var policy = try bandit(.init(form: form, initial: .uniform), domainCount: 2)
      policy.observe(feedback(1, [2, 3], shares: [0, 1]))
      #expect(try #require(policy.rewards)[0] == 0)
      #expect(try #require(policy.rewards)[1] > 0)
    }
  }

  @Test func isAskedForByName() throws {
    let recipe = try PolicyRegistry.builtIn.recipe(
      named: "odm",
      options: ["form": "exp3", "loss-scale": "5", "warm-up": "7", "exponent": "0.5"])
    #expect(
      recipe.options == [
        "form": "exp3", "loss-scale": "5.0", "warm-up": "7", "mixture": "temperature",
        "exponent": "0.5",
      ])
    #expect(
      PolicyRecipe.odm(
        .init(form: .exp3, lossScale: 5, warmUpStepCount: 7, initial: .temperature(0.5))
      ).options == recipe.options)
    func refuse(_ options: [String: String], _ text: String) {
      expectError(text) { try PolicyRegistry.builtIn.recipe(named: "odm", options: options) }
    }
    refuse(
      ["form": "ucb"], "option 'form' of policy 'odm' is 'ucb'; expected: one of code, paper, exp3")
    refuse(
      ["smoothing": "1"],
      "option 'smoothing' of policy 'odm' is '1'; expected: a number in [0, 0.999999]")
    refuse(
      ["form": "exp3", "smoothing": "0.5"],
      "option 'smoothing' of policy 'odm' says nothing with form=exp3; leave one of them out")
    refuse(
      ["loss-scale": "2"],
      "option 'loss-scale' of policy 'odm' says nothing with form=code; leave one of them out"
    )
    refuse(
      ["warm-up": "-1"],
      "option 'warm-up' of policy 'odm' is '-1'; expected: a whole number in [0, 9223372036854775806]"
    )
  }

  @Test func aCheckpointOfOtherSettingsIsRefused() throws {
    let saved = try bandit(.init(), domainCount: 3).erasedCheckpoint()
    var other = try bandit(.init(smoothing: 0.9), domainCount: 3)
    expectError(
      """
      the checkpoint of policy 'odm' was made with smoothing = 0.5, the run has 0.9; resume with \
      the same or start the policy anew
      """
    ) { try other.restore(from: saved) }
    var smaller = try bandit(.init(), domainCount: 2)
    expectError("the mixture is for 3 domains, the run has 2") { try smaller.restore(from: saved) }
  }

  @Test func aCheckpointWithANumberThatIsNoneIsRefused() throws {
    var policy = try bandit(.init(form: .paper), domainCount: 2)
    policy.observe(feedback(1, [2, 3]))
    let good = try policy.erasedCheckpoint()
    for bad in [Double.nan, .infinity, -.infinity] {
      var bytes = good.arrays
      withUnsafeBytes(of: bad.bitPattern.littleEndian) { bytes.replaceSubrange(8..<16, with: $0) }
      let damaged = PolicyCheckpoint(policy: good.policy, fields: good.fields, arrays: bytes)
      expectError(
        "the checkpoint of policy 'odm' cannot be read: it holds a number that no run leads to"
      ) { try policy.restore(from: damaged) }
    }
  }
}
