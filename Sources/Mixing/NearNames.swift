/// Finds the known names that an unknown one was probably meant to be.
package enum NearNames {
  /// Returns up to three known names near an unknown one, the nearest first.
  ///
  /// Near means an edit distance, case ignored, of at most a third of the longer name's length (and
  /// at least 1), or that one name holds the other whole.
  ///
  /// - Parameters:
  ///   - name: the name that is not known.
  ///   - known: the names that are.
  /// - Returns: names of `known`, by distance, then in alphabetical order.
  package static func of(_ name: String, in known: some Sequence<String>) -> [String] {
    let wanted = Array(name.lowercased())
    var found: [(distance: Int, name: String)] = []
    for candidate in known {
      let letters = Array(candidate.lowercased())
      let distance = editDistance(wanted, letters)
      let shorter = min(wanted.count, letters.count)
      let isNear = distance <= max(1, max(wanted.count, letters.count) / 3)
      let isHeld = shorter >= 3 && distance == abs(wanted.count - letters.count)
      if isNear || isHeld { found.append((distance, candidate)) }
    }
    found.sort { ($0.distance, $0.name) < ($1.distance, $1.name) }
    return found.prefix(3).map(\.name)
  }

  /// Returns the least number of insertions, deletions, replacements and swaps of neighbors that
  /// turn one word into the other.
  ///
  /// - Parameters:
  ///   - a: one word.
  ///   - b: the other.
  /// - Returns: the optimal string alignment distance, ≥ 0.
  /// - Complexity: O(`a.count · b.count`).
  package static func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    var row = last
    for i in a.indices {
      row[0] = i + 1
      for j in b.indices {
        let replaced = last[j] + (a[i] == b[j] ? 0 : 1)
        row[j + 1] = min(last[j + 1] + 1, row[j] + 1, replaced)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1)
        }
      }
      (beforeLast, last, row) = (last, row, beforeLast)
    }
    return last[b.count]
  }
}
