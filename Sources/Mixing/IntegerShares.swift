/// How weights become integers that sum to 2^48.
package enum IntegerShares {
  /// Rounds weights to shares by largest remainder, without allocating.
  ///
  /// With x_i = w_i / Σ w · 2^48, in `Double`, the sum taken from the lowest index up:
  ///
  /// 1. q_i = floor(x_i), but 1 where x_i < 1 and w_i > 0. Such a share counts with a fractional
  ///    part of 0 from here on, because it has been rounded up already.
  /// 2. While Σ q < 2^48: +1 to the positive weights by falling fractional part, the lower index on
  ///    ties; when all have been served, from the start again.
  /// 3. While Σ q > 2^48 (rule 1 gave too much): −1 from the largest q, the lower index on ties.
  ///
  /// - Parameters:
  ///   - count: K, the number of domains, ≥ 1.
  ///   - shares: where q is written, `[domain]`.
  ///   - weight: w of a domain index; finite, ≥ 0, not all 0, with a finite sum.
  /// - Complexity: O(K·R) with R ≤ K the remainder to hand out. Mixtures are made once a step.
  package static func round(
    count: Int, into shares: UnsafeMutableBufferPointer<Int64>, weight: (Int) -> Double
  ) {
    precondition(shares.count >= count, "\(shares.count) shares cannot hold \(count) domains")
    var sum = 0.0
    for index in 0..<count { sum += weight(index) }
    var left = Mixture.one
    for index in 0..<count {
      let value = weight(index)
      var share = Int64(exact(value, of: sum))
      if value > 0, share == 0 { share = 1 }
      shares[index] = share
      left -= share
    }
    if left > 0 {
      handOut(left, count: count, sum: sum, into: shares, weight: weight)
    }
    while left < 0 {
      var largest = 0
      for index in 1..<count where shares[index] > shares[largest] { largest = index }
      shares[largest] -= 1
      left += 1
    }
  }

  private static func exact(_ weight: Double, of sum: Double) -> Double {
    weight / sum * Double(Mixture.one)
  }

  /// Rule 2: walks the positive weights by (falling fraction, rising index), one +1 each.
  private static func handOut(
    _ remainder: Int64, count: Int, sum: Double,
    into shares: UnsafeMutableBufferPointer<Int64>, weight: (Int) -> Double
  ) {
    var left = remainder
    // The last one served; nothing has a fraction of 2, so the first search starts at the top.
    var last = (fraction: 2.0, index: -1)
    while left > 0 {
      var best = (fraction: -1.0, index: -1)
      for index in 0..<count {
        let value = weight(index)
        guard value > 0 else { continue }
        let x = exact(value, of: sum)
        let fraction = x < 1 ? 0 : x - x.rounded(.down)
        let isAfterLast =
          fraction < last.fraction || (fraction == last.fraction && index > last.index)
        if isAfterLast, fraction > best.fraction { best = (fraction, index) }
      }
      guard best.index >= 0 else {
        last = (2.0, -1)
        continue
      }
      shares[best.index] += 1
      last = best
      left -= 1
    }
  }
}
