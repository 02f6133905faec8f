internal import Corpora
public import Mixing

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// The mixtures that a recorded run asked for, read from its ledger when they are asked for.
///
/// Opening walks over the lines once without decoding them, and remembers where every 256th is: 24
/// bytes each, so that a ledger of 10^7 steps takes 1 MB. A run that is replayed in order then
/// reads each line once.
///
/// The file must not change while it is read; a line that is not the expected one is damage.
public final class LedgerTrajectory: MixtureTrajectory {
  /// The ledger's path.
  public let source: String
  /// The recorded steps.
  public let steps: ClosedRange<Int>

  /// The lines between one header and the next.
  private struct Section {
    let firstStep: Int
    let domainNames: [String]
  }

  /// Where the line of a step begins.
  private struct Place {
    var step: Int
    var byteOffset: Int
    var lineNumber: Int
  }

  private static let linesPerPlace = 256

  private let sections: [Section]
  /// Of every 256th step, rising.
  private let places: [Place]
  private let reading: Locked<Reading>

  /// What the last read left behind, so that the next step needs no search.
  private struct Reading {
    let file: FileReader
    /// Behind the line that was read last.
    var next: Place?
    /// Bytes of the file, from an offset on.
    var bytes: [UInt8] = []
    var bytesOffset = 0
  }

  /// Opens a ledger.
  ///
  /// - Parameter path: the file, or the run folder that holds it as `ledger.jsonl`.
  /// - Throws: ``LoadingError/ledgerDamaged(path:line:reason:)`` for a line that is not the step
  ///   that must follow, or if there is none; ``LoadingError/corpus(_:)`` if the file cannot be
  ///   read.
  public init(at path: String) throws(LoadingError) {
    let path = Ledger.path(at: path)
    var scan = Scan(path: path)
    try Ledger.forEachLine(of: path) { (line, number) throws(LoadingError) in
      try scan.take(line, number: number)
      return false
    }
    guard let first = scan.places.first?.step, let last = scan.lastStep else {
      throw .ledgerDamaged(path: path, line: 1, reason: "there is no whole line of a step")
    }
    source = path
    steps = first...last
    sections = scan.sections
    places = scan.places
    do throws(CorpusError) {
      reading = Locked(Reading(file: try FileReader(path: path)))
    } catch {
      throw .corpus(error)
    }
  }

  /// Returns the asked mixture of a step.
  ///
  /// - Parameter step: a step in ``steps``.
  /// - Returns: the names of the domains at that step, and their shares.
  /// - Throws: ``MixingError/trajectoryUnreadable(source:underlying:)`` with the ``LoadingError``.
  public func recorded(atStep step: Int) throws(MixingError) -> RecordedMixture {
    precondition(steps.contains(step), "step \(step) is not one of \(steps)")
    let names =
      sections.last { $0.firstStep <= step }?.domainNames ?? []
    do throws(LoadingError) {
      let mixture = try reading.withLock { (reading) throws(LoadingError) in
        try asked(at: step, &reading, domainCount: names.count)
      }
      return RecordedMixture(domainNames: names, mixture: mixture)
    } catch {
      throw .trajectoryUnreadable(source: source, underlying: error)
    }
  }

  private func asked(
    at step: Int, _ reading: inout Reading, domainCount: Int
  ) throws(LoadingError) -> Mixture {
    var place = places[(step - steps.lowerBound) / Self.linesPerPlace]
    // The cursor is nearer if it stands between the place and the step.
    if let next = reading.next, next.step <= step, next.step > place.step { place = next }
    while true {
      let line = try line(at: place, &reading)
      let number = place.lineNumber
      place.byteOffset += line.count + 1
      place.lineNumber += 1
      if line.starts(with: LedgerHeader.prefix) { continue }
      place.step += 1
      guard place.step > step else { continue }
      reading.next = place
      do {
        let found = try JSONDecoder().decode(AskedLine.self, from: Data(line))
        guard found.step == step else {
          throw LedgerFault.step(found: found.step, expected: step)
        }
        guard found.asked.count == domainCount else {
          throw LedgerFault.domainCount(expected: domainCount)
        }
        return try Mixture(integerShares: found.asked)
      } catch {
        reading.next = nil
        throw .ledgerDamaged(path: source, line: number, reason: LedgerFault.reason(error))
      }
    }
  }

  /// Returns the line at a place, without its line feed.
  private func line(at place: Place, _ reading: inout Reading) throws(LoadingError)
    -> ArraySlice<UInt8>
  {
    var wanted = 1 << 16
    while true {
      let begin = place.byteOffset - reading.bytesOffset
      if (0..<reading.bytes.count).contains(begin),
        let end = reading.bytes[begin...].firstIndex(of: UInt8(ascii: "\n"))
      {
        return reading.bytes[begin..<end]
      }
      let left = reading.file.byteCount - place.byteOffset
      let isRead = begin == 0 && reading.bytes.count >= min(left, Ledger.lineByteLimit)
      guard left > 0, !isRead else {
        throw .ledgerDamaged(path: source, line: place.lineNumber, reason: "the line does not end")
      }
      let count = min(left, wanted)
      do throws(CorpusError) {
        reading.bytes = try reading.file.bytes(at: place.byteOffset, count: count)
      } catch {
        throw .corpus(error)
      }
      reading.bytesOffset = place.byteOffset
      wanted = min(4 * wanted, Ledger.lineByteLimit)
    }
  }

  /// What is read of a line.
  private struct AskedLine: Decodable {
    let step: Int
    let asked: [Int64]
  }

  /// The walk over all lines.
  private struct Scan {
    let path: String
    var sections: [Section] = []
    var places: [Place] = []
    var lastStep: Int?
    private var domainNames: [String]?
    private var byteOffset = 0

    init(path: String) { self.path = path }

    mutating func take(_ line: ArraySlice<UInt8>, number: Int) throws(LoadingError) {
      defer { byteOffset += line.count + 1 }
      do {
        guard !line.starts(with: LedgerHeader.prefix) else {
          let names = try Ledger.header(from: Data(line)).identity.domains.map(\.name)
          guard !names.isEmpty, Set(names).count == names.count else {
            throw LedgerFault.header("its domains have no names of their own")
          }
          domainNames = names
          return
        }
      } catch {
        throw .ledgerDamaged(path: path, line: number, reason: LedgerFault.reason(error))
      }
      let step = try LedgerSearch.step(of: line, path: path, number: number)
      try begin(step, number: number)
      if (step - (places.first?.step ?? step)) % LedgerTrajectory.linesPerPlace == 0 {
        places.append(Place(step: step, byteOffset: byteOffset, lineNumber: number))
      }
      lastStep = step
    }

    /// Checks that a step follows, and begins a section behind a header.
    private mutating func begin(_ step: Int, number: Int) throws(LoadingError) {
      let expected = lastStep.map { $0 + 1 } ?? step
      guard step == expected, step >= 1, step < Int.max else {
        throw .ledgerDamaged(
          path: path, line: number,
          reason: "\(LedgerFault.step(found: step, expected: max(1, expected)))")
      }
      if let names = domainNames {
        sections.append(Section(firstStep: step, domainNames: names))
        domainNames = nil
      }
      guard !sections.isEmpty else {
        throw .ledgerDamaged(path: path, line: number, reason: "it comes before any header")
      }
    }
  }
}

extension PolicyRecipe {
  /// Returns the recipe of a recorded run's mixtures.
  ///
  /// - Parameter path: the ledger, or the run folder that holds it.
  /// - Returns: a recipe for a ``Mixing/ReplayPolicy``, which opens the ledger when it is made.
  public static func replay(ledgerAt path: String) -> PolicyRecipe {
    PolicyRecipe(name: ReplayPolicy.name, options: ["ledger": path]) {
      context throws(MixingError) in
      let trajectory: LedgerTrajectory
      do throws(LoadingError) {
        trajectory = try LedgerTrajectory(at: path)
      } catch {
        throw .trajectoryUnreadable(source: path, underlying: error)
      }
      return try ReplayPolicy(trajectory, in: context)
    }
  }
}

extension PolicyRegistry {
  /// Every policy that comes with Headrace: ``Mixing/PolicyRegistry/builtIn`` and `replay`, which
  /// reads ledgers.
  public static let complete: PolicyRegistry = {
    var registry = builtIn
    let entry = Entry(
      name: ReplayPolicy.name, summary: "The mixtures of a recorded run, step by step.",
      options: ["ledger": "the path of a ledger.jsonl, or of the run folder that holds one"]
    ) { values throws(MixingError) in
      guard let path = values["ledger"] else {
        throw .missingOption(policy: ReplayPolicy.name, option: "ledger")
      }
      return .replay(ledgerAt: path)
    }
    do {
      try registry.register(entry)
    } catch {
      preconditionFailure("\(error)")
    }
    return registry
  }()
}
