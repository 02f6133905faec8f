internal import Corpora
public import Mixing

/// What a loader does with a checkpoint that was made on another corpus.
public enum CorpusChangeRule: String, Sendable, Codable, CaseIterable {
  /// The loader does not open; the error names every domain that differs.
  case refuse
  /// Domains are carried over by name: an unchanged one keeps its place, any other begins anew.
  case carryOver = "carry-over"
}

/// How the corpus of a run differs from the one that its checkpoint was made on, domain by domain.
///
/// What carrying over does:
///
/// 1. A domain of the same name, fingerprint and number of sequences keeps its position and credit.
/// 2. A re-packed domain, one of the same name with other data, begins at position 0 and keeps its
///    credit: what it is owed is owed to the name.
/// 3. An added domain begins at position 0 with nothing owed.
/// 4. The credits of removed domains go to the others in proportion to the asked mixture, in
///    integers, so that all credits still sum to 0.
/// 5. The policy goes on from its checkpoint if the names and their order are the same; else it
///    begins anew from its recipe.
public struct CorpusChange: Sendable, Equatable, Codable {
  /// The domains that the checkpoint does not know.
  public var added: [String]
  /// The domains that the corpus does not have any more.
  public var removed: [String]
  /// The domains whose data has changed.
  public var repacked: [String]
  /// Whether the names come in another order, or are not the same.
  public var changesNames: Bool
  /// Feedback for the old domains that no line holds: it was observed after the last batch, and the
  /// next line is about the new ones.
  public var lastFeedback: [Feedback] = []

  private enum CodingKeys: String, CodingKey {
    case added, removed, repacked
    case changesNames = "changes_names"
    case lastFeedback = "last_feedback"
  }

  /// What tells a domain from others.
  package struct Key: Hashable {
    let name: String
    let fingerprint: String
    let sequenceCount: Int

    /// Names a domain; without the sequences, where the length of a sequence is the same anyway.
    package init(name: String, fingerprint: String, sequenceCount: Int = 0) {
      self.name = name
      self.fingerprint = fingerprint
      self.sequenceCount = sequenceCount
    }
  }

  /// Finds the differences between two lists of domains.
  package init(from old: [Key], to new: [Key]) {
    let (oldNames, newNames) = (old.map(\.name), new.map(\.name))
    let (oldSet, newSet, oldKeys) = (Set(oldNames), Set(newNames), Set(old))
    added = newNames.filter { !oldSet.contains($0) }
    removed = oldNames.filter { !newSet.contains($0) }
    repacked = new.filter { oldSet.contains($0.name) && !oldKeys.contains($0) }.map(\.name)
    changesNames = oldNames != newNames
  }

  /// Whether nothing differs.
  public var isEmpty: Bool { !changesNames && repacked.isEmpty }
}

extension CorpusChange: CustomStringConvertible {
  /// The differences in one line.
  public var description: String {
    var parts: [String] = []
    for (verb, names) in [
      ("added", added), ("removed", removed), ("re-packed or changed", repacked),
    ] where !names.isEmpty {
      parts.append("\(verb): \(names.joined(separator: ", "))")
    }
    if parts.isEmpty { parts.append("the order of the domains") }
    return parts.joined(separator: "; ")
  }
}

/// A domain that a run has drawn from and that its corpus has no more, or has with other data.
public struct DepartedDomain: Sendable, Equatable, Codable {
  /// The domain's name.
  public var name: String
  /// The fingerprint of the data that was read.
  public var fingerprint: String
  /// The rows that it gave, at least 1.
  public var rowCount: Int

  /// Names a domain that is gone.
  public init(name: String, fingerprint: String, rowCount: Int) {
    self.name = name
    self.fingerprint = fingerprint
    self.rowCount = rowCount
  }

  private enum CodingKeys: String, CodingKey {
    case name, fingerprint
    case rowCount = "row_count"
  }
}

extension LoaderIdentity.Domain {
  /// Whether positions in the one mean the same sequences in the other.
  func isSameData(as other: Self) -> Bool { key == other.key }

  /// What tells the domain from others.
  var key: CorpusChange.Key {
    CorpusChange.Key(name: name, fingerprint: fingerprint, sequenceCount: sequenceCount)
  }
}

extension LoaderCheckpoint {
  /// Returns the state with which a run goes on over other domains.
  ///
  /// - Parameters:
  ///   - domains: the domains of the corpus that is read from now on.
  ///   - asked: the mixture that is asked of them first, by which the credits of removed domains
  ///     are shared.
  /// - Returns: the state, whose credits sum to 0.
  /// - Throws: ``LoadingError/mixing(_:)`` for credits that no run reaches.
  func carriedOver(
    to domains: [LoaderIdentity.Domain], asked: Mixture
  ) throws(LoadingError) -> LoaderCheckpoint {
    var carried = self
    carried.identity.domains = domains
    carried.positions = Array(repeating: 0, count: domains.count)
    carried.rowCounts = carried.positions
    carried.credits = Array(repeating: 0, count: domains.count)
    carried.observed = []
    carried.quarantine.filter { entry in
      domains.contains { $0.name == entry.domain && $0.fingerprint == entry.fingerprint }
    }
    carried.textMarks = textMarks?.filter { name, _ in
      domains.contains { new in
        new.name == name && identity.domains.contains { new.isSameData(as: $0) }
      }
    }
    var owed = Int128(0)
    for (index, old) in identity.domains.enumerated() {
      let new = domains.firstIndex { $0.name == old.name }
      if let new { carried.credits[new] = credits[index] } else { owed += Int128(credits[index]) }
      if let new, domains[new].isSameData(as: old) {
        carried.positions[new] = positions[index]
        carried.rowCounts[new] = rowCounts[index]
      } else {
        carried.depart(old, rowCount: rowCounts[index])
      }
    }
    let parts = Self.parts(of: asked, over: domains, positions: carried.positions)
    Self.share(owed, by: parts, into: &carried.credits)
    return carried
  }

  /// Remembers the rows of a domain that is gone.
  private mutating func depart(_ domain: LoaderIdentity.Domain, rowCount: Int) {
    guard rowCount > 0 else { return }
    let earlier = departed.firstIndex {
      $0.name == domain.name && $0.fingerprint == domain.fingerprint
    }
    if let earlier {
      departed[earlier].rowCount += rowCount
    } else {
      departed.append(
        DepartedDomain(name: domain.name, fingerprint: domain.fingerprint, rowCount: rowCount))
    }
  }

  /// The proportions in which the domains are given what is left: the asked shares of those that
  /// are not exhausted; all alike where that is none.
  private static func parts(
    of asked: Mixture, over domains: [LoaderIdentity.Domain], positions: [Int]
  ) -> [Int64] {
    let isOpen = zip(domains, positions).map { $0.positionLimit ?? .max > $1 }
    let shares = zip(asked.integerShares, isOpen).map { $1 ? $0 : 0 }
    if shares.contains(where: { $0 > 0 }) { return shares }
    return isOpen.contains(true) ? isOpen.map { $0 ? 1 : 0 } : domains.map { _ in 1 }
  }

  /// Adds `owed` to credits in proportion to `parts`, rounded toward minus infinity; what that
  /// leaves goes to the lowest index that has a part.
  private static func share(_ owed: Int128, by parts: [Int64], into credits: inout [Int64]) {
    let sum = parts.reduce(Int128(0)) { $0 + Int128($1) }
    var rest = owed
    for index in credits.indices {
      let product = owed * Int128(parts[index])
      let part = product >= 0 ? product / sum : -((-product + sum - 1) / sum)
      // Credits that a run reaches lie far inside an Int64; others are refused when they are taken.
      credits[index] = Int64(clamping: Int128(credits[index]) + part)
      rest -= part
    }
    guard let lowest = parts.firstIndex(where: { $0 > 0 }) else { return }
    credits[lowest] = Int64(clamping: Int128(credits[lowest]) + rest)
  }
}
