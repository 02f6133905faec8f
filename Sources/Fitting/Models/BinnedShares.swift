/// Shares sorted into few bins, in which a tree looks for its splits.
///
/// A domain's shares become at most B bins. A bin of 0 alone comes first, since a domain that was
/// not drawn is unlike one of which little was. Then equal or neighboring shares join until a bin
/// has at least m rows, and more where there would be too many bins. A threshold between two bins
/// lies in the middle between their nearest shares.
///
/// - B: ``binLimit``, m: ``rowMinimum``.
///
/// Source: Ke et al. 2017, *LightGBM*, section 2 (histogram-based algorithm), with the defaults of
/// its release.
///
/// Departures from the source: where there are more different shares than bins, bins have equal
/// numbers of rows; LightGBM first gives frequent shares bins of their own.
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
    var bounds: [Double] = []
    var binCount = 0
    var rowsLeft = column.count
    for (index, entry) in distinct.enumerated().dropLast() {
      binCount += entry.count
      rowsLeft -= entry.count
      let next = distinct[index + 1]
      let binsLeft = binLimit - bounds.count
      let even = (binCount + rowsLeft) / max(1, binsLeft)
      let least = distinct.count > binLimit ? max(rowMinimum, even) : rowMinimum
      let isZero = entry.share == 0
      guard isZero || binCount >= least, bounds.count < binLimit - 1 else { continue }
      bounds.append(entry.share + (next.share - entry.share) / 2)
      binCount = 0
    }
    return bounds
  }
}
