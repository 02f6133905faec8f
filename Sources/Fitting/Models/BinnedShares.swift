/// Shares sorted into few bins, in which a tree looks for its splits.
///
/// A domain's shares become at most B bins. A bin of 0 alone comes first, since a domain that was
/// not drawn is unlike one of which little was. The others:
///
/// 1. If there are no more different shares than bins, neighbors join until a bin has at least m
/// rows.
/// 2. Else a share that alone has as many rows as a bin would on average has a bin of its own, and
///    the rest is dealt to the bins that are left, in order, each with about as many rows as the
///    rest has on average; a bin that is half full ends before a share of the first kind.
///
/// A threshold between two bins lies in the middle between their nearest shares.
///
/// - B: ``binLimit``, m: ``rowMinimum``.
///
/// Source: Ke et al. 2017, *LightGBM*, section 2 (histogram-based algorithm), with the defaults and
/// the rules of its release.
///
/// Departures from the source: the bin of 0 ends in the middle to the next share, too, and not at
/// 1e-35: a share of a millionth is as good as none.
struct BinnedShares: Sendable {
  /// B, as LightGBM has it: 255.
  static let binLimit = 255
  /// m, as LightGBM has it: 3.
  static let rowMinimum = 3

  /// The number of rows.
  let rowCount: Int
  /// The bin of every share `[domain][row]`, flat.
  let bins: [UInt8]
  /// The largest share of each bin but the last `[domain][bin]`.
  let thresholds: [[Double]]
  /// Where each domain's bins begin in a histogram of all domains `[domain + 1]`.
  let starts: [Int]

  init(_ shares: [[Double]], domainCount: Int) {
    rowCount = shares.count
    var bins: [UInt8] = []
    bins.reserveCapacity(domainCount * shares.count)
    var thresholds: [[Double]] = []
    var starts = [0]
    for domain in 0..<domainCount {
      let column = shares.map { $0[domain] }
      let bounds = Self.thresholds(of: column)
      for share in column {
        // The first bin whose bound is not below the share.
        var (low, high) = (0, bounds.count)
        while low < high {
          let middle = (low + high) / 2
          if share <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        bins.append(UInt8(low))
      }
      thresholds.append(bounds)
      starts.append((starts.last ?? 0) + bounds.count + 1)
    }
    self.bins = bins
    self.thresholds = thresholds
    self.starts = starts
  }

  /// The bounds between a column's bins.
  static func thresholds(of column: [Double]) -> [Double] {
    var distinct: [(share: Double, count: Int)] = []
    for share in column.sorted() {
      if let last = distinct.last, last.share == share {
        distinct[distinct.count - 1].count += 1
      } else {
        distinct.append((share, 1))
      }
    }
    guard let first = distinct.first, first.share == 0, distinct.count > 1 else {
      return bounds(between: distinct[...], binLimit: binLimit)
    }
    return [distinct[1].share / 2] + bounds(between: distinct[1...], binLimit: binLimit - 1)
  }

  private static func bounds(
    between distinct: ArraySlice<(share: Double, count: Int)>, binLimit: Int
  ) -> [Double] {
    let rowCount = distinct.reduce(0) { $0 + $1.count }
    let isCrowded = distinct.count > binLimit
    let limit = isCrowded ? max(1, min(binLimit, rowCount / rowMinimum)) : binLimit
    // Rule 2; without a crowd nothing has a bin of its own, and m rows fill one.
    let average = Double(rowCount) / Double(limit)
    func isLarge(_ place: Int) -> Bool { isCrowded && Double(distinct[place].count) >= average }
    var rowsLeft = rowCount
    var binsLeft = limit
    for place in distinct.indices where isLarge(place) {
      rowsLeft -= distinct[place].count
      binsLeft -= 1
    }
    var wanted = isCrowded ? Double(rowsLeft) / Double(binsLeft) : Double(rowMinimum)
    var bounds: [Double] = []
    var filled = 0
    for place in distinct.indices.dropLast() {
      if !isLarge(place) { rowsLeft -= distinct[place].count }
      filled += distinct[place].count
      let isHalf = isLarge(place + 1) && Double(filled) >= max(1, wanted / 2)
      guard isLarge(place) || Double(filled) >= wanted || isHalf else { continue }
      let (share, next) = (distinct[place].share, distinct[place + 1].share)
      bounds.append(share + (next - share) / 2)
      guard bounds.count < limit - 1 else { break }
      filled = 0
      if isCrowded, !isLarge(place) {
        binsLeft -= 1
        wanted = Double(rowsLeft) / Double(binsLeft)
      }
    }
    return bounds
  }
}
