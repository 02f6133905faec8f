import HeadraceTesting
import Mixing
import Testing

/// How much less than the best arm a bandit earns, with Bernoulli rewards.
///
/// Each step plays one arm by chance, with the probabilities of the mixture, and the loss of its
/// domain is the reward, 0 or 1.
@Suite(.timeLimit(.minutes(5)))
struct BanditRegretTests {
  private struct Outcome {
    /// The mean over seeds and steps of what the best arm pays more on average than the one played.
    let regret: Double
    /// How often the best arm, the first, was played.
    let bestShare: Double
  }

  private func play(
    _ settings: BanditPolicy.Settings, arms: [Double], steps: Int, seeds: Int = 20
  ) throws -> Outcome {
    let best = arms.max() ?? 0
    var (regret, bestCount) = (0.0, 0)
    for seed in 0..<seeds {
      var generator = TestGenerator(seed: UInt64(1000 + seed))
      var policy = try bandit(settings, domainCount: arms.count)
      var losses = [Double?](repeating: nil, count: arms.count)
      var tokenCounts = [Int](repeating: 0, count: arms.count)
      for step in 1...steps {
        var point = Int64.random(in: 0..<Mixture.one, using: &generator)
        let arm = policy.mixture.integerShares.firstIndex {
          point -= $0
          return point < 0
        }
        let played = try #require(arm)
        let isPaid = Double.random(in: 0..<1, using: &generator) < arms[played]
        losses[played] = isPaid ? 1 : 0
        tokenCounts[played] = 1
        policy.observe(Feedback(step: step, losses: losses, tokenCounts: tokenCounts))
        losses[played] = nil
        tokenCounts[played] = 0
        regret += best - arms[played]
        bestCount += played == 0 ? 1 : 0
      }
    }
    let plays = Double(seeds * steps)
    return Outcome(regret: regret / plays, bestShare: Double(bestCount) / plays)
  }

  // 2 sqrt(K ln K / T), per step.
  private let twoArms = [0.9, 0.1]
  private let fiveArms = [0.8, 0.5, 0.5, 0.5, 0.5]

  @Test func cumulativeExp3IsUnderItsBoundAndItsRegretFalls() throws {
    let settings = BanditPolicy.Settings(form: .exp3, lossScale: 1, initial: .uniform)
    let short = try play(settings, arms: twoArms, steps: 1000)
    let long = try play(settings, arms: twoArms, steps: 10_000)
    #expect(short.regret < 0.0745)
    #expect(long.regret < 0.0235)
    #expect((3.0...5.0).contains(short.regret / long.regret), "\(short.regret) \(long.regret)")
    #expect(abs(short.bestShare - 0.956) < 0.015, "\(short.bestShare)")
    #expect(abs(long.bestShare - 0.988) < 0.005, "\(long.bestShare)")
    let five = try play(settings, arms: fiveArms, steps: 10_000)
    #expect(five.regret < 0.0567)
    #expect(abs(five.bestShare - 0.929) < 0.02, "\(five.bestShare)")
  }

  @Test func rewardsOfATenthLearnMoreSlowly() throws {
    let settings = BanditPolicy.Settings(form: .exp3, lossScale: 10, initial: .uniform)
    let short = try play(settings, arms: twoArms, steps: 1000)
    let long = try play(settings, arms: twoArms, steps: 10_000)
    #expect(abs(short.regret - 0.232) < 0.02, "\(short.regret)")
    #expect(abs(long.regret - 0.063) < 0.01, "\(long.regret)")
    let five = try play(settings, arms: fiveArms, steps: 10_000)
    #expect(abs(five.regret - 0.172) < 0.01, "\(five.regret)")
    #expect(abs(five.bestShare - 0.427) < 0.03, "\(five.bestShare)")
  }

  @Test(arguments: [BanditPolicy.Form.paper, .code])
  func theRegretOfOdmDoesNotFall(form: BanditPolicy.Form) throws {
    let settings = BanditPolicy.Settings(form: form, initial: .uniform)
    let short = try play(settings, arms: twoArms, steps: 1000)
    let long = try play(settings, arms: twoArms, steps: 10_000)
    #expect((0.9...1.1).contains(long.regret / short.regret), "\(short.regret) \(long.regret)")
    // The expected regret of Exp3 at this length is under .01.
    #expect(long.regret > 0.2)
    let five = try play(settings, arms: fiveArms, steps: 10_000)
    let (regret, bestShare) = form == .paper ? (0.239, 0.202) : (0.226, 0.247)
    #expect(abs(five.regret - regret) < 0.005, "\(five.regret)")
    #expect(abs(five.bestShare - bestShare) < 0.02, "\(five.bestShare)")
  }
}
