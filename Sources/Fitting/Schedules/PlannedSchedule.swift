public import Mixing

/// Mixtures for the stages of a run, and the assumption that they rest on.
///
/// A mixing law speaks of the average mixture of a run: under the law alone, all schedules with the
/// same average are equally good. What makes one better than another is an assumption beyond the
/// law, which stands in the file that is written, so that nobody takes it for a finding.
///
/// The stages are what is asked for; that no domain is drawn beyond its epochs, to the row, is for
/// the loader's caps.
public struct PlannedSchedule: Sendable, Equatable {
  /// How the mixtures were chosen.
  public enum Method: String, Sendable, Codable, CaseIterable {
    /// One mixture for the whole run, against which the others are to be compared.
    case fixed = "S0"
    /// The mixture so far is the best one for a run that ends at each boundary.
    case lawPath = "S1"
    /// Small moves towards what lowers the loss of the text so far most.
    case marginalUtility = "S2"
    /// Late tokens count more.
    case recency = "S3"
  }

  /// Shares below this are written as 0, which they are but for rounding: 1e-9.
  public static let leastShare = 1e-9

  /// How the mixtures were chosen.
  public let method: Method
  /// b, where each stage ends, in parts of the run: increasing, the last one 1.
  public let ends: [Double]
  /// q `[stage][domain]`.
  public let mixtures: [[Double]]
  /// What the schedule rests on, for people.
  public let assumption: String

  init(method: Method, ends: [Double], mixtures: [[Double]], assumption: String) {
    self.method = method
    self.ends = ends
    self.mixtures = mixtures
    self.assumption = assumption
  }

  /// Creates the schedule of one mixture, S0.
  ///
  /// - Parameter shares: r `[domain]`, as ``ConvexOptimum`` gives it.
  public init(fixed shares: [Double]) {
    self.init(
      method: .fixed, ends: [1], mixtures: [shares],
      assumption: "the loss depends on the mixture of the whole run, as the mixing law says")
  }

  /// The shares of everything drawn up to the end of each stage `[stage][domain]`.
  public var cumulativeShares: [[Double]] {
    var drawn = [Double](repeating: 0, count: mixtures[0].count)
    var begin = 0.0
    var result: [[Double]] = []
    for (end, mixture) in zip(ends, mixtures) {
      for domain in drawn.indices { drawn[domain] += (end - begin) * mixture[domain] }
      begin = end
      result.append(drawn.map { $0 / end })
    }
    return result
  }

  /// Returns the schedule as the policy `schedule` reads it.
  ///
  /// - Parameters:
  ///   - domains: the domains' names, in the order of the mixtures.
  ///   - unit: what the run is counted in.
  ///   - total: how long the run is; a run that goes on behind it is an error.
  /// - Returns: the file's contents, with the assumption and the method.
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)`` for a wrong number of names,
  ///   ``FittingError/settingOutOfRange(setting:index:value:)`` for a run too short for its stages,
  ///   or too long for a file.
  public func file(
    domains: [String], unit: MixtureSchedule.Unit, total: Int
  ) throws(FittingError) -> MixtureSchedule {
    guard Set(domains).count == mixtures[0].count, domains.count == mixtures[0].count else {
      throw .settingCount(
        setting: "names of domains", expected: mixtures[0].count, found: Set(domains).count)
    }
    guard (1...MixtureSchedule.untilLimit).contains(total) else {
      throw .settingOutOfRange(setting: "length of the run", index: 0, value: Double(total))
    }
    var stages: [MixtureSchedule.Stage] = []
    var begin = 0
    for (index, (end, mixture)) in zip(ends, mixtures).enumerated() {
      let until =
        index == ends.count - 1 ? total : Int((end * Double(total)).rounded(.toNearestOrEven))
      guard until > begin, until <= total else {
        throw .settingOutOfRange(setting: "end of a stage", index: index, value: Double(until))
      }
      let weights = zip(domains, mixture).map { ($0, $1 < Self.leastShare ? 0 : $1) }
      stages.append(.init(until: until, weights: Dictionary(uniqueKeysWithValues: weights)))
      begin = until
    }
    return MixtureSchedule(
      unit: unit, stages: stages, assumption: assumption,
      source: "headrace fit law, schedule \(method.rawValue)")
  }

  /// Checks where stages end.
  ///
  /// - Throws: ``FittingError/settingCount(setting:expected:found:)`` or
  ///   ``FittingError/settingOutOfRange(setting:index:value:)``.
  static func check(ends: [Double], stageCount: Int? = nil) throws(FittingError) {
    guard !ends.isEmpty, ends.count == stageCount ?? ends.count else {
      throw .settingCount(
        setting: "ends of stages", expected: stageCount ?? 1, found: ends.count)
    }
    var begin = 0.0
    for (index, end) in ends.enumerated() {
      guard end > begin, end <= 1, index < ends.count - 1 || end == 1 else {
        throw .settingOutOfRange(setting: "ends of stages", index: index, value: end)
      }
      begin = end
    }
  }
}

/// What a schedule has drawn so far, in parts of the whole run, and what it may still draw.
struct Exposure {
  /// n_j / D `[domain]`.
  private(set) var drawn: [Double]
  /// The caps of the whole run, e_j·U_j / D `[domain]`.
  let caps: [Double]

  init(caps: [Double]) {
    self.caps = caps
    drawn = [Double](repeating: 0, count: caps.count)
  }

  /// The mixtures that a stage may have: floors give way where a domain's tokens run out.
  func region(length: Double, floors: [Double]) throws(FittingError) -> CappedSimplex {
    let upper = zip(caps, drawn).map { min(1, max(0, $0 - $1) / length) }
    let sum = upper.reduce(0, +)
    guard sum >= 1 - 1e-9 else { throw .boundsInfeasible(floorSum: 0, capSum: sum) }
    var lower = zip(floors, upper).map { min($0, $1) }
    let total = lower.reduce(0, +)
    if total > 1 { lower = lower.map { $0 / total } }
    return CappedSimplex(lower: lower, upper: upper)
  }

  mutating func draw(_ mixture: [Double], length: Double) {
    for domain in drawn.indices { drawn[domain] += length * mixture[domain] }
  }
}
