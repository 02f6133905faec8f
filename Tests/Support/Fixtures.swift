#if canImport(FoundationEssentials)
  public import FoundationEssentials
#else
  public import Foundation
#endif

/// Where the files under `fixtures/` are, found from this source file.
public enum Fixtures {
  /// The path of a fixture.
  ///
  /// - Parameters:
  ///   - name: the path below `fixtures/`, such as `order/vectors.json`.
  ///   - file: this file.
  /// - Returns: an absolute path if the package was built from one.
  public static func path(_ name: String, file: String = #filePath) -> String {
    // …/Tests/Support/Fixtures.swift → …
    let root = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    return (root + ["fixtures", Substring(name)]).joined(separator: "/")
  }

  /// The bytes of a fixture.
  ///
  /// - Parameter name: the path below `fixtures/`.
  /// - Returns: the whole file.
  /// - Throws: a Cocoa error with the path if it cannot be read.
  public static func data(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path(name)))
  }
}
