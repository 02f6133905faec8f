/// The mixtures that a run asked for, step by step.
///
/// A conforming type may hold them or read them when asked; what it returns for a step must always
/// be the same.
public protocol MixtureTrajectory: Sendable {
  /// What the trajectory is called in errors, such as the path of its file.
  var source: String { get }

  /// The recorded steps, without a gap.
  var steps: ClosedRange<Int> { get }

  /// Returns the mixture that was asked for at a step, by domain name.
  ///
  /// - Parameter step: a step in ``steps``.
  /// - Returns: the names of the domains `[domain]` and their shares in the same order.
  /// - Throws: ``MixingError/trajectoryUnreadable(source:underlying:)``.
  func recorded(atStep step: Int) throws(MixingError) -> RecordedMixture
}

/// A mixture and the domains that it was for.
public struct RecordedMixture: Sendable, Equatable {
  /// The names of the domains `[domain]`, unique.
  public let domainNames: [String]
  /// What was asked for.
  public let mixture: Mixture

  /// Creates a record.
  ///
  /// - Parameters:
  ///   - domainNames: the names, unique.
  ///   - mixture: what was asked for, one share per name.
  /// - Precondition: there are as many names as shares.
  public init(domainNames: [String], mixture: Mixture) {
    precondition(
      domainNames.count == mixture.domainCount,
      "\(domainNames.count) names for \(mixture.domainCount) domains")
    self.domainNames = domainNames
    self.mixture = mixture
  }
}

/// A trajectory in memory, in which equal mixtures that follow each other are kept once.
public struct RunLengthTrajectory: MixtureTrajectory {
  /// What the trajectory is called in errors.
  public let source: String
  /// The names of the domains `[domain]`.
  public let domainNames: [String]
  /// The recorded steps.
  public let steps: ClosedRange<Int>
  /// The first step of each run of equal mixtures, rising, and the mixture.
  private let runs: [(first: Int, mixture: Mixture)]

  /// Creates a trajectory.
  ///
  /// - Parameters:
  ///   - source: what it is called in errors.
  ///   - domainNames: the names of the domains, unique.
  ///   - firstStep: the step of the first mixture, ≥ 1.
  ///   - mixtures: the mixtures of the steps from there on.
  /// - Precondition: there is at least one mixture, and each has one share per name.
  public init(
    source: String, domainNames: [String], firstStep: Int = 1, mixtures: some Sequence<Mixture>
  ) {
    precondition(firstStep >= 1, "steps are counted from 1, not from \(firstStep)")
    var runs: [(first: Int, mixture: Mixture)] = []
    var next = firstStep
    for mixture in mixtures {
      precondition(mixture.domainCount == domainNames.count, "a mixture of other domains")
      if runs.last?.mixture != mixture { runs.append((next, mixture)) }
      next += 1
    }
    precondition(next > firstStep, "a trajectory of no step")
    self.source = source
    self.domainNames = domainNames
    self.runs = runs
    steps = firstStep...next - 1
  }

  /// Returns the mixture of a step.
  ///
  /// - Parameter step: a step in ``steps``.
  /// - Returns: the names and the mixture.
  /// - Throws: nothing.
  /// - Complexity: O(log n) in the number of different mixtures.
  public func recorded(atStep step: Int) throws(MixingError) -> RecordedMixture {
    precondition(steps.contains(step), "step \(step) is not one of \(steps)")
    // The last run that begins at the step or before it.
    var (low, high) = (0, runs.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle].first <= step { low = middle } else { high = middle }
    }
    return RecordedMixture(domainNames: domainNames, mixture: runs[low].mixture)
  }
}
