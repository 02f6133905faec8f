#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Mixtures that follow each other in a run, by domain name: what a schedule file holds.
///
/// A file is JSON:
///
///     {
///       "format": "headrace-schedule",
///       "version": 1,
///       "unit": "steps",
///       "stages": [
///         {"until": 1000, "weights": {"code": 0.2, "prose": 0.8}},
///         {"until": 5000, "ramp": 400, "weights": {"code": 0.5, "prose": 0.5}},
///         {"weights": {"code": 0.9, "prose": 0.1}}
///       ],
///       "assumption": "tokens late in the run count twice",
///       "source": "headrace fit, S3"
///     }
///
/// - `unit`: `steps` or `tokens` (target tokens over all ranks), of which the numbers speak.
/// - `until`: where a stage ends. A stage holds for the batches before which at least as many steps
///   or tokens were done as where the stage before it ends, and fewer than `until`. So the first
///   one above holds for the steps 1 to 1000. Only the last stage may have none: it goes on for
///   ever. A run that goes on behind the last `until` is an error.
/// - `ramp`: how long the mixture takes from that of the stage before to this stage's, linearly,
///   from the stage's beginning on; 0 if left out. The first stage has none.
/// - `weights`: of every domain of the corpus, summing to 1.
/// - `assumption`, `source`: text for people, of what the schedule rests on and where it is from;
///   may be left out. A schedule from a mixing law needs an assumption beyond the law, which says
///   the same of all schedules with the same mean.
///
/// Other keys are not read.
public struct MixtureSchedule: Sendable, Equatable, Codable {
  /// What a schedule file says it is.
  public static let format = "headrace-schedule"
  /// The version that is written and read.
  public static let version = 1
  /// The largest file that is read, 64 MiB.
  public static let byteLimit = 1 << 26
  /// The most steps or tokens that a stage may end at, 2^60.
  public static let untilLimit = 1 << 60

  /// What places in the run are counted in.
  public enum Unit: String, Sendable, Codable, CaseIterable {
    /// Optimizer steps.
    case steps
    /// Target tokens, over all ranks.
    case tokens
  }

  /// One stage.
  public struct Stage: Sendable, Equatable, Codable {
    /// Where it ends; nil for never.
    public var until: Int?
    /// How long the mixture takes from that of the stage before; nil for no time.
    public var ramp: Int?
    /// The weights by domain name, summing to 1.
    public var weights: [String: Double]

    /// Creates a stage.
    ///
    /// - Parameters:
    ///   - until: where it ends; nil for never.
    ///   - ramp: how long the mixture takes from that of the stage before.
    ///   - weights: the weights by domain name.
    public init(until: Int? = nil, ramp: Int? = nil, weights: [String: Double]) {
      self.until = until
      self.ramp = ramp
      self.weights = weights
    }
  }

  /// What places in the run are counted in.
  public var unit: Unit
  /// The stages, in order.
  public var stages: [Stage]
  /// What the schedule rests on, for people.
  public var assumption: String?
  /// Where the schedule is from, for people.
  public var source: String?

  /// Creates a schedule; ``validate()`` says whether it is one.
  ///
  /// - Parameters:
  ///   - unit: what places are counted in.
  ///   - stages: the stages, in order.
  ///   - assumption: what the schedule rests on.
  ///   - source: where it is from.
  public init(
    unit: Unit, stages: [Stage], assumption: String? = nil, source: String? = nil
  ) {
    self.unit = unit
    self.stages = stages
    self.assumption = assumption
    self.source = source
  }

  /// Reads a schedule file.
  ///
  /// - Parameter path: where it is.
  /// - Throws: ``MixingError/fileUnreadable(path:errorNumber:)``,
  ///   ``MixingError/fileTooLarge(path:byteLimit:)``, or
  ///   ``MixingError/fileRefused(path:underlying:)`` with what ``init(json:)`` throws.
  public init(atPath path: String) throws(MixingError) {
    let bytes = try SmallFile.read(path, byteLimit: Self.byteLimit)
    do throws(MixingError) {
      try self.init(json: bytes)
    } catch {
      throw .fileRefused(path: path, underlying: error)
    }
  }

  /// Reads the JSON of a schedule, and validates it.
  ///
  /// - Parameter bytes: UTF-8.
  /// - Throws: ``MixingError/scheduleMalformed(underlying:)`` and what ``validate()`` throws.
  public init(json bytes: [UInt8]) throws(MixingError) {
    let head: Head
    do {
      head = try JSONDecoder().decode(Head.self, from: Data(bytes))
    } catch {
      throw .scheduleMalformed(underlying: error)
    }
    guard head.format == Self.format, head.version == Self.version else {
      throw .scheduleFormat(format: head.format, version: head.version)
    }
    do {
      self = try JSONDecoder().decode(MixtureSchedule.self, from: Data(bytes))
    } catch {
      throw .scheduleMalformed(underlying: error)
    }
    try validate()
  }

  /// The schedule as JSON with sorted keys, in one line.
  ///
  /// - Returns: UTF-8.
  /// - Throws: ``MixingError/scheduleMalformed(underlying:)`` for a weight that is no number.
  public func json() throws(MixingError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(self))
    } catch {
      throw .scheduleMalformed(underlying: error)
    }
  }

  /// Checks what does not need a corpus: ends, ramps.
  ///
  /// - Throws: ``MixingError/scheduleEmpty``,
  ///   ``MixingError/scheduleNotIncreasing(stage:until:previous:)``,
  ///   ``MixingError/scheduleWithoutEnd(stage:)`` or
  ///   ``MixingError/scheduleRamp(stage:ramp:length:)``.
  public func validate() throws(MixingError) {
    guard !stages.isEmpty else { throw .scheduleEmpty }
    var begin = 0
    for (index, stage) in stages.enumerated() {
      let number = index + 1
      guard stage.until != nil || number == stages.count else {
        throw .scheduleWithoutEnd(stage: number)
      }
      let until = stage.until ?? Self.untilLimit
      guard until > begin, until <= Self.untilLimit else {
        throw .scheduleNotIncreasing(stage: number, until: until, previous: begin)
      }
      let length = index == 0 ? 0 : until - begin
      guard (0...length).contains(stage.ramp ?? 0) else {
        throw .scheduleRamp(stage: number, ramp: stage.ramp ?? 0, length: length)
      }
      begin = until
    }
  }

  private struct Head: Decodable {
    let format: String
    let version: Int
  }

  private enum CodingKeys: String, CodingKey {
    case format, version, unit, stages, assumption, source
  }

  /// Reads everything but the format and the version, which ``init(json:)`` looks at before.
  ///
  /// - Parameter decoder: holds an object.
  /// - Throws: `DecodingError`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    unit = try container.decode(Unit.self, forKey: .unit)
    stages = try container.decode([Stage].self, forKey: .stages)
    assumption = try container.decodeIfPresent(String.self, forKey: .assumption)
    source = try container.decodeIfPresent(String.self, forKey: .source)
  }

  /// Writes the format and the version, too.
  ///
  /// - Parameter encoder: takes an object.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.format, forKey: .format)
    try container.encode(Self.version, forKey: .version)
    try container.encode(unit, forKey: .unit)
    try container.encode(stages, forKey: .stages)
    try container.encodeIfPresent(assumption, forKey: .assumption)
    try container.encodeIfPresent(source, forKey: .source)
  }
}
