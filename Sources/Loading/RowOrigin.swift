internal import Corpora

/// Where in the corpus a row comes from.
///
/// Found by arithmetic from the row's position; nothing is read. Which document the row begins in,
/// ``DocumentFinder`` finds out.
public struct RowOrigin: Sendable, Equatable {
  /// The index of the row's domain.
  public let domainIndex: Int
  /// The row's place in its domain's order, counted over all epochs from 0.
  public let position: Int
  /// The domain's epoch, counted from 0.
  public let epoch: Int
  /// The index of the shard among those of its domain and split.
  public let shardIndex: Int
  /// The shard's path below the corpus folder.
  public let shardPath: String
  /// The tokens of the shard before the row's first token.
  public let tokenOffset: Int
}

/// What is needed to say where a position of a domain lies.
struct RowSources: Sendable {
  private let orders: [DomainOrder]
  private let shardPaths: [[String]]

  /// Sources of no domain.
  init() {
    orders = []
    shardPaths = []
  }

  /// The sources of the domains of `corpus`, which are read in `orders`.
  init(corpus: Corpus, split: Split, orders: [DomainOrder]) {
    self.orders = orders
    shardPaths = corpus.domains.map { $0.shards[split, default: []].map(\.path) }
  }

  func origin(domain: Int, position: Int) -> RowOrigin? {
    let order = orders[domain]
    guard let place = order.tokenPlace(at: position) else { return nil }
    return RowOrigin(
      domainIndex: domain, position: position, epoch: order.place(of: position).pool.epoch,
      shardIndex: place.shard, shardPath: shardPaths[domain][place.shard],
      tokenOffset: place.tokenOffset)
  }
}

extension BatchFacts {
  /// Returns the place of `row` in its domain's order, counted over all epochs from 0.
  ///
  /// - Precondition: The batch has that row.
  public func position(ofRow row: Int) -> Int {
    precondition((0..<rowCount).contains(row), "row \(row) is not in 0..<\(rowCount)")
    return storage.positionOfRow[row]
  }

  /// Returns where in the corpus `row` comes from; reads nothing.
  ///
  /// - Returns: The place, or nil for a row of text that was tokenized while it was read.
  /// - Precondition: The batch has that row.
  public func origin(ofRow row: Int) -> RowOrigin? {
    storage.sources.origin(domain: domainIndex(ofRow: row), position: position(ofRow: row))
  }
}
