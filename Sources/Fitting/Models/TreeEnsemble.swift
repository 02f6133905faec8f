/// A sum of regression trees: what boosting leaves behind, its own or LightGBM's.
///
///     L(r) = Σ_t value of the leaf of tree t that r falls into
///
/// A node sends r left if r_j ≤ its threshold, j being its domain. Nodes of all trees lie one after
/// the other; a child is the index of a node, or −1 − l for leaf l.
///
/// - r: shares `[domain]`.
/// - L: the loss in nats per token.
package struct TreeEnsemble: Sendable, Equatable, Codable, LossModel {
  /// The number of domains that shares are of.
  package let domainCount: Int
  /// Where each tree begins `[tree]`: the index of its first node, or −1 − l if it is leaf l alone.
  package private(set) var roots: [Int32] = []
  /// The domain that each node looks at `[node]`.
  package private(set) var domains: [Int32] = []
  /// The largest share that goes left `[node]`.
  package private(set) var thresholds: [Double] = []
  /// The left children `[node]`.
  package private(set) var left: [Int32] = []
  /// The right children `[node]`.
  package private(set) var right: [Int32] = []
  /// What the leaves add `[leaf]`, in nats per token.
  package private(set) var values: [Double] = []

  /// Creates an ensemble without trees, which predicts 0.
  package init(domainCount: Int) { self.domainCount = domainCount }

  /// The number of trees.
  package var treeCount: Int { roots.count }

  /// One tree, with children counted from its own first node and leaf.
  package struct Tree: Sendable {
    /// The domain that each node looks at.
    package var domains: [Int] = []
    /// The largest share that goes left.
    package var thresholds: [Double] = []
    /// The left children: a node of this tree, or −1 − l.
    package var left: [Int] = []
    /// The right children.
    package var right: [Int] = []
    /// What the leaves add.
    package var values: [Double] = []

    /// Creates a tree without nodes.
    package init() {}

    /// Whether every child is a node behind its parent or a leaf of this tree, and every domain one
    /// of so many: then every walk down the tree ends.
    package func isWhole(domainCount: Int) -> Bool {
      let nodeCount = domains.count
      guard values.count == nodeCount + 1, thresholds.count == nodeCount,
        left.count == nodeCount, right.count == nodeCount, values.allSatisfy(\.isFinite)
      else { return false }
      return (0..<nodeCount).allSatisfy { node in
        (0..<domainCount).contains(domains[node]) && !thresholds[node].isNaN
          && [left[node], right[node]].allSatisfy { child in
            child >= 0 ? child > node && child < nodeCount : -1 - child < values.count
          }
      }
    }
  }

  /// Appends a tree.
  ///
  /// - Precondition: it is whole.
  package mutating func append(_ tree: Tree) {
    assert(tree.isWhole(domainCount: domainCount), "a tree that is not whole")
    let (firstNode, firstLeaf) = (Int32(domains.count), Int32(values.count))
    func child(_ index: Int) -> Int32 {
      index >= 0 ? firstNode + Int32(index) : Int32(index) - firstLeaf
    }
    roots.append(tree.domains.isEmpty ? -1 - firstLeaf : firstNode)
    domains += tree.domains.map(Int32.init)
    thresholds += tree.thresholds
    left += tree.left.map(child)
    right += tree.right.map(child)
    values += tree.values
  }

  /// Takes off all trees but the first ones.
  package mutating func keepFirst(_ count: Int) {
    guard count < treeCount else { return }
    var kept = TreeEnsemble(domainCount: domainCount)
    kept.roots = Array(roots[..<count])
    // The first leaf and node of the first tree that goes.
    let nodeEnd = (count..<treeCount).first { roots[$0] >= 0 }.map { Int(roots[$0]) }
    let nodeCount = nodeEnd ?? domains.count
    kept.domains = Array(domains[..<nodeCount])
    kept.thresholds = Array(thresholds[..<nodeCount])
    kept.left = Array(left[..<nodeCount])
    kept.right = Array(right[..<nodeCount])
    // A tree has one leaf more than it has nodes.
    kept.values = Array(values[..<(nodeCount + count)])
    self = kept
  }

  /// Returns the predicted loss.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: L, in nats per token.
  package func loss(of shares: [Double]) -> Double {
    precondition(shares.count == domainCount, "\(shares.count) shares of \(domainCount) domains")
    var sum = 0.0
    shares.withUnsafeBufferPointer { shares in
      for root in roots {
        var node = Int(root)
        while node >= 0 {
          let goesLeft = shares[Int(domains[node])] <= thresholds[node]
          node = Int(goesLeft ? left[node] : right[node])
        }
        sum += values[-1 - node]
      }
    }
    return sum
  }

  private enum CodingKeys: String, CodingKey {
    case domainCount = "domain_count"
    case roots, domains, thresholds, left, right, values
  }

  /// Reads an ensemble and checks that every walk down a tree ends in a leaf.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    domainCount = try container.decode(Int.self, forKey: .domainCount)
    roots = try container.decode([Int32].self, forKey: .roots)
    domains = try container.decode([Int32].self, forKey: .domains)
    thresholds = try container.decode([Double].self, forKey: .thresholds)
    left = try container.decode([Int32].self, forKey: .left)
    right = try container.decode([Int32].self, forKey: .right)
    values = try container.decode([Double].self, forKey: .values)
    guard isWhole else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: container.codingPath, debugDescription: "trees that are not whole"))
    }
  }

  private var isWhole: Bool {
    let nodeCount = domains.count
    guard domainCount >= 1, nodeCount <= Int(Int32.max), thresholds.count == nodeCount,
      left.count == nodeCount, right.count == nodeCount,
      values.count == nodeCount + roots.count
    else { return false }
    func isPlace(_ place: Int32, behind node: Int) -> Bool {
      place >= 0 ? Int(place) > node && Int(place) < nodeCount : -1 - Int(place) < values.count
    }
    return roots.allSatisfy { isPlace($0, behind: -1) }
      && (0..<nodeCount).allSatisfy { node in
        (0..<domainCount).contains(Int(domains[node])) && isPlace(left[node], behind: node)
          && isPlace(right[node], behind: node)
      }
  }
}
