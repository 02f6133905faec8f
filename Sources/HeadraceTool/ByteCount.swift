internal import ArgumentParser

/// A number of bytes on the command line: digits, and a unit of 1000s or 1024s.
struct ByteCount: ExpressibleByArgument, Equatable {
  let bytes: Int

  init(bytes: Int) { self.bytes = bytes }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    let units: [String: Int] = [
      "": 1, "b": 1, "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000,
      "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
    ]
    guard let number = Int(digits),
      let unit = units[argument.dropFirst(digits.count).lowercased()]
    else { return nil }
    let (product, overflows) = number.multipliedReportingOverflow(by: unit)
    if overflows { return nil }
    bytes = product
  }

  var defaultValueDescription: String {
    bytes % (1 << 20) == 0 ? "\(bytes >> 20)MiB" : "\(bytes)"
  }
}
