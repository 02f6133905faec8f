public import Corpora
public import Mixing

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// What a ledger says of the run that wrote it, for a run that is to draw the same batches.
///
/// Reading it decodes of every line what a replay will read, so that damage is found before the
/// first step, and keeps none of them.
public struct RecordedRun: Sendable {
  /// What decided the order and the draw; that of the last header.
  public let identity: LoaderIdentity
  /// Whether the run went on over a changed corpus.
  public let hasChangedCorpus: Bool
  /// The least and the most rows of a batch.
  public let rows: ClosedRange<Int>
  /// The damaged frames that were skipped in the first step.
  public let quarantine: Quarantine

  /// Reads a ledger.
  ///
  /// - Parameter path: the file, or the run folder that holds it as `ledger.jsonl`.
  /// - Throws: ``LoadingError/ledgerDamaged(path:line:reason:)`` for a line that does not decode or
  ///   does not follow, or if there is no step; ``LoadingError/corpus(_:)`` if the file cannot be
  ///   read.
  public init(at path: String) throws(LoadingError) {
    let path = Ledger.path(at: path)
    var scan = Scan()
    try Ledger.forEachLine(of: path) { (line, number) throws(LoadingError) in
      do {
        try scan.take(line)
        return false
      } catch {
        throw .ledgerDamaged(path: path, line: number, reason: LedgerFault.reason(error))
      }
    }
    guard let identity = scan.identity, let rows = scan.rows else {
      throw .ledgerDamaged(path: path, line: 1, reason: "there is no whole line of a step")
    }
    self.identity = identity
    self.rows = rows
    hasChangedCorpus = scan.headerCount > 1
    quarantine = scan.quarantine
  }

  /// What is read of a line.
  private struct Step: Decodable {
    let step: Int
    let rows: Int
    let asked: [Int64]
  }

  /// The walk over all lines.
  private struct Scan {
    var identity: LoaderIdentity?
    var headerCount = 0
    var rows: ClosedRange<Int>?
    var quarantine = Quarantine()
    private var lastStep: Int?

    mutating func take(_ line: ArraySlice<UInt8>) throws {
      guard let identity, !line.starts(with: LedgerHeader.prefix) else {
        identity = try Ledger.header(from: Data(line)).identity
        headerCount += 1
        return
      }
      let found = try JSONDecoder().decode(Step.self, from: Data(line))
      let expected = lastStep.map { $0 + 1 } ?? max(1, found.step)
      guard found.step == expected, found.step < Int.max else {
        throw LedgerFault.step(found: found.step, expected: expected)
      }
      guard found.asked.count == identity.domains.count else {
        throw LedgerFault.domainCount(expected: identity.domains.count)
      }
      _ = try Mixture(integerShares: found.asked)
      guard found.rows >= 1 else { throw LedgerFault.rows }
      if lastStep == nil {
        let first = try JSONDecoder().decode(LedgerLine.self, from: Data(line))
        quarantine = first.quarantine ?? Quarantine()
      }
      lastStep = found.step
      rows =
        min(
          rows?.lowerBound ?? found.rows, found.rows)...max(
          rows?.upperBound ?? found.rows, found.rows)
    }
  }

  /// Returns in what a run would draw other batches by the same mixtures.
  ///
  /// - Parameters:
  ///   - other: what decides the order and the draw of that run.
  ///   - rows: its rows in a batch.
  ///   - quarantine: the frames that it skips from its first step on.
  /// - Returns: what differs, in words; empty if nothing does.
  public func differences(
    to other: LoaderIdentity, rows: Int, quarantine: Quarantine
  ) -> [String] {
    var skipped = quarantine
    skipped.filter { $0.split == other.split }
    let names = identity.domains.map(\.name)
    let all = [
      ("order version", identity.orderVersion != other.orderVersion),
      ("order of the domains", names != other.domains.map(\.name)),
      ("data", identity.domains.map(\.fingerprint) != other.domains.map(\.fingerprint)),
      ("corpus, which changed while it ran", hasChangedCorpus),
      ("split", identity.split != other.split),
      ("rows", self.rows != rows...rows),
      ("sequence length", identity.sequenceLength != other.sequenceLength),
      ("seed", identity.seed != other.seed),
      ("units per pool", identity.unitsPerPool != other.unitsPerPool),
      ("draw", identity.draw != other.draw),
      ("grouping", identity.grouping != other.grouping),
      ("epoch caps", identity.domains.map(\.positionLimit) != other.domains.map(\.positionLimit)),
      ("quarantine list", self.quarantine != skipped),
    ]
    return all.filter(\.1).map(\.0)
  }

  /// The epoch caps by which a run with the same sequences has the limits of this one, by domain;
  /// empty if no domain had any.
  public var epochCaps: [String: Double] {
    var caps: [String: Double] = [:]
    for domain in identity.domains {
      guard let limit = domain.positionLimit, domain.sequenceCount > 0 else { continue }
      // A cap is rounded down to whole sequences: half a sequence keeps it off the edge.
      caps[domain.name] = (Double(limit) + 0.5) / Double(domain.sequenceCount)
    }
    return caps
  }
}

extension LoaderIdentity {
  /// What a loader with these settings would have, found out without opening it.
  ///
  /// - Parameters:
  ///   - corpus: The corpus to read.
  ///   - batch: The shape of the batches.
  ///   - seed: The run's seed.
  ///   - options: The loader's other settings.
  /// - Throws: ``LoadingError`` for settings that a loader would refuse.
  public init(
    of corpus: Corpus, batch: BatchConfiguration, seed: UInt64, options: LoaderOptions
  ) throws(LoadingError) {
    self = try LoaderPlan(corpus: corpus, batch: batch, seed: seed, options: options).identity
  }
}

extension PolicyRecipe {
  /// Returns what a policy would read of the feedback, found out without opening a loader.
  ///
  /// - Parameters:
  ///   - corpus: The corpus to read.
  ///   - batch: The shape of the batches.
  ///   - seed: The run's seed.
  ///   - options: The loader's other settings; a run of unknown length is taken for one step.
  /// - Returns: The policy's needs at the beginning of the run.
  /// - Throws: ``LoadingError`` for settings that a loader would refuse, and for what the policy
  ///   refuses.
  public func feedbackNeeds(
    on corpus: Corpus, batch: BatchConfiguration, seed: UInt64, options: LoaderOptions
  ) throws(LoadingError) -> FeedbackNeeds {
    var options = options
    options.stepCount = options.stepCount ?? 1
    let plan = try LoaderPlan(corpus: corpus, batch: batch, seed: seed, options: options)
    do throws(MixingError) {
      return try makePolicy(in: plan.policyContext).feedbackNeeds
    } catch {
      throw .mixing(error)
    }
  }
}
