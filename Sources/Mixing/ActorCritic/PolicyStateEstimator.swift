#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension Double {
  /// ln of the number, which is taken to be at least 1e-300.
  var naturalLog: Double { log(max(self, 1e-300)) }

  /// The number, or the nearer end of [−bound, bound].
  func clamped(to bound: Double) -> Double { Swift.min(Swift.max(self, -bound), bound) }
}

/// Turns feedback into the features that the networks of ``ActorCriticPolicy`` read, and into
/// rewards.
///
/// Features of domain i, in this order; s is the usual size of an alignment, a smoothed
/// mean_i |W_i|, so that no feature depends on the unit of the gradients:
///
/// | feature | range | full | gram | paper |
/// | --- | --- | --- | --- | --- |
/// | W_i / s of the smoothed gradients | [−3, 3] | • | | |
/// | fast average of the Gram row / s | [−3, 3] | • | • | |
/// | slow average of the Gram row / s | [−3, 3] | • | • | |
/// | its own part / s | [−3, 3] | • | • | |
/// | its own part / H_ii with its noise | [−1, 1] | • | • | |
/// | slow average / 2 its standard error | [−2, 2] | • | • | |
/// | ln of the mean standard error / s | [−3, 3] | • | • | |
/// | ln loss − its mean over the domains | [−3, 3] | • | • | • |
/// | ln (fast / slow average of the loss) | [−2, 2] | • | • | • |
/// | ln (slow average / first loss) / 3 | [−2, 2] | • | • | • |
/// | ln (K · share of the tokens) | [−3, 3] | • | • | • |
/// | step / planned steps | [0, 1] | • | • | • |
/// | ln (‖θ‖ / the first) / 3 | [−3, 3] | • | • | • |
/// | ln (‖update‖ / ‖θ‖) / 3 | [−3, 3] | • | • | • |
///
/// Rewards are w_i = (the alignment that the configuration names)_i / s, in [−5, 5].
struct PolicyStateEstimator: Sendable {
  private static let rewardBound = 5.0
  private static let scaleDecay = 0.9
  private static let varianceDecay = 0.95
  /// By how much a step's mean |W| may be above the usual one to count in full.
  private static let scaleOutlierFactor = 10.0

  private let configuration: ActorCriticConfiguration
  private let stepCount: Int
  private(set) var memory: Memory

  /// Everything that is remembered of past feedback.
  struct Memory: Sendable, Equatable, Codable {
    var losses: LossMemory
    /// nil where no Gram matrix is read.
    var gram: GramMemory?
    /// s; nil until an alignment was seen.
    var scale: Double?
    /// The rewards' averages.
    var rewardMean: RunningAverage
    /// The averages of the rewards' squared distances from those.
    var rewardVariance: RunningAverage
    /// ‖θ‖ of the first feedback.
    var firstNorm: Double?
  }

  /// What one step's feedback says.
  struct Observation {
    /// `[domain, feature]`.
    var features: [Float]
    /// w `[domain]`, 0 where the domain was not seen.
    var rewards: [Double]
    /// How much each reward counts `[domain]`; 0 where the domain was not seen.
    var weights: [Double]
  }

  init(_ configuration: ActorCriticConfiguration, domainCount: Int, stepCount: Int) {
    self.configuration = configuration
    self.stepCount = stepCount
    memory = Memory(
      losses: LossMemory(domainCount: domainCount),
      gram: configuration.feedbackNeeds.gram ? GramMemory(domainCount: domainCount) : nil,
      rewardMean: RunningAverage(placeCount: domainCount),
      rewardVariance: RunningAverage(placeCount: domainCount))
  }

  /// Goes on from what was remembered.
  mutating func restore(_ memory: Memory) { self.memory = memory }

  /// F, the features of a domain.
  static func featureCount(of state: ActorCriticConfiguration.StateForm) -> Int {
    switch state {
    case .full: 14
    case .gram: 13
    case .paper: 7
    }
  }

  /// Takes in a step's feedback.
  ///
  /// - Returns: what it says; nil if a number overflows, and nothing is remembered then.
  mutating func observe(_ feedback: Feedback) -> Observation? {
    let before = memory
    let report = feedback.gradients ?? GradientReport()
    let isSeen = feedback.losses.indices.map { domain in
      feedback.losses[domain] != nil && feedback.tokenCounts[domain] > 0
        && (report.microBatchCounts?[domain] ?? 1) > 0
    }
    memory.losses.add(feedback)
    let rows = addGram(report, isSeen: isSeen)
    updateScale(report, isSeen: isSeen)
    let rewards = rewards(report, rows, isSeen: isSeen)
    let observation = Observation(
      features: features(feedback, report, isSeen: isSeen), rewards: rewards,
      weights: weights(rewards, isSeen: isSeen))
    let isFinite =
      memory.losses.isFinite && memory.gram?.isFinite ?? true && memory.scale?.isFinite ?? true
      && observation.features.allSatisfy(\.isFinite)
      && observation.rewards.allSatisfy(\.isFinite)
    guard isFinite else {
      memory = before
      return nil
    }
    return observation
  }

  /// Takes in the Gram matrix, where it is read.
  private mutating func addGram(_ report: GradientReport, isSeen: [Bool]) -> GramMemory.Rows? {
    guard memory.gram != nil else { return nil }
    guard let step = DomainGram(report, domainCount: isSeen.count) else {
      preconditionFailure("feedback without the Gram matrix that feedbackNeeds names")
    }
    return memory.gram?.add(step, isSeen: isSeen, scale: memory.scale)
  }

  /// Follows the usual size of an alignment.
  private mutating func updateScale(_ report: GradientReport, isSeen: [Bool]) {
    guard report.alignments != nil || memory.gram != nil else { return }
    var sum = 0.0
    for domain in isSeen.indices { sum += abs(alignment(report, domain)) }
    let size = sum / Double(isSeen.count)
    guard size > 0 else { return }
    guard let scale = memory.scale else {
      memory.scale = size
      return
    }
    let bounded = min(size, Self.scaleOutlierFactor * scale)
    memory.scale = max(
      Self.scaleDecay * scale + (1 - Self.scaleDecay) * bounded, .leastNormalMagnitude)
  }

  /// The best estimate of W_i that the configuration has.
  private func alignment(_ report: GradientReport, _ domain: Int) -> Double {
    if configuration.feedbackNeeds.smoothing != nil, let alignments = report.alignments {
      return alignments[domain]
    }
    return memory.gram?.slowRow(domain) ?? 0
  }

  private func scaled(_ value: Double) -> Double {
    guard let scale = memory.scale else { return 0 }
    return value / scale
  }

  private func rewards(
    _ report: GradientReport, _ rows: GramMemory.Rows?, isSeen: [Bool]
  ) -> [Double] {
    isSeen.indices.map { domain in
      guard isSeen[domain] else { return 0 }
      let value: Double =
        switch configuration.rewardForm {
        case .lagged: report.laggedAlignments?[domain] ?? 0
        case .row(let selfTerm): rows?.sum(domain, selfTerm) ?? 0
        }
      return scaled(value).clamped(to: Self.rewardBound)
    }
  }

  /// How much the step's rewards count by how noisy they were lately.
  private mutating func weights(_ rewards: [Double], isSeen: [Bool]) -> [Double] {
    rewards.indices.map { domain in
      guard isSeen[domain] else { return 0 }
      memory.rewardMean.add(rewards[domain], at: domain, decay: Self.varianceDecay)
      let distance = rewards[domain] - memory.rewardMean[domain]
      memory.rewardVariance.add(
        distance * distance, at: domain, decay: Self.varianceDecay)
      return 1 / (1 + memory.rewardVariance[domain] / configuration.noiseVariance)
    }
  }

  private mutating func features(
    _ feedback: Feedback, _ report: GradientReport, isSeen: [Bool]
  ) -> [Float] {
    let common = commonFeatures(feedback)
    let logs = memory.losses.centeredLogs
    let domainCount = isSeen.count
    let meanError = memory.gram.map { gram in
      (0..<domainCount).reduce(0) { $0 + gram.slowRowError($1) } / Double(domainCount)
    }
    var features: [Float] = []
    features.reserveCapacity(domainCount * Self.featureCount(of: configuration.state))
    for domain in 0..<domainCount {
      if configuration.state == .full {
        features.append(Float(scaled(alignment(report, domain)).clamped(to: 3)))
      }
      if configuration.state != .paper, let gram = memory.gram {
        append(gram, domain, to: &features)
        features.append(Float(scaled(meanError ?? 0).naturalLog.clamped(to: 3)))
      }
      let losses = memory.losses
      features.append(Float(logs[domain].clamped(to: 3)))
      features.append(Float(losses.change(domain).clamped(to: 2)))
      features.append(Float((losses.drop(domain) / 3).clamped(to: 2)))
      features.append(
        Float((Double(domainCount) * losses.share(domain)).naturalLog.clamped(to: 3)))
      features += common
    }
    return features
  }

  private func append(_ gram: GramMemory, _ domain: Int, to features: inout [Float]) {
    let own = gram.ownPart(domain)
    let raw = gram.rawOwnPart(domain)
    let error = gram.slowRowError(domain)
    features.append(Float(scaled(gram.fastRow(domain)).clamped(to: 3)))
    features.append(Float(scaled(gram.slowRow(domain)).clamped(to: 3)))
    features.append(Float(scaled(own).clamped(to: 3)))
    features.append(raw > 0 ? Float((own / raw).clamped(to: 1)) : 0)
    features.append(error > 0 ? Float((gram.slowRow(domain) / error).clamped(to: 4) / 2) : 0)
  }

  /// Time and norms, the same for all domains.
  private mutating func commonFeatures(_ feedback: Feedback) -> [Float] {
    let norm = Self.norm(feedback.parameterNorms ?? [])
    let update = Self.norm(feedback.updateNorms ?? [])
    let first = memory.firstNorm ?? norm
    memory.firstNorm = first
    let growth = norm.naturalLog - first.naturalLog
    return [
      Float(min(Double(feedback.step) / Double(stepCount), 1)),
      Float((growth / 3).clamped(to: 3)),
      Float(((update.naturalLog - norm.naturalLog) / 3).clamped(to: 3)),
    ]
  }

  /// The norm of all layers together.
  private static func norm(_ norms: [Double]) -> Double {
    let largest = norms.max() ?? 0
    guard largest > 0 else { return 0 }
    let squares = norms.reduce(0) { $0 + ($1 / largest) * ($1 / largest) }
    return largest * squares.squareRoot()
  }
}

extension PolicyStateEstimator.Memory {
  /// Checks that the memory is that of so many domains.
  ///
  /// - Throws: ``MixingError/checkpointOfOtherShape(policy:array:expected:found:)``.
  func check(domainCount: Int, hasGram: Bool, ofPolicy policy: String) throws(MixingError) {
    for count in losses.arrayCounts where count != domainCount {
      throw .checkpointOfOtherShape(
        policy: policy, array: "losses", expected: domainCount, found: count)
    }
    for count in rewardMean.arrayCounts + rewardVariance.arrayCounts where count != domainCount {
      throw .checkpointOfOtherShape(
        policy: policy, array: "reward averages", expected: domainCount, found: count)
    }
    if let scale, !(scale > 0 && scale.isFinite) {
      throw .feedbackNotFinite(field: .alignments, index: 0, value: scale)
    }
    let expected = hasGram ? domainCount : 0
    for count in gram?.arrayCounts ?? [0] where count != expected {
      throw .checkpointOfOtherShape(
        policy: policy, array: "Gram rows", expected: expected, found: count)
    }
  }
}
