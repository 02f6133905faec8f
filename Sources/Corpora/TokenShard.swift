/// An open shard whose tokens are read from any place, by any thread.
package protocol TokenShard: Sendable {
  /// Which shard this is, for errors.
  var place: ShardPlace { get }

  /// The file that holds the tokens, as it was when it was opened.
  var fileVersion: FileVersion { get }

  /// Reads the whole shard and compares it with the hashes that its index records; does nothing
  /// where none is recorded.
  ///
  /// Called before the first token is handed out, unless the same ``fileVersion`` was found whole
  /// before; `activity` is told how far it is.
  func verify(_ activity: ReadActivity?) throws(CorpusError)

  /// Writes tokens `range` of the shard into `memory`, as little-endian tokens of `width`.
  ///
  /// - Precondition: `range` lies within the shard's tokens, and `memory` has exactly room for
  ///   them.
  func read(_ range: Range<Int>, into memory: UnsafeMutableRawBufferPointer, width: TokenWidth)
    throws(CorpusError)
}

/// The tokens of one shard in order, from its beginning; used by one thread at a time.
package protocol TokenStream: AnyObject {
  /// Which shard this is, for errors.
  var place: ShardPlace { get }

  /// The file that holds the tokens, as it was when it was opened.
  var fileVersion: FileVersion { get }

  /// Reads the whole shard and compares it with the hashes that its index records; does nothing
  /// where none is recorded.
  ///
  /// Called before the first token is read, unless the same ``fileVersion`` was found whole before.
  func verify() throws(CorpusError)

  /// Passes over tokens, of which there must be as many.
  func skip(_ tokenCount: Int) throws(CorpusError)

  /// Writes the next tokens into `memory`, as little-endian tokens of `width`.
  ///
  /// - Returns: How many tokens were written: as many as fit, fewer only at the shard's end.
  func read(into memory: UnsafeMutableRawBufferPointer, width: TokenWidth) throws(CorpusError)
    -> Int
}
