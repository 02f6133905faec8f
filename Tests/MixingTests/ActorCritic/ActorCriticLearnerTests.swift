import Kernels
import Mixing
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct ActorCriticLearnerTests {
  private let worths = [0.5, -0.3, 1, 0.1, -0.8]

  /// Five domains that their features tell apart, always worth the same.
  private func transition(rewards: [Double], next: Bool = false) -> Transition {
    let features: [Float] = (0..<5).flatMap { domain in
      (0..<7).map { $0 == domain ? 1 : 0 }
    }
    return Transition(
      policyState: features, action: [Double](repeating: 0.2, count: 5), rewards: rewards,
      weights: [Double](repeating: 1, count: 5), nextState: next ? features : [])
  }

  private func learner(
    _ change: (inout ActorCriticConfiguration) -> Void = { _ in }
  ) -> (learner: ActorCriticLearner, configuration: ActorCriticConfiguration) {
    var configuration = ActorCriticConfiguration()
    configuration.state = .paper
    change(&configuration)
    var generator = SeededGenerator(seed: 11)
    let learner = ActorCriticLearner(configuration, domainCount: 5, using: &generator)
    return (learner, configuration)
  }

  private func rows(_ transition: Transition) -> [Double] {
    transition.policyState.map(Double.init)
  }

  @Test func theActorsStepMovesTheActorAndNoCritic() {
    var learner = learner().learner
    let seen = transition(rewards: worths)
    learner.updateCritic([seen], rows: rows(seen))
    let (critic, actor) = (learner.critic, learner.actor)
    let optimizer = learner.criticOptimizer
    learner.updateActor([seen], rows: rows(seen))
    #expect(learner.actor != actor)
    #expect(learner.critic == critic)
    #expect(learner.criticOptimizer == optimizer)
  }

  @Test func theCriticsStepMovesTheCriticAndNoActor() {
    var learner = learner().learner
    let seen = transition(rewards: worths)
    let (critic, actor) = (learner.critic, learner.actor)
    learner.updateCritic([seen], rows: rows(seen))
    #expect(learner.critic != critic)
    #expect(learner.actor == actor)
  }

  @Test(arguments: [0.25, 0.5])
  func theActorFindsTheSoftmaxOfConstantRewards(entropyWorth: Double) {
    var learner = learner {
      $0.entropyWorth = entropyWorth; $0.decay = 0
    }.learner
    let seen = transition(rewards: worths)
    for _ in 0..<4000 { learner.update(with: [seen]) }
    let largest = worths.map { exp($0 / entropyWorth) }
    let sum = largest.reduce(0, +)
    for (domain, choice) in learner.choice(of: seen.policyState).enumerated() {
      // Steps of a constant length keep it moving about the optimum.
      #expect(abs(choice - largest[domain] / sum) < 5e-3, "domain \(domain)")
    }
  }

  @Test func withoutEntropyTheActorGoesToTheBestDomain() {
    var learner = learner {
      $0.entropyWorth = 1e-6; $0.decay = 0; $0.uniformShare = 0.05
    }.learner
    let seen = transition(rewards: worths)
    for _ in 0..<4000 { learner.update(with: [seen]) }
    #expect(learner.choice(of: seen.policyState)[2] > 0.99)
    // 0.95 · 1 + 0.05 / 5 and 0.05 / 5.
    #expect(abs(learner.action(of: seen.policyState)[2] - 0.96) < 0.01)
    #expect(abs(learner.action(of: seen.policyState)[0] - 0.01) < 0.01)
  }

  @Test func equalRewardsGiveTheActorNoGradient() {
    let (learner, _) = learner { $0.entropyWorth = 1e-6 }
    let slopes = learner.ascent(
      scores: [1, -2, 0.5, 0, 3], values: [Double](repeating: 0.7, count: 5),
      transition(rewards: worths))
    // What is left is the entropy's, at most 1e-6 · 5 nats.
    #expect(slopes.allSatisfy { abs($0) < 1e-5 })
  }

  @Test func theActionWeighsTheValuesWhereTheReleasedMeanOfThemSaysNothing() {
    // Rewards are z-scores, and an exact critic's values are these. Their mean is 0 for every
    // action, so its gradient is, too; weighted by the action it is π (q − π · q).
    let values = PublishedNumbers.scores(worths)
    #expect(abs(values.reduce(0, +)) < 1e-9)
    let (learner, _) = learner { $0.entropyWorth = 1e-9 }
    let scores = [0.4, -0.2, 1.1, 0, -0.7]
    let sum = scores.reduce(0) { $0 + exp($1) }
    let choice = scores.map { exp($0) / sum }
    let worth = zip(choice, values).reduce(0) { $0 + $1.0 * $1.1 }
    let slopes = learner.ascent(scores: scores, values: values, transition(rewards: worths))
    for domain in 0..<5 {
      #expect(abs(slopes[domain] - choice[domain] * (values[domain] - worth)) < 1e-7)
    }
    #expect(slopes.contains { abs($0) > 0.05 })
  }

  @Test func theAscentIsThatOfCentralDifferences() {
    let (learner, configuration) = learner { $0.moveCost = 0.4 }
    let scores = [0.4, -0.2, 1.1, 0, -0.7]
    let values = [0.3, 0.9, -0.5, 0.1, 0.2]
    func objective(_ scores: [Double]) -> Double {
      let sum = scores.reduce(0) { $0 + exp($1) }
      return (0..<5).reduce(0) { total, domain in
        let choice = exp(scores[domain]) / sum
        return total + choice * values[domain]
          - configuration.entropyWorth * choice * log(choice)
          - configuration.moveCost * choice * log(choice / 0.2)
      }
    }
    let slopes = learner.ascent(scores: scores, values: values, transition(rewards: worths))
    for domain in 0..<5 {
      var (above, below) = (scores, scores)
      above[domain] += 1e-5
      below[domain] -= 1e-5
      let difference = (objective(above) - objective(below)) / 2e-5
      #expect(abs(difference - slopes[domain]) < 1e-8, "domain \(domain)")
    }
  }

  @Test func theCriticsFixedPointIsTheDiscountedSum() {
    // A reward of 0.1 for ever is worth 0.1 / (1 − 0.95) = 2, which every domain gets.
    var learner = learner {
      $0.discount = 0.95; $0.softUpdateRate = 0.1; $0.decay = 0
    }.learner
    let seen = transition(rewards: [Double](repeating: 0.1, count: 5), next: true)
    for _ in 0..<6000 { learner.update(with: [seen]) }
    for value in learner.values(of: seen.policyState) { #expect(abs(value - 2) < 0.02) }
  }

  @Test func theTargetNetworkFollowsByTau() {
    var learner = learner {
      $0.discount = 0.5; $0.softUpdateRate = 0.25
    }.learner
    let seen = transition(rewards: worths, next: true)
    let before = learner.targetCritic.parameters
    learner.updateCritic([seen], rows: rows(seen))
    for (place, value) in learner.targetCritic.parameters.enumerated() {
      let expected = before[place] + 0.25 * (learner.critic.parameters[place] - before[place])
      #expect(abs(value - expected) < 1e-15)
    }
  }

  @Test func aDomainThatWasNotSeenTeachesTheCriticNothing() {
    let hidden = Transition(
      policyState: transition(rewards: worths).policyState,
      action: [Double](repeating: 0.2, count: 5), rewards: [0.5, 0, 1, 0.1, -0.8],
      weights: [1, 0, 1, 1, 1], nextState: [])
    var learner = learner { $0.decay = 0 }.learner
    for _ in 0..<3000 { learner.update(with: [hidden]) }
    let values = learner.values(of: hidden.policyState)
    #expect(abs(values[0] - 0.5) < 0.01)
    // Nothing pulls it to the 0 that stands in its place; the others' mean parameters do it.
    #expect(abs(values[1]) > 0.02)
  }

  @Test func aRewardThatCountsLessMovesTheCriticLess() {
    // Two transitions disagree about domain 0: the heavier one wins in proportion.
    let features = transition(rewards: worths).policyState
    let made = [(1.0, 1.0), (0.0, 0.25)].map { reward, weight in
      Transition(
        policyState: features, action: [Double](repeating: 0.2, count: 5),
        rewards: [reward, 0, 0, 0, 0], weights: [weight, 1, 1, 1, 1], nextState: [])
    }
    var learner = learner { $0.decay = 0 }.learner
    for _ in 0..<4000 { learner.update(with: made) }
    #expect(abs(learner.values(of: features)[0] - 0.8) < 0.02)
  }

  @Test func withoutCriticTheActorLearnsFromTheRewards() {
    var learner = learner {
      $0.control = .noCritic; $0.decay = 0
    }.learner
    let seen = transition(rewards: worths)
    let critic = learner.critic
    for _ in 0..<4000 { learner.update(with: [seen]) }
    #expect(learner.critic == critic)
    let sum = worths.reduce(0) { $0 + exp($1 / 0.25) }
    #expect(abs(learner.choice(of: seen.policyState)[2] - exp(1 / 0.25) / sum) < 5e-3)
  }

  @Test func withoutActorTheChoiceIsTheSoftmaxOfTheValues() {
    var learner = learner { $0.control = .noActor }.learner
    let seen = transition(rewards: worths)
    let actor = learner.actor
    for _ in 0..<50 { learner.update(with: [seen]) }
    #expect(learner.actor == actor)
    let values = learner.values(of: seen.policyState)
    let sum = values.reduce(0) { $0 + exp($1 / 0.25) }
    for (domain, choice) in learner.choice(of: seen.policyState).enumerated() {
      #expect(abs(choice - exp(values[domain] / 0.25) / sum) < 1e-12)
    }
  }
}
