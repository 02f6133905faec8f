extension Explanation {
  /// Something about a run that its user should think about before it.
  public enum Warning: Sendable, Equatable {
    /// A domain is read more than ``repetitionLimit`` times.
    case repeated(domain: String, epochs: Double)
    /// A domain has a weight, but gives no row.
    case withoutRow(domain: String, weight: Double, rowTotal: Int)
    /// More than ``unusedShareLimit`` of a domain belongs to no sequence.
    case unused(domain: String, share: Double)
    /// The byte budget keeps fewer pools than domains have a weight, so that pools are decoded
    /// again.
    case fewPools(poolLimit: Int, domainCount: Int, neededByteBudget: Int)
    /// A domain's held-out split has no whole sequence, so that no loss can be measured on it.
    case withoutHeldOut(domain: String)
    /// Some shards of a domain carry neither a known hash nor a checksum, so that damage may go
    /// unnoticed.
    case unprotected(domain: String, shardCount: Int, of: Int)
    /// Every domain is exhausted before the run has as many steps as were asked for.
    case dataEnds(afterStep: Int, askedStepCount: Int)
  }
}

extension Explanation.Warning {
  /// More epochs than this of one domain are worth a warning: up to four, repeated text is about as
  /// good as new text.
  ///
  /// Source: Muennighoff et al. 2023, *Scaling Data-Constrained Language Models*
  /// (arXiv:2305.16264).
  public static let repetitionLimit = 4.0

  /// A larger share of a domain than this that is never read is worth a warning.
  public static let unusedShareLimit = 0.05

  static func all(
    domains: [Explanation.Domain], memory: Explanation.Memory, stepCount: Int,
    askedStepCount: Int, sequenceLength: Int, unprotected: [Explanation.Warning]
  ) -> [Explanation.Warning] {
    var warnings: [Explanation.Warning] = []
    if stepCount < askedStepCount {
      warnings.append(.dataEnds(afterStep: stepCount, askedStepCount: askedStepCount))
    }
    let rowTotal = domains.reduce(0) { $0 + $1.rowCount }
    for domain in domains {
      if let epochs = domain.epochs, epochs > repetitionLimit {
        warnings.append(.repeated(domain: domain.name, epochs: epochs))
      }
      if domain.weight > 0, domain.rowCount == 0 {
        warnings.append(
          .withoutRow(domain: domain.name, weight: domain.weight, rowTotal: rowTotal))
      }
      let unusedShare = Double(domain.unusedTokenCount) / Double(max(1, domain.splitTokenCount))
      if unusedShare > unusedShareLimit {
        warnings.append(.unused(domain: domain.name, share: unusedShare))
      }
      if domain.heldOutTokenCount <= sequenceLength {
        warnings.append(.withoutHeldOut(domain: domain.name))
      }
    }
    warnings += unprotected
    let weighted = domains.count { $0.weight > 0 }
    if memory.poolLimit < weighted {
      warnings.append(
        .fewPools(
          poolLimit: memory.poolLimit, domainCount: weighted,
          neededByteBudget: weighted * memory.poolByteCount + memory.batchByteCount))
    }
    return warnings
  }
}

extension Explanation.Warning: CustomStringConvertible {
  /// What is to be thought about, and what can be done.
  public var description: String {
    switch self {
    case .repeated(let domain, let epochs):
      "domain \(domain) is read \(Self.tenths(epochs)) times; beyond 4 epochs repeated text teaches "
        + "little. Give it less weight, or a cap with --epoch-cap \(domain)=4."
    case .withoutRow(let domain, let weight, let rowTotal):
      "the weight of domain \(domain) gives it one row in \(Int(min(1 / weight, 1e18).rounded())), "
        + "but this run has \(rowTotal) rows and draws none. Give it more weight, or the weight 0."
    case .unused(let domain, let share):
      "\(Self.tenths(100 * share)) % of domain \(domain) belongs to no sequence and is never read. A "
        + "shorter sequence length or longer shards waste less."
    case .fewPools(let poolLimit, let domainCount, let neededByteBudget):
      "the byte budget keeps \(poolLimit) pools for \(domainCount) domains with a weight, so pools "
        + "are decoded again and again. \(neededByteBudget) bytes keep one for each."
    case .withoutHeldOut(let domain):
      "domain \(domain) holds out no whole sequence, so no loss can be measured on it. Pack it with "
        + "a larger --held-out, or name held-out shards in the spec."
    case .unprotected(let domain, let shardCount, let total):
      "shards of domain \(domain) without known hash or checksum: \(shardCount) of \(total). "
        + "Damage in them may give wrong tokens unnoticed. Pack the domain's text with "
        + "`headrace pack`, or write its shards again with hashes."
    case .dataEnds(let step, let askedStepCount):
      "every domain reaches its epoch cap: the run ends after step \(step) of \(askedStepCount)."
    }
  }

  /// A number with one digit behind the point.
  private static func tenths(_ number: Double) -> String {
    let tenths = Int((min(number, 1e12) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
