internal import Corpora

/// What one step of a run measured: a line of `metrics.jsonl`.
public struct StepMetrics: Sendable, Equatable, Codable {
  /// The step, counted from 1.
  public var step: Int
  /// The mean loss of the step's target tokens before the update, nats per token.
  public var loss: Double
  /// The same by domain; nil means that the domain had no row in the batch.
  public var losses: [Double?]
  /// The learning rate of the update.
  public var learningRate: Double
  /// The norm of the gradient before clipping.
  public var gradientNorm: Double
  /// The step's target tokens by domain.
  public var tokenCounts: [Int]
  /// The target tokens of the run so far, this step's among them.
  public var tokenTotal: Int
  /// The part of the step's rows that came from each domain.
  public var realizedShares: [Double]
  /// The mixture that the policy asked for.
  public var askedShares: [Double]
  /// The shares that the batch was begun by: the asked ones without the domains that were
  /// exhausted; nil in metrics of a version that did not write them.
  public var effectiveShares: [Double]?
  /// What the policy took each domain to be worth after it observed this step, in its own unit; nil
  /// if it knows no such thing.
  public var rewards: [Double]?
  /// The seconds that the run has taken so far, those before a stop among them.
  public var timeInSeconds: Double

  /// Creates the metrics of a step.
  public init(
    step: Int, loss: Double, losses: [Double?], learningRate: Double, gradientNorm: Double,
    tokenCounts: [Int], tokenTotal: Int, realizedShares: [Double], askedShares: [Double],
    effectiveShares: [Double]? = nil, rewards: [Double]? = nil, timeInSeconds: Double
  ) {
    self.step = step
    self.loss = loss
    self.losses = losses
    self.learningRate = learningRate
    self.gradientNorm = gradientNorm
    self.tokenCounts = tokenCounts
    self.tokenTotal = tokenTotal
    self.realizedShares = realizedShares
    self.askedShares = askedShares
    self.effectiveShares = effectiveShares
    self.rewards = rewards
    self.timeInSeconds = timeInSeconds
  }
}

extension StepMetrics {
  /// The mean of the rewards, each domain counting by its effective share; nil without rewards.
  public var meanReward: Double? {
    guard let rewards else { return nil }
    let shares = effectiveShares ?? askedShares
    return zip(rewards, shares).reduce(0) { $0 + $1.0 * $1.1 }
  }
}

/// What an evaluation measured on the held-out split: a line of `metrics.jsonl`, and of the record.
public struct EvaluationMetrics: Sendable, Equatable, Codable {
  /// The last step before the evaluation; 0 before the first.
  public var step: Int
  /// The target tokens that the run had trained on.
  public var tokenTotal: Int
  /// The mean loss by domain, nats per token; nil means that a domain has no held-out sequence.
  public var losses: [Double?]
  /// The mean of the domains' losses, each counting the same; nil if there is none.
  public var unweightedMean: Double?
  /// The mean of the domains' losses, each counting by the tokens of its held-out split.
  public var tokenWeightedMean: Double?
  /// The seconds that the run has taken so far.
  public var timeInSeconds: Double

  /// Creates the metrics of an evaluation; the means are computed.
  ///
  /// - Parameters:
  ///   - step: the last step before it.
  ///   - tokenTotal: the target tokens that the run had trained on.
  ///   - losses: the mean loss by domain.
  ///   - heldOutTokenCounts: the tokens of each domain's held-out split.
  ///   - timeInSeconds: the seconds that the run has taken so far.
  public init(
    step: Int, tokenTotal: Int, losses: [Double?], heldOutTokenCounts: [Int],
    timeInSeconds: Double
  ) {
    self.step = step
    self.tokenTotal = tokenTotal
    self.losses = losses
    self.timeInSeconds = timeInSeconds
    var sum = (plain: 0.0, count: 0, weighted: 0.0, tokens: 0)
    for (loss, tokens) in zip(losses, heldOutTokenCounts) {
      guard let loss else { continue }
      sum.plain += loss
      sum.count += 1
      sum.weighted += loss * Double(tokens)
      sum.tokens += tokens
    }
    unweightedMean = sum.count == 0 ? nil : sum.plain / Double(sum.count)
    tokenWeightedMean = sum.tokens == 0 ? nil : sum.weighted / Double(sum.tokens)
  }
}

/// The metrics of a run, read from `metrics.jsonl`.
///
/// Where a run was carried over to a corpus of other domains there is another header line; the
/// lines before it are read as lines of the last header's domains: those that were added have
/// nothing there, those that were removed are left out.
///
/// The first line names the format, its version, the domains and the units; every other has a
/// `kind`, `step` or `evaluation`, and the fields of ``StepMetrics`` or ``EvaluationMetrics`` in
/// snake_case.
public struct RunMetrics: Sendable, Equatable {
  /// The domains' names, in the order of every array.
  public var domains: [String]
  /// The steps, in order.
  public var steps: [StepMetrics] = []
  /// The evaluations, in order.
  public var evaluations: [EvaluationMetrics] = []

  private static let byteLimit = 1 << 36

  /// Creates metrics without a line.
  public init(domains: [String]) {
    self.domains = domains
  }

  /// Reads the metrics at `path`; a torn last line, without its line feed, is left out.
  ///
  /// - Parameter path: the file.
  /// - Throws: ``RunError/metricsDamaged(path:line:reason:)`` for a line that does not decode or
  ///   that has not one value for every domain, or ``RunError/corpus(_:)`` if the file cannot be
  ///   read.
  public init(at path: String) throws(RunError) {
    let bytes: [UInt8]
    do throws(CorpusError) {
      bytes = try FileReader.contents(of: path, limit: Self.byteLimit)
    } catch {
      throw .corpus(error)
    }
    domains = []
    var number = 0
    var begin = 0
    while let end = bytes[begin...].firstIndex(of: UInt8(ascii: "\n")) {
      number += 1
      do {
        try take(bytes[begin..<end], number: number)
      } catch {
        throw .metricsDamaged(path: path, line: number, reason: RunJSON.reason(error))
      }
      begin = end + 1
    }
    guard number > 0 else {
      throw .metricsDamaged(path: path, line: 1, reason: "there is no header")
    }
  }

  private mutating func take(_ line: ArraySlice<UInt8>, number: Int) throws {
    if number == 1 || line.starts(with: MetricsLine.headerPrefix) {
      let header = try RunJSON.decode(MetricsLine.Header.self, from: line)
      guard header.version == MetricsLine.version else {
        throw LineFault(text: "it has version \(header.version), not \(MetricsLine.version)")
      }
      carryOver(to: header.domains)
      return
    }
    let counts: [Int]
    switch try RunJSON.decode(MetricsLine.self, from: line) {
    case .step(let step):
      counts = [
        step.losses.count, step.tokenCounts.count, step.realizedShares.count,
        step.askedShares.count, step.effectiveShares?.count ?? domains.count,
        step.rewards?.count ?? domains.count,
      ]
      steps.append(step)
    case .evaluation(let evaluation):
      counts = [evaluation.losses.count]
      evaluations.append(evaluation)
    }
    guard counts.allSatisfy({ $0 == domains.count }) else {
      throw LineFault(text: "it has not one value for each of \(domains.count) domains")
    }
  }

  /// Makes the lines so far lines of other domains, by name.
  private mutating func carryOver(to names: [String]) {
    let old = names.map { domains.firstIndex(of: $0) }
    for index in steps.indices {
      let step = steps[index]
      steps[index].losses = old.map { $0.flatMap { step.losses[$0] } }
      steps[index].tokenCounts = old.map { $0.map { step.tokenCounts[$0] } ?? 0 }
      steps[index].realizedShares = old.map { $0.map { step.realizedShares[$0] } ?? 0 }
      steps[index].askedShares = old.map { $0.map { step.askedShares[$0] } ?? 0 }
      steps[index].effectiveShares = step.effectiveShares.map { shares in
        old.map { $0.map { shares[$0] } ?? 0 }
      }
      // A domain that was not there was worth nothing that is known.
      if old.contains(where: { $0 == nil }) { steps[index].rewards = nil }
      steps[index].rewards = steps[index].rewards.map { rewards in
        old.compactMap { $0.map { rewards[$0] } }
      }
    }
    for index in evaluations.indices {
      let losses = evaluations[index].losses
      evaluations[index].losses = old.map { $0.flatMap { losses[$0] } }
    }
    domains = names
  }

  private struct LineFault: Error, CustomStringConvertible {
    var text: String
    var description: String { text }
  }
}

/// A line of the metrics behind the header.
enum MetricsLine: Codable {
  case step(StepMetrics)
  case evaluation(EvaluationMetrics)

  static let version = 1
  /// What a header line begins with, as it has no field before these in the order of the alphabet.
  static let headerPrefix = Array("{\"domains\":".utf8)

  /// The first line, and one wherever the domains change.
  struct Header: Codable {
    var kind = "header"
    var version = MetricsLine.version
    var domains: [String]
    var units = [
      "loss": "nats per token", "losses": "nats per token, by domain",
      "token_counts": "target tokens, by domain", "token_total": "target tokens",
      "realized_shares": "share of the step's rows, by domain",
      "asked_shares": "share, by domain", "effective_shares": "share, by domain",
      "rewards": "the policy's own unit, by domain", "time_in_seconds": "seconds",
    ]
  }

  private enum Kind: String, Codable {
    case step, evaluation
  }

  private enum CodingKeys: String, CodingKey {
    case kind
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    switch try container.decode(Kind.self, forKey: .kind) {
    case .step: self = .step(try StepMetrics(from: decoder))
    case .evaluation: self = .evaluation(try EvaluationMetrics(from: decoder))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .step(let step):
      try container.encode(Kind.step, forKey: .kind)
      try step.encode(to: encoder)
    case .evaluation(let evaluation):
      try container.encode(Kind.evaluation, forKey: .kind)
      try evaluation.encode(to: encoder)
    }
  }
}
