internal import ArgumentParser

/// Seeds as a command line gives them: single ones and ranges, both ends included, between commas.
struct SeedRanges: ExpressibleByArgument, CustomStringConvertible {
  /// The most seeds that are accepted.
  private static let limit = 100_000

  /// What was given.
  let description: String
  /// The seeds in the order in which they were given.
  let values: [UInt64]

  /// Creates the seeds of a text that is known to be right.
  init(_ text: StaticString) {
    guard let seeds = SeedRanges(argument: "\(text)") else {
      preconditionFailure("\(text) are no seeds")
    }
    self = seeds
  }

  init?(argument: String) {
    var values: [UInt64] = []
    for item in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = item.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
      guard ends.count <= 2, let first = ends[0], let last = ends.count == 2 ? ends[1] : first,
        last >= first, last - first < UInt64(Self.limit)
      else { return nil }
      values += first...last
      guard values.count <= Self.limit else { return nil }
    }
    // Paired statistics count every seed once.
    guard !values.isEmpty, Set(values).count == values.count else { return nil }
    description = argument
    self.values = values
  }
}
