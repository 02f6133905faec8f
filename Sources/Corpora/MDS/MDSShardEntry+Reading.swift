/// How many tokens a shard has.
package struct MDSCount: Sendable, Equatable {
  /// The tokens, the end-of-texts that the sample rule adds included.
  package var tokenCount: Int
  /// The documents, where each sample is one: the samples.
  package var documentCount: Int
  /// The number of tokens in every sample as it lies, without an end-of-text; nil where samples
  /// differ, and where there is none.
  package var sampleTokenCount: Int?
}

extension MDSShardEntry {
  /// Counts the tokens of a column, exactly.
  ///
  /// 1. From the entry alone where the column's values have one size.
  /// 2. Else from the shard's table of offsets where no other column varies in size: of a
  ///    compressed shard its beginning is decoded.
  /// 3. Else from the whole shard.
  ///
  /// Where each sample is to be a sequence, samples that differ are an error. `folder` is the one
  /// that was read for this entry.
  package func count(
    _ column: MDSColumn, in folder: String, domain: String, access: FileAccess = .direct
  ) throws(CorpusError) -> MDSCount {
    let layout = try MDSLayout(self, column, path: folder + "/" + path)
    if let scan = scan(layout) { return MDSCount(scan, entry: self) }
    let (file, place) = try open(in: folder, domain: domain, access: access)
    let walker = MDSWalker()
    let any = TokenizerDescription(name: "", vocabularySize: 0, endOfText: 0)
    try walker.open(self, layout, any, file: file, place: place)
    return MDSCount(try walker.scan(layout, markingEvery: nil), entry: self)
  }

  /// What the entry alone says of the tokens; nil where the shard must be looked at.
  func scan(_ layout: MDSLayout) -> MDSWalker.Scan? {
    guard case .constant(let count) = layout.counting else { return nil }
    // At most 2^24 samples of less than 2^32 tokens.
    let each = count + (layout.samples == .joinedWithEndOfText ? 1 : 0)
    return MDSWalker.Scan(
      tokenCount: sampleCount * each, sampleTokenCount: sampleCount > 0 ? count : nil)
  }

  /// Opens the stored file, which must have the recorded size.
  func open(
    in folder: String, domain: String, access: FileAccess, activity: ReadActivity? = nil
  ) throws(CorpusError) -> (FileReader, ShardPlace) {
    let place = ShardPlace(domain: domain, path: folder + "/" + path)
    let file = try FileReader(path: place.path, access: access, activity: activity)
    let recorded = compression == nil ? rawByteCount : storedByteCount
    guard file.byteCount == recorded else {
      throw .shardDiffers(
        place, field: "size in bytes", recorded: UInt64(recorded), found: UInt64(file.byteCount))
    }
    return (file, place)
  }

  /// Compares the stored file with the first of its recorded hashes that is known.
  ///
  /// - Returns: false where none is.
  @discardableResult
  func verifyHash(of file: FileReader, at place: ShardPlace, _ activity: ReadActivity? = nil)
    throws(CorpusError) -> Bool
  {
    guard let algorithm = HashAlgorithm.best(of: storedHashes.keys) else { return false }
    try Self.expect(try file.hash(algorithm, activity), storedHashes, algorithm, at: place)
    return true
  }

  /// Whether a recorded hash or zstd's own checksum tells damage of the stored file from data.
  ///
  /// Of several frames each may have a checksum or none: only one frame that holds all of the
  /// content, and says so, speaks for the shard.
  func isProtected(_ file: FileReader) throws(CorpusError) -> Bool {
    if hasHash || compression == nil { return hasHash }
    guard let header = try ZstdFrameHeader.first(of: file) else { return false }
    return header.hasChecksum && header.contentByteCount == rawByteCount
  }

  /// Decodes a compressed file, where that verifies something, and compares its content with its
  /// hash.
  func verifyContent(of file: FileReader, at place: ShardPlace) throws(CorpusError) {
    let algorithm = HashAlgorithm.best(of: rawHashes.keys)
    if algorithm == nil, try ZstdFrameHeader.first(of: file)?.hasChecksum != true { return }
    let content = MDSContent()
    content.open(try ZstdFeed(file), place: place, byteCount: rawByteCount)
    var hash = algorithm.map { RunningHash($0) }
    while content.position < rawByteCount {
      let bytes = try content.next(1)
      hash?.add(bytes)
      content.consume(bytes.count)
    }
    try content.expectEnd()
    if let algorithm, let hash { try Self.expect(hash.text, rawHashes, algorithm, at: place) }
  }

  private static func expect(
    _ found: String, _ hashes: [String: String], _ algorithm: HashAlgorithm, at place: ShardPlace
  ) throws(CorpusError) {
    let recorded = hashes.first { $0.key.lowercased() == algorithm.rawValue }?.value ?? ""
    guard recorded.lowercased() == found else {
      throw .hashDiffers(place, algorithm, recorded: recorded, found: found)
    }
  }
}

extension MDSCount {
  fileprivate init(_ scan: MDSWalker.Scan, entry: MDSShardEntry) {
    tokenCount = scan.tokenCount
    documentCount = entry.sampleCount
    sampleTokenCount = scan.sampleTokenCount
  }
}
