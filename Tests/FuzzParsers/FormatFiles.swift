internal import Corpora
internal import Foundation

/// Small shards of every format, for specs to name.
enum FormatFiles {
  /// Writes the shards, once for each folder.
  static func prepare(in folder: FuzzFolder) throws {
    guard !FileManager.default.fileExists(atPath: folder.path + "/text.jsonl") else { return }
    let encoder = try FrameEncoder(tokenWidth: .uint16, level: 1, endOfText: 256)
    let tokens: [UInt16] = [65, 66, 256]
    let bytes = tokens.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    var writer = try ShardWriter(path: folder.path + "/native.tokens.zst", tokenWidth: .uint16)
    try writer.append(bytes.withUnsafeBytes { try encoder.encode($0) })
    _ = try writer.finish(manifestPath: "native.tokens.zst")

    for (name, compression) in [("mds", nil), ("mds-zstd", "zstd:1")] {
      var samples = try MDSWriter(
        folder: folder.path + "/" + name,
        form: MDSWriter.Form(
          column: "tokens", encoding: "bytes", byteCount: nil, compression: compression,
          sizeLimit: nil))
      for _ in 0..<2 { try bytes.withUnsafeBytes { try samples.append($0) } }
      _ = try samples.finish()
    }

    folder.write(bytes, to: "mega.bin")
    folder.write(megatronIndex(lengths: [3], code: 8, tokenByteCount: 2), to: "mega.idx")
    let line = Array("{\"text\": \"A\\u00e9\"}\n".utf8)
    folder.write(compressed(line), to: "text.jsonl.zst")
    folder.write(line, to: "text.jsonl")
  }

  /// An index of sequences, each of which is a document.
  static func megatronIndex(lengths: [Int], code: UInt8, tokenByteCount: Int) -> [UInt8] {
    var index = ByteWriter()
    index.bytes = Array("MMIDIDX\0\0".utf8)
    index.append(UInt64(1))
    index.append(code)
    index.append(UInt64(lengths.count))
    index.append(UInt64(lengths.count + 1))
    for length in lengths { index.append(Int32(length)) }
    var offset = 0
    for length in lengths {
      index.append(Int64(offset))
      offset += length * tokenByteCount
    }
    for boundary in 0...lengths.count { index.append(Int64(boundary)) }
    return index.bytes
  }
}
