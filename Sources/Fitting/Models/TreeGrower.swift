/// Grows one tree after the other on the same binned shares, leaf by leaf.
///
/// Every leaf has a histogram: for each bin of each domain the rows in it and the sum of their
/// residuals. Of the two leaves of a split the smaller one's is counted, the other's is what is
/// left.
struct TreeGrower {
  private let shares: BinnedShares
  private let settings: BoostedTrees
  /// The rows, those of a leaf side by side.
  private var rows: [Int32]
  /// Histograms `[leaf][bin of all domains]`, used again by the next tree.
  private var histograms: [[Bin]]

  /// What a bin holds.
  private struct Bin {
    var residual = 0.0
    var count = 0.0
  }

  private struct Leaf {
    var rows: Range<Int>
    var sum: Double
    /// Where the leaf hangs: the node, and on which side; −1 for the root.
    var parent = -1
    var isLeft = true
    var split: Split?
  }

  private struct Split {
    var gain: Double
    var domain: Int
    var bin: Int
    var leftSum: Double
    var leftCount: Int
  }

  init(_ shares: BinnedShares, settings: BoostedTrees) {
    self.shares = shares
    self.settings = settings
    rows = (0..<shares.rowCount).map(Int32.init)
    let binCount = shares.starts.last ?? 0
    let leafLimit = min(settings.leafLimit, max(2, shares.rowCount))
    histograms = [[Bin]](
      repeating: [Bin](repeating: Bin(), count: binCount), count: leafLimit)
  }

  /// Grows a tree on the residuals and takes what it predicts off them.
  ///
  /// - Parameter residuals: g `[row]`: prediction minus loss.
  /// - Returns: the tree with leaf values −η · mean g; nil if nothing can be split.
  mutating func grow(residuals: inout [Double]) -> TreeEnsemble.Tree? {
    var tree = TreeEnsemble.Tree()
    var leaves = [Leaf(rows: 0..<shares.rowCount, sum: residuals.reduce(0, +))]
    fill(histogram: 0, rows: 0..<shares.rowCount, residuals: residuals)
    leaves[0].split = bestSplit(of: leaves[0], histogram: 0)
    while leaves.count < histograms.count, let index = Self.bestLeaf(of: leaves),
      let split = leaves[index].split
    {
      let node = tree.domains.count
      tree.domains.append(split.domain)
      tree.thresholds.append(shares.thresholds[split.domain][split.bin])
      tree.left.append(0)
      tree.right.append(0)
      if leaves[index].parent >= 0 {
        Self.hang(node, on: leaves[index], of: &tree)
      }
      let (left, right) = divided(leaves[index], by: split, node: node)
      leaves[index] = left
      leaves.append(right)
      fillHistograms(of: leaves, left: index, right: leaves.count - 1, residuals: residuals)
      for half in [index, leaves.count - 1] {
        leaves[half].split = bestSplit(of: leaves[half], histogram: half)
      }
    }
    guard leaves.count > 1 else { return nil }
    for (index, leaf) in leaves.enumerated() {
      Self.hang(-1 - index, on: leaf, of: &tree)
      let value = -settings.learningRate * leaf.sum / Double(leaf.rows.count)
      tree.values.append(value)
      for place in leaf.rows { residuals[Int(rows[place])] += value }
    }
    return tree
  }

  private static func hang(_ child: Int, on leaf: Leaf, of tree: inout TreeEnsemble.Tree) {
    if leaf.isLeft { tree.left[leaf.parent] = child } else { tree.right[leaf.parent] = child }
  }

  private static func bestLeaf(of leaves: [Leaf]) -> Int? {
    var best: (index: Int, gain: Double)?
    for (index, leaf) in leaves.enumerated() {
      guard let gain = leaf.split?.gain, gain > best?.gain ?? 0 else { continue }
      best = (index, gain)
    }
    return best?.index
  }

  /// Sorts the leaf's rows into those that go left and those that go right, each in their order.
  private mutating func divided(_ leaf: Leaf, by split: Split, node: Int) -> (Leaf, Leaf) {
    let column = split.domain * shares.rowCount
    var right: [Int32] = []
    var place = leaf.rows.lowerBound
    for from in leaf.rows {
      let row = rows[from]
      if Int(shares.bins[column + Int(row)]) <= split.bin {
        rows[place] = row
        place += 1
      } else {
        right.append(row)
      }
    }
    let middle = place
    for row in right {
      rows[place] = row
      place += 1
    }
    return (
      Leaf(rows: leaf.rows.lowerBound..<middle, sum: split.leftSum, parent: node, isLeft: true),
      Leaf(
        rows: middle..<leaf.rows.upperBound, sum: leaf.sum - split.leftSum, parent: node,
        isLeft: false)
    )
  }

  /// The parent's histogram stands where the left leaf's shall be.
  private mutating func fillHistograms(
    of leaves: [Leaf], left: Int, right: Int, residuals: [Double]
  ) {
    let isLeftSmaller = leaves[left].rows.count < leaves[right].rows.count
    if isLeftSmaller { histograms.swapAt(left, right) }
    let (smaller, larger) = isLeftSmaller ? (left, right) : (right, left)
    fill(histogram: smaller, rows: leaves[smaller].rows, residuals: residuals)
    histograms[smaller].withUnsafeBufferPointer { smaller in
      histograms[larger].withUnsafeMutableBufferPointer { larger in
        for bin in larger.indices {
          larger[bin].residual -= smaller[bin].residual
          larger[bin].count -= smaller[bin].count
        }
      }
    }
  }

  private mutating func fill(histogram: Int, rows range: Range<Int>, residuals: [Double]) {
    let rowCount = shares.rowCount
    histograms[histogram].withUnsafeMutableBufferPointer { bins in
      bins.update(repeating: Bin())
      shares.bins.withUnsafeBufferPointer { columns in
        for domain in 0..<shares.starts.count - 1 {
          let start = shares.starts[domain]
          for place in range {
            let row = Int(rows[place])
            let bin = start + Int(columns[domain * rowCount + row])
            bins[bin].residual += residuals[row]
            bins[bin].count += 1
          }
        }
      }
    }
  }

  /// The split with the largest gain that leaves enough rows on both sides.
  private func bestSplit(of leaf: Leaf, histogram: Int) -> Split? {
    let rowMinimum = Double(settings.rowMinimum)
    let count = Double(leaf.rows.count)
    guard count >= 2 * rowMinimum else { return nil }
    let whole = leaf.sum * leaf.sum / count
    // Below this a gain is rounding: all residuals of the leaf are equal.
    var best = Split(gain: 1e-14 * whole, domain: -1, bin: 0, leftSum: 0, leftCount: 0)
    histograms[histogram].withUnsafeBufferPointer { bins in
      for domain in 0..<shares.starts.count - 1 {
        var (rightSum, rightCount) = (0.0, 0.0)
        // From above, so that of the thresholds that part the rows alike the highest is met first;
        // over an empty bin nothing changes.
        for bin in (shares.starts[domain]..<shares.starts[domain + 1] - 1).reversed() {
          guard bins[bin + 1].count > 0 else { continue }
          rightSum += bins[bin + 1].residual
          rightCount += bins[bin + 1].count
          let leftCount = count - rightCount
          if rightCount < rowMinimum { continue }
          if leftCount < rowMinimum { break }
          let leftSum = leaf.sum - rightSum
          let gain =
            leftSum * leftSum / leftCount + rightSum * rightSum / rightCount - whole
          if gain > best.gain {
            best = Split(
              gain: gain, domain: domain, bin: bin - shares.starts[domain], leftSum: leftSum,
              leftCount: Int(leftCount))
          }
        }
      }
    }
    return best.domain >= 0 ? best : nil
  }
}
