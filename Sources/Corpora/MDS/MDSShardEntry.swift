/// What an MDS index records of one shard.
package struct MDSShardEntry: Sendable, Equatable {
  /// A column of the shard's samples.
  package struct Column: Sendable, Equatable {
    /// The column's name.
    package var name: String
    /// The encoding's name, such as `ndarray:int32`.
    package var encoding: String
    /// The size of each sample's value in bytes; nil where it varies.
    package var byteCount: Int?

    /// Describes a column.
    package init(name: String, encoding: String, byteCount: Int?) {
      self.name = name
      self.encoding = encoding
      self.byteCount = byteCount
    }
  }

  /// The stored file's path below the folder that was read.
  package var path: String
  /// The number of samples, 0 included.
  package var sampleCount: Int
  /// The size of the uncompressed shard in bytes.
  package var rawByteCount: Int
  /// The size of the stored file in bytes.
  package var storedByteCount: Int
  /// nil, or `zstd` with a level or without.
  package var compression: String?
  /// The columns, in the order in which samples hold them.
  package var columns: [Column]
  /// Hashes of the uncompressed shard in lowercase hexadecimal digits, by the algorithm's name.
  package var rawHashes: [String: String]
  /// Hashes of the stored file; those of ``rawHashes`` where that is the stored file.
  package var storedHashes: [String: String]

  /// The most bytes of an uncompressed shard: offsets have 32 bits.
  static let byteLimit = Int(UInt32.max)
  /// The most samples of a shard; a reader of a compressed one keeps four bytes for each.
  package static let sampleLimit = 1 << 24
  /// The most columns of a shard.
  package static let columnLimit = 1 << 10
  /// The level of `zstd` where none is said.
  static let usualLevel = 3

  /// Returns the level of a compression that is `zstd`, or `zstd:1` to `zstd:22`; nil for any other
  /// text.
  package static func zstdLevel(of compression: String) -> Int? {
    let parts = compression.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.first == "zstd", parts.count <= 2 else { return nil }
    guard parts.count == 2 else { return usualLevel }
    return Int(parts[1]).flatMap { 1...22 ~= $0 ? $0 : nil }
  }

  /// Whether any hash is recorded that can be compared.
  ///
  /// Without one nothing but zstd's own checksums, where they were written, tells damage from data.
  package var hasHash: Bool {
    HashAlgorithm.best(of: storedHashes.keys) != nil
      || HashAlgorithm.best(of: rawHashes.keys) != nil
  }

  /// The algorithms of the recorded hashes, sorted, where none of them is known.
  ///
  /// Empty where one is, or no hash is recorded.
  package var unknownHashes: [String] {
    hasHash ? [] : Set(rawHashes.keys).union(storedHashes.keys).sorted()
  }

  /// The XXH64 of what the index records, but for paths: what stands for this shard in a
  /// fingerprint.
  ///
  /// It is computed from a text of one fact a line, in which names come last and with their sizes,
  /// so that no two entries have the same.
  package var checksum: UInt64 {
    var text = "mds 2\nsamples \(sampleCount)\nraw \(rawByteCount)\nstored \(storedByteCount)\n"
    text += "compression \(compression ?? "none")\n"
    for column in columns {
      text += "column \(column.byteCount.map(String.init) ?? "variable") "
      text += "\(column.encoding.utf8.count) \(column.encoding) "
      text += "\(column.name.utf8.count) \(column.name)\n"
    }
    for (kind, hashes) in [("raw", rawHashes), ("stored", storedHashes)] {
      for (name, value) in hashes.sorted(by: { $0.key < $1.key }) {
        text += "\(kind)-hash \(name.utf8.count) \(name) \(value.utf8.count) \(value)\n"
      }
    }
    return XXHash.hash64(Array(text.utf8))
  }
}
