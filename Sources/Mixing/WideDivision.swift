/// Products of two 64-bit integers divided by a third, exact, without a wider integer type.
enum WideDivision {
  /// Returns floor(value · factor / divisor), towards −∞.
  ///
  /// - Parameters:
  ///   - value: any number whose magnitude is at most 2^63 − 1.
  ///   - factor: ≥ 0 and at most `divisor`, so that the result is no larger than `value`.
  ///   - divisor: > 0.
  /// - Returns: the quotient, rounded down.
  static func floor(_ value: Int64, times factor: Int64, over divisor: Int64) -> Int64 {
    precondition(factor >= 0 && factor <= divisor && divisor > 0, "\(factor) parts of \(divisor)")
    let product = value.magnitude.multipliedFullWidth(by: factor.magnitude)
    let (quotient, remainder) = divisor.magnitude.dividingFullWidth(product)
    let whole = Int64(truncatingIfNeeded: quotient)
    guard value < 0 else { return whole }
    return remainder == 0 ? -whole : -whole - 1
  }
}
