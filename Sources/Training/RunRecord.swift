internal import Corpora

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// What a finished run left behind: `record.json` of its folder, from which reports are made.
///
/// Losses are in nats per token, lower is better; shares are parts of 1; tokens are target tokens,
/// of which a sequence has T. Everything but the times is a function of configuration, corpus and
/// instruction set.
public struct RunRecord: Sendable, Equatable, Codable {
  /// `headrace-run-record`.
  public var format = RunRecord.format
  /// The format's version, 1.
  public var version = RunRecord.version
  /// The version of the tool that ended the run.
  public var toolVersion: String
  /// What the numbers are bit-exact for, such as `avx2`.
  public var instructionSet: String
  /// The corpus's name.
  public var corpus: String
  /// The configuration, fully resolved; its seed is the run's only one.
  public var configuration: RunConfiguration
  /// The number of the model's parameters.
  public var parameterCount: Int
  /// The XXH64 of the trainer's last checkpoint, 16 hexadecimal digits.
  public var trainerChecksum: String
  /// Why the run ended.
  public var end: End
  /// The steps that were made.
  public var stepCount: Int
  /// The tokens that the run trained on.
  public var tokenTotal: Int
  /// The seconds that the run took, all its parts together.
  public var timeInSeconds: Double
  /// The domains, in the order of every array.
  public var domains: [Domain]
  /// The evaluations, in order; the first before the first step, the last after the last.
  public var evaluations: [EvaluationMetrics]
  /// What the numbers of this file mean.
  public var units: [String: Unit] = RunRecord.units

  static let format = "headrace-run-record"
  static let version = 1

  /// Why a run ended.
  public enum End: String, Sendable, Codable {
    /// All its steps were made.
    case allSteps = "all_steps"
    /// Epoch caps left too few domains to fill a batch.
    case domainsExhausted = "domains_exhausted"
  }

  /// A metric's unit and direction.
  public struct Unit: Sendable, Equatable, Codable {
    /// The unit in words.
    public var unit: String
    /// Whether more is better; nil where neither is.
    public var isHigherBetter: Bool?
  }

  /// What came of one domain.
  public struct Domain: Sendable, Equatable, Codable {
    /// The domain's name.
    public var name: String
    /// What identifies its data.
    public var fingerprint: String
    /// The mean over the steps of the share that the policy asked for.
    public var askedShare: Double
    /// The part of all rows that came from the domain.
    public var realizedShare: Double
    /// The tokens that the run trained on.
    public var tokenCount: Int
    /// How often the domain was read: rows over the sequences of one epoch; nil for text that is
    /// not packed, of which nobody knows how much there is.
    public var epochs: Double?
    /// The held-out loss after the last step; nil without held-out text.
    public var loss: Double?
    /// The lowest held-out loss of all evaluations.
    public var bestLoss: Double?

    /// Creates a domain's part of a record.
    public init(
      name: String, fingerprint: String, askedShare: Double, realizedShare: Double,
      tokenCount: Int, epochs: Double?, loss: Double?, bestLoss: Double?
    ) {
      self.name = name
      self.fingerprint = fingerprint
      self.askedShare = askedShare
      self.realizedShare = realizedShare
      self.tokenCount = tokenCount
      self.epochs = epochs
      self.loss = loss
      self.bestLoss = bestLoss
    }

    /// e to the power of the loss.
    public var perplexity: Double? { loss.map { exp($0) } }
  }

  /// Creates a record.
  public init(
    toolVersion: String, instructionSet: String, corpus: String, configuration: RunConfiguration,
    parameterCount: Int, trainerChecksum: String, end: End, stepCount: Int, tokenTotal: Int,
    timeInSeconds: Double, domains: [Domain], evaluations: [EvaluationMetrics]
  ) {
    self.toolVersion = toolVersion
    self.instructionSet = instructionSet
    self.corpus = corpus
    self.configuration = configuration
    self.parameterCount = parameterCount
    self.trainerChecksum = trainerChecksum
    self.end = end
    self.stepCount = stepCount
    self.tokenTotal = tokenTotal
    self.timeInSeconds = timeInSeconds
    self.domains = domains
    self.evaluations = evaluations
  }

  private static let units: [String: Unit] = [
    "loss": Unit(unit: "nats per token, on held-out text", isHigherBetter: false),
    "best_loss": Unit(unit: "nats per token, on held-out text", isHigherBetter: false),
    "unweighted_mean": Unit(unit: "nats per token, mean over domains", isHigherBetter: false),
    "token_weighted_mean": Unit(
      unit: "nats per token, mean over held-out tokens", isHigherBetter: false),
    "asked_share": Unit(unit: "share of rows"), "realized_share": Unit(unit: "share of rows"),
    "token_count": Unit(unit: "target tokens"), "token_total": Unit(unit: "target tokens"),
    "epochs": Unit(unit: "passes over the domain"), "time_in_seconds": Unit(unit: "seconds"),
  ]

  /// The evaluation after the last step.
  public var finalEvaluation: EvaluationMetrics? { evaluations.last }

  /// Writes the record durably to `path`.
  ///
  /// - Parameter path: the file's final path.
  /// - Throws: ``RunError/corpus(_:)`` if it cannot be written.
  public func write(to path: String) throws(RunError) {
    do throws(CorpusError) {
      try DurableFile.write(RunJSON.encode(self), to: path)
    } catch {
      throw .corpus(error)
    }
  }

  /// Reads the record at `path`.
  ///
  /// - Parameter path: the file.
  /// - Returns: the record.
  /// - Throws: ``RunError/fileDamaged(path:reason:)`` if it does not decode, is of another version
  ///   or contradicts itself, or ``RunError/corpus(_:)`` if it cannot be read.
  public static func read(from path: String) throws(RunError) -> RunRecord {
    let record: RunRecord = try RunFolder.decode(path)
    let count = record.domains.count
    if record.format != format || record.version != version {
      throw .fileDamaged(
        path: path,
        reason: "it is \(record.format) of version \(record.version); this program reads "
          + "\(format) of version \(version)")
    }
    if count == 0 || record.evaluations.contains(where: { $0.losses.count != count }) {
      throw .fileDamaged(
        path: path, reason: "an evaluation has not one loss for each of \(count) domains")
    }
    return record
  }
}
