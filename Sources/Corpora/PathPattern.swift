#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Finds the files and folders that a pattern names.
///
/// As glob(3) does, but for two things: a folder that cannot be looked into is an error, and each
/// look is waited for as the ``FileAccess`` says.
enum PathPattern {
  /// Returns the paths that match, in the order of their bytes; a pattern without `*`, `?` and
  /// `[` matches what stands at that path.
  ///
  /// - Parameters:
  ///   - pattern: As a shell has it; `\` takes the meaning from the character after it.
  ///   - suffix: What is appended to the pattern and taken off what matches, for files that are
  ///     named by their common beginning.
  ///   - folder: Where a pattern that is not absolute begins.
  ///   - access: How files are looked for.
  /// - Returns: The paths, each with the folder before it; empty if nothing matches.
  /// - Throws: ``CorpusError`` if a folder that the pattern leads into cannot be read, or a name in
  ///   it that matches is not UTF-8.
  static func matches(
    _ pattern: String, suffix: String = "", in folder: String, access: FileAccess
  ) throws(CorpusError) -> [String] {
    guard !pattern.utf8.contains(0) else { return [] }
    let start = pattern.hasPrefix("/") ? "" : folder
    var paths = [start]
    for part in (pattern + suffix).unicodeScalars.split(separator: "/") {
      var longer: [String] = []
      for path in paths {
        for name in try names(matching: String(part), in: path, access) {
          longer.append(path + "/" + name)
        }
      }
      paths = longer
    }
    return paths.map { String($0.dropLast(suffix.count)) }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The names in a folder that match a part of a pattern.
  private static func names(matching part: String, in folder: String, _ access: FileAccess)
    throws(CorpusError) -> [String]
  {
    if let name = literal(part) {
      return try access.status(of: folder + "/" + name) == nil ? [] : [name]
    }
    let known: [BytePath]
    do throws(CorpusError) {
      known = try access.names(in: folder.isEmpty ? "/" : folder)
    } catch {
      // A file among the folders that an earlier part matches, a link to nothing, or one that is
      // gone by now.
      if case .cannotOpen(_, let code) = error, FileStatus.isAbsence(code) { return [] }
      throw error
    }
    var names: [String] = []
    for name in known where fnmatch(part, name.bytes, FNM_PERIOD) == 0 {
      guard let text = name.text else {
        throw .cannotOpen(path: folder + "/" + name.shown, code: EILSEQ)
      }
      names.append(text)
    }
    return names
  }

  /// The only name that a part matches; nil if it may match several.
  private static func literal(_ part: String) -> String? {
    var (name, isEscaped) = ("", false)
    // By scalars, as fnmatch takes it: a mark that follows a star makes it no other character.
    for character in part.unicodeScalars {
      if !isEscaped, character == "\\" {
        isEscaped = true
        continue
      }
      if !isEscaped, "*?[".unicodeScalars.contains(character) { return nil }
      name.unicodeScalars.append(character)
      isEscaped = false
    }
    return name
  }
}
