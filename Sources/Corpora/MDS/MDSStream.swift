/// The tokens of an MDS shard from its beginning, compressed or not.
///
/// It keeps 64 KiB of content, the decoder's window, and for a compressed shard whose samples
/// differ in size four bytes for each sample.
package final class MDSStream: TokenStream {
  package let place: ShardPlace

  private let entry: MDSShardEntry
  private let layout: MDSLayout
  private let tokenizer: TokenizerDescription
  private let file: FileReader
  private var walker: MDSWalker?

  /// Opens the shard that `entry` describes; its content is read when tokens are.
  ///
  /// `folder` is the one that was read for `entry`. A token that the vocabulary does not have is an
  /// error when it is read.
  package init(
    _ entry: MDSShardEntry, column: MDSColumn, tokenizer: TokenizerDescription, folder: String,
    domain: String, access: FileAccess = .direct, activity: ReadActivity? = nil
  ) throws(CorpusError) {
    self.entry = entry
    self.tokenizer = tokenizer
    (file, place) = try entry.open(
      in: folder, domain: domain, access: access, activity: activity)
    layout = try MDSLayout(entry, column, path: place.path)
  }

  package var fileVersion: FileVersion { file.version }

  /// Reads the whole shard and compares it with what is known of it, before any token is handed
  /// out; the tokens themselves are read anew after that.
  ///
  /// 1. The stored file with its recorded hash, if that is known.
  /// 2. Else the content with its hash, if that is known, or each frame with zstd's checksum, if
  ///    the first frame has one. That costs a decoding of the shard.
  /// 3. Else nothing.
  package func verify() throws(CorpusError) {
    if try entry.verifyHash(of: file, at: place) { return }
    if entry.compression != nil { try entry.verifyContent(of: file, at: place) }
  }

  package func read(into memory: UnsafeMutableRawBufferPointer, width: TokenWidth)
    throws(CorpusError) -> Int
  {
    try opened().read(into: memory, width: width)
  }

  /// Passes over tokens, of which there must be as many; a little faster than reading them.
  package func skip(_ tokenCount: Int) throws(CorpusError) {
    try opened().skip(tokenCount)
  }

  private func opened() throws(CorpusError) -> MDSWalker {
    if let walker { return walker }
    let walker = MDSWalker()
    try walker.open(entry, layout, tokenizer, file: file, place: place)
    self.walker = walker
    return walker
  }
}
