/// Numbers as a report shows them.
enum ReportNumber {
  /// A number with so many digits behind the point.
  static func fixed(_ number: Double, digits: Int) -> String {
    guard number.isFinite else { return "–" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (min(number.magnitude, 1e12) * scale).rounded()
    let sign = number < 0 && scaled > 0 ? "−" : ""
    let whole = Int(scaled / scale)
    guard digits > 0 else { return "\(sign)\(whole)" }
    let rest = String(Int(scaled - Double(whole) * scale))
    return "\(sign)\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
  }

  /// A number that may be missing.
  static func fixed(_ number: Double?, digits: Int) -> String {
    number.map { fixed($0, digits: digits) } ?? "–"
  }

  /// A share of 1 as a percentage.
  static func percent(_ share: Double) -> String {
    fixed(100 * share, digits: share != 0 && share.magnitude < 0.01 ? 2 : 1) + " %"
  }

  /// A count with thin blanks between its thousands.
  static func grouped(_ count: Int) -> String {
    var text = ""
    for (index, digit) in String(count.magnitude).reversed().enumerated() {
      if index > 0, index % 3 == 0 { text = "," + text }
      text = String(digit) + text
    }
    return count < 0 ? "−" + text : text
  }

  /// A count with a unit of 1,000s, as an axis shows it.
  static func short(_ count: Double) -> String {
    for (limit, unit) in [(1e9, " G"), (1e6, " M"), (1e3, " k")] where count >= limit {
      return trimmed(count / limit) + unit
    }
    return trimmed(count)
  }

  /// A number of any size and sign with at most three digits; one below 0.001 or above 999 has an
  /// exponent that 3 divides.
  static func scientific(_ number: Double) -> String {
    guard number.isFinite, number.magnitude >= 1e-300 else { return number == 0 ? "0" : "–" }
    let parts = ThreeDigits(number)
    var text = fixed(parts.mantissa, digits: parts.fractionDigits)
    while text.contains("."), text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return (number < 0 ? "−" : "") + text + parts.exponentText
  }

  /// A number with as many digits behind the point as it needs, at most 3.
  static func trimmed(_ number: Double) -> String {
    var text = fixed(number, digits: 3)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }

  /// A span of time in words.
  static func duration(_ seconds: Double) -> String {
    let whole = Int(max(0, min(seconds, 1e9)).rounded())
    if whole < 60 { return "\(fixed(seconds, digits: 1)) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole / 60 % 60) min"
  }
}

/// A number of any size as three digits are shown of it; one below 0.001 or above 999 has an
/// exponent that 3 divides.
package struct ThreeDigits {
  /// What stands before the exponent, without a sign.
  package let mantissa: Double
  /// The digits behind its point.
  package let fractionDigits: Int
  /// `e` and the exponent; empty for 0.
  package let exponentText: String

  /// Takes a finite number apart.
  package init(_ number: Double) {
    var (mantissa, exponent) = (number.magnitude, 0)
    while mantissa >= 999.5 { (mantissa, exponent) = (mantissa / 1000, exponent + 3) }
    let isSmall = mantissa > 0 && mantissa < 0.0009995
    while isSmall, mantissa < 0.9995 { (mantissa, exponent) = (mantissa * 1000, exponent - 3) }
    self.mantissa = mantissa
    fractionDigits =
      [0.009995, 0.09995, 0.9995, 9.995, 99.95].firstIndex { mantissa < $0 }.map { 5 - $0 } ?? 0
    exponentText = exponent == 0 ? "" : "e\(exponent)"
  }
}
