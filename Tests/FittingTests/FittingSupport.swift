import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Published measurements, which are not part of the repository.
///
/// They are looked for in the folder that HEADRACE_SHARED_DATA names, else in `../shared/data`
/// beside the package. Tests that need them are skipped, by name, where they are absent.
enum SharedData {
  /// The folder; nil if there is none.
  static let folder: String? = {
    let given = getenv("HEADRACE_SHARED_DATA").map { String(cString: $0) }
    let file = "\(#filePath)"
    let root = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    let beside = root.dropLast().joined(separator: "/") + "/shared/data"
    return [given, beside].compactMap { $0 }.first { access($0 + "/mixinglaws", R_OK) == 0 }
  }()

  /// Whether the measurements are there.
  static var isPresent: Bool { folder != nil }

  /// What a skipped test says.
  static let comment: Comment =
    "needs published runs: set HEADRACE_SHARED_DATA, or put them in ../shared/data"

  /// Reads a file whole.
  static func bytes(_ name: String) throws -> [UInt8] {
    let path = try #require(folder) + "/" + name
    let file = try #require(fopen(path, "rb"), "\(path) cannot be read")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while true {
      let part = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        count = fread(buffer.baseAddress, 1, 1 << 16, file)
      }
      bytes += part
      if part.isEmpty { return bytes }
    }
  }
}

/// Checks numbers one by one.
func expectClose(
  _ found: [Double], _ expected: [Double], within tolerance: Double,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let isClose =
    found.count == expected.count
    && zip(found, expected).allSatisfy { abs($0 - $1) <= tolerance }
  #expect(isClose, "\(found), not \(expected)", sourceLocation: sourceLocation)
}

/// Checks one number.
func expectClose(
  _ found: Double, _ expected: Double, within tolerance: Double,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  expectClose([found], [expected], within: tolerance, sourceLocation: sourceLocation)
}
