internal import FuzzParsers

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

// The program's main function is libFuzzer's, which calls these two by their C names.
//
//   HEADRACE_FUZZ_PARSER=NAME   which parser the input goes to
//   HEADRACE_FUZZ_FOLDER=PATH   an existing folder for the files that the parser reads
//   HEADRACE_FUZZ_SEEDS=PATH    writes seeds and dictionaries into an existing folder, and ends
//   HEADRACE_FUZZ_NAMES=1       prints the names of the parsers, and ends

/// What one process does: one parser, one folder.
private enum FuzzSession {
  static let folder = FuzzFolder(
    FuzzSession.variable("HEADRACE_FUZZ_FOLDER") ?? "/dev/shm/headrace-fuzz-\(getpid())")

  static let parser: FuzzedParser = {
    let name = variable("HEADRACE_FUZZ_PARSER") ?? ""
    guard let parser = FuzzedParser.all.first(where: { $0.name == name }) else {
      fail("HEADRACE_FUZZ_PARSER=\(name) names no parser")
    }
    return parser
  }()

  static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Called by libFuzzer before the first input.
///
/// - Parameters:
///   - argumentCount: libFuzzer's, not used.
///   - arguments: libFuzzer's, not used.
/// - Returns: 0.
@_cdecl("LLVMFuzzerInitialize")
public func fuzzInitialize(
  _ argumentCount: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?
) -> CInt {
  if FuzzSession.variable("HEADRACE_FUZZ_NAMES") != nil {
    for parser in FuzzedParser.all { print(parser.name) }
    exit(0)
  }
  if let path = FuzzSession.variable("HEADRACE_FUZZ_SEEDS") {
    let folder = FuzzFolder(path)
    for parser in FuzzedParser.all { parser.writeSeeds(to: folder) }
    exit(0)
  }
  return 0
}

/// Called by libFuzzer with every input.
///
/// - Parameters:
///   - bytes: the input.
///   - count: its size in bytes.
/// - Returns: 0.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  FuzzSession.parser.take(
    FuzzInput(Array(UnsafeBufferPointer(start: bytes, count: count))), in: FuzzSession.folder)
  return 0
}
