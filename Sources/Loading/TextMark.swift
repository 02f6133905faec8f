public import Corpora

/// Where a domain of text stands: the beginning of one of its pools.
///
/// Of text nobody knows how many tokens come before a place, so that a position alone does not find
/// it; with a mark, the pool is decoded again from its own beginning.
public struct TextMark: Sendable, Equatable, Codable {
  /// The position of the pool's first sequence in the domain's order, over all epochs.
  public var position: Int
  /// The epoch, counted from 0.
  public var epoch: Int
  /// The pool, counted from 0 in each epoch.
  public var pool: Int
  /// The place of the file in the epoch's order of files.
  public var shardRank: Int
  /// The place in the file.
  public var cursor: TextCursor
  /// The token before the place, which the pool's first sequence begins with; nil at the beginning
  /// of a file.
  public var carry: UInt32?

  private enum CodingKeys: String, CodingKey {
    case position, epoch, pool, cursor, carry
    case shardRank = "shard_rank"
  }

  /// The beginning of an epoch.
  init(position: Int, epoch: Int) {
    self.position = position
    self.epoch = epoch
    pool = 0
    shardRank = 0
    cursor = TextCursor()
  }

  /// The pool that begins here.
  var place: DomainOrder.Pool { DomainOrder.Pool(epoch: epoch, index: pool) }

  /// Whether no number is negative.
  var isSound: Bool {
    [position, epoch, pool, shardRank].allSatisfy { (0...(1 << 60)).contains($0) }
      && cursor.isSound
  }
}
