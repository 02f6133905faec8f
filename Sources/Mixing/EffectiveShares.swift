/// The mixture that is really drawn from once domains are exhausted.
///
/// With X the exhausted domains, q what the policy asks for, E = Σ q over X and D = 2^48 − E:
///
/// 1. D > 0: q'_j = q_j + floor(E · q_j / D) outside X, and 0 in X. What the floors leave of 2^48
///    goes to the lowest j outside X with q_j > 0.
/// 2. D = 0, no asked weight is left: q' are the integer shares, by largest remainder, of the
///    sequences that the domains outside X have left.
/// 3. No domain is outside X: there is no mixture, the data has ended.
public enum EffectiveShares {
  /// Writes the effective shares.
  ///
  /// - Parameters:
  ///   - asked: q, the policy's shares `[domain]`, summing to 2^48.
  ///   - isExhausted: membership in X, `[domain]`.
  ///   - sequencesLeft: for rule 2, the sequences left below the cap `[domain]`, or those of one
  ///     epoch for a domain without a cap; ≥ 1 outside X.
  ///   - effective: where q' is written, `[domain]`. Not written by rule 3.
  /// - Returns: false if every domain is exhausted.
  /// - Complexity: O(K) by rule 1 and O(K²) by rule 2, without allocation.
  public static func write(
    asked: UnsafeBufferPointer<Int64>, isExhausted: UnsafeBufferPointer<Bool>,
    sequencesLeft: UnsafeBufferPointer<Int64>, into effective: UnsafeMutableBufferPointer<Int64>
  ) -> Bool {
    let count = asked.count
    precondition(
      isExhausted.count == count && sequencesLeft.count == count && effective.count == count,
      "every buffer holds one value for each of \(count) domains")
    var remaining: Int64 = 0
    var isAnyLeft = false
    for index in 0..<count where !isExhausted[index] {
      isAnyLeft = true
      remaining += asked[index]
    }
    guard isAnyLeft else { return false }
    guard remaining > 0 else {
      IntegerShares.round(count: count, into: effective) { index in
        isExhausted[index] ? 0 : Double(sequencesLeft[index])
      }
      return true
    }
    let exhausted = Mixture.one - remaining
    var rest = Mixture.one
    var lowest = -1
    for index in 0..<count {
      guard !isExhausted[index], asked[index] > 0 else {
        effective[index] = 0
        continue
      }
      if lowest < 0 { lowest = index }
      let gained = WideDivision.floor(exhausted, times: asked[index], over: remaining)
      effective[index] = asked[index] + gained
      rest -= effective[index]
    }
    if lowest >= 0 { effective[lowest] += rest }
    return true
  }

  /// Returns the effective mixture as a value, for callers off the hot path.
  ///
  /// - Parameters:
  ///   - asked: the policy's mixture.
  ///   - isExhausted: which domains are exhausted, `[domain]`.
  ///   - sequencesLeft: as for ``write(asked:isExhausted:sequencesLeft:into:)``.
  /// - Returns: the effective mixture, or nil if every domain is exhausted.
  /// - Precondition: both arrays have one value per domain of the mixture.
  public static func mixture(
    asked: Mixture, isExhausted: [Bool], sequencesLeft: [Int64]
  ) -> Mixture? {
    var shares = [Int64](repeating: 0, count: asked.domainCount)
    let isAnyLeft = asked.integerShares.withUnsafeBufferPointer { asked in
      isExhausted.withUnsafeBufferPointer { isExhausted in
        sequencesLeft.withUnsafeBufferPointer { sequencesLeft in
          shares.withUnsafeMutableBufferPointer { shares in
            write(
              asked: asked, isExhausted: isExhausted, sequencesLeft: sequencesLeft, into: shares)
          }
        }
      }
    }
    return isAnyLeft ? try? Mixture(integerShares: shares) : nil
  }
}
