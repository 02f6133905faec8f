/// What was found wrong with a corpus, where, and what was expected there.
public enum CorpusError: Error {
  /// The file or folder at `path` does not open; `code` is errno.
  case cannotOpen(path: String, code: Int32)
  /// Reading at `byteOffset` failed and kept failing; `code` is errno.
  case cannotRead(path: String, byteOffset: Int, code: Int32)
  /// Something did not come to an end in time; it may pass.
  case timedOut(Stall)
  /// So many calls for files have not come back that no other is begun, such as one for `path`.
  case readsHang(path: String, count: Int)
  /// The file ends at `fileByteCount` although `byteCount` bytes at `byteOffset` belong to it.
  case endsEarly(path: String, byteOffset: Int, byteCount: Int, fileByteCount: Int)
  /// Writing at `byteOffset` failed; `code` is errno. What stood at the final name stands
  /// unchanged.
  case cannotWrite(path: String, byteOffset: Int, code: Int32)
  /// A finished file did not get its final name; `code` is errno.
  case cannotRename(path: String, newPath: String, code: Int32)
  /// A file is larger than its kind may be.
  case tooLarge(path: String, byteCount: Int, limit: Int)
  /// A JSON file does not have the form that it must have.
  case malformedJSON(path: String, underlying: any Error)
  /// A file was made by a format, or a version of it, that this program does not read.
  case unsupportedFormat(path: String, field: String, found: String, supported: String)
  /// A number in a manifest lies outside its limits.
  case manifestValue(path: String, field: String, value: Int, allowed: ClosedRange<Int>)
  /// A name in a manifest is empty, repeated, or holds what a name may not hold.
  case manifestName(path: String, field: String, name: String)
  /// A path in a manifest is absolute or climbs out of the corpus.
  case unsafePath(path: String, entry: String)
  /// A recorded fingerprint is not the one of what the manifest records.
  case fingerprintDiffers(path: String, domain: String, recorded: String, computed: String)
  /// The corpus has no domain of that name.
  case unknownDomain(name: String, known: [String])
  /// A corpus spec asks for what cannot be.
  case spec(path: String, domain: String, SpecFault)
  /// A shard is not the one that the manifest records.
  case shardDiffers(ShardPlace, field: String, recorded: UInt64, found: UInt64)
  /// A shard's index is whole, but not the one that the manifest records.
  case shardChecksum(ShardPlace, recorded: UInt64, found: UInt64)
  /// The index at the end of a shard is damaged.
  case indexDamaged(ShardPlace, byteOffset: Int, IndexFault)
  /// A frame is damaged.
  case frameDamaged(ShardPlace, frame: Int, byteOffset: Int, FrameFault)
  /// A frame could not be read; the error beneath says why.
  indirect case frameUnreadable(ShardPlace, frame: Int, underlying: CorpusError)
  /// The text of a domain holds no whole sequence of T + 1 tokens.
  case tooLittleText(domain: String, sequenceLength: Int)
  /// libzstd refused to make a context or to compress; `code` is its error code.
  case compressionFailed(code: Int)
  /// A document's text is not what it must be.
  case document(DocumentFault, at: TextPlace)
  /// A compressed text file is damaged; `byteOffset` is how far the compressed file was read.
  case textFrame(TextFrameFault, path: String, frame: Int, byteOffset: Int)
  /// Packing was asked for what cannot be done, or met what it must not pass over.
  case packing(PackingFault)
  /// A corpus was not written in another format.
  case export(ExportFault)
  /// An `index.json` of MDS does not say what it must; `shard` counts its shards from 0.
  case mdsIndex(path: String, shard: Int?, MDSIndexFault)
  /// A column of MDS shards does not give tokens.
  case mdsColumn(path: String, column: String, MDSColumnFault)
  /// An MDS shard is damaged; `byteOffset` counts the bytes of its content, uncompressed.
  case mdsDamaged(ShardPlace, sample: Int?, byteOffset: Int, MDSFault)
  /// A token of another program's shard is not in the vocabulary; `byteOffset` counts the bytes of
  /// the shard's content, uncompressed, and `sample` its samples from 0 where it has any.
  case foreignToken(
    ShardPlace, sample: Int?, byteOffset: Int, token: Int, vocabularySize: Int)
  /// A file's hash is not the one that its index records.
  case hashDiffers(ShardPlace, HashAlgorithm, recorded: String, found: String)
  /// A Megatron `.idx` file is damaged, or does not fit its `.bin`.
  case megatronDamaged(ShardPlace, byteOffset: Int, MegatronFault)
}

/// Which shard an error speaks of.
public struct ShardPlace: Sendable, Equatable {
  /// The domain's name.
  public let domain: String
  /// The shard's path, as it was opened.
  public let path: String

  /// Names a shard.
  public init(domain: String, path: String) {
    self.domain = domain
    self.path = path
  }
}

/// What is wrong with a shard's index.
public enum IndexFault: Sendable, Equatable {
  /// The file is too short to hold an index.
  case missing(fileByteCount: Int)
  /// The last bytes are not the footer of a seek table.
  case footer(found: UInt32)
  /// A length in the index does not fit the file.
  case length(recorded: Int, allowed: ClosedRange<Int>)
  /// A skippable frame or the index does not begin as it must.
  case magic(expected: UInt64, found: UInt64)
  /// The index has another version.
  case version(found: UInt32, supported: UInt32)
  /// The index's own checksum does not hold.
  case checksum(recorded: UInt64, computed: UInt64)
  /// Two numbers that must agree do not.
  case contradiction(field: String, expected: Int, found: Int)
}

/// What is wrong with a frame.
public enum FrameFault: Sendable, Equatable {
  /// libzstd found the damage; `name` is its error's name.
  case zstd(name: String)
  /// The file, which was whole when it was opened, ends before the frame does.
  case truncated(fileByteCount: Int)
  /// The frame decodes to another number of bytes than the index records.
  case byteCount(recorded: Int, found: Int)
  /// The compressed bytes are not those that were written.
  case hash(recorded: UInt64, found: UInt64)
  /// The frame's checksum is not the one that the index records.
  case checksum(recorded: UInt32, found: UInt32)
  /// The frame's first token is not the one that the index records.
  case firstToken(recorded: UInt32, found: UInt32)
  /// A token is not in the vocabulary; `position` counts tokens in the frame from 0.
  case token(position: Int, token: UInt32, vocabularySize: Int)
  /// The number of end-of-text tokens in the frame is not the number of documents that the index
  /// records for it.
  case documentCount(recorded: Int, found: Int)
}
