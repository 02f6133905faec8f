internal import Mixing

/// What a fit of proxy runs is asked for.
package struct RegMixSettings: Sendable, Equatable, Codable {
  /// A loss that is to become small.
  package struct TargetLoss: Sendable, Equatable, Codable {
    /// The column's name.
    package let name: String
    /// Its part in the objective, > 0; the parts are divided by their sum.
    package let weight: Double

    /// Creates it.
    package init(name: String, weight: Double = 1) {
      self.name = name
      self.weight = weight
    }
  }

  /// Which form of the shares models see.
  package enum ShareForm: String, Sendable, Codable, CaseIterable {
    /// Divided by their sum, as trainers read them.
    case normalized
    /// As the table has them: what published fits used.
    case written
  }

  /// The losses, at least one.
  package var targetLosses: [TargetLoss]
  /// The model's name, or nil to let cross-validation choose for each loss.
  package var model: String?
  /// Which form of the shares models see.
  package var shareForm = ShareForm.normalized
  /// The folds of the cross-validation, at least 2.
  package var foldCount = 5
  /// Seeds folds, starts, candidates and draws of runs, each by a stream of its own.
  package var seed: UInt64 = 0
  /// How many mixtures are simulated, at least 1.
  package var candidateCount = MixtureSearch().candidateCount
  /// How many of those are averaged, at least 1.
  package var keptCount = MixtureSearch().keptCount
  /// How many rounds of simulation there are, at least 1; 1 is the paper's.
  package var roundCount = MixtureSearch().roundCount
  /// How near to the prior those of the first round are drawn, > 0.
  package var searchStrength = MixtureSearch().strength
  /// λ, the nats of loss that one nat of divergence from the prior counts, ≥ 0.
  package var divergenceStrength = 0.0
  /// The prior by domain, in proportion; nil for the mean of the runs' mixtures.
  package var prior: [String: Double]?
  /// The least shares by domain; 0 where nothing is said.
  package var floors: [String: Double] = [:]
  /// The largest shares by domain; 1 where nothing is said.
  package var caps: [String: Double] = [:]
  /// The tokens that each domain has; a domain that is not named has enough.
  package var availableTokens: [String: Double] = [:]
  /// The tokens of the run that the mixture is for; needed with ``availableTokens``.
  package var plannedTokens: Double?
  /// How often each of a domain's tokens may be read, > 0.
  package var epochLimit = 4.0
  /// How often the models are fitted to other draws of the runs, for intervals; 0 for none.
  package var drawCount = 40

  /// Creates the defaults for some losses.
  package init(targetLosses: [TargetLoss]) { self.targetLosses = targetLosses }

  private enum CodingKeys: String, CodingKey {
    case model, seed, prior, floors, caps
    case targetLosses = "target_losses"
    case shareForm = "share_form"
    case foldCount = "fold_count"
    case candidateCount = "candidate_count"
    case keptCount = "kept_count"
    case roundCount = "round_count"
    case searchStrength = "search_strength"
    case divergenceStrength = "divergence_strength"
    case availableTokens = "available_tokens"
    case plannedTokens = "planned_tokens"
    case epochLimit = "epoch_limit"
    case drawCount = "draw_count"
  }
}

extension RegMixSettings {
  /// Checks what does not need the runs.
  ///
  /// - Throws: ``FittingError/model(_:)`` or ``FittingError/sampling(_:)``.
  package func validate() throws(FittingError) {
    var seen: Set<String> = []
    for loss in targetLosses {
      guard seen.insert(loss.name).inserted, loss.weight > 0, loss.weight.isFinite else {
        throw .model(.targetLossRefused(name: loss.name, weight: loss.weight))
      }
    }
    guard !targetLosses.isEmpty else { throw .model(.targetLossRefused(name: "", weight: 0)) }
    let numbers: [(name: String, value: Double, range: ClosedRange<Double>)] = [
      ("the number of folds", Double(foldCount), 2...1000),
      ("the number of candidates", Double(candidateCount), 1...1e9),
      ("the number of candidates to average", Double(keptCount), 1...Double(candidateCount)),
      ("the number of rounds", Double(roundCount), 1...100),
      ("the strength of the search", searchStrength, 1e-6...1e9),
      ("the strength of the divergence", divergenceStrength, 0...1e9),
      ("the epochs", epochLimit, 1e-9...1e9),
      ("the tokens of the run", plannedTokens ?? 1, 1...1e18),
      ("the draws for intervals", Double(drawCount), 0...1e5),
    ]
    for number in numbers where !number.range.contains(number.value) {
      throw .sampling(
        .settingOutOfRange(
          name: number.name, value: number.value,
          expected: "in \(number.range.lowerBound)…\(number.range.upperBound)"))
    }
    guard availableTokens.isEmpty || plannedTokens != nil else {
      throw .sampling(
        .settingOutOfRange(
          name: "the tokens of the run", value: 0,
          expected: "given together with the domains' tokens"))
    }
  }

  /// Returns the values of domains that are given by name.
  ///
  /// - Parameters:
  ///   - values: by name, of domains that are all known.
  ///   - domainNames: the domains `[domain]`.
  ///   - other: for a domain that is not named.
  ///   - what: for errors.
  /// - Returns: the values `[domain]`.
  /// - Throws: ``FittingError/model(_:)`` for a domain that is not known,
  ///   ``FittingError/sampling(_:)`` for a value below 0.
  static func ordered(
    _ values: [String: Double], domainNames: [String], otherwise other: Double, what: String
  ) throws(FittingError) -> [Double] {
    for name in values.keys.sorted() {
      guard domainNames.contains(name) else {
        throw .model(
          .unknownDomain(
            name: name, near: NearNames.of(name, in: domainNames), known: domainNames))
      }
      let value = values[name] ?? other
      guard value >= 0, value.isFinite else {
        throw .sampling(
          .settingOutOfRange(name: "\(what) of '\(name)'", value: value, expected: "at least 0"))
      }
    }
    return domainNames.map { values[$0] ?? other }
  }

  /// The floors and caps `[domain]`, with those of the tokens that there are.
  func box(domainNames: [String]) throws(FittingError) -> ShareBox {
    let floors = try Self.ordered(
      floors, domainNames: domainNames, otherwise: 0, what: "the floor")
    var caps = try Self.ordered(caps, domainNames: domainNames, otherwise: 1, what: "the cap")
    let available = try Self.ordered(
      availableTokens, domainNames: domainNames, otherwise: -1, what: "the tokens")
    if let plannedTokens {
      for domain in caps.indices where available[domain] >= 0 {
        caps[domain] = min(caps[domain], epochLimit * available[domain] / plannedTokens)
      }
    }
    let box = ShareBox(floors: floors, caps: caps.map { min($0, 1) })
    do throws(SamplingFault) {
      try box.validate(domainNames: domainNames)
    } catch {
      throw .sampling(error)
    }
    return box
  }

  /// p `[domain]`, every one above 0 and summing to 1.
  func prior(of table: RunTable) throws(FittingError) -> [Double] {
    var shares = [Double](repeating: 0, count: table.domainCount)
    if let prior {
      shares = try Self.ordered(
        prior, domainNames: table.domainNames, otherwise: 0, what: "the prior")
      for (name, share) in zip(table.domainNames, shares) where share <= 0 {
        throw .sampling(
          .settingOutOfRange(
            name: "the prior of '\(name)'", value: share,
            expected: "above 0; a domain without it is never drawn"))
      }
    } else {
      for row in table.shares {
        for domain in shares.indices { shares[domain] += row[domain] }
      }
      // A domain that no run drew from gets the share that half a draw in all runs would be.
      let least = 0.5 / Double(max(1, table.runCount))
      shares = shares.map { max($0, least) }
    }
    let sum = shares.reduce(0, +)
    return shares.map { $0 / sum }
  }
}
