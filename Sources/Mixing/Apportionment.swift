/// Which domain each draw goes to, so that what is drawn keeps to what is asked.
///
/// A draw is one row, or one micro-batch where rows are grouped. Every domain has a credit, what it
/// is owed, in parts of 2^48 per draw:
///
///     c ← c + q;  winner = the largest c among q > 0, the lower index on ties;  c[winner] −= 2^48
///
/// - c: ``credits`` `[domain]`, with Σ c = 0 after every draw.
/// - q: the integer shares `[domain]` of the effective mixture, Σ q = 2^48.
///
/// So drawn − asked = −c / 2^48, exactly, for every domain and after every draw, whatever the
/// weights did. While no weight is 0 it lies in [−(H_K − 1), 1 − 1/K], H_K = 1 + 1/2 + … + 1/K;
/// with zeros, |drawn − asked| ≤ 3(K − 1)/2. A domain of weight 0 is never drawn and keeps its
/// credit.
public struct Apportionment: Sendable, Equatable {
  /// c, what each domain is owed, `[domain]`, in parts of 2^48 per draw, summing to 0.
  public private(set) var credits: [Int64]

  /// The numbers of domains that credits are kept for, 1...4096.
  ///
  /// At 4096 the bound of 3(K − 1)/2 draws is 2^60.6, which leaves room in an `Int64`.
  public static let domainCountRange = 1...4096

  /// The largest credit that a checkpoint may hold, in either direction: 8192 draws.
  private static let creditLimit = Mixture.one << 13

  /// The most that a checkpoint may owe to all domains together, wider than an `Int64`: 3(K − 1)/2
  /// draws, K = 4096, to half of them.
  private static let owedLimit =
    Int128(Mixture.one) * 3 * Int128(domainCountRange.upperBound - 1)
    * Int128(domainCountRange.upperBound) / 4

  /// Creates the state before the first draw: nothing is owed.
  ///
  /// - Parameter domainCount: K, the number of domains.
  /// - Precondition: `domainCount` is in ``domainCountRange``.
  public init(domainCount: Int) {
    precondition(
      Apportionment.domainCountRange.contains(domainCount),
      "\(domainCount) domains; credits are kept for \(Apportionment.domainCountRange)")
    credits = [Int64](repeating: 0, count: domainCount)
  }

  /// Creates the state that a checkpoint holds.
  ///
  /// - Parameter credits: c, one per domain.
  /// - Throws: ``MixingError/domainCountOutOfRange(count:)``,
  ///   ``MixingError/creditOutOfRange(domainIndex:value:)`` or
  ///   ``MixingError/owedOutOfRange(drawCount:)`` for credits that no run reaches, or
  ///   ``MixingError/creditsDoNotSumToZero``.
  public init(credits: [Int64]) throws(MixingError) {
    guard Apportionment.domainCountRange.contains(credits.count) else {
      throw .domainCountOutOfRange(count: credits.count)
    }
    // Half of the credits of many domains may sum to more than an `Int64` holds.
    var (sum, owed) = (Int128(0), Int128(0))
    for (index, credit) in credits.enumerated() {
      guard credit.magnitude <= Apportionment.creditLimit.magnitude else {
        throw .creditOutOfRange(domainIndex: index, value: credit)
      }
      sum += Int128(credit)
      owed += Int128(max(0, credit))
    }
    guard sum == 0 else { throw .creditsDoNotSumToZero }
    guard owed <= Apportionment.owedLimit else {
      throw .owedOutOfRange(drawCount: Int(owed / Int128(Mixture.one)))
    }
    self.credits = credits
  }

  /// Returns the domain of the next draw, which pays for it.
  ///
  /// - Parameter shares: q of the effective mixture, `[domain]`, summing to 2^48.
  /// - Returns: a domain index with q > 0.
  /// - Complexity: O(K), without allocation unless a copy of ``credits`` is held elsewhere; see
  ///   ``copyCredits(into:)``.
  public mutating func nextDomain(shares: UnsafeBufferPointer<Int64>) -> Int {
    precondition(shares.count == credits.count, "\(shares.count) shares, \(credits.count) credits")
    return credits.withUnsafeMutableBufferPointer { credits in
      Apportionment.draw(shares: shares, credits: credits)
    }
  }

  /// Draws until the block is full or a domain has used up what it has left.
  ///
  /// - Parameters:
  ///   - domains: where the domain of each draw is written, `[draw]`.
  ///   - shares: q of the effective mixture, `[domain]`.
  ///   - drawsLeft: how many draws each domain can give before it is exhausted, `[domain]`; each
  ///     draw takes one off its domain. `Int64.max` for a domain that cannot be exhausted. Must be
  ///     ≥ 1 where q > 0.
  /// - Returns: how many draws were made. If it is less than the block's count, or `drawsLeft` of
  ///   the last domain is 0, that domain is exhausted now and the effective mixture has to be made
  ///   anew.
  /// - Complexity: O(draws · K), without allocation as for ``nextDomain(shares:)``.
  public mutating func drawDomains(
    into domains: UnsafeMutableBufferPointer<Int32>, shares: UnsafeBufferPointer<Int64>,
    drawsLeft: UnsafeMutableBufferPointer<Int64>
  ) -> Int {
    precondition(shares.count == credits.count, "\(shares.count) shares, \(credits.count) credits")
    precondition(drawsLeft.count == credits.count, "\(drawsLeft.count) counts of draws left")
    return credits.withUnsafeMutableBufferPointer { credits in
      var count = 0
      while count < domains.count {
        let domain = Apportionment.draw(shares: shares, credits: credits)
        domains[count] = Int32(truncatingIfNeeded: domain)
        count += 1
        guard drawsLeft[domain] != Int64.max else { continue }
        drawsLeft[domain] -= 1
        if drawsLeft[domain] <= 0 { break }
      }
      return count
    }
  }

  /// Hands the credit of a domain that has just become exhausted to the others.
  ///
  ///     c_j += floor(c_x · p_j / Σ p),   floor towards −∞;   c_x = 0
  ///
  /// - x: `domainIndex`.
  /// - p: the asked shares of the domains that are not exhausted, or, if those are all 0, their
  ///   effective shares. What the floors leave goes to the lowest domain with p > 0.
  ///
  /// With no domain left the credit is 0 already, since credits sum to 0 and exhausted ones are 0.
  ///
  /// - Parameters:
  ///   - domainIndex: the domain that became exhausted.
  ///   - asked: the policy's shares, `[domain]`.
  ///   - effective: the effective shares without the domain, `[domain]`; 0 for exhausted domains.
  ///   - isExhausted: true for every exhausted domain, this one included, `[domain]`.
  public mutating func shareCredit(
    ofDomain domainIndex: Int, asked: UnsafeBufferPointer<Int64>,
    effective: UnsafeBufferPointer<Int64>, isExhausted: UnsafeBufferPointer<Bool>
  ) {
    let count = credits.count
    precondition(
      asked.count == count && effective.count == count && isExhausted.count == count,
      "every buffer holds one value for each of \(count) domains")
    precondition(isExhausted[domainIndex], "domain \(domainIndex) is not exhausted")
    let owed = credits[domainIndex]
    guard owed != 0 else { return }
    var askedLeft: Int64 = 0
    var effectiveLeft: Int64 = 0
    for index in 0..<count where !isExhausted[index] {
      askedLeft += asked[index]
      effectiveLeft += effective[index]
    }
    let parts = askedLeft > 0 ? asked : effective
    let sum = askedLeft > 0 ? askedLeft : effectiveLeft
    guard sum > 0 else { return }
    credits[domainIndex] = 0
    // Credits that a run reaches lie far inside an `Int64`; made-up ones wrap, and still sum to 0.
    var rest = owed
    var lowest = -1
    for index in 0..<count where !isExhausted[index] && parts[index] > 0 {
      if lowest < 0 { lowest = index }
      let part = WideDivision.floor(owed, times: parts[index], over: sum)
      credits[index] &+= part
      rest -= part
    }
    if lowest >= 0 { credits[lowest] &+= rest }
  }

  /// Copies the credits to memory of the caller's.
  ///
  /// A checkpoint that keeps ``credits`` itself makes the next draw copy the array; this does not.
  ///
  /// - Parameter destination: where they are written, `[domain]`.
  public func copyCredits(into destination: UnsafeMutableBufferPointer<Int64>) {
    precondition(destination.count >= credits.count, "\(destination.count) places for credits")
    for index in credits.indices { destination[index] = credits[index] }
  }

  /// Sets the credits back to those of an earlier moment of this run, without allocating.
  ///
  /// - Parameter source: what ``copyCredits(into:)`` wrote, `[domain]`.
  public mutating func setCredits(to source: UnsafeBufferPointer<Int64>) {
    precondition(source.count == credits.count, "\(source.count) credits, not \(credits.count)")
    for index in credits.indices { credits[index] = source[index] }
  }

  /// One draw.
  ///
  /// Both buffers hold K values; the caller has checked that.
  private static func draw(
    shares: UnsafeBufferPointer<Int64>, credits: UnsafeMutableBufferPointer<Int64>
  ) -> Int {
    var winner = -1
    var most = Int64.min
    for index in 0..<credits.count {
      let share = shares[index]
      let credit = credits[index] &+ share
      credits[index] = credit
      if share > 0, credit > most {
        most = credit
        winner = index
      }
    }
    precondition(winner >= 0, "no domain has a share")
    credits[winner] &-= Mixture.one
    return winner
  }
}

extension Apportionment: Codable {
  /// Reads the credits, one array of integers, and checks them.
  ///
  /// - Parameter decoder: holds the array.
  /// - Throws: `DecodingError.dataCorrupted` with the ``MixingError`` beneath it if the integers
  ///   cannot be credits; any other `DecodingError` if there are no integers.
  public init(from decoder: any Decoder) throws {
    let credits = try decoder.singleValueContainer().decode([Int64].self)
    do {
      try self.init(credits: credits)
    } catch {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath, debugDescription: error.description,
          underlyingError: error))
    }
  }

  /// Writes the credits as one array of integers.
  ///
  /// - Parameter encoder: takes the array.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(credits)
  }
}
