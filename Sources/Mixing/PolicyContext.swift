/// What a policy may know about the corpus when it is made: the domains, and how much each holds.
public struct PolicyContext: Sendable, Equatable {
  /// The names of the domains `[domain]`, unique, in the order of every mixture.
  public let domainNames: [String]

  /// How many whole sequences one epoch of each domain has, `[domain]`; 0 for a domain of text that
  /// is tokenized while it is read, of which nobody knows.
  public let sequenceCounts: [Int]

  /// The steps that the run is planned for, at least 1; nil if nobody said.
  public let stepCount: Int?

  /// The target tokens of a step over all ranks, if every batch is as large as the first; nil if
  /// nobody said.
  public let stepTokenCount: Int?

  /// Creates the context of a corpus that was opened with a sequence length.
  ///
  /// - Parameters:
  ///   - domainNames: the names `[domain]`.
  ///   - sequenceCounts: the sequences of one epoch `[domain]`.
  ///   - stepCount: the steps that the run is planned for, at least 1; nil if nobody said.
  ///   - stepTokenCount: the target tokens of a step, at least 1; nil if nobody said.
  /// - Precondition: both have the same length, at least 1; names are unique; counts are ≥ 0. A
  ///   corpus with an empty domain or with two of one name is refused before.
  public init(
    domainNames: [String], sequenceCounts: [Int], stepCount: Int? = nil,
    stepTokenCount: Int? = nil
  ) {
    precondition(!domainNames.isEmpty, "a corpus has at least one domain")
    precondition(
      domainNames.count == sequenceCounts.count,
      "\(domainNames.count) domain names but \(sequenceCounts.count) sequence counts")
    precondition(Set(domainNames).count == domainNames.count, "domain names are unique")
    precondition(sequenceCounts.allSatisfy { $0 >= 0 }, "no domain has less than no sequence")
    self.domainNames = domainNames
    self.sequenceCounts = sequenceCounts
    self.stepCount = stepCount
    self.stepTokenCount = stepTokenCount
  }

  /// The target tokens of the planned steps but the last; nil if nobody said, or if no `Int` holds
  /// them.
  var plannedTokensBeforeLastStep: Int? {
    guard let stepCount, let stepTokenCount else { return nil }
    let (tokens, overflow) = (stepCount - 1).multipliedReportingOverflow(by: stepTokenCount)
    return overflow ? nil : tokens
  }

  /// Returns the sequence counts of all domains.
  ///
  /// - Throws: ``MixingError/unknownSizes(domains:)`` if that of a domain is not known.
  func knownSequenceCounts() throws(MixingError) -> [Int] {
    let unknown = zip(domainNames, sequenceCounts).filter { $0.1 == 0 }.map(\.0)
    guard unknown.isEmpty else { throw .unknownSizes(domains: unknown) }
    return sequenceCounts
  }

  /// Returns the planned steps.
  ///
  /// - Throws: ``MixingError/plannedStepsUnknown(policy:)`` if nobody said.
  func knownStepCount(forPolicy policy: String) throws(MixingError) -> Int {
    guard let stepCount else { throw .plannedStepsUnknown(policy: policy) }
    return stepCount
  }

  /// K, the number of domains.
  public var domainCount: Int { domainNames.count }

  /// Returns the mixture of weights that are given by domain name.
  ///
  /// - Parameter weights: one weight for every domain of the corpus, no other, summing to 1.
  /// - Returns: the mixture in the order of ``domainNames``.
  /// - Throws: ``MixingError/unknownDomain(name:near:)``, ``MixingError/missingDomains(names:)`` or
  ///   ``MixingError/domainWeightRefused(name:value:)``, and what ``Mixture/init(weights:)``
  ///   throws.
  public func mixture(ofWeights weights: [String: Double]) throws(MixingError) -> Mixture {
    let known = Set(domainNames)
    // The least unknown name, so that the error does not depend on the dictionary's order.
    if let name = weights.keys.filter({ !known.contains($0) }).min() {
      throw .unknownDomain(name: name, near: NearNames.of(name, in: domainNames))
    }
    let missing = domainNames.filter { weights[$0] == nil }
    guard missing.isEmpty else { throw .missingDomains(names: missing) }
    for name in domainNames {
      guard let weight = weights[name], !(weight.isFinite && weight >= 0) else { continue }
      throw .domainWeightRefused(name: name, value: weight)
    }
    return try Mixture(weights: domainNames.map { weights[$0] ?? 0 })
  }
}
