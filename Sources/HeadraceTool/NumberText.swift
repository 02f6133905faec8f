internal import Ablations

/// Numbers as people read them.
enum NumberText {
  /// A count with commas between its thousands.
  static func grouped(_ count: Int) -> String {
    var text = ""
    for (index, digit) in String(count.magnitude).reversed().enumerated() {
      if index > 0, index % 3 == 0 { text = "," + text }
      text = String(digit) + text
    }
    return count < 0 ? "-" + text : text
  }

  /// A number with so many digits behind the point.
  static func fixed(_ number: Double, digits: Int) -> String {
    guard number.isFinite else { return "\(number)" }
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((min(number.magnitude, 1e12) * Double(scale)).rounded())
    let sign = number < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(scaled)" }
    let rest = String(scaled % scale)
    return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - rest.count) + rest
  }

  /// A number of any size with its sign and three digits; one below 0.001 or above 999 has an
  /// exponent that 3 divides.
  static func signed(_ number: Double) -> String {
    guard number.isFinite, number != 0 else { return number == 0 ? "0" : "\(number)" }
    let parts = ThreeDigits(number)
    let text = fixed(parts.mantissa, digits: parts.fractionDigits) + parts.exponentText
    return (number < 0 ? "-" : "+") + text
  }

  /// A share of 1 as a percentage, with more digits the smaller it is, so that a small share does
  /// not read as none.
  static func percent(_ share: Double) -> String {
    if share == 0 { return "0 %" }
    let magnitude = share.magnitude
    if magnitude < 1e-6 { return "\(share < 0 ? ">-" : "<")0.0001 %" }
    return fixed(100 * share, digits: magnitude < 1e-4 ? 4 : magnitude < 1e-2 ? 3 : 1) + " %"
  }

  /// A size in bytes, in the largest binary unit that leaves at least 1.
  static func bytes(_ count: Int) -> String {
    let units: [(name: String, shift: Int)] = [("GiB", 30), ("MiB", 20), ("KiB", 10)]
    for unit in units where count >= 1 << unit.shift {
      let number = Double(count) / Double(1 << unit.shift)
      return fixed(number, digits: number == number.rounded() ? 0 : 1) + " " + unit.name
    }
    return "\(count) bytes"
  }

  /// A count and its noun, in the plural unless the count is 1.
  static func counted(_ count: Int, _ noun: String, plural: String? = nil) -> String {
    grouped(count) + " " + (count == 1 ? noun : plural ?? noun + "s")
  }

  /// A span of time as minutes and seconds.
  static func duration(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 1e9).rounded())
    let rest = whole % 60
    return "\(whole / 60):" + (rest < 10 ? "0\(rest)" : "\(rest)")
  }
}
