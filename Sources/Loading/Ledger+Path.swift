#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

extension Ledger {
  /// What a run folder calls its ledger.
  package static let fileName = "ledger.jsonl"

  /// Returns the ledger's file that a path means: where it is a run folder, the one in it.
  ///
  /// - Parameter path: a ledger or a run folder; whatever else it is, it is returned as it is.
  /// - Returns: the path of a file, which need not exist.
  package static func path(at path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return path }
    return path.hasSuffix("/") ? path + fileName : path + "/" + fileName
  }
}
