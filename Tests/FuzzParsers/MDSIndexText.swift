internal import Corpora
internal import Foundation

/// An MDS index as MosaicML's writer has it, of any entries.
enum MDSIndexText {
  /// Returns an index whose shards are the entries.
  static func bytes(of entries: [MDSShardEntry]) throws -> [UInt8] {
    let shards = try entries.map { entry in
      let names = try entry.columns.map { try json($0.name) }
      let encodings = try entry.columns.map { try json($0.encoding) }
      let sizes = entry.columns.map { $0.byteCount.map(String.init) ?? "null" }
      let isRaw = entry.compression == nil
      let raw = try file(isRaw ? entry.path : "raw", entry.rawByteCount, entry.rawHashes)
      let stored = try file(entry.path, entry.storedByteCount, entry.storedHashes)
      return """
        {"column_names": [\(names.joined(separator: ","))],
         "column_encodings": [\(encodings.joined(separator: ","))],
         "column_sizes": [\(sizes.joined(separator: ","))],
         "compression": \(try entry.compression.map { try json($0) } ?? "null"),
         "format": "mds", "hashes": [], "raw_data": \(raw), "samples": \(entry.sampleCount),
         "size_limit": null, "version": 2, "zip_data": \(isRaw ? "null" : stored)}
        """
    }
    return Array("{\"version\": 2, \"shards\": [\(shards.joined(separator: ",\n"))]}".utf8)
  }

  private static func file(_ name: String, _ byteCount: Int, _ hashes: [String: String]) throws
    -> String
  {
    let hashes = try hashes.sorted { $0.key < $1.key }
      .map { "\(try json($0.key)): \(try json($0.value))" }.joined(separator: ",")
    return #"{"basename": \#(try json(name)), "bytes": \#(byteCount), "hashes": {\#(hashes)}}"#
  }

  private static func json(_ text: String) throws -> String {
    String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
  }
}
