internal import Foundation

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the system says of this process's memory.
enum ProcessMemory {
  /// The most memory that was resident at once, in bytes.
  static func peakByteCount() throws -> Int {
    #if os(Linux)
      // getrusage() would also count the program that this process was before it was replaced.
      return try kibibytes("VmHWM") << 10
    #else
      var usage = rusage()
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #endif
  }

  /// A figure of the process in KiB, as Linux keeps it.
  static func kibibytes(_ name: String) throws -> Int {
    let path = "/proc/self/status"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name + ":") }),
      let value = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first,
      let number = Int(value)
    else { throw ToolFailure("\(path) does not say \(name); this command needs Linux") }
    return number
  }
}
