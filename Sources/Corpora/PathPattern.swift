#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Finds the files and folders that a pattern names.
enum PathPattern {
  /// Returns the paths that match, in the order of their bytes; a pattern without `*`, `?` and
  /// `[` matches what stands at that path.
  ///
  /// - Parameters:
  ///   - pattern: As a shell has it; `\` takes the meaning from the character after it.
  ///   - suffix: What is appended to the pattern and taken off what matches, for files that are
  ///     named by their common beginning.
  ///   - folder: Where a pattern that is not absolute begins.
  /// - Returns: The paths, each with the folder before it; empty if nothing matches.
  static func matches(_ pattern: String, suffix: String = "", in folder: String) -> [String] {
    let whole = (pattern.hasPrefix("/") ? pattern : escaped(folder) + "/" + pattern) + suffix
    var found = glob_t()
    defer { globfree(&found) }
    guard !whole.utf8.contains(0), glob(whole, 0, nil, &found) == 0 else { return [] }
    var paths: [String] = []
    for index in 0..<Int(found.gl_pathc) {
      guard let path = found.gl_pathv?[index] else { continue }
      paths.append(String(cString: path))
    }
    return paths.map { String($0.dropLast(suffix.count)) }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Takes the meaning from what a pattern would read as one.
  private static func escaped(_ folder: String) -> String {
    folder.reduce(into: "") { text, character in
      if "*?[]\\".contains(character) { text.append("\\") }
      text.append(character)
    }
  }
}
