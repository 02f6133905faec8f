#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif
#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A folder of MDS shards, version 2: an `index.json` and the shards that it names.
///
/// What Headrace needs of the index is checked strictly, so that the rest of the program can trust
/// it; keys that it does not need are passed over, whatever they hold.
package enum MDSFolder {
  /// The name of an index.
  package static let indexName = "index.json"

  /// A larger index (some hundreds of thousands of shards) is taken for a mistake.
  private static let byteLimit = 1 << 28
  /// The most shards of all indexes of a folder.
  private static let shardLimit = 1 << 20
  private static let depthLimit = 16
  private static let folderLimit = 1 << 14

  /// Reads the index of a folder or, where it has none, those of the folders below it, in the order
  /// of their paths.
  ///
  /// A folder with shards and no index is an error, because they would be passed over.
  ///
  /// - Throws: ``CorpusError`` if there is no index, or one is damaged, of another version,
  ///   hostile, or of shards that are not read: those of another format than MDS and of another
  ///   compression than zstd.
  package static func read(folder: String, access: FileAccess = .direct) throws(CorpusError)
    -> [MDSShardEntry]
  {
    var search = Search(root: folder, access: access)
    try search.add(below: "", depth: 0)
    guard search.hasIndex else { throw .mdsIndex(path: folder, shard: nil, .missing) }
    return search.entries
  }

  /// The walk through a folder and what it has found.
  private struct Search {
    let root: String
    let access: FileAccess
    var entries: [MDSShardEntry] = []
    var hasIndex = false
    private var folderCount = 0
    /// How the names of shards end, compressed or not.
    private static let shardSuffixes = [".mds", ".mds.zstd", ".mds.zst"]

    init(root: String, access: FileAccess) {
      self.root = root
      self.access = access
    }

    /// Adds the shards of the folder at `below`, which ends with a slash unless it is empty.
    mutating func add(below: String, depth: Int) throws(CorpusError) {
      let folder = root + "/" + below
      folderCount += 1
      guard folderCount <= MDSFolder.folderLimit, depth <= MDSFolder.depthLimit else {
        throw .mdsIndex(path: root, shard: nil, .tooManyFolders(limit: MDSFolder.folderLimit))
      }
      let index = (below.isEmpty ? root + "/" : folder) + MDSFolder.indexName
      if try access.status(of: index) != nil {
        hasIndex = true
        entries += try MDSFolder.entries(
          ofIndex: index, below: below, access: access)
        try MDSFolder.expect(
          index, "number of shards", entries.count, in: 0...MDSFolder.shardLimit)
        return
      }
      var names: [String] = []
      for name in try access.names(in: folder) {
        guard let text = name.text else {
          throw .cannotOpen(path: folder + name.shown, code: EILSEQ)
        }
        names.append(text)
      }
      for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) })
      where !name.hasPrefix(".") {
        guard let status = try access.status(of: folder + name) else { continue }
        if status.isFolder {
          try add(below: below + name + "/", depth: depth + 1)
        } else if Self.shardSuffixes.contains(where: name.hasSuffix) {
          throw .mdsIndex(
            path: String(folder.dropLast()), shard: nil, .missingBeside(shard: name))
        }
      }
    }
  }

  /// Reads one index; the shards' paths begin with `below`.
  private static func entries(ofIndex path: String, below: String, access: FileAccess)
    throws(CorpusError) -> [MDSShardEntry]
  {
    let data = Data(try FileReader.contents(of: path, limit: byteLimit, access: access))
    let index: MDSIndexRecord
    do {
      let head = try JSONDecoder().decode(MDSIndexRecord.Head.self, from: data)
      try head.check(path: path)
      index = try JSONDecoder().decode(MDSIndexRecord.self, from: data)
    } catch let error as CorpusError {
      throw error
    } catch {
      throw .malformedJSON(path: path, underlying: error)
    }
    try expect(path, "number of shards", index.shards.count, in: 0...shardLimit)
    // The shards of a folder have the same columns; one array serves them all.
    var columns: [MDSShardEntry.Column] = []
    var entries: [MDSShardEntry] = []
    entries.reserveCapacity(index.shards.count)
    for (shard, record) in index.shards.enumerated() {
      var entry = try record.entry(path: path, shard: shard, below: below)
      if entry.columns == columns { entry.columns = columns }
      columns = entry.columns
      entries.append(entry)
    }
    return entries
  }

  static func expect(_ path: String, _ field: String, _ value: Int, in allowed: ClosedRange<Int>)
    throws(CorpusError)
  {
    guard allowed.contains(value) else {
      throw .manifestValue(path: path, field: field, value: value, allowed: allowed)
    }
  }
}

/// An `index.json` as it is written.
private struct MDSIndexRecord: Decodable {
  let shards: [Shard]

  /// What is read first, so that another format or version is named as such.
  struct Head: Decodable {
    struct Shard: Decodable {
      let version: Int
      let format: String
    }

    let version: Int
    let shards: [Shard]

    func check(path: String) throws(CorpusError) {
      for version in [version] + shards.map(\.version) where version != 2 {
        throw .unsupportedFormat(
          path: path, field: "version", found: "\(version)", supported: "2")
      }
      for shard in shards where shard.format != "mds" {
        throw .unsupportedFormat(
          path: path, field: "format", found: "\"\(shard.format)\"", supported: "\"mds\"")
      }
    }
  }

  struct File: Decodable {
    let basename: String
    let bytes: Int
    let hashes: [String: String]
  }

  struct Shard: Decodable {
    let columnNames: [String]
    let columnEncodings: [String]
    let columnSizes: [Int?]
    let compression: String?
    let rawData: File
    let zipData: File?
    let samples: Int

    private enum CodingKeys: String, CodingKey {
      case compression, samples
      case columnNames = "column_names"
      case columnEncodings = "column_encodings"
      case columnSizes = "column_sizes"
      case rawData = "raw_data"
      case zipData = "zip_data"
    }
  }
}

extension MDSIndexRecord.Shard {
  /// Returns the entry that this record is, once all of it is checked.
  fileprivate func entry(path: String, shard: Int, below: String) throws(CorpusError)
    -> MDSShardEntry
  {
    guard (compression == nil) == (zipData == nil) else {
      throw .mdsIndex(path: path, shard: shard, .compressedFile(isRecorded: zipData != nil))
    }
    if let compression, MDSShardEntry.zstdLevel(of: compression) == nil {
      throw .mdsIndex(path: path, shard: shard, .compression(compression))
    }
    let stored = zipData ?? rawData
    guard CorpusManifest.isSafePath(stored.basename) else {
      throw .unsafePath(path: path, entry: stored.basename)
    }
    let columns = try columns(path: path, shard: shard)
    let name = "of shard \(shard)"
    try MDSFolder.expect(path, "samples \(name)", samples, in: 0...MDSShardEntry.sampleLimit)
    try MDSFolder.expect(
      path, "bytes of the uncompressed file \(name)", rawData.bytes,
      in: 8...MDSShardEntry.byteLimit)
    // zstd never makes content grow by more than a 128th and a header.
    try MDSFolder.expect(
      path, "bytes of the compressed file \(name)", stored.bytes,
      in: 1...(MDSShardEntry.byteLimit + MDSShardEntry.byteLimit / 64))
    // A size below 2^33 for each of at most 2^24 samples: the product fits an Int.
    let fixed = min(columns.reduce(0) { $0 + ($1.byteCount ?? 4) }, 2 * MDSShardEntry.byteLimit)
    let least = 8 + samples * (4 + fixed)
    guard least <= rawData.bytes else {
      throw .mdsIndex(
        path: path, shard: shard, .byteCount(recorded: rawData.bytes, least: least))
    }
    return MDSShardEntry(
      path: below + stored.basename, sampleCount: samples, rawByteCount: rawData.bytes,
      storedByteCount: stored.bytes, compression: compression, columns: columns,
      rawHashes: rawData.hashes, storedHashes: stored.hashes)
  }

  private func columns(path: String, shard: Int) throws(CorpusError) -> [MDSShardEntry.Column] {
    let count = columnNames.count
    guard count == columnEncodings.count, count == columnSizes.count,
      (1...MDSShardEntry.columnLimit).contains(count), Set(columnNames).count == count
    else {
      throw .mdsIndex(
        path: path, shard: shard,
        .columns(names: count, encodings: columnEncodings.count, sizes: columnSizes.count))
    }
    var columns: [MDSShardEntry.Column] = []
    for ((name, encoding), size) in zip(zip(columnNames, columnEncodings), columnSizes) {
      let known = MDSEncoding(encoding)
      let fits = known.map { !$0.isKnown || $0.byteCount == size } ?? false
      guard fits, (1...MDSShardEntry.byteLimit).contains(size ?? 1) else {
        throw .mdsIndex(
          path: path, shard: shard, .columnSize(column: name, encoding: encoding, recorded: size))
      }
      columns.append(MDSShardEntry.Column(name: name, encoding: encoding, byteCount: size))
    }
    return columns
  }
}
